/*
 * unigram.c - a language model by counting words (lang/unigram.h).
 *
 * Only the words and their counts are kept, sorted by their bytes when all are there: neither the
 * order of the rows nor how they were batched decides anything. Memory is bounded by the option
 * max_words: an entry takes up to 70 bytes, and those of its word beyond 8.
 */
#include "train/unigram.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/words.h"
#include "lang/unigram.h"

#define MAX_WORDS_DEFAULT 5000000
#define POLL_EVERY 8192u /* words of the table */

typedef struct unigram_options {
    double k;
    int64_t min_count, max_words;
} unigram_options;

typedef struct unigram {
    lm_context *ctx;
    unigram_options options;
    lm_intern words;
    lm_buffer word;
    uint64_t *counts; /* by number */
    uint32_t room;
    uint64_t total, most; /* words of all texts; the count of the most frequent one */
    uint64_t bytes;       /* of the table's words */
    uint32_t *order;      /* of the words that are kept; NULL before the fit */
    uint32_t kept;
    uint64_t unknown; /* words of all texts that are not kept */
    double loss;
} unigram;

static lm_status count_text(unigram *u, lm_text text);
static lm_status count_word(unigram *u);
static lm_status drop_rare(unigram *u);
static lm_status sum_loss(unigram *u);

static void
unigram_defaults(void *options)
{
    *(unigram_options *)options =
        (unigram_options){.k = 1, .min_count = 1, .max_words = MAX_WORDS_DEFAULT};
}

static lm_status
unigram_open(lm_context *ctx, const void *options, size_t width, void **training)
{
    unigram *u = lm_alloc_zero(ctx, sizeof *u);

    *training = u;
    if (!u)
        return LM_NO_MEMORY;
    u->ctx = ctx;
    u->options = *(const unigram_options *)options;
    lm_intern_init(&u->words, ctx, "words");
    lm_buffer_init(&u->word, ctx);
    return LM_OK;
}

static void
unigram_close(void *training)
{
    unigram *u = training;

    if (!u)
        return;
    lm_intern_free(&u->words);
    lm_buffer_free(&u->word);
    lm_free(u->ctx, u->counts);
    lm_free(u->ctx, u->order);
    lm_free(u->ctx, u);
}

/* ---- Counting ---- */

static lm_status
unigram_add_rows(void *training, const lm_train_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        LM_TRY(count_text(training, rows->texts[0][i]));
    return LM_OK;
}

static lm_status
count_text(unigram *u, lm_text text)
{
    bool found = true;
    lm_words words;

    LM_TRY(lm_words_open(&words, text, &u->word));
    for (;;) {
        LM_TRY(lm_words_next(&words, &found));
        if (!found)
            return LM_OK;
        LM_TRY(count_word(u));
    }
}

static lm_status
refuse_more(const unigram *u)
{
    lm_raise(u->ctx, LM_TOO_LARGE, "too many different words to count");
    lm_detail_allowed(u->ctx, "%lld, by the option max_words, of %u bytes in all",
                      (long long)u->options.max_words, LM_UNIGRAM_BYTES_MAX);
    return lm_detail_hint(u->ctx, "Raise the option max_words, or count fewer texts.");
}

/* A count for each number of the table. */
static lm_status
make_room(unigram *u)
{
    uint32_t room = u->words.room;
    uint64_t *counts;

    if (u->room >= room)
        return LM_OK;
    if (!(counts = lm_realloc(u->ctx, u->counts, room * sizeof *counts)))
        return LM_NO_MEMORY;
    u->counts = counts;
    u->room = room;
    return LM_OK;
}

static lm_status
count_word(unigram *u)
{
    uint32_t before = u->words.count, number;

    LM_TRY(lm_intern_add(&u->words, u->word.data, u->word.size, &number));
    if (number == before) {
        u->bytes += u->word.size;
        if (u->words.count > u->options.max_words || u->bytes > LM_UNIGRAM_BYTES_MAX)
            return refuse_more(u);
        LM_TRY(make_room(u));
        u->counts[number] = 0;
    }
    u->total++;
    if (++u->counts[number] > u->most)
        u->most = u->counts[number];
    return LM_OK;
}

static const char *
unigram_lacking(const void *training, const char **hint)
{
    const unigram *u = training;

    if (u->total == 0) {
        *hint = "A word is a run of letters and digits.";
        return "returned texts without a word";
    }
    if (u->most >= (uint64_t)u->options.min_count)
        return NULL;
    *hint = "Lower the option min_count.";
    return "returned no word as often as min_count";
}

/* ---- Fit ---- */

static lm_status
unigram_fit(void *training, const lm_train_watch *watch)
{
    unigram *u = training;
    lm_train_value loss;

    LM_TRY(lm_intern_sort(&u->words, &u->order));
    LM_TRY(drop_rare(u));
    LM_TRY(sum_loss(u));
    loss = (lm_train_value){"loss", u->loss, false};
    watch->report(watch->opaque, &(lm_train_progress){1, 1, &loss, 1});
    return LM_OK;
}

/* Words below min_count are unknown ones from here on. */
static lm_status
drop_rare(unigram *u)
{
    for (uint32_t i = 0; i < u->words.count; i++) {
        uint32_t number = u->order[i];

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(u->ctx));
        if (u->counts[number] >= (uint64_t)u->options.min_count)
            u->order[u->kept++] = number;
        else
            u->unknown += u->counts[number];
    }
    return LM_OK;
}

/* Mean of −ln p over all words of the texts. */
static lm_status
sum_loss(unigram *u)
{
    double k = u->options.k, sum = 0;

    for (uint32_t i = 0; i < u->kept; i++) {
        uint64_t count = u->counts[u->order[i]];

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(u->ctx));
        sum -= (double)count * lm_unigram_log(k, u->kept, u->total, count);
    }
    if (u->unknown > 0)
        sum -= (double)u->unknown * lm_unigram_log(k, u->kept, u->total, u->unknown);
    u->loss = sum / (double)u->total;
    return LM_OK;
}

/* ---- Files ---- */

static void
add_value(lm_train_outcome *outcome, const char *name, double value)
{
    outcome->values[outcome->value_count++] = (lm_train_value){.name = name, .value = value};
}

static lm_status
unigram_write(void *training, lm_train_outcome *outcome)
{
    const unigram *u = training;
    const lm_unigram_counts counts = {.words = &u->words,
                                      .counts = u->counts,
                                      .order = u->order,
                                      .count = u->kept,
                                      .unknown = u->unknown,
                                      .k = u->options.k};

    memset(outcome, 0, sizeof *outcome);
    outcome->file_count = 2;
    outcome->files[0].name = LM_NGRAM_JSON;
    outcome->files[1].name = LM_NGRAM_TENSORS;
    for (int i = 0; i < 2; i++)
        lm_buffer_init(&outcome->files[i].bytes, u->ctx);
    add_value(outcome, "words", u->kept);
    add_value(outcome, "tokens", (double)u->total);
    add_value(outcome, "unknown", (double)u->unknown);
    add_value(outcome, "loss", u->loss);
    snprintf(outcome->summary, sizeof outcome->summary, "with %u different word%s among %llu",
             u->kept, u->kept == 1 ? "" : "s", (unsigned long long)u->total);
    return lm_unigram_write(u->ctx, &counts, &outcome->files[0].bytes, &outcome->files[1].bytes);
}

static const lm_train_column columns[] = {{"text", LM_TRAIN_TEXT, false}};

static const lm_option options[] = {
    LM_OPTION(unigram_options, k, FLOAT, 0, LM_UNIGRAM_K_MAX, "a number from 0 to 1000000"),
    LM_OPTION(unigram_options, min_count, INT, 1, 1e9, "a whole number from 1 to 1000000000"),
    LM_OPTION(unigram_options, max_words, INT, 1, LM_UNIGRAM_WORDS_MAX,
              "a whole number from 1 to 67108864"),
};

const lm_method lm_method_unigram = {.name = "unigram",
                                     .task = "language_model",
                                     .columns = columns,
                                     .column_count = sizeof columns / sizeof columns[0],
                                     .options = options,
                                     .option_count = sizeof options / sizeof options[0],
                                     .options_size = sizeof(unigram_options),
                                     .defaults = unigram_defaults,
                                     .open = unigram_open,
                                     .add_rows = unigram_add_rows,
                                     .lacking = unigram_lacking,
                                     .fit = unigram_fit,
                                     .write = unigram_write,
                                     .close = unigram_close};
