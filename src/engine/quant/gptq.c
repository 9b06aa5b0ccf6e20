/*
 * gptq.c - GPTQ as nearest planes: with G = L Lᵀ the error of a row is ‖(w − q) L‖², and its j-th
 * term is made of the columns from j on. So columns are rounded from the last to the first, each to
 * where its term is least given the errors behind it. That is GPTQ with its order turned round, and
 * needs no inverse. Columns are sorted so that those of the largest inputs come first in turn.
 */
#include "quant/gptq.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "base/sort.h"
#include "kernels/kernels.h"

#define BLOCK ((size_t)32)

/* Added to the diagonal, as a part of its mean: inputs that were not seen are not impossible. */
#define DAMPING 0.01

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Cholesky ---- */

/* Columns first … end − 1 of a row of the factor; those before them are subtracted already. */
static bool
solve_row(float *a, size_t n, size_t row, size_t first, size_t end)
{
    for (size_t j = first; j < end && j <= row; j++) {
        double sum = a[row * n + j];

        for (size_t i = first; i < j; i++)
            sum -= (double)a[row * n + i] * a[j * n + i];
        if (j == row && !(sum > 0))
            return false;
        a[row * n + j] = (float)(j == row ? sqrt(sum) : sum / a[j * n + j]);
    }
    return true;
}

lm_status
lm_cholesky(lm_context *ctx, float *a, size_t n, bool *definite)
{
    *definite = false;
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t end = smaller(n, first + BLOCK);
        const lm_sgemm update = {
            .transpose_b = true,
            .m = n - end,
            .n = n - end,
            .k = end - first,
            .alpha = -1,
            .a = a + end * n + first,
            .lda = n,
            .b = a + end * n + first,
            .ldb = n,
            .beta = 1,
            .c = a + end * n + end,
            .ldc = n,
            .ctx = ctx,
        };

        LM_TRY(lm_poll(ctx));
        for (size_t row = first; row < n; row++)
            if (!solve_row(a, n, row, first, end))
                return LM_OK;
        if (end < n)
            LM_TRY(lm_blas_lower(&update));
    }
    *definite = true;
    return LM_OK;
}

/* ---- Rounding ---- */

/* A column and the size of its inputs. */
typedef struct column {
    float size;
    uint32_t index;
} column;

typedef struct rounding {
    lm_context *ctx;
    size_t n, k;
    const float *w, *gram;
    int8_t *codes;
    float *scales;
    column *order;
    float *factor; /* L (K, K), columns in order */
    float *errors; /* (N, K): w − q, columns in order */
    float *terms;  /* (N, BLOCK): what the errors behind a block add to its terms */
} rounding;

static int
by_size(const void *a, const void *b)
{
    const column *left = a, *right = b;

    if (left->size != right->size)
        return left->size < right->size ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

static lm_status
sort_columns(const rounding *r)
{
    for (size_t j = 0; j < r->k; j++)
        r->order[j] = (column){r->gram[j * r->k + j], (uint32_t)j};
    return lm_sort(r->ctx, r->order, r->k, sizeof *r->order, by_size);
}

/* The unit matrix: plain rounding. */
static void
know_nothing(const rounding *r)
{
    memset(r->factor, 0, r->k * r->k * sizeof *r->factor);
    for (size_t j = 0; j < r->k; j++)
        r->factor[j * r->k + j] = 1;
}

/*
 * The factor of the Gram matrix in order, damped as much as it needs; that ends, since no number
 * beside the diagonal is greater than the diagonal's sum. Inputs without any spread, or with one
 * beyond float, are of no use.
 */
static lm_status
factorize(const rounding *r)
{
    size_t k = r->k;
    double mean = 0;
    bool definite = false;

    for (size_t j = 0; j < k; j++)
        mean += r->gram[j * k + j] / (double)k;
    if (!(mean > 1e-30 && mean < 1e30)) {
        know_nothing(r);
        return LM_OK;
    }
    for (double damping = DAMPING; !definite; damping *= 10) {
        for (size_t i = 0; i < k; i++) {
            LM_TRY(lm_poll(r->ctx));
            for (size_t j = 0; j < k; j++)
                r->factor[i * k + j] = r->gram[r->order[i].index * k + r->order[j].index];
            r->factor[i * k + i] += (float)(damping * mean);
        }
        LM_TRY(lm_cholesky(r->ctx, r->factor, k, &definite));
    }
    return LM_OK;
}

/* Without a call of the C library, of which each number would take several. */
static int
nearest_code(float value)
{
    value = value > -LM_INT8_GREATEST ? value : -LM_INT8_GREATEST;
    return (int)lrintf(value < LM_INT8_GREATEST ? value : LM_INT8_GREATEST);
}

/*
 * Columns first … end − 1 of one row, last to first; `corner` holds L of the block, with zeros
 * above its diagonal: so that all columns can be added to, a number of them that the compiler
 * knows.
 */
static void
round_row(const rounding *r, size_t row, size_t first, size_t end, const float *corner)
{
    const float *w = r->w + row * r->k;
    float *errors = r->errors + row * r->k, terms[BLOCK];
    float scale = r->scales[row], inverse = scale > 0 ? 1 / scale : 0;

    memcpy(terms, r->terms + row * BLOCK, sizeof terms);
    for (size_t j = end - first; j-- > 0;) {
        const float *before = corner + j * BLOCK;
        const size_t column = r->order[first + j].index;
        int code = nearest_code((w[column] + terms[j] / before[j]) * inverse);
        float error = w[column] - (float)code * scale;

        r->codes[row * r->k + column] = (int8_t)code;
        errors[first + j] = error;
        for (size_t i = 0; i < BLOCK; i++)
            terms[i] += error * before[i];
    }
}

/* Blocks of columns, last to first. */
static lm_status
round_columns(const rounding *r)
{
    float corner[BLOCK * BLOCK] = {0};
    size_t k = r->k;

    for (size_t first = (k - 1) / BLOCK * BLOCK;; first -= BLOCK) {
        size_t end = smaller(k, first + BLOCK);
        const lm_sgemm behind = {
            .m = r->n,
            .n = end - first,
            .k = k - end,
            .alpha = 1,
            .a = r->errors + end,
            .lda = k,
            .b = r->factor + end * k + first,
            .ldb = k,
            .c = r->terms,
            .ldc = BLOCK,
            .ctx = r->ctx,
        };

        LM_TRY(lm_poll(r->ctx));
        if (end < k)
            LM_TRY(lm_blas_sgemm(&behind));
        for (size_t j = first; j < end; j++)
            memcpy(corner + (j - first) * BLOCK, r->factor + j * k + first,
                   (j - first + 1) * sizeof *corner);
        for (size_t row = 0; row < r->n; row++)
            round_row(r, row, first, end, corner);
        if (first == 0)
            return LM_OK;
    }
}

lm_status
lm_gptq_round(lm_context *ctx, size_t n, size_t k, const float *w, const float *gram, int8_t *codes,
              float *scales)
{
    rounding r = {
        .ctx = ctx,
        .n = n,
        .k = k,
        .w = w,
        .gram = gram,
        .codes = codes,
        .scales = scales,
        .order = lm_alloc_array(ctx, k, sizeof *r.order),
        .factor = lm_alloc_array(ctx, k, k * sizeof *r.factor),
        .errors = lm_alloc_array(ctx, n, k * sizeof *r.errors),
        .terms = lm_alloc_zero(ctx, n * BLOCK * sizeof *r.terms),
    };
    lm_status status = r.order && r.factor && r.errors && r.terms ? LM_OK : LM_NO_MEMORY;

    if (status == LM_OK) {
        for (size_t row = 0; row < n; row++)
            scales[row] = lm_int8_scale(w + row * k, k);
        status = sort_columns(&r);
    }
    if (status == LM_OK)
        status = factorize(&r);
    if (status == LM_OK)
        status = round_columns(&r);
    lm_free(ctx, r.order);
    lm_free(ctx, r.factor);
    lm_free(ctx, r.errors);
    lm_free(ctx, r.terms);
    return status;
}
