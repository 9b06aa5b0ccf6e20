/*
 * older_merges.h - the merges of a BPE whose vocabulary is SentencePiece's, as transformers finds
 * them.
 */
#ifndef LM_OLDER_MERGES_H
#define LM_OLDER_MERGES_H

#include "base/buffer.h"
#include "base/intern.h"
#include "token/sentencepiece.h"

/* A piece that is longer is refused: it has as many merges, and each is looked up. */
#define LM_SPM_LONGEST 1024

/*
 * Append "merges":[…] and a comma. `words` has the pieces and nothing else, and `ids` the number of
 * the last piece of each text.
 */
lm_status lm_older_write_merges(lm_context *ctx, const lm_intern *words, const int64_t *ids,
                                const lm_spm_model *spm, lm_buffer *text);

#endif
