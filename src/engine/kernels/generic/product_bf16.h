/*
 * product_bf16.h - matrix products with weights of 16 bits, over the tiles of one level.
 *
 * A level defines BF16_GROUP, BF16_ROWS, BF16_COLS (group of k, rows and vectors of a tile; a panel
 * is as wide as a tile); BF16_ROUNDS_A and v_store_bf16 where A is bfloat16 too; and its tiles with
 * BF16_STEPS.
 */
#include "kernels/bf16.h"
#include "kernels/generic/products.h"

enum { BF16_PANEL = VW * BF16_COLS };

size_t
LM_NAME(packed_size_bf16)(size_t n, size_t k)
{
    return round_up(round_up(n, BF16_PANEL) * round_up(k, BF16_GROUP) * sizeof(uint16_t), 64);
}

void
LM_NAME(pack_bf16)(const lm_matrix *w, size_t first, size_t end, void *packed)
{
    uint16_t *out = (uint16_t *)packed + first * round_up(w->k, BF16_GROUP);

    if (first == 0)
        memset(packed, 0, LM_NAME(packed_size_bf16)(w->n, w->k));
    for (size_t j = first; j < end; j += BF16_PANEL)
        for (size_t i = 0; i < w->k; i += BF16_GROUP, out += BF16_PANEL * BF16_GROUP)
            for (size_t c = 0; c < at_most(BF16_PANEL, w->n - j); c++)
                for (size_t g = 0; g < at_most(BF16_GROUP, w->k - i); g++)
                    out[c * BF16_GROUP + g] = lm_bf16_from(w->values[(j + c) * w->k + i + g]);
}

#ifdef BF16_ROUNDS_A

/* Bytes of a rounded row; whole vectors, so that the last one may be stored in full. */
static size_t
bf16_row_bytes(size_t k)
{
    return round_up(k, 32) * sizeof(uint16_t);
}

static size_t
bf16_block(size_t k)
{
    return block_of(bf16_row_bytes(k), BF16_ROWS);
}

size_t
LM_NAME(scratch_size_bf16)(size_t m, size_t k)
{
    return at_most(m, bf16_block(k)) * bf16_row_bytes(k);
}

/* Rows i … of A, rounded, in the scratch; zeros behind k up to a whole vector. */
static LM_TARGET const void *
take_rows_bf16(const lm_gemm *args, size_t i, size_t rows, size_t *ld)
{
    *ld = bf16_row_bytes(args->k);
    for (size_t r = 0; r < rows; r++) {
        const float *x = args->a + (i + r) * args->lda;
        uint16_t *out = (uint16_t *)((char *)args->scratch + r * *ld);

        for (size_t j = 0; j < args->k; j += VW)
            v_store_bf16(out + j, v_load_some(x + j, args->k - j));
    }
    return args->scratch;
}

#else

static size_t
bf16_block(size_t k)
{
    return block_of(k * sizeof(float) / 2, BF16_ROWS);
}

/* A is read as it is. */
size_t
LM_NAME(scratch_size_bf16)(size_t m, size_t k)
{
    return 0;
}

static const void *
take_rows_bf16(const lm_gemm *args, size_t i, size_t rows, size_t *ld)
{
    *ld = args->lda * sizeof(float);
    return args->a + i * args->lda;
}

#endif

/* Rows i … of one panel's columns j …; `a` are these rows. */
static LM_TARGET void
panel_bf16(const lm_gemm *args, size_t i, size_t rows, size_t j, const void *a, size_t lda)
{
    float sums[BF16_ROWS * BF16_PANEL] __attribute__((aligned(64)));
    float bias[BF16_PANEL] __attribute__((aligned(64)));
    size_t width = at_most(BF16_PANEL, args->n - j), groups = round_up(args->k, BF16_GROUP);
    lm_tile tile = {.steps = BF16_STEPS(args->k),
                    .odd = args->k % BF16_GROUP != 0,
                    .a = a,
                    .lda = lda,
                    .b = (const uint16_t *)args->packed + j * groups,
                    .bias = bias,
                    .c = sums,
                    .ldc = BF16_PANEL};

    take_bias(args, j, width, BF16_PANEL, bias);
    for (size_t done = 0, now; done < rows; done += now) {
        now = tile_rows(rows - done, BF16_ROWS);
        fetch_residual(args, i + done, j, now, width);
        LM_NAME(tiles_bf16)[now - 1](&tile);
        finish_reduced_tile(args, i + done, j, now, width, sums, BF16_PANEL);
        tile.a = (const char *)tile.a + now * lda;
    }
}

void
LM_NAME(gemm_bf16)(const lm_gemm *args)
{
    size_t block = bf16_block(args->k), lda;

    for (size_t i = 0; i < args->m; i += block) {
        size_t rows = at_most(block, args->m - i);
        const void *a = take_rows_bf16(args, i, rows, &lda);

        for (size_t j = 0; j < args->n; j += BF16_PANEL)
            panel_bf16(args, i, rows, j, a, lda);
    }
}
