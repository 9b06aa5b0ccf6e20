/*
 * chunk.h - cut a long text into pieces of at most max_tokens tokens (special tokens not counted)
 * that overlap by about `overlap` tokens: at paragraph ends, else sentence ends, else white space,
 * else between tokens; never inside a character.
 */
#ifndef LM_CHUNK_H
#define LM_CHUNK_H

#include "token/tokenizer.h"

typedef struct lm_chunk {
    size_t byte_start, byte_stop; /* of the piece in the text */
    int32_t start, stop;          /* the same in characters */
    int32_t tokens;
} lm_chunk;

/* Pieces in order; *chunks is allocated from ctx. An empty text has no piece. */
lm_status lm_chunk_text(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
                        const char *text, size_t length, int max_tokens, int overlap,
                        lm_chunk **chunks, size_t *count);

#endif
