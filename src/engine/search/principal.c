/*
 * principal.c - principal components by orthogonal iteration on the covariance, in double; the
 * contract is in principal.h. A few more directions than are asked for are iterated with them, and
 * turned within their plane by Jacobi's method, so that the first ones settle soon.
 */
#include "search/principal.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/kernels.h"

#define BLOCK ((size_t)256) /* rows whose products are summed in float */
#define MORE ((size_t)14)   /* directions beside those that are asked for */
#define MOST_TURNS 2000
#define SETTLED 1e-10 /* of the first component's variance */

typedef struct principal {
    lm_context *ctx;
    const lm_vector_rows *vectors;
    size_t wanted, kept;         /* directions */
    double *mean;                /* (width) */
    float *block, *products;     /* (BLOCK, width), (width, width) */
    double *covariance;          /* (width, width), times the rows */
    double *basis, *image, *old; /* (kept, width): directions, times the covariance, as they were */
    double *small, *turned;      /* (kept, kept): the covariance in the plane, and its axes */
} principal;

static double
dot(size_t width, const double *a, const double *b)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y += f x */
static void
add(size_t width, double f, const double *x, double *y)
{
    for (size_t i = 0; i < width; i++)
        y[i] += f * x[i];
}

/* ---- Covariance ---- */

static lm_status
find_mean(principal *p)
{
    const size_t width = p->vectors->width;

    memset(p->mean, 0, width * sizeof(double));
    for (size_t i = 0; i < p->vectors->rows; i++) {
        if (i % BLOCK == 0)
            LM_TRY(lm_poll(p->ctx));
        for (size_t j = 0; j < width; j++)
            p->mean[j] += p->vectors->values[i * width + j];
    }
    for (size_t j = 0; j < width; j++)
        p->mean[j] /= (double)p->vectors->rows;
    return LM_OK;
}

static lm_status
find_covariance(principal *p)
{
    const size_t width = p->vectors->width, rows = p->vectors->rows;

    memset(p->covariance, 0, width * width * sizeof(double));
    for (size_t first = 0; first < rows; first += BLOCK) {
        const size_t some = rows - first < BLOCK ? rows - first : BLOCK;

        for (size_t i = 0; i < some * width; i++)
            p->block[i] = (float)(p->vectors->values[first * width + i] - p->mean[i % width]);
        LM_TRY(lm_blas_sgemm(&(lm_sgemm){.transpose_a = true,
                                         .m = width,
                                         .n = width,
                                         .k = some,
                                         .alpha = 1,
                                         .a = p->block,
                                         .lda = width,
                                         .b = p->block,
                                         .ldb = width,
                                         .c = p->products,
                                         .ldc = width,
                                         .ctx = p->ctx}));
        for (size_t i = 0; i < width * width; i++)
            p->covariance[i] += p->products[i];
    }
    return LM_OK;
}

/* ---- Directions ---- */

/* Of length 1 and across to those before; zeros where nothing is left. */
static void
orthonormalize(principal *p)
{
    const size_t width = p->vectors->width;

    for (size_t k = 0; k < p->kept; k++) {
        double *x = p->basis + k * width, length = sqrt(dot(width, x, x)), left;

        for (int again = 0; again < 2; again++)
            for (size_t m = 0; m < k; m++)
                add(width, -dot(width, p->basis + m * width, x), p->basis + m * width, x);
        left = sqrt(dot(width, x, x));
        for (size_t i = 0; i < width; i++)
            x[i] = left > 1e-12 * length ? x[i] / left : 0;
    }
}

static lm_status
apply(principal *p)
{
    const size_t width = p->vectors->width;

    memset(p->image, 0, p->kept * width * sizeof(double));
    for (size_t k = 0; k < p->kept; k++) {
        LM_TRY(lm_poll(p->ctx));
        for (size_t i = 0; i < width; i++)
            add(width, p->basis[k * width + i], p->covariance + i * width, p->image + k * width);
    }
    return LM_OK;
}

/* One rotation of Jacobi's method (Rutishauser's form): small[a][b] becomes 0. */
static void
rotate(principal *p, size_t a, size_t b)
{
    const size_t n = p->kept;
    double *s = p->small, *t = p->turned;
    const double theta = (s[b * n + b] - s[a * n + a]) / (2 * s[a * n + b]);
    const double tangent = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    const double cosine = 1 / sqrt(tangent * tangent + 1), sine = tangent * cosine;

    for (size_t i = 0; i < n; i++) {
        const double x = s[i * n + a], y = s[i * n + b];

        s[i * n + a] = cosine * x - sine * y;
        s[i * n + b] = sine * x + cosine * y;
    }
    for (size_t i = 0; i < n; i++) {
        const double x = s[a * n + i], y = s[b * n + i], u = t[a * n + i], v = t[b * n + i];

        s[a * n + i] = cosine * x - sine * y;
        s[b * n + i] = sine * x + cosine * y;
        t[a * n + i] = cosine * u - sine * v;
        t[b * n + i] = sine * u + cosine * v;
    }
}

/* Axes of the covariance in the plane of the basis, into the rows of `turned`. */
static void
find_axes(principal *p)
{
    const size_t n = p->kept, width = p->vectors->width;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            p->small[i * n + j] = dot(width, p->image + i * width, p->basis + j * width);
            p->turned[i * n + j] = i == j;
        }
    for (int sweep = 0; sweep < 12; sweep++)
        for (size_t a = 0; a < n; a++)
            for (size_t b = a + 1; b < n; b++)
                if (fabs(p->small[a * n + b]) >
                    1e-18 * (fabs(p->small[a * n + a]) + fabs(p->small[b * n + b])))
                    rotate(p, a, b);
}

/* The axis with the largest variance that is not taken yet, which is then taken. */
static size_t
next_axis(principal *p)
{
    const size_t n = p->kept;
    size_t best = 0;

    for (size_t k = 1; k < n; k++)
        if (p->small[k * n + k] > p->small[best * n + best])
            best = k;
    p->small[best * n + best] = -1;
    return best;
}

/* Rows of x turned into the axes, from what they were in `old`. */
static void
turn(principal *p, const size_t *axes, double *x)
{
    const size_t width = p->vectors->width, n = p->kept;

    memcpy(p->old, x, n * width * sizeof(double));
    memset(x, 0, n * width * sizeof(double));
    for (size_t k = 0; k < n; k++)
        for (size_t m = 0; m < n; m++)
            add(width, p->turned[axes[k] * n + m], p->old + m * width, x + k * width);
}

/* Do the directions that are asked for stay where they are? */
static bool
settled(const principal *p)
{
    const size_t width = p->vectors->width;
    const double largest = dot(width, p->image, p->basis);

    for (size_t k = 0; k < p->wanted; k++) {
        const double *x = p->basis + k * width, *y = p->image + k * width;
        const double value = dot(width, x, y);

        double off = 0;

        for (size_t i = 0; i < width; i++)
            off += (y[i] - value * x[i]) * (y[i] - value * x[i]);
        if (sqrt(off) > SETTLED * largest)
            return false;
    }
    return true;
}

static lm_status
find_directions(principal *p)
{
    const size_t width = p->vectors->width;
    size_t axes[2 + MORE];
    lm_rng rng;

    lm_rng_seed(&rng, 1);
    for (size_t i = 0; i < p->kept * width; i++)
        p->basis[i] = lm_rng_uniform(&rng) - 0.5;
    for (int times = 0; times < MOST_TURNS; times++) {
        orthonormalize(p);
        LM_TRY(apply(p));
        find_axes(p);
        for (size_t k = 0; k < p->kept; k++)
            axes[k] = next_axis(p);
        turn(p, axes, p->basis);
        turn(p, axes, p->image);
        if (settled(p))
            break;
        memcpy(p->basis, p->image, p->kept * width * sizeof(double));
    }
    return LM_OK;
}

/* ---- Coordinates ---- */

/* So that the number farthest from 0 is positive. */
static void
set_signs(principal *p)
{
    const size_t width = p->vectors->width;

    for (size_t k = 0; k < p->wanted; k++) {
        double *x = p->basis + k * width;
        size_t far = 0;

        for (size_t i = 1; i < width; i++)
            if (fabs(x[i]) > fabs(x[far]))
                far = i;
        if (x[far] < 0)
            for (size_t i = 0; i < width; i++)
                x[i] = -x[i];
    }
}

static lm_status
place_rows(const principal *p, size_t count, double *coordinates)
{
    const size_t width = p->vectors->width;

    for (size_t i = 0; i < p->vectors->rows; i++) {
        if (i % BLOCK == 0)
            LM_TRY(lm_poll(p->ctx));
        for (size_t k = 0; k < count; k++) {
            double sum = 0;

            for (size_t j = 0; k < p->wanted && j < width; j++)
                sum += (p->vectors->values[i * width + j] - p->mean[j]) * p->basis[k * width + j];
            coordinates[i * count + k] = sum;
        }
    }
    return LM_OK;
}

static lm_status
find(principal *p, size_t count, double *coordinates)
{
    LM_TRY(find_mean(p));
    LM_TRY(find_covariance(p));
    LM_TRY(find_directions(p));
    set_signs(p);
    return place_rows(p, count, coordinates);
}

lm_status
lm_principal(lm_context *ctx, const lm_vector_rows *vectors, size_t count, double *coordinates)
{
    const size_t width = vectors->width, wanted = count < width ? count : width;
    const size_t kept = wanted + MORE < width ? wanted + MORE : width;
    principal p = {.ctx = ctx, .vectors = vectors, .wanted = wanted, .kept = kept};
    lm_status status = LM_NO_MEMORY;

    p.mean = lm_alloc_array(ctx, width, sizeof(double));
    p.block = lm_alloc_array(ctx, width, BLOCK * sizeof(float));
    p.products = lm_alloc_array(ctx, width, width * sizeof(float));
    p.covariance = lm_alloc_array(ctx, width, width * sizeof(double));
    p.basis = lm_alloc_array(ctx, 3 * kept, width * sizeof(double));
    p.small = lm_alloc_array(ctx, 2 * kept, kept * sizeof(double));
    if (p.mean && p.block && p.products && p.covariance && p.basis && p.small) {
        p.image = p.basis + kept * width;
        p.old = p.image + kept * width;
        p.turned = p.small + kept * kept;
        status = find(&p, count, coordinates);
    }
    lm_free(ctx, p.small);
    lm_free(ctx, p.basis);
    lm_free(ctx, p.covariance);
    lm_free(ctx, p.products);
    lm_free(ctx, p.block);
    lm_free(ctx, p.mean);
    return status;
}
