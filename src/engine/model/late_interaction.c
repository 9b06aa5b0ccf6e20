/*
 * late_interaction.c - the section of late interaction: numbers, then the ids of the skip list.
 */
#include "model/late_interaction.h"

#include <stdlib.h>
#include <string.h>

#include "model/sections.h"
#include "model/vocabulary_head.h"

/* As the image has it; `count` ids follow. */
typedef struct stored_late {
    uint32_t length[LM_LATE_SIDES], skips[LM_LATE_SIDES];
    uint32_t expanded, attended, count;
    int32_t filler;
} stored_late;

/* ---- Plan ---- */

/* What is short of room, or has none, is found when the model is imported. */
static lm_status
check_lengths(lm_planner *p, const lm_late_spec *spec, const lm_tokenizer *tokenizer)
{
    const int most = p->plan->info.max_tokens;
    const int least = lm_tokenizer_special_count(tokenizer, false) + 1;
    const struct {
        const char *key;
        int length;
    } lengths[] = {{"query_length", spec->query_length},
                   {"document_length", spec->document_length}};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const int length = lengths[i].length;

        if (length == 0 || (length >= least && (length <= most || p->options->max_tokens > 0)))
            continue;
        lm_raise(p->ctx, LM_BAD_MODEL, "the length of a side does not fit the model");
        lm_detail_key(p->ctx, "%s", lengths[i].key);
        lm_detail_found(p->ctx, "%d", length);
        return lm_detail_allowed(p->ctx, "%d to %d", least, most);
    }
    return LM_OK;
}

/* The reference puts the marker in when the text is cut, so it would stay. */
static lm_status
check_side(lm_planner *p, const lm_tokenizer *tokenizer)
{
    if (!lm_tokenizer_cuts_left(tokenizer))
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "truncation on the left is not supported for such a model");
    lm_detail_file(p->ctx, "tokenizer_config.json");
    lm_detail_key(p->ctx, "truncation_side");
    lm_detail_found(p->ctx, "\"left\"");
    return lm_detail_allowed(p->ctx, "\"right\"");
}

/* What fills queries: what the file says, the mask, or else the end of a sequence. */
static lm_status
find_filler(lm_planner *p, const lm_late_spec *spec, const lm_tokenizer *tokenizer, int32_t *id)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const char *token = spec->filler;

    token = token ? token : lm_special_token(checkpoint, "mask_token", NULL);
    token = token ? token : lm_special_token(checkpoint, "eos_token", "[MASK]");
    *id = lm_token_id(tokenizer, token, strlen(token));
    if (*id >= 0)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "the tokenizer lacks the token that fills queries");
    lm_detail_key(p->ctx, spec->filler ? "query_expansion.token" : "mask_token");
    lm_detail_found(p->ctx, "\"%.40s\"", token);
    return lm_detail_allowed(p->ctx, "a token of tokenizer.json");
}

static int
compare_ids(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

/* A word that is no token is left out, as by the reference. At most 4096: format/ sees to it. */
static uint32_t
find_skips(const lm_late_spec *spec, const lm_tokenizer *tokenizer, int32_t *ids)
{
    uint32_t count = 0;

    for (int i = 0; i < spec->skip_count; i++) {
        ids[count] = lm_token_id(tokenizer, spec->skip[i], strlen(spec->skip[i]));
        count += ids[count] >= 0;
    }
    if (count > 0)
        qsort(ids, count, sizeof *ids, compare_ids);
    return count;
}

/* The tokenizer is planned by then, and the window chosen. */
static lm_status
plan_late(lm_planner *p, lm_planned_section *section)
{
    const lm_planned_section *compiled = &p->plan->sections[LM_SECTION_TOKENIZER];
    const lm_late_spec *spec = &p->plan->checkpoint.sentence.late;
    stored_late *late =
        lm_arena_zero(p->arena, sizeof *late + (size_t)spec->skip_count * sizeof(int32_t));
    lm_tokenizer tokenizer;

    if (!late)
        return LM_NO_MEMORY;
    LM_TRY(lm_tokenizer_bind(p->ctx, compiled->state, compiled->size, &tokenizer));
    LM_TRY(check_side(p, &tokenizer));
    LM_TRY(check_lengths(p, spec, &tokenizer));
    late->length[LM_LATE_QUERY] = (uint32_t)spec->query_length;
    late->length[LM_LATE_DOCUMENT] = (uint32_t)spec->document_length;
    late->skips[LM_LATE_QUERY] = spec->skip_queries;
    late->skips[LM_LATE_DOCUMENT] = spec->skip_documents;
    late->expanded = spec->expanded;
    late->attended = spec->attended;
    late->filler = -1;
    if (spec->expanded)
        LM_TRY(find_filler(p, spec, &tokenizer, &late->filler));
    late->count = find_skips(spec, &tokenizer, (int32_t *)(late + 1));
    *section = (lm_planned_section){late, sizeof *late + late->count * sizeof(int32_t)};
    return LM_OK;
}

/* ---- Bind ---- */

/* Numbers of a section that lies in memory which other processes map. */
static lm_status
bind_late(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    const stored_late *stored = bytes;
    lm_late *late;

    if (size < sizeof *stored || stored->count != (size - sizeof *stored) / sizeof(int32_t))
        return lm_raise(ctx, LM_INTERNAL, "the late interaction in the image is not valid");
    late = lm_alloc_zero(ctx, sizeof *late);
    if (!late)
        return LM_NO_MEMORY;
    for (int side = 0; side < LM_LATE_SIDES; side++) {
        late->length[side] = stored->length[side];
        late->skips[side] = stored->skips[side];
    }
    late->expanded = stored->expanded;
    late->attended = stored->attended;
    late->filler = stored->filler;
    late->skip = (const int32_t *)(stored + 1);
    late->skip_count = stored->count;
    model->views[LM_SECTION_LATE] = late;
    return LM_OK;
}

static void
unbind_late(lm_context *ctx, lm_model *model)
{
    lm_free(ctx, (void *)(uintptr_t)model->views[LM_SECTION_LATE]);
}

const lm_section_kind lm_section_late = {
    .name = "late",
    .id = LM_SECTION_LATE,
    .layout = 1,
    .plan = plan_late,
    .fill = lm_section_copy,
    .bind = bind_late,
    .unbind = unbind_late,
};

bool
lm_late_skips(const lm_late *late, int side, int32_t id)
{
    return late->skips[side] && late->skip_count > 0 &&
           bsearch(&id, late->skip, late->skip_count, sizeof id, compare_ids) != NULL;
}
