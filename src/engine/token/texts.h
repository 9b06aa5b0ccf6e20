/*
 * texts.h - the texts of tokens while they are decoded (lm_token_texts), and what decoders share.
 */
#ifndef LM_TEXTS_H
#define LM_TEXTS_H

#include "token/stage.h"

void lm_texts_init(lm_token_texts *texts, lm_context *ctx);
void lm_texts_free(lm_token_texts *texts);

/* An empty list, whose bytes are somewhere. */
lm_status lm_texts_clear(lm_token_texts *texts);
/* What was appended to the bytes is one text more. */
lm_status lm_texts_end(lm_token_texts *texts);

size_t lm_texts_count(const lm_token_texts *texts);
/* The text that number i is; polls now and then, as i grows. */
lm_status lm_texts_get(lm_context *ctx, const lm_token_texts *texts, size_t i, const char **text,
                       size_t *length);

/*
 * Replace in out[start, size) from left to right, once; what is looked for is not empty and not
 * shorter than what comes in its place.
 */
lm_status lm_texts_replace(lm_buffer *out, size_t start, const char *from, size_t from_length,
                           const char *to, size_t to_length);

/* Spaces before punctuation and English contractions in out[start, size), as the reference does. */
lm_status lm_texts_clean_up(lm_buffer *out, size_t start);

#endif
