/*
 * slots.c - from the names that tensors have in files to the slots of a family: every name goes
 * through all renames to its canonical one, and a slot finds its tensor by that.
 */
#include "family/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"

/* ---- Names ---- */

/* Order of canonical names, for sorting and for the search in what was sorted. */
static int
compare_names(const void *a, const void *b)
{
    return strcmp(((const lm_named_tensor *)a)->name, ((const lm_named_tensor *)b)->name);
}

/* Of sentence-transformers' and of data-parallel state dicts, before any family's names. */
static const lm_rename wrappers[] = {
    {LM_RENAME_PREFIX, "module.", ""},
    {LM_RENAME_PREFIX, "0.", ""},
    {LM_RENAME_PREFIX, "auto_model.", ""},
    {LM_RENAME_PREFIX, "model.", ""},
};

/* name with one rename applied; the same pointer when it does not match. NULL: no memory. */
static const char *
rename_once(lm_arena *arena, const lm_rename *rename, const char *name)
{
    const char *hit = strstr(name, rename->from);
    size_t from = strlen(rename->from), to = strlen(rename->to), before, after;
    char *renamed;

    if (!hit || (rename->where == LM_RENAME_PREFIX && hit != name))
        return name;
    before = (size_t)(hit - name);
    after = strlen(hit + from);
    renamed = lm_arena_alloc(arena, before + to + after + 1);
    if (!renamed)
        return NULL;
    memcpy(renamed, name, before);
    memcpy(renamed + before, rename->to, to);
    memcpy(renamed + before + to, hit + from, after + 1);
    return renamed;
}

/* One after the other, because files combine them ("bert." and "gamma"). NULL: no memory. */
static const char *
rename_all(lm_arena *arena, const lm_rename *renames, size_t count, const char *name)
{
    for (size_t i = 0; i < count && name; i++)
        name = rename_once(arena, &renames[i], name);
    return name;
}

lm_status
lm_slots_name(lm_context *ctx, lm_arena *arena, const lm_family *family, const lm_tensors *tensors,
              lm_named_tensors *named)
{
    named->count = tensors->count;
    named->items = lm_arena_array(arena, tensors->count, sizeof *named->items);
    if (!named->items)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < tensors->count; i++) {
        const char *name = tensors->items[i].name;

        LM_TRY(lm_poll(ctx));
        name = rename_all(arena, wrappers, sizeof wrappers / sizeof *wrappers, name);
        name = rename_all(arena, family->renames, family->rename_count, name);
        if (!name)
            return LM_NO_MEMORY;
        named->items[i] = (lm_named_tensor){name, &tensors->items[i], false};
    }
    return lm_sort(ctx, named->items, named->count, sizeof *named->items, compare_names);
}

/* What stands before the names of a whole model's encoder. */
static const char *
prefix_of(const lm_family *family)
{
    for (size_t i = 0; i < family->rename_count; i++)
        if (family->renames[i].where == LM_RENAME_PREFIX && family->renames[i].to[0] == '\0')
            return family->renames[i].from;
    return "";
}

const char *
lm_family_file_name(lm_arena *arena, const lm_family *family, const char *name)
{
    const char *prefix = prefix_of(family);
    const size_t before = strlen(prefix);
    size_t length;
    char *full;

    name = rename_all(arena, wrappers, sizeof wrappers / sizeof *wrappers, name);
    name = rename_all(arena, family->renames, family->rename_count, name);
    if (!name)
        return NULL;
    length = strlen(name);
    full = lm_arena_alloc(arena, before + length + 1);
    if (!full)
        return NULL;
    memcpy(full, prefix, before);
    memcpy(full + before, name, length + 1);
    return full;
}

/* ---- Slots ---- */

/* A head's group has no prefix: its slots have whole names. */
static const lm_weight_group head_group = {.prefix = "", .targets = LM_HEAD_TARGETS};

int
lm_slot_groups(const lm_family *family, const lm_head_kind *head)
{
    return family->group_count + (head != NULL);
}

lm_slot_list
lm_slots_of(const lm_family *family, const lm_head_kind *head, int group)
{
    if (group < family->group_count)
        return (lm_slot_list){family->slots, family->slot_count, &family->groups[group], group};
    return (lm_slot_list){head->slots, head->slot_count, &head_group, group};
}

/* The canonical name of a slot's tensor in a layer. */
static void
slot_name(const lm_weight_group *group, const lm_weight_slot *slot, int layer,
          char name[LM_WEIGHT_NAME_SIZE])
{
    const char *hole = strstr(group->prefix, "{i}");

    if (hole)
        snprintf(name, LM_WEIGHT_NAME_SIZE, "%.*s%d%s%s", (int)(hole - group->prefix),
                 group->prefix, layer, hole + 3, slot->pattern);
    else
        snprintf(name, LM_WEIGHT_NAME_SIZE, "%s%s", group->prefix, slot->pattern);
}

lm_status
lm_slot_find(lm_context *ctx, const lm_named_tensors *named, const lm_weight_group *group,
             const lm_weight_slot *slot, int layer, lm_named_tensor **found)
{
    char name[LM_WEIGHT_NAME_SIZE];
    const lm_named_tensor key = {.name = name};
    lm_named_tensor *hit, *end = named->items + named->count;

    slot_name(group, slot, layer, name);
    hit = bsearch(&key, named->items, named->count, sizeof key, compare_names);
    *found = hit;
    if (!hit)
        return LM_OK;
    if ((hit > named->items && compare_names(hit - 1, hit) == 0) ||
        (hit + 1 < end && compare_names(hit + 1, hit) == 0)) {
        lm_raise(ctx, LM_BAD_MODEL, "two tensors give the same weight");
        lm_detail_file(ctx, hit->tensor->file);
        return lm_detail_key(ctx, "%s", name);
    }
    return LM_OK;
}

/*
 * The name is the canonical one, since which of the older names the file should have had is not
 * known.
 */
lm_status
lm_slot_missing(lm_context *ctx, const lm_weight_group *group, const lm_weight_slot *slot,
                int layer)
{
    char name[LM_WEIGHT_NAME_SIZE];

    slot_name(group, slot, layer, name);
    lm_raise(ctx, LM_BAD_MODEL, "a tensor that the model needs is missing");
    return lm_detail_key(ctx, "%s", name);
}

/* A slot that does not say how many parts it covers covers one. */
int
lm_slot_parts(const lm_weight_slot *slot)
{
    return slot->parts > 0 ? slot->parts : 1;
}

static bool
is_better(const lm_weight_slot *slot, const lm_weight_slot *best, const void *config)
{
    const bool wanted = lm_slot_wanted(slot, config);

    if (!best || wanted != lm_slot_wanted(best, config))
        return !best || wanted;
    return lm_slot_parts(slot) > lm_slot_parts(best);
}

/* The slot of most parts, which has the target's name; of a target that the settings ask for, one
 * that they want. */
static const lm_weight_slot *
naming_slot(const lm_family *family, const void *config, int group, int target)
{
    const lm_weight_slot *best = NULL;

    for (size_t i = 0; i < family->slot_count; i++) {
        const lm_weight_slot *slot = &family->slots[i];

        if (slot->group == group && slot->target == target && is_better(slot, best, config))
            best = slot;
    }
    return best;
}

void
lm_weight_name(const lm_family *family, const void *config, size_t index,
               char name[LM_WEIGHT_NAME_SIZE])
{
    const lm_weight_group *group = family->groups;
    size_t targets = (size_t)group->targets;
    int target;

    while (index >= targets * (size_t)lm_group_layers(group, config)) {
        index -= targets * (size_t)lm_group_layers(group, config);
        targets = (size_t)(++group)->targets;
    }
    target = (int)(index % targets);
    slot_name(group, naming_slot(family, config, (int)(group - family->groups), target),
              (int)(index / targets), name);
}

/* ---- Shapes ---- */

static uint64_t
field_at(const void *config, size_t offset)
{
    int32_t value;

    memcpy(&value, (const char *)config + offset, sizeof value);
    return (uint64_t)value;
}

/* Cannot overflow: fields are positive and have 31 bits. */
uint64_t
lm_slot_dim(const lm_weight_slot *slot, const void *config, int axis)
{
    lm_extent extent = slot->shape[axis];

    return field_at(config, extent.first) * (extent.second ? field_at(config, extent.second) : 1);
}

bool
lm_slot_wanted(const lm_weight_slot *slot, const void *config)
{
    size_t when = slot->flags >> LM_SLOT_WHEN_SHIFT;

    return (when == 0 || field_at(config, when) != 0) && lm_slot_dim(slot, config, 0) > 0;
}

/* A dimension of a slot's tensor as files have it. */
static uint64_t
file_dim(const lm_weight_slot *slot, const void *config, int axis)
{
    bool transposed = slot->flags & LM_SLOT_TRANSPOSED;

    return lm_slot_dim(slot, config, transposed ? slot->rank - 1 - axis : axis);
}

/* Names both shapes in full: with them the wrong line of config.json is found at once. */
static lm_status
refuse_shape(lm_context *ctx, const lm_weight_slot *slot, const void *config,
             const lm_tensor *tensor)
{
    char found[LM_MAX_RANK * 22 + 1] = ""; /* of 20 digits each */
    size_t used = 0;

    for (int i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(found + used, sizeof found - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)tensor->shape[i]);
    lm_raise(ctx, LM_BAD_MODEL, "a tensor's shape does not match config.json");
    lm_detail_file(ctx, tensor->file);
    lm_detail_key(ctx, "%s", tensor->name);
    lm_detail_found(ctx, "(%s)", found);
    if (slot->rank == 1)
        return lm_detail_allowed(ctx, "(%llu)", (unsigned long long)file_dim(slot, config, 0));
    return lm_detail_allowed(ctx, "(%llu, %llu)", (unsigned long long)file_dim(slot, config, 0),
                             (unsigned long long)file_dim(slot, config, 1));
}

lm_status
lm_slot_check(lm_context *ctx, const lm_weight_slot *slot, const void *config,
              const lm_tensor *tensor)
{
    bool same = tensor->rank == slot->rank;

    LM_TRY(lm_tensor_check_dtype(ctx, tensor));
    for (int i = 0; same && i < slot->rank; i++)
        same = tensor->shape[i] == file_dim(slot, config, i);
    return same ? LM_OK : refuse_shape(ctx, slot, config, tensor);
}
