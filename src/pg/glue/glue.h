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

#include "pg/compat.h"
#include "pg/glue/fault.h"
#include "base/context.h"
#include "task/embed.h"

#define LMTEXT_DIGEST_BYTES 32

typedef struct lmtext_digest {
    uint8 bytes[LMTEXT_DIGEST_BYTES]; /* SHA-256; a version's: catalog/manifest.c says over what */
} lmtext_digest;

typedef struct lmtext_call {
    lm_context ctx;       /* first: an lm_context * is an lmtext_call * */
    MemoryContext memory; /* where the engine allocates */
    ErrorData *interrupt; /* what CHECK_FOR_INTERRUPTS threw, to be thrown again */
    size_t kept_limit;    /* bytes that lm_keep may take of memory; what is beyond is in files */
    size_t kept;          /* that it has */
    struct lmtext_mapped *mapped; /* files, also those that are closed (glue/mapped.h) */
} lmtext_call;

void lmtext_call_init(lmtext_call *call, MemoryContext memory);

/*
 * Let what lm_keep takes beyond `kilobytes` lie in temporary files, which are gone when the block
 * is freed, or with the transaction: until then the caller commits nothing.
 */
void lmtext_call_keep_within(lmtext_call *call, int kilobytes);

/*
 * For PG_CATCH inside a callback that the engine calls (a source over tables or large objects):
 * keep the error for lmtext_check and return what the engine is to pass on. The caller sets
 * CurrentMemoryContext back.
 */
lm_status lmtext_call_keep_error(lmtext_call *call);

/* Throw unless status is LM_OK: a kept error as it was; else SQLSTATE, message, detail and hint of
 * the context's record. model may be NULL. */
void lmtext_check(lmtext_call *call, lm_status status, const char *model);

/* Text of the database's encoding as UTF-8, converted and verified; points into `value` where no
 * conversion is needed, so `value` must be detoasted and outlive it. */
lm_text lmtext_utf8_from_text(const text *value);
lm_text lmtext_utf8_from_bytes(const char *bytes, size_t length);
/* The same for a text that nobody has asked for yet: false where it would be an error. */
bool lmtext_utf8_try(const char *bytes, size_t length, lm_text *text);
/* UTF-8 to the database's encoding (22P05 where not representable). */
text *lmtext_text_from_utf8(const char *bytes, size_t length);
char *lmtext_cstring_from_utf8(const char *bytes, size_t length);
/* The same for messages and lists, where an odd byte must not hide the rest: never fails, and what
 * cannot be shown becomes '?'. */
char *lmtext_cstring_lossy(const char *bytes, size_t length);
/* An argument (in the database's encoding) as a message shows it: the beginning of a long one,
 * since it may be a text that came to the wrong place. */
char *lmtext_clip(const char *word);

/* real[] to be filled, empty when a dimension is 0; 54000 when too large. */
ArrayType *lmtext_vector_new(int width, float **values);             /* 1-D */
ArrayType *lmtext_matrix_new(int rows, int columns, float **values); /* 2-D */
/* Floats of a 1-D real[] without nulls, in place; errors 2202E (an empty array too), 22004. */
const float *lmtext_floats_from_array(ArrayType *array, int *width);
/* 22000 where one is NaN or infinite: the first of them is named. */
void lmtext_check_finite(const float *values, int width);

/* The texts of a text[] of at most one dimension, nulls flagged; arrays of `count` palloc'd. */
void lmtext_texts_from_array(ArrayType *array, lm_text **texts, bool **nulls, int *count);

#endif
