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
    float *x, *origin, *values, *rotated;
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
distance_of(lm_distance_kind metric, size_t width, const float *a, const float *b)
{
    double product = 0, square = 0;

    for (size_t i = 0; i < width; i++) {
        product += (double)a[i] * b[i];
        square += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    }
    return metric == LM_DISTANCE_L2       ? square
           : metric == LM_DISTANCE_COSINE ? 1 - product
                                          : -product;
}

static void
open_scene(scene *s, lm_distance_kind metric, size_t width, size_t rows, float offset)
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

        CHECK_OK(&ctx, lm_space_create(&ctx, LM_DISTANCE_L2, width, 5, NULL, &space));
        CHECK(padded % 64 == 0 && padded < width + 64);
        lm_space_rotate(space, x, y);
        lm_space_rotate(space, x + width, y + padded);
        CHECK_NEAR(length_of(padded, y) / length_of(width, x), 1, 1e-5);
        CHECK_NEAR(distance_of(LM_DISTANCE_PRODUCT, padded, y, y + padded),
                   distance_of(LM_DISTANCE_PRODUCT, width, x, x + width), 1e-5 * (double)width);
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

        CHECK_OK(&ctx, lm_space_create(&ctx, LM_DISTANCE_L2, width, 5, NULL, &space));
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
measure_estimates(scene *s, lm_distance_kind metric, double *bias, double *spread)
{
    uint8_t *code = malloc(lm_code_bytes(s->space));
    const float *q = s->query->vector;
    const float base = lm_query_base(s->query, s->values);
    double sum = 0, squares = 0;

    for (size_t i = 0; i < s->rows; i++) {
        const float *x = s->x + i * s->width;
        const double unit = sqrt(distance_of(LM_DISTANCE_L2, s->width, x, s->values) *
                                 distance_of(LM_DISTANCE_L2, s->width, q, s->values)) *
                            (metric == LM_DISTANCE_L2 ? 2 : 1);
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
check_estimates(lm_distance_kind metric, size_t width, size_t rows, float offset)
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
    for (lm_distance_kind metric = 0; metric < LM_DISTANCE_COUNT; metric++) {
        for (size_t w = 3; w < WIDTHS; w++)
            check_estimates(metric, widths[w], widths[w] < 2000 ? 1000 : 50, 0);
        check_estimates(metric, 384, 1000, 2);
    }
}

/* Over many rotations the mean of one pair's estimates is its distance. */
static void
test_unbiased(void)
{
    enum { WIDTH = 100, SEEDS = 400 };
    float *x = draw_vectors(17, 3, WIDTH, .5f);
    double sum = 0, squares = 0, wanted;
    lm_context ctx;

    lm_context_init(&ctx);
    wanted = distance_of(LM_DISTANCE_L2, WIDTH, x, x + WIDTH);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        lm_space *space;
        lm_query *query;
        uint8_t code[16];
        lm_correction correction;
        double error;

        CHECK_OK(&ctx, lm_space_create(&ctx, LM_DISTANCE_L2, WIDTH, seed, x + 2 * WIDTH, &space));
        CHECK_OK(&ctx, lm_query_create(&ctx, space, &query));
        CHECK_OK(&ctx, lm_query_set(&ctx, query, x + WIDTH));
        lm_code_encode(space, NULL, x, code, &correction);
        error = lm_code_scan(query, lm_query_base(query, NULL), code, correction) / wanted - 1;
        sum += error;
        squares += error * error;
        lm_query_free(&ctx, query);
        lm_space_free(&ctx, space);
    }
    CHECK(fabs(sum) < 4 * sqrt(squares)); /* four deviations of the mean */
    free(x);
}

/* ---- Layouts ---- */

/* Coded rows one behind the other, and the blocks that lm_blocks_encode makes of them. */
typedef struct coded {
    uint8_t *codes, *blocks;
    lm_correction *corrections;
    lm_block_corrections *of_blocks;
    size_t bytes, count;
} coded;

static void
encode_scene(scene *s, coded *c)
{
    c->bytes = lm_code_bytes(s->space);
    c->count = (s->rows + LM_BLOCK_ROWS - 1) / LM_BLOCK_ROWS;
    c->codes = malloc(s->rows * c->bytes);
    c->corrections = malloc(s->rows * sizeof *c->corrections);
    c->blocks = malloc(c->count * lm_block_bytes(s->space));
    c->of_blocks = malloc(c->count * sizeof *c->of_blocks);
    for (size_t i = 0; i < s->rows; i++)
        lm_code_encode(s->space, &s->centroid, s->x + i * s->width, c->codes + i * c->bytes,
                       c->corrections + i);
    CHECK_OK(&s->ctx, lm_blocks_encode(&s->ctx, s->space, &s->centroid, s->x, s->rows, c->blocks,
                                       c->of_blocks));
}

static void
free_coded(coded *c)
{
    free(c->codes);
    free(c->corrections);
    free(c->blocks);
    free(c->of_blocks);
}

/* Every row comes out of its block as it went in, and free places are zeros. */
static void
check_taken(const scene *s, const coded *c)
{
    uint8_t *code = malloc(c->bytes);
    lm_correction correction;

    for (size_t i = 0; i < c->count * LM_BLOCK_ROWS; i++) {
        const size_t block = i / LM_BLOCK_ROWS;

        lm_block_take(s->space, c->blocks + block * lm_block_bytes(s->space), c->of_blocks + block,
                      i % LM_BLOCK_ROWS, code, &correction);
        if (i < s->rows) {
            CHECK(memcmp(code, c->codes + i * c->bytes, c->bytes) == 0);
            CHECK(memcmp(&correction, c->corrections + i, sizeof correction) == 0);
        } else {
            CHECK(code[0] == 0 && code[c->bytes - 1] == 0 && correction.scale == 0);
        }
    }
    free(code);
}

/* By strips of 64 numbers from the last to the first, put as such too. */
static void
check_strips(const scene *s, const coded *c, const float wanted[32])
{
    const float base = lm_query_base(s->query, s->values);
    uint8_t strip[LM_STRIP_BYTES(64)] = {0}, *code = calloc(1, c->bytes);
    uint32_t sums[32] = {0};
    float distances[32];

    for (size_t first = s->space->padded; (first -= first ? 64 : 0, true);) {
        for (size_t place = 0; place < LM_BLOCK_ROWS; place++)
            lm_strip_put(strip, first, 64, place, c->codes + place * c->bytes);
        CHECK(memcmp(strip, c->blocks + LM_STRIP_BYTES(first), sizeof strip) == 0);
        lm_strip_take(strip, first, 64, 21, code);
        lm_strip_add(s->query, first, 64, strip, sums);
        if (first == 0)
            break;
    }
    CHECK(memcmp(code, c->codes + 21 * c->bytes, c->bytes) == 0);
    CHECK_EQ_INT(lm_block_finish(s->query, base, INFINITY, sums, c->of_blocks, distances),
                 UINT32_MAX);
    CHECK(memcmp(distances, wanted, sizeof distances) == 0);
    free(code);
}

/* A block's estimates are those of its rows alone; below a bound are those that are below it. */
static void
check_scans(const scene *s, const coded *c)
{
    const float base = lm_query_base(s->query, s->values);
    float distances[32], bound, again[32];
    uint32_t mask;

    lm_block_scan(s->query, base, c->blocks, c->of_blocks, distances);
    for (size_t i = 0; i < LM_BLOCK_ROWS; i++) {
        const float alone =
            lm_code_scan(s->query, base, c->codes + i * c->bytes, c->corrections[i]);

        CHECK(memcmp(&alone, distances + i, sizeof alone) == 0);
    }
    bound = distances[7];
    mask = lm_block_scan_below(s->query, base, bound, c->blocks, c->of_blocks, again);
    for (size_t i = 0; i < LM_BLOCK_ROWS; i++)
        CHECK_EQ_INT(mask >> i & 1, distances[i] < bound);
    check_strips(s, c, distances);
}

static void
test_blocks(void)
{
    for (size_t w = 0; w < WIDTHS; w++) {
        scene s;
        coded c;

        open_scene(&s, (lm_distance_kind)(w % LM_DISTANCE_COUNT), widths[w], 45, 0);
        CHECK_EQ_INT(lm_block_bytes(s.space), 32 * lm_code_bytes(s.space));
        encode_scene(&s, &c);
        check_taken(&s, &c);
        check_scans(&s, &c);
        free_coded(&c);
        close_scene(&s);
    }
}

/* Codes are of their rows, whatever int8 has rounded; relative to another centroid they are not. */
static void
check_belongs(lm_distance_kind metric, size_t width, float offset)
{
    scene s;
    coded c;
    uint8_t *row;
    int others = 0;

    open_scene(&s, metric, width, 64, offset);
    encode_scene(&s, &c);
    row = malloc(lm_int8_row_bytes(s.space));
    for (size_t i = 0; i < s.rows; i++) {
        const uint8_t *code = c.codes + i * c.bytes;

        lm_int8_row_encode(s.space, s.x + i * width, row);
        CHECK(lm_code_is_of(s.space, &s.centroid, row, code));
        others += lm_code_is_of(s.space, NULL, row, code);
        others += lm_code_is_of(s.space, &s.centroid, row, c.codes + (i + 1) % s.rows * c.bytes);
    }
    if (width >= 63 && others > 0)
        UNIT_FAIL("metric %d, width %zu: %d codes of others pass", metric, width, others);
    free(row);
    free_coded(&c);
    close_scene(&s);
}

static void
test_belongs(void)
{
    for (size_t w = 0; w < WIDTHS; w++)
        check_belongs((lm_distance_kind)(w % LM_DISTANCE_COUNT), widths[w], 0);
    for (lm_distance_kind metric = 0; metric < LM_DISTANCE_COUNT; metric++)
        check_belongs(metric, 384, metric == LM_DISTANCE_L2 ? 1000 : 2);
}

/* Everything that is stored or decided, as one hash. */
static uint64_t
hash_of(uint64_t hash, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t
hash_scene(lm_distance_kind metric, size_t width)
{
    uint64_t hash = 1;
    float distances[32];
    scene s;
    coded c;

    open_scene(&s, metric, width, 32, .3f);
    encode_scene(&s, &c);
    hash = hash_of(hash, c.blocks, lm_block_bytes(s.space));
    hash = hash_of(hash, c.of_blocks, sizeof *c.of_blocks);
    hash = hash_of(hash, s.query->tables, s.space->padded * 4);
    hash = hash_of(hash, s.query->numbers, s.space->padded * 2);
    lm_block_scan(s.query, .25f, c.blocks, c.of_blocks, distances);
    hash = hash_of(hash, distances, sizeof distances);
    for (size_t i = 0; i < 32; i++) {
        uint8_t row[16100];
        int64_t product;

        lm_int8_row_encode(s.space, s.x + i * width, row);
        hash = hash_of(hash, row, lm_int8_row_bytes(s.space));
        product = lm_int8_part_product(s.query, 0, s.space->padded,
                                       (int8_t *)row + lm_int8_row_head(s.space));
        hash = hash_of(hash, &product, sizeof product);
    }
    free_coded(&c);
    close_scene(&s);
    return hash;
}

/* A standby on another machine reads the same bytes, and finds the same rows. */
static void
test_levels(void)
{
    for (size_t w = 0; w < WIDTHS; w++) {
        uint64_t wanted;

        lm_kernels_select(LM_LEVEL_SCALAR);
        wanted = hash_scene((lm_distance_kind)(w % LM_DISTANCE_COUNT), widths[w]);
        for (lm_level level = LM_LEVEL_AVX2; level <= lm_kernels_best(); level++) {
            lm_kernels_select(level);
            if (hash_scene((lm_distance_kind)(w % LM_DISTANCE_COUNT), widths[w]) != wanted)
                UNIT_FAIL("width %zu is not the same at %s", widths[w], lm_level_name(level));
        }
        lm_kernels_select(LM_LEVEL_COUNT);
    }
}

/* ---- Vectors ---- */

static void
test_special_vectors(void)
{
    enum { WIDTH = 70 };
    float x[WIDTH] = {0}, out[WIDTH], far[WIDTH];
    uint8_t code[16], row[WIDTH + 80];
    bool zero;
    lm_correction correction;
    scene s;

    for (lm_distance_kind metric = 0; metric < LM_DISTANCE_COUNT; metric++) {
        open_scene(&s, metric, WIDTH, 1, 0);
        CHECK_OK(&s.ctx, lm_space_prepare(&s.ctx, metric, WIDTH, x, out, &zero));
        CHECK(zero && out[0] == 0);
        lm_code_encode(s.space, &s.centroid, out, code, &correction);
        CHECK(isfinite(lm_code_scan(s.query, 0, code, correction)));
        CHECK_OK(&s.ctx, lm_query_set(&s.ctx, s.query, x));
        CHECK(s.query->zero);
        CHECK_NEAR(lm_query_exact(s.query, s.x), distance_of(metric, WIDTH, out, s.x), 1e-5);
        /* The centroid itself has no difference from it, and is exact. */
        lm_code_encode(s.space, &s.centroid, s.values, code, &correction);
        CHECK_NEAR(lm_code_scan(s.query, 7, code, correction), 7, 1e-4);
        lm_int8_row_encode(s.space, s.origin, row);
        CHECK_NEAR(lm_int8_row_distance(s.query, row), lm_query_base(s.query, NULL), 1e-6);
        CHECK_OK(&s.ctx, lm_query_set(&s.ctx, s.query, s.origin));
        CHECK_NEAR(lm_query_base(s.query, NULL), lm_query_exact(s.query, s.origin), 0);
        for (int i = 0; i < WIDTH; i++)
            far[i] = i % 3 ? 1e16f : -1e16f;
        CHECK_OK(&s.ctx, lm_space_prepare(&s.ctx, metric, WIDTH, far, far, &zero));
        CHECK_OK(&s.ctx, lm_query_set(&s.ctx, s.query, far));
        lm_code_encode(s.space, &s.centroid, far, code, &correction);
        CHECK(isfinite(lm_code_scan(s.query, lm_query_base(s.query, s.values), code, correction)));
        close_scene(&s);
    }
}

static void
test_refused(void)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    float x[3] = {1, 2, 3}, out[3];
    lm_space *space;
    lm_query *query;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_space_create(&ctx, LM_DISTANCE_L2, 0, 1, NULL, &space), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_space_create(&ctx, LM_DISTANCE_L2, 16001, 1, NULL, &space), LM_BAD_ARGUMENT);
    CHECK_OK(&ctx, lm_space_create(&ctx, LM_DISTANCE_COSINE, 3, 1, NULL, &space));
    CHECK_OK(&ctx, lm_query_create(&ctx, space, &query));
    for (int i = 0; i < 3; i++) {
        lm_space *refused;

        x[1] = bad[i];
        for (lm_distance_kind metric = 0; metric < LM_DISTANCE_COUNT; metric++)
            CHECK_EQ_INT(lm_space_prepare(&ctx, metric, 3, x, out, NULL), LM_BAD_ARGUMENT);
        CHECK_EQ_INT(lm_query_set(&ctx, query, x), LM_BAD_ARGUMENT);
        CHECK_EQ_INT(lm_space_create(&ctx, LM_DISTANCE_L2, 3, 1, x, &refused), LM_BAD_ARGUMENT);
        CHECK(strstr(ctx.error.message, "not finite") != NULL);
    }
    x[1] = 3e37f;
    CHECK_OK(&ctx, lm_space_prepare(&ctx, LM_DISTANCE_COSINE, 3, x, out, NULL));
    CHECK_NEAR(out[1], 1, 1e-6);
    CHECK_EQ_INT(lm_space_prepare(&ctx, LM_DISTANCE_PRODUCT, 3, x, out, NULL), LM_BAD_ARGUMENT);
    CHECK(strstr(ctx.error.message, "too long") != NULL);
    CHECK_NEAR(lm_distance_shown(LM_DISTANCE_L2, 9), 3, 0);
    CHECK_NEAR(lm_distance_shown(LM_DISTANCE_L2, -1e-9), 0, 0);
    CHECK_NEAR(lm_distance_shown(LM_DISTANCE_PRODUCT, -4), -4, 0);
    lm_query_free(&ctx, query);
    lm_query_free(&ctx, NULL);
    lm_space_free(&ctx, space);
}

/* ---- int8 ---- */

/* Numbers of a rotated vector of width D are below about 3.5 / √D: steps of 3.5 / 127 of that. */
static void
check_int8(lm_distance_kind metric, size_t width, float offset)
{
    scene s;
    uint8_t *rows;
    float *back, scanned[3];
    size_t bytes, head;

    open_scene(&s, metric, width, 3, offset);
    bytes = lm_int8_row_bytes(s.space);
    head = lm_int8_row_head(s.space);
    CHECK_EQ_INT(head, metric == LM_DISTANCE_L2 ? 8 : 4);
    CHECK_EQ_INT(bytes, s.space->padded + head);
    rows = malloc(3 * bytes);
    back = malloc(width * sizeof *back);
    for (size_t i = 0; i < 3; i++) {
        const float *x = s.x + i * width;
        const double length = length_of(width, x) + length_of(width, s.origin);
        uint8_t *row = rows + i * bytes;
        const double unit = length * (length_of(width, s.query->vector) + length);
        int64_t product = 0;

        lm_int8_row_encode(s.space, x, row);
        lm_int8_row_decode(s.space, row, back);
        CHECK(sqrt(distance_of(LM_DISTANCE_L2, width, back, x)) < .02 * length);
        CHECK_NEAR(lm_int8_row_distance(s.query, row),
                   distance_of(metric, width, s.query->vector, x),
                   unit * 2 * .01 * 4 / sqrt((double)width));
        for (size_t first = 0; first < s.space->padded; first += 64)
            product += lm_int8_part_product(s.query, first, 64, (int8_t *)row + head + first);
        CHECK_NEAR(lm_int8_finish(s.query, row, product), lm_int8_row_distance(s.query, row), 0);
        /* Near itself a vector is exact. */
        CHECK_OK(&s.ctx, lm_query_set(&s.ctx, s.query, x));
        CHECK_NEAR(lm_int8_row_distance(s.query, row), distance_of(metric, width, x, x),
                   unit * 2e-5);
        CHECK_OK(&s.ctx, lm_query_set(&s.ctx, s.query, s.x + 5 * width));
    }
    lm_int8_rows_scan(s.query, rows, bytes, 3, scanned);
    CHECK_NEAR(scanned[2], lm_int8_row_distance(s.query, rows + 2 * bytes), 0);
    free(back);
    free(rows);
    close_scene(&s);
}

static void
test_int8(void)
{
    for (lm_distance_kind metric = 0; metric < LM_DISTANCE_COUNT; metric++)
        for (size_t w = 0; w < WIDTHS; w++) {
            check_int8(metric, widths[w], 0);
            check_int8(metric, widths[w], 1.5f);
        }
}

/* ---- Faults ---- */

static lm_status
use_all(lm_context *ctx, const float *x)
{
    lm_space *space = NULL;
    lm_query *query = NULL;
    uint8_t blocks[2 * 4 * 64];
    lm_block_corrections corrections[2];
    lm_status status = lm_space_create(ctx, LM_DISTANCE_L2, 10, 1, x, &space);

    if (status == LM_OK)
        status = lm_query_create(ctx, space, &query);
    if (status == LM_OK)
        status = lm_query_set(ctx, query, x);
    if (status == LM_OK)
        status = lm_blocks_encode(ctx, space, NULL, x, 40, blocks, corrections);
    lm_query_free(ctx, query);
    lm_space_free(ctx, space);
    return status;
}

static void
test_faults(void)
{
    float *x = draw_vectors(1, 40, 10, 0);
    fake_memory memory = {0};
    lm_context ctx;
    int calls, polls;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, use_all(&ctx, x));
    calls = memory.calls;
    polls = memory.polls;
    CHECK(calls > 1 && polls > 1);
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

static const unit_case cases[] = {
    {"rotation", test_rotation},   {"spread", test_spread},
    {"estimates", test_estimates}, {"unbiased", test_unbiased},
    {"blocks", test_blocks},       {"codes of their rows", test_belongs},
    {"levels", test_levels},       {"special vectors", test_special_vectors},
    {"refused", test_refused},     {"int8", test_int8},
    {"faults", test_faults},
};

UNIT_MAIN(cases)
