/*
 * maxsim.c - products of a document's vectors with the packed ones of a query, block by block, and
 * the largest of each column. A pair has the same bits whatever else is computed.
 */
#include "search/maxsim.h"

#include <math.h>

#include "base/size.h"
#include "kernels/kernels.h"

/* Vectors of a block: a query's are packed together, and a document's pass by them. */
#define QUERY_BLOCK LM_PACK_ROWS
#define DOCUMENT_BLOCK ((size_t)64)

/* Products of numbers between two polls, about. */
#define BLOCK_WORK ((size_t)1 << 26)

static const lm_product *
product_of(void)
{
    return &lm_kernels_active()->products[LM_PRECISION_F32];
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes of whole blocks of a query's vectors. */
static size_t
packed_block(size_t width)
{
    return lm_align_up(product_of()->packed_size(QUERY_BLOCK, width));
}

/* The vectors of a document that pass at once: fewer where they are long. */
static size_t
document_block(size_t width)
{
    size_t rows = BLOCK_WORK / (QUERY_BLOCK * width + 1);

    return rows < 1 ? 1 : least(rows, DOCUMENT_BLOCK);
}

/* The parts of the memory, of which only the pointers are in want. */
static lm_status
allocate(lm_maxsim *m)
{
    const size_t blocks = (m->rows - 1) / QUERY_BLOCK + 1;
    const size_t last = m->rows - (blocks - 1) * QUERY_BLOCK;
    const size_t tail = lm_align_up(product_of()->packed_size(last, m->width));
    const size_t products = DOCUMENT_BLOCK * least(m->rows, QUERY_BLOCK) * sizeof(float);
    size_t packed, best, bytes;
    char *base;

    if (lm_mul_overflows(blocks - 1, packed_block(m->width), &packed) ||
        lm_add_overflows(packed, tail, &packed) ||
        lm_mul_overflows(m->rows, sizeof(float), &best) ||
        lm_add_overflows(packed, products, &bytes) || lm_add_overflows(bytes, best, &bytes) ||
        lm_add_overflows(bytes, 4 * LM_ALIGNMENT, &bytes))
        return lm_raise(m->ctx, LM_NO_MEMORY, "out of memory");
    m->memory = lm_alloc(m->ctx, bytes);
    if (!m->memory)
        return LM_NO_MEMORY;
    base = (char *)lm_align_up((uintptr_t)m->memory);
    m->packed = base;
    m->products = (float *)(base + lm_align_up(packed));
    m->best = (float *)((char *)m->products + lm_align_up(products));
    return LM_OK;
}

lm_status
lm_maxsim_open(lm_context *ctx, size_t width, size_t rows, const float *query, lm_maxsim *maxsim)
{
    *maxsim = (lm_maxsim){.ctx = ctx, .width = width, .rows = rows};
    LM_TRY(allocate(maxsim));
    for (size_t first = 0; first < rows; first += QUERY_BLOCK) {
        const lm_matrix block = {
            .n = least(rows - first, QUERY_BLOCK), .k = width, .values = query + first * width};

        LM_TRY(lm_poll(ctx));
        product_of()->pack(&block, 0, block.n,
                           (char *)maxsim->packed + first / QUERY_BLOCK * packed_block(width));
    }
    return LM_OK;
}

/* The larger; NaN where either is. */
static inline float
larger(float best, float x)
{
    return x > best || x != x ? x : best;
}

/* Some of a document's vectors against a block of the query's. */
static void
pass_block(lm_maxsim *m, size_t first, size_t rows, const float *document)
{
    const size_t columns = least(m->rows - first, QUERY_BLOCK);
    float *best = m->best + first;
    const lm_gemm args = {
        .m = rows,
        .n = columns,
        .k = m->width,
        .a = document,
        .lda = m->width,
        .packed = (const char *)m->packed + first / QUERY_BLOCK * packed_block(m->width),
        .act = LM_ACT_NONE,
        .c = m->products,
        .ldc = columns,
    };

    product_of()->gemm(&args);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            best[j] = larger(best[j], m->products[i * columns + j]);
}

lm_status
lm_maxsim_score(lm_maxsim *maxsim, size_t rows, const float *document, double *score)
{
    const size_t step = document_block(maxsim->width);

    for (size_t j = 0; j < maxsim->rows; j++)
        maxsim->best[j] = -INFINITY;
    for (size_t first = 0; first < maxsim->rows; first += QUERY_BLOCK)
        for (size_t i = 0; i < rows; i += step) {
            LM_TRY(lm_poll(maxsim->ctx));
            pass_block(maxsim, first, least(rows - i, step), document + i * maxsim->width);
        }
    *score = 0;
    for (size_t j = 0; j < maxsim->rows; j++)
        *score += (double)maxsim->best[j];
    return LM_OK;
}

void
lm_maxsim_close(lm_maxsim *maxsim)
{
    lm_free(maxsim->ctx, maxsim->memory);
    maxsim->memory = NULL;
}
