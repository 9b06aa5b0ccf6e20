/*
 * plain.c - from the tensors of files to plain rows, and back: fill.c without the packing.
 */
#include "family/plain.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "family/slots.h"

#define SPREAD 0.02 /* initializer_range, whose default no known model changes */
#define NUMBERS_PER_POLL ((size_t)1 << 18) /* of a file that is written: about a ms */
#define ALIGNED_FLOATS (LM_ALIGNMENT / sizeof(float))

typedef struct plain_planner {
    lm_context *ctx;
    lm_arena *arena;
    lm_weights_plan plan;
    lm_plain *plain;
    lm_plain_tensor *tensors;
} plain_planner;

/* ---- What the files have ---- */

/* A tensor that the encoder does without may be what the head reads: then it is the head's. */
static bool
is_the_heads(const lm_weights_plan *plan, const lm_placement *spare)
{
    for (size_t i = 0; i < plan->placement_count; i++)
        if (plan->placements[i].tensor == spare->tensor &&
            !plan->targets[plan->placements[i].target].spare)
            return true;
    return false;
}

static lm_status
take_placement(plain_planner *p, const lm_placement *place)
{
    const lm_weight_target *target = &p->plan.targets[place->target];
    lm_plain_tensor *tensor = &p->tensors[p->plain->tensor_count];

    if (target->spare && is_the_heads(&p->plan, place))
        return LM_OK;
    *tensor = (lm_plain_tensor){
        .name = place->tensor->name,
        .place = *place,
        .rows = (size_t)place->tensor->count / target->width,
        .width = target->width,
        .rank = place->tensor->rank,
    };
    if (p->plain->head)
        tensor->name = lm_family_file_name(p->arena, p->plain->family, place->tensor->name);
    p->plain->tensor_count++;
    return tensor->name ? LM_OK : LM_NO_MEMORY;
}

/* ---- What a head has beyond them ---- */

/* Whether a head's tensor is called as one that the encoder itself may have: its pooler. */
static bool
is_the_encoders(const lm_family *family, const char *name)
{
    for (size_t i = 0; i < family->slot_count; i++)
        if (family->slots[i].group == LM_GROUP_MODEL && strcmp(family->slots[i].pattern, name) == 0)
            return true;
    return false;
}

/* Of two names for one weight the later row has what is written today. */
static bool
comes_again(const lm_head_kind *head, size_t index)
{
    for (size_t i = index + 1; i < head->slot_count; i++)
        if (head->slots[i].target == head->slots[index].target)
            return true;
    return false;
}

static lm_status
add_new(plain_planner *p, const lm_weight_slot *slot)
{
    lm_plain *plain = p->plain;
    const size_t entry = plain->head_first + (size_t)slot->target;
    lm_weight_target *target = &p->plan.targets[entry];
    lm_plain_tensor *tensor = &p->tensors[plain->tensor_count++];

    target->use = slot->use;
    target->rows = (size_t)lm_slot_dim(slot, plain->config, 0);
    target->width = slot->rank == 2 ? (size_t)lm_slot_dim(slot, plain->config, 1) : 1;
    target->parts = 1;
    *tensor = (lm_plain_tensor){
        .name = slot->pattern,
        .place = {.target = (int)entry},
        .rows = target->rows,
        .width = target->width,
        .rank = slot->rank,
    };
    if (is_the_encoders(plain->family, slot->pattern))
        tensor->name = lm_family_file_name(p->arena, plain->family, slot->pattern);
    return tensor->name ? LM_OK : LM_NO_MEMORY;
}

static lm_status
add_head(plain_planner *p)
{
    const lm_plain *plain = p->plain;
    const lm_head_kind *head = plain->head;

    for (size_t i = 0; head && i < head->slot_count; i++) {
        const lm_weight_slot *slot = &head->slots[i];

        if ((slot->flags & LM_SLOT_REQUIRED) && lm_slot_wanted(slot, plain->config) &&
            !comes_again(head, i) &&
            p->plan.targets[plain->head_first + (size_t)slot->target].parts == 0)
            LM_TRY(add_new(p, slot));
    }
    return LM_OK;
}

/* ---- Where values stand ---- */

static lm_status
lay_out(plain_planner *p)
{
    lm_plain *plain = p->plain;

    plain->offsets = lm_arena_array(p->arena, plain->target_count, sizeof *plain->offsets);
    if (!plain->offsets)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < plain->target_count; i++) {
        const lm_weight_target *target = &p->plan.targets[i];
        size_t count;

        plain->offsets[i] = plain->numbers;
        if (lm_mul_overflows(target->rows, target->width, &count) ||
            lm_add_overflows(plain->numbers, count + ALIGNED_FLOATS, &plain->numbers))
            return lm_raise(p->ctx, LM_TOO_LARGE, "the model is too large");
        plain->numbers = plain->numbers / ALIGNED_FLOATS * ALIGNED_FLOATS;
    }
    return LM_OK;
}

static void
find_groups(lm_plain *plain)
{
    const lm_family *family = plain->family;
    size_t entries = 0;

    for (int group = 0; group < family->group_count; group++) {
        const lm_weight_group *each = &family->groups[group];

        if (group == LM_GROUP_LAYERS)
            plain->layers = entries;
        entries += (size_t)lm_group_layers(each, plain->config) * (size_t)each->targets;
    }
    plain->stride = (size_t)family->groups[LM_GROUP_LAYERS].targets;
    plain->head_first = entries;
}

lm_status
lm_plain_plan(lm_context *ctx, lm_arena *arena, const lm_family *family, const lm_head_kind *head,
              const lm_checkpoint *checkpoint, lm_plain *plain)
{
    plain_planner p = {.ctx = ctx, .arena = arena, .plain = plain};
    size_t room;

    LM_TRY(lm_weights_plan_encoder(ctx, arena, family, head, checkpoint, &p.plan));
    *plain = (lm_plain){
        .family = family,
        .head = head,
        .config = p.plan.config,
        .targets = p.plan.targets,
        .target_count = p.plan.target_count,
    };
    find_groups(plain);
    family->describe(plain->config, &plain->encoder);
    room = p.plan.placement_count + (head ? head->slot_count : 0);
    p.tensors = lm_arena_array(arena, room + 1, sizeof *p.tensors);
    if (!p.tensors)
        return LM_NO_MEMORY;
    plain->tensors = p.tensors;
    for (size_t i = 0; i < p.plan.placement_count; i++)
        LM_TRY(take_placement(&p, &p.plan.placements[i]));
    LM_TRY(add_head(&p));
    return lay_out(&p);
}

/* ---- Values ---- */

static float *
rows_of(const lm_plain *plain, const lm_plain_tensor *tensor, const float *values)
{
    return (float *)(uintptr_t)values + plain->offsets[tensor->place.target] +
           tensor->place.row * tensor->width;
}

/* A number of the normal distribution, as Box and Muller make it. */
static double
normal(lm_rng *rng)
{
    double radius = sqrt(-2 * log(1 - lm_rng_uniform(rng)));

    return radius * cos(6.28318530717958647693 * lm_rng_uniform(rng));
}

/* Biases are 0, gains 1. */
static void
draw(const lm_plain *plain, const lm_plain_tensor *tensor, lm_rng *rng, float *rows)
{
    const size_t target = (size_t)tensor->place.target - plain->head_first;

    for (size_t i = 0; i < tensor->rows * tensor->width; i++)
        rows[i] = tensor->rank == 2             ? (float)(SPREAD * normal(rng))
                  : target == LM_HEAD_NORM_GAIN ? 1
                                                : 0;
}

lm_status
lm_plain_read(lm_context *ctx, const lm_plain *plain, const lm_source *source, lm_rng *rng,
              float *values)
{
    memset(values, 0, plain->numbers * sizeof *values);
    for (size_t i = 0; i < plain->tensor_count; i++) {
        const lm_plain_tensor *tensor = &plain->tensors[i];
        float *rows = rows_of(plain, tensor, values);

        LM_TRY(lm_poll(ctx));
        if (tensor->place.tensor)
            LM_TRY(lm_placement_read(ctx, source, &tensor->place, rows));
        else
            draw(plain, tensor, rng, rows);
    }
    return LM_OK;
}

/* Where a number stands in the tensor's file. */
static size_t
place_in_file(const lm_plain_tensor *tensor, size_t count, size_t i)
{
    const size_t half = count / 2;

    if (tensor->place.transposed)
        return i % tensor->width * tensor->rows + i / tensor->width;
    if (tensor->place.swapped)
        return i < half ? i + half : i - half;
    return i;
}

/* A tensor as its file has it: lm_placement_read backwards. */
static lm_status
turn_back(lm_context *ctx, const lm_plain_tensor *tensor, const float *rows, float *out)
{
    const size_t count = tensor->rows * tensor->width;
    const float less = tensor->place.plus_one ? 1 : 0;

    for (size_t i = 0; i < count; i++) {
        if (i % NUMBERS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        out[place_in_file(tensor, count, i)] = rows[i] - less;
    }
    return LM_OK;
}

static lm_tensor
described(const lm_plain_tensor *tensor)
{
    const bool transposed = tensor->place.transposed;
    const size_t count = tensor->rows * tensor->width;

    return (lm_tensor){
        .name = tensor->name,
        .dtype = LM_F32,
        .rank = tensor->rank,
        .shape = {transposed ? tensor->width : tensor->rows,
                  transposed ? tensor->rows : tensor->width},
        .count = count,
        .bytes = count * sizeof(float),
    };
}

static lm_status
write_header(lm_context *ctx, const lm_plain *plain, lm_buffer *file)
{
    static const lm_metadata metadata = {"format", "pt"};
    lm_tensor *tensors = lm_alloc_array(ctx, plain->tensor_count, sizeof *tensors);
    lm_status status;

    if (!tensors)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < plain->tensor_count; i++)
        tensors[i] = described(&plain->tensors[i]);
    status = lm_tensors_write_header(ctx, &metadata, 1, tensors, plain->tensor_count, file);
    lm_free(ctx, tensors);
    return status;
}

lm_status
lm_plain_write(lm_context *ctx, const lm_plain *plain, const float *values, lm_buffer *file)
{
    LM_TRY(write_header(ctx, plain, file));
    for (size_t i = 0; i < plain->tensor_count; i++) {
        const lm_plain_tensor *tensor = &plain->tensors[i];
        const size_t bytes = tensor->rows * tensor->width * sizeof(float);

        LM_TRY(lm_buffer_reserve(file, bytes));
        LM_TRY(turn_back(ctx, tensor, rows_of(plain, tensor, values),
                         (float *)(void *)(file->data + file->size)));
        file->size += bytes;
    }
    return LM_OK;
}
