/*
 * gemm.h - C = act(A·Wᵀ + bias) + residual over packed weights, by the tiles of one level.
 *
 * W (N, K) is packed in panels of PANEL columns, [panel][K][PANEL], the last one padded by zeros: a
 * tile reads a panel front to back. Panels are the outer loop, so that each is read from memory
 * once for a block of rows. A tile's sums start from the bias and go to a small buffer in the
 * first-level cache, where they are finished: the hot loop keeps all registers, and every
 * activation is compiled once instead of once per tile.
 */
#include <string.h>

#include "kernels/generic/epilogue.h"
#include "kernels/generic/tiles.h"
#include "kernels/levels.h"

/* A block of rows of A takes at most this much of the second-level cache, beside the panels. */
static const size_t block_bytes = 512 * 1024;
/* Floats from a read to the line fetched with it: 8 KB covers the latency of memory. */
static const size_t fetch_ahead = 2048;

size_t
LM_NAME(packed_size_f32)(size_t n, size_t k)
{
    return round_up(round_up(n, PANEL) * k, 16) * sizeof(float);
}

/* A is read as it is. */
size_t
LM_NAME(scratch_size_f32)(size_t m, size_t k)
{
    return 0;
}

/* A square of W, of which n rows and k columns are there, as rows of a panel. */
LM_INLINE void
pack_square(const float *w, size_t ldw, size_t n, size_t k, float factor, float *packed)
{
    vf x[VW];

    for (size_t r = 0; r < VW; r++)
        x[r] = r < n ? v_mul(v_load_some(w + r * ldw, k), v_set(factor)) : v_zero();
    v_transpose(x);
    for (size_t i = 0; i < at_most(VW, k); i++)
        v_store(packed + i * PANEL, x[i]);
}

LM_TARGET void
LM_NAME(pack_rows_f32)(const float *w, size_t ldw, size_t n, size_t k, float factor, float *packed)
{
    for (size_t j = 0; j < n; j += PANEL, packed += PANEL * k)
        for (size_t i = 0; i < k; i += VW)
            for (size_t c = 0; c < PANEL; c += VW)
                pack_square(w + (j + c < n ? (j + c) * ldw + i : 0), ldw, n - at_most(n, j + c),
                            k - i, factor, packed + i * PANEL + c);
}

LM_TARGET void
LM_NAME(pack_f32)(const lm_matrix *w, size_t first, size_t end, void *packed)
{
    size_t k = w->k, used = round_up(end, PANEL) * k * sizeof(float);
    const float *rows = w->values + first * k;

    LM_NAME(pack_rows_f32)(rows, k, end - first, k, 1, (float *)packed + first * k);
    if (end == w->n)
        memset((char *)packed + used, 0, LM_NAME(packed_size_f32)(w->n, k) - used);
}

/*
 * Columns j … of rows i …: as many tiles as the rows take. Meanwhile the next columns' weights come
 * from memory, an equal share during each tile; where there are few tiles, these wait for memory
 * all the time, and fetch their own weights a little ahead of their reads.
 */
static LM_TARGET void
gemm_columns(const lm_gemm *args, size_t i, size_t end, size_t j, size_t columns)
{
    float sums[TALL_ROWS * TILE_WIDTH] __attribute__((aligned(64)));
    float bias[TILE_WIDTH] __attribute__((aligned(64)));
    size_t width = at_most(columns, args->n - j), k = args->k;
    size_t most = columns == PANEL ? TALL_ROWS : TILE_ROWS, tiles = (end - i + most - 1) / most;
    lm_tile_f32 tile = {.k = k,
                        .a = args->a + i * args->lda,
                        .lda = args->lda,
                        .b = (const float *)args->packed + j * k,
                        .ldb = PANEL,
                        .wide = PANEL * k,
                        .bias = bias,
                        .c = sums,
                        .ldc = round_up(width, VW)};
    if (tiles > 2) {
        tile.fetch = tile.b + columns * k;
        tile.fetch_stride = columns / tiles;
        tile.fetch_wide = PANEL;
    } else {
        tile.fetch = tile.b + fetch_ahead;
        tile.fetch_stride = PANEL;
        tile.fetch_wide = PANEL * k;
    }
    take_bias(args, j, width, TILE_WIDTH, bias);
    for (size_t rows; i < end; i += rows) {
        rows = tile_rows(end - i, most);
        run_tile(rows, width, &tile);
        if (args->act != LM_ACT_NONE)
            LM_NAME(activate_f32)(args->act, rows * tile.ldc, sums);
        store_tile(args, i, j, rows, width, sums, tile.ldc);
        tile.a += rows * args->lda;
        if (tiles > 2)
            tile.fetch += tile.fetch_stride * k;
    }
}

/*
 * Few rows, which wait for the weights, are done panel by panel in one tile: weights that come from
 * memory are then read once, in one stream. More rows are done two panels at a time where the level
 * has so wide a tile: it reads A half as often. So are one and two rows, for which a panel has
 * fewer sums than hide the latency of an addition.
 */
static size_t
columns_at_once(size_t rows)
{
    return rows > 2 && rows <= TALL_ROWS ? PANEL : TILE_WIDTH;
}

void
LM_NAME(gemm_f32)(const lm_gemm *args)
{
    size_t tiles = block_bytes / sizeof(float) / TILE_ROWS / args->k;
    size_t block = TILE_ROWS * (tiles > 8 ? tiles : 8);

    for (size_t i = 0; i < args->m; i += block) {
        size_t end = at_most(args->m, i + block), columns = columns_at_once(end - i);

        for (size_t j = 0; j < args->n; j += columns)
            gemm_columns(args, i, end, j, columns);
    }
}
