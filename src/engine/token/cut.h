/*
 * cut.h - pre-tokenizers that cut by a pattern, a kind of character, a script or a length.
 */
#ifndef LM_CUT_H
#define LM_CUT_H

#include "token/pieces.h"
#include "token/regex.h"

/* What the operation of a Split has as its argument. */
typedef struct lm_split_pattern {
    uint32_t behavior; /* lm_behavior */
    uint32_t invert;   /* what does not match is what matches */
    lm_regex regex;
} lm_split_pattern;

lm_status lm_split_pattern_compile(lm_stage_compiler *c, lm_field field, lm_split_pattern *split);
/* The member `delimiter`: one character. */
lm_status lm_delimiter_read(lm_context *ctx, lm_field field, uint32_t *delimiter);

lm_cut_op lm_cut_pattern;     /* its argument: lm_split_pattern */
lm_cut_op lm_cut_delimiter;   /* uint32_t: the character, which is removed */
lm_cut_op lm_cut_punctuation; /* flags: lm_behavior */
lm_cut_op lm_cut_digits;      /* flags: lm_behavior */
lm_cut_op lm_cut_scripts;
lm_cut_op lm_cut_lengths; /* uint64_t: characters of a word */

#endif
