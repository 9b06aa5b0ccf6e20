/*
 * window.c - bounds of the window.
 */
#include "model/window.h"

int
lm_window_least(const lm_tokenizer *tokenizer)
{
    return lm_tokenizer_special_count(tokenizer, false) + 1;
}

lm_status
lm_window_check(lm_context *ctx, int asked, int least, int most)
{
    if (asked >= least && asked <= most)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "the window is out of range");
    lm_detail_key(ctx, "max_tokens");
    lm_detail_found(ctx, "%d", asked);
    return lm_detail_allowed(ctx, "%d to %d", least, most);
}
