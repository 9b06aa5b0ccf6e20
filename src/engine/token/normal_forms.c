/*
 * normal_forms.c - NFD, NFKD, NFC and NFKC.
 *
 * Canonical order moves marks but not places: these are given out in the order of the text.
 */
#include "token/normalize.h"

#include <string.h>

#include "base/unicode.h"

/* Stable sort by class, by insertion: for the few marks that texts have. */
static void
sort_few(uint32_t *c, int32_t *tag, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && tag[k - 1] >> 1 > tag[k] >> 1; k--) {
            uint32_t moved = c[k];
            int32_t moved_tag = tag[k];

            c[k] = c[k - 1];
            tag[k] = tag[k - 1];
            c[k - 1] = moved;
            tag[k - 1] = moved_tag;
        }
}

/* The same by counting: for runs that were made to be long. */
static lm_status
sort_many(lm_context *ctx, uint32_t *c, int32_t *tag, size_t count)
{
    size_t starts[256 + 1] = {0};
    uint32_t *copy = lm_alloc_array(ctx, 2 * count, sizeof *copy);

    if (!copy)
        return LM_NO_MEMORY;
    memcpy(copy, c, count * sizeof *copy);
    memcpy(copy + count, tag, count * sizeof *copy);
    for (size_t i = 0; i < count; i++)
        starts[(tag[i] >> 1) + 1]++;
    for (size_t i = 1; i < 256; i++)
        starts[i] += starts[i - 1];
    for (size_t i = 0; i < count; i++) {
        size_t place = starts[(int32_t)copy[count + i] >> 1]++;

        c[place] = copy[i];
        tag[place] = (int32_t)copy[count + i];
    }
    lm_free(ctx, copy);
    return LM_OK;
}

/*
 * Put the marks from `start` on into canonical order. Until places are given out, `at` holds
 * class << 1 | whether the character is one that a mapping inserted; these tags move along.
 */
static lm_status
sort_marks(lm_context *ctx, lm_chars *to, size_t start)
{
    size_t count = to->count - start;

    if (count > 16)
        return sort_many(ctx, to->c + start, to->at + start, count);
    sort_few(to->c + start, to->at + start, count);
    return LM_OK;
}

/* Characters mapped and in canonical order, with tags. */
static lm_status
decompose(lm_context *ctx, const lm_chars *from, lm_chars *to,
          size_t (*map)(uint32_t c, uint32_t *out))
{
    size_t run = 0; /* where the run of marks starts */

    for (size_t i = 0; i < from->count; i++) {
        uint32_t mapped[LM_UNICODE_MAX_MAPPING];
        size_t length = map(from->c[i], mapped);

        LM_TRY(lm_poll_step(ctx, i));
        LM_TRY(lm_chars_reserve(ctx, to, to->count + length));
        for (size_t k = 0; k < length; k++) {
            unsigned class = lm_unicode_class(mapped[k]);

            if (class == 0) {
                LM_TRY(sort_marks(ctx, to, run));
                run = to->count + 1;
            }
            lm_chars_put(to, mapped[k], (int32_t)(class << 1 | (k > 0)));
        }
    }
    return sort_marks(ctx, to, run);
}

/*
 * Tags become changes, as the reference counts them: 1 for a character that was inserted, else
 * minus the number of characters of the text that it takes beyond its own.
 */
static lm_status
count_changes(lm_context *ctx, lm_chars *to)
{
    for (size_t i = 0; i < to->count; i++) {
        LM_TRY(lm_poll_step(ctx, i));
        to->at[i] &= 1;
    }
    return LM_OK;
}

/* Canonical composition (Unicode 3.11, D117), on changes. */
static lm_status
compose(lm_context *ctx, lm_chars *to)
{
    size_t count = 0, starter = 0;
    unsigned last = 256; /* class of the character before; above all others: there is no starter */

    for (size_t i = 0; i < to->count; i++) {
        unsigned class = lm_unicode_class(to->c[i]);
        uint32_t composed = 0;

        LM_TRY(lm_poll_step(ctx, i));
        if (last < class || last == 0)
            composed = lm_unicode_compose(to->c[starter], to->c[i]);
        if (composed) {
            to->c[starter] = composed;
            to->at[starter] += to->at[i] - 1;
            continue;
        }
        if (class == 0)
            starter = count;
        if (class == 0 || last != 256)
            last = class;
        to->c[count] = to->c[i];
        to->at[count++] = to->at[i];
    }
    to->count = count;
    return LM_OK;
}

lm_status
lm_normalize_places(lm_context *ctx, const lm_chars *from, lm_chars *to)
{
    size_t next = 0;

    for (size_t i = 0; i < to->count; i++) {
        int32_t change = to->at[i];

        LM_TRY(lm_poll_step(ctx, i));
        if (change > 0) {
            to->at[i] = from->at[next > 0 ? next - 1 : 0];
            continue;
        }
        to->at[i] = from->at[next < from->count ? next : from->count - 1];
        next += 1 + (size_t)-change;
    }
    return LM_OK;
}

/* A normal form: decomposed by `map`, and for NFC and NFKC composed again. */
static lm_status
normal_form(lm_context *ctx, const lm_chars *from, lm_chars *to,
            size_t (*map)(uint32_t c, uint32_t *out), bool composed)
{
    LM_TRY(decompose(ctx, from, to, map));
    LM_TRY(count_changes(ctx, to));
    if (composed)
        LM_TRY(compose(ctx, to));
    return lm_normalize_places(ctx, from, to);
}

lm_status
lm_normalize_nfd(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                 const lm_chars *from, lm_chars *to)
{
    return normal_form(ctx, from, to, lm_unicode_nfd, false);
}

lm_status
lm_normalize_nfkd(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                  const lm_chars *from, lm_chars *to)
{
    return normal_form(ctx, from, to, lm_unicode_nfkd, false);
}

lm_status
lm_normalize_nfc(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                 const lm_chars *from, lm_chars *to)
{
    return normal_form(ctx, from, to, lm_unicode_nfd, true);
}

lm_status
lm_normalize_nfkc(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                  const lm_chars *from, lm_chars *to)
{
    return normal_form(ctx, from, to, lm_unicode_nfkd, true);
}
