/*
 * pair.h - scores of pairs of texts, by the head of a checkpoint: how well a document suits a
 * query, whether one sentence follows another, what follows from a premise, and labels that nobody
 * trained (by what follows from a text).
 *
 * `texts` has two for each pair, one behind the other. A pair beyond the window loses tokens of its
 * longer text (LM_LONG_ERROR: is refused). A pair has the same bits alone and in any batch. counts
 * is as lm_embed has it: where a text fails, the first counts->texts results are valid, unless the
 * call was cancelled.
 */
#ifndef LM_PAIR_H
#define LM_PAIR_H

#include "task/embed.h"

/* The number of the only label, as the model's files say (lm_model_info.pair_scoring). */
lm_status lm_rerank(lm_context *ctx, lm_session *session, const lm_model *model,
                    const lm_text *texts, size_t pairs, const lm_embed_options *options,
                    float *scores, lm_embed_counts *counts);

/* The probability that the second text follows the first. */
lm_status lm_next_sentence(lm_context *ctx, lm_session *session, const lm_model *model,
                           const lm_text *texts, size_t pairs, const lm_embed_options *options,
                           float *probabilities, lm_embed_counts *counts);

/* Scores (pairs, labels) of a premise and a hypothesis. */
lm_status lm_entailment(lm_context *ctx, lm_session *session, const lm_model *model,
                        const lm_text *texts, size_t pairs, const lm_embed_options *options,
                        float *scores, lm_embed_counts *counts);

/* The label that stands for entailment: the first that begins so, in any case; -1: none does. */
int lm_entailment_label(const lm_model *model);

/*
 * What lm_embed_options.own holds for lm_zero_shot: a hypothesis for each label, made by a template
 * in which {} stands for the label, and {{ and }} for braces. LM_BAD_ARGUMENT where the template
 * has no {}, or more than one, or another brace. With `each` a label's score is its own, else
 * labels compete.
 */
lm_status lm_hypotheses_make(lm_context *ctx, lm_text template, const lm_text *labels, size_t count,
                             bool each, lm_buffer *out);
size_t lm_hypotheses_count(lm_text hypotheses);

/*
 * Scores (count, hypotheses) of texts, as transformers' pipeline zero-shot-classification has them:
 * a text beyond the window is cut, a hypothesis never (LM_TOO_LARGE).
 */
lm_status lm_zero_shot(lm_context *ctx, lm_session *session, const lm_model *model,
                       const lm_text *texts, size_t count, const lm_embed_options *options,
                       float *scores, lm_embed_counts *counts);

#endif
