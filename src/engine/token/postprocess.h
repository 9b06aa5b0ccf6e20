/*
 * postprocess.h - the post-processor: a template of special tokens around one text or two.
 */
#ifndef LM_POSTPROCESS_H
#define LM_POSTPROCESS_H

#include "token/fields.h"
#include "token/image.h"

/* `processor` may be JSON null or NULL: texts stand alone. Special ids must be below vocab_size. */
lm_status lm_postprocess_compile(lm_context *ctx, const lm_json *processor, int32_t vocab_size,
                                 size_t start, lm_buffer *out);

#endif
