/*
 * static_embed.h - texts to vectors by a table of tokens' vectors (private to task/).
 */
#ifndef LM_STATIC_EMBED_H
#define LM_STATIC_EMBED_H

#include "model/vectors.h"
#include "task/embed.h"

/* What embed.c has found out of the options. */
typedef struct lm_static_call {
    lm_text prompt;
    size_t width; /* of the result */
    lm_on_long on_long;
} lm_static_call;

typedef struct lm_static_run {
    lm_context *ctx;
    lm_session *session;
    const lm_model *model;
    const lm_vectors *vectors;
    const lm_steps *steps; /* NULL: sparse vectors have none */
    const lm_static_call *call;
    lm_embed_counts *counts;
} lm_static_run;

/* Tokens into the session's encoding. All of a long text counts with LM_LONG_MEAN. */
lm_status lm_static_tokenize(const lm_static_run *run, const lm_text *text);

/* As lm_embed, of a model that has vectors. A text of which no token counts is LM_NO_TOKEN. */
lm_status lm_static_embed(lm_context *ctx, lm_session *session, const lm_model *model,
                          const lm_text *texts, size_t count, const lm_static_call *call,
                          float *out, lm_embed_counts *counts);

#endif
