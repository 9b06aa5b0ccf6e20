/*
 * pair_loss.c - losses of embeddings that are compared: cosine, triplets, ranking among a batch.
 */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "nn/grad.h"
#include "optim/loss.h"

#define COSINE_EPS 1e-8      /* torch.nn.functional.cosine_similarity: of a length */
#define DISTANCE_EPS 1e-6    /* torch.nn.functional.pairwise_distance: added to differences */
#define NORMALIZE_EPS 1e-12f /* torch.nn.functional.normalize */

static double
dot(size_t width, const float *a, const float *b)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* ---- Cosine ---- */

/* dx += slope · ∂cos / ∂x, where y is the other one. A length that is too small is a constant. */
static void
cosine_backward(size_t width, double slope, double cosine, double x_length, double y_length,
                const float *x, const float *y, float *dx)
{
    const double own = x_length > COSINE_EPS ? cosine / (x_length * x_length) : 0;

    for (size_t i = 0; i < width; i++)
        dx[i] = (float)(slope * (y[i] / (x_length * y_length) - own * x[i]));
}

void
lm_cosine_loss(size_t rows, size_t width, const float *a, const float *b, const float *targets,
               double weight, double *loss, float *da, float *db)
{
    for (size_t i = 0; i < rows; i++) {
        const float *x = a + i * width, *y = b + i * width;
        const double x_length = fmax(sqrt(dot(width, x, x)), COSINE_EPS);
        const double y_length = fmax(sqrt(dot(width, y, y)), COSINE_EPS);
        const double cosine = dot(width, x, y) / (x_length * y_length);
        const double apart = cosine - targets[i];

        *loss += apart * apart / weight;
        if (da)
            cosine_backward(width, 2 * apart / weight, cosine, x_length, y_length, x, y,
                            da + i * width);
        if (db)
            cosine_backward(width, 2 * apart / weight, cosine, y_length, x_length, y, x,
                            db + i * width);
    }
}

/* ---- Triplets ---- */

static double
distance(size_t width, const float *a, const float *b)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++) {
        const double apart = (double)a[i] - b[i] + DISTANCE_EPS;

        sum += apart * apart;
    }
    return sqrt(sum);
}

/* ∂ distance / ∂a of number i; that of b is its negative. */
static double
distance_slope(double length, const float *a, const float *b, size_t i)
{
    return length > 0 ? ((double)a[i] - b[i] + DISTANCE_EPS) / length : 0;
}

/* Of a triplet that counts; `near` and `far` are its distances. */
static void
triplet_backward(size_t width, double weight, const float *rows[3], double near, double far,
                 float *drows[3])
{
    for (size_t i = 0; i < width; i++) {
        const double to_near = distance_slope(near, rows[0], rows[1], i) / weight;
        const double to_far = distance_slope(far, rows[0], rows[2], i) / weight;

        if (drows[0])
            drows[0][i] = (float)(to_near - to_far);
        if (drows[1])
            drows[1][i] = (float)-to_near;
        if (drows[2])
            drows[2][i] = (float)to_far;
    }
}

void
lm_triplet_loss(size_t rows, size_t width, double margin, const float *anchor,
                const float *positive, const float *negative, double weight, double *loss,
                float *danchor, float *dpositive, float *dnegative)
{
    for (size_t i = 0; i < rows; i++) {
        const size_t at = i * width;
        const float *row[3] = {anchor + at, positive + at, negative + at};
        float *drow[3] = {danchor ? danchor + at : NULL, dpositive ? dpositive + at : NULL,
                          dnegative ? dnegative + at : NULL};
        const double near = distance(width, row[0], row[1]), far = distance(width, row[0], row[2]);

        if (near - far + margin > 0) {
            *loss += (near - far + margin) / weight;
            triplet_backward(width, weight, row, near, far, drow);
            continue;
        }
        *loss += isnan(near - far) ? NAN : 0;
        for (int j = 0; j < 3; j++)
            if (drow[j])
                memset(drow[j], 0, width * sizeof(float));
    }
}

/* ---- Ranking among a batch (Henderson et al. 2017) ---- */

/* What it works with. */
typedef struct ranking {
    float *scores;  /* (anchors, candidates) */
    float *a, *b;   /* of length 1 */
    float *da, *db; /* their gradients; NULL: not wanted */
    int32_t *targets;
    float *block;
} ranking;

static lm_status
open_ranking(lm_context *ctx, size_t anchors, size_t candidates, size_t width, bool backward,
             ranking *r)
{
    const size_t rows = anchors + candidates;
    size_t scores, numbers, all;

    if (lm_mul_overflows(anchors, candidates, &scores) ||
        lm_mul_overflows(rows, (backward ? 2 : 1) * width, &numbers) ||
        lm_add_overflows(scores, numbers, &all) || lm_add_overflows(all, anchors, &all))
        return lm_raise(ctx, LM_TOO_LARGE, "a batch of pairs is too large");
    if (!(r->block = lm_alloc_array(ctx, all, sizeof(float))))
        return LM_NO_MEMORY;
    r->scores = r->block;
    r->a = r->scores + scores;
    r->b = r->a + anchors * width;
    r->da = backward ? r->b + candidates * width : NULL;
    r->db = backward ? r->da + anchors * width : NULL;
    r->targets = (int32_t *)(r->block + all - anchors);
    for (size_t i = 0; i < anchors; i++)
        r->targets[i] = (int32_t)i;
    return LM_OK;
}

static void
normalize(const lm_kernels *kernels, size_t rows, size_t width, const float *x, float *out)
{
    memcpy(out, x, rows * width * sizeof(float));
    for (size_t i = 0; i < rows; i++)
        kernels->l2_normalize_f32(width, out + i * width, NORMALIZE_EPS);
}

static void
normalize_backward(size_t rows, size_t width, const float *x, const float *dy, float *dx)
{
    for (size_t i = 0; dx && i < rows; i++)
        lm_normalize_backward(width, NORMALIZE_EPS, x + i * width, dy + i * width, dx + i * width);
}

/* scores = scale · a bᵀ, then their loss; with gradients in the scores' place. */
static lm_status
rank(lm_context *ctx, const lm_kernels *kernels, size_t anchors, size_t candidates, size_t width,
     double scale, double weight, double *loss, const ranking *r)
{
    LM_TRY(lm_blas_sgemm(&(lm_sgemm){.transpose_b = true,
                                     .m = anchors,
                                     .n = candidates,
                                     .k = width,
                                     .alpha = (float)scale,
                                     .a = r->a,
                                     .lda = width,
                                     .b = r->b,
                                     .ldb = width,
                                     .c = r->scores,
                                     .ldc = candidates,
                                     .ctx = ctx}));
    return lm_cross_entropy_loss(ctx, kernels, &(lm_cross_entropy_options){.class_weights = NULL},
                                 anchors, candidates, r->scores, r->targets, weight, loss,
                                 r->da ? r->scores : NULL);
}

/* da = scale · dscores b; db = scale · dscoresᵀ a. */
static lm_status
rank_backward(lm_context *ctx, size_t anchors, size_t candidates, size_t width, double scale,
              const ranking *r)
{
    const lm_sgemm common = {.n = width,
                             .alpha = (float)scale,
                             .a = r->scores,
                             .lda = candidates,
                             .ldb = width,
                             .ldc = width,
                             .ctx = ctx};
    lm_sgemm to_a = common, to_b = common;

    to_a.m = anchors, to_a.k = candidates, to_a.b = r->b, to_a.c = r->da;
    to_b.m = candidates, to_b.k = anchors, to_b.b = r->a, to_b.c = r->db;
    to_b.transpose_a = true;
    LM_TRY(lm_blas_sgemm(&to_a));
    return lm_blas_sgemm(&to_b);
}

lm_status
lm_ranking_loss(lm_context *ctx, const lm_kernels *kernels, size_t anchors, size_t candidates,
                size_t width, double scale, const float *a, const float *b, double weight,
                double *loss, float *da, float *db)
{
    ranking r = {.block = NULL};
    lm_status status;

    LM_TRY(open_ranking(ctx, anchors, candidates, width, da || db, &r));
    normalize(kernels, anchors, width, a, r.a);
    normalize(kernels, candidates, width, b, r.b);
    status = rank(ctx, kernels, anchors, candidates, width, scale, weight, loss, &r);
    if (status == LM_OK && (da || db))
        status = rank_backward(ctx, anchors, candidates, width, scale, &r);
    if (status == LM_OK) {
        normalize_backward(anchors, width, a, r.da, da);
        normalize_backward(candidates, width, b, r.db, db);
    }
    lm_free(ctx, r.block);
    return status;
}
