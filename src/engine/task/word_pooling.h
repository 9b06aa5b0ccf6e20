/*
 * word_pooling.h - from the words of a text to one vector: poolings of their vectors, or counts of
 * a bag (private to task/).
 */
#ifndef LM_WORD_POOLING_H
#define LM_WORD_POOLING_H

#include "task/static_embed.h"

/* Of the first `count` words of the session's encoding, at least one, into out (pooled). */
lm_status lm_word_pool(const lm_static_run *run, size_t count, float *out);
lm_status lm_word_count(const lm_static_run *run, size_t count, float *out);

#endif
