/*
 * fidelity.h - how near the embeddings of a model in reduced precision come to those of the same
 * model in float32.
 */
#ifndef LM_FIDELITY_H
#define LM_FIDELITY_H

#include "task/embed.h"

typedef struct lm_fidelity {
    size_t texts;
    double min_cosine, mean_cosine; /* cosine of the two embeddings of a text */
} lm_fidelity;

/*
 * Embeds each of count > 0 texts by both, with the model's own prompt, cut at the window. Widths
 * that differ are LM_BAD_ARGUMENT, a vector that is not finite LM_BAD_MODEL. Polls cancel.
 */
lm_status lm_fidelity_measure(lm_context *ctx, lm_session *session, const lm_model *reference,
                              const lm_model *reduced, const lm_text *texts, size_t count,
                              lm_fidelity *fidelity);

#endif
