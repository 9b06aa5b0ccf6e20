/*
 * words.h - the way of tokenizers that have no table of the fast path but whose stages treat words
 * between white space one by one: what the stages make of a short word is remembered.
 */
#ifndef LM_WORDS_H
#define LM_WORDS_H

#include "token/encode_state.h"

/* Set the header's `words`, where the stages allow it; they and the matchers are in the image. */
lm_status lm_words_compile(lm_context *ctx, lm_token_scratch *scratch, size_t start,
                           lm_buffer *out);

/* A stretch of text, as the walk of a model (model.h) takes it. */
lm_status lm_words_run(lm_encode_state *state, const char *text, size_t stop, lm_place *place);

#endif
