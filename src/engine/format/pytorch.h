/*
 * pytorch.h - the weights of torch.save (pytorch_model.bin, in one file or in shards) as if they
 * were safetensors files. What is stored and loaded later is safetensors then: a pickle is read at
 * import alone.
 */
#ifndef LM_PYTORCH_H
#define LM_PYTORCH_H

#include "format/shown.h"

/*
 * Read the directory of file->real, of which file->real_size bytes are there, into the rest of
 * *file, in the arena; nothing in the pickle is run. What the reader does not know is
 * LM_UNSUPPORTED naming it.
 */
lm_status lm_pytorch_read(lm_context *ctx, lm_arena *arena, const lm_source *source,
                          lm_shown_file *file);

/* A source with such files beside those of another; see lm_pytorch_source. */
typedef struct lm_pytorch_files {
    const lm_source *below;
    lm_arena *arena;
    lm_shown_file *first; /* those that were asked for */
} lm_pytorch_files;

/*
 * `below`, with model.safetensors in each folder that has pytorch_model.bin and no safetensors, and
 * likewise with an index and its shards. The source below is read in any order. `files` and arena
 * live as long as the source.
 */
lm_source lm_pytorch_source(lm_pytorch_files *files, lm_arena *arena, const lm_source *below);

#endif
