/*
 * other_weights.h - weights in files that are not read: which of them a folder has, what they are.
 */
#ifndef LM_OTHER_WEIGHTS_H
#define LM_OTHER_WEIGHTS_H

#include "format/source.h"

/* What to do about any of them. */
#define LM_OTHER_WEIGHTS_HINT                                                             \
    "Weights are read from safetensors files and from pytorch_model.bin; load the model " \
    "with transformers and write it with save_pretrained()."

/* LM_UNSUPPORTED naming the file, where a folder of the source has one; else LM_OK. */
lm_status lm_other_weights_check(lm_context *ctx, lm_arena *arena, const lm_source *source,
                                 const char *folder);
/* The same of a path that is no directory, by its end. */
lm_status lm_other_weights_check_path(lm_context *ctx, const char *path);

#endif
