/*
 * tokenizer_section.c - the section of a compiled tokenizer.
 */
#include "model/markers.h"
#include "model/sections.h"

/* Into the arena. */
static lm_status
compile(lm_planner *p, const lm_tokenizer_files *files, int32_t most, lm_notes *notes,
        lm_planned_section *section)
{
    lm_buffer bytes;
    lm_status status;

    lm_buffer_init(&bytes, p->ctx);
    status = lm_tokenizer_compile_files(p->ctx, files, most, &bytes, notes);
    if (status == LM_OK)
        status = lm_section_keep(p, &bytes, section);
    lm_buffer_free(&bytes);
    return status;
}

/* Markers that pylate's files name, in the vocabulary, are special tokens: then it is compiled
 * anew.
 */
static lm_status
compile_markers(lm_planner *p, lm_tokenizer_files *files, int32_t most, lm_planned_section *section)
{
    const lm_late_spec *late = &p->plan->checkpoint.sentence.late;
    bool added = false;

    for (size_t i = 0; i < sizeof late->markers / sizeof late->markers[0]; i++) {
        lm_tokenizer tokenizer;

        if (!late->markers[i])
            continue;
        LM_TRY(lm_tokenizer_bind(p->ctx, section->state, section->size, &tokenizer));
        LM_TRY(lm_marker_add(p->ctx, p->arena, &tokenizer, late->markers[i], &files->tokenizer,
                             &added));
    }
    return added ? compile(p, files, most, NULL, section) : LM_OK;
}

/* Of words, the settings that name them. */
static lm_status
plan_words(lm_planner *p, lm_planned_section *section)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const bool bag = lm_checkpoint_is_bag(checkpoint);
    const char *file = bag ? checkpoint->config_file : checkpoint->words_file;
    lm_tokenizer_files files = {.tokenizer = NULL};
    lm_status status;

    LM_TRY(lm_whitespace_tokenizer(p->ctx, p->arena, bag ? checkpoint->config : checkpoint->words,
                                   file, bag, &files.tokenizer));
    status = compile(p, &files, p->plan->vocabulary, NULL, section);
    return status == LM_OK ? LM_OK : lm_detail_file(p->ctx, file);
}

/* Ids are bound by the rows of the embedding: a tokenizer with more would read past them. */
static lm_status
plan_tokenizer(lm_planner *p, lm_planned_section *section)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const int32_t planned = p->plan->vocabulary;
    int32_t most;
    const lm_dims *dims = planned ? NULL : lm_planned_weights(p)->config;
    lm_tokenizer_files files = {.tokenizer = checkpoint->tokenizer,
                                .config = checkpoint->tokenizer_config,
                                .special_map = checkpoint->special_map,
                                .added = checkpoint->added_tokens,
                                .model_config = p->options->plain_class ? NULL : checkpoint->config,
                                .vocab_lines = checkpoint->vocab_lines,
                                .vocab_json = checkpoint->vocab_json,
                                .merges = checkpoint->merges,
                                .spm = checkpoint->spm};

    if (lm_checkpoint_has_words(checkpoint) || lm_checkpoint_is_bag(checkpoint))
        return plan_words(p, section);
    LM_TRY(lm_tokenizer_from_older(p->ctx, p->arena, &files));
    if (!files.tokenizer)
        return lm_checkpoint_no_tokenizer(p->ctx, p->arena, &p->plan->source, checkpoint);
    p->plan->info.implied_class = lm_tokenizer_class_implied(&files);
    most = planned ? planned : dims->vocab;
    LM_TRY(compile(p, &files, most, p->notes, section));
    return compile_markers(p, &files, most, section);
}

static lm_status
bind_tokenizer(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    lm_tokenizer *tokenizer = lm_alloc(ctx, sizeof *tokenizer);
    lm_status status;

    if (!tokenizer)
        return LM_NO_MEMORY;
    status = lm_tokenizer_bind(ctx, bytes, size, tokenizer);
    if (status == LM_OK)
        model->views[LM_SECTION_TOKENIZER] = tokenizer;
    else
        lm_free(ctx, tokenizer);
    return status;
}

static void
unbind_tokenizer(lm_context *ctx, lm_model *model)
{
    lm_free(ctx, (void *)(uintptr_t)model->views[LM_SECTION_TOKENIZER]);
}

const lm_section_kind lm_section_tokenizer = {
    .name = "tokenizer",
    .id = LM_SECTION_TOKENIZER,
    .layout = 1,
    .plan = plan_tokenizer,
    .fill = lm_section_copy,
    .bind = bind_tokenizer,
    .unbind = unbind_tokenizer,
};
