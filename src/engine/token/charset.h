/*
 * charset.h - sets of scalar values while a regular expression is compiled: ranges in an arena.
 *
 * A set is open while ranges are added in any order; lm_charset_close sorts and joins them. All
 * other functions want closed sets.
 */
#ifndef LM_CHARSET_H
#define LM_CHARSET_H

#include "base/arena.h"
#include "base/unicode_sets.h"

#define LM_LAST_SCALAR UINT32_C(0x10ffff)

typedef struct lm_char_range {
    uint32_t first, last;
} lm_char_range;

typedef struct lm_charset {
    lm_char_range *items;
    uint32_t count, room;
} lm_charset;

lm_status lm_charset_add(lm_arena *arena, lm_charset *set, uint32_t first, uint32_t last);
lm_status lm_charset_add_set(lm_arena *arena, lm_charset *set, const lm_charset *other);
/* All that a named set of Unicode has, or all that it has not. */
lm_status lm_charset_add_named(lm_arena *arena, lm_charset *set, const lm_unicode_set *named,
                               bool negated);
lm_status lm_charset_close(lm_arena *arena, lm_charset *set);
lm_status lm_charset_negate(lm_arena *arena, lm_charset *set);
/* Replaces `set` by what both have. */
lm_status lm_charset_intersect(lm_arena *arena, lm_charset *set, const lm_charset *other);
/* Add the other case of ASCII's letters, and what else is one of them but for its case. */
lm_status lm_charset_fold(lm_arena *arena, lm_charset *set);

#endif
