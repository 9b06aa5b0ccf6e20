/*
 * added_head.c - takes a head out of a checkpoint and puts it back; the contract is in
 * added_head.h.
 */
#include "model/added_head.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "model/kinds.h"

#define PIECE ((size_t)1 << 20)

/* A folder as far as it has to be known: settings, headers, tokenizer. */
typedef struct side {
    lm_planner planner;
    lm_model_plan plan;
    lm_weights_plan encoder; /* its tensors, as far as they are there */
    lm_weights_plan head;    /* of the folder only */
} side;

/* ---- Architecture ---- */

static lm_status
differ(lm_context *ctx, const side *folder, const char *key, const char *message)
{
    lm_raise(ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(ctx, folder->plan.checkpoint.config_file);
    return lm_detail_key(ctx, "%s", key);
}

static void
open_side(lm_context *ctx, lm_arena *arena, const lm_source *source,
          const lm_model_options *options, side *s)
{
    *s = (side){.planner = {.ctx = ctx,
                            .arena = arena,
                            .options = options,
                            .kernels = lm_kernels_active(),
                            .plan = &s->plan},
                .plan = {.source = *source}};
}

static lm_status
read_side(side *s)
{
    lm_planner *p = &s->planner;
    lm_checkpoint *checkpoint = &s->plan.checkpoint;

    LM_TRY(lm_checkpoint_open(p->ctx, p->arena, &s->plan.source, NULL, checkpoint));
    if (!checkpoint->config) {
        lm_raise(p->ctx, LM_UNSUPPORTED, "the model has no encoder that a head could be added to");
        lm_detail_file(p->ctx, "config.json");
        return lm_detail_found(p->ctx, "nothing");
    }
    LM_TRY(lm_family_find(p->ctx, checkpoint->config, &s->plan.family));
    return lm_weights_plan_encoder(p->ctx, p->arena, s->plan.family, NULL, checkpoint, &s->encoder);
}

/* What a file says at a key; not of one that has another name there, or a place in an object. */
static void
show_value(const side *s, const char *key, char *shown, size_t size)
{
    const lm_json *value = lm_json_get(s->plan.checkpoint.config, key);

    snprintf(shown, size, "another value");
    if (value)
        lm_json_show(value, shown, size);
}

static lm_status
differ_by_key(lm_context *ctx, const side *folder, const side *base, const char *key)
{
    char found[80], allowed[80];

    show_value(folder, key, found, sizeof found);
    show_value(base, key, allowed, sizeof allowed);
    differ(ctx, folder, key, "the head's encoder differs from that of the base");
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%s, as the base has it", allowed);
}

/* A head with which the encoder computes otherwise than without it. */
static lm_status
refuse_marked(lm_context *ctx, const side *folder)
{
    lm_raise(ctx, LM_UNSUPPORTED, "the head cannot run on the encoder of another model");
    lm_detail_file(ctx, folder->plan.checkpoint.config_file);
    lm_detail_key(ctx, "architectures");
    lm_detail_found(ctx, "...%s", folder->plan.head->architecture);
    return lm_detail_hint(ctx, "Its encoder computes otherwise with it: import the folder as a "
                               "model of its own.");
}

static lm_status
check_architecture(lm_context *ctx, const side *folder, const side *base)
{
    const lm_family *family = folder->plan.family;
    const char *key;

    if (family != base->plan.family) {
        differ(ctx, folder, "model_type", "the head's encoder is of another family than the base");
        lm_detail_found(ctx, "%s", family->name);
        return lm_detail_allowed(ctx, "%s", base->plan.family->name);
    }
    if (lm_head_marks(folder->plan.head))
        return refuse_marked(ctx, folder);
    key = lm_family_difference(family, folder->encoder.config, base->encoder.config);
    return key ? differ_by_key(ctx, folder, base, key) : LM_OK;
}

/* ---- Tokenizer ---- */

/* Compiled, since the same tokenizer is written in many ways. */
static lm_status
plan_tokenizer(side *s)
{
    s->plan.sections[LM_SECTION_WEIGHTS].state = &s->encoder;
    return lm_section_tokenizer.plan(&s->planner, &s->plan.sections[LM_SECTION_TOKENIZER]);
}

static lm_status
check_tokenizer(lm_context *ctx, side *folder, side *base)
{
    const lm_planned_section *a = &folder->plan.sections[LM_SECTION_TOKENIZER];
    const lm_planned_section *b = &base->plan.sections[LM_SECTION_TOKENIZER];

    LM_TRY(plan_tokenizer(folder));
    LM_TRY(plan_tokenizer(base));
    if (a->size == b->size && memcmp(a->state, b->state, a->size) == 0)
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "the head's tokenizer differs from that of the base");
    return lm_detail_file(ctx, "tokenizer.json");
}

/* ---- Values ---- */

/* A tensor of the base, as it passes, beside the folder's of the same place. */
typedef struct comparison {
    lm_context *ctx;
    const lm_source *folder;
    const lm_tensor *tensor;
    char *raw;     /* PIECE bytes of it at most */
    float *values; /* of these */
    bool differs;
    lm_status status;
} comparison;

static void
compare_values(void *opaque, uint64_t first, const float *values, size_t count)
{
    comparison *c = opaque;
    const lm_dtype_info *dtype = &lm_dtypes[c->tensor->dtype];
    const size_t step = PIECE / sizeof(double);

    for (size_t done = 0; done < count && c->status == LM_OK && !c->differs; done += step) {
        size_t here = count - done < step ? count - done : step;

        c->status = c->folder->read(c->ctx, c->folder->opaque, c->tensor->file,
                                    c->tensor->offset + (first + done) * dtype->bytes, c->raw,
                                    here * dtype->bytes);
        if (c->status != LM_OK)
            return;
        dtype->to_f32(c->raw, c->values, here);
        for (size_t i = 0; i < here; i++)
            c->differs |= c->values[i] != values[done + i];
    }
}

static lm_status
refuse_tensor(lm_context *ctx, const lm_tensor *tensor, const char *found)
{
    lm_raise(ctx, LM_BAD_MODEL, "the head's encoder has other weights than the base");
    lm_detail_file(ctx, tensor->file);
    lm_detail_key(ctx, "%s", tensor->name);
    lm_detail_found(ctx, "%s", found);
    return lm_detail_hint(ctx, "A head runs on the encoder that it was trained on: import its "
                               "folder as a model of its own.");
}

static lm_status
compare_tensor(comparison *c, const lm_source *base, const lm_tensor *tensor)
{
    LM_TRY(lm_tensor_read_pieces(c->ctx, base, tensor, compare_values, c));
    LM_TRY(c->status);
    return c->differs ? refuse_tensor(c->ctx, c->tensor, "other values") : LM_OK;
}

/* The tensor of the folder in the same place; NULL: none, or it is cut up in another way. */
static const lm_tensor *
find_twin(const lm_weights_plan *folder, const lm_placement *of)
{
    for (size_t i = 0; i < folder->placement_count; i++) {
        const lm_placement *place = &folder->placements[i];

        if (place->target == of->target && place->row == of->row &&
            place->tensor->count == of->tensor->count && place->transposed == of->transposed &&
            place->swapped == of->swapped)
            return place->tensor;
    }
    return NULL;
}

/* Tensors that no layer reads are none of the encoder: a classifier's pooler is its head's. */
static size_t
count_read(const lm_weights_plan *plan)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->placement_count; i++)
        count += !plan->targets[plan->placements[i].target].spare;
    return count;
}

static lm_status
compare_all(comparison *c, const side *folder, const side *base)
{
    const lm_weights_plan *plan = &base->encoder;

    for (size_t i = 0; i < plan->placement_count; i++) {
        const lm_placement *place = &plan->placements[i];

        if (plan->targets[place->target].spare)
            continue;
        LM_TRY(lm_poll(c->ctx));
        c->tensor = find_twin(&folder->encoder, place);
        if (!c->tensor)
            return refuse_tensor(c->ctx, place->tensor, "no tensor of this form in the folder");
        LM_TRY(compare_tensor(c, &base->plan.source, place->tensor));
    }
    return LM_OK;
}

/* A folder of the head alone has nothing to be compared. */
static lm_status
check_weights(lm_context *ctx, const side *folder, const side *base)
{
    comparison c = {.ctx = ctx, .folder = &folder->plan.source, .status = LM_OK};
    const size_t count = count_read(&folder->encoder);
    lm_status status = LM_NO_MEMORY;

    if (count == 0)
        return LM_OK;
    c.raw = lm_alloc(ctx, PIECE);
    c.values = lm_alloc(ctx, PIECE);
    if (c.raw && c.values)
        status = compare_all(&c, folder, base);
    lm_free(ctx, c.raw);
    lm_free(ctx, c.values);
    return status;
}

/* ---- Taking the head out ---- */

/* Its tensors alone are asked for; which head it is, the files and the task say. */
static lm_status
plan_head(side *folder)
{
    lm_planner *p = &folder->planner;
    lm_checkpoint checkpoint;

    LM_TRY(lm_kind_added_head.begin(p));
    checkpoint = folder->plan.checkpoint;
    checkpoint.on_base = true;
    return lm_weights_plan_make(p->ctx, p->arena, folder->plan.family, folder->plan.head,
                                &checkpoint, p->kernels, LM_PRECISION_F32, &folder->head);
}

static lm_status
append_bytes(lm_context *ctx, const lm_source *source, const lm_tensor *tensor, lm_buffer *out)
{
    char *piece = lm_alloc(ctx, PIECE);
    lm_status status = piece ? LM_OK : LM_NO_MEMORY;

    for (uint64_t done = 0; status == LM_OK && done < tensor->bytes; done += PIECE) {
        size_t here = tensor->bytes - done < PIECE ? (size_t)(tensor->bytes - done) : PIECE;

        status = lm_poll(ctx);
        if (status == LM_OK)
            status =
                source->read(ctx, source->opaque, tensor->file, tensor->offset + done, piece, here);
        if (status == LM_OK)
            status = lm_buffer_append(out, piece, here);
    }
    lm_free(ctx, piece);
    return status;
}

static lm_status
write_head(side *folder, lm_buffer *out)
{
    const lm_weights_plan *plan = &folder->head;
    lm_context *ctx = folder->planner.ctx;
    lm_tensor *list = lm_arena_array(folder->planner.arena, plan->placement_count, sizeof *list);

    if (!list)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < plan->placement_count; i++)
        list[i] = *plan->placements[i].tensor;
    LM_TRY(lm_tensors_write_header(ctx, NULL, 0, list, plan->placement_count, out));
    for (size_t i = 0; i < plan->placement_count; i++)
        LM_TRY(append_bytes(ctx, &folder->plan.source, &list[i], out));
    return LM_OK;
}

static lm_status
make(side *folder, side *base, lm_buffer *tensors)
{
    lm_context *ctx = folder->planner.ctx;

    LM_TRY(read_side(folder));
    LM_TRY(plan_head(folder));
    LM_TRY(read_side(base));
    LM_TRY(check_architecture(ctx, folder, base));
    LM_TRY(check_tokenizer(ctx, folder, base));
    LM_TRY(check_weights(ctx, folder, base));
    return write_head(folder, tensors);
}

lm_status
lm_added_head_make(lm_context *ctx, const lm_added_head *files, lm_buffer *tensors)
{
    lm_arena arena;
    side folder, base;
    lm_status status;

    lm_arena_init(&arena, ctx);
    open_side(ctx, &arena, files->folder, files->folder_options, &folder);
    open_side(ctx, &arena, files->base, files->base_options, &base);
    status = make(&folder, &base, tensors);
    lm_arena_free(&arena);
    return status;
}

/* ---- Putting it back ---- */

/* The base's own head, and what no layer reads, is not the whole model's. */
static lm_status
list_encoder(side *base, lm_whole_tensor *list, lm_tensor *named, size_t *count)
{
    const lm_weights_plan *plan = &base->encoder;

    for (size_t i = 0; i < plan->placement_count; i++) {
        const lm_placement *place = &plan->placements[i];

        if (plan->targets[place->target].spare)
            continue;
        list[*count] = (lm_whole_tensor){&base->plan.source, place->tensor};
        named[*count] = *place->tensor;
        named[*count].name =
            lm_family_file_name(base->planner.arena, base->plan.family, place->tensor->name);
        if (!named[(*count)++].name)
            return LM_NO_MEMORY;
    }
    return LM_OK;
}

static lm_status
join(side *head, side *base, lm_buffer *header, const lm_whole_tensor **tensors, size_t *count)
{
    const lm_planner *p = &head->planner;
    const lm_tensors *own = &head->plan.checkpoint.tensors;
    lm_whole_tensor *list;
    lm_tensor *named;
    size_t most;

    LM_TRY(lm_checkpoint_open(p->ctx, p->arena, &head->plan.source, NULL, &head->plan.checkpoint));
    LM_TRY(read_side(base));
    most = own->count + base->encoder.placement_count;
    list = lm_arena_array(p->arena, most, sizeof *list);
    named = lm_arena_array(p->arena, most, sizeof *named);
    if (!list || !named)
        return LM_NO_MEMORY;
    LM_TRY(list_encoder(base, list, named, count));
    for (size_t order = 0; order < own->count; order++)
        for (size_t i = 0; i < own->count; i++)
            if (own->items[i].order == order) {
                list[*count] = (lm_whole_tensor){&head->plan.source, &own->items[i]};
                named[(*count)++] = own->items[i];
            }
    *tensors = list;
    return lm_tensors_write_header(p->ctx, NULL, 0, named, *count, header);
}

lm_status
lm_added_head_join(lm_context *ctx, lm_arena *arena, const lm_added_head *files, lm_buffer *header,
                   const lm_whole_tensor **tensors, size_t *count)
{
    side *sides = lm_arena_array(arena, 2, sizeof *sides); /* the list points into them */

    *count = 0;
    if (!sides)
        return LM_NO_MEMORY;
    open_side(ctx, arena, files->folder, files->folder_options, &sides[0]);
    open_side(ctx, arena, files->base, files->base_options, &sides[1]);
    return join(&sides[0], &sides[1], header, tensors, count);
}
