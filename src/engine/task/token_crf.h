/*
 * token_crf.h - labels of tokens by a head with a conditional random field (private to task/). It
 * was trained on the first token of each word, so it is asked about these; the other tokens of a
 * word have what it has.
 */
#ifndef LM_TOKEN_CRF_H
#define LM_TOKEN_CRF_H

#include "model/session.h"
#include "task/word_pieces.h"

/* One call. */
typedef struct lm_token_crf {
    const lm_model *model;
    const lm_head *head;
    bool spaced;   /* words are cut by spaces alone */
    size_t number; /* of the text under way */
    lm_text text;
    lm_tag_cursor at; /* in it */
} lm_token_crf;

/* The text of the windows that follow; windows of one text keep the place in it. */
void lm_token_crf_text(lm_token_crf *crf, size_t number, lm_text text);

/*
 * Probabilities p (tokens, C) and the best labels together of a window's hidden states (tokens, D).
 * Those of a word's other tokens are its own, but B- is I- there, where there is such a label. Of
 * special tokens, whose range starts below 0, nothing is written.
 */
lm_status lm_token_crf_run(lm_context *ctx, lm_token_crf *crf, const int32_t *ids,
                           const lm_token_range *ranges, const float *x, size_t tokens, float *p,
                           int32_t *labels);

#endif
