/*
 * test_index_codes.c - codes of one bit and int8 rows: rotations keep lengths, estimates are
 * unbiased and within the bound of the theory, blocks, strips and rows give the same, and so does
 * every level.
 */
#include "search/codes.h"
#include "base/rng.h"
#include "kernels/kernels.h"
#include "search/int8_rows.h"
#include "fake.h"
#include "unit.h"

static const size_t widths[] = {1, 3, 63, 64, 65, 100, 384, 1000, 16000};
enum { WIDTHS = sizeof widths / sizeof *widths };

/* About normal: the sum of uniforms. */
static float
draw(lm_rng *rng)
{
    double sum = -3;

    for (int i = 0; i < 6; i++)
        sum += lm_rng_uniform(rng);
    return (float)(sum * 1.4142);
}

static float *
draw_vectors(uint64_t seed, size_t rows, size_t width, float offset)
{
    float *x = malloc(rows * width * sizeof *x);
    lm_rng rng;

    lm_rng_seed(&rng, seed);
    for (size_t i = 0; i < rows * width; i++)
        x[i] = draw(&rng) + offset;
    return x;
}

/* A space, a query, and prepared rows with a centroid, as an index has them. */
typedef struct scene {
    lm_context ctx;
    lm_space *space;
    lm_query *query;
    size_t width, rows;
    float *x, *origin, *values, *rotated, *wanted;
    lm_centroid centroid;
} scene;

static double
length_of(size_t width, const float *x)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum);
}

/* The definition. */
static double
distance_of(lm_metric metric, size_t width, const float *a, const float *b)
{
    double product = 0, square = 0;

    for (size_t i = 0; i < width; i++) {
        product += (double)a[i] * b[i];
        square += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    }
    return metric == LM_METRIC_L2 ? square : metric == LM_METRIC_COSINE ? 1 - product : -product;
}

static void
open_scene(scene *s, lm_metric metric, size_t width, size_t rows, float offset)
{
    *s = (scene){.width = width, .rows = rows};
    lm_context_init(&s->ctx);
    s->x = draw_vectors(width + rows, rows + 3, width, offset);
    for (size_t i = 0; i < rows + 3; i++)
        CHECK_OK(&s->ctx, lm_space_prepare(&s->ctx, metric, width, s->x + i * width,
                                           s->x + i * width, NULL));
    s->origin = s->x + rows * width;
    s->values = s->x + (rows + 1) * width;
    CHECK_OK(&s->ctx, lm_space_create(&s->ctx, metric, width, 11, s->origin, &s->space));
    s->rotated = malloc(s->space->padded * sizeof(float));
    lm_centroid_rotate(s->space, s->values, s->rotated);
    s->centroid = (lm_centroid){s->values, s->rotated};
    CHECK_OK(&s->ctx, lm_query_create(&s->ctx, s->space, &s->query));
    CHECK_OK(&s->ctx, lm_query_set(&s->ctx, s->query, s->x + (rows + 2) * width));
}

static void
close_scene(scene *s)
{
    lm_query_free(&s->ctx, s->query);
    lm_space_free(&s->ctx, s->space);
    free(s->rotated);
    free(s->x);
}

static void
test_rotation(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t w = 0; w < WIDTHS; w++) {
        const size_t width = widths[w], padded = lm_space_padded(width);
        float *x = draw_vectors(3, 2, width, 0), *y = malloc(2 * padded * sizeof *y);
        float *back = malloc(width * sizeof *back);
        lm_space *space;

        CHECK_OK(&ctx, lm_space_create(&ctx, LM_METRIC_L2, width, 5, NULL, &space));
        CHECK(padded % 64 == 0 && padded < width + 64);
        lm_space_rotate(space, x, y);
        lm_space_rotate(space, x + width, y + padded);
        CHECK_NEAR(length_of(padded, y) / length_of(width, x), 1, 1e-5);
        CHECK_NEAR(distance_of(LM_METRIC_PRODUCT, padded, y, y + padded),
                   distance_of(LM_METRIC_PRODUCT, width, x, x + width), 1e-5 * (double)width);
        lm_space_rotate_back(space, y, back);
        for (size_t i = 0; i < width; i++)
            CHECK_NEAR(back[i], x[i], 1e-5);
        lm_space_free(&ctx, space);
        free(back);
        free(x);
        free(y);
    }
}

/* What one number alone becomes is spread over all: none is much above the rest. */
static void
test_spread(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t w = 5; w < WIDTHS; w++) {
        const size_t width = widths[w], padded = lm_space_padded(width);
        float *x = calloc(width, sizeof *x), *y = malloc(padded * sizeof *y), most = 0;
        lm_space *space;

        CHECK_OK(&ctx, lm_space_create(&ctx, LM_METRIC_L2, width, 5, NULL, &space));
        for (size_t i = 0; i < width; i += width / 7) {
            x[i] = 1;
            lm_space_rotate(space, x, y);
            x[i] = 0;
            for (size_t j = 0; j < padded; j++)
                most = fmaxf(most, fabsf(y[j]));
        }
        if (!(most * sqrt((double)padded) < 6)) /* deviations, as of normal numbers */
            UNIT_FAIL("width %zu: %g deviations", width, most * sqrt((double)padded));
        lm_space_free(&ctx, space);
        free(x);
        free(y);
    }
}

/* Mean and root of the mean square of (estimate − distance) / (|r| |q − c|). */
static void
measure_estimates(scene *s, lm_metric metric, double *bias, double *spread)
{
    uint8_t *code = malloc(lm_code_bytes(s->space));
    const float *q = s->query->vector;
    const float base = lm_query_base(s->query, s->values);
    double sum = 0, squares = 0;

    for (size_t i = 0; i < s->rows; i++) {
        const float *x = s->x + i * s->width;
        const double unit = sqrt(distance_of(LM_METRIC_L2, s->width, x, s->values) *
                                 distance_of(LM_METRIC_L2, s->width, q, s->values)) *
                            (metric == LM_METRIC_L2 ? 2 : 1);
        lm_correction correction;
        double error;

        lm_code_encode(s->space, &s->centroid, x, code, &correction);
        error = lm_code_scan(s->query, base, code, correction);
        error = (error - distance_of(metric, s->width, q, x)) / unit;
        sum += error;
        squares += error * error;
    }
    *bias = sum / (double)s->rows;
    *spread = sqrt(squares / (double)s->rows);
    free(code);
}

/* RaBitQ's theorem: the deviation is √((1 − a²) / (a² (D − 1))), a = √(2 / π) for wide vectors. */
static void
check_estimates(lm_metric metric, size_t width, size_t rows, float offset)
{
    const double theory = sqrt(.5708 / (double)lm_space_padded(width));
    double bias, spread;
    scene s;

    open_scene(&s, metric, width, rows, offset);
    measure_estimates(&s, metric, &bias, &spread);
    if (!(spread < 1.25 * theory && fabs(bias) < .5 * theory))
        UNIT_FAIL("metric %d, width %zu, offset %g: bias %g, spread %g, in theory %g", metric,
                  width, offset, bias, spread, theory);
    close_scene(&s);
}

static void
test_estimates(void)
{
    for (lm_metric metric = 0; metric < LM_METRIC_COUNT; metric++) {
        for (size_t w = 3; w < WIDTHS; w++)
            check_estimates(metric, widths[w], widths[w] < 2000 ? 1000 : 50, 0);
        check_estimates(metric, 384, 1000, 2);
    }
}

static const unit_case cases[] = {
    {"rotation", test_rotation},
    {"spread", test_spread},
    {"estimates", test_estimates},
};

UNIT_MAIN(cases)
