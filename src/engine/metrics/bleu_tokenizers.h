/*
 * bleu_tokenizers.h - sacrebleu's tokenizers 13a, zh, char, intl and none.
 */
#ifndef LM_BLEU_TOKENIZERS_H
#define LM_BLEU_TOKENIZERS_H

#include "metrics/text_tokens.h"

extern const char *const lm_bleu_tokenizer_names[]; /* NULL ends them; 13a is the first */

typedef struct lm_bleu_tokenizer {
    int kind; /* its place in the names */
    bool lowercase;
} lm_bleu_tokenizer;

/* An lm_cut; how is an lm_bleu_tokenizer. */
lm_status lm_cut_bleu(const void *how, lm_text text, lm_intern *words, lm_tokens *to);

/* Set how a tokenizer of TER works; all are off by default. */
typedef struct lm_ter_tokenizer {
    bool normalized, no_punct, case_sensitive;
    bool asian_support; /* the first two go for Chinese and Japanese as well */
} lm_ter_tokenizer;

/* lm_cuts; how is an lm_ter_tokenizer. sacrebleu puts references through the tokenizer twice, which
 * makes a difference where white space is odd. */
lm_status lm_cut_ter(const void *how, lm_text text, lm_intern *words, lm_tokens *to);
lm_status lm_cut_ter_reference(const void *how, lm_text text, lm_intern *words, lm_tokens *to);

#endif
