/*
 * token_scores.h - scores of labels for each token of texts, by the head that the model's
 * checkpoint has; tags and entities are made of them (private to task/).
 */
#ifndef LM_TOKEN_SCORES_H
#define LM_TOKEN_SCORES_H

#include "task/batch.h"

/* A token of a text, special ones left out. */
typedef struct lm_scored_token {
    size_t text;         /* its number in the call */
    int32_t token;       /* its id */
    int32_t start, stop; /* characters of the text */
    const float *scores; /* of all labels: softmax; valid until the receiver returns */
    int label; /* the best of them, or that of the best labels of all tokens together (CRF) */
} lm_scored_token;

/* Who gets them: tokens in their order, then the end of their text, also of one without tokens. */
typedef struct lm_token_receiver {
    lm_status (*token)(void *opaque, const lm_scored_token *token);
    lm_status (*end)(void *opaque, size_t text);
    void *opaque;
    bool spaced; /* words are cut by spaces alone; of a head with a CRF */
} lm_token_receiver;

/*
 * A token has the same bits for a text alone and in any batch. Of the options on_long and
 * batch_tokens count; LM_LONG_MEAN goes through all of a long text, window by window. counts is as
 * lm_embed has it. LM_UNSUPPORTED where the model has no head on tokens; LM_BAD_MODEL where the
 * score of a token's best label is not finite.
 */
lm_status lm_token_scores(lm_context *ctx, lm_session *session, const lm_model *model,
                          const lm_text *texts, size_t count, const lm_embed_options *options,
                          const lm_token_receiver *receiver, lm_embed_counts *counts);

#endif
