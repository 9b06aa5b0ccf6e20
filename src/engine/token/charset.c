/*
 * charset.c - sets of scalar values as sorted ranges.
 */
#include "token/charset.h"

#include <string.h>

#include "base/sort.h"

static lm_status
grow(lm_arena *arena, lm_charset *set)
{
    uint32_t room = set->room ? set->room * 2 : 8;
    lm_char_range *items = lm_arena_array(arena, room, sizeof *items);

    if (!items)
        return LM_NO_MEMORY;
    if (set->count)
        memcpy(items, set->items, set->count * sizeof *items);
    set->items = items;
    set->room = room;
    return LM_OK;
}

lm_status
lm_charset_add(lm_arena *arena, lm_charset *set, uint32_t first, uint32_t last)
{
    if (set->count == set->room)
        LM_TRY(grow(arena, set));
    set->items[set->count++] = (lm_char_range){first, last};
    return LM_OK;
}

lm_status
lm_charset_add_set(lm_arena *arena, lm_charset *set, const lm_charset *other)
{
    for (uint32_t i = 0; i < other->count; i++)
        LM_TRY(lm_charset_add(arena, set, other->items[i].first, other->items[i].last));
    return LM_OK;
}

lm_status
lm_charset_add_named(lm_arena *arena, lm_charset *set, const lm_unicode_set *named, bool negated)
{
    const uint32_t *bounds = lm_unicode_set_bounds + named->first;
    lm_charset all = {0};

    for (uint32_t i = 0; i + 1 < named->count; i += 2)
        LM_TRY(lm_charset_add(arena, &all, bounds[i], bounds[i + 1]));
    if (negated)
        LM_TRY(lm_charset_negate(arena, &all));
    return lm_charset_add_set(arena, set, &all);
}

static int
by_first(const void *a, const void *b)
{
    uint32_t x = ((const lm_char_range *)a)->first, y = ((const lm_char_range *)b)->first;

    return (x > y) - (x < y);
}

/* Neighbours are joined too, so that equal sets have equal ranges. */
lm_status
lm_charset_close(lm_arena *arena, lm_charset *set)
{
    uint32_t kept = 0;

    LM_TRY(lm_sort(arena->ctx, set->items, set->count, sizeof set->items[0], by_first));
    for (uint32_t i = 0; i < set->count; i++) {
        lm_char_range range = set->items[i];

        if (kept == 0 || range.first > set->items[kept - 1].last + 1)
            set->items[kept++] = range;
        else if (range.last > set->items[kept - 1].last)
            set->items[kept - 1].last = range.last;
    }
    set->count = kept;
    return LM_OK;
}

lm_status
lm_charset_negate(lm_arena *arena, lm_charset *set)
{
    lm_charset gaps = {0};
    uint32_t next = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        if (set->items[i].first > next)
            LM_TRY(lm_charset_add(arena, &gaps, next, set->items[i].first - 1));
        next = set->items[i].last + 1;
    }
    if (next <= LM_LAST_SCALAR)
        LM_TRY(lm_charset_add(arena, &gaps, next, LM_LAST_SCALAR));
    *set = gaps;
    return LM_OK;
}

lm_status
lm_charset_intersect(lm_arena *arena, lm_charset *set, const lm_charset *other)
{
    lm_charset both = {0};

    for (uint32_t i = 0, k = 0; i < set->count && k < other->count;) {
        lm_char_range a = set->items[i], b = other->items[k];
        uint32_t first = a.first > b.first ? a.first : b.first;
        uint32_t last = a.last < b.last ? a.last : b.last;

        if (first <= last)
            LM_TRY(lm_charset_add(arena, &both, first, last));
        if (a.last < b.last)
            i++;
        else
            k++;
    }
    *set = both;
    return LM_OK;
}

static bool
has(const lm_charset *set, uint32_t c)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (c >= set->items[i].first && c <= set->items[i].last)
            return true;
    return false;
}

/* The two letters beyond ASCII that are one of ASCII's but for their case. */
static const struct {
    char letter;
    uint32_t other;
} folded[] = {{'s', 0x17f}, {'k', 0x212a}};

lm_status
lm_charset_fold(lm_arena *arena, lm_charset *set)
{
    lm_charset more = {0};

    for (uint32_t c = 'a'; c <= 'z'; c++)
        if (has(set, c) || has(set, c - 'a' + 'A')) {
            LM_TRY(lm_charset_add(arena, &more, c, c));
            LM_TRY(lm_charset_add(arena, &more, c - 'a' + 'A', c - 'a' + 'A'));
        }
    for (size_t i = 0; i < sizeof folded / sizeof folded[0]; i++)
        if (has(&more, (unsigned char)folded[i].letter))
            LM_TRY(lm_charset_add(arena, &more, folded[i].other, folded[i].other));
    LM_TRY(lm_charset_add_set(arena, set, &more));
    return lm_charset_close(arena, set);
}
