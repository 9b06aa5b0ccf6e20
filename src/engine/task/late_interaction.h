/*
 * late_interaction.h - texts to a vector for each token, as queries or as documents.
 * search/maxsim.h compares them.
 */
#ifndef LM_LATE_INTERACTION_H
#define LM_LATE_INTERACTION_H

#include "model/late_interaction.h"
#include "task/embed.h"

/*
 * Receives the vectors of one text, (tokens, width) with the model's `dimensions` as width, in the
 * order of the tokens and without those that the model skips; valid until it returns. Texts come in
 * order; what is returned ends the call unless it is LM_OK.
 */
typedef lm_status (*lm_token_vector_sink)(void *opaque, size_t text, const float *vectors,
                                          size_t tokens);

/*
 * Vectors of tokens, special ones and markers included; of a language model of layers those of
 * words, whatever the side. A query is filled up where the model says
 * so. A text has the same bits alone and in any batch. Of the options `side` (LM_SIDE_QUERY, else a
 * document), on_long (LM_LONG_MEAN means LM_LONG_TRUNCATE) and batch_tokens count. counts is as
 * lm_embed has it. LM_UNSUPPORTED where the model is not for late interaction; LM_BAD_MODEL where a
 * vector is not finite.
 */
lm_status lm_token_vectors(lm_context *ctx, lm_session *session, const lm_model *model,
                           const lm_text *texts, size_t count, const lm_embed_options *options,
                           lm_token_vector_sink sink, void *opaque, lm_embed_counts *counts);

/* The mean vector of a text's tokens as a document, and behind it as a query. */
lm_status lm_token_vector_means(lm_context *ctx, lm_session *session, const lm_model *model,
                                const lm_text *texts, size_t count, float *out);

#endif
