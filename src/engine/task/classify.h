/*
 * classify.h - scores of labels for texts, by a head on the encoder's embedding.
 */
#ifndef LM_CLASSIFY_H
#define LM_CLASSIFY_H

#include "task/embed.h"

/*
 * Scores (count, labels) of texts: probabilities, or as the head has them (lm_scoring).
 * LM_UNSUPPORTED, with a hint, when the model has no head. counts is as lm_embed has it; where a
 * text fails, the first `counts->texts` rows of scores are valid, unless the call was cancelled.
 */
lm_status lm_classify(lm_context *ctx, lm_session *session, const lm_model *model,
                      const lm_text *texts, size_t count, const lm_embed_options *options,
                      float *scores, lm_embed_counts *counts);

/* The same with another function of the head's numbers. */
lm_status lm_classify_as(lm_context *ctx, lm_session *session, const lm_model *model,
                         const lm_text *texts, size_t count, const lm_embed_options *options,
                         lm_scoring scoring, float *scores, lm_embed_counts *counts);

/*
 * The same for one embedding that the head's base has computed before: the same bits.
 * LM_BAD_ARGUMENT for another width, or a number that is not finite; LM_UNSUPPORTED where the head
 * is a checkpoint's own, which has no base.
 */
lm_status lm_classify_vector(lm_context *ctx, const lm_model *model, const float *vector, int width,
                             float *scores);

/* Which label would have the highest score; `room` (labels) is overwritten. */
lm_status lm_classify_vector_best(lm_context *ctx, const lm_model *model, const float *vector,
                                  int width, float *room, int *best);

/* Index of the highest score; the first of equals. */
int lm_classify_best(const float *scores, int labels);

#endif
