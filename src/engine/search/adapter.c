/*
 * adapter.c - fitting a map between the vectors of two models; the contract is in adapter.h.
 *
 * The orthogonal matrix nearest to Y'X is its polar factor, by the iteration of Newton and Schulz
 * (Björck and Bowie 1971): M <- M (3 I - M'M) / 2 from a norm of at most 1. Least squares are
 * solved by Cholesky. Shapes: n texts, f and t widths of both sides; X (n, f), Y (n, t), M (t, f).
 */
#include "search/adapter.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

#define PARTS 10    /* of texts, of which */
#define CHOOSING 0  /* this one chooses the kind, */
#define MEASURING 5 /* and this one measures it */
#define POLAR_STEPS 60
#define POLAR_NEAR 1e-4f

/* How hard least squares are drawn, in means of the diagonal of X'X. */
static const float draws[] = {0.001f, 0.03f, 1.0f};

typedef struct fit {
    lm_context *ctx;
    const lm_kernels *kernels;
    const lm_adapter_texts *texts;
    size_t n, f, t;
    float *x, *y;           /* of length 1, for neighbours */
    float *own, *cross;     /* X'X (f, f) and Y'X (t, f), of the fitted texts */
    float *rotation;        /* (t, f); NULL: the widths differ */
    float *lower, *upper;   /* (f, f): a factor and its transpose */
    float *trial;           /* (t, f) */
    float *mapped, *scores; /* (t) a query, (n) its cosines */
    float *best;            /* (t, f): the caller's */
    double best_recall;
    lm_adapter_result *result;
} fit;

const char *
lm_adapter_kind_name(lm_adapter_kind kind)
{
    static const char *const names[] = {"identity", "rotation", "linear"};

    return names[kind];
}

void
lm_adapter_apply(size_t to_width, size_t from_width, const float *matrix, const float *x,
                 float *out)
{
    const lm_kernels *kernels = lm_kernels_active();

    for (size_t row = 0; row < to_width; row++)
        out[row] = kernels->dot_f32(from_width, matrix + row * from_width, x);
}

/* ---- Neighbours ---- */

typedef struct nearest {
    size_t texts[LM_ADAPTER_NEIGHBOURS];
    float scores[LM_ADAPTER_NEIGHBOURS]; /* falling */
    int count;
} nearest;

/* Of equal ones the first stays. */
static void
offer(nearest *found, size_t text, float score)
{
    int place = found->count;

    while (place > 0 && found->scores[place - 1] < score)
        place--;
    if (place == LM_ADAPTER_NEIGHBOURS)
        return;
    if (found->count < LM_ADAPTER_NEIGHBOURS)
        found->count++;
    for (int i = found->count - 1; i > place; i--) {
        found->texts[i] = found->texts[i - 1];
        found->scores[i] = found->scores[i - 1];
    }
    found->texts[place] = text;
    found->scores[place] = score;
}

/* Nearest texts to a vector, the text that it is of left out. */
static void
find_nearest(const fit *f, const float *vectors, size_t width, const float *query, size_t self,
             nearest *found)
{
    found->count = 0;
    for (size_t i = 0; i < f->n; i++)
        if (i != self)
            offer(found, i, f->kernels->dot_f32(width, vectors + i * width, query));
}

static int
shared(const nearest *a, const nearest *b)
{
    int count = 0;

    for (int i = 0; i < a->count; i++)
        for (int j = 0; j < b->count; j++)
            count += a->texts[i] == b->texts[j];
    return count;
}

/* Recall of queries of one part; a matrix of NULL leaves them as they are. */
static lm_status
measure(const fit *f, const float *matrix, size_t part, double *recall)
{
    size_t right = 0, wanted = 0;

    for (size_t i = part; i < f->n; i += PARTS) {
        const float *query = f->x + i * f->f;
        nearest truth, found;

        LM_TRY(lm_poll(f->ctx));
        if (matrix != NULL)
            lm_adapter_apply(f->t, f->f, matrix, query, f->mapped);
        find_nearest(f, f->x, f->f, query, i, &truth);
        find_nearest(f, f->y, f->t, matrix != NULL ? f->mapped : query, i, &found);
        right += (size_t)shared(&truth, &found);
        wanted += (size_t)truth.count;
    }
    *recall = (double)right / (double)wanted;
    return LM_OK;
}

/* Keep a matrix that is better than those before it. */
static lm_status
judge(fit *f, lm_adapter_kind kind, const float *matrix)
{
    double recall;

    LM_TRY(measure(f, matrix, CHOOSING, &recall));
    if (recall <= f->best_recall)
        return LM_OK;
    f->best_recall = recall;
    f->result->kind = kind;
    memcpy(f->best, matrix, f->t * f->f * sizeof(float));
    return LM_OK;
}

/* ---- Sums over texts ---- */

/* C (rows, columns) = A'B over the fitted texts between those that are held out. */
static lm_status
sum_products(const fit *f, const float *a, size_t rows, const float *b, size_t columns, float *c)
{
    memset(c, 0, rows * columns * sizeof(float));
    for (size_t first = 1; first < f->n; first += PARTS / 2) {
        const size_t left = f->n - first, most = PARTS / 2 - 1;
        const lm_sgemm add = {
            .transpose_a = true,
            .m = rows,
            .n = columns,
            .k = left < most ? left : most,
            .alpha = 1,
            .a = a + first * rows,
            .lda = rows,
            .b = b + first * columns,
            .ldb = columns,
            .beta = 1,
            .c = c,
            .ldc = columns,
            .ctx = f->ctx,
        };

        LM_TRY(lm_blas_sgemm(&add));
    }
    return LM_OK;
}

/* ---- Rotation ---- */

static void
set_identity(float *matrix, size_t width)
{
    memset(matrix, 0, width * width * sizeof(float));
    for (size_t i = 0; i < width; i++)
        matrix[i * width + i] = 1;
}

/* G = (3 I - M'M) / 2; how far M'M is from I. */
static lm_status
polar_factor(const fit *f, const float *m, float *g, float *distance)
{
    const lm_sgemm square = {
        .transpose_a = true,
        .m = f->f,
        .n = f->f,
        .k = f->t,
        .alpha = -0.5f,
        .a = m,
        .lda = f->f,
        .b = m,
        .ldb = f->f,
        .c = g,
        .ldc = f->f,
        .ctx = f->ctx,
    };

    LM_TRY(lm_blas_sgemm(&square));
    *distance = 0;
    for (size_t i = 0; i < f->f; i++)
        for (size_t j = 0; j < f->f; j++) {
            float *value = g + i * f->f + j;

            *distance = fmaxf(*distance, fabsf(2 * *value + (i == j)));
            *value += i == j ? 1.5f : 0;
        }
    return LM_OK;
}

/* M of Frobenius' norm 1; false where it is zero. */
static bool
scale_down(float *m, size_t count)
{
    double norm = 0;

    for (size_t i = 0; i < count; i++)
        norm += (double)m[i] * m[i];
    for (size_t i = 0; i < count; i++)
        m[i] = (float)(m[i] / sqrt(norm));
    return norm > 0;
}

/* The orthogonal matrix nearest to Y'X, into `rotation`. */
static lm_status
rotate(const fit *f)
{
    const size_t bytes = f->t * f->f * sizeof(float);
    float distance = INFINITY;

    memcpy(f->rotation, f->cross, bytes);
    if (!scale_down(f->rotation, f->t * f->f))
        set_identity(f->rotation, f->f);
    for (int step = 0; step < POLAR_STEPS && distance > POLAR_NEAR; step++) {
        const lm_sgemm next = {
            .m = f->t,
            .n = f->f,
            .k = f->f,
            .alpha = 1,
            .a = f->rotation,
            .lda = f->f,
            .b = f->lower,
            .ldb = f->f,
            .c = f->trial,
            .ldc = f->f,
            .ctx = f->ctx,
        };

        LM_TRY(polar_factor(f, f->rotation, f->lower, &distance));
        LM_TRY(lm_blas_sgemm(&next));
        memcpy(f->rotation, f->trial, bytes);
    }
    return LM_OK;
}

/* ---- Least squares ---- */

/* X'X + draw · I = L L'; the upper triangle is that of L'. False: it is not definite. */
static lm_status
factor(const fit *f, float draw, bool *definite)
{
    const size_t width = f->f;

    *definite = true;
    for (size_t i = 0; i < width; i++) {
        float *row = f->lower + i * width;

        LM_TRY(lm_poll(f->ctx));
        for (size_t j = 0; j <= i; j++) {
            float sum = f->own[i * width + j] + (i == j ? draw : 0);

            sum -= f->kernels->dot_f32(j, row, f->lower + j * width);
            if (i == j && !(sum > 0)) {
                *definite = false;
                return LM_OK;
            }
            row[j] = i == j ? sqrtf(sum) : sum / f->lower[j * width + j];
            f->upper[j * width + i] = row[j];
        }
    }
    return LM_OK;
}

/* L L' v = v, in place. */
static void
solve(const fit *f, float *v)
{
    const size_t width = f->f;

    for (size_t i = 0; i < width; i++) {
        const float *row = f->lower + i * width;

        v[i] = (v[i] - f->kernels->dot_f32(i, row, v)) / row[i];
    }
    for (size_t i = width; i-- > 0;) {
        const float *row = f->upper + i * width;

        v[i] = (v[i] - f->kernels->dot_f32(width - i - 1, row + i + 1, v + i + 1)) / row[i];
    }
}

/* M (X'X + draw · I) = Y'X + draw · rotation */
static lm_status
least_squares(fit *f, float draw)
{
    bool definite;

    LM_TRY(factor(f, draw, &definite));
    if (!definite)
        return LM_OK;
    for (size_t row = 0; row < f->t; row++) {
        float *v = f->trial + row * f->f;

        LM_TRY(lm_poll(f->ctx));
        for (size_t i = 0; i < f->f; i++) {
            const size_t at = row * f->f + i;

            v[i] = f->cross[at] + (f->rotation != NULL ? draw * f->rotation[at] : 0);
        }
        solve(f, v);
    }
    return judge(f, LM_ADAPTER_LINEAR, f->trial);
}

/* ---- All of it ---- */

static lm_status
fit_one_width(fit *f)
{
    set_identity(f->trial, f->f);
    LM_TRY(judge(f, LM_ADAPTER_IDENTITY, f->trial));
    LM_TRY(rotate(f));
    return judge(f, LM_ADAPTER_ROTATION, f->rotation);
}

static lm_status
fit_all(fit *f)
{
    float mean = 0;

    LM_TRY(sum_products(f, f->texts->from, f->f, f->texts->from, f->f, f->own));
    LM_TRY(sum_products(f, f->texts->to, f->t, f->texts->from, f->f, f->cross));
    if (f->rotation != NULL)
        LM_TRY(fit_one_width(f));
    for (size_t i = 0; i < f->f; i++)
        mean += f->own[i * f->f + i] / (float)f->f;
    for (size_t i = 0; i < sizeof draws / sizeof *draws; i++)
        LM_TRY(least_squares(f, draws[i] * mean));
    if (f->best_recall < 0)
        return lm_raise(f->ctx, LM_BAD_ARGUMENT, "the vectors are too large to fit a map");
    LM_TRY(measure(f, f->best, MEASURING, &f->result->recall));
    f->result->unmapped = -1;
    return f->rotation != NULL ? measure(f, NULL, MEASURING, &f->result->unmapped) : LM_OK;
}

/* Rows of length 1; false where a number is not finite. */
static bool
normalize(const fit *f, size_t width, const float *values, float *out)
{
    memcpy(out, values, f->n * width * sizeof(float));
    for (size_t i = 0; i < f->n * width; i++)
        if (!isfinite(values[i]))
            return false;
    for (size_t i = 0; i < f->n; i++)
        f->kernels->l2_normalize_f32(width, out + i * width, 1e-12f);
    return true;
}

static lm_status
allocate(fit *f)
{
    const size_t square = f->f * f->f, matrix = f->t * f->f;
    const struct {
        float **place;
        size_t count;
        bool wanted;
    } parts[] = {
        {&f->x, f->n * f->f, true},
        {&f->y, f->n * f->t, true},
        {&f->own, square, true},
        {&f->cross, matrix, true},
        {&f->lower, square, true},
        {&f->upper, square, true},
        {&f->trial, matrix, true},
        {&f->mapped, f->t, true},
        {&f->rotation, matrix, f->t == f->f},
    };

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].wanted)
            continue;
        *parts[i].place = lm_alloc_array(f->ctx, parts[i].count, sizeof(float));
        if (!*parts[i].place)
            return LM_NO_MEMORY;
    }
    return LM_OK;
}

static void
release(fit *f)
{
    float *parts[] = {f->x,     f->y,     f->own,    f->cross,   f->lower,
                      f->upper, f->trial, f->mapped, f->rotation};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        lm_free(f->ctx, parts[i]);
}

lm_status
lm_adapter_fit(lm_context *ctx, const lm_adapter_texts *texts, float *matrix,
               lm_adapter_result *result)
{
    fit f = {.ctx = ctx,
             .kernels = lm_kernels_active(),
             .texts = texts,
             .n = texts->count,
             .f = texts->from_width,
             .t = texts->to_width,
             .best = matrix,
             .best_recall = -1,
             .result = result};
    lm_status status;

    if (f.n < LM_ADAPTER_LEAST)
        return lm_raise(ctx, LM_BAD_ARGUMENT, "%zu texts are too few to fit a map, %zu are needed",
                        f.n, LM_ADAPTER_LEAST);
    status = allocate(&f);
    if (status == LM_OK &&
        !(normalize(&f, f.f, texts->from, f.x) && normalize(&f, f.t, texts->to, f.y)))
        status = lm_raise(ctx, LM_BAD_ARGUMENT, "a vector has a number that is not finite");
    if (status == LM_OK)
        status = fit_all(&f);
    release(&f);
    result->held_out = (f.n + PARTS - 1 - MEASURING) / PARTS;
    result->fitted = f.n - result->held_out - (f.n + PARTS - 1 - CHOOSING) / PARTS;
    return status;
}
