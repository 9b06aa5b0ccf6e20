/*
 * family.h - model families are rows of a table. The loader, shape checks, cache sizing, views and
 * tests read only this struct; `if (family == …)` outside family/ is a defect.
 */
#ifndef LM_FAMILY_H
#define LM_FAMILY_H

#include "format/bundle.h"
#include "kernels/kernels.h"

/* What a family can do; tasks ask for these, never for names. */
#define LM_CAP_ENCODER (1u << 0) /* hidden states of all tokens */
#define LM_CAP_POOLER (1u << 1)  /* a pooled vector by trained weights */

/* The dimensions that every family has; families append their own fields behind it. */
typedef struct lm_dims {
    int32_t vocab;     /* rows of the word embedding */
    int32_t hidden;    /* D */
    int32_t layers;    /* L */
    int32_t heads;     /* H; D = H · head_dim */
    int32_t ffn;       /* inner width F */
    int32_t positions; /* longest sequence that the weights have positions for */
    int32_t types;     /* rows of the token types' embedding */
} lm_dims;

typedef enum lm_field_type {
    LM_FIELD_INT,
    LM_FIELD_FLOAT,
    LM_FIELD_ACTIVATION,
    LM_FIELD_BOOL
} lm_field_type;

typedef struct lm_config_field {
    const char *key; /* in config.json */
    lm_field_type type;
    size_t offset; /* in the family's config struct */
    double fallback, low, high;
    bool required;
} lm_config_field;

/* How a tensor is stored in an image. */
typedef enum lm_slot_use {
    LM_SLOT_ROWS,   /* row-major float32, as it is: biases, gains */
    LM_SLOT_TABLE,  /* an embedding: row-major float32, or bfloat16 at 16 and at 8 bits */
    LM_SLOT_PACKED, /* a linear layer's W (N, K), packed for the precision's product */
} lm_slot_use;

/*
 * One kind of tensor. `pattern` holds {i} for the layer; shape expressions are offsets of int32
 * fields in the config struct (rank says how many). Slots that share a target are its parts, stored
 * one under the other as one matrix (query, key, value). A slot that covers several parts at once
 * (a file with fused QKV) stands behind those of single parts, which win when both are there.
 */
typedef struct lm_weight_slot {
    const char *pattern; /* canonical name; renames add the others */
    lm_slot_use use;
    bool per_layer;
    bool required;
    int rank;
    size_t shape[2]; /* offsets into the config struct */
    int target;      /* index in the family's weight table; fused slots share it */
    int part;        /* position inside a fused target, 0 first */
    int parts;       /* how many parts it covers; 0 means 1 */
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

typedef struct lm_batch {
    size_t tokens;           /* T: tokens of all texts, end to end */
    size_t texts;            /* B */
    const int32_t *ids;      /* (T), checked against the vocabulary */
    const int32_t *type_ids; /* (T) or NULL for zeros */
    const size_t *offsets;   /* (B + 1): text b is tokens offsets[b] … offsets[b + 1] */
    /*
     * (B): the one token of each text whose hidden state is wanted, so that the last layer need not
     * compute the others; no text is empty then. NULL: all tokens. Same bits either way.
     */
    const size_t *wanted;
} lm_batch;

/*
 * Weights of a model in this process: a private view over an image in shared memory.
 * weight[target] for model-wide tensors, weight[target + layer · stride] for layers' tensors.
 */
typedef struct lm_weights {
    const struct lm_family *family;
    const lm_kernels *kernels;            /* that the matrices are packed for */
    lm_precision precision;               /* of the matrices */
    const lm_product *product;            /* the kernels' of that precision */
    const lm_attention_kernel *attention; /* likewise */
    const void *config; /* the family's config struct, inside the image; starts with lm_dims */
    const void *const *table;
    int model_targets; /* entries of table before layer 0 */
    int layer_targets; /* entries per layer */
} lm_weights;

static inline const void *
lm_weight(const lm_weights *weights, int layer, int target)
{
    return weights
        ->table[layer < 0 ? target
                          : weights->model_targets + layer * weights->layer_targets + target];
}

/* Whether embedding tables are bfloat16: wherever matrices are not float32. */
static inline bool
lm_tables_are_bf16(lm_precision precision)
{
    return precision != LM_PRECISION_F32;
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
    const lm_key_rule *config_keys; /* its own keys of config.json, beside lm_config_keys */
    /* Values of `architectures` whose encoder makes embeddings: bare, or with pre-training's head.
     */
    const char *const *architectures;
    const char *const
        *not_needed; /* beginnings of tensors' names that an encoder does without; may be NULL */
    /* Checks between fields (hidden % heads) and derived fields; may be NULL. */
    lm_status (*check)(lm_context *ctx, const lm_json *config, void *fields);
    const lm_weight_slot *slots;
    size_t slot_count;
    const lm_rename *renames;
    size_t rename_count;
    int model_targets;
    int layer_targets;
    /* Bytes that forward needs for a batch of at most `tokens`, its longest text `longest`. */
    size_t (*workspace)(const lm_weights *weights, size_t tokens, size_t longest);
    /*
     * Run layers 0 … layers − 1 (0: embeddings only) and point *hidden to their output (T, D), or
     * (B, D) of the wanted tokens, inside the workspace, which is LM_ALIGNMENT-aligned.
     * LM_TOO_LARGE when a text is longer than the positions; LM_BAD_ARGUMENT for a token type
     * beyond the table. Polls cancel.
     */
    lm_status (*forward)(lm_context *ctx, const lm_weights *weights, const lm_batch *batch,
                         int layers, void *workspace, const float **hidden);
} lm_family;

extern const lm_family *const lm_families[]; /* NULL-terminated */

/* Keys of config.json that all families have. */
extern const lm_key_rule lm_config_keys[];

/* By config.json's model_type; LM_UNSUPPORTED lists those that are there. */
lm_status lm_family_find(lm_context *ctx, const lm_json *config, const lm_family **family);

/* Fill the family's config struct from config.json: types, ranges, defaults, checks. */
lm_status lm_family_configure(lm_context *ctx, const lm_family *family, const lm_json *config,
                              void *fields);

/*
 * A matrix of a calibrated int8 version: four tensors of LM_QUANTIZED_FILE, named as the matrix
 * with these suffixes, in this order.
 */
typedef enum lm_quantized_part {
    LM_QUANTIZED_CODES,
    LM_QUANTIZED_SCALES,
    LM_QUANTIZED_GAIN,
    LM_QUANTIZED_OFFSET,
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
    size_t offset;      /* in the section; 0: the file has it not */
    lm_slot_use use;    /* LM_SLOT_ROWS where the file has it not */
    size_t rows, width; /* (N, K); a vector is (N, 1) */
    int parts;          /* tensors that make it up */
    /* Of LM_QUANTIZED_PARTS tensors that stand for these; NULL: as the model has it. */
    const lm_tensor *const *quantized;
} lm_weight_target;

/* Longest name of a tensor that a family's slots ask for. */
#define LM_WEIGHT_NAME_SIZE 256

/*
 * The name of a target (an index into the plan's or the view's table): that of the slot which
 * covers all of it.
 */
void lm_weight_name(const lm_family *family, size_t index, char name[LM_WEIGHT_NAME_SIZE]);

/* Where one tensor of the files goes. */
typedef struct lm_placement {
    const lm_tensor *tensor;
    int target; /* index into the plan's targets */
    size_t row; /* its first row in the target */
} lm_placement;

/*
 * The weights section of an image. Plan: match every slot with a tensor, check shapes against the
 * config, and lay them out; the plan lives in the arena. `size` is a multiple of LM_ALIGNMENT.
 */
typedef struct lm_weights_plan {
    const lm_family *family;
    const lm_kernels *kernels; /* that the matrices will be packed for */
    lm_precision precision;
    void *config;
    size_t config_offset, table_offset; /* in the section */
    size_t size;
    size_t parameters;          /* number of weights used */
    size_t ignored;             /* tensors of the files that no slot uses */
    const lm_tensor **left_out; /* those of them that are not the family's not_needed */
    size_t left_out_count;
    lm_weight_target *targets; /* as lm_weights.table: the model's, then each layer's */
    size_t target_count;
    lm_placement *placements; /* sorted in file order */
    size_t placement_count;
} lm_weights_plan;

lm_status lm_weights_plan_make(lm_context *ctx, lm_arena *arena, const lm_family *family,
                               const lm_bundle *bundle, const lm_kernels *kernels,
                               lm_precision precision, lm_weights_plan *plan);
/* Read, convert and pack every tensor, in file order, into image (LM_ALIGNMENT-aligned, plan->size
 * bytes). Polls cancel. NaN and infinity are LM_BAD_MODEL naming the tensor. */
lm_status lm_weights_fill(lm_context *ctx, const lm_weights_plan *plan, const lm_source *source,
                          void *image);
/* View over a filled section; the pointer table is allocated from ctx (lm_weights_unbind frees). */
lm_status lm_weights_bind(lm_context *ctx, const void *image, size_t size, lm_weights *weights);
void lm_weights_unbind(lm_context *ctx, lm_weights *weights);

/* LM_UNSUPPORTED, naming the tensor, unless its dtype holds weights. Also for heads. */
lm_status lm_tensor_check_dtype(lm_context *ctx, const lm_tensor *tensor);

/* The data of a tensor as float32, read in pieces front to back; checks that all are finite. */
lm_status lm_tensor_read(lm_context *ctx, const lm_source *source, const lm_tensor *tensor,
                         float *dest);

#endif
