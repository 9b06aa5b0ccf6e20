/*
 * sketch.c - principal directions by orthogonal iteration, how many of them to keep, and sketches
 * made with them; the contract is in sketch.h.
 */
#include "search/sketch.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"
#include "kernels/kernels.h"

/* Vectors up to this width are their own sketches. */
#define NARROW ((size_t)128)
/* Sizes that are tried: sketches of 64, 96 and 128 numbers. */
static const size_t sizes[] = {56, 88, 120};
#define SIZES (sizeof sizes / sizeof sizes[0])
#define DIRECTIONS ((size_t)120)

#define SAMPLE_ROWS ((size_t)4096) /* that directions are made of */
#define TRIAL_ROWS ((size_t)256)   /* whose pairs a size is tried on */
#define ITERATIONS 4
#define BLOCK_ROWS ((size_t)256) /* of vectors that are made at once */

/* In multiply-adds of a tile: what a pair costs beside its sketch, and one that is looked at. */
#define PAIR_COST 32.0
#define LOOK_COST 10000.0
/* Of codes of 8 bits, about: bounds are so much above the products. */
#define CODE_ERROR 0.02

/* Relative rounding of a float sum of so many products, at most. */
static double
rounding(size_t width)
{
    return (double)width * 0x1p-23;
}

/* ---- Vectors of length 1 ---- */

static double
length_of(size_t width, const float *x)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum);
}

static void
normalize(size_t width, const float *x, float *out)
{
    const double length = length_of(width, x);

    for (size_t i = 0; i < width; i++)
        out[i] = length > 0 ? (float)(x[i] / length) : 0;
}

/* Some rows of the sample, evenly chosen, at length 1. */
static float *
take_sample(lm_context *ctx, size_t width, size_t rows, const float *sample, size_t wanted)
{
    float *taken = lm_alloc_array(ctx, wanted, width * sizeof(float));

    for (size_t i = 0; taken && i < wanted; i++)
        normalize(width, sample + i * rows / wanted * width, taken + i * width);
    return taken;
}

/* ---- Directions ---- */

/* x − (x·u) u, for each u. */
static void
take_away(size_t width, const float *basis, size_t count, float *x)
{
    for (size_t k = 0; k < count; k++) {
        const float *u = basis + k * width;
        const float part = lm_kernels_active()->dot_f32(width, u, x);

        for (size_t i = 0; i < width; i++)
            x[i] -= part * u[i];
    }
}

/* Orthonormal rows in place of `count`; those that others span are left out. Their number. */
static lm_status
orthonormalize(lm_context *ctx, size_t width, size_t count, float *rows, size_t *found)
{
    *found = 0;
    for (size_t k = 0; k < count; k++) {
        float *x = rows + *found * width;
        double before;

        LM_TRY(lm_poll(ctx));
        memmove(x, rows + k * width, width * sizeof(float));
        before = length_of(width, x);
        take_away(width, rows, *found, x);
        if (!(length_of(width, x) > 1e-4 * before))
            continue;
        normalize(width, x, x);
        take_away(width, rows, *found, x);
        normalize(width, x, x);
        ++*found;
    }
    return LM_OK;
}

/* Directions in which the sample is long, the longest first, about. */
static lm_status
find_directions(lm_sketch *s, size_t rows, const float *sample, float *moments, float *products)
{
    lm_rng rng;

    LM_TRY(lm_blas_sgemm(&(lm_sgemm){.transpose_a = true,
                                     .m = s->width,
                                     .n = s->width,
                                     .k = rows,
                                     .alpha = 1,
                                     .a = sample,
                                     .lda = s->width,
                                     .b = sample,
                                     .ldb = s->width,
                                     .c = moments,
                                     .ldc = s->width,
                                     .ctx = s->ctx}));
    lm_rng_seed(&rng, 1);
    for (size_t i = 0; i < DIRECTIONS * s->width; i++)
        s->basis[i] = (float)(lm_rng_uniform(&rng) - 0.5);
    s->leading = DIRECTIONS;
    for (int turn = 0; turn < ITERATIONS; turn++) {
        LM_TRY(lm_blas_sgemm(&(lm_sgemm){.m = s->leading,
                                         .n = s->width,
                                         .k = s->width,
                                         .alpha = 1,
                                         .a = s->basis,
                                         .lda = s->width,
                                         .b = moments,
                                         .ldb = s->width,
                                         .c = products,
                                         .ldc = s->width,
                                         .ctx = s->ctx}));
        memcpy(s->basis, products, s->leading * s->width * sizeof(float));
        LM_TRY(orthonormalize(s->ctx, s->width, s->leading, s->basis, &s->leading));
    }
    return LM_OK;
}

/* How far the basis is from orthonormal: the root of the sum of squares of U Uᵀ − 1. */
static double
distortion(const lm_sketch *s)
{
    double sum = 0;

    for (size_t i = 0; i < s->leading; i++)
        for (size_t j = 0; j <= i; j++) {
            const float *u = s->basis + i * s->width, *v = s->basis + j * s->width;
            double product = i == j ? -1 : 0;

            for (size_t k = 0; k < s->width; k++)
                product += (double)u[k] * v[k];
            sum += (i == j ? 1 : 2) * product * product;
        }
    return sqrt(sum);
}

static void
set_size(lm_sketch *s, size_t leading)
{
    s->leading = leading;
    s->kept = leading ? leading + LM_SKETCH_RESTS : s->width;
    s->off = leading ? distortion(s) + sqrt((double)leading) * rounding(s->width) : 0;
    s->slack = 2 * s->off + s->off * s->off + 4 * rounding(s->width) + 1e-5;
    s->reach = 1.001 + 2 * s->off;
}

/* ---- How many ---- */

/* The share of a trial's pairs that there is no way around. */
static double
share_wanted(const lm_sketch *s, size_t rows, size_t step, const float *sample, double threshold)
{
    size_t above = 0;

    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < i; j++)
            above += lm_kernels_active()->dot_f32(s->width, sample + i * step * s->width,
                                                  sample + j * step * s->width) +
                         CODE_ERROR >=
                     threshold;
    return rows > 1 ? (double)above / (double)(rows * (rows - 1) / 2) : 0;
}

/* The same of those that a bound does not settle, with the first `leading` directions. */
static double
share_above(size_t rows, size_t leading, const float *p, double threshold)
{
    size_t above = 0;
    float rest[TRIAL_ROWS];

    for (size_t i = 0; i < rows; i++) {
        const double length = leading ? length_of(leading, p + i * DIRECTIONS) : 1;

        rest[i] = (float)sqrt(fmax(0, 1 - length * length));
        for (size_t j = 0; j < i; j++)
            above += lm_kernels_active()->dot_f32(leading, p + i * DIRECTIONS, p + j * DIRECTIONS) +
                         rest[i] * rest[j] + CODE_ERROR >=
                     threshold;
    }
    return rows > 1 ? (double)above / (double)(rows * (rows - 1) / 2) : 0;
}

/* Of sizes that there are directions for, and the vector itself, what costs least. */
static size_t
best_size(const lm_sketch *s, size_t rows, const float *p, double wanted, double threshold)
{
    double least = (double)s->width + PAIR_COST + LOOK_COST * wanted;
    size_t best = 0;

    for (size_t k = 0; k < SIZES; k++) {
        const size_t leading = sizes[k] < s->leading ? sizes[k] : s->leading;
        const double cost = (double)(leading + LM_SKETCH_RESTS) + PAIR_COST +
                            LOOK_COST * share_above(rows, leading, p, threshold);

        if (cost < least) {
            least = cost;
            best = leading;
        }
    }
    return best;
}

static lm_status
choose(lm_sketch *s, size_t rows, const float *sample, double threshold, float *moments,
       float *products)
{
    const size_t trial = rows < TRIAL_ROWS ? rows : TRIAL_ROWS;

    LM_TRY(find_directions(s, rows, sample, moments, products));
    /* Rows of the trial are those of the sample at equal distances. */
    LM_TRY(lm_blas_sgemm(&(lm_sgemm){.transpose_b = true,
                                     .m = trial,
                                     .n = s->leading,
                                     .k = s->width,
                                     .alpha = 1,
                                     .a = sample,
                                     .lda = rows / trial * s->width,
                                     .b = s->basis,
                                     .ldb = s->width,
                                     .c = moments,
                                     .ldc = DIRECTIONS,
                                     .ctx = s->ctx}));
    set_size(s, best_size(s, trial, moments,
                          share_wanted(s, trial, rows / trial, sample, threshold), threshold));
    return LM_OK;
}

lm_status
lm_sketch_open(lm_context *ctx, size_t width, size_t rows, const float *sample, double threshold,
               lm_sketch *sketch)
{
    const size_t taken = rows < SAMPLE_ROWS ? rows : SAMPLE_ROWS;
    const size_t wide = width > TRIAL_ROWS ? width : TRIAL_ROWS; /* room for the trial, too */
    float *some, *moments, *products;
    lm_status status = LM_NO_MEMORY;

    *sketch = (lm_sketch){.ctx = ctx, .width = width};
    set_size(sketch, 0);
    if (width <= NARROW || rows == 0)
        return LM_OK;
    some = take_sample(ctx, width, rows, sample, taken);
    moments = lm_alloc_array(ctx, wide, wide * sizeof(float));
    products = lm_alloc_array(ctx, DIRECTIONS, width * sizeof(float));
    sketch->basis = lm_alloc_array(ctx, DIRECTIONS, width * sizeof(float));
    if (some && moments && products && sketch->basis)
        status = choose(sketch, taken, some, threshold, moments, products);
    lm_free(ctx, products);
    lm_free(ctx, moments);
    lm_free(ctx, some);
    return status;
}

void
lm_sketch_close(lm_sketch *sketch)
{
    lm_free(sketch->ctx, sketch->basis);
    sketch->basis = NULL;
}

/* ---- Sketches ---- */

/* Behind p: what the basis leaves of a vector of length 1, or of a zero vector. */
static void
add_rest(const lm_sketch *s, bool zero, float *sketch)
{
    const double sure = fmax(0, length_of(s->leading, sketch) - s->off);
    const double rest = zero ? 0 : sqrt(fmax(0, 1 - sure * sure) / (double)LM_SKETCH_RESTS);

    for (size_t k = 0; k < LM_SKETCH_RESTS; k++)
        sketch[s->leading + k] = nextafterf((float)rest, 2);
}

static bool
is_zero(size_t width, const float *x)
{
    for (size_t i = 0; i < width; i++)
        if (x[i] != 0)
            return false;
    return true;
}

/* Some rows, whose normalised form has its place in `unit`. */
static lm_status
make_block(const lm_sketch *s, size_t rows, const float *values, float *unit, float *out)
{
    for (size_t i = 0; i < rows; i++)
        normalize(s->width, values + i * s->width, unit + i * s->width);
    LM_TRY(lm_blas_sgemm(&(lm_sgemm){.transpose_b = true,
                                     .m = rows,
                                     .n = s->leading,
                                     .k = s->width,
                                     .alpha = 1,
                                     .a = unit,
                                     .lda = s->width,
                                     .b = s->basis,
                                     .ldb = s->width,
                                     .c = out,
                                     .ldc = s->kept,
                                     .ctx = s->ctx}));
    for (size_t i = 0; i < rows; i++)
        add_rest(s, is_zero(s->width, unit + i * s->width), out + i * s->kept);
    return LM_OK;
}

lm_status
lm_sketch_rows(const lm_sketch *sketch, size_t rows, const float *values, float *out)
{
    float *unit = sketch->leading
                      ? lm_alloc_array(sketch->ctx, BLOCK_ROWS, sketch->width * sizeof(float))
                      : out;
    lm_status status = unit ? LM_OK : LM_NO_MEMORY;

    for (size_t i = 0; status == LM_OK && i < rows; i += BLOCK_ROWS) {
        const size_t some = rows - i < BLOCK_ROWS ? rows - i : BLOCK_ROWS;

        status = lm_poll(sketch->ctx);
        if (status == LM_OK && sketch->leading)
            status =
                make_block(sketch, some, values + i * sketch->width, unit, out + i * sketch->kept);
        else
            for (size_t k = i; status == LM_OK && k < i + some; k++)
                normalize(sketch->width, values + k * sketch->width, out + k * sketch->width);
    }
    if (sketch->leading)
        lm_free(sketch->ctx, unit);
    return status;
}
