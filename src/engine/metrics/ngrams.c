/*
 * ngrams.c - n-grams numbered order by order, and counted.
 */
#include "metrics/ngrams.h"

#include <string.h>

static lm_status number_text(lm_ngrams *ngrams, size_t text, lm_intern *pairs);
static lm_status count_text(lm_ngrams *ngrams, size_t text, uint32_t *counts);

lm_status
lm_ngrams_open(lm_ngrams *ngrams, lm_context *ctx, const lm_tokens *texts, size_t count)
{
    *ngrams = (lm_ngrams){.ctx = ctx, .texts = texts};
    ngrams->numbers = lm_alloc_array(ctx, count, sizeof *ngrams->numbers);
    if (!ngrams->numbers)
        return LM_NO_MEMORY;
    for (; ngrams->count < count; ngrams->count++) {
        size_t tokens = texts[ngrams->count].count;
        uint32_t *numbers = lm_alloc_array(ctx, tokens + 1, sizeof *numbers);

        if (!numbers)
            return LM_NO_MEMORY;
        memset(numbers, 0, tokens * sizeof *numbers);
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

    for (size_t i = 0; i < count; i++) {
        uint32_t pair[2] = {numbers[i], ids[i + ngrams->order - 1]};

        LM_TRY(lm_intern_add(pairs, (const char *)pair, sizeof pair, &numbers[i]));
        if ((i + 1) % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(ngrams->ctx));
    }
    return LM_OK;
}

static lm_status
count_text(lm_ngrams *ngrams, size_t text, uint32_t *counts)
{
    size_t count = lm_ngrams_of(ngrams, text);

    memset(counts, 0, ngrams->different * sizeof *counts);
    for (size_t i = 0; i < count; i++) {
        counts[ngrams->numbers[text][i]]++;
        if ((i + 1) % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(ngrams->ctx));
    }
    return LM_OK;
}

lm_status
lm_ngrams_matches(lm_ngrams *ngrams, size_t first, size_t last, uint64_t *matches)
{
    uint32_t different = ngrams->different, *own, *other, *most;

    *matches = 0;
    if (!ngrams->counts)
        ngrams->counts = lm_alloc_array(ngrams->ctx, (size_t)different + 1, 3 * sizeof *own);
    if (!ngrams->counts)
        return LM_NO_MEMORY;
    own = ngrams->counts, other = own + different, most = other + different;
    LM_TRY(count_text(ngrams, 0, own));
    memset(most, 0, different * sizeof *most);
    for (size_t text = first; text < last; text++) {
        LM_TRY(count_text(ngrams, text, other));
        for (uint32_t i = 0; i < different; i++)
            most[i] = other[i] > most[i] ? other[i] : most[i];
    }
    for (uint32_t i = 0; i < different; i++)
        *matches += own[i] < most[i] ? own[i] : most[i];
    return lm_poll(ngrams->ctx);
}
