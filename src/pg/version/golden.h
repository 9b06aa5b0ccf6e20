/*
 * golden.h - golden values of a version.
 */
#ifndef LMTEXT_GOLDEN_H
#define LMTEXT_GOLDEN_H

#include "pg/catalog/catalog.h"
#include "task/golden.h"

/* The row's data, or NULL where the model computes nothing finite. */
bytea *lmtext_golden_make(lmtext_call *call, lm_session *session, const lm_model *model,
                          const char *name);
typedef enum lmtext_golden {
    LMTEXT_GOLDEN_NONE,
    LMTEXT_GOLDEN_DAMAGED,
    LMTEXT_GOLDEN_READ
} lmtext_golden;
lmtext_golden lmtext_golden_read(lmtext_call *call, lm_arena *arena, Oid relid, lm_golden *golden);

#endif
