/*
 * pickle.h - the tensors that a pickle of torch.save describes. Nothing is executed: a fixed list
 * of opcodes builds plain values, and the few names that may be imported are rows of a table here.
 */
#ifndef LM_PICKLE_H
#define LM_PICKLE_H

#include "format/tensors.h"

typedef struct lm_pickle_text {
    const char *bytes; /* in the pickle: not terminated */
    size_t length;
} lm_pickle_text;

/* Numbers that lie beside others in the archive, under a key. */
typedef struct lm_pickle_storage {
    lm_pickle_text key;
    lm_dtype dtype;
    uint64_t count;
} lm_pickle_storage;

/* A contiguous part of a storage. */
typedef struct lm_pickle_tensor {
    const lm_pickle_storage *storage;
    uint64_t first, count; /* in values of the storage */
    int rank;
    uint64_t shape[LM_MAX_RANK];
} lm_pickle_tensor;

typedef struct lm_pickle_item {
    lm_pickle_text name;
    const lm_pickle_tensor *tensor;
    struct lm_pickle_item *next;
} lm_pickle_item;

/* A dict of tensors, in the order in which it was written. */
typedef struct lm_pickle {
    const char *file; /* for messages */
    uint64_t offset;  /* of the pickle in the file */
    const char *bytes;
    size_t size;
    const lm_pickle_item *first; /* what lm_pickle_read finds */
    size_t count;
} lm_pickle;

/* What it finds is in the arena, and points into the pickle's bytes. */
lm_status lm_pickle_read(lm_context *ctx, lm_arena *arena, lm_pickle *pickle);

/* Says how to write such weights in a form that is read. */
#define LM_PICKLE_HINT                                                             \
    "Load the model with transformers or sentence-transformers and write it with " \
    "save_pretrained(folder, safe_serialization=True), which makes model.safetensors."

#endif
