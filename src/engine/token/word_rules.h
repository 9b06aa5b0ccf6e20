/*
 * word_rules.h - the regular expressions by which byte-level tokenizers cut a text into words, as
 * functions over its bytes. Each of them takes every character: words follow each other.
 */
#ifndef LM_WORD_RULES_H
#define LM_WORD_RULES_H

#include "base/context.h"

typedef struct lm_word_scan {
    lm_context *ctx;
    const unsigned char *end; /* of the text: valid UTF-8 */
    lm_status status;         /* a cancel */
} lm_word_scan;

/* The end of the word that starts at p, which is not the end. */
typedef const unsigned char *lm_word_rule(lm_word_scan *scan, const unsigned char *p);

/* Rules are numbered from 1. */
#define LM_WORD_RULE_GPT2 1u

/* By the rule of GPT-2, the end of a word that has a space before p, which is not the end. */
lm_word_rule lm_word_after_space;

/* The number of a regular expression; 0: it is none of these. */
uint32_t lm_word_rule_find(const char *pattern, size_t length);

lm_word_rule *lm_word_rule_of(uint32_t number);

#endif
