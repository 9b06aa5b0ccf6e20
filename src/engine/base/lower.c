/*
 * lower.c - lower case in its context: "ΣΑΣ" is "σας".
 */
#include "base/lower.h"

#include <string.h>

#include "base/unicode_sets.h"
#include "base/utf8.h"

#define SIGMA 0x3a3u
#define FINAL_SIGMA 0x3c2u

#define CHARS_PER_POLL 65536

static bool
is_in(const char *set_name, uint32_t c)
{
    const lm_unicode_set *set = lm_unicode_set_find(set_name);
    const uint32_t *bounds = lm_unicode_set_bounds + set->first;
    size_t low = 0, high = set->count / 2, ranges = high;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (c > bounds[2 * middle + 1])
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges && c >= bounds[2 * low];
}

static bool
is_in_one(const char *const *names, size_t count, uint32_t c)
{
    bool found = false;

    for (size_t i = 0; i < count && !found; i++)
        found = is_in(names[i], c);
    return found;
}

static bool
is_cased(uint32_t c)
{
    static const char *const sets[] = {"lower", "upper", "lt"};

    return is_in_one(sets, sizeof sets / sizeof sets[0], c);
}

/* Case_Ignorable of Unicode: marks, formats, modifiers, and what stands within words. */
static bool
is_passed_over(uint32_t c)
{
    static const char *const sets[] = {"mn", "me", "cf", "lm", "sk"};
    static const uint32_t others[] = {'\'',   '.',    ':',    0xb7,   0x387,  0x55f,
                                      0x5f4,  0x2018, 0x2019, 0x2024, 0x2027, 0xfe13,
                                      0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (c == others[i])
            return true;
    return is_in_one(sets, sizeof sets / sizeof sets[0], c);
}

/* A letter that has case stands before it, and none behind it. */
static bool
is_final(const uint32_t *c, size_t count, size_t i)
{
    size_t before = i, after = i + 1;

    while (before > 0 && is_passed_over(c[before - 1]))
        before--;
    while (after < count && is_passed_over(c[after]))
        after++;
    return before > 0 && is_cased(c[before - 1]) && (after == count || !is_cased(c[after]));
}

size_t
lm_lower_at(const uint32_t *c, size_t count, size_t i, uint32_t *out)
{
    if (c[i] != SIGMA || !is_final(c, count, i))
        return lm_unicode_lower(c[i], out);
    *out = FINAL_SIGMA;
    return 1;
}

static lm_status
append_lower(lm_buffer *to, const uint32_t *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t lower[LM_UNICODE_MAX_MAPPING];
        size_t mapped = lm_lower_at(c, count, i, lower);

        if ((i + 1) % CHARS_PER_POLL == 0)
            LM_TRY(lm_poll(to->ctx));
        for (size_t k = 0; k < mapped; k++) {
            char bytes[4];

            LM_TRY(lm_buffer_append(to, bytes, (size_t)lm_utf8_encode(lower[k], bytes)));
        }
    }
    return LM_OK;
}

lm_status
lm_lower_append(lm_buffer *to, const char *text, size_t length)
{
    uint32_t *c = lm_alloc_array(to->ctx, length + 1, sizeof *c);
    size_t count = 0;
    lm_status status = LM_OK;
    int bytes;

    if (!c)
        return LM_NO_MEMORY;
    for (size_t at = 0; at < length && status == LM_OK; at += (size_t)bytes) {
        c[count++] = lm_utf8_decode(text + at, &bytes);
        if (count % CHARS_PER_POLL == 0)
            status = lm_poll(to->ctx);
    }
    if (status == LM_OK)
        status = append_lower(to, c, count);
    lm_free(to->ctx, c);
    return status;
}
