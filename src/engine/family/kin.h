/*
 * kin.h - what BERT's kin share (private to the files of families): their config struct, the
 * model's targets, and the rows that most of their tables have. A family's file says the rest.
 */
#ifndef LM_KIN_H
#define LM_KIN_H

#include "family/post_norm.h"
#include "family/rows.h"

/* 0 in a member that a family's table does not read: it has no such thing. */
typedef struct lm_kin_config {
    lm_dims dims; /* first: every family's config starts with it */
    int32_t layers, heads, inner, types, labels, crf, activation;
    float eps;
    int32_t positions;     /* rows of their table; the longest text where there is none */
    int32_t padding;       /* id of padding, behind which positions begin */
    int32_t first;         /* row of positions for a text's first token; set by check */
    int32_t embedding;     /* E: the width of the tables; where no key has it, that of the layers */
    int32_t projected;     /* rows of the matrix between these widths; 0: there is none */
    int32_t tasks, tasked; /* rows of ERNIE's table of tasks, and whether it has one */
    int32_t common;        /* so many, if it has; every token has the first */
    int32_t buckets;       /* rows of the table of relative positions */
    int32_t sides;         /* keys that a token sees on either side, twice */
    int32_t sparse, block, random; /* of BigBird's attention */
    int32_t global;                /* some tokens see all, and are seen by all: with some heads */
    int32_t separator;             /* these are those before it; 0: the first */
    int32_t qkv_rows;              /* 3 D */
    int32_t two;                   /* LM_HEAD_UNNAMED */
} lm_kin_config;

#define FIELD(name) offsetof(lm_kin_config, name)

/* The model's own weights. A matrix, a norm has its bias behind it. */
enum kin_target {
    WORDS,
    POSITIONS,
    TYPES,
    COMMON,
    FIRST_GAIN,
    FIRST_BIAS,
    PROJECTION,
    PROJECTION_BIAS,
    BUCKETS,
    FINAL_GAIN,
    FINAL_BIAS,
    POOLER,
    POOLER_BIAS,
    MODEL_TARGETS
};

#define D DIM(dims.hidden)
#define D3 DIM(qkv_rows)
#define E DIM(embedding)
#define PROJECTED DIM(projected)
#define F DIM(inner)
#define V DIM(dims.vocab)
#define P DIM(positions)
#define TYPE_ROWS DIM(types)
#define C DIM(labels)
#define TWO DIM(two)

/* ---- Rows of fields ---- */

/* With the defaults of the reference's class. */
#define SHAPE_FIELDS(v, d, l, h, f)                                                     \
    {"vocab_size", LM_FIELD_INT, FIELD(dims.vocab), v, 1, 1 << 24, .flags = 0},         \
        {"hidden_size", LM_FIELD_INT, FIELD(dims.hidden), d, 1, 1 << 16, .flags = 0},   \
        {"num_hidden_layers", LM_FIELD_INT, FIELD(layers), l, 1, 1024, .flags = 0},     \
        {"num_attention_heads", LM_FIELD_INT, FIELD(heads), h, 1, 1 << 12, .flags = 0}, \
    {                                                                                   \
        "intermediate_size", LM_FIELD_INT, FIELD(inner), f, 1, 1 << 20, .flags = 0      \
    }

#define POSITIONS_FIELD(rows)                                                                   \
    {                                                                                           \
        "max_position_embeddings", LM_FIELD_INT, FIELD(positions), rows, 1, 1 << 20, .flags = 0 \
    }

#define TYPES_FIELD                                                              \
    {                                                                            \
        "type_vocab_size", LM_FIELD_INT, FIELD(types), 2, 1, 1 << 16, .flags = 0 \
    }

#define NORM_FIELD                                                                \
    {                                                                             \
        "layer_norm_eps", LM_FIELD_FLOAT, FIELD(eps), 1e-12, 1e-20, 1, .flags = 0 \
    }

#define ACT_FIELD(fallback_act)                                                        \
    {                                                                                  \
        "hidden_act", LM_FIELD_WORD, FIELD(activation), fallback_act,                  \
            .words = lm_activation_words, .refusal = "the activation is not supported" \
    }

/* id of padding where positions begin behind it */
#define PADDING_FIELD                                                           \
    {                                                                           \
        "pad_token_id", LM_FIELD_INT, FIELD(padding), 1, 0, 1 << 20, .flags = 0 \
    }

extern const lm_word lm_kin_position_words[];

/* Other kinds of attention. */
#define PLAIN_FIELDS                                                                        \
    {"position_embedding_type", LM_FIELD_WORD, .flags = LM_FIELD_MUST_BE,                   \
     .words = lm_kin_position_words,                                                        \
     .refusal = "the kind of position embedding is not supported"},                         \
    {                                                                                       \
        "is_decoder", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,                             \
                                     .refusal = "decoders of this family are not supported" \
    }

/* ---- Rows of slots ---- */

#define EMBEDDING(name, rows, target)                                    \
    {                                                                    \
        name ".weight", MODEL, TABLE, NEEDED, 2, {rows, E}, target, 0, 1 \
    }

#define FIRST_NORM(name)                                             \
    {name ".weight", MODEL, ROWS, NEEDED, 1, {E}, FIRST_GAIN, 0, 1}, \
    {                                                                \
        name ".bias", MODEL, ROWS, NEEDED, 1, {E}, FIRST_BIAS, 0, 1  \
    }

/* Behind the last layer. */
#define FINAL_NORM(name)                                             \
    {name ".weight", MODEL, ROWS, NEEDED, 1, {D}, FINAL_GAIN, 0, 1}, \
    {                                                                \
        name ".bias", MODEL, ROWS, NEEDED, 1, {D}, FINAL_BIAS, 0, 1  \
    }

/* From the embeddings' width to the layers'. */
#define PROJECT(name)                                                             \
    {name ".weight", MODEL, PACKED, NEEDED, 2, {PROJECTED, E}, PROJECTION, 0, 1}, \
    {                                                                             \
        name ".bias", MODEL, ROWS, NEEDED, 1, {PROJECTED}, PROJECTION_BIAS, 0, 1  \
    }

/* Query, key or value. */
#define QKV_PART(name, part)                                           \
    {name ".weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, part, 1}, \
    {                                                                  \
        name ".bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, part, 1  \
    }

#define LINEAR(name, rows, width, target)                                     \
    {name ".weight", LAYERS, PACKED, NEEDED, 2, {rows, width}, target, 0, 1}, \
    {                                                                         \
        name ".bias", LAYERS, ROWS, NEEDED, 1, {rows}, target + 1, 0, 1       \
    }

#define NORM(name, target)                                           \
    {name ".weight", LAYERS, ROWS, NEEDED, 1, {D}, target, 0, 1},    \
    {                                                                \
        name ".bias", LAYERS, ROWS, NEEDED, 1, {D}, target + 1, 0, 1 \
    }

/* ---- Heads ---- */

#define LM_KIN_TOKEN_SLOTS 5
#define LM_KIN_FIRST_SLOTS 4
#define LM_KIN_POOLED_SLOTS 4
#define LM_KIN_SPAN_SLOTS 2
#define LM_KIN_MASK_SLOTS 7

extern const lm_config_field lm_kin_label_fields[2]; /* the second is of heads on tokens alone */
extern const lm_weight_slot lm_kin_token_slots[LM_KIN_TOKEN_SLOTS]; /* classifier */
/* classifier.dense, an activation, classifier.out_proj; of the first token */
extern const lm_weight_slot lm_kin_first_slots[LM_KIN_FIRST_SLOTS];
/* pooler.dense, tanh, and classifier or cls.seq_relationship; of the first token */
extern const lm_weight_slot lm_kin_pooled_slots[LM_KIN_POOLED_SLOTS];
extern const lm_weight_slot lm_kin_next_slots[LM_KIN_POOLED_SLOTS];
extern const lm_weight_slot lm_kin_span_slots[LM_KIN_SPAN_SLOTS]; /* qa_outputs */
/* Of pre-training, as BERT calls it (cls.predictions) and as RoBERTa does (lm_head). */
extern const lm_weight_slot lm_kin_bert_mask_slots[LM_KIN_MASK_SLOTS];
extern const lm_weight_slot lm_kin_roberta_mask_slots[LM_KIN_MASK_SLOTS];

#define TOKEN_HEAD                                                                \
    {                                                                             \
        "ForTokenClassification", "token_classification", lm_kin_label_fields, 2, \
            lm_kin_token_slots, LM_KIN_TOKEN_SLOTS, LM_POOL_NONE, LM_ACT_NONE     \
    }

/* The activation is behind dense. */
#define FIRST_HEAD(act)                                                                            \
    {                                                                                              \
        "ForSequenceClassification", "classification", lm_kin_label_fields, 1, lm_kin_first_slots, \
            LM_KIN_FIRST_SLOTS, LM_POOL_CLS, act                                                   \
    }

#define POOLED_HEAD                                                            \
    {                                                                          \
        "ForSequenceClassification", "classification", lm_kin_label_fields, 1, \
            lm_kin_pooled_slots, LM_KIN_POOLED_SLOTS, LM_POOL_CLS, LM_ACT_TANH \
    }

/* Of an architecture. */
#define NEXT_HEAD(architecture)                                                         \
    {                                                                                   \
        architecture, "next_sentence", NULL, 0, lm_kin_next_slots, LM_KIN_POOLED_SLOTS, \
            LM_POOL_CLS, LM_ACT_TANH                                                    \
    }

#define SPAN_HEAD                                                                        \
    {                                                                                    \
        "ForQuestionAnswering", "answer", NULL, 0, lm_kin_span_slots, LM_KIN_SPAN_SLOTS, \
            LM_POOL_NONE, LM_ACT_NONE                                                    \
    }

/* Of an architecture, with these slots. */
#define MASK_HEAD(architecture, slots, act)                                        \
    {                                                                              \
        architecture, "fill_mask", NULL, 0, slots, COUNT(slots), LM_POOL_NONE, act \
    }

/* ---- What the rows say ---- */

/* Of lm_family: what stands in tables of these names in the family's file. */
#define KIN_TABLES FAMILY_TABLES(lm_kin_config), FAMILY_RENAMES, FAMILY_HEADS

/* Checks between fields, and derived fields. */
lm_status lm_kin_check(lm_context *ctx, const lm_json *config, void *fields);
/* The same where positions begin behind the id of padding. */
lm_status lm_kin_check_padded(lm_context *ctx, const lm_json *config, void *fields);

/* The same where a matrix leads from the embeddings to the layers, of equal widths too. */
lm_status lm_kin_check_projected(lm_context *ctx, const lm_json *config, void *fields);

/* BERT's embeddings and layers, with what the config struct says of others. */
void lm_kin_describe(const void *config, lm_encoder *encoder);
/* The same with a norm before each part of a layer, and FINAL_NORM. */
void lm_kin_describe_pre_norm(const void *config, lm_encoder *encoder);

#endif
