/*
 * distinct_n.c - how varied texts are: different n-grams of words for each that there is (Li et al.
 * 2016), over all rows. Words are what stands between white space.
 *
 * An n-gram is kept as its words with a space between each two, so that states merge by bytes.
 */
#include <math.h>
#include <string.h>

#include "metrics/text_measures.h"
#include "metrics/text_tokens.h"

#define N_MAX 9

typedef struct distinct {
    lm_context *ctx;
    lm_intern ngrams;
    uint64_t total;
} distinct;

static lm_status
distinct_create(lm_context *ctx, void **counts)
{
    distinct *d = lm_alloc_zero(ctx, sizeof *d);

    *counts = d;
    if (!d)
        return LM_NO_MEMORY;
    d->ctx = ctx;
    lm_intern_init(&d->ngrams, ctx, "n-grams");
    return LM_OK;
}

static void
distinct_free(void *counts)
{
    distinct *d = counts;

    if (!d)
        return;
    lm_intern_free(&d->ngrams);
    lm_free(d->ctx, d);
}

static lm_status
add_ngram(distinct *d, const char *bytes, size_t length)
{
    uint32_t number;

    LM_TRY(lm_intern_add(&d->ngrams, bytes, length, &number));
    if (++d->total % LM_TEXT_POLL_EVERY == 0)
        LM_TRY(lm_poll(d->ctx));
    return LM_OK;
}

/* `line` has the words seen so far; the last n of them begin at starts, the latest behind. */
static lm_status
add_words(distinct *d, lm_text text, int n, lm_buffer *line)
{
    size_t starts[N_MAX], at = 0, seen = 0;

    for (;; seen++) {
        lm_text word;

        LM_TRY(lm_text_next_word(d->ctx, text, &at, &word));
        if (word.length == 0)
            return LM_OK;
        if (seen > 0)
            LM_TRY(lm_buffer_append_byte(line, ' '));
        starts[seen % (size_t)n] = line->size;
        LM_TRY(lm_buffer_append(line, word.bytes, word.length));
        if (seen + 1 >= (size_t)n) {
            size_t first = starts[(seen + 1) % (size_t)n];

            LM_TRY(add_ngram(d, line->data + first, line->size - first));
        }
    }
}

static lm_status
distinct_add(void *counts, const lm_metric_value *values)
{
    distinct *d = counts;
    lm_buffer line;
    lm_status status;

    lm_buffer_init(&line, d->ctx);
    status =
        add_words(d, (lm_text){values[0].bytes, values[0].length}, (int)values[1].whole, &line);
    lm_buffer_free(&line);
    return status;
}

static lm_status
distinct_merge(void *into, const void *from, const lm_label_map *map)
{
    distinct *to = into;
    const distinct *more = from;

    for (uint32_t i = 0; i < more->ngrams.count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&more->ngrams, i, &length);
        uint32_t number;

        LM_TRY(lm_intern_add(&to->ngrams, bytes, length, &number));
        if ((i + 1) % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(to->ctx));
    }
    to->total += more->total;
    return LM_OK;
}

/* The total, then each n-gram after its length. */
static lm_status
distinct_write(void *counts, lm_buffer *out)
{
    const distinct *d = counts;

    LM_TRY(lm_buffer_append(out, &d->total, sizeof d->total));
    for (uint32_t i = 0; i < d->ngrams.count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&d->ngrams, i, &length);

        LM_TRY(lm_buffer_append(out, &length, sizeof length));
        LM_TRY(lm_buffer_append(out, bytes, length));
        if ((i + 1) % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(d->ctx));
    }
    return LM_OK;
}

static lm_status
not_whole(distinct *d)
{
    return lm_raise(d->ctx, LM_CORRUPT, "the counts of n-grams are not whole");
}

static lm_status
distinct_read(void *counts, const char *bytes, size_t size)
{
    distinct *d = counts;
    uint64_t total;
    size_t at = sizeof total, length;

    if (size < sizeof total)
        return not_whole(d);
    memcpy(&total, bytes, sizeof total);
    while (at < size) {
        if (size - at < sizeof length)
            return not_whole(d);
        memcpy(&length, bytes + at, sizeof length);
        at += sizeof length;
        if (length > size - at)
            return not_whole(d);
        LM_TRY(add_ngram(d, bytes + at, length));
        at += length;
    }
    d->total = total;
    return LM_OK;
}

static const lm_metric_column columns[] = {{"text", LM_METRIC_TEXT}, {NULL, 0}};

const lm_metric_counts lm_distinct_ngrams = {.columns = columns,
                                             .create = distinct_create,
                                             .free = distinct_free,
                                             .add = distinct_add,
                                             .merge = distinct_merge,
                                             .write = distinct_write,
                                             .read = distinct_read};

const lm_metric_column lm_distinct_n_settings[] = {{"n", LM_METRIC_WHOLE}, {NULL, 0}};

lm_status
lm_distinct_n_check(lm_context *ctx, const lm_metric_value *settings)
{
    if (settings->whole >= 1 && settings->whole <= N_MAX)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "n of distinct_n must be between 1 and %d", N_MAX);
    return lm_detail_found(ctx, "%lld", (long long)settings->whole);
}

lm_status
lm_distinct_n_result(void *counts, const lm_metric_value *settings, double *value)
{
    const distinct *d = counts;

    *value = d->total > 0 ? (double)d->ngrams.count / (double)d->total : NAN;
    return LM_OK;
}
