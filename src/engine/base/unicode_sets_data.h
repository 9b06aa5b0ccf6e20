/*
 * unicode_sets_data.h - the generated tables as base/unicode_sets.c sees them.
 */
#ifndef LM_UNICODE_SETS_DATA_H
#define LM_UNICODE_SETS_DATA_H

#include "base/unicode_sets.h"

extern const lm_unicode_set lm_unicode_sets[]; /* by name */
extern const size_t lm_unicode_set_count;

extern const lm_unicode_set lm_unicode_numeric; /* what Digits cuts */

/* Runs of values of one script: the first value << 8 | the script's number. */
extern const uint32_t lm_unicode_script_runs[];
extern const size_t lm_unicode_script_run_count;

#endif
