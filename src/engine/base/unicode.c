/*
 * unicode.c - look-ups in the generated tables, and Hangul, which the Unicode standard (chapter
 * 3.12) defines by arithmetic.
 */
#include "base/unicode.h"

#include "base/unicode_data.h"

enum {
    S_BASE = 0xac00,
    L_BASE = 0x1100,
    V_BASE = 0x1161,
    T_BASE = 0x11a7,
    L_COUNT = 19,
    V_COUNT = 21,
    T_COUNT = 28,
    S_COUNT = L_COUNT * V_COUNT * T_COUNT
};

#define TABLE_VALUE(name, c)                                                                      \
    lm_unicode_##name##_value[(uint32_t)                                                          \
                                      lm_unicode_##name##_block[(c) >> lm_unicode_##name##_shift] \
                                  << lm_unicode_##name##_shift |                                  \
                              ((c) & ((1u << lm_unicode_##name##_shift) - 1))]

unsigned
lm_unicode_flags(uint32_t c)
{
    return TABLE_VALUE(flags, c);
}

bool
lm_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
    return (lm_unicode_flags(c) & LM_UNICODE_SPACE) != 0;
}

unsigned
lm_unicode_class(uint32_t c)
{
    return TABLE_VALUE(class, c);
}

/* The pool's sequence at a place, or c itself. */
static size_t
copy_mapping(uint32_t c, unsigned place, uint32_t *out)
{
    if (place == 0) {
        out[0] = c;
        return 1;
    }
    for (size_t i = 0; i < lm_unicode_pool[place]; i++)
        out[i] = lm_unicode_pool[place + 1 + i];
    return lm_unicode_pool[place];
}

static bool
is_hangul(uint32_t c)
{
    return c - S_BASE < S_COUNT;
}

static size_t
decompose_hangul(uint32_t c, uint32_t *out)
{
    uint32_t s = c - S_BASE;

    out[0] = L_BASE + s / (V_COUNT * T_COUNT);
    out[1] = V_BASE + s % (V_COUNT * T_COUNT) / T_COUNT;
    if (s % T_COUNT == 0)
        return 2;
    out[2] = T_BASE + s % T_COUNT;
    return 3;
}

size_t
lm_unicode_nfd(uint32_t c, uint32_t *out)
{
    if (is_hangul(c))
        return decompose_hangul(c, out);
    return copy_mapping(c, TABLE_VALUE(nfd, c), out);
}

size_t
lm_unicode_nfkd(uint32_t c, uint32_t *out)
{
    if (is_hangul(c))
        return decompose_hangul(c, out);
    return copy_mapping(c, TABLE_VALUE(nfkd, c), out);
}

size_t
lm_unicode_lower(uint32_t c, uint32_t *out)
{
    return copy_mapping(c, TABLE_VALUE(lower, c), out);
}

bool
lm_unicode_are_alike(uint32_t c, uint32_t count)
{
    const unsigned flags = lm_unicode_flags(c);

    for (uint32_t stop = c + count; c < stop; c++)
        if (lm_unicode_flags(c) != flags || lm_unicode_class(c) != 0 || is_hangul(c) ||
            TABLE_VALUE(nfd, c) != 0 || TABLE_VALUE(nfkd, c) != 0 || TABLE_VALUE(lower, c) != 0)
            return false;
    return true;
}

static uint32_t
compose_hangul(uint32_t first, uint32_t second)
{
    if (first - L_BASE < L_COUNT && second - V_BASE < V_COUNT)
        return S_BASE + ((first - L_BASE) * V_COUNT + second - V_BASE) * T_COUNT;
    if (is_hangul(first) && (first - S_BASE) % T_COUNT == 0 && second - T_BASE - 1 < T_COUNT - 1)
        return first + second - T_BASE;
    return 0;
}

uint32_t
lm_unicode_compose(uint32_t first, uint32_t second)
{
    uint32_t hangul = compose_hangul(first, second);
    size_t low = 0, high = lm_unicode_pair_count;

    if (hangul)
        return hangul;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const lm_unicode_pair *pair = &lm_unicode_pairs[middle];

        if (pair->first == first && pair->second == second)
            return pair->composed;
        if (pair->first < first || (pair->first == first && pair->second < second))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
