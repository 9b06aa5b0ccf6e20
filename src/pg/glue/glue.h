/*
 * glue.h - between PostgreSQL and the engine: contexts, errors, cancel, datum conversion.
 *
 * An lmtext_call is the engine's context over a memory context. The cancel callback runs
 * CHECK_FOR_INTERRUPTS inside PG_TRY and keeps the error, so that no longjmp crosses engine frames;
 * lmtext_check throws it once the engine has returned.
 */
#ifndef LMTEXT_GLUE_H
#define LMTEXT_GLUE_H

#include "postgres.h"
#include "fmgr.h"
#include "utils/array.h"

#include "base/context.h"
#include "task/embed.h"

typedef struct lmtext_call {
    lm_context ctx;       /* first: an lm_context * is an lmtext_call * */
    MemoryContext memory; /* where the engine allocates */
    ErrorData *interrupt; /* what CHECK_FOR_INTERRUPTS threw, to be thrown again */
} lmtext_call;

void lmtext_call_init(lmtext_call *call, MemoryContext memory);

/* Throw unless status is LM_OK: SQLSTATE, message, detail and hint of the context's record. */
void lmtext_check(lmtext_call *call, lm_status status, const char *model);

/* Text of the database's encoding as UTF-8, converted and verified; points into `value` where no
 * conversion is needed, so `value` must be detoasted and outlive it. */
lm_text lmtext_utf8_from_text(const text *value);
lm_text lmtext_utf8_from_bytes(const char *bytes, size_t length);
/* UTF-8 to the database's encoding (22P05 where not representable). */
text *lmtext_text_from_utf8(const char *bytes, size_t length);
char *lmtext_cstring_from_utf8(const char *bytes, size_t length);

/* real[] of one or two dimensions. */
ArrayType *lmtext_array_from_floats(const float *values, int rows, int columns);
ArrayType *lmtext_vector_new(int width, float **values); /* 1-D, to be filled */
/* Floats of a 1-D real[] without nulls, in place; errors 2202E, 22004. */
const float *lmtext_floats_from_array(ArrayType *array, int *width);

/* The texts of a text[], nulls flagged; arrays of `count` palloc'd. */
void lmtext_texts_from_array(ArrayType *array, lm_text **texts, bool **nulls, int *count);

#endif
