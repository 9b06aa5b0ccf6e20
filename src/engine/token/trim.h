/*
 * trim.h - leaves white space out of the offsets of tokens, as the post-processors ByteLevel and
 * RobertaProcessing do with trim_offsets. How much there is, the token's text says, not the text
 * that was tokenized: a character that the reference put in front counts too.
 */
#ifndef LM_TRIM_H
#define LM_TRIM_H

#include "token/encode_state.h"

/* A post-processor with it is an operation of image->postprocessor, with this flag or none. */
enum { LM_TRIM_PREFIX = 1 /* a single space in front of a text's first token stays */ };

/* The model's tokens from number `from` of the output on. */
lm_status lm_trim_tokens(lm_encode_state *state, size_t from);

/* Token number i comes first in what is kept of a text. */
void lm_trim_as_first(const lm_token_image *image, lm_encoding *text, size_t i);

/* The last token of the output, an added one that was found as this text. */
lm_status lm_trim_added(lm_encode_state *state, const char *text, size_t length);

#endif
