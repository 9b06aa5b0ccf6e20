/*
 * explain.h - which words of a text made a classifier's score: by leaving each out, or by
 * integrated gradients (Sundararajan et al. 2017) on the word embeddings.
 *
 * What is explained is a score as lm_classify gives it: a probability, or the number of a model
 * with raw scores. Integrated gradients share out the difference of the score from that of a
 * baseline, which is the same text with the word embedding of each of its tokens replaced by one
 * that says nothing; special tokens, a prompt, positions and types stay. Their sum is that
 * difference.
 */
#ifndef LM_EXPLAIN_H
#define LM_EXPLAIN_H

#include "task/embed.h"

typedef enum lm_explain_method {
    LM_EXPLAIN_GRADIENTS,
    LM_EXPLAIN_LEAVE_OUT,
    LM_EXPLAIN_METHODS
} lm_explain_method;

extern const char *const lm_explain_methods[LM_EXPLAIN_METHODS];

typedef enum lm_explain_baseline {
    LM_BASELINE_DEFAULT, /* [PAD], zeros where there is none */
    LM_BASELINE_PAD,
    LM_BASELINE_MASK,
    LM_BASELINE_ZERO,
    LM_BASELINES
} lm_explain_baseline;

extern const char *const lm_explain_baselines[LM_BASELINES]; /* "" stands for the default */

/* Without pointers, so that it is a part of what results are remembered by. */
typedef struct lm_explain_options {
    int32_t method;   /* lm_explain_method */
    int32_t label;    /* −1: that with the highest score */
    int32_t steps;    /* nodes of the path; 0: as many as the sum needs */
    int32_t baseline; /* lm_explain_baseline */
} lm_explain_options;

#define LM_EXPLAIN_MOST_STEPS 1024
/* Of the windows of a text by integrated gradients, which keep two vectors of each. */
#define LM_EXPLAIN_MOST_TOKENS ((size_t)1 << 16)

/* A word of the text and its share of the score. */
typedef struct lm_attribution {
    int32_t start, stop; /* characters of the text */
    float value;
} lm_attribution;

/* Receives the words of a text, in order; they are valid until it returns. */
typedef lm_status (*lm_explain_sink)(void *opaque, size_t text, const lm_attribution *words,
                                     size_t count);

/*
 * Explain texts one after the other. `explain` stands in the options' `own`. LM_UNSUPPORTED where
 * the model has no head, or integrated gradients cannot go through it or its weights;
 * LM_BAD_ARGUMENT where there is no such label, or no such token for the baseline. counts is as
 * lm_embed has it: tokens are all that were computed.
 */
lm_status lm_explain(lm_context *ctx, lm_session *session, const lm_model *model,
                     const lm_text *texts, size_t count, const lm_embed_options *options,
                     const lm_explain_options *explain, lm_explain_sink sink, void *opaque,
                     lm_embed_counts *counts);

#endif
