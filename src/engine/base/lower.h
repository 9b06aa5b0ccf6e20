/*
 * lower.h - lower case as Python's str.lower() has it, where a capital sigma depends on its place
 * in a word.
 */
#ifndef LM_LOWER_H
#define LM_LOWER_H

#include "base/buffer.h"
#include "base/unicode.h"

/* What becomes of c[i] among `count` scalar values: written to out, which has room for
 * LM_UNICODE_MAX_MAPPING; returns how many, at least 1. */
size_t lm_lower_at(const uint32_t *c, size_t count, size_t i, uint32_t *out);

/* Append valid UTF-8 in lower case. */
lm_status lm_lower_append(lm_buffer *to, const char *text, size_t length);

#endif
