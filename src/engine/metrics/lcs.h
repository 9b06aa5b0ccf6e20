/*
 * lcs.h - longest common subsequences of tokens, as rouge-score takes them.
 */
#ifndef LM_LCS_H
#define LM_LCS_H

#include "metrics/text_tokens.h"

/* Takes n · m steps and memory for m. */
lm_status lm_lcs_length(lm_context *ctx, const lm_tokens *reference, const lm_tokens *hypothesis,
                        uint64_t *length);

/*
 * Mark the words of a sentence that are part of its longest common subsequence with another: of
 * several that which ROUGE-1.5.5 finds from the end. LM_TOO_LARGE beyond 2^33 pairs of words, which
 * take a bit each.
 */
lm_status lm_lcs_mark(lm_context *ctx, const lm_tokens *reference, const lm_tokens *hypothesis,
                      bool *marks);

#endif
