/*
 * test_umap.c - nearest rows (all of few rows, most of many) and UMAP: groups stay groups, the same
 * points by seed, few and equal rows, every failing allocation, cancels.
 */
#include <math.h>

#include "base/rng.h"
#include "search/distance.h"
#include "search/neighbours.h"
#include "search/umap.h"
#include "fake.h"
#include "unit.h"

#define WIDTH 16

/* Rows around one of `groups` centres each. */
static float *
make_rows(size_t rows, size_t groups, double spread)
{
    float *values = malloc(rows * WIDTH * sizeof *values);
    lm_rng rng;

    lm_rng_seed(&rng, 9);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < WIDTH; j++)
            values[i * WIDTH + j] =
                (float)((j == i % groups ? 4 : 0) + spread * (lm_rng_uniform(&rng) - 0.5));
    return values;
}

/* How many rows are nearer to a row than its last neighbour, itself left out. */
static size_t
count_nearer(const float *values, size_t rows, size_t row, float distance)
{
    size_t count = 0;

    for (size_t i = 0; i < rows; i++)
        count += i != row &&
                 (float)lm_l2_distance(WIDTH, values + row * WIDTH, values + i * WIDTH) < distance;
    return count;
}

static void
exact_neighbours(void)
{
    enum { ROWS = 1500, COUNT = 7 };
    float *values = make_rows(ROWS, 5, 2), distances[ROWS * COUNT];
    uint32_t numbers[ROWS * COUNT];
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_neighbour_lists(&ctx, &(lm_vector_rows){ROWS, WIDTH, values}, COUNT, 1,
                                      numbers, distances));
    for (size_t i = 0; i < ROWS; i += 7) {
        CHECK(count_nearer(values, ROWS, i, distances[i * COUNT + COUNT - 1]) < COUNT);
        for (size_t k = 0; k < COUNT; k++) {
            const float *other = values + numbers[i * COUNT + k] * WIDTH;

            CHECK(numbers[i * COUNT + k] != i);
            CHECK(k == 0 || distances[i * COUNT + k] >= distances[i * COUNT + k - 1]);
            CHECK(distances[i * COUNT + k] ==
                  (float)lm_l2_distance(WIDTH, values + i * WIDTH, other));
        }
    }
    free(values);
}

/* By lists: of rows that are asked about nearly all neighbours are found. */
static void
many_neighbours(void)
{
    enum { COUNT = 5 };
    const size_t rows = LM_NEIGHBOURS_EXACT + 2000;
    float *values = make_rows(rows, 7, 2), *distances = malloc(rows * COUNT * sizeof(float));
    uint32_t *numbers = malloc(rows * COUNT * sizeof(uint32_t));
    size_t missed = 0, asked = 0;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_neighbour_lists(&ctx, &(lm_vector_rows){rows, WIDTH, values}, COUNT, 1,
                                      numbers, distances));
    for (size_t i = 0; i < rows; i += 97, asked += COUNT) {
        const size_t nearer = count_nearer(values, rows, i, distances[i * COUNT + COUNT - 1]);

        missed += nearer >= COUNT ? nearer - COUNT + 1 : 0;
    }
    CHECK(asked > 900 && missed * 50 < asked);
    free(numbers);
    free(distances);
    free(values);
}

static void
run(const float *values, size_t rows, uint64_t seed, double *points)
{
    const lm_umap_options options = {.neighbours = 15, .min_distance = 0.1, .seed = seed};
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_umap(&ctx, &(lm_vector_rows){rows, WIDTH, values}, &options, points));
}

/* The nearest point of each is of its own group, and groups are compact beside what lies between.
 */
static void
groups(void)
{
    enum { ROWS = 400, GROUPS = 4 };
    float *values = make_rows(ROWS, GROUPS, 2);
    double points[2 * ROWS], again[2 * ROWS], other[2 * ROWS];
    size_t right = 0;

    run(values, ROWS, 1, points);
    run(values, ROWS, 1, again);
    run(values, ROWS, 2, other);
    CHECK(memcmp(points, again, sizeof points) == 0);
    CHECK(memcmp(points, other, sizeof points) != 0);
    for (size_t i = 0; i < ROWS; i++) {
        double best = INFINITY;
        size_t nearest = 0;

        CHECK(isfinite(points[2 * i]) && isfinite(points[2 * i + 1]));
        for (size_t k = 0; k < ROWS; k++) {
            const double d =
                hypot(points[2 * i] - points[2 * k], points[2 * i + 1] - points[2 * k + 1]);

            if (k != i && d < best) {
                best = d;
                nearest = k;
            }
        }
        right += nearest % GROUPS == i % GROUPS;
    }
    CHECK(right == ROWS);
    free(values);
}

static void
few_rows(void)
{
    float values[20 * WIDTH] = {0};
    double points[40];

    for (size_t rows = 1; rows <= 20; rows++) {
        run(values, rows, 3, points);
        for (size_t i = 0; i < 2 * rows; i++)
            CHECK(isfinite(points[i]));
    }
}

/* Squares beyond a float would leave rows without neighbours. */
static void
long_vectors(void)
{
    enum { ROWS = 20, COUNT = 4 };
    static const float lengths[] = {3e18f, 4e18f, 1e30f, INFINITY, NAN};
    const lm_umap_options options = {.neighbours = 5, .min_distance = 0.1, .epochs = 3, .seed = 1};
    float *values = make_rows(ROWS, 3, 1), distances[ROWS * COUNT];
    uint32_t numbers[ROWS * COUNT];
    double points[2 * ROWS];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const lm_vector_rows rows = {ROWS, WIDTH, values};
        const lm_status wanted = i == 0 ? LM_OK : LM_BAD_ARGUMENT;
        lm_context ctx;

        lm_context_init(&ctx);
        for (size_t row = 0; row < 4; row++)
            values[row * WIDTH + row] = row % 2 ? lengths[i] : -lengths[i];
        CHECK_EQ_INT(lm_neighbour_lists(&ctx, &rows, COUNT, 1, numbers, distances), wanted);
        if (isfinite(lengths[i]))
            CHECK_EQ_INT(lm_umap(&ctx, &rows, &options, points), wanted);
    }
    free(values);
}

static void
faults(void)
{
    enum { ROWS = 60 };
    const lm_umap_options options = {.neighbours = 5, .min_distance = 0.1, .epochs = 3, .seed = 1};
    float *values = make_rows(ROWS, 3, 1);
    const lm_vector_rows rows = {ROWS, WIDTH, values};
    double points[2 * ROWS];
    lm_status status;
    int n = 0;

    do {
        fake_memory memory = {0};
        lm_context ctx;

        fake_context(&ctx, &memory);
        memory.fail_at = ++n;
        status = lm_umap(&ctx, &rows, &options, points);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    } while (status != LM_OK && n < 1000);
    CHECK(n > 20 && n < 1000);
    n = 0;
    do {
        fake_memory memory = {0};
        lm_context ctx;

        fake_context(&ctx, &memory);
        memory.stop_at = ++n;
        status = lm_umap(&ctx, &rows, &options, points);
        CHECK(status == LM_OK || status == LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    } while (status != LM_OK && n < 1000);
    CHECK(n > 8 && n < 1000);
    free(values);
}

static const unit_case cases[] = {{"exact neighbours", exact_neighbours},
                                  {"many neighbours", many_neighbours},
                                  {"groups", groups},
                                  {"few rows", few_rows},
                                  {"long vectors", long_vectors},
                                  {"faults", faults}};

UNIT_MAIN(cases)
