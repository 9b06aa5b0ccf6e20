/*
 * plan.c - plans the weights section of an image: which tensor goes where, by a family's slots and
 * the directory of tensors, and how large it becomes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "family/quantized.h"
#include "family/section.h"
#include "family/slots.h"

typedef struct planner {
    lm_context *ctx;
    lm_arena *arena;
    const lm_family *family;
    lm_weights_plan *plan;
    lm_named_tensors named;
    bool head_alone; /* the encoder is another model's */
    bool lenient;    /* tensors may be missing */
} planner;

/* Bit set of the parts that a slot covers. */
static unsigned
slot_mask(const lm_weight_slot *slot)
{
    return ((1u << lm_slot_parts(slot)) - 1) << slot->part;
}

/* First row of a part: behind the rows of the parts before it. */
static size_t
part_row(const planner *p, const lm_slot_list *slots, const lm_weight_slot *slot)
{
    size_t row = 0;

    for (size_t i = 0; i < slots->count; i++) {
        const lm_weight_slot *other = &slots->items[i];

        if (other->group == slot->group && other->target == slot->target &&
            lm_slot_parts(other) == 1 && other->part < slot->part &&
            lm_slot_wanted(other, p->plan->config))
            row += (size_t)lm_slot_dim(other, p->plan->config, 0);
    }
    return row;
}

/*
 * Put a tensor into its target. Sums cannot overflow: the tensor's bytes are in a file. A head may
 * ask for a tensor that is spare without it.
 */
static void
place(planner *p, const lm_slot_list *slots, const lm_weight_slot *slot, lm_named_tensor *found,
      int entry)
{
    lm_weights_plan *plan = p->plan;
    lm_weight_target *target = &plan->targets[entry];

    plan->placements[plan->placement_count++] = (lm_placement){found->tensor,
                                                               entry,
                                                               part_row(p, slots, slot),
                                                               slot->flags & LM_SLOT_TRANSPOSED,
                                                               slot->flags & LM_SLOT_HALVES_SWAPPED,
                                                               slot->flags & LM_SLOT_PLUS_ONE};
    if (!found->used)
        plan->parameters += (size_t)found->tensor->count;
    found->used = true;
    target->use = slot->use;
    target->spare = slot->flags & LM_SLOT_SPARE;
    target->rows += (size_t)lm_slot_dim(slot, plan->config, 0);
    target->width = slot->rank == 2 ? (size_t)lm_slot_dim(slot, plan->config, 1) : 1;
    target->parts++;
}

/* Whether a slot asks for a tensor of this target and layer. */
static bool
is_asked(const planner *p, const lm_slot_list *slots, const lm_weight_slot *slot, int layer,
         int target)
{
    return slot->group == slots->index && slot->target == target &&
           !(layer == 0 && (slot->flags & LM_SLOT_FIRST_LAYER_LACKS)) &&
           lm_slot_wanted(slot, p->plan->config);
}

/* A head is asked for whose labels are not those that the files have: it is as if it were lacking.
 */
static bool
is_another_heads(const planner *p, const lm_slot_list *slots, const lm_weight_slot *slot,
                 const lm_named_tensor *found)
{
    return p->lenient && slots->index == p->family->group_count &&
           found->tensor->shape[0] != lm_slot_dim(slot, p->plan->config, 0);
}

/* Match the slots of one target of a layer with tensors. */
static lm_status
plan_target(planner *p, const lm_slot_list *slots, int layer, int target, int entry)
{
    const lm_weight_slot *lacking = NULL;
    unsigned covered = 0, wanted = 0, flags = 0;

    for (size_t i = 0; i < slots->count; i++) {
        const lm_weight_slot *slot = &slots->items[i];
        lm_named_tensor *found;

        if (!is_asked(p, slots, slot, layer, target))
            continue;
        wanted |= slot_mask(slot);
        flags |= slot->flags;
        LM_TRY(lm_slot_find(p->ctx, &p->named, slots->group, slot, layer, &found));
        if (found && is_another_heads(p, slots, slot, found))
            found = NULL;
        if (found && !(covered & slot_mask(slot))) {
            LM_TRY(lm_slot_check(p->ctx, slot, p->plan->config, found->tensor));
            place(p, slots, slot, found, entry);
            covered |= slot_mask(slot);
        } else if (!found && lm_slot_parts(slot) == 1 && !lacking)
            lacking = slot;
    }
    if (!p->lenient && covered != wanted && lacking && ((flags & LM_SLOT_REQUIRED) || covered != 0))
        return lm_slot_missing(p->ctx, slots->group, lacking, layer);
    return LM_OK;
}

/* Targets of all groups, and as many placements as there are slots at most. */
static lm_status
make_room(planner *p)
{
    lm_weights_plan *plan = p->plan;
    size_t placements = 0;

    for (int group = 0; group < lm_slot_groups(p->family, plan->head); group++) {
        lm_slot_list slots = lm_slots_of(p->family, plan->head, group);
        size_t layers = (size_t)lm_group_layers(slots.group, plan->config);

        plan->target_count += layers * (size_t)slots.group->targets;
        placements += layers * slots.count;
    }
    plan->targets = lm_arena_zero(p->arena, plan->target_count * sizeof *plan->targets);
    plan->placements = lm_arena_array(p->arena, placements, sizeof *plan->placements);
    return plan->targets && plan->placements ? LM_OK : LM_NO_MEMORY;
}

/*
 * Every target of every layer of each group. The table's order is the view's, so that bind need not
 * search.
 */
static lm_status
match_slots(planner *p)
{
    lm_weights_plan *plan = p->plan;
    int entry = 0;

    LM_TRY(make_room(p));
    for (int group = 0; group < lm_slot_groups(p->family, plan->head); group++) {
        lm_slot_list slots = lm_slots_of(p->family, plan->head, group);

        if (p->head_alone && group < p->family->group_count) {
            entry += lm_group_layers(slots.group, plan->config) * slots.group->targets;
            continue;
        }
        for (int layer = 0; layer < lm_group_layers(slots.group, plan->config); layer++) {
            LM_TRY(lm_poll(p->ctx));
            for (int target = 0; target < slots.group->targets; target++)
                LM_TRY(plan_target(p, &slots, layer, target, entry++));
        }
    }
    return LM_OK;
}

/* File order, which is the order in which fill reads. */
static int
compare_placements(const void *a, const void *b)
{
    uint32_t left = ((const lm_placement *)a)->tensor->order;
    uint32_t right = ((const lm_placement *)b)->tensor->order;

    return (left > right) - (left < right);
}

/*
 * Adds count × width bytes to a section, rounded up; a model from a hostile file may overflow
 * here.
 */
static lm_status
grow(lm_context *ctx, size_t *size, size_t count, size_t width)
{
    size_t bytes;

    if (lm_mul_overflows(count, width, &bytes) || lm_add_overflows(*size, bytes, size) ||
        lm_add_overflows(*size, LM_ALIGNMENT - 1, &bytes))
        return lm_raise(ctx, LM_TOO_LARGE, "the model is too large");
    *size = lm_align_up(*size);
    return LM_OK;
}

static size_t
packed_size(const lm_weights_plan *plan, const lm_weight_target *target)
{
    return plan->kernels->products[plan->precision].packed_size(target->rows, target->width);
}

/* Sums of int8 products fit 32 bits up to a width that no known model reaches. */
static lm_status
check_width(planner *p, const lm_weight_target *target)
{
    if (p->plan->precision != LM_PRECISION_INT8 || target->use != LM_SLOT_PACKED ||
        target->width <= LM_INT8_MAX_K)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "a matrix is too wide for int8");
    lm_detail_found(p->ctx, "%zu columns", target->width);
    return lm_detail_allowed(p->ctx, "at most %zu", LM_INT8_MAX_K);
}

/* Give header, config, table and targets their offsets. */
static lm_status
lay_out(planner *p)
{
    lm_weights_plan *plan = p->plan;
    size_t size = lm_align_up(sizeof(lm_weights_header));

    plan->config_offset = size;
    LM_TRY(grow(p->ctx, &size, 1, p->family->config_size));
    plan->table_offset = size;
    LM_TRY(grow(p->ctx, &size, plan->target_count, sizeof(uint64_t)));
    for (size_t i = 0; i < plan->target_count; i++) {
        lm_weight_target *target = &plan->targets[i];
        size_t count;

        if (target->parts == 0 || target->spare)
            continue;
        if (lm_mul_overflows(target->rows, target->width, &count))
            return lm_raise(p->ctx, LM_TOO_LARGE, "the model is too large");
        target->offset = size;
        LM_TRY(check_width(p, target));
        if (target->use == LM_SLOT_PACKED)
            LM_TRY(grow(p->ctx, &size, packed_size(plan, target), 1));
        else
            LM_TRY(grow(p->ctx, &size, count, lm_element_size(plan, target)));
    }
    plan->size = size;
    return LM_OK;
}

/* Whether an encoder does without the tensor; of the canonical name. */
static bool
is_not_needed(const lm_family *family, const char *name)
{
    for (const char *const *start = family->not_needed; start && *start; start++)
        if (**start == '*' ? strstr(name, *start + 1) != NULL
                           : strncmp(name, *start, strlen(*start)) == 0)
            return true;
    return false;
}

/* Tensors that no slot took, by name. */
static lm_status
list_left_out(planner *p)
{
    lm_weights_plan *plan = p->plan;

    for (size_t i = 0; i < p->named.count; i++)
        plan->ignored += !p->named.items[i].used;
    plan->left_out = lm_arena_array(p->arena, plan->ignored, sizeof *plan->left_out);
    if (!plan->left_out)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < p->named.count; i++)
        if (!p->named.items[i].used && !is_not_needed(p->family, p->named.items[i].name))
            plan->left_out[plan->left_out_count++] = p->named.items[i].tensor;
    return LM_OK;
}

/*
 * Config first, so that a shape which does not fit is blamed on the tensor and not on a missing
 * layer.
 */
static lm_status
place_tensors(planner *p, const lm_checkpoint *checkpoint)
{
    lm_weights_plan *plan = p->plan;

    plan->config = lm_arena_zero(p->arena, p->family->config_size);
    if (!plan->config)
        return LM_NO_MEMORY;
    LM_TRY(lm_family_configure(p->ctx, p->family, plan->head, checkpoint->config, plan->config));
    LM_TRY(lm_slots_name(p->ctx, p->arena, p->family, &checkpoint->tensors, &p->named));
    LM_TRY(match_slots(p));
    qsort(plan->placements, plan->placement_count, sizeof *plan->placements, compare_placements);
    return LM_OK;
}

lm_status
lm_weights_plan_make(lm_context *ctx, lm_arena *arena, const lm_family *family,
                     const lm_head_kind *head, const lm_checkpoint *checkpoint,
                     const lm_kernels *kernels, lm_precision precision, lm_weights_plan *plan)
{
    planner p = {.ctx = ctx,
                 .arena = arena,
                 .family = family,
                 .plan = plan,
                 .head_alone = checkpoint->on_base};

    *plan = (lm_weights_plan){
        .family = family, .head = head, .kernels = kernels, .precision = precision};
    LM_TRY(place_tensors(&p, checkpoint));
    LM_TRY(list_left_out(&p));
    if (precision == LM_PRECISION_INT8 && checkpoint->quantized.file_count > 0)
        LM_TRY(lm_quantized_plan(ctx, arena, &checkpoint->quantized, plan));
    return lay_out(&p);
}

lm_status
lm_weights_plan_encoder(lm_context *ctx, lm_arena *arena, const lm_family *family,
                        const lm_head_kind *head, const lm_checkpoint *checkpoint,
                        lm_weights_plan *plan)
{
    planner p = {.ctx = ctx, .arena = arena, .family = family, .plan = plan, .lenient = true};

    *plan = (lm_weights_plan){.family = family, .head = head};
    return place_tensors(&p, checkpoint);
}
