/*
 * chunk.h - cut a long text into pieces of at most max_tokens tokens (special tokens not counted)
 * that overlap by about `overlap` tokens: at paragraph ends, else sentence ends, else white space,
 * else between tokens; never inside a character.
 */
#ifndef LM_CHUNK_H
#define LM_CHUNK_H

#include "token/stream.h"

typedef struct lm_chunk {
    size_t byte_start, byte_stop; /* of the piece in the text */
    int32_t start, stop;          /* the same in characters */
    int32_t tokens;
} lm_chunk;

/* What stands between two tokens, as far as it is read. */
typedef struct lm_gap {
    lm_place stop;  /* after what belongs to the left token: marks, controls */
    lm_place start; /* before what belongs to the right one */
    bool space;
    int lines; /* line feeds */
} lm_gap;

/*
 * Places where a text may be cut: before each of its tokens that is not all white space, and at its
 * end (chunk.c).
 */
typedef struct lm_cut {
    lm_place stop, start; /* a piece ends at the one and begins at the other; white space between */
    int rank;
} lm_cut;

/*
 * Cuts one text after the other; reusable without allocation. It holds the places to cut of one
 * piece, 40 bytes for a token, and one part of the text's tokens.
 */
typedef struct lm_chunker {
    lm_context *ctx;
    const lm_tokenizer *tokenizer;
    lm_token_scratch *scratch;
    const char *text;
    size_t length;
    size_t max_tokens, overlap;
    lm_token_stream stream;
    lm_encoding part;    /* of the text's tokens */
    lm_place read;       /* how far places are known */
    lm_place token_stop; /* of the last token, without white space at its end; the gap follows */
    lm_gap gap;
    lm_cut *cuts; /* that before token i is cuts[i - first]; first <= i < known */
    size_t capacity;
    size_t first, known;
    bool ended;         /* the last one is that at the text's end */
    size_t start, stop; /* the next piece's first token, and the end of the one before */
} lm_chunker;

void lm_chunker_init(lm_chunker *chunker, lm_context *ctx);
void lm_chunker_free(lm_chunker *chunker);

/* Valid UTF-8 (checked: LM_BAD_TEXT), which must stay, as the tokenizer and the scratch must. */
lm_status lm_chunker_begin(lm_chunker *chunker, const lm_tokenizer *tokenizer,
                           lm_token_scratch *scratch, const char *text, size_t length,
                           int max_tokens, int overlap);

/* The next piece, in the order of the text; false in *found: there was none. */
lm_status lm_chunker_next(lm_chunker *chunker, lm_chunk *chunk, bool *found);

#endif
