/*
 * template.h - what the post-processor puts around texts: special tokens, and the type of each
 * token. Templates are compiled by postprocess.c.
 */
#ifndef LM_TOKEN_TEMPLATE_H
#define LM_TOKEN_TEMPLATE_H

#include "token/encode_state.h"

/* Append a special token, which stands nowhere in the text; callers have made room. */
void lm_template_put_special(lm_encoding *out, lm_piece piece);

/* Put both texts into the template; without special tokens only its order and types count. */
lm_status lm_template_join(lm_context *ctx, const lm_token_image *image, const lm_encoding *a,
                           const lm_encoding *b, const lm_token_options *options, lm_encoding *out);

#endif
