/*
 * blas.c - the one door to OpenBLAS. Linked serial and static (DESIGN §6): no second thread is ever
 * started here, and nothing of OpenBLAS's thread control is called. The prototypes stand here
 * because the header's place differs between distributions; its integers are 32 bits wide.
 *
 * sgemm is for training and for shapes that own no packed weights: its bits depend on M.
 */
#include "kernels/kernels.h"

enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                 const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
char *openblas_get_config(void);
int openblas_get_num_threads(void);

/* Multiply-adds of one call: half a giga, so that a cancel is seen between two calls in time. */
static const size_t call_limit = 500 * 1000 * 1000;
/* A piece keeps at least this many rows: fewer would repack B for little work. */
static const size_t rows_wanted = 64;

static void sgemm_piece(const lm_sgemm *args, size_t i, size_t j, size_t m, size_t n);

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Largest number of units, at least 1, whose work stays below the limit. */
static size_t
units_within_limit(size_t unit_work)
{
    return unit_work < call_limit ? call_limit / (unit_work ? unit_work : 1) : 1;
}

lm_status
lm_blas_sgemm(const lm_sgemm *args)
{
    size_t rows = smaller(args->m, rows_wanted);
    size_t columns = smaller(args->n, units_within_limit(rows * args->k));

    rows = smaller(args->m, units_within_limit(columns * args->k));
    for (size_t i = 0; i < args->m; i += rows)
        for (size_t j = 0; j < args->n; j += columns) {
            if (args->ctx)
                LM_TRY(lm_poll(args->ctx));
            sgemm_piece(args, i, j, smaller(rows, args->m - i), smaller(columns, args->n - j));
        }
    return LM_OK;
}

/* Rows of a strip, up to its last diagonal number: of 12 strips 13 / 24 of the work is left. */
static const size_t strip = 256;

lm_status
lm_blas_lower(const lm_sgemm *args)
{
    lm_sgemm part = *args;

    for (size_t first = 0; first < args->m; first += strip) {
        part.m = smaller(strip, args->m - first);
        part.n = first + part.m;
        part.a = args->a + (args->transpose_a ? first : first * args->lda);
        part.c = args->c + first * args->ldc;
        LM_TRY(lm_blas_sgemm(&part));
    }
    return LM_OK;
}

/* The block of C at (i, j). */
static void
sgemm_piece(const lm_sgemm *args, size_t i, size_t j, size_t m, size_t n)
{
    const float *a = args->a + (args->transpose_a ? i : i * args->lda);
    const float *b = args->b + (args->transpose_b ? j * args->ldb : j);

    cblas_sgemm(ROW_MAJOR, args->transpose_a ? TRANSPOSE : NO_TRANSPOSE,
                args->transpose_b ? TRANSPOSE : NO_TRANSPOSE, (int)m, (int)n, (int)args->k,
                args->alpha, a, (int)args->lda, b, (int)args->ldb, args->beta,
                args->c + i * args->ldc + j, (int)args->ldc);
}

const char *
lm_blas_config(void)
{
    return openblas_get_config();
}

int
lm_blas_threads(void)
{
    return openblas_get_num_threads();
}
