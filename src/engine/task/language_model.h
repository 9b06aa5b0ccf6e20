/*
 * language_model.h - how probable texts are.
 */
#ifndef LM_LANGUAGE_MODEL_H
#define LM_LANGUAGE_MODEL_H

#include "task/embed.h"

/*
 * The natural logarithm of each text's probability, the sum over its words, in out (count): 0 of a
 * text without a word, −infinity of one with a word that the model holds impossible. counts, which
 * may be NULL, is added to, also where the call fails: texts that were computed, and their words.
 */
lm_status lm_log_probability(lm_context *ctx, lm_session *session, const lm_model *model,
                             const lm_text *texts, size_t count, double *out,
                             lm_embed_counts *counts);

/* Golden values: how many words of a text are unknown, and the logarithm for the others. */
int lm_log_probability_golden_width(const lm_model *model);
lm_status lm_log_probability_golden(lm_context *ctx, lm_session *session, const lm_model *model,
                                    const lm_text *texts, size_t count, float *out);

#endif
