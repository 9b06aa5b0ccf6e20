/*
 * test_search_parts.c - the best of many items against a sort; BM25 against its formula, written
 * out; sentences of texts of several scripts.
 */
#include <math.h>

#include "unit.h"
#include "base/rng.h"
#include "base/sentence.h"
#include "search/bm25.h"
#include "search/topk.h"

#define ITEMS 500

static int
by_score(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x < *y) - (*x > *y);
}

/* Of `count` scores with ties, the k best, the earliest of equal ones first. */
static void
check_top(size_t count, size_t k, uint64_t seed)
{
    double scores[ITEMS], sorted[ITEMS];
    int rows[ITEMS];
    lm_context ctx;
    lm_topk top;
    lm_rng rng;

    lm_context_init(&ctx);
    lm_rng_seed(&rng, seed);
    lm_topk_init(&top, &ctx, k);
    for (size_t i = 0; i < count; i++) {
        void *dropped;

        scores[i] = sorted[i] = (double)(lm_rng_below(&rng, 50));
        if (lm_topk_wants(&top, scores[i])) {
            bool full = top.count == k;

            CHECK_OK(&ctx, lm_topk_add(&top, scores[i], &rows[i], &dropped));
            CHECK((dropped != NULL) == full);
        }
    }
    CHECK(!lm_topk_wants(&top, NAN));
    qsort(sorted, count, sizeof *sorted, by_score);
    lm_topk_sort(&top);
    CHECK(top.count == (count < k ? count : k));
    for (size_t i = 0; i < top.count; i++) {
        size_t row = (size_t)((int *)top.items[i].row - rows);

        CHECK(top.items[i].score == sorted[i] && scores[row] == sorted[i]);
        CHECK(i == 0 || top.items[i].score < top.items[i - 1].score ||
              top.items[i].order > top.items[i - 1].order);
    }
    lm_topk_free(&top);
}

static void
test_topk(void)
{
    for (size_t k = 1; k < 60; k += 7)
        for (size_t count = 0; count <= ITEMS; count += 125)
            check_top(count, k, k * 1000 + count);
}

static void *
no_memory(void *opaque, size_t size)
{
    (void)opaque;
    (void)size;
    return NULL;
}

static void
test_topk_failures(void)
{
    lm_context ctx;
    lm_topk top;
    void *dropped;

    lm_context_init(&ctx);
    lm_topk_init(&top, &ctx, SIZE_MAX);
    ctx.alloc = no_memory;
    CHECK(lm_topk_add(&top, 1, NULL, &dropped) == LM_NO_MEMORY);
    top.count = top.capacity = SIZE_MAX / sizeof(lm_topk_item);
    CHECK(lm_topk_add(&top, 1, NULL, &dropped) == LM_TOO_LARGE);
}

/* Three documents and two terms, by hand: lengths 2, 3 and 5. */
static void
test_bm25(void)
{
    static const int32_t counts[3][2] = {{1, 0}, {2, 1}, {0, 0}};
    static const uint64_t lengths[3] = {2, 3, 5};
    uint64_t containing[2] = {0, 0};
    lm_bm25 all = {.terms = 2, .containing = containing};
    double first = log(1 + 1.5 / 2.5), second = log(1 + 2.5 / 1.5), mean = 10 / 3.0;
    double norm = 1.2 * (.25 + .75 * 3 / mean);

    for (int i = 0; i < 3; i++)
        lm_bm25_count(&all, lengths[i], counts[i]);
    CHECK(all.documents == 3 && all.words == 10 && containing[0] == 2 && containing[1] == 1);
    CHECK(fabs(lm_bm25_idf(3, 2) - first) < 1e-12);
    CHECK(fabs(lm_bm25_score(&all, 3, counts[1]) -
               (first * 2 * 2.2 / (2 + norm) + second * 2.2 / (1 + norm))) < 1e-12);
    CHECK(lm_bm25_score(&all, 5, counts[2]) == 0);
}

/* The sentences of a text, each in brackets. */
static const char *
cut(const char *text)
{
    static char out[400];
    lm_context ctx;
    lm_sentence_walk walk = {.ctx = &ctx, .text = text, .length = strlen(text)};
    lm_sentence sentence;
    bool found = true;
    size_t used = 0;

    lm_context_init(&ctx);
    out[0] = '\0';
    while (true) {
        CHECK_OK(&ctx, lm_sentence_next(&walk, &sentence, &found));
        if (!found)
            return out;
        used += (size_t)snprintf(out + used, sizeof out - used, "[%.*s]",
                                 (int)(sentence.byte_stop - sentence.byte_start),
                                 text + sentence.byte_start);
    }
}

static void
check_cut(const char *text, const char *expected)
{
    const char *found = cut(text);

    CHECK_STR(found, expected);
}

static void
test_sentences(void)
{
    check_cut("", "");
    check_cut(" \n ", "");
    check_cut("One. Two? Three!", "[One.][Two?][Three!]");
    check_cut("  no stop at all ", "[no stop at all]");
    check_cut("\"So.\" (He.) said", "[\"So.\"][(He.)][said]");
    check_cut("pi is 3.14 or so", "[pi is 3.14 or so]");
    check_cut("head\n\nbody\nmore. x", "[head][body\nmore.][x]");
    check_cut("\u4e00\u3002\u4e8c\uff01\u300c\u4e09\u3002\u300d\u56db",
              "[\u4e00\u3002][\u4e8c\uff01][\u300c\u4e09\u3002\u300d][\u56db]");
    check_cut("...", "[...]");
    /* More closing marks than one looks through are no end. */
    check_cut("a.)))))))))))))))))))) b", "[a.)))))))))))))))))))) b]");
}

static bool
always(void *opaque)
{
    (void)opaque;
    return true;
}

static void
test_cancel(void)
{
    size_t length = 200000;
    char *text = malloc(length);
    lm_context ctx;
    lm_sentence_walk walk = {.ctx = &ctx, .text = text, .length = length};
    lm_sentence sentence;
    bool found;

    lm_context_init(&ctx);
    ctx.cancelled = always;
    memset(text, 'x', length);
    CHECK(lm_sentence_next(&walk, &sentence, &found) == LM_CANCELLED);
    memset(text, ' ', length);
    walk = (lm_sentence_walk){.ctx = &ctx, .text = text, .length = length};
    CHECK(lm_sentence_next(&walk, &sentence, &found) == LM_CANCELLED);
    free(text);
}

static const unit_case unit_cases[] = {
    {"topk best of many", test_topk},     {"topk failures", test_topk_failures},
    {"bm25 by hand", test_bm25},          {"sentences", test_sentences},
    {"sentences cancelled", test_cancel},
};

UNIT_MAIN(unit_cases)
