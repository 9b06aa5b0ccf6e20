/*
 * fused.h - the fast path: where normalizer and pre-tokenizer treat each character by itself, both
 * become one table by scalar value, and words are split while the text is read (fused_loop.h).
 */
#ifndef LM_FUSED_H
#define LM_FUSED_H

#include "token/encode_state.h"

/* Append the table, if these stages have one; the header's stages and matchers are there already.
 */
lm_status lm_fused_compile(lm_context *ctx, lm_token_scratch *scratch, size_t start,
                           lm_buffer *out);

#endif
