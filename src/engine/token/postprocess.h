/*
 * postprocess.h - the post-processor: a template of special tokens around one text or two.
 */
#ifndef LM_POSTPROCESS_H
#define LM_POSTPROCESS_H

#include "token/fields.h"
#include "token/image.h"
#include "token/vocab.h"

/* `processor` may be JSON null or NULL: texts stand alone. Special ids must name tokens. */
lm_status lm_postprocess_compile(lm_context *ctx, const lm_json *processor, const lm_vocab *vocab,
                                 size_t start, lm_buffer *out);

#endif
