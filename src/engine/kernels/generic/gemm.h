/*
 * gemm.h - C = act(A·Wᵀ + bias) + residual over packed weights, by the tiles of one level.
 *
 * W (N, K) is packed in panels of PANEL columns, [panel][K][PANEL], the last panel as wide as its
 * columns rounded up to whole vectors, padded by zeros: a tile reads it front to back. Panels are
 * the outer loop, so that each is read from memory once for a block of rows. A tile's sums go to a
 * small buffer in the first-level cache and are finished from there: the hot loop keeps all
 * registers, and every activation is compiled once instead of once per tile.
 */
#include "kernels/generic/functions.h"
#include "kernels/generic/tiles.h"
#include "kernels/levels.h"

/* A block of rows of A takes at most this much of the second-level cache, beside the panels. */
static const size_t block_bytes = 512 * 1024;
/* Floats from a read to the line fetched with it: 8 KB covers the latency of memory. */
static const size_t fetch_ahead = 2048;

size_t
LM_NAME(packed_size_f32)(size_t n, size_t k)
{
    return round_up(round_up(n, PANEL) * k, 16);
}

LM_TARGET void
LM_NAME(pack_rows_f32)(const float *w, size_t ldw, size_t n, size_t k, float factor, float *packed)
{
    for (size_t j = 0; j < n; j += PANEL) {
        size_t width = at_most(PANEL, n - j);

        for (size_t i = 0; i < k; i++, packed += PANEL) {
            for (size_t c = 0; c < width; c++)
                packed[c] = w[(j + c) * ldw + i] * factor;
            for (size_t c = width; c < PANEL; c++)
                packed[c] = 0;
        }
    }
}

LM_TARGET void
LM_NAME(pack_f32)(const float *w, size_t n, size_t k, float *packed)
{
    size_t used = round_up(n, PANEL) * k, size = LM_NAME(packed_size_f32)(n, k);

    LM_NAME(pack_rows_f32)(w, k, n, k, 1, packed);
    for (size_t i = used; i < size; i++)
        packed[i] = 0;
}

/* The tile at (i, j): `width` of its columns are C's. */
LM_INLINE void
finish_tile(lm_activation act, const lm_gemm_f32 *args, size_t i, size_t j, size_t rows,
            size_t width, const float *tile)
{
    for (size_t r = 0; r < rows; r++, tile += TILE_WIDTH) {
        const float *residual = args->residual ? args->residual + (i + r) * args->ldr + j : NULL;
        float *c = args->c + (i + r) * args->ldc + j;

        for (size_t x = 0; x < width; x += VW) {
            size_t n = width - x;
            vf sum = v_load(tile + x);

            if (args->bias)
                sum = v_add(sum, v_load_some(args->bias + j + x, n));
            sum = v_activate(act, sum);
            if (residual)
                sum = v_add(sum, v_load_some(residual + x, n));
            v_store_some(c + x, n, sum);
        }
    }
}

typedef void (*finisher)(const lm_gemm_f32 *args, size_t i, size_t j, size_t rows, size_t width,
                         const float *tile);

#define DEFINE_FINISH(act, name)                                                                  \
    static LM_TARGET void finish_##name(const lm_gemm_f32 *args, size_t i, size_t j, size_t rows, \
                                        size_t width, const float *tile)                          \
    {                                                                                             \
        finish_tile(act, args, i, j, rows, width, tile);                                          \
    }
LM_EACH_ACTIVATION(DEFINE_FINISH)

#define FINISH_ENTRY(act, name) [act] = finish_##name,
static const finisher finishers[LM_ACT_COUNT] = {LM_EACH_ACTIVATION(FINISH_ENTRY)};

/*
 * Columns j … of rows i …: as many tiles as the rows take. Meanwhile the next columns' weights come
 * from memory, an equal share during each tile; where there are few tiles, these wait for memory
 * all the time, and fetch their own weights a little ahead of their reads.
 */
static void
gemm_columns(const lm_gemm_f32 *args, size_t i, size_t end, size_t j, size_t columns)
{
    float sums[TALL_ROWS * TILE_WIDTH] __attribute__((aligned(64)));
    size_t width = at_most(columns, args->n - j), k = args->k;
    size_t most = columns == PANEL ? TALL_ROWS : TILE_ROWS, tiles = (end - i + most - 1) / most;
    lm_tile_f32 tile = {.k = k,
                        .a = args->a + i * args->lda,
                        .lda = args->lda,
                        .b = args->packed + j * k,
                        .ldb = PANEL,
                        .wide = PANEL * k,
                        .c = sums,
                        .ldc = TILE_WIDTH};
    if (tiles > 2) {
        tile.fetch = tile.b + columns * k;
        tile.fetch_stride = columns / tiles;
        tile.fetch_wide = PANEL;
    } else {
        tile.fetch = tile.b + fetch_ahead;
        tile.fetch_stride = PANEL;
        tile.fetch_wide = PANEL * k;
    }
    for (size_t rows; i < end; i += rows) {
        rows = tile_rows(end - i, most);
        run_tile(rows, width, &tile);
        finishers[args->act](args, i, j, rows, width, sums);
        tile.a += rows * args->lda;
        if (tiles > 2)
            tile.fetch += tile.fetch_stride * k;
    }
}

/*
 * Rows that fit one tile of one panel's width but not a wide one are done by panels: weights that
 * come from memory are then read in one stream, once.
 */
static size_t
columns_at_once(size_t rows)
{
    return rows <= TALL_ROWS ? PANEL : TILE_WIDTH;
}

void
LM_NAME(gemm_f32)(const lm_gemm_f32 *args)
{
    size_t tiles = block_bytes / sizeof(float) / TILE_ROWS / args->k;
    size_t block = TILE_ROWS * (tiles > 8 ? tiles : 8);

    for (size_t i = 0; i < args->m; i += block) {
        size_t end = at_most(args->m, i + block), columns = columns_at_once(end - i);

        for (size_t j = 0; j < args->n; j += columns)
            gemm_columns(args, i, end, j, columns);
    }
}
