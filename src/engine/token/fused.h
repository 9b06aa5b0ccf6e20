/*
 * fused.h - the fast path: where normalizer and pre-tokenizer treat each character by itself, both
 * become one table by scalar value, and words are split while the text is read.
 */
#ifndef LM_FUSED_H
#define LM_FUSED_H

#include "token/run.h"

/* Append the table, if these stages have one; the header's stages and matchers are there already.
 */
lm_status lm_fused_compile(lm_context *ctx, lm_token_scratch *scratch, size_t start,
                           lm_buffer *out);

/* One stretch of text; `first` is the place of its first character. */
lm_status lm_fused_run(lm_run *run, const char *text, size_t length, int32_t first);

#endif
