/*
 * replace_regex.h - the normalizer Replace where its pattern is a regular expression.
 */
#ifndef LM_REPLACE_REGEX_H
#define LM_REPLACE_REGEX_H

#include "token/normalize.h"

/* Append the operation of row `kind`. A pattern that may match nothing is LM_UNSUPPORTED. */
lm_status lm_replace_regex_compile(lm_stage_compiler *c, lm_field field, unsigned kind);

lm_normalize_op lm_normalize_replace_regex;

#endif
