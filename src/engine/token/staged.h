/*
 * staged.h - one stretch of text through the stages, one after the other: works for every
 * tokenizer, and is what the fast path (fused.c) must equal.
 */
#ifndef LM_STAGED_H
#define LM_STAGED_H

#include "token/encode_state.h"

/*
 * Where a stretch that starts at `byte` may end before `stop`, so that what follows is another one
 * and nothing changes: at white space, after about `wanted` bytes. `stop` where there is no place.
 */
lm_status lm_staged_stop(lm_encode_state *state, const char *text, size_t byte, size_t stop,
                         size_t wanted, size_t *end);

/* `first` is the place of the first character in the text. */
lm_status lm_staged_run(lm_encode_state *state, const char *text, size_t length, int32_t first);

#endif
