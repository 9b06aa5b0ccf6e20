/*
 * pattern.h - the patterns of Split and Replace: {"String": …} or {"Regex": …}.
 */
#ifndef LM_PATTERN_H
#define LM_PATTERN_H

#include "token/regex.h"
#include "token/stage.h"

/* The member `pattern`, appended to the image. */
lm_status lm_pattern_compile(lm_stage_compiler *c, lm_field field, lm_regex *regex);

#endif
