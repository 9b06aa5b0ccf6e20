/*
 * pretokenize.h - the pre-tokenizer: a list of operations that cut normalized text into words. None
 * changes a character.
 */
#ifndef LM_PRETOKENIZE_H
#define LM_PRETOKENIZE_H

#include "token/fields.h"
#include "token/run.h"

/* `pretokenizer` may be JSON null or NULL: then a text is one word. */
lm_status lm_pretokenizer_compile(lm_context *ctx, const lm_json *pretokenizer,
                                  lm_stage_list *list);

/* The list of a BertPreTokenizer. */
lm_status lm_pretokenizer_bert(lm_context *ctx, lm_stage_list *list);

/* The words of c[start, stop), in order, into scratch->words. */
lm_status lm_pretokenizer_run(lm_context *ctx, const lm_stage_list *list, const uint32_t *c,
                              size_t start, size_t stop, lm_token_scratch *scratch);

typedef enum lm_char_role { LM_ROLE_LETTER, LM_ROLE_SPACE, LM_ROLE_ALONE } lm_char_role;

/* Whether each character has one role whatever stands beside it, and which. */
bool lm_pretokenizer_is_local(const lm_stage_list *list);
lm_char_role lm_pretokenizer_role(const lm_stage_list *list, uint32_t c);

#endif
