/*
 * family.h - model families are rows of a table. The loader, shape checks, cache sizing, views and
 * tests read only this struct; `if (family == …)` outside family/ is a defect.
 */
#ifndef LM_FAMILY_H
#define LM_FAMILY_H

#include "format/checkpoint.h"
#include "format/values.h"
#include "kernels/kernels.h"
#include "nn/encoder.h"

/* What a family can do; tasks ask for these, never for names. */
#define LM_CAP_ENCODER (1u << 0)         /* hidden states of all tokens */
#define LM_CAP_LOG_PROBABILITY (1u << 1) /* probabilities of the next token */

/* What everybody asks of a model; a family's config struct begins with it. */
typedef struct lm_dims {
    int32_t vocab;  /* rows of the word embedding */
    int32_t hidden; /* D */
    int32_t window; /* tokens of the longest text that there are positions for */
} lm_dims;

/* ---- config.json ---- */

typedef enum lm_field_type {
    LM_FIELD_INT,
    LM_FIELD_FLOAT, /* into a float, all others into an int32_t */
    LM_FIELD_BOOL,
    LM_FIELD_WORD,    /* a string of a table */
    LM_FIELD_COUNT,   /* an integer, or how many members an object has */
    LM_FIELD_UNIFORM, /* an integer, or a list of equal ones; others are refused */
    LM_FIELD_MARK     /* no key says it: of a head with which the encoder computes otherwise */
} lm_field_type;

#define LM_FIELD_REQUIRED (1u << 0)
/* Only the fallback is supported, any other value stands for another architecture; not stored. */
#define LM_FIELD_MUST_BE (1u << 1)
/* null is a value: it is stored as 0. */
#define LM_FIELD_OR_NULL (1u << 2)

/* The id of a separator: of a head with which tokens up to a window's first one have type 0 and
 * those behind it 1, whatever the tokenizer says. */
#define LM_FIELD_TYPES_BY (1u << 3)

/* What a string means; tables end with a word of NULL. */
typedef struct lm_word {
    const char *word;
    int32_t value;
} lm_word;

typedef struct lm_config_field {
    /* "a.b": member b of object a; "a|b": a, or b where a is not there. */
    const char *key;
    lm_field_type type;
    size_t offset; /* in the family's config struct */
    double fallback, low, high;
    unsigned flags;
    const lm_word *words;
    const char *refusal; /* says which values are not supported, of WORD and MUST_BE */
} lm_config_field;

#define LM_CONFIG_KEY_SIZE 64

/*
 * The key of config.json that a field reads as its index-th choice, of a path its first part; false
 * behind the last one.
 */
bool lm_config_key(const lm_config_field *field, int index, char key[LM_CONFIG_KEY_SIZE]);

/* Names of activations: lm_activation. */
extern const lm_word lm_activation_words[];

/* ---- Weights ---- */

/* How a tensor is stored in an image. */
typedef enum lm_slot_use {
    LM_SLOT_ROWS,   /* row-major float32, as it is: biases, gains */
    LM_SLOT_TABLE,  /* an embedding: row-major float32, or bfloat16 at 16 and at 8 bits */
    LM_SLOT_PACKED, /* a linear layer's W (N, K), packed for the precision's product */
} lm_slot_use;

/*
 * Weights of one kind. A family's groups are the model's own, its encoder's layers, and what else
 * it has; a head is a group behind them.
 */
typedef struct lm_weight_group {
    const char *prefix; /* before the patterns of its slots; {i} is the layer */
    size_t count;       /* offset of the number of layers; 0: the group is there once */
    int targets;        /* entries of the table, of each layer */
} lm_weight_group;

#define LM_GROUP_MODEL 0
#define LM_GROUP_LAYERS 1
#define LM_MAX_GROUPS 4 /* with the head's */

#define LM_SLOT_REQUIRED (1u << 0)
/* Known and counted, and quantised with the rest, but read by nothing: not in the image. */
#define LM_SLOT_SPARE (1u << 1)
/* A matrix whose file has (K, N) in place of (N, K): x · W rather than x · Wᵀ. */
#define LM_SLOT_TRANSPOSED (1u << 2)
/* Layer 0 is without it. */
#define LM_SLOT_FIRST_LAYER_LACKS (1u << 3)
/* A matrix whose file has its second half of rows first. */
#define LM_SLOT_HALVES_SWAPPED (1u << 4)
/* A vector that the file has less 1: a gain of 1 + w. */
#define LM_SLOT_PLUS_ONE (1u << 5)
/* Is asked for only where the field at this offset of the config struct is not 0. */
#define LM_SLOT_WHEN(offset) ((unsigned)(offset) << LM_SLOT_WHEN_SHIFT)
#define LM_SLOT_WHEN_SHIFT 8

/* A dimension: one field of the config struct, or the product of two (second: 0 where it is one).
 */
typedef struct lm_extent {
    size_t first, second;
} lm_extent;

/*
 * One kind of tensor. Slots that share a target are its parts, stored one under the other as one
 * matrix (query, key, value). A slot that covers several parts at once (a file with fused QKV)
 * stands behind those of single parts, which win when both are there.
 */
typedef struct lm_weight_slot {
    const char *pattern; /* canonical name, behind its group's prefix; renames add the others */
    int group;
    lm_slot_use use;
    unsigned flags;
    int rank;
    lm_extent shape[2];
    int target; /* index in the group's table; fused slots share it */
    int part;   /* position inside a fused target, 0 first */
    int parts;  /* how many parts it covers; 0 means 1 */
} lm_weight_slot;

typedef enum lm_rename_where {
    LM_RENAME_PREFIX, /* "bert." at the start */
    LM_RENAME_INSIDE  /* "LayerNorm.gamma" anywhere, once */
} lm_rename_where;

/* A tensor name as other files write it → the canonical one; every row is applied, in order. */
typedef struct lm_rename {
    lm_rename_where where;
    const char *from;
    const char *to;
} lm_rename;

/* ---- Heads ---- */

/*
 * Targets of a head, of every family: out · norm(act(dense · x + bias)) + bias, or out · x + bias.
 * With `back` what is normed is x + back · act(dense · x + bias) + bias. What a head lacks of norm
 * and biases is not done.
 */
typedef enum lm_head_target {
    LM_HEAD_DENSE, /* (D, D); of a head on the vocabulary (E, D), where word vectors have E; before
                      `back` (F, D), with the layers' inner width */
    LM_HEAD_DENSE_BIAS,
    LM_HEAD_OUT, /* (labels, D), or (V, E); a head on the vocabulary without it has the word table
                  */
    LM_HEAD_OUT_BIAS,
    LM_HEAD_NORM_GAIN, /* (D) or (E), of a LayerNorm */
    LM_HEAD_NORM_BIAS,
    LM_HEAD_CRF_START, /* (labels), (labels), (labels, labels): of a CRF behind a head on tokens */
    LM_HEAD_CRF_END,
    LM_HEAD_CRF_TRANSITIONS,
    LM_HEAD_BACK, /* (D, F) */
    LM_HEAD_BACK_BIAS,
    LM_HEAD_TARGETS
} lm_head_target;

/* Of a head's act: what the encoder's layers have. */
#define LM_ACT_OF_LAYERS LM_ACT_COUNT

/* Outputs of a head whose fields count no labels: they are no labels, and its task knows what they
 * are. */
#define LM_HEAD_UNNAMED 2

/*
 * A head that a checkpoint may have. Its weights are float32 rows at every precision. One whose
 * architecture the family also takes for an encoder's is read where its task is asked for.
 */
typedef struct lm_head_kind {
    const char *architecture; /* the end of one of config.json's `architectures` */
    const char *task;         /* that it serves: a name of task/tasks.c */
    /* Into the family's config struct: the number of labels (LM_FIELD_COUNT; without it they have
     * no names), and what else only the head reads. */
    const lm_config_field *fields;
    size_t field_count;
    const lm_weight_slot *slots; /* of the group behind the family's */
    size_t slot_count;
    lm_pooling pooling; /* of the hidden states that it reads; LM_POOL_NONE: it reads each */
    lm_activation act;  /* behind dense */
} lm_head_kind;

/* ---- A family ---- */

/*
 * Weights of a model in this process: a private view over an image in shared memory. The table has
 * the targets of each group, layer by layer.
 */
typedef struct lm_weights {
    const struct lm_family *family;
    const lm_head_kind *head;             /* NULL: the encoder alone */
    const lm_kernels *kernels;            /* that the matrices are packed for */
    lm_precision precision;               /* of the matrices */
    const lm_product *product;            /* the kernels' of that precision */
    const lm_attention_kernel *attention; /* likewise */
    const void *config; /* the family's config struct, inside the image; starts with lm_dims */
    const void *const *table;
    int first[LM_MAX_GROUPS];   /* entry of each group's layer 0 */
    int targets[LM_MAX_GROUPS]; /* entries of each layer */
} lm_weights;

/* NULL: the model lacks it. */
static inline const void *
lm_group_weight(const lm_weights *weights, int group, int layer, int target)
{
    return weights->table[weights->first[group] + layer * weights->targets[group] + target];
}

/* Whether embedding tables are bfloat16. */
static inline bool
lm_tables_are_bf16(lm_precision precision)
{
    return lm_precisions[precision].bf16_tables;
}

static inline const lm_dims *
lm_weights_dims(const lm_weights *weights)
{
    return (const lm_dims *)weights->config;
}

typedef struct lm_family {
    const char *name;
    const char *const *model_types; /* of config.json, NULL-terminated */
    uint32_t caps;
    size_t config_size;
    const lm_config_field *fields;
    size_t field_count;
    /* Its own keys of config.json that no field reads, beside lm_config_keys. */
    const lm_key_rule *config_keys;
    /* Where the model_type is another family's: what all of config.json's auto_map begins with, the
     * repository of code whose mathematics this is; NULL: none. */
    const char *code;
    /* Where the model_type is another family's too: a key of config.json that only files of this
     * one have; NULL: none. */
    const char *key;
    size_t types;  /* offset of the number of token types; 0: it has none */
    size_t layers; /* offset of the number of layers that share weights; 0: none do */
    /* Values of `architectures` whose encoder makes embeddings: bare, or with pre-training's head.
     */
    const char *const *architectures;
    const char *const *not_needed; /* beginnings of tensors' names that an encoder does without, and
                                      behind a * what other such names contain; may be NULL */
    /* Checks between fields (hidden % heads) and derived fields; may be NULL. */
    lm_status (*check)(lm_context *ctx, const lm_json *config, void *fields);
    const lm_weight_group *groups;
    int group_count;
    const lm_weight_slot *slots;
    size_t slot_count;
    const lm_rename *renames;
    size_t rename_count;
    const lm_head_kind *heads;
    size_t head_count;
    size_t head_eps; /* offset of the eps of the heads' norm */
    /* The key of config.json that says which hidden states a head reads that pools; NULL: none. */
    const char *head_pooling_key;
    const lm_word *head_pooling_words; /* without the key it is the head's */
    /* How the model computes, by a config struct. */
    void (*describe)(const void *config, lm_encoder *encoder);
} lm_family;

extern const lm_family *const lm_families[]; /* NULL-terminated */

/* Keys of config.json that all families have. */
extern const lm_key_rule lm_config_keys[];

/* Rows of the token types' embedding; 0 where the family has none. */
int lm_family_types(const lm_family *family, const void *config);

/* How many layers a group has, by a config struct; 1 where it is there once. */
int lm_group_layers(const lm_weight_group *group, const void *config);

/* Layers of the encoder, by a config struct, and those of a view. */
int lm_family_layers(const lm_family *family, const void *config);
int lm_weights_layers(const lm_weights *weights);

/* By config.json's model_type; LM_UNSUPPORTED lists those that are there. */
lm_status lm_family_find(lm_context *ctx, const lm_json *config, const lm_family **family);

/* Whether the encoder of an architecture is what makes embeddings. */
bool lm_family_embeds(const lm_family *family, const lm_json *architecture);

/*
 * The family's head that config.json names in `architectures`; NULL: none. One whose encoder makes
 * embeddings, as the family says, has a head only for who asks for it.
 */
const lm_head_kind *lm_family_head(const lm_family *family, const lm_json *config);
/* The same where a task is asked for, which may be another than the head's; NULL: none is. */
const lm_head_kind *lm_family_head_for(const lm_family *family, const lm_json *config,
                                       const char *task);
/* Whether a field counts its labels; else its outputs have no names. */
bool lm_head_has_labels(const lm_head_kind *head);
/* Whether the encoder computes otherwise with it. */
bool lm_head_marks(const lm_head_kind *head);
/* Its field with LM_FIELD_TYPES_BY; NULL: types are the tokenizer's. */
const lm_config_field *lm_head_types_by(const lm_head_kind *head);
/* Whether its outputs are the words of the vocabulary. */
bool lm_head_is_on_words(const lm_head_kind *head);

/* Which hidden states the head reads, by config.json. */
lm_status lm_family_head_pooling(lm_context *ctx, const lm_family *family, const lm_head_kind *head,
                                 const lm_json *config, lm_pooling *pooling);

/* Notes keys of config.json that nobody knows, and refuses those that are refused. */
lm_status lm_family_check_keys(lm_context *ctx, lm_notes *notes, const lm_family *family,
                               const char *file, const lm_json *config);

/* LM_BAD_MODEL unless the width is a multiple of the attention heads; both with their keys. */
lm_status lm_family_check_heads(lm_context *ctx, const char *heads_key, int heads,
                                const char *width_key, int width);

/* Read fields from config.json into the struct that their offsets are of. */
lm_status lm_config_read(lm_context *ctx, const lm_config_field *fields, size_t count,
                         const lm_json *config, void *out);

/*
 * Fill the family's config struct from config.json: types, ranges, defaults, checks. What a head
 * needs is read with the head only (NULL: none).
 */
lm_status lm_family_configure(lm_context *ctx, const lm_family *family, const lm_head_kind *head,
                              const lm_json *config, void *fields);

/*
 * A matrix of a calibrated int8 version: four tensors of LM_QUANTIZED_FILE, named as the matrix
 * with these suffixes, in this order.
 */
typedef enum lm_quantized_part {
    LM_QUANTIZED_CODES,
    LM_QUANTIZED_SCALES,
    LM_QUANTIZED_SMOOTH_SCALE,
    LM_QUANTIZED_BIAS_CORRECTION,
    LM_QUANTIZED_PARTS
} lm_quantized_part;

typedef struct lm_quantized_form {
    const char *suffix;
    lm_dtype dtype;
    bool rows, width; /* which of (N, K) its shape has */
} lm_quantized_form;

extern const lm_quantized_form lm_quantized_forms[LM_QUANTIZED_PARTS];

/* One weight entry of an image: a vector, an embedding table, or a packed matrix. */
typedef struct lm_weight_target {
    size_t offset;      /* in the section; 0: it is not there */
    lm_slot_use use;    /* LM_SLOT_ROWS where the file lacks it */
    size_t rows, width; /* (N, K); a vector is (N, 1) */
    int parts;          /* tensors that make it up */
    bool spare;         /* of LM_SLOT_SPARE: not in the image */
    float *values;      /* of a spare one: where fill puts its values; NULL: nobody wants them */
    /* Of LM_QUANTIZED_PARTS tensors that stand for these; NULL: as the model has it. */
    const lm_tensor *const *quantized;
} lm_weight_target;

/* Longest name of a tensor that a family's slots ask for. */
#define LM_WEIGHT_NAME_SIZE 256

/*
 * The name of a family's target (an index into the plan's or the view's table): that of the slot
 * which covers all of it.
 */
void lm_weight_name(const lm_family *family, const void *config, size_t index,
                    char name[LM_WEIGHT_NAME_SIZE]);

/* Where one tensor of the files goes. */
typedef struct lm_placement {
    const lm_tensor *tensor;
    int target;                         /* index into the plan's targets */
    size_t row;                         /* its first row in the target */
    bool transposed, swapped, plus_one; /* flags of the slot */
} lm_placement;

/*
 * The weights section of an image. Plan: match every slot with a tensor, check shapes against the
 * config, and lay them out; the plan lives in the arena. head is NULL for the encoder alone. `size`
 * is a multiple of LM_ALIGNMENT. Of a checkpoint on a base the encoder's targets are not there.
 */
typedef struct lm_weights_plan {
    const lm_family *family;
    const lm_head_kind *head;  /* NULL: the encoder alone */
    const lm_kernels *kernels; /* that the matrices will be packed for */
    lm_precision precision;
    void *config;
    size_t config_offset, table_offset; /* in the section */
    size_t size;
    size_t parameters;          /* number of weights used */
    size_t ignored;             /* tensors of the files that no slot uses */
    const lm_tensor **left_out; /* those of them that are not the family's not_needed */
    size_t left_out_count;
    lm_weight_target *targets; /* as lm_weights.table */
    size_t target_count;
    lm_placement *placements; /* sorted in file order */
    size_t placement_count;
} lm_weights_plan;

lm_status lm_weights_plan_make(lm_context *ctx, lm_arena *arena, const lm_family *family,
                               const lm_head_kind *head, const lm_checkpoint *checkpoint,
                               const lm_kernels *kernels, lm_precision precision,
                               lm_weights_plan *plan);
/* Only which tensors the encoder, and a head, have of those that are there; nothing need be. */
lm_status lm_weights_plan_encoder(lm_context *ctx, lm_arena *arena, const lm_family *family,
                                  const lm_head_kind *head, const lm_checkpoint *checkpoint,
                                  lm_weights_plan *plan);
/* A tensor into its rows (of float32) of a target. */
lm_status lm_placement_read(lm_context *ctx, const lm_source *source, const lm_placement *placement,
                            float *rows);
/* Read, convert and pack every tensor, in file order, into image (LM_ALIGNMENT-aligned, plan->size
 * bytes). Polls cancel. NaN and infinity are LM_BAD_MODEL naming the tensor. */
lm_status lm_weights_fill(lm_context *ctx, const lm_weights_plan *plan, const lm_source *source,
                          void *image);
/* View over a filled section; the pointer table is allocated from ctx (lm_weights_unbind frees). */
lm_status lm_weights_bind(lm_context *ctx, const void *image, size_t size, lm_weights *weights);
void lm_weights_unbind(lm_context *ctx, lm_weights *weights);
/*
 * Of a head alone (lm_checkpoint.on_base): its encoder's weights are those of another view from now
 * on, which is valid as long. LM_BAD_MODEL where that one is of another architecture.
 */
lm_status lm_weights_borrow(lm_context *ctx, lm_weights *weights, const lm_weights *from);

/*
 * The first key of config.json by which two encoders of a family differ, or NULL; what heads read
 * does not count.
 */
const char *lm_family_difference(const lm_family *family, const void *a, const void *b);

/* The name that a tensor has in the files of a model with a head. NULL: no memory. */
const char *lm_family_file_name(lm_arena *arena, const lm_family *family, const char *name);

/* How a model computes, and its weights as nn sees them. */
void lm_weights_describe(const lm_weights *weights, lm_encoder *encoder, lm_nn_weights *view);

/* lm_encoder_workspace and lm_encoder_run of the model that the family describes. */
size_t lm_forward_workspace(const lm_weights *weights, size_t tokens, size_t longest);
lm_status lm_forward(lm_context *ctx, const lm_weights *weights, const lm_batch *batch, int layers,
                     void *workspace, const float **hidden);

#endif
