/*
 * rope.h - what config.json says of rotary positions, for families that have them.
 */
#ifndef LM_FAMILY_ROPE_H
#define LM_FAMILY_ROPE_H

#include "family/family.h"

extern const lm_word lm_rope_words[];

#define LM_ROPE_REFUSAL "the kind of rotary positions is not supported"

/* The value of one key that may say that positions are turned otherwise. */
#define LM_ROPE_TYPE(key)                                                                         \
    {                                                                                             \
        key, LM_FIELD_WORD, .flags = LM_FIELD_MUST_BE | LM_FIELD_OR_NULL, .words = lm_rope_words, \
                            .refusal = LM_ROPE_REFUSAL                                            \
    }

/* Both keys of an object that has a type. */
#define LM_ROPE_TYPES(object) LM_ROPE_TYPE(object ".rope_type"), LM_ROPE_TYPE(object ".type")

#define LM_ROPE_WHOLE(key)                                                                    \
    {                                                                                         \
        key, LM_FIELD_FLOAT,                                                                  \
            .fallback = 1, .low = 0, .high = 1, .flags = LM_FIELD_MUST_BE | LM_FIELD_OR_NULL, \
            .refusal = "rotary positions of a part of each head are not supported"            \
    }

/*
 * Fields of a family whose layers all turn alike. Version 5 of the reference writes
 * rope_parameters; before, theta stood alone and rope_scaling said what differs.
 */
#define LM_ROPE_FIELDS(theta, theta_default)                             \
    {"rope_scaling.rope_theta|rope_parameters.rope_theta|rope_theta",    \
     LM_FIELD_FLOAT,                                                     \
     theta,                                                              \
     theta_default,                                                      \
     1,                                                                  \
     1e12,                                                               \
     .flags = 0},                                                        \
        LM_ROPE_TYPES("rope_parameters"), LM_ROPE_TYPES("rope_scaling"), \
        LM_ROPE_WHOLE("rope_parameters.partial_rotary_factor|partial_rotary_factor")

/* LM_BAD_MODEL for heads whose numbers do not make pairs. */
lm_status lm_rope_check(lm_context *ctx, const char *key, int head_dim);

/* LM_BAD_MODEL unless the heads are a multiple of the heads of keys. */
lm_status lm_rope_check_groups(lm_context *ctx, int heads, int kv_heads);

/*
 * LM_UNSUPPORTED where `layer_types` says another than "full_attention" of one of the layers; no
 * such key is fine. Where `every` is given, "sliding_attention" is allowed too, if one layer in so
 * many is full: the first of them, or the last.
 */
lm_status lm_layer_types_check(lm_context *ctx, const lm_json *config, int layers, int32_t *every,
                               bool last);

#endif
