/*
 * session.h - the buffers that embedding keeps between calls (private to task/). They grow to the
 * largest call and stay, so that a warm call allocates nothing.
 */
#ifndef LM_SESSION_H
#define LM_SESSION_H

#include "base/buffer.h"
#include "task/embed.h"

/* One window of a text inside the packed batch. */
typedef struct lm_window {
    size_t text;     /* index of the text that it belongs to */
    size_t excluded; /* first tokens that pooling leaves out: a prompt's */
    double weight;   /* in the mean over the text's windows: its tokens without special ones */
    bool first, last;
    bool truncated; /* the text did not fit into one window; set in its last */
} lm_window;

struct lm_session {
    lm_context *ctx; /* allocates everything here */
    lm_token_scratch *scratch;
    lm_encoding encoding, prompt_encoding;
    lm_buffer text; /* prompt and text, joined */

    int32_t *ids, *types;
    size_t token_capacity;
    lm_window *windows;
    size_t window_capacity;
    size_t *offsets;
    size_t offset_capacity;
    size_t *wanted; /* the token of each window that is pooled, where it is only one */
    size_t wanted_capacity;

    char *workspace; /* as allocated; aligned where it is used */
    size_t workspace_capacity;
    float *vectors; /* pooled vector, and the sum over a text's windows */
    size_t vector_capacity;
    float *embeddings; /* of a block of texts that are to be classified */
    size_t embedding_capacity;
};

/*
 * Make room for `need` elements of `width` bytes at *array, whose content is kept. The error goes
 * to ctx, the memory comes from the session's own context.
 */
lm_status lm_session_grow(lm_context *ctx, lm_session *session, void *array, size_t *capacity,
                          size_t need, size_t width);

#endif
