/*
 * test_features.c - words, n-grams and their weights. Values are those of scikit-learn
 * (scripts/make-golden-features.py).
 */
#include <math.h>

#include "fake.h"
#include "features/spec.h"
#include "features/tfidf.h"
#include "features_golden.h"
#include "unit.h"

#define TEXTS (sizeof golden_texts / sizeof golden_texts[0])
#define SETS (sizeof golden_sets / sizeof golden_sets[0])

static lm_tfidf_options
options_of(const golden_features *g)
{
    lm_tfidf_options o;

    lm_tfidf_defaults(&o);
    o.ngrams = (lm_ngram_options){lm_ngram_kind_find(g->ngrams), lm_word_kind_find(g->words),
                                  g->low, g->high, g->lowercase != 0};
    o.binary = g->binary;
    o.sublinear = g->sublinear;
    o.idf = g->idf;
    o.smooth = g->smooth;
    for (int norm = 0; norm < LM_ROW_NORM_COUNT; norm++)
        if (strcmp(lm_row_norm_names[norm], g->norm) == 0)
            o.norm = (lm_row_norm)norm;
    o.min_df = g->min_df;
    o.max_df = g->max_df;
    o.max_features = (uint32_t)g->max_features;
    return o;
}

static lm_status
add_text(lm_tfidf *tfidf, const char *text)
{
    return lm_tfidf_add(tfidf, (lm_text){text, strlen(text)});
}

/* ---- The reference ---- */

static void
check_names(const lm_tfidf *tfidf, const golden_features *g)
{
    size_t length;

    CHECK_EQ_INT(tfidf->count, g->count);
    for (int i = 0; i < g->count; i++) {
        const char *bytes = lm_intern_bytes(&tfidf->names, tfidf->order[i], &length);

        CHECK_EQ_INT(length, strlen(g->names[i]));
        CHECK(memcmp(bytes, g->names[i], length) == 0);
    }
}

static void
check_values(const lm_sparse_rows *rows, const golden_features *g)
{
    for (size_t row = 0; row < TEXTS; row++) {
        const float *wanted = g->values + row * (size_t)g->count;
        size_t at = rows->starts[row];

        for (int i = 0; i < g->count; i++) {
            float value = 0;

            if (at < rows->starts[row + 1] && rows->index[at] == (uint32_t)i)
                value = rows->value[at++];
            CHECK_NEAR(value, wanted[i], 1e-6);
        }
        CHECK_EQ_INT(at, rows->starts[row + 1]);
    }
}

static void
as_the_reference(void)
{
    for (size_t i = 0; i < SETS; i++) {
        fake_memory memory = {0};
        lm_tfidf_options options = options_of(&golden_sets[i]);
        lm_context ctx;
        lm_tfidf tfidf;

        fake_context(&ctx, &memory);
        lm_tfidf_init(&tfidf, &ctx, &options);
        for (size_t row = 0; row < TEXTS; row++)
            CHECK_OK(&ctx, add_text(&tfidf, golden_texts[row]));
        CHECK_OK(&ctx, lm_tfidf_finish(&tfidf));
        check_names(&tfidf, &golden_sets[i]);
        check_values(&tfidf.rows, &golden_sets[i]);
        lm_tfidf_free(&tfidf);
        CHECK_EQ_INT(memory.live, 0);
    }
}

/* ---- Words ---- */

static void
check_cut(const char *kind, const char *text, const char *wanted)
{
    char joined[200] = "";
    lm_context ctx;
    lm_stretches words;

    lm_context_init(&ctx);
    lm_stretches_init(&words, &ctx);
    CHECK_OK(&ctx, lm_words_cut(lm_word_kind_find(kind), (lm_text){text, strlen(text)}, &words));
    for (size_t i = 0; i < words.count; i++) {
        strncat(joined, text + words.items[i].start, words.items[i].stop - words.items[i].start);
        strcat(joined, "|");
    }
    CHECK_STR(joined, wanted);
    lm_stretches_free(&words);
}

static void
words(void)
{
    check_cut("words", "a bc, d_e 3.14 \xe6\x9c\xba\xe5\x99\xa8",
              "bc|d_e|14|\xe6\x9c\xba\xe5\x99\xa8|");
    check_cut("unicode", "a bc, d_e 3.14 \xe6\x9c\xba\xe5\x99\xa8x",
              "a|bc|d_e|3|14|\xe6\x9c\xba|\xe5\x99\xa8|x|");
    check_cut("unicode", "x\xe6\x9c\xba", "x|\xe6\x9c\xba|");
    check_cut("unicode", "e\xcc\x81s", "e\xcc\x81s|");
    check_cut("whitespace",
              " a\x1c"
              "b\xc2\xa0"
              "c.d\n",
              "a|b|c.d|");
    check_cut("words", "", "");
    CHECK(!lm_word_kind_find("sentences"));
    CHECK(!lm_ngram_kind_find("byte"));
}

/* ---- Buckets ---- */

/* Pinned: they are part of stored models. */
static void
buckets(void)
{
    lm_tfidf_options options;
    lm_context ctx;
    lm_tfidf tfidf;

    lm_tfidf_defaults(&options);
    options.hash_bits = 10;
    options.hash_seed = 7;
    CHECK_EQ_INT(lm_tfidf_bucket(&options, "cat", 3), 795);
    CHECK_EQ_INT(lm_tfidf_bucket(&options, "", 0), 335);
    lm_context_init(&ctx);
    lm_tfidf_init(&tfidf, &ctx, &options);
    CHECK_OK(&ctx, add_text(&tfidf, "cat cat dog"));
    CHECK_OK(&ctx, add_text(&tfidf, "dog"));
    CHECK_OK(&ctx, lm_tfidf_finish(&tfidf));
    CHECK_EQ_INT(tfidf.count, 2);
    CHECK(tfidf.order[0] < tfidf.order[1]);
    CHECK_EQ_INT(tfidf.rows.rows, 2);
    CHECK_EQ_INT(tfidf.rows.used, 3);
    CHECK_NEAR(tfidf.rows.value[2], 1, 1e-6);
    lm_tfidf_free(&tfidf);
}

/* ---- Many ---- */

/* More numbers than are sorted by insertion, of all sizes. */
static void
many_numbers(void)
{
    lm_context ctx;
    lm_numbers numbers;
    size_t times = 0;

    lm_context_init(&ctx);
    lm_numbers_init(&numbers, &ctx);
    for (uint32_t i = 0; i < 3000; i++)
        CHECK_OK(&ctx, lm_numbers_add(&numbers, i % 1000 * 4294967u));
    CHECK_OK(&ctx, lm_numbers_count(&numbers));
    CHECK_EQ_INT(numbers.count, 1000);
    for (size_t i = 0; i < numbers.count; i++) {
        CHECK_EQ_INT(numbers.items[i], i * 4294967u);
        times += (size_t)numbers.counts[i];
    }
    CHECK_EQ_INT(times, 3000);
    lm_numbers_free(&numbers);
}

static lm_status learn(lm_context *ctx, const lm_tfidf_options *options, const char *long_text);

/* So many that they are counted on the way: the memory is that of different ones. */
static lm_status
count_often(lm_context *ctx, size_t count, uint32_t different)
{
    lm_numbers numbers;
    lm_status status = LM_OK;
    size_t times = 0;

    lm_numbers_init(&numbers, ctx);
    for (uint32_t i = 0; i < count && status == LM_OK; i++)
        status = lm_numbers_add(&numbers, (uint32_t)(i * UINT64_C(7919) % different));
    CHECK(numbers.room <= (different < 65536 ? 65536u : 4194304u));
    if (status == LM_OK)
        status = lm_numbers_count(&numbers);
    if (status == LM_OK)
        CHECK_EQ_INT(numbers.count, different < count ? different : count);
    for (size_t i = 0; i < numbers.count && status == LM_OK; i++) {
        CHECK(i == 0 || numbers.items[i] > numbers.items[i - 1]);
        times += (size_t)numbers.counts[i];
    }
    if (status == LM_OK)
        CHECK_EQ_INT(times, count);
    lm_numbers_free(&numbers);
    return status;
}

static void
numbers_are_folded(void)
{
    lm_status status = LM_NO_MEMORY;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, count_often(&ctx, 1500000, 100));
    CHECK_OK(&ctx, count_often(&ctx, 200000, 200000));
    for (int at = 1; status == LM_NO_MEMORY && at < 100; at++) {
        fake_memory memory = {.fail_at = at};

        fake_context(&ctx, &memory);
        status = count_often(&ctx, 150000, 100003);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    status = LM_CANCELLED;
    for (int at = 1; status == LM_CANCELLED && at < 100; at++) {
        fake_memory memory = {.stop_at = at};

        fake_context(&ctx, &memory);
        status = count_often(&ctx, 2200000, 1500000);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

/* A few n-grams of many bytes poll as many short ones do. */
static void
long_words_poll(void)
{
    const size_t words = 100, letters = 5000;
    char *text = malloc(words * (letters + 1) + 1);
    fake_memory few = {0}, many = {0};
    lm_tfidf_options options;
    lm_context ctx;

    memset(text, 'a', words * (letters + 1));
    for (size_t i = 0; i < words; i++)
        text[i * (letters + 1) + letters] = ' ';
    text[words * (letters + 1)] = '\0';
    lm_tfidf_defaults(&options);
    options.ngrams.high = 1;
    fake_context(&ctx, &few);
    CHECK_OK(&ctx, learn(&ctx, &options, text));
    options.ngrams.high = 32;
    fake_context(&ctx, &many);
    CHECK_OK(&ctx, learn(&ctx, &options, text));
    CHECK(many.polls - few.polls > 100);
    free(text);
}

/* ---- Refusals ---- */

/* As if so many had been added. */
static void
long_lists(void)
{
    lm_stretches list;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_stretches_init(&list, &ctx);
    list.count = list.room = LM_STRETCHES_MAX;
    CHECK_EQ_INT(lm_stretches_add(&list, 0, 1), LM_TOO_LARGE);
    CHECK_STR(ctx.error.message, "a text is too long for n-grams");
    lm_stretches_free(&list);
}

static void
refusals(void)
{
    lm_tfidf_options options;
    lm_context ctx;
    lm_tfidf tfidf;

    lm_tfidf_defaults(&options);
    options.max_counted = 2;
    lm_context_init(&ctx);
    lm_tfidf_init(&tfidf, &ctx, &options);
    CHECK_EQ_INT(add_text(&tfidf, "a\xff"), LM_BAD_TEXT);
    CHECK_OK(&ctx, add_text(&tfidf, "one two"));
    CHECK_EQ_INT(add_text(&tfidf, "three"), LM_TOO_LARGE);
    CHECK_STR(ctx.error.message, "the texts have too many different n-grams");
    lm_tfidf_free(&tfidf);
    lm_tfidf_init(&tfidf, &ctx, &options);
    CHECK_OK(&ctx, add_text(&tfidf, "a b c"));
    CHECK_EQ_INT(lm_tfidf_finish(&tfidf), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.message, "no n-gram of the texts is left as a feature");
    lm_tfidf_free(&tfidf);
}

/* ---- Faults ---- */

static lm_status
learn(lm_context *ctx, const lm_tfidf_options *options, const char *long_text)
{
    lm_tfidf tfidf;
    lm_status status = LM_OK;

    lm_tfidf_init(&tfidf, ctx, options);
    for (size_t row = 0; row < TEXTS && status == LM_OK; row++)
        status = add_text(&tfidf, golden_texts[row]);
    if (status == LM_OK && long_text)
        status = add_text(&tfidf, long_text);
    if (status == LM_OK)
        status = lm_tfidf_finish(&tfidf);
    lm_tfidf_free(&tfidf);
    return status;
}

static void
every_allocation(void)
{
    for (size_t i = 0; i < SETS; i++) {
        lm_tfidf_options options = options_of(&golden_sets[i]);
        lm_status status = LM_NO_MEMORY;

        options.hash_bits = i % 2 ? 8 : 0;
        for (int at = 1; status == LM_NO_MEMORY && at < 2000; at++) {
            fake_memory memory = {.fail_at = at};
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = learn(&ctx, &options, NULL);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

/* A text that is long enough for every loop to ask. */
static void
every_poll(void)
{
    static const char *const kinds[] = {"word", "char", "char_wb"};
    const size_t length = 60000;
    char *text = malloc(length + 1);

    for (size_t i = 0; i < length; i++)
        text[i] = i % 3 == 2 ? ' ' : (char)('a' + i * 7919 % 26);
    text[length] = '\0';
    for (int kind = 0; kind < 3; kind++) {
        lm_tfidf_options options;
        lm_status status = LM_CANCELLED;

        lm_tfidf_defaults(&options);
        options.ngrams.kind = lm_ngram_kind_find(kinds[kind]);
        options.ngrams.high = 2;
        options.max_features = 2;
        options.hash_bits = 12;
        for (int at = 1; status == LM_CANCELLED && at < 2000; at++) {
            fake_memory memory = {.stop_at = at};
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = learn(&ctx, &options, text);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
    free(text);
}

/* ---- Features as options say them ---- */

static void
refuse_spec(lm_tfidf_spec spec, const char *key)
{
    lm_tfidf_options options;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_tfidf_spec_read(&ctx, &spec, &options), LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.key, key);
}

static char *
word(const char *of)
{
    return (char *)(uintptr_t)of;
}

static void
specs_read(void)
{
    lm_tfidf_options options;
    lm_tfidf_spec plain, spec;
    lm_context ctx;

    lm_context_init(&ctx);
    lm_tfidf_spec_defaults(&plain);
    CHECK_OK(&ctx, lm_tfidf_spec_read(&ctx, &plain, &options));
    CHECK(!options.also.kind);
    spec = plain;
    spec.also = word("char_wb");
    spec.also_min = 3;
    spec.also_max = 5;
    spec.max_features = (int64_t)options.max_counted;
    CHECK_OK(&ctx, lm_tfidf_spec_read(&ctx, &spec, &options));
    CHECK(options.also.kind == lm_ngram_kind_find("char_wb"));
    CHECK_EQ_INT(options.also.low, 3);
    CHECK_EQ_INT(options.also.high, 5);
    CHECK(options.also.words == options.ngrams.words);
    CHECK_EQ_INT(options.max_counted, 2 * spec.max_features);
    spec = plain;
    spec.ngrams = word("letters");
    refuse_spec(spec, "ngrams");
    spec = plain;
    spec.words = word("all");
    refuse_spec(spec, "words");
    spec = plain;
    spec.norm = word("l3");
    refuse_spec(spec, "norm");
    spec = plain;
    spec.also = word("letters");
    refuse_spec(spec, "also");
    spec = plain;
    spec.ngram_min = spec.ngram_max + 1;
    refuse_spec(spec, "ngram_max");
    spec = plain;
    spec.also_min = spec.also_max + 1;
    refuse_spec(spec, "also_max");
    spec = plain;
    spec.hash_bits = 7;
    refuse_spec(spec, "hash_bits");
}

static const unit_case cases[] = {
    {"as the reference", as_the_reference},
    {"words", words},
    {"buckets", buckets},
    {"many numbers", many_numbers},
    {"numbers are folded", numbers_are_folded},
    {"long words poll", long_words_poll},
    {"long lists", long_lists},
    {"refusals", refusals},
    {"features as options say", specs_read},
    {"every allocation", every_allocation},
    {"every poll", every_poll},
};

UNIT_MAIN(cases)
