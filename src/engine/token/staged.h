/*
 * staged.h - one stretch of text through the stages, one after the other: works for every
 * tokenizer, and is what the fast path (fused.c) must equal.
 */
#ifndef LM_STAGED_H
#define LM_STAGED_H

#include "token/run.h"

/* `first` is the place of the first character in the text. */
lm_status lm_staged_run(lm_run *run, const char *text, size_t length, int32_t first);

#endif
