/*
 * reference.h - the files of a tokenizer beside tokenizer.json, and what transformers makes of
 * them. Where it would make other ids, an import refuses the setting or has a note.
 */
#ifndef LM_TOKEN_REFERENCE_H
#define LM_TOKEN_REFERENCE_H

#include "format/keys.h"
#include "token/image.h"
#include "token/normalize.h"
#include "token/tokenizer.h"
#include "token/vocab.h"

/* Every key that transformers reads of each file. */
extern const lm_key_rule lm_tokenizer_keys[];        /* tokenizer.json */
extern const lm_key_rule lm_tokenizer_model_keys[];  /* its model */
extern const lm_key_rule lm_truncation_keys[];       /* its truncation */
extern const lm_key_rule lm_tokenizer_config_keys[]; /* tokenizer_config.json */
extern const lm_key_rule lm_special_map_keys[];      /* special_tokens_map.json */

/* The class that transformers loads the tokenizer with. */
typedef struct lm_token_class {
    const char *name; /* "" where no file tells */
    bool normalizes;  /* it makes its own BertNormalizer from tokenizer_config.json */
    bool is_bert;     /* it makes all stages as BertTokenizer does */
    bool obeys;       /* it takes tokenizer.json as it is */
} lm_token_class;

/*
 * tokenizer_config.json names the class, else config.json does, else config.json's model_type.
 */
lm_token_class lm_token_class_of(const lm_tokenizer_files *files);

/* What the class sets in BertNormalizer; not present where it takes that from tokenizer.json. */
lm_status lm_token_override(lm_context *ctx, const lm_tokenizer_files *files,
                            const lm_token_class *class, lm_bert_override *override);

/* Whether a text that is too long loses its beginning: truncation_side, or tokenizer.json says. */
lm_status lm_token_cuts_left(lm_context *ctx, const lm_tokenizer_files *files, bool *left);

/*
 * Compare a compiled tokenizer with what the class would make. Only where a model is imported or
 * made from another version: without notes nothing is looked at. Marks tokens of the vocabulary.
 */
lm_status lm_token_check_reference(lm_context *ctx, const lm_tokenizer_files *files,
                                   const lm_token_class *class, const lm_bert_override *override,
                                   const lm_token_image *image, lm_vocab *vocab, lm_notes *notes);

#endif
