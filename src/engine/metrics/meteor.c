/*
 * meteor.c - METEOR as nltk computes it (alpha .9, beta 3, gamma .5): words of the hypothesis, the
 * last first, are aligned with the last free equal word of the reference; what is left with equal
 * stems; what is left of those with synonyms. The mean over rows, of several references the best.
 *
 * Words are what stands between white space, in lower case. As in nltk the last stage looks for
 * synonyms of stems.
 */
#include <math.h>
#include <string.h>

#include "base/lower.h"
#include "metrics/porter.h"
#include "metrics/text_measures.h"
#include "metrics/text_sums.h"
#include "metrics/text_tokens.h"

#define ALPHA 0.9
#define GAMMA 0.5
#define NONE SIZE_MAX

/* A pair of texts. */
typedef struct alignment {
    lm_context *ctx;
    const lm_tokens *hypothesis, *reference;
    size_t *match;    /* of each hypothesis word: the reference's word; NONE */
    bool *taken;      /* reference words */
    uint32_t *stems;  /* of words, by their numbers */
    size_t *last;     /* place in the reference of a word, or stem, that is free; NONE */
    size_t *previous; /* the one before that */
} alignment;

static lm_status
cut_lower(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    lm_buffer lower;
    lm_status status;

    lm_buffer_init(&lower, words->ctx);
    status = lm_lower_append(&lower, text.bytes, text.length);
    if (status == LM_OK)
        status = lm_cut_words(NULL, (lm_text){lower.data, lower.size}, words, to);
    lm_buffer_free(&lower);
    return status;
}

/* ---- Stages ---- */

static uint32_t
key_of(const alignment *a, uint32_t word, bool by_stem)
{
    return by_stem ? a->stems[word] : word;
}

/* List the free places of each word of the reference. */
static lm_status
list_places(alignment *a, size_t keys, bool by_stem)
{
    LM_TRY(lm_poll(a->ctx));
    for (size_t key = 0; key < keys; key++)
        a->last[key] = NONE;
    for (size_t j = 0; j < a->reference->count; j++) {
        uint32_t key = key_of(a, a->reference->ids[j], by_stem);

        LM_TRY(lm_text_poll_at(a->ctx, j));
        if (a->taken[j])
            continue;
        a->previous[j] = a->last[key];
        a->last[key] = j;
    }
    return LM_OK;
}

static void
take(alignment *a, size_t i, uint32_t key)
{
    size_t j = a->last[key];

    a->last[key] = a->previous[j];
    a->match[i] = j;
    a->taken[j] = true;
}

static lm_status
match_equal(alignment *a, size_t keys, bool by_stem)
{
    LM_TRY(list_places(a, keys, by_stem));
    for (size_t i = a->hypothesis->count; i-- > 0;) {
        uint32_t key = key_of(a, a->hypothesis->ids[i], by_stem);

        if (a->match[i] == NONE && a->last[key] != NONE)
            take(a, i, key);
        if (i % LM_TEXT_POLL_EVERY == 0)
            LM_TRY(lm_poll(a->ctx));
    }
    return LM_OK;
}

/* ---- Scores ---- */

/* Words that match, and runs of them that are neighbours on both sides. */
static lm_status
count_matches(const alignment *a, size_t *matches, size_t *chunks)
{
    size_t before = NONE;

    *matches = *chunks = 0;
    for (size_t i = 0; i < a->hypothesis->count; i++) {
        bool goes_on = i > 0 && a->match[i - 1] != NONE && a->match[i] == before + 1;

        LM_TRY(lm_text_poll_at(a->ctx, i));
        before = a->match[i];
        if (before == NONE)
            continue;
        ++*matches;
        *chunks += !goes_on;
    }
    return LM_OK;
}

static double
score_of(const alignment *a, size_t matches, size_t chunks)
{
    double precision, recall, mean, fragments;

    if (matches == 0)
        return 0;
    precision = (double)matches / (double)a->hypothesis->count;
    recall = (double)matches / (double)a->reference->count;
    mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall);
    fragments = (double)chunks / (double)matches;
    return (1 - GAMMA * pow(fragments, 3)) * mean;
}

/* ---- Synonyms ---- */

#define SET_END UINT32_MAX

/* What a row's alignments have in common. */
typedef struct meteor_row {
    lm_row_tokens tokens;
    lm_intern stem_words;
    uint32_t *stems; /* of tokens.words, by number */
    lm_tokens sets;  /* stems that mean the same, of those that occur; SET_END behind each set */
} meteor_row;

static lm_status
stem_all(meteor_row *row)
{
    lm_context *ctx = row->tokens.words.ctx;
    uint32_t count = row->tokens.words.count;
    lm_status status = LM_OK;
    lm_buffer stem;

    row->stems = lm_alloc_array(ctx, (size_t)count + 1, sizeof *row->stems);
    if (!row->stems)
        return LM_NO_MEMORY;
    lm_buffer_init(&stem, ctx);
    for (uint32_t i = 0; i < count && status == LM_OK; i++) {
        size_t length;
        const char *word = lm_intern_bytes(&row->tokens.words, i, &length);

        stem.size = 0;
        status = lm_porter_stem((lm_text){word, length}, &stem);
        if (status == LM_OK)
            status = lm_intern_add(&row->stem_words, stem.data, stem.size, &row->stems[i]);
        if (status == LM_OK && (i + 1) % LM_TEXT_POLL_EVERY == 0)
            status = lm_poll(ctx);
    }
    lm_buffer_free(&stem);
    return status;
}

/* Keep those words of a line that are stems of the row. */
static lm_status
read_set(meteor_row *row, lm_text line)
{
    lm_context *ctx = row->stem_words.ctx;
    size_t at = 0, first = row->sets.count;

    for (;;) {
        uint32_t stem;
        bool found;
        lm_text word;

        LM_TRY(lm_text_next_word(ctx, line, &at, &word));
        if (word.length == 0)
            break;
        LM_TRY(lm_intern_find(&row->stem_words, word.bytes, word.length, &found, &stem));
        if (found)
            LM_TRY(lm_tokens_push(ctx, &row->sets, stem));
    }
    if (row->sets.count - first >= 2)
        return lm_tokens_push(ctx, &row->sets, SET_END);
    row->sets.count = first;
    return LM_OK;
}

static lm_status
read_sets(meteor_row *row, const lm_metric_value *synonyms)
{
    const char *at = synonyms->bytes, *end = at ? at + synonyms->length : NULL;
    unsigned lines = 0;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        lm_text line = {at, (size_t)((stop ? stop : end) - at)};

        LM_TRY(read_set(row, line));
        if (++lines % 1024 == 0)
            LM_TRY(lm_poll(row->stem_words.ctx));
        at += line.length + 1;
    }
    return LM_OK;
}

/* The stem whose last free place is the latest, among those that share a set with one; SET_END. */
static lm_status
latest_synonym(const alignment *a, const lm_tokens *sets, uint32_t stem, uint32_t *latest)
{
    *latest = SET_END;
    for (size_t first = 0, end; first < sets->count; first = end + 1) {
        bool member = false;

        for (end = first; sets->ids[end] != SET_END; end++)
            member = member || sets->ids[end] == stem;
        for (size_t k = first; member && k < end; k++) {
            uint32_t other = sets->ids[k];

            if (a->last[other] != NONE && (*latest == SET_END || a->last[other] > a->last[*latest]))
                *latest = other;
        }
    }
    return lm_poll(a->ctx);
}

/* After match_equal by stem, whose lists of free places go on. */
static lm_status
match_synonyms(alignment *a, const lm_tokens *sets)
{
    for (size_t i = a->hypothesis->count; sets->count > 0 && i-- > 0;) {
        uint32_t latest;

        if (a->match[i] != NONE)
            continue;
        LM_TRY(latest_synonym(a, sets, key_of(a, a->hypothesis->ids[i], true), &latest));
        if (latest != SET_END)
            take(a, i, latest);
    }
    return LM_OK;
}

/* ---- Rows ---- */

static lm_status
align(alignment *a, const meteor_row *row)
{
    for (size_t i = 0; i < a->hypothesis->count; i++) {
        LM_TRY(lm_text_poll_at(a->ctx, i));
        a->match[i] = NONE;
    }
    LM_TRY(match_equal(a, row->tokens.words.count, false));
    LM_TRY(match_equal(a, row->stem_words.count, true));
    return match_synonyms(a, &row->sets);
}

static lm_status
score_reference(const meteor_row *row, size_t i, double *score)
{
    lm_context *ctx = row->tokens.words.ctx;
    alignment a = {.ctx = ctx,
                   .hypothesis = &row->tokens.texts[0],
                   .reference = &row->tokens.texts[i],
                   .stems = row->stems};
    size_t matches, chunks;
    lm_status status = LM_NO_MEMORY;

    a.match = lm_alloc_array(ctx, a.hypothesis->count + 1, sizeof *a.match);
    a.taken = a.match ? lm_alloc_zero(ctx, a.reference->count + 1) : NULL;
    a.previous = a.taken ? lm_alloc_array(ctx, a.reference->count + 1, sizeof *a.previous) : NULL;
    a.last = a.previous ? lm_alloc_array(ctx, (size_t)row->tokens.words.count + 1, sizeof *a.last)
                        : NULL;
    if (a.last)
        status = align(&a, row);
    if (status == LM_OK)
        status = count_matches(&a, &matches, &chunks);
    if (status == LM_OK)
        *score = score_of(&a, matches, chunks);
    lm_free(ctx, a.match);
    lm_free(ctx, a.taken);
    lm_free(ctx, a.previous);
    lm_free(ctx, a.last);
    return status;
}

static lm_status
best_score(meteor_row *row, const lm_metric_value *synonyms, double *best)
{
    *best = 0;
    LM_TRY(stem_all(row));
    LM_TRY(read_sets(row, synonyms));
    for (size_t i = 1; i < row->tokens.count; i++) {
        double score;

        LM_TRY(score_reference(row, i, &score));
        *best = score > *best ? score : *best;
    }
    return LM_OK;
}

static lm_status
meteor_add(void *counts, const lm_metric_value *values)
{
    lm_sums *sums = counts;
    meteor_row row = {.stems = NULL};
    double score;
    lm_status status = lm_row_cut(&row.tokens, sums->ctx, values, cut_lower, NULL);

    lm_intern_init(&row.stem_words, sums->ctx, "stems");
    if (status == LM_OK)
        status = best_score(&row, &values[2], &score);
    if (status == LM_OK)
        lm_sums_add_row(sums, score);
    lm_row_free(&row.tokens);
    lm_intern_free(&row.stem_words);
    lm_free(sums->ctx, row.stems);
    lm_free(sums->ctx, row.sets.ids);
    return status;
}

static const lm_metric_column columns[] = {
    {"hypothesis", LM_METRIC_TEXT}, {"references", LM_METRIC_TEXTS}, {NULL, 0}};

LM_SUMS_COUNTS(lm_meteor_sums, 0, columns, meteor_add);

const lm_metric_column lm_meteor_settings[] = {{"synonyms", LM_METRIC_TEXT}, {NULL, 0}};

/* Any text is lines of words. */
lm_status
lm_meteor_check(lm_context *ctx, const lm_metric_value *settings)
{
    return LM_OK;
}
