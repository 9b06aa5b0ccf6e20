/*
 * rounded.c - products of training whose factors are rounded to bfloat16, in any orientation: by
 * the packed product that inference has (kernels/), which a level with the instruction makes of its
 * dot products. Sums are float32, and weights, gradients and results stay so.
 *
 * B is packed in blocks of rows of its transpose, and K is cut at fixed places, so that room is
 * bounded and a row's bits depend on that row alone. Elsewhere than at that level the product reads
 * A as it is: A is rounded before, and the numbers are the same but for the order of sums.
 */
#include <string.h>

#include "base/size.h"
#include "kernels/bf16.h"
#include "kernels/clones.h"
#include "nn/grad.h"

#define K_BLOCK ((size_t)1024)
#define N_BLOCK (8 * LM_PACK_ROWS)
#define M_BLOCK ((size_t)256)
#define TILE ((size_t)16)

/* A product, and the room for blocks of it. */
typedef struct rounded {
    const lm_sgemm *args;
    const lm_product *product;
    size_t m, n, k; /* of a block, at most */
    float *a, *b;   /* (m, k), (n, k) */
    void *packed, *scratch;
} rounded;

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Rows of A between two polls. */
static size_t
rows_of_a(const rounded *p)
{
    const size_t rows = (size_t)(p->product->poll_flops / (2.0 * (double)p->n * (double)p->k));

    return smaller(smaller(p->args->m, M_BLOCK), rows > TILE ? rows : TILE);
}

/* base NULL: the size alone. */
static size_t
lay(rounded *p, char *base)
{
    size_t size = 0;
    const size_t a = lm_lay_bytes(&size, p->m * p->k * sizeof(float)),
                 b = lm_lay_bytes(&size, p->n * p->k * sizeof(float)),
                 packed = lm_lay_bytes(&size, p->product->packed_size(p->n, p->k)),
                 scratch = lm_lay_bytes(&size, p->product->scratch_size(p->m, p->k));

    if (base) {
        p->a = (float *)(void *)(base + a);
        p->b = (float *)(void *)(base + b);
        p->packed = base + packed;
        p->scratch = base + scratch;
    }
    return size;
}

/* ---- Blocks of a factor ---- */

static void
copy_rows(const float *from, size_t ld, size_t rows, size_t columns, float *to)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(to + i * columns, from + i * ld, columns * sizeof *to);
}

/* to[i][j] = from[j][i], by tiles, so that lines of both are used whole. */
static void
copy_columns(const float *from, size_t ld, size_t rows, size_t columns, float *to)
{
    for (size_t i = 0; i < rows; i += TILE)
        for (size_t j = 0; j < columns; j += TILE)
            for (size_t y = i; y < smaller(i + TILE, rows); y++)
                for (size_t x = j; x < smaller(j + TILE, columns); x++)
                    to[y * columns + x] = from[x * ld + y];
}

LM_CLONE_BODY void
round_values_body(size_t count, float *x)
{
    size_t i = 0;

    for (; i + LM_CLONE_LANES <= count; i += LM_CLONE_LANES)
        for (size_t lane = 0; lane < LM_CLONE_LANES; lane++)
            x[i + lane] = lm_bf16_to(lm_bf16_from(x[i + lane]));
    for (; i < count; i++)
        x[i] = lm_bf16_to(lm_bf16_from(x[i]));
}

LM_CLONES(round_values, (size_t count, float *x), (count, x))

/* Rows i … and columns k … of op(A). */
static const float *
take_a(const rounded *p, size_t i, size_t rows, size_t k, size_t columns, size_t *lda)
{
    const lm_sgemm *args = p->args;
    const bool rounds = p->product->scratch_size(1, 1) > 0;

    *lda = args->lda;
    if (rounds && !args->transpose_a)
        return args->a + i * args->lda + k;
    *lda = columns;
    if (args->transpose_a)
        copy_columns(args->a + k * args->lda + i, args->lda, rows, columns, p->a);
    else
        copy_rows(args->a + i * args->lda + k, args->lda, rows, columns, p->a);
    if (!rounds)
        round_values(rows * columns, p->a);
    return p->a;
}

/* Columns j … of op(B), of k …, packed: rounded as weights are. */
static lm_status
pack_b(const rounded *p, size_t j, size_t columns, size_t k, size_t rows)
{
    const lm_sgemm *args = p->args;
    const lm_matrix matrix = {.n = columns, .k = rows, .values = p->b};

    if (args->transpose_b)
        copy_rows(args->b + j * args->ldb + k, args->ldb, columns, rows, p->b);
    else
        copy_columns(args->b + k * args->ldb + j, args->ldb, columns, rows, p->b);
    return lm_pack(args->ctx, p->product, &matrix, p->packed);
}

/* ---- The product ---- */

/* Adds to C, or begins it. */
static lm_status
multiply_block(const rounded *p, size_t j, size_t columns, size_t k, size_t depth)
{
    const lm_sgemm *args = p->args;
    const bool adds = k > 0 || args->beta != 0;

    LM_TRY(pack_b(p, j, columns, k, depth));
    for (size_t i = 0; i < args->m; i += p->m) {
        float *c = args->c + i * args->ldc + j;
        lm_gemm block = {.m = smaller(p->m, args->m - i),
                         .n = columns,
                         .k = depth,
                         .packed = p->packed,
                         .residual = adds ? c : NULL,
                         .ldr = args->ldc,
                         .c = c,
                         .ldc = args->ldc,
                         .scratch = p->scratch};

        LM_TRY(lm_poll(args->ctx));
        block.a = take_a(p, i, block.m, k, depth, &block.lda);
        p->product->gemm(&block);
    }
    return LM_OK;
}

static lm_status
multiply(const rounded *p)
{
    const lm_sgemm *args = p->args;

    for (size_t j = 0; j < args->n; j += p->n)
        for (size_t k = 0; k < args->k; k += p->k)
            LM_TRY(multiply_block(p, j, smaller(p->n, args->n - j), k, smaller(p->k, args->k - k)));
    return LM_OK;
}

lm_status
lm_rounded_sgemm(const lm_kernels *kernels, const lm_sgemm *args)
{
    rounded p = {.args = args,
                 .product = &kernels->products[LM_PRECISION_BF16],
                 .n = smaller(args->n, N_BLOCK),
                 .k = smaller(args->k, K_BLOCK)};
    char *memory;
    lm_status status;

    if (args->m == 0 || args->n == 0 || args->k == 0)
        return LM_OK;
    p.m = rows_of_a(&p);
    memory = lm_alloc(args->ctx, lay(&p, NULL) + LM_ALIGNMENT);
    if (!memory)
        return LM_NO_MEMORY;
    (void)lay(&p, (char *)lm_align_up((size_t)(uintptr_t)memory));
    status = multiply(&p);
    lm_free(args->ctx, memory);
    return status;
}
