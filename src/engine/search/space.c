/*
 * space.c - the rotation of a space, and vectors made ready for it; the contract is in space.h.
 *
 * A step turns signs at random and takes the Hadamard transform of the first n numbers, n being the
 * greatest power of two that fits. Where that is not all of them, a second step takes the last n,
 * which overlap with the first, and then halves are mixed; so only multiples of 64 need padding,
 * and after some rounds every number has to do with every other. Without signs of its own the
 * second transform would undo a part of the first. All is adding, subtracting and multiplying in a
 * fixed order, hence the same bits anywhere.
 */
#include "search/space.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"
#include "kernels/kernels.h"

#define ROUNDS ((size_t)3)
/* Vectors of signs: one for each transform. */
#define SIGNS (2 * ROUNDS)
#define PADDING ((size_t)64)
/* Compilers use vectors for loops of so many, which divide half the padding. */
#define LANES ((size_t)16)

size_t
lm_space_padded(size_t width)
{
    return (width + PADDING - 1) / PADDING * PADDING;
}

/* The width of a Hadamard transform: at least half of the numbers. */
static size_t
transform_width(size_t padded)
{
    size_t n = PADDING;

    while (2 * n <= padded)
        n *= 2;
    return n;
}

static void
draw_signs(lm_space *space, uint64_t seed)
{
    lm_rng rng;
    uint64_t bits = 0;

    lm_rng_seed(&rng, seed);
    for (size_t i = 0; i < SIGNS * space->padded; i++, bits >>= 1) {
        if (i % 64 == 0)
            bits = lm_rng_next(&rng);
        space->signs[i] = bits & 1 ? 1.0f : -1.0f;
    }
}

static lm_status
check_width(lm_context *ctx, size_t width)
{
    if (width >= 1 && width <= LM_SPACE_WIDEST)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "vectors of this width cannot be indexed");
    lm_detail_found(ctx, "%zu numbers", width);
    return lm_detail_allowed(ctx, "1 to %zu", LM_SPACE_WIDEST);
}

lm_status
lm_space_create(lm_context *ctx, lm_distance_kind metric, size_t width, uint64_t seed,
                const float *origin, lm_space **space)
{
    const size_t padded = lm_space_padded(width);
    lm_space *s;
    float *rest;

    LM_TRY(check_width(ctx, width));
    s = lm_alloc_zero(ctx, sizeof *s + (SIGNS + 4) * padded * sizeof(float));
    if (s == NULL)
        return LM_NO_MEMORY;
    rest = (float *)(s + 1) + SIGNS * padded;
    *s = (lm_space){
        .metric = metric,
        .width = width,
        .padded = padded,
        .signs = (float *)(s + 1),
        .origin = rest,
        .rotated_origin = rest + padded,
        .work = rest + 2 * padded,
        .spare = rest + 3 * padded,
    };
    draw_signs(s, seed);
    if (origin != NULL) {
        lm_status status = lm_space_prepare(ctx, LM_DISTANCE_L2, width, origin, s->origin, NULL);

        if (status != LM_OK) {
            lm_free(ctx, s);
            return status;
        }
        lm_space_rotate(s, origin, s->rotated_origin);
    }
    *space = s;
    return LM_OK;
}

void
lm_space_free(lm_context *ctx, lm_space *space)
{
    lm_free(ctx, space);
}

/* ---- Rotation ---- */

static void
turn_signs(const float *restrict signs, size_t n, float factor, float *restrict x)
{
    for (size_t i = 0; i < n; i += LANES)
        for (size_t j = i; j < i + LANES; j++)
            x[j] *= signs[j] * factor;
}

/* Numbers of the first half with those of the second: (a + b) / √2 and (a − b) / √2. */
static void
mix_halves(size_t half, float *restrict x)
{
    const float factor = (float)M_SQRT1_2;

    for (size_t i = 0; i < half; i += LANES)
        for (size_t j = i; j < i + LANES; j++) {
            const float a = x[j], b = x[half + j];

            x[j] = (a + b) * factor;
            x[half + j] = (a - b) * factor;
        }
}

/* What all steps of a rotation share. */
typedef struct steps {
    const lm_kernels *kernels;
    size_t padded, n;
    float factor;
} steps;

static steps
steps_of(const lm_space *space)
{
    const size_t n = transform_width(space->padded);

    return (steps){lm_kernels_active(), space->padded, n, 1 / sqrtf((float)n)};
}

static void
transform(const steps *s, const float *signs, float *x)
{
    turn_signs(signs, s->n, s->factor, x);
    s->kernels->hadamard_f32(s->n, x);
}

static void
transform_back(const steps *s, const float *signs, float *x)
{
    s->kernels->hadamard_f32(s->n, x);
    turn_signs(signs, s->n, s->factor, x);
}

void
lm_space_rotate(const lm_space *space, const float *x, float *out)
{
    const steps s = steps_of(space);
    const float *signs = space->signs;

    memcpy(out, x, space->width * sizeof(float));
    memset(out + space->width, 0, (s.padded - space->width) * sizeof(float));
    for (size_t round = 0; round < ROUNDS; round++, signs += 2 * s.padded) {
        transform(&s, signs, out);
        if (s.n < s.padded) {
            transform(&s, signs + s.padded, out + s.padded - s.n);
            mix_halves(s.padded / 2, out);
        }
    }
}

void
lm_space_rotate_back(const lm_space *space, float *rotated, float *x)
{
    const steps s = steps_of(space);
    const float *signs = space->signs + SIGNS * s.padded;

    for (size_t round = 0; round < ROUNDS; round++) {
        signs -= 2 * s.padded;
        if (s.n < s.padded) {
            mix_halves(s.padded / 2, rotated);
            transform_back(&s, signs + s.padded, rotated + s.padded - s.n);
        }
        transform_back(&s, signs, rotated);
    }
    memcpy(x, rotated, space->width * sizeof(float));
}

/* ---- Vectors ---- */

/* In double, in order: the same at every level, and no overflow. Not finite where a number is. */
static double
squared_length(size_t width, const float *x)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static lm_status
refuse_length(lm_context *ctx, double square)
{
    if (!isfinite(square))
        return lm_raise(ctx, LM_BAD_ARGUMENT, "a vector has a number that is not finite");
    lm_raise(ctx, LM_BAD_ARGUMENT, "a vector is too long to be indexed");
    lm_detail_found(ctx, "length %g", sqrt(square));
    return lm_detail_allowed(ctx, "up to %g", LM_SPACE_LONGEST);
}

lm_status
lm_space_prepare(lm_context *ctx, lm_distance_kind metric, size_t width, const float *x, float *out,
                 bool *zero)
{
    const double square = squared_length(width, x);
    const bool cosine = metric == LM_DISTANCE_COSINE;
    const double factor = cosine && square > 0 ? 1 / sqrt(square) : 1;

    if (!isfinite(square) || (!cosine && square > LM_SPACE_LONGEST * LM_SPACE_LONGEST))
        return refuse_length(ctx, square);
    for (size_t i = 0; i < width; i++)
        out[i] = (float)(x[i] * factor);
    if (zero != NULL)
        *zero = square == 0;
    return LM_OK;
}

double
lm_distance_shown(lm_distance_kind metric, double distance)
{
    if (metric != LM_DISTANCE_L2)
        return distance;
    return distance > 0 ? sqrt(distance) : 0;
}
