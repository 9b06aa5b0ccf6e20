/*
 * edit_distance.h - edits between two runs of tokens: Levenshtein's distance, and that of TER, in
 * which moving a run of words is one edit.
 */
#ifndef LM_EDIT_DISTANCE_H
#define LM_EDIT_DISTANCE_H

#include "metrics/text_tokens.h"

/* Insertions, deletions and substitutions. Takes n · m / 64 steps, polls, and memory for n + m. */
lm_status lm_edit_distance(lm_context *ctx, const lm_tokens *a, const lm_tokens *b,
                           uint64_t *distance);

/*
 * Edits from hypothesis to reference as sacrebleu's TER finds them: the moves that save most, one
 * after the other, then insertions, deletions and substitutions near the diagonal.
 */
lm_status lm_ter_edits(lm_context *ctx, const lm_tokens *hypothesis, const lm_tokens *reference,
                       uint64_t *edits);

#endif
