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

/* From `place` to byte `stop` of the text, or until the run pauses; `place` says where to go on. */
lm_status lm_fused_run(lm_run *run, const char *text, size_t stop, lm_place *place);

#endif
