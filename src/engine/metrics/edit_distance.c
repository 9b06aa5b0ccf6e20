/*
 * edit_distance.c - Levenshtein's distance by bits: 64 rows of a column of the table are two words,
 * of where it rises and where it falls (Myers 1999, in Hyyroe's form of 2003). A token's bits over
 * a stripe of the pattern stand in a table of the tokens that are in it.
 *
 * The pattern is cut into stripes of 64 tokens, and the differences on a stripe's lower border
 * are handed to the next one: so memory is linear in the texts, whatever they are.
 */
#include "metrics/edit_distance.h"

#include <string.h>

#define WORD 64
#define CELLS_PER_POLL (1u << 20)

/* A stripe of 64 pattern tokens. */
typedef struct stripe {
    lm_intern alphabet;
    uint64_t bits[WORD]; /* where the token of a number stands in the stripe */
    size_t length;
} stripe;

/* Differences of neighbours along the border below a stripe: -1, 0 or 1 for each text token. */
typedef struct border {
    int8_t *delta;
    size_t length;
} border;

static void
strip_common(lm_tokens *a, lm_tokens *b)
{
    while (a->count > 0 && b->count > 0 && a->ids[0] == b->ids[0]) {
        a->ids++, b->ids++;
        a->count--, b->count--;
    }
    while (a->count > 0 && b->count > 0 && a->ids[a->count - 1] == b->ids[b->count - 1])
        a->count--, b->count--;
}

static lm_status
open_stripe(stripe *s, const uint32_t *pattern, size_t length)
{
    s->length = length;
    memset(s->bits, 0, sizeof s->bits);
    for (size_t i = 0; i < length; i++) {
        uint32_t number;

        LM_TRY(lm_intern_add(&s->alphabet, (const char *)&pattern[i], sizeof *pattern, &number));
        s->bits[number] |= UINT64_C(1) << i;
    }
    return LM_OK;
}

static lm_status
bits_of(const stripe *s, uint32_t token, uint64_t *bits)
{
    uint32_t number;
    bool found;

    LM_TRY(lm_intern_find(&s->alphabet, (const char *)&token, sizeof token, &found, &number));
    *bits = found ? s->bits[number] : 0;
    return LM_OK;
}

/* One column of a stripe; delta comes in from above and goes out below. */
static inline void
advance(uint64_t equal, uint64_t *rises, uint64_t *falls, uint64_t last, int8_t *delta)
{
    uint64_t above_falls = *delta<0, above_rises = *delta> 0;
    uint64_t x = equal | *falls, d, up, down;

    equal |= above_falls;
    d = (((equal & *rises) + *rises) ^ *rises) | equal;
    up = *falls | ~(d | *rises);
    down = *rises & d;
    *delta = (int8_t)(((up & last) != 0) - ((down & last) != 0));
    up = up << 1 | above_rises;
    down = down << 1 | above_falls;
    *rises = down | ~(x | up);
    *falls = up & x;
}

static lm_status
run_stripe(lm_context *ctx, const stripe *s, const lm_tokens *text, border *b)
{
    uint64_t rises = ~UINT64_C(0), falls = 0, last = UINT64_C(1) << (s->length - 1);

    for (size_t i = 0; i < text->count; i++) {
        uint64_t equal;

        LM_TRY(bits_of(s, text->ids[i], &equal));
        advance(equal, &rises, &falls, last, &b->delta[i]);
        if ((i + 1) % CELLS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

/* The distance of the whole: down the left border, then along the lowest one. */
static lm_status
run_stripes(lm_context *ctx, const lm_tokens *pattern, const lm_tokens *text, border *b,
            uint64_t *distance)
{
    size_t cells = 0;
    int64_t sum = (int64_t)pattern->count;

    for (size_t at = 0; at < pattern->count; at += WORD) {
        size_t left = pattern->count - at;
        lm_status status;
        stripe s;

        lm_intern_init(&s.alphabet, ctx, "words");
        status = open_stripe(&s, pattern->ids + at, left < WORD ? left : WORD);
        if (status == LM_OK)
            status = run_stripe(ctx, &s, text, b);
        lm_intern_free(&s.alphabet);
        LM_TRY(status);
        cells += text->count + WORD;
        if (cells >= CELLS_PER_POLL) {
            cells = 0;
            LM_TRY(lm_poll(ctx));
        }
    }
    for (size_t i = 0; i < b->length; i++)
        sum += b->delta[i];
    *distance = (uint64_t)sum;
    return LM_OK;
}

lm_status
lm_edit_distance(lm_context *ctx, const lm_tokens *a, const lm_tokens *b, uint64_t *distance)
{
    lm_tokens pattern = *a, text = *b;
    border low;
    lm_status status;

    strip_common(&pattern, &text);
    *distance = pattern.count + text.count;
    if (pattern.count == 0 || text.count == 0)
        return LM_OK;
    low.length = text.count;
    low.delta = lm_alloc_array(ctx, low.length, sizeof *low.delta);
    if (!low.delta)
        return LM_NO_MEMORY;
    memset(low.delta, 1, low.length);
    status = run_stripes(ctx, &pattern, &text, &low, distance);
    lm_free(ctx, low.delta);
    return status;
}
