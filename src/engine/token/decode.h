/*
 * decode.h - the decoder: tokens back to text.
 */
#ifndef LM_DECODE_H
#define LM_DECODE_H

#include "token/fields.h"
#include "token/image.h"

/* `decoder` may be JSON null or NULL: tokens are joined by spaces. */
lm_status lm_decoder_compile(lm_context *ctx, const lm_json *decoder, size_t start, lm_buffer *out);

#endif
