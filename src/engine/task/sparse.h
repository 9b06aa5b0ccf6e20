/*
 * sparse.h - learned sparse vectors: a weight for each word of the vocabulary, most of them zero.
 *
 * A head on the vocabulary gives every token of a text one number for each word. log(1 + max(0, x))
 * of these, taken once or twice, is pooled over the tokens: the greatest counts, or the sum. Or
 * each token of a text simply has a weight of its own (sparse_static.c).
 */
#ifndef LM_SPARSE_H
#define LM_SPARSE_H

#include "task/embed.h"

typedef struct lm_sparse_item {
    int32_t token; /* an id; a model may have more words than its tokenizer */
    float weight;  /* not 0; above 0 of a head on the vocabulary */
} lm_sparse_item;

/* A text's vector: words with a weight, by id. They stay the engine's. */
typedef lm_status (*lm_sparse_sink)(void *opaque, size_t text, const lm_sparse_item *items,
                                    size_t count);

/*
 * Of the options on_long, batch_tokens, side, and what says the prompt count. With LM_LONG_MEAN all
 * tokens of a long text are pooled, window by window. The same bits alone and in any batch; counts
 * is as lm_embed has it. LM_UNSUPPORTED where the model has no head on the vocabulary
 * and no weights of tokens, and LM_BAD_MODEL where an output is not finite.
 */
lm_status lm_sparse(lm_context *ctx, lm_session *session, const lm_model *model,
                    const lm_text *texts, size_t count, const lm_embed_options *options,
                    lm_sparse_sink sink, void *opaque, lm_embed_counts *counts);

/* Words that a vector of the model can have: zeros and all. 0: it computes none. */
int lm_sparse_words(const lm_model *model);

/* Sum of the products of weights that two vectors have for the same word. */
double lm_sparse_dot(const lm_sparse_item *a, size_t a_count, const lm_sparse_item *b,
                     size_t b_count);

/* Golden values: means of the weights over every LM_SPARSE_GOLDEN-th word. */
#define LM_SPARSE_GOLDEN 16
lm_status lm_sparse_golden(lm_context *ctx, lm_session *session, const lm_model *model,
                           const lm_text *texts, size_t count, float *out);

#endif
