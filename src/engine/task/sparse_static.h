/*
 * sparse_static.h - sparse vectors of a table of tokens' weights (private to task/).
 */
#ifndef LM_SPARSE_STATIC_H
#define LM_SPARSE_STATIC_H

#include "task/batch.h"
#include "task/sparse.h"

/* Whether that is what a model has; and its tokens. */
bool lm_sparse_is_static(const lm_model *model);
int lm_sparse_static_words(const lm_model *model);

/* As lm_sparse, of such a model; the batcher says context, session, model and counts. */
lm_status lm_sparse_static(lm_batcher *batcher, const lm_text *texts, size_t count,
                           const lm_embed_options *options, lm_sparse_sink sink, void *opaque);

#endif
