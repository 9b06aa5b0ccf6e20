/*
 * prompt.h - which prompt stands before the texts of a call, as sentence-transformers chooses it.
 */
#ifndef LM_PROMPT_H
#define LM_PROMPT_H

#include "task/batch.h"

/*
 * Set the batcher's prompt to what the options ask for: a literal one, one by name or side, or the
 * default. LM_UNKNOWN where the model has none of the name.
 */
lm_status lm_prompt_resolve(lm_batcher *batcher, const lm_embed_options *options);

/* The prompt of a side, NULL: none. */
const char *lm_prompt_of_side(const lm_sentence_transformers *sentence, lm_side side);

/*
 * Set the number of tokens that pooling leaves out, where the model's files leave a prompt out:
 * those of the prompt alone, with the special tokens before it and without the one after it.
 */
lm_status lm_prompt_measure(lm_batcher *batcher);

#endif
