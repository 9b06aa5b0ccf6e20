/*
 * unicode_sets.c - look-ups in the generated lists.
 */
#include "base/unicode_sets.h"

#include <string.h>

#include "base/unicode_sets_data.h"

const lm_unicode_set *
lm_unicode_set_find(const char *name)
{
    size_t low = 0, high = lm_unicode_set_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(lm_unicode_sets[middle].name, name);

        if (order == 0)
            return &lm_unicode_sets[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The first range that does not end before c is the only one that may have it. */
bool
lm_unicode_is_numeric(uint32_t c)
{
    const uint32_t *bounds = lm_unicode_set_bounds + lm_unicode_numeric.first;
    size_t low = 0, high = lm_unicode_numeric.count / 2;

    if (c < 0x80)
        return c >= '0' && c <= '9';
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (c > bounds[2 * middle + 1])
            low = middle + 1;
        else
            high = middle;
    }
    return low < lm_unicode_numeric.count / 2 && c >= bounds[2 * low];
}

unsigned
lm_unicode_script(uint32_t c)
{
    size_t low = 0, high = lm_unicode_script_run_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (lm_unicode_script_runs[middle] >> 8 <= c)
            low = middle;
        else
            high = middle;
    }
    return lm_unicode_script_runs[low] & 0xff;
}
