/*
 * word_weights.h - weights of words, as the modules WordWeights and BoW of sentence-transformers
 * have them in their config.json (private to model/).
 */
#ifndef LM_WORD_WEIGHTS_H
#define LM_WORD_WEIGHTS_H

#include "model/plan.h"

/*
 * A weight for each word of `vocab`, *count of them, in the arena: that of word_weights, by the
 * word or by its lower case, else unknown_word_weight. `room` is how many the array must have, at
 * least, and 0 where words that are there again do not count again.
 */
lm_status lm_word_weights(lm_planner *p, const char *file, const lm_json *config, size_t room,
                          size_t *count, const float **weights);

#endif
