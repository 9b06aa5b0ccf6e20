/*
 * pretokenize.h - the pre-tokenizer: a list of operations that cut normalized text into words. Most
 * leave the characters as they are; some write others in their place.
 */
#ifndef LM_PRETOKENIZE_H
#define LM_PRETOKENIZE_H

#include "token/stage.h"

/* The table. */
extern const lm_stage_table lm_pretokenizer_stage;

/* Append the list. Without a pre-tokenizer a text is one word. */
lm_status lm_pretokenizer_compile(lm_stage_compiler *c, const lm_json *pretokenizer, lm_span *list);

/* Whether it is that of a BertPreTokenizer. */
lm_status lm_pretokenizer_is_bert(lm_context *ctx, const lm_token_image *image, bool *same);

/*
 * The words of scratch->chars[start, stop), in order, into scratch->words: ranges of *chars, which
 * lies in the scratch. scratch->chars stays as it is.
 */
lm_status lm_pretokenizer_run(lm_context *ctx, const lm_token_image *image, size_t start,
                              size_t stop, lm_token_scratch *scratch, const lm_chars **chars);

typedef enum lm_char_role { LM_ROLE_LETTER, LM_ROLE_SPACE, LM_ROLE_ALONE } lm_char_role;

/* Whether each character has one role whatever stands beside it, and if so, which. */
bool lm_pretokenizer_is_local(const lm_token_image *image);
lm_char_role lm_pretokenizer_role(const lm_token_image *image, uint32_t c);

/*
 * Which white space of ASCII ends a word whatever stands beside it: LM_OP_ENDS_AT_SPACE,
 * LM_OP_ENDS_BEFORE_SPACE, or 0.
 */
unsigned lm_pretokenizer_ends(const lm_token_image *image);

#endif
