/*
 * tuned_kept.h - the files of a base, kept in memory: they are read once, before the rows come, and
 * wanted again when the training starts and when it ends.
 */
#ifndef LM_TRAIN_TUNED_KEPT_H
#define LM_TRAIN_TUNED_KEPT_H

#include "train/methods.h"

typedef struct lm_kept_file {
    const char *name; /* in the arena */
    lm_buffer bytes;
    uint64_t size; /* of the file, of which the end may have been dropped */
} lm_kept_file;

typedef struct lm_kept {
    lm_context *ctx;
    lm_kept_file *files; /* in the arena */
    size_t count;
    lm_source source; /* over them */
} lm_kept;

/* Names live in the arena. *kept does not move. */
lm_status lm_kept_open(lm_context *ctx, lm_arena *arena, const lm_train_base *base, lm_kept *kept);
/* The same without files, which the caller adds: at most so many. */
lm_status lm_kept_start(lm_context *ctx, lm_arena *arena, size_t most, lm_kept *kept);
void lm_kept_close(lm_kept *kept);
/* Values of a safetensors file that nobody will read any more: its header stays. */
lm_status lm_kept_drop(lm_kept *kept, const char *name);

#endif
