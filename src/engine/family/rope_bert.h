/*
 * rope_bert.h - BERT's layers (post_norm.h) with rotary positions in place of a table: what
 * NomicBERT, GTE and Jina embeddings v3 have under the same names, with a gated net or a plain one,
 * with and without biases.
 */
#ifndef LM_ROPE_BERT_H
#define LM_ROPE_BERT_H

#include "family/post_norm.h"
#include "family/rope.h"

typedef struct lm_rope_bert {
    lm_dims dims;
    int32_t layers, heads, head_dim, inner, types, activation, labels, crf;
    int32_t qkv_rows, up_rows; /* 3 heads · head_dim, 2 F */
    int32_t biased;            /* attention and the net's second matrix */
    int32_t plain, gated;      /* the net: which one is not 0 */
    int32_t two;               /* LM_HEAD_UNNAMED */
    float eps, theta;
    float stretch; /* of positions by GTE's authors: 1 is none; families without it have 0 */
    /* Of NomicBERT's authors: the vocabulary's divisor, and from where positions are stretched. */
    int32_t multiple, trained;
    float scaling;
} lm_rope_bert;

#define LM_ROPE_BERT(member) offsetof(lm_rope_bert, member)
#define LM_ROPE_BERT_SLOTS 27

extern const lm_weight_group lm_rope_bert_groups[LM_GROUP_LAYERS + 1];
extern const lm_weight_slot lm_rope_bert_slots[LM_ROPE_BERT_SLOTS];
/* Heads that they have, as rows of their tables. */
extern const lm_config_field lm_rope_bert_label_fields[2];
extern const lm_weight_slot lm_rope_bert_sequence_slots[4], lm_rope_bert_token_slots[5];
extern const lm_key_rule lm_rope_bert_keys[]; /* of NomicBERT */

lm_status lm_rope_bert_check(lm_context *ctx, const lm_json *config, void *out);
void lm_rope_bert_describe(const void *config, lm_encoder *encoder);

/* All but what is said of rotary positions. */
#define LM_ROPE_BERT_SHAPE_FIELDS(vocabulary, width, depth, head_count, net, epsilon, act,       \
                                  window_default, type_default, types_least)                     \
    {"vocab_size", LM_FIELD_INT, LM_ROPE_BERT(dims.vocab), vocabulary, 1, 1 << 24, .flags = 0},  \
        {"hidden_size", LM_FIELD_INT, LM_ROPE_BERT(dims.hidden), width, 1, 1 << 16, .flags = 0}, \
        {"num_hidden_layers", LM_FIELD_INT, LM_ROPE_BERT(layers), depth, 1, 1024, .flags = 0},   \
        {"num_attention_heads",                                                                  \
         LM_FIELD_INT,                                                                           \
         LM_ROPE_BERT(heads),                                                                    \
         head_count,                                                                             \
         1,                                                                                      \
         1 << 12,                                                                                \
         .flags = 0},                                                                            \
        {"head_dim", LM_FIELD_INT, LM_ROPE_BERT(head_dim),   0,                                  \
         1,          1 << 12,      .flags = LM_FIELD_OR_NULL},                                   \
        {"intermediate_size", LM_FIELD_INT, LM_ROPE_BERT(inner), net, 1, 1 << 20, .flags = 0},   \
        {"max_position_embeddings",                                                              \
         LM_FIELD_INT,                                                                           \
         LM_ROPE_BERT(dims.window),                                                              \
         window_default,                                                                         \
         1,                                                                                      \
         1 << 20,                                                                                \
         .flags = 0},                                                                            \
        {"type_vocab_size", LM_FIELD_INT, LM_ROPE_BERT(types), type_default,                     \
         types_least,       1 << 16,      .flags = 0},                                           \
        {"hidden_act",                                                                           \
         LM_FIELD_WORD,                                                                          \
         LM_ROPE_BERT(activation),                                                               \
         act,                                                                                    \
         .words = lm_activation_words,                                                           \
         .refusal = "the activation is not supported"},                                          \
    {                                                                                            \
        "layer_norm_eps", LM_FIELD_FLOAT, LM_ROPE_BERT(eps), epsilon, 1e-20, 1, .flags = 0       \
    }

#define LM_ROPE_BERT_FIELDS(vocabulary, width, depth, head_count, net, epsilon, act,   \
                            window_default, type_default, types_least, theta_default)  \
    LM_ROPE_BERT_SHAPE_FIELDS(vocabulary, width, depth, head_count, net, epsilon, act, \
                              window_default, type_default, types_least),              \
        LM_ROPE_FIELDS(LM_ROPE_BERT(theta), theta_default)

#define LM_ROPE_BERT_SEQUENCE_HEAD                                                        \
    {                                                                                     \
        "ForSequenceClassification", "classification", lm_rope_bert_label_fields, 1,      \
            lm_rope_bert_sequence_slots, COUNT(lm_rope_bert_sequence_slots), LM_POOL_CLS, \
            LM_ACT_TANH                                                                   \
    }

#define LM_ROPE_BERT_TOKEN_HEAD                                                                  \
    {                                                                                            \
        "ForTokenClassification", "token_classification", lm_rope_bert_label_fields, 2,          \
            lm_rope_bert_token_slots, COUNT(lm_rope_bert_token_slots), LM_POOL_NONE, LM_ACT_NONE \
    }

/* What all of them take from here, beside the check, with a table of their heads. */
#define LM_ROPE_BERT_FAMILY(heads_of)                                                          \
    .caps = LM_CAP_ENCODER, .config_size = sizeof(lm_rope_bert), .types = LM_ROPE_BERT(types), \
    .groups = lm_rope_bert_groups, .group_count = LM_GROUP_LAYERS + 1,                         \
    .slots = lm_rope_bert_slots, .slot_count = LM_ROPE_BERT_SLOTS, .heads = heads_of,          \
    .head_count = COUNT(heads_of), .describe = lm_rope_bert_describe

#endif
