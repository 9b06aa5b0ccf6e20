/*
 * base64.h - base64 by RFC 4648 section 4: padded, without white space, unused bits 0.
 */
#ifndef LM_BASE64_H
#define LM_BASE64_H

#include "base/arena.h"

/* *bytes receives NULL where the text is not base64; it lies in the arena. */
lm_status lm_base64_decode(lm_arena *arena, const char *text, size_t length, uint8_t **bytes,
                           size_t *size);
/* The text of bytes, terminated, in the arena; NULL when memory is short. */
char *lm_base64_encode(lm_arena *arena, const uint8_t *bytes, size_t size);

#endif
