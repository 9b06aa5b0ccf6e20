/*
 * rerank.h - which classifiers are cross-encoders, and what becomes of the number that they give a
 * pair of texts (private to model/).
 */
#ifndef LM_MODEL_RERANK_H
#define LM_MODEL_RERANK_H

#include "model/plan.h"

/* Whether sentence-transformers' files say so. */
bool lm_rerank_is_cross_encoder(const lm_sentence_transformers *sentence);

/* Words before the first text of each pair would make another model: LM_UNSUPPORTED. */
lm_status lm_rerank_check_prompt(const lm_planner *p);

/*
 * Of a head with labels: sets the scoring of pairs, and the task where one label makes a
 * cross-encoder of it. LM_UNSUPPORTED names an activation that is not known.
 */
lm_status lm_rerank_read(lm_planner *p, lm_model_info *info);

#endif
