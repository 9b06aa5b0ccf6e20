/*
 * answer.h - the stretches of a context that answer a question, by a head which tells of each token
 * how likely an answer begins and ends there.
 */
#ifndef LM_ANSWER_H
#define LM_ANSWER_H

#include "task/embed.h"

/* Answers of one question in one context, at most. */
#define LM_ANSWERS_MAX 100

/* Characters of the context; start is -1 where there is no answer in it. */
typedef struct lm_answer {
    int32_t start, stop;
    float score; /* the product of both probabilities */
} lm_answer;

/* What lm_embed_options.own holds. */
typedef struct lm_answer_options {
    int32_t most;      /* answers, from 1 to LM_ANSWERS_MAX */
    int32_t no_answer; /* 1: that there is none competes with the answers */
} lm_answer_options;

/*
 * Receives the answers of one pair, the best first; they are valid until it returns. Pairs come in
 * order; what is returned ends the call unless it is LM_OK.
 */
typedef lm_status (*lm_answer_sink)(void *opaque, size_t pair, const lm_answer *answers,
                                    size_t count);

/*
 * Answers of `pairs` questions, each followed by its context in `texts`. All of a context is read,
 * by windows of at most 384 tokens that share 128. An answer begins and ends with a word, has at
 * most 15 tokens, and its score is the highest that any window gives it. Of the options
 * batch_tokens and own count. A pair has the same bits alone and in any batch. counts is as
 * lm_embed has it: counts->texts pairs went to the sink. LM_TOO_LARGE where a question leaves no
 * room for a context; LM_BAD_MODEL where a score is not finite.
 */
lm_status lm_answer_texts(lm_context *ctx, lm_session *session, const lm_model *model,
                          const lm_text *texts, size_t pairs, const lm_embed_options *options,
                          lm_answer_sink sink, void *opaque, lm_embed_counts *counts);

/* Numbers by which a model is known again: out (pairs, LM_ANSWER_MEANS), the means of the logits
 * of the first token and of a context's tokens. */
#define LM_ANSWER_MEANS 4
lm_status lm_answer_means(lm_context *ctx, lm_session *session, const lm_model *model,
                          const lm_text *texts, size_t pairs, float *out);

#endif
