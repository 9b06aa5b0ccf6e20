/*
 * window.h - bounds of the window: how many tokens a text may have (private to model/).
 */
#ifndef LM_MODEL_WINDOW_H
#define LM_MODEL_WINDOW_H

#include "token/tokenizer.h"

/* Where no file says how long a text may be: longer ones do not fit a batch. */
#define LM_WINDOW_UNLIMITED (1 << 20)

/* The special tokens, and one besides. */
int lm_window_least(const lm_tokenizer *tokenizer);

/* A window that somebody asks for: LM_BAD_ARGUMENT where it is out of range. */
lm_status lm_window_check(lm_context *ctx, int asked, int least, int most);

#endif
