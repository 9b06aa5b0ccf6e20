/*
 * markers.h - markers of queries and documents as special tokens of the tokenizer (private to
 * model/).
 */
#ifndef LM_MODEL_MARKERS_H
#define LM_MODEL_MARKERS_H

#include "base/arena.h"
#include "format/json.h"
#include "token/tokenizer.h"

/*
 * A marker, or else its first word, that the vocabulary has and the tokenizer does not read as one
 * token is added to added_tokens of *root, the tree of a tokenizer.json, as the reference makes it
 * a special token; *added is set then. The tree that was is left as it is.
 */
lm_status lm_marker_add(lm_context *ctx, lm_arena *arena, const lm_tokenizer *tokenizer,
                        const char *marker, const lm_json **root, bool *added);

#endif
