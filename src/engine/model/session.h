/*
 * session.h - the buffers that embedding keeps between calls; the struct is private to model/ and
 * task/. They grow to what a call needs and stay, so that a warm call allocates nothing; beyond
 * LM_SESSION_KEEP bytes they are given back when the call ends.
 */
#ifndef LM_SESSION_H
#define LM_SESSION_H

#include "base/buffer.h"
#include "base/text.h"
#include "lang/ngram_head.h"
#include "model/model.h"
#include "token/letters.h"

/*
 * More than this is not kept between calls. The default batch of the largest BERT takes less; a
 * call that needs more computes so long that the cost of its memory does not show.
 */
#define LM_SESSION_KEEP ((size_t)32 << 20)

/* The characters of its text that a token stands for; of a special token start is -1. */
typedef struct lm_token_range {
    int32_t start, stop;
    bool begins; /* a word, where a task asks for them */
} lm_token_range;

/* One window of a text inside the packed batch. */
typedef struct lm_window {
    size_t text;     /* index of the text that it belongs to */
    size_t token;    /* of the batch, which is its first */
    size_t excluded; /* first tokens that pooling leaves out: a prompt's */
    double weight;   /* in the mean over the text's windows: its tokens without special ones */
    bool first, last;
    bool truncated; /* the text did not fit into one window; set in its last */
} lm_window;

typedef struct lm_session {
    lm_context *ctx; /* allocates everything here */
    lm_token_scratch *scratch;
    lm_encoding encoding, prompt_encoding;
    lm_buffer text;            /* prompt and text, joined */
    lm_letters letters;        /* of the batch, where a net reads words by them */
    lm_ngram_head_room ngrams; /* of a classifier on n-grams */

    int32_t *ids, *types;
    size_t token_capacity;
    lm_token_range *ranges; /* where a task asks for them */
    size_t range_capacity;
    lm_window *windows;
    size_t window_capacity;
    size_t *offsets;
    size_t offset_capacity;
    size_t *wanted; /* the token of each window that is pooled, where it is only one */
    size_t wanted_capacity;
    size_t *keys; /* tokens of each window that are attended to, where it is filled up */
    size_t key_capacity;

    char *workspace; /* as allocated; aligned where it is used */
    size_t workspace_capacity;
    float *vectors; /* pooled vector, and the sum over a text's windows */
    size_t vector_capacity;
    float *embeddings; /* of a block of texts that are to be classified: a bounded number */
    size_t embedding_capacity;
    float *scores; /* of a block of pairs, and their texts: bounded numbers too */
    size_t score_capacity;
    lm_text *pairs;
    size_t pair_capacity;
} lm_session;

lm_status lm_session_create(lm_context *ctx, lm_session **session);
void lm_session_free(lm_session *session); /* may be NULL */

/* Bytes of its buffers. */
size_t lm_session_bytes(const lm_session *session);

/*
 * To be called when a call ends, also by failure: gives all buffers back but those of blocks
 * (`embeddings` and what follows), which the caller may still read, where they are more than
 * LM_SESSION_KEEP bytes.
 */
void lm_session_trim(lm_session *session);

/*
 * Make room for `need` elements of `width` bytes at *array, whose content is kept. The error goes
 * to ctx, the memory comes from the session's own context.
 */
lm_status lm_session_grow(lm_context *ctx, lm_session *session, void *array, size_t *capacity,
                          size_t need, size_t width);

#endif
