/*
 * byte_words.h - the fast path of byte-level BPE: words are cut, found and merged as the bytes that
 * the text has, without characters of their own.
 */
#ifndef LM_BYTE_WORDS_H
#define LM_BYTE_WORDS_H

#include "format/json.h"
#include "token/encode_state.h"
#include "token/model.h"

/*
 * Note in the image whether its texts can go that way; all else of it is there already. `root` is
 * tokenizer.json.
 */
lm_status lm_byte_words_compile(lm_context *ctx, const lm_json *root, const lm_token_model *model,
                                size_t start, lm_buffer *out);

/* A stretch of text, as the walk of a model (model.h). */
lm_status lm_byte_words_run(lm_encode_state *state, const char *text, size_t stop, lm_place *place);

#endif
