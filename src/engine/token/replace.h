/*
 * replace.h - the stages named Replace, of a normalizer and of a decoder: what is looked for, and
 * what comes in its place.
 */
#ifndef LM_REPLACE_H
#define LM_REPLACE_H

#include "token/fields.h"

/* Longer patterns would let a text of near misses cost its length times theirs. */
#define LM_MAX_PATTERN ((size_t)512)

typedef struct lm_replace {
    const lm_json *pattern; /* 1 to LM_MAX_PATTERN bytes */
    const lm_json *content; /* as many at most, or none */
} lm_replace;

/* A pattern that is a regular expression is LM_UNSUPPORTED. */
lm_status lm_replace_read(lm_context *ctx, lm_field field, lm_replace *replace);

/* A required string of 1 to LM_MAX_PATTERN bytes, which is looked for in texts. */
lm_status lm_pattern_read(lm_context *ctx, lm_field field, const char *key,
                          const lm_json **pattern);

#endif
