/*
 * t5.h - the encoder of T5, which mT5 and UMT5 have with other defaults: pre-norm by root mean
 * square, biases of relative positions that all layers share, or of each layer's own, scores that
 * are not scaled.
 */
#ifndef LM_T5_H
#define LM_T5_H

#include "family/family.h"

typedef struct lm_t5 {
    lm_dims dims;
    int32_t layers, heads, head_dim, inner, buckets, farthest;
    int32_t net;          /* an activation, and LM_T5_GATED where it is */
    int32_t gated, plain; /* of it: which one is not 0 */
    int32_t shared, own;  /* likewise: the bias of all layers, or one of each */
    int32_t whole;        /* is_encoder_decoder, which changes nothing of the encoder */
    int32_t qkv_rows;     /* 3 heads · head_dim */
    float eps;
} lm_t5;

#define LM_T5(member) offsetof(lm_t5, member)
#define LM_T5_GATED 64
#define LM_T5_SLOTS 16

/* Tokens of the longest text: there is no table of positions that ends. */
#define LM_T5_WINDOW (1 << 16)

extern const lm_word lm_t5_nets[];
extern const lm_key_rule lm_t5_keys[];
extern const lm_weight_group lm_t5_groups[LM_GROUP_LAYERS + 1];
extern const lm_weight_slot lm_t5_slots[LM_T5_SLOTS];
extern const char *const lm_t5_not_needed[];

lm_status lm_t5_check(lm_context *ctx, const lm_json *config, void *out);
/* The same where each layer has a bias of its own. */
lm_status lm_t5_check_own(lm_context *ctx, const lm_json *config, void *out);
void lm_t5_describe(const void *config, lm_encoder *encoder);

#define LM_T5_FIELDS(vocabulary, net_width, count, head_count, net_default)                 \
    {"vocab_size", LM_FIELD_INT, LM_T5(dims.vocab), vocabulary, 1, 1 << 24, .flags = 0},    \
        {"d_model", LM_FIELD_INT, LM_T5(dims.hidden), 512, 1, 1 << 16, .flags = 0},         \
        {"d_kv", LM_FIELD_INT, LM_T5(head_dim), 64, 1, 1 << 12, .flags = 0},                \
        {"d_ff", LM_FIELD_INT, LM_T5(inner), net_width, 1, 1 << 20, .flags = 0},            \
        {"num_layers", LM_FIELD_INT, LM_T5(layers), count, 1, 1024, .flags = 0},            \
        {"num_heads", LM_FIELD_INT, LM_T5(heads), head_count, 1, 1 << 12, .flags = 0},      \
        {"relative_attention_num_buckets",                                                  \
         LM_FIELD_INT,                                                                      \
         LM_T5(buckets),                                                                    \
         32,                                                                                \
         4,                                                                                 \
         1 << 16,                                                                           \
         .flags = 0},                                                                       \
        {"relative_attention_max_distance",                                                 \
         LM_FIELD_INT,                                                                      \
         LM_T5(farthest),                                                                   \
         128,                                                                               \
         2,                                                                                 \
         1 << 20,                                                                           \
         .flags = 0},                                                                       \
        {"layer_norm_epsilon", LM_FIELD_FLOAT, LM_T5(eps), 1e-6, 1e-20, 1, .flags = 0},     \
        {"is_encoder_decoder", LM_FIELD_BOOL, LM_T5(whole), 1, .flags = 0},                 \
        {"feed_forward_proj", LM_FIELD_WORD,                                                \
         LM_T5(net),          net_default,                                                  \
         .words = lm_t5_nets, .refusal = "the feed-forward net is not supported"},          \
    {                                                                                       \
        "is_decoder", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,                             \
                                     .refusal = "decoders of this family are not supported" \
    }

/* What all of them take from here, beside the check. */
#define LM_T5_FAMILY                                                                  \
    .caps = LM_CAP_ENCODER, .config_size = sizeof(lm_t5), .config_keys = lm_t5_keys,  \
    .groups = lm_t5_groups, .group_count = LM_GROUP_LAYERS + 1, .slots = lm_t5_slots, \
    .slot_count = LM_T5_SLOTS, .not_needed = lm_t5_not_needed, .describe = lm_t5_describe

#endif
