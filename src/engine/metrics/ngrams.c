/*
 * ngrams.c - n-grams numbered order by order, and counted.
 */
#include "metrics/ngrams.h"

#include <string.h>

static lm_status number_text(lm_ngrams *ngrams, size_t text, lm_intern *pairs);

lm_status
lm_ngrams_open(lm_ngrams *ngrams, lm_context *ctx, const lm_tokens *texts, size_t count)
{
    *ngrams = (lm_ngrams){.ctx = ctx, .texts = texts};
    ngrams->numbers = lm_alloc_array(ctx, count, sizeof *ngrams->numbers);
    if (!ngrams->numbers)
        return LM_NO_MEMORY;
    for (; ngrams->count < count; ngrams->count++) {
        size_t tokens = texts[ngrams->count].count;
        uint32_t *numbers = NULL;

        LM_TRY(lm_poll(ctx));
        if (tokens > 0 && !(numbers = lm_alloc_zero(ctx, tokens * sizeof *numbers)))
            return LM_NO_MEMORY;
        ngrams->numbers[ngrams->count] = numbers;
    }
    return LM_OK;
}

void
lm_ngrams_free(lm_ngrams *ngrams)
{
    for (size_t i = 0; i < ngrams->count; i++)
        lm_free(ngrams->ctx, ngrams->numbers[i]);
    lm_free(ngrams->ctx, ngrams->numbers);
    lm_free(ngrams->ctx, ngrams->counts);
}

size_t
lm_ngrams_of(const lm_ngrams *ngrams, size_t text)
{
    size_t tokens = ngrams->texts[text].count;

    return tokens >= ngrams->order ? tokens - ngrams->order + 1 : 0;
}

lm_status
lm_ngrams_next(lm_ngrams *ngrams)
{
    lm_status status = LM_OK;
    lm_intern pairs;

    lm_intern_init(&pairs, ngrams->ctx, "n-grams");
    ngrams->order++;
    for (size_t i = 0; i < ngrams->count && status == LM_OK; i++)
        status = number_text(ngrams, i, &pairs);
    ngrams->different = pairs.count;
    lm_intern_free(&pairs);
    lm_free(ngrams->ctx, ngrams->counts);
    ngrams->counts = NULL;
    return status;
}

static lm_status
number_text(lm_ngrams *ngrams, size_t text, lm_intern *pairs)
{
    size_t count = lm_ngrams_of(ngrams, text);
    const uint32_t *ids = ngrams->texts[text].ids;
    uint32_t *numbers = ngrams->numbers[text];

    LM_TRY(lm_poll(ngrams->ctx));
    for (size_t i = 0; i < count; i++) {
        uint32_t pair[2] = {numbers[i], ids[i + ngrams->order - 1]};

        LM_TRY(lm_intern_add(pairs, (const char *)pair, sizeof pair, &numbers[i]));
        if ((i + 1) % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(ngrams->ctx));
    }
    return LM_OK;
}

static lm_status
count_text(const lm_ngrams *ngrams, size_t text, uint32_t *counts)
{
    size_t count = lm_ngrams_of(ngrams, text);

    for (size_t i = 0; i < count; i++) {
        counts[ngrams->numbers[text][i]]++;
        LM_TRY(lm_text_poll_at(ngrams->ctx, i));
    }
    return lm_poll(ngrams->ctx);
}

/* Of an order: those of text 0 are counted once for all calls. */
static lm_status
open_counts(lm_ngrams *ngrams)
{
    if (ngrams->counts)
        return LM_OK;
    ngrams->counts =
        lm_alloc_zero(ngrams->ctx, ((size_t)ngrams->different + 1) * 3 * sizeof *ngrams->counts);
    return ngrams->counts ? count_text(ngrams, 0, ngrams->counts) : LM_NO_MEMORY;
}

static uint32_t
least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Raise the largest counts to those of a text, whose own are 0 again; matches grow with them. */
static lm_status
raise_counts(const lm_ngrams *ngrams, size_t text, uint32_t *other, uint32_t *most,
             uint64_t *matches)
{
    size_t count = lm_ngrams_of(ngrams, text);

    for (size_t i = 0; i < count; i++) {
        uint32_t number = ngrams->numbers[text][i], own = ngrams->counts[number];

        LM_TRY(lm_text_poll_at(ngrams->ctx, i));
        if (other[number] > most[number]) {
            *matches += least(own, other[number]) - least(own, most[number]);
            most[number] = other[number];
        }
        other[number] = 0;
    }
    return LM_OK;
}

static lm_status
clear_counts(const lm_ngrams *ngrams, size_t text, uint32_t *counts)
{
    size_t count = lm_ngrams_of(ngrams, text);

    for (size_t i = 0; i < count; i++) {
        counts[ngrams->numbers[text][i]] = 0;
        LM_TRY(lm_text_poll_at(ngrams->ctx, i));
    }
    return LM_OK;
}

/* Takes steps for the n-grams of these texts only, however many there are of others. */
lm_status
lm_ngrams_matches(lm_ngrams *ngrams, size_t first, size_t last, uint64_t *matches)
{
    uint32_t *other, *most;

    *matches = 0;
    LM_TRY(open_counts(ngrams));
    other = ngrams->counts + ngrams->different, most = other + ngrams->different;
    for (size_t text = first; text < last; text++) {
        LM_TRY(count_text(ngrams, text, other));
        LM_TRY(raise_counts(ngrams, text, other, most, matches));
    }
    for (size_t text = first; text < last; text++)
        LM_TRY(clear_counts(ngrams, text, most));
    return LM_OK;
}
