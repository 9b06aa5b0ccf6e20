/*
 * plain.h - a model's weights as plain rows of float32: what a training changes, and writes again
 * as the files had them.
 */
#ifndef LM_FAMILY_PLAIN_H
#define LM_FAMILY_PLAIN_H

#include "base/buffer.h"
#include "base/rng.h"
#include "family/family.h"

/* A tensor of the files that are written. */
typedef struct lm_plain_tensor {
    const char *name;
    lm_placement place; /* its tensor is NULL where the files that are read have none */
    size_t rows, width; /* of it in its target */
    int rank;
} lm_plain_tensor;

typedef struct lm_plain {
    const lm_family *family;
    const lm_head_kind *head; /* NULL: the encoder alone */
    const void *config;       /* the family's config struct */
    lm_encoder encoder;
    const lm_weight_target *targets; /* as lm_weights.table; without rows: not there */
    size_t target_count;
    size_t layers, stride,
        head_first;                 /* entries: the first layer's, those of a layer, the head's */
    const lm_plain_tensor *tensors; /* in the order of the files, then what is new */
    size_t tensor_count;
    size_t numbers;  /* of all values, with what aligns them */
    size_t *offsets; /* (targets) of their first number */
} lm_plain;

/*
 * Which tensors of a checkpoint go where; lives in the arena. The config is the checkpoint's, which
 * says how many labels a head has. What the head has and the files lack is new. Without a head the
 * names of tensors are those of the files; with one, those of a model with a head.
 */
lm_status lm_plain_plan(lm_context *ctx, lm_arena *arena, const lm_family *family,
                        const lm_head_kind *head, const lm_checkpoint *checkpoint, lm_plain *plain);

/* Read them into `values` (numbers); new matrices are drawn from N(0, .02), as transformers does.
 */
lm_status lm_plain_read(lm_context *ctx, const lm_plain *plain, const lm_source *source,
                        lm_rng *rng, float *values);

/* Append a safetensors file of them. */
lm_status lm_plain_write(lm_context *ctx, const lm_plain *plain, const float *values,
                         lm_buffer *file);

#endif
