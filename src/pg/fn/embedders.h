/*
 * embedders.h - texts embedded by several processes (private to fn/).
 */
#ifndef LMTEXT_FN_EMBEDDERS_H
#define LMTEXT_FN_EMBEDDERS_H

#include "pg/service/infer.h"

#define LMTEXT_EMBEDDERS_MAX 32

/*
 * lmtext_embed_texts with at most `workers` parallel workers beside this process: the same bits, in
 * the same order. Options are those of lmtext_embed_defaults. Where no worker is free, or texts are
 * not worth one's start, this process embeds alone. All counts as this process's.
 */
void lmtext_embed_together(lmtext_model *model, const lm_text *texts, size_t count,
                           const lm_embed_options *options, int workers, float *out);

#endif
