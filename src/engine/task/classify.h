/*
 * classify.h - scores of labels for texts, by a head on the encoder's embedding.
 */
#ifndef LM_CLASSIFY_H
#define LM_CLASSIFY_H

#include "task/embed.h"

/*
 * Softmax scores (count, labels) of texts. LM_UNSUPPORTED, with a hint, when the model has no head.
 */
lm_status lm_classify(lm_context *ctx, lm_session *session, const lm_model *model,
                      const lm_text *texts, size_t count, const lm_embed_options *options,
                      float *scores, lm_embed_counts *counts);

/* Index of the highest score; the first of equals. */
int lm_classify_best(const float *scores, int labels);

#endif
