/*
 * vocabulary_head.h - a checkpoint's head whose outputs are the words of the vocabulary (private to
 * model/).
 */
#ifndef LM_VOCABULARY_HEAD_H
#define LM_VOCABULARY_HEAD_H

#include "model/plan.h"

/*
 * What a role's token is written as, by tokenizer_config.json or special_tokens_map.json; where
 * neither says it, `fallback`.
 */
const char *lm_special_token(const lm_checkpoint *checkpoint, const char *role,
                             const char *fallback);

/*
 * Finds the token that stands for a word that is asked for. `own_table`: the head has a matrix of
 * its own; else it must be tied to the word table.
 */
lm_status lm_vocabulary_head_check(lm_planner *p, bool own_table, lm_model_info *info);

/* The same of a head whose outputs are pooled to a sparse vector: no token stands for a word. */
lm_status lm_sparse_head_check(lm_planner *p, bool own_table, lm_model_info *info);

#endif
