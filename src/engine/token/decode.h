/*
 * decode.h - the decoder: tokens back to text.
 */
#ifndef LM_DECODE_H
#define LM_DECODE_H

#include "token/stage.h"

/* The table. */
extern const lm_stage_table lm_decoder_stage;

/* Append the list. Without a decoder tokens are joined by spaces. */
lm_status lm_decoder_compile(lm_stage_compiler *c, const lm_json *decoder, lm_span *list);

/* Flags of WordPiece and CTC, and of a Metaspace that put its character before the text. */
enum { LM_DECODE_CLEANUP = 1, LM_DECODE_PREFIX = 2 };

/* Arguments of CTC, Strip and Replace: this, and behind it two texts. */
typedef struct lm_decode_args {
    uint64_t start, stop;   /* Strip: how many characters are taken away at most */
    uint64_t first, second; /* bytes of the texts */
} lm_decode_args;

/* Operations (decode_text.c, decode_bytes.c). */
lm_decode_op lm_decode_spaced, lm_decode_wordpiece, lm_decode_bpe, lm_decode_metaspace,
    lm_decode_ctc, lm_decode_fuse, lm_decode_strip, lm_decode_replace;
lm_decode_op lm_decode_byte_level, lm_decode_byte_fallback;

#endif
