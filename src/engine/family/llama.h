/*
 * llama.h - the layers of Llama, which many have under the same names: pre-norm by root mean
 * square, rotary positions, heads that share keys, a gated net. A family says which settings it has
 * and what their defaults are; tensors and forward pass are those of all.
 */
#ifndef LM_LLAMA_H
#define LM_LLAMA_H

#include "family/rope.h"

typedef struct lm_llama {
    lm_dims dims;
    int32_t layers, inner, activation, labels, crf;
    int32_t heads, kv_heads, head_dim; /* 0 in config.json: as many as heads; D / heads */
    int32_t causal;
    int32_t window;                                  /* sliding_window; 0: none */
    int32_t qkv_bias, output_bias, net_bias, normed; /* whether it has them */
    int32_t qkv_rows;                                /* (heads + 2 kv_heads) · head_dim */
    float eps, theta;
} lm_llama;

#define LM_LLAMA(member) offsetof(lm_llama, member)
#define LM_LLAMA_SLOTS 21

extern const lm_weight_group lm_llama_groups[LM_GROUP_LAYERS + 1];
extern const lm_weight_slot lm_llama_slots[LM_LLAMA_SLOTS];
/* Tensors of a model that writes: its last layer. */
extern const char *const lm_llama_not_needed[];

lm_status lm_llama_check(lm_context *ctx, const lm_json *config, void *out);
void lm_llama_describe(const void *config, lm_encoder *encoder);

/* What a family of these layers takes from here, beside the check. */
#define LM_LLAMA_FAMILY                                                                        \
    .caps = LM_CAP_ENCODER, .config_size = sizeof(lm_llama), .groups = lm_llama_groups,        \
    .group_count = LM_GROUP_LAYERS + 1, .slots = lm_llama_slots, .slot_count = LM_LLAMA_SLOTS, \
    .not_needed = lm_llama_not_needed, .describe = lm_llama_describe

/* Fields that all of them have; what differs are the defaults. */
#define LM_LLAMA_FIELDS(vocabulary, width, net, count, window_default)                       \
    {"vocab_size", LM_FIELD_INT, LM_LLAMA(dims.vocab), vocabulary, 1, 1 << 24, .flags = 0},  \
        {"hidden_size", LM_FIELD_INT, LM_LLAMA(dims.hidden), width, 1, 1 << 16, .flags = 0}, \
        {"intermediate_size", LM_FIELD_INT, LM_LLAMA(inner), net, 1, 1 << 20, .flags = 0},   \
        {"num_hidden_layers", LM_FIELD_INT, LM_LLAMA(layers), count, 1, 1024, .flags = 0},   \
        {"max_position_embeddings",                                                          \
         LM_FIELD_INT,                                                                       \
         LM_LLAMA(dims.window),                                                              \
         window_default,                                                                     \
         1,                                                                                  \
         1 << 20,                                                                            \
         .flags = 0},                                                                        \
    {                                                                                        \
        "hidden_act", LM_FIELD_WORD, LM_LLAMA(activation), LM_ACT_SILU,                      \
            .words = lm_activation_words, .refusal = "the activation is not supported"       \
    }

#define LM_LLAMA_HEADS(count, kv, dim)                                                           \
    {"num_attention_heads", LM_FIELD_INT, LM_LLAMA(heads), count, 1, 1 << 12, .flags = 0},       \
        {"num_key_value_heads",    LM_FIELD_INT, LM_LLAMA(kv_heads), kv, 1, 1 << 12,             \
         .flags = LM_FIELD_OR_NULL},                                                             \
    {                                                                                            \
        "head_dim", LM_FIELD_INT, LM_LLAMA(head_dim), dim, 1, 1 << 12, .flags = LM_FIELD_OR_NULL \
    }

/* Keys of models that write, which change nothing of what they read. */
#define LM_LLAMA_KEYS                              \
    {"pad_token_id", LM_KEY_HARMLESS, NULL},       \
    {                                              \
        "attention_dropout", LM_KEY_HARMLESS, NULL \
    }

#endif
