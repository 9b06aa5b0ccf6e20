/*
 * word_states.h - vectors of words by a language model of layers: what its stacked layers have for
 * each word, both directions side by side, or their mean (Peters et al. 2018).
 */
#ifndef LM_WORD_STATES_H
#define LM_WORD_STATES_H

#include "model/layers.h"
#include "task/late_interaction.h"

#define LM_WORD_LAYERS 9      /* numbers of a mix, at most */
#define LM_WORD_ALL_LAYERS -2 /* each alike */

/* Whether a model is one: its net, or NULL. */
const lm_net *lm_word_net(const lm_model *model);
/*
 * The weights of a layer as lm_batcher's `mix` has them: 1 and up are stacked layers, −1 the last
 * one, 0 what the first one reads, where it is as wide as a direction; it counts in the mean then.
 * LM_BAD_ARGUMENT where there is none.
 */
lm_status lm_word_mix(lm_context *ctx, const lm_net *net, int layer, float mix[LM_WORD_LAYERS]);
/* lm_token_vectors of such a model: a text without a word has none. */
lm_status lm_word_vectors(lm_context *ctx, lm_session *session, const lm_model *model,
                          const lm_text *texts, size_t count, const lm_embed_options *options,
                          lm_token_vector_sink sink, void *opaque, lm_embed_counts *counts);

#endif
