/*
 * added.h - reads and compiles added tokens; split.h looks for them.
 */
#ifndef LM_ADDED_H
#define LM_ADDED_H

#include "token/match.h"
#include "token/normalize.h"
#include "token/vocab.h"

/* Put the added tokens into the vocabulary; normalized forms are kept in the arena. */
lm_status lm_added_read(lm_context *ctx, const lm_json *tokens, const lm_token_image *image,
                        lm_token_scratch *scratch, lm_arena *arena, lm_vocab *vocab);

/* Append the two matchers of tokens that were read. */
lm_status lm_added_compile(lm_context *ctx, const lm_json *tokens, const lm_vocab *vocab,
                           size_t start, lm_buffer *out);

#endif
