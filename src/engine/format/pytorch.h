/*
 * pytorch.h - the weights of torch.save (pytorch_model.bin, in one file or in shards) as if they
 * were safetensors files. What is stored and loaded later is safetensors then: a pickle is read at
 * import alone.
 */
#ifndef LM_PYTORCH_H
#define LM_PYTORCH_H

#include "format/source.h"

/* A run of bytes of the file that is there. */
typedef struct lm_pytorch_part {
    uint64_t begin;  /* in the file that is shown, behind its header */
    uint64_t offset; /* in the file that is there */
} lm_pytorch_part;

/* A file that is shown. */
typedef struct lm_pytorch_file {
    const char *name;
    const char *real;   /* the file that is there */
    uint64_t real_size; /* when it was read */
    const char *header; /* the first bytes that are shown */
    size_t header_size;
    const lm_pytorch_part *parts; /* one behind the other, up to size */
    size_t part_count;
    uint64_t size;
    struct lm_pytorch_file *next;
} lm_pytorch_file;

/*
 * Read the directory of file->real, of which file->real_size bytes are there, into the rest of
 * *file, in the arena; nothing in the pickle is run. What the reader does not know is
 * LM_UNSUPPORTED naming it.
 */
lm_status lm_pytorch_read(lm_context *ctx, lm_arena *arena, const lm_source *source,
                          lm_pytorch_file *file);

/* A source with such files beside those of another; see lm_pytorch_source. */
typedef struct lm_pytorch_files {
    const lm_source *below;
    lm_arena *arena;
    lm_pytorch_file *first; /* those that were asked for */
} lm_pytorch_files;

/*
 * `below`, with model.safetensors in each folder that has pytorch_model.bin and no safetensors, and
 * likewise with an index and its shards. The source below is read in any order. `files` and arena
 * live as long as the source.
 */
lm_source lm_pytorch_source(lm_pytorch_files *files, lm_arena *arena, const lm_source *below);

#endif
