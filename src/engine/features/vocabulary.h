/*
 * vocabulary.h - tokens counted, and the most frequent of them chosen: as Counter.most_common of
 * Python, the first that was seen first of equals. Special tokens stand before all others and are
 * not counted.
 */
#ifndef LM_VOCABULARY_H
#define LM_VOCABULARY_H

#include "base/intern.h"

typedef struct lm_vocabulary {
    lm_context *ctx;
    lm_intern tokens; /* in the order of first sight */
    int64_t *counts;  /* by number */
    size_t bytes;     /* of all tokens */
    uint32_t specials, room;
} lm_vocabulary;

void lm_vocabulary_init(lm_vocabulary *v, lm_context *ctx);
void lm_vocabulary_free(lm_vocabulary *v);
/* Before all others; *twice: it was given before. */
lm_status lm_vocabulary_special(lm_vocabulary *v, const char *bytes, size_t length, bool *twice);
/* Count a token; `number` may be NULL. LM_TOO_LARGE where there are too many. */
lm_status lm_vocabulary_count(lm_vocabulary *v, const char *bytes, size_t length, uint32_t *number);
/*
 * Numbers of the tokens that are chosen, special ones first, at most max_size in all, allocated
 * from the context. Polls cancel.
 */
lm_status lm_vocabulary_rank(const lm_vocabulary *v, int64_t max_size, int64_t min_count,
                             uint32_t **numbers, uint32_t *count);

#endif
