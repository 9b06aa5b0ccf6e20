/*
 * test_index_lists.c - inverted lists: k-means finds what is there, again and at every level, rows
 * and queries find their lists; the k smallest; parameters.
 */
#include "search/lists.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "search/index_plan.h"
#include "search/int8_rows.h"
#include "search/top.h"
#include "fake.h"
#include "unit.h"

#define WIDTH ((size_t)40)
#define GROUPS ((size_t)12)
#define ROWS ((size_t)600)

static float
draw(lm_rng *rng)
{
    double sum = -3;

    for (int i = 0; i < 6; i++)
        sum += lm_rng_uniform(rng);
    return (float)sum;
}

/* Rows about so many far points, row i about point i % GROUPS, at length 1 for cosine. */
static void
make_groups(lm_context *ctx, lm_metric metric, float offset, float *x)
{
    float points[GROUPS * WIDTH];
    lm_rng rng;

    lm_rng_seed(&rng, 9);
    for (size_t i = 0; i < GROUPS * WIDTH; i++)
        points[i] = draw(&rng) + offset;
    for (size_t i = 0; i < ROWS; i++) {
        float *row = x + i * WIDTH;

        for (size_t j = 0; j < WIDTH; j++)
            row[j] = points[i % GROUPS * WIDTH + j] + .1f * draw(&rng);
        CHECK_OK(ctx, lm_space_prepare(ctx, metric, WIDTH, row, row, NULL));
    }
}

static double
square_distance(const float *a, const float *b)
{
    double sum = 0;

    for (size_t i = 0; i < WIDTH; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

static size_t
nearest_of(const float *centroids, size_t count, const float *x)
{
    size_t best = 0;

    for (size_t i = 1; i < count; i++)
        if (square_distance(centroids + i * WIDTH, x) <
            square_distance(centroids + best * WIDTH, x))
            best = i;
    return best;
}

static const lm_kmeans common = {LM_METRIC_L2, WIDTH, 3 * GROUPS, 20, 5};

/* With more lists than groups no list has rows of two, and every row is near its centroid. */
static void
check_kmeans(lm_metric metric, float offset)
{
    lm_kmeans options = common;
    float *x = malloc(ROWS * WIDTH * sizeof *x), centroids[3 * GROUPS * WIDTH];
    size_t group_of[3 * GROUPS], far = 0, mixed = 0;
    lm_context ctx;

    lm_context_init(&ctx);
    options.metric = metric;
    make_groups(&ctx, metric, offset, x);
    CHECK_OK(&ctx, lm_kmeans_run(&ctx, &options, x, ROWS, centroids));
    for (size_t i = 0; i < 3 * GROUPS; i++)
        group_of[i] = GROUPS;
    for (size_t i = 0; i < ROWS; i++) {
        const size_t list = nearest_of(centroids, 3 * GROUPS, x + i * WIDTH);

        far += square_distance(centroids + list * WIDTH, x + i * WIDTH) > .02 * WIDTH;
        mixed += group_of[list] < GROUPS && group_of[list] != i % GROUPS;
        group_of[list] = i % GROUPS;
    }
    CHECK_EQ_INT(far, 0);
    CHECK_EQ_INT(mixed, 0);
    for (size_t i = 0; i < 3 * GROUPS && metric == LM_METRIC_COSINE; i++)
        CHECK_NEAR(square_distance(centroids + i * WIDTH, (float[WIDTH]){0}), 1, 1e-5);
    free(x);
}

static void
test_kmeans(void)
{
    for (lm_metric metric = 0; metric < LM_METRIC_COUNT; metric++)
        check_kmeans(metric, 0);
    check_kmeans(LM_METRIC_L2, 20);
}

/* One list is the mean; as many as rows are the rows; rows that are all alike are found. */
static void
test_extremes(void)
{
    lm_kmeans options = {LM_METRIC_L2, WIDTH, 1, 3, 1};
    float *x = malloc(ROWS * WIDTH * sizeof *x), *centroids = malloc(ROWS * WIDTH * sizeof *x);
    double sum = 0;
    lm_context ctx;

    lm_context_init(&ctx);
    make_groups(&ctx, LM_METRIC_L2, 1, x);
    CHECK_OK(&ctx, lm_kmeans_run(&ctx, &options, x, ROWS, centroids));
    for (size_t i = 0; i < ROWS; i++)
        sum += x[i * WIDTH + 3];
    CHECK_NEAR(centroids[3], sum / (double)ROWS, 1e-4);
    options.lists = 50;
    CHECK_OK(&ctx, lm_kmeans_run(&ctx, &options, x, 50, centroids));
    for (size_t i = 0; i < 50; i++)
        CHECK_NEAR(square_distance(x + i * WIDTH,
                                   centroids + nearest_of(centroids, 50, x + i * WIDTH) * WIDTH),
                   0, 1e-8);
    for (size_t i = 1; i < ROWS; i++)
        memcpy(x + i * WIDTH, x, WIDTH * sizeof *x);
    for (lm_metric metric = 0; metric < LM_METRIC_COUNT; metric++) {
        options.metric = metric;
        CHECK_OK(&ctx, lm_kmeans_run(&ctx, &options, x, ROWS, centroids));
        if (metric != LM_METRIC_COSINE)
            CHECK_NEAR(square_distance(x, centroids), 0, 1e-8);
    }
    memset(x, 0, ROWS * WIDTH * sizeof *x);
    options.metric = LM_METRIC_COSINE;
    CHECK_OK(&ctx, lm_kmeans_run(&ctx, &options, x, ROWS, centroids));
    CHECK_NEAR(square_distance(x, centroids), 0, 0);
    free(centroids);
    free(x);
}

/* Rows that are drawn for one point only: the others' lists become empty, and take parts. */
static void
test_empty_lists(void)
{
    enum { LISTS = 8 };
    lm_kmeans options = {LM_METRIC_L2, WIDTH, LISTS, 10, 1};
    float *x = calloc(ROWS * WIDTH, sizeof *x), centroids[LISTS * WIDTH];
    uint32_t count[LISTS] = {0};
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < ROWS; i++) /* most at 0, a few each at a place of its own */
        x[i * WIDTH] = i < ROWS - 6 ? 0 : (float)(i - ROWS + 7);
    CHECK_OK(&ctx, lm_kmeans_run(&ctx, &options, x, ROWS, centroids));
    for (size_t i = 0; i < ROWS; i++)
        count[nearest_of(centroids, LISTS, x + i * WIDTH)]++;
    CHECK(count[nearest_of(centroids, LISTS, x)] >= ROWS - 6);
    free(x);
}

/* ---- The same everywhere ---- */

static void
test_levels(void)
{
    float *x = malloc(ROWS * WIDTH * sizeof *x);
    float wanted[3 * GROUPS * WIDTH], centroids[3 * GROUPS * WIDTH];
    lm_kmeans other = common;
    lm_context ctx;

    lm_context_init(&ctx);
    make_groups(&ctx, LM_METRIC_L2, 0, x);
    lm_kernels_select(LM_LEVEL_SCALAR);
    CHECK_OK(&ctx, lm_kmeans_run(&ctx, &common, x, ROWS, wanted));
    for (lm_level level = LM_LEVEL_SCALAR; level <= lm_kernels_best(); level++) {
        lm_kernels_select(level);
        CHECK_OK(&ctx, lm_kmeans_run(&ctx, &common, x, ROWS, centroids));
        CHECK(memcmp(wanted, centroids, sizeof centroids) == 0);
    }
    lm_kernels_select(LM_LEVEL_COUNT);
    other.seed++;
    CHECK_OK(&ctx, lm_kmeans_run(&ctx, &other, x, ROWS, centroids));
    CHECK(memcmp(wanted, centroids, sizeof centroids) != 0);
    free(x);
}

/* ---- Lists ---- */

/* More centroids than a chunk has: distinct rows, each its own. */
static void
check_lists(lm_metric metric)
{
    enum { LISTS = 2100, NARROW = 24 };
    float *x = malloc(LISTS * NARROW * sizeof *x), bases[7];
    uint32_t *list = malloc(LISTS * sizeof *list), nearest[7];
    size_t found, wrong = 0, other = 0;
    lm_context ctx;
    lm_space *space;
    lm_query *query;
    lm_lists *lists;
    lm_rng rng;

    lm_context_init(&ctx);
    lm_rng_seed(&rng, 4);
    for (size_t i = 0; i < LISTS * NARROW; i++)
        x[i] = draw(&rng);
    for (size_t i = 0; i < LISTS; i++)
        CHECK_OK(&ctx,
                 lm_space_prepare(&ctx, metric, NARROW, x + i * NARROW, x + i * NARROW, NULL));
    CHECK_OK(&ctx, lm_space_create(&ctx, metric, NARROW, 1, x, &space));
    CHECK_OK(&ctx, lm_query_create(&ctx, space, &query));
    CHECK_OK(&ctx, lm_lists_create(&ctx, space, LISTS, x, &lists));
    CHECK_OK(&ctx, lm_lists_assign(&ctx, lists, x, LISTS, list));
    for (size_t i = 0; i < LISTS; i++)
        wrong += list[i] != i;
    CHECK_EQ_INT(wrong, 0);
    for (size_t i = 0; i < LISTS; i += 100) {
        CHECK_OK(&ctx, lm_query_set(&ctx, query, x + i * NARROW));
        other += lm_lists_assign_one(lists, query) != i;
        CHECK_OK(&ctx, lm_lists_nearest(&ctx, lists, query, 7, nearest, bases, &found));
        CHECK_EQ_INT(found, 7);
        for (size_t j = 0; j < 7; j++) {
            CHECK_NEAR(bases[j], lm_query_base(query, x + nearest[j] * NARROW), .1);
            CHECK(j == 0 || bases[j] >= bases[j - 1]);
        }
        if (metric != LM_METRIC_PRODUCT)
            CHECK_EQ_INT(nearest[0], i);
    }
    CHECK_EQ_INT(other, 0);
    CHECK_OK(&ctx, lm_lists_nearest(&ctx, lists, query, 0, nearest, bases, &found));
    CHECK_EQ_INT(found, 0);
    lm_lists_free(&ctx, lists);
    CHECK_OK(&ctx, lm_lists_create(&ctx, space, 3, x, &lists));
    CHECK_OK(&ctx, lm_lists_nearest(&ctx, lists, query, 7, nearest, bases, &found));
    CHECK_EQ_INT(found, 3);
    lm_lists_free(&ctx, lists);
    lm_lists_free(&ctx, NULL);
    lm_query_free(&ctx, query);
    lm_space_free(&ctx, space);
    free(list);
    free(x);
}

static void
test_lists(void)
{
    for (lm_metric metric = 0; metric < LM_METRIC_COUNT; metric++)
        check_lists(metric);
}

static void
test_refused(void)
{
    float x[2 * WIDTH] = {0}, centroids[2 * WIDTH];
    lm_kmeans options = {LM_METRIC_L2, WIDTH, 3, 1, 1};
    lm_space *space;
    lm_lists *lists;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_kmeans_run(&ctx, &options, x, 2, centroids), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_kmeans_run(&ctx, &options, x, 0, centroids), LM_BAD_ARGUMENT);
    options.lists = 1;
    options.width = 0;
    CHECK_EQ_INT(lm_kmeans_run(&ctx, &options, x, 2, centroids), LM_BAD_ARGUMENT);
    options.width = LM_SPACE_WIDEST + 1;
    CHECK_EQ_INT(lm_kmeans_run(&ctx, &options, x, 2, centroids), LM_BAD_ARGUMENT);
    options.width = WIDTH;
    options.lists = 0;
    CHECK_EQ_INT(lm_kmeans_run(&ctx, &options, x, 2, centroids), LM_BAD_ARGUMENT);
    CHECK_OK(&ctx, lm_space_create(&ctx, LM_METRIC_L2, WIDTH, 1, NULL, &space));
    CHECK_EQ_INT(lm_lists_create(&ctx, space, 0, x, &lists), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_lists_create(&ctx, space, LM_LISTS_MOST + 1, x, &lists), LM_BAD_ARGUMENT);
    x[WIDTH + 1] = NAN;
    CHECK_EQ_INT(lm_lists_create(&ctx, space, 2, x, &lists), LM_BAD_ARGUMENT);
    CHECK(lists == NULL);
    lm_space_free(&ctx, space);
    options.lists = 1000;
    CHECK(lm_kmeans_memory(&options, 100000) > 800000);
    CHECK_EQ_INT(lm_kmeans_memory(&options, SIZE_MAX / 2), 0);
    options.width = LM_SPACE_WIDEST;
    CHECK(lm_kmeans_memory(&options, 100000) > 1000 * LM_SPACE_WIDEST);
}

/* ---- Faults ---- */

static lm_status
use_all(lm_context *ctx, const float *x)
{
    lm_kmeans options = {LM_METRIC_COSINE, WIDTH, 5, 3, 1};
    float centroids[5 * WIDTH], bases[2];
    uint32_t list[70], nearest[2];
    size_t found;
    lm_space *space = NULL;
    lm_query *query = NULL;
    lm_lists *lists = NULL;
    lm_status status = lm_kmeans_run(ctx, &options, x, 70, centroids);

    if (status == LM_OK)
        status = lm_space_create(ctx, LM_METRIC_COSINE, WIDTH, 1, NULL, &space);
    if (status == LM_OK)
        status = lm_query_create(ctx, space, &query);
    if (status == LM_OK)
        status = lm_query_set(ctx, query, x);
    if (status == LM_OK)
        status = lm_lists_create(ctx, space, 5, centroids, &lists);
    if (status == LM_OK)
        status = lm_lists_assign(ctx, lists, x, 70, list);
    if (status == LM_OK)
        status = lm_lists_nearest(ctx, lists, query, 2, nearest, bases, &found);
    lm_lists_free(ctx, lists);
    lm_query_free(ctx, query);
    lm_space_free(ctx, space);
    return status;
}

static void
test_faults(void)
{
    float *x = malloc(ROWS * WIDTH * sizeof *x);
    fake_memory memory = {0};
    lm_context ctx;
    int calls, polls;

    fake_context(&ctx, &memory);
    make_groups(&ctx, LM_METRIC_COSINE, 0, x);
    CHECK_OK(&ctx, use_all(&ctx, x));
    calls = memory.calls;
    polls = memory.polls;
    CHECK(calls > 6 && polls > 10);
    for (int i = 1; i <= calls; i++) {
        memory = (fake_memory){.fail_at = i};
        CHECK_EQ_INT(use_all(&ctx, x), LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    }
    for (int i = 1; i <= polls; i++) {
        memory = (fake_memory){.stop_at = i};
        CHECK_EQ_INT(use_all(&ctx, x), LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    }
    free(x);
}

/* ---- The k smallest ---- */

static int
compare_entries(const void *a, const void *b)
{
    const lm_top_entry *left = a, *right = b;

    if (left->distance != right->distance)
        return left->distance > right->distance ? 1 : -1;
    return (left->item > right->item) - (left->item < right->item);
}

/* Few different distances, so that many are equal. */
static void
test_top(void)
{
    enum { COUNT = 500 };
    lm_top_entry all[COUNT];
    lm_context ctx;
    lm_top top;
    lm_rng rng;

    lm_context_init(&ctx);
    lm_rng_seed(&rng, 1);
    for (size_t capacity = 1; capacity < 2 * COUNT; capacity = capacity * 3 + 1) {
        CHECK_OK(&ctx, lm_top_init(&ctx, &top, capacity));
        for (int again = 0; again < 2; again++) {
            const size_t kept = capacity < COUNT ? capacity : COUNT;

            lm_top_clear(&top);
            CHECK(isinf(top.bound));
            for (size_t i = 0; i < COUNT; i++) {
                all[i] = (lm_top_entry){(float)lm_rng_below(&rng, 60), i * 7 % COUNT};
                lm_top_offer(&top, all[i].distance, all[i].item);
            }
            qsort(all, COUNT, sizeof *all, compare_entries);
            CHECK_EQ_INT(top.count, kept);
            if (capacity <= COUNT)
                CHECK_NEAR(top.bound, all[capacity - 1].distance, 0);
            lm_top_sort(&top);
            for (size_t i = 0; i < kept; i++)
                CHECK(top.entries[i].item == all[i].item);
        }
        lm_top_free(&ctx, &top);
    }
    CHECK_EQ_INT(lm_top_init(&ctx, &top, SIZE_MAX / 8), LM_NO_MEMORY);
}

static void
test_top_blocks(void)
{
    float distances[32];
    uint64_t items[32];
    lm_context ctx;
    lm_top top;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_top_init(&ctx, &top, 2));
    for (int i = 0; i < 32; i++) {
        distances[i] = (float)(32 - i);
        items[i] = (uint64_t)(1000 + i);
    }
    lm_top_offer_block(&top, 1u << 31 | 1u << 4 | 1u << 3, distances, items, 0);
    lm_top_offer_block(&top, 0, distances, items, 0);
    lm_top_sort(&top);
    CHECK(top.count == 2 && top.entries[0].item == 1031 && top.entries[1].item == 1004);
    lm_top_clear(&top);
    lm_top_offer_block(&top, 1u << 5, distances, NULL, 64);
    CHECK(top.count == 1 && top.entries[0].item == 69);
    lm_top_free(&ctx, &top);
}

/* ---- Parameters ---- */

static void
test_plan(void)
{
    lm_search_plan plan, more;

    CHECK_EQ_INT(lm_plan_lists(0), 1);
    CHECK_EQ_INT(lm_plan_lists(LM_FLAT_ROWS), 1);
    CHECK_EQ_INT(lm_plan_lists(1000000), 4000);
    CHECK_EQ_INT(lm_plan_lists(UINT64_MAX), LM_LISTS_MOST);
    plan = lm_plan_search(63436, 1, 10, 1);
    CHECK(plan.probes == 1 && plan.rerank >= 200 && plan.rerank <= 400);
    CHECK(lm_plan_search(63436, 1, 100, 1).rerank > plan.rerank);
    CHECK_EQ_INT(lm_plan_search(63436, 1, 5000, .0001).rerank >= 5000, 1);
    for (uint64_t rows = 1; rows < (uint64_t)1 << 40; rows *= 10) {
        const size_t lists = lm_plan_lists(rows);

        plan = lm_plan_search(rows, lists, 10, 1);
        more = lm_plan_search(rows, lists, 10, 2);
        CHECK(plan.probes >= 1 && plan.probes <= lists && more.probes >= plan.probes);
        CHECK(more.rerank > plan.rerank);
        CHECK(lists == 1 || lm_plan_search(rows * 10, 4 * lists, 10, 1).probes >= plan.probes);
    }
    CHECK_EQ_INT(lm_plan_search(1000, 20, 10, NAN).probes <= 20, 1);
    CHECK_EQ_INT(lm_plan_sample(1000000, 4000, 384, SIZE_MAX), 4000 * LM_KMEANS_SAMPLE);
    CHECK_EQ_INT(lm_plan_sample(500, 100, 384, SIZE_MAX), 500);
    CHECK_EQ_INT(lm_plan_sample(1000000, 4000, 384, 1544000), 1000);
}

static const unit_case cases[] = {
    {"kmeans", test_kmeans}, {"extremes", test_extremes}, {"empty lists", test_empty_lists},
    {"levels", test_levels}, {"lists", test_lists},       {"refused", test_refused},
    {"faults", test_faults}, {"top", test_top},           {"top blocks", test_top_blocks},
    {"plan", test_plan},
};

UNIT_MAIN(cases)
