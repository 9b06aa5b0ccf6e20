/*
 * unicode_sets.h - named sets of scalar values as the regular expressions of the library
 * `tokenizers` know them (its engine Oniguruma has Unicode 16.0), and the two sets that its
 * pre-tokenizers Digits and UnicodeScripts go by. unicode_sets_data.c holds what that library
 * answered, value by value.
 */
#ifndef LM_UNICODE_SETS_H
#define LM_UNICODE_SETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pairs of bounds from lm_unicode_set_bounds[first] on: the first and the last value of a range. */
typedef struct lm_unicode_set {
    const char *name; /* without spaces, '-' and '_'; in lower case */
    uint32_t first, count;
} lm_unicode_set;

extern const uint32_t lm_unicode_set_bounds[];

/*
 * General categories, scripts, and the classes of POSIX; NULL where there is no such name. What
 * Oniguruma has otherwise inside [\p{...}], and as [[:...:]], has '[' or ':' before its name.
 */
const lm_unicode_set *lm_unicode_set_find(const char *name);

/* What Digits calls a digit: every kind of number. */
bool lm_unicode_is_numeric(uint32_t c);

/* The script by which UnicodeScripts cuts; 0: any, which it never cuts off. */
#define LM_SCRIPT_ANY 0u
unsigned lm_unicode_script(uint32_t c);

#endif
