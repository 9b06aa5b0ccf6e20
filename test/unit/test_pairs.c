/*
 * test_pairs.c - all pairs and the nearest ones, against what comparing all with all finds.
 */
#include "search/pairs.h"
#include "base/rng.h"
#include "fake.h"
#include "kernels/kernels.h"
#include "search/distance.h"
#include "search/sketch.h"
#include "unit.h"

#define MAX_FOUND 400000

/* What was told, as a set: bit or similarity of each pair. */
typedef struct findings {
    size_t rows, columns, count, doubled, stop_at;
    double *similarity; /* (rows, columns); −2: not told */
    size_t *order;      /* of columns as told, a row's one behind the other */
    lm_context *ctx;
} findings;

static lm_status
record(void *opaque, size_t left, size_t right, double similarity)
{
    findings *f = opaque;
    double *cell = &f->similarity[left * f->columns + right];

    if (f->stop_at && f->count + 1 >= f->stop_at)
        return lm_raise(f->ctx, LM_IO_ERROR, "a fault of the test");
    f->doubled += *cell != -2;
    *cell = similarity;
    if (f->order && f->count < MAX_FOUND)
        f->order[f->count] = right;
    f->count++;
    return LM_OK;
}

static void
clear(findings *f, size_t rows, size_t columns)
{
    f->rows = rows;
    f->columns = columns;
    f->count = f->doubled = 0;
    f->similarity = malloc(rows * columns * sizeof(double));
    for (size_t i = 0; i < rows * columns; i++)
        f->similarity[i] = -2;
}

/* About normal. */
static float
draw(lm_rng *rng)
{
    double sum = -3;

    for (int i = 0; i < 6; i++)
        sum += lm_rng_uniform(rng);
    return (float)sum;
}

/*
 * Some centres, and rows around them at distances that differ; the spectrum falls off, as that of
 * embeddings does. Without centres, noise that goes all ways.
 */
static float *
make_rows(size_t rows, size_t width, size_t centres, uint64_t seed)
{
    float *x = malloc(rows * width * sizeof(float));
    float *c = malloc((centres + 1) * width * sizeof(float));
    lm_rng rng;

    lm_rng_seed(&rng, seed);
    for (size_t i = 0; i < centres * width; i++)
        c[i] = draw(&rng) / (1 + 0.05f * (float)(i % width));
    for (size_t i = 0; i < rows; i++) {
        const float noise = centres ? 0.4f * (float)lm_rng_uniform(&rng) : 1;
        const float *centre = centres ? c + lm_rng_below(&rng, centres) * width : NULL;

        for (size_t j = 0; j < width; j++)
            x[i * width + j] = (centre ? centre[j] : 0) +
                               noise * draw(&rng) / (centres ? 1 + 0.05f * (float)j : 1);
    }
    free(c);
    return x;
}

typedef struct search_sets {
    size_t width, left, right;
    const float *a, *b;
} search_sets;

/* In blocks of the left and of the right. */
static lm_status
run(lm_context *ctx, const search_sets *s, lm_pairs_options options, size_t block, findings *f)
{
    lm_pairs *pairs;
    lm_status status;

    options.width = s->width;
    options.sample = s->b;
    options.sample_rows = s->right;
    options.sink = record;
    options.opaque = f;
    f->ctx = ctx;
    status = lm_pairs_open(ctx, &options, &pairs);
    for (size_t i = 0; status == LM_OK && i < s->left; i += block) {
        const size_t some = i + block < s->left ? block : s->left - i;

        status = lm_pairs_left(pairs, i, some, s->a + i * s->width);
        for (size_t j = 0; status == LM_OK && j < s->right; j += block)
            status = lm_pairs_right(pairs, j, j + block < s->right ? block : s->right - j,
                                    s->b + j * s->width);
        if (status == LM_OK)
            status = lm_pairs_finish(pairs);
    }
    lm_pairs_close(pairs);
    return status;
}

static double
similarity_of(const search_sets *s, size_t i, size_t j)
{
    return 1 - lm_cosine_distance(s->width, s->a + i * s->width, s->b + j * s->width);
}

/* All pairs, by brute force (of each n-th row), of which `f` are to be exactly those: how many. */
static size_t
check_all(const search_sets *s, bool same, double threshold, const findings *f)
{
    size_t wanted = 0, wrong = 0;

    for (size_t i = unit_turn() % unit_stride(); i < s->left; i += unit_stride())
        for (size_t j = same ? i + 1 : 0; j < s->right; j++) {
            const double similarity = similarity_of(s, i, j);
            const bool above = similarity >= threshold;

            wanted += above;
            wrong += f->similarity[i * s->right + j] != (above ? similarity : -2);
        }
    CHECK_EQ_INT(wrong, 0);
    CHECK(unit_stride() > 1 || f->count == wanted);
    CHECK_EQ_INT(f->doubled, 0);
    return f->count;
}

static size_t
check_same(size_t rows, size_t width, const float *x, double threshold, size_t block)
{
    const search_sets s = {width, rows, rows, x, x};
    findings f = {0};
    lm_context ctx;
    size_t count;

    lm_context_init(&ctx);
    clear(&f, rows, rows);
    CHECK_OK(&ctx,
             run(&ctx, &s, (lm_pairs_options){.threshold = threshold, .same = true}, block, &f));
    count = check_all(&s, true, threshold, &f);
    free(f.similarity);
    return count;
}

static void
test_all_pairs(void)
{
    static const size_t widths[] = {1, 3, 64, 128, 129, 200, 384};
    static const double thresholds[] = {-1, 0.3, 0.9, 0.95, 1};

    for (size_t w = 0; w < 7; w++)
        for (size_t centres = 0; centres < 60; centres += 40) {
            float *x = make_rows(300, widths[w], centres, 3 + w);

            for (size_t t = 0; t < 5; t++) {
                const size_t count = check_same(300, widths[w], x, thresholds[t], 300);

                CHECK(thresholds[t] > -1 || count == 300 * 299 / 2);
                CHECK(centres == 0 || thresholds[t] != 0.9 || count > 50);
            }
            free(x);
        }
}

/* More rows than a tile, by blocks of any size, at every level of instructions. */
static void
test_blocks_and_levels(void)
{
    const lm_level best = lm_kernels_best();
    float *x = make_rows(1700, 160, 90, 21);

    for (lm_level level = LM_LEVEL_SCALAR; level <= best; level++) {
        lm_kernels_select(level);
        CHECK(check_same(1700, 160, x, 0.9, 1700) > 1000);
    }
    lm_kernels_select(best);
    CHECK(check_same(1700, 160, x, 0.9, 333) > 1000);
    CHECK(check_same(1, 160, x, 0.9, 1) == 0);
    CHECK(check_same(0, 160, x, 0.9, 1) == 0);
    free(x);
}

/* The threshold is the similarity of pairs that there are: they are told, and what is less is not.
 */
static void
test_ties(void)
{
    float *x = make_rows(400, 384, 12, 5);
    const search_sets s = {384, 400, 400, x, x};

    for (size_t i = 0; i < 400; i += 57) {
        const double exact = similarity_of(&s, i, (i * 7 + 1) % 400);

        CHECK(check_same(400, 384, x, exact, 400) > 0);
        CHECK(check_same(400, 384, x, exact + 1e-15, 400) < 400 * 399 / 2);
    }
    free(x);
}

/* Copies, multiples, opposites, zeros, and numbers at the ends of float. */
static void
test_odd_rows(void)
{
    static const float factors[] = {1, 0, -1, 1e-30f, 1e30f, 3, 0.5f, 0};
    float *x = make_rows(256, 192, 8, 11);

    for (size_t i = 0; i < 256; i++)
        for (size_t j = 0; j < 192; j++)
            x[i * 192 + j] =
                (i % 16 < 8 ? x[i / 64 * 64 * 192 + j] : x[i * 192 + j]) * factors[i % 8];
    CHECK(check_same(256, 192, x, 1 - 1e-6, 256) > 500);
    check_same(256, 192, x, 0.9, 100);
    check_same(256, 192, x, -1, 256);
    memset(x, 0, 256 * 192 * sizeof(float));
    CHECK(check_same(256, 192, x, -1, 256) == 0);
    x[5 * 192] = 1;
    x[9 * 192] = 2;
    CHECK(check_same(256, 192, x, 0.99, 256) == 1);
    free(x);
}

static int
compare_found(const void *a, const void *b)
{
    const double *x = a, *y = b; /* similarity, row */

    if (x[0] != y[0])
        return x[0] > y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : 1;
}

/* The nearest of each row, in order, as sorting all finds them. */
static void
check_nearest(const search_sets *s, size_t nearest, double threshold, size_t block)
{
    findings f = {.order = malloc(MAX_FOUND * sizeof(size_t))};
    double *all = malloc(s->right * 2 * sizeof(double));
    size_t at = 0, wrong = 0;
    lm_context ctx;

    lm_context_init(&ctx);
    clear(&f, s->left, s->right);
    CHECK_OK(&ctx, run(&ctx, s, (lm_pairs_options){.threshold = threshold, .nearest = nearest},
                       block, &f));
    for (size_t i = 0; i < s->left; i++) {
        size_t count = 0;

        for (size_t j = 0; j < s->right; j++)
            if (similarity_of(s, i, j) >= threshold) {
                all[2 * count] = similarity_of(s, i, j);
                all[2 * count++ + 1] = (double)j;
            }
        qsort(all, count, 2 * sizeof(double), compare_found);
        for (size_t k = 0; k < count && k < nearest; k++, at++)
            wrong += f.order[at] != (size_t)all[2 * k + 1] ||
                     f.similarity[i * s->right + f.order[at]] != all[2 * k];
    }
    CHECK_EQ_INT(wrong, 0);
    CHECK_EQ_INT(f.count, at);
    free(all);
    free(f.order);
    free(f.similarity);
}

static void
test_nearest(void)
{
    float *a = make_rows(150, 384, 12, 31), *b = make_rows(1000, 384, 12, 31);
    const search_sets wide = {384, 150, 1000, a, b}, narrow = {40, 150, 1000, a, b};
    const search_sets repeated = {384, 150, 150, a, a};

    for (size_t nearest = 1; nearest < 2000; nearest *= 11) {
        check_nearest(&wide, nearest, -1, 1000);
        check_nearest(&narrow, nearest, 0.2, 77);
    }
    for (size_t i = 0; i < 150; i++) /* ties: the first ones are kept */
        memcpy(a + i * 384, b + i % 5 * 384, 384 * sizeof(float));
    check_nearest(&repeated, 7, -1, 60);
    free(a);
    free(b);
}

static void
test_join(void)
{
    float *a = make_rows(333, 256, 10, 41), *b = make_rows(901, 256, 10, 41);
    const search_sets s = {256, 333, 901, a, b};
    findings f = {0};
    lm_context ctx;

    lm_context_init(&ctx);
    clear(&f, 333, 901);
    CHECK_OK(&ctx, run(&ctx, &s, (lm_pairs_options){.threshold = 0.8}, 200, &f));
    CHECK(check_all(&s, false, 0.8, &f) > 1000);
    free(f.similarity);
    free(a);
    free(b);
}

/* ---- Sketches ---- */

/* A product of sketches is never below the cosine, and their length is what embeddings need. */
static void
check_sketch(size_t rows, size_t width, size_t centres, size_t *kept)
{
    float *x = make_rows(rows, width, centres, 51), *sketches;
    lm_context ctx;
    lm_sketch s;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_sketch_open(&ctx, width, rows, x, 0.9, &s));
    sketches = malloc(rows * s.kept * sizeof(float));
    CHECK_OK(&ctx, lm_sketch_rows(&s, rows, x, sketches));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double product = 0;

            for (size_t k = 0; k < s.kept; k++)
                product += (double)sketches[i * s.kept + k] * sketches[j * s.kept + k];
            if (1 - lm_cosine_distance(width, x + i * width, x + j * width) > product + s.slack)
                UNIT_FAIL("rows %zu and %zu: the bound is %g", i, j, product + s.slack);
            if (i == j && sqrt(product) > s.reach)
                UNIT_FAIL("the sketch of row %zu has the length %g", i, sqrt(product));
        }
    *kept = s.kept;
    lm_sketch_close(&s);
    free(sketches);
    free(x);
}

static void
test_sketches(void)
{
    size_t kept;

    check_sketch(300, 384, 40, &kept);
    CHECK(kept <= 128);
    check_sketch(300, 384, 2, &kept);
    CHECK(kept <= 128);
    check_sketch(300, 100, 40, &kept);
    CHECK_EQ_INT(kept, 100);
    check_sketch(600, 1024, 0, &kept);
    check_sketch(1, 384, 0, &kept);
    CHECK(kept <= 16); /* one direction, and the rest */
}

/* ---- Failures ---- */

static lm_status
run_some(fake_memory *memory, size_t nearest, size_t stop_at, const float *x, findings *f)
{
    const search_sets s = {384, 200, 200, x, x};
    lm_context ctx;

    fake_context(&ctx, memory);
    clear(f, 200, 200);
    f->stop_at = stop_at;
    return run(&ctx, &s,
               (lm_pairs_options){.threshold = 0.5, .nearest = nearest, .same = nearest == 0}, 90,
               f);
}

static void
check_failures(size_t nearest, const float *x)
{
    fake_memory whole = {0};
    findings f = {0};

    CHECK(run_some(&whole, nearest, 0, x, &f) == LM_OK);
    free(f.similarity);
    CHECK(whole.calls > 10 && whole.polls > 10);
    for (int n = 1; n <= whole.calls; n++) {
        fake_memory memory = {.fail_at = n};

        CHECK(run_some(&memory, nearest, 0, x, &f) == LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
        free(f.similarity);
    }
    for (int n = 1; n <= whole.polls; n += whole.polls / 50 + 1) {
        fake_memory memory = {.stop_at = n};

        CHECK(run_some(&memory, nearest, 0, x, &f) == LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
        free(f.similarity);
    }
}

static void
test_failures(void)
{
    float *x = make_rows(200, 384, 5, 61);
    fake_memory memory = {0};
    findings f = {0};

    check_failures(0, x);
    check_failures(3, x);
    for (size_t nearest = 0; nearest < 4; nearest += 3) {
        CHECK(run_some(&memory, nearest, 5, x, &f) == LM_IO_ERROR);
        CHECK_EQ_INT(f.count, 4);
        CHECK_EQ_INT(memory.live, 0);
        free(f.similarity);
    }
    free(x);
}

/* So many numbers are computed that it polls between the pairs of one tile. */
static void
test_polls_between_pairs(void)
{
    float *x = make_rows(100, 8192, 1, 71);

    CHECK(check_same(100, 8192, x, -1, 100) == 100 * 99 / 2);
    free(x);
}

static void
test_too_many(void)
{
    const float x[4] = {1};
    const lm_pairs_options options = {
        .width = 4, .nearest = SIZE_MAX, .sample = x, .sample_rows = 1};
    lm_pairs *pairs;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_pairs_open(&ctx, &options, &pairs));
    CHECK(lm_pairs_left(pairs, 0, 2, x) == LM_NO_MEMORY);
    lm_pairs_close(pairs);
    CHECK(lm_pairs_open(&ctx, &(lm_pairs_options){.width = LM_INT8_MAX_K + 1}, &pairs) ==
          LM_TOO_LARGE);
    lm_pairs_close(pairs);
    lm_pairs_close(NULL);
    CHECK(lm_pairs_row_bytes(384, 0) > 1536 && lm_pairs_row_bytes(384, 10) > 1536 + 160);
}

static const unit_case cases[] = {
    {"all pairs", test_all_pairs},
    {"blocks and levels", test_blocks_and_levels},
    {"ties", test_ties},
    {"odd rows", test_odd_rows},
    {"nearest", test_nearest},
    {"join", test_join},
    {"sketches", test_sketches},
    {"failures", test_failures},
    {"polls between pairs", test_polls_between_pairs},
    {"too many", test_too_many},
};

UNIT_MAIN(cases)
