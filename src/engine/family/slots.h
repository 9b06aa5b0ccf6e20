/*
 * slots.h - names of tensors and the slots that ask for them (private to family/).
 */
#ifndef LM_SLOTS_H
#define LM_SLOTS_H

#include "family/family.h"

/* A tensor of the files under its canonical name. */
typedef struct lm_named_tensor {
    const char *name;
    const lm_tensor *tensor;
    bool used;
} lm_named_tensor;

typedef struct lm_named_tensors {
    lm_named_tensor *items; /* sorted by name */
    size_t count;
} lm_named_tensors;

/* Give every tensor its canonical name, by the family's renames; polls cancel. */
lm_status lm_slots_name(lm_context *ctx, lm_arena *arena, const lm_family *family,
                        const lm_tensors *tensors, lm_named_tensors *named);

/* The slots of a family's group, or of a head. */
typedef struct lm_slot_list {
    const lm_weight_slot *items;
    size_t count;
    const lm_weight_group *group;
    int index; /* of the group */
} lm_slot_list;

/* The groups of a family, and its head's (NULL: none) behind them. */
int lm_slot_groups(const lm_family *family, const lm_head_kind *head);
lm_slot_list lm_slots_of(const lm_family *family, const lm_head_kind *head, int group);

/* A slot's tensor in a layer, or NULL; two tensors that both bear its name are an error. */
lm_status lm_slot_find(lm_context *ctx, const lm_named_tensors *named, const lm_weight_group *group,
                       const lm_weight_slot *slot, int layer, lm_named_tensor **found);

/* A tensor must be what its slot says in dtype, rank and every dimension; nothing is broadcast. */
lm_status lm_slot_check(lm_context *ctx, const lm_weight_slot *slot, const void *config,
                        const lm_tensor *tensor);

/* Raise LM_BAD_MODEL: the slot's tensor is missing. */
lm_status lm_slot_missing(lm_context *ctx, const lm_weight_group *group, const lm_weight_slot *slot,
                          int layer);

/* A dimension of a slot in its target, from the family's config struct. */
uint64_t lm_slot_dim(const lm_weight_slot *slot, const void *config, int axis);

/* Whether the config has such a weight: LM_SLOT_WHEN, and it has rows. */
bool lm_slot_wanted(const lm_weight_slot *slot, const void *config);

/* How many parts of its target a slot covers. */
int lm_slot_parts(const lm_weight_slot *slot);

#endif
