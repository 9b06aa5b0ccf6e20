/*
 * added_head.h - the head of a checkpoint on the encoder of another model, its base. Its folder is
 * a Hugging Face folder whose weights are LM_HEAD_TENSORS alone: what the head has, under the names
 * that it had in the whole model's files.
 */
#ifndef LM_ADDED_HEAD_H
#define LM_ADDED_HEAD_H

#include "base/buffer.h"
#include "model/model.h"

/* The files of a head's folder, and of the base; how each is read. */
typedef struct lm_added_head {
    const lm_source *folder, *base;
    const lm_model_options *folder_options, *base_options;
} lm_added_head;

/*
 * Append LM_HEAD_TENSORS as made of a folder, which may be of a whole model: then its encoder's
 * tensors must have the base's values. LM_BAD_MODEL or LM_UNSUPPORTED name the key or tensor by
 * which the models differ. The base's source is read front to back, the folder's in any order.
 */
lm_status lm_added_head_make(lm_context *ctx, const lm_added_head *files, lm_buffer *tensors);

/* A tensor of the whole model again, as it lies in its source. */
typedef struct lm_whole_tensor {
    const lm_source *source;
    const lm_tensor *tensor;
} lm_whole_tensor;

/*
 * From the version of a head and that of its base: the header of model.safetensors, and what comes
 * behind it, in this order. Each source may be read on.
 */
lm_status lm_added_head_join(lm_context *ctx, lm_arena *arena, const lm_added_head *files,
                             lm_buffer *header, const lm_whole_tensor **tensors, size_t *count);

#endif
