/*
 * head.h - what gives labels their scores. A checkpoint's head lies among its weights; one that was
 * trained on another model's embedding is two files:
 *
 *   head.json         {"format": 1, "task": "classification", "labels": ["…", …], "dimensions": D}
 *   head.safetensors  weight (C, D) and bias (C)
 *
 * In format 2 there may be "scoring": "softmax", "sigmoid", "raw" or "cumulative" (lm_scoring), or
 * "neighbours": {"k": 5, "weights": "uniform" or "distance"}, in place of scoring. Then the tensors
 * are examples (N, D) F32 and classes (N) U32. What format 1 can say is written as such.
 */
#ifndef LM_HEAD_H
#define LM_HEAD_H

#include "base/buffer.h"
#include "model/model.h"

/* Append the bytes of both files. */
lm_status lm_head_write(lm_context *ctx, const lm_head *head, lm_buffer *json, lm_buffer *tensors);

/* A head that is to be loaded; lives in the arena. */
typedef struct lm_head_plan {
    lm_head shape; /* labels, width and names; weight and bias are NULL */
    const lm_tensor *weight, *bias;
    const lm_tensor *examples, *classes; /* of neighbours, in place of these */
} lm_head_plan;

/* Check head.json and the tensors of a head's checkpoint against each other. */
lm_status lm_head_plan_make(lm_context *ctx, lm_arena *arena, const lm_checkpoint *checkpoint,
                            lm_head_plan *plan);

/* Bytes of the image's section. Cannot overflow after a plan was made. */
size_t lm_head_size(const lm_head *shape);
lm_status lm_head_fill(lm_context *ctx, const lm_head_plan *plan, const lm_source *source,
                       void *section);
/* Point into a section; labels and width are known. LM_INTERNAL where it is too short. */
lm_status lm_head_bind(lm_context *ctx, const void *section, size_t size, lm_head *head);

/*
 * Make a copy of a head the model's view, which the kind of section frees; its labels are those of
 * the settings.
 */
lm_status lm_head_view(lm_context *ctx, const lm_head *head, lm_model *model);
/* The same of the head that a checkpoint's weights have. */
lm_status lm_head_of_weights(lm_context *ctx, const lm_weights *weights, lm_model *model);

#endif
