/*
 * golden.h - golden values of a version, and copies of a version to compare them with.
 */
#ifndef LMTEXT_GOLDEN_H
#define LMTEXT_GOLDEN_H

#include "pg/catalog/catalog.h"
#include "task/probe.h"

#define LMTEXT_GOLDEN_FILE "golden.json"

/* The row's data, or NULL where the model computes nothing finite. */
bytea *lmtext_golden_make(lmtext_call *call, lm_session *session, const lm_model *model,
                          const char *name);
typedef enum lmtext_golden {
    LMTEXT_GOLDEN_NONE,
    LMTEXT_GOLDEN_DAMAGED,
    LMTEXT_GOLDEN_READ
} lmtext_golden;
lmtext_golden lmtext_golden_read(lmtext_call *call, lm_arena *arena, Oid relid, lm_probe *probe);

/* A model in the current memory context; a head without its base. */
typedef struct lmtext_copy {
    lmtext_call call;
    lm_model model;
    lm_session *session;
} lmtext_copy;
/* Of a source; `name` is for messages. */
lmtext_copy *lmtext_copy_read(const lm_source *source, const lm_model_options *options,
                              const lm_kernels *kernels, const char *name);
/* Of a version, whole and hashed. */
lmtext_copy *lmtext_copy_load(Oid relid, const lmtext_manifest *manifest,
                              const lm_kernels *kernels);
void *lmtext_image_room(lmtext_call *call, size_t size, const char *name);

#endif
