/*
 * match.h - finds the patterns of a set in a text, leftmost first and the longest of those, in
 * linear time (Aho and Corasick 1975).
 */
#ifndef LM_MATCH_H
#define LM_MATCH_H

#include "token/trie.h"

/* Keys have root 1; their values come back in matches. */
lm_status lm_matcher_compile(lm_context *ctx, lm_trie_key *keys, size_t count, size_t start,
                             lm_buffer *out, lm_matcher *matcher);

typedef struct lm_match {
    size_t start, stop;
    int32_t value; /* -1: there is none before `stop` */
} lm_match;

/*
 * The first match in text[from, length). After about a megabyte without one it returns, so that the
 * caller can poll: value is -1, and stop, where to go on, is not the end.
 */
lm_match lm_matcher_find(const lm_token_image *image, const lm_matcher *matcher, const char *text,
                         size_t from, size_t length);

static inline bool
lm_matcher_is_empty(const lm_matcher *matcher)
{
    return matcher->nodes.count == 0;
}

#endif
