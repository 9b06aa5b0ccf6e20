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

/* A block of rows of A takes at most this much of the second-level cache, beside one panel. */
static const size_t block_bytes = 512 * 1024;
/* Floats from a read to the line fetched with it: 8 KB covers the latency of memory. */
static const size_t fetch_ahead = 2048;

size_t
LM_NAME(packed_size_f32)(size_t n, size_t k)
{
    return round_up(round_up(n, VW) * k, 16);
}

LM_TARGET void
LM_NAME(pack_rows_f32)(const float *w, size_t ldw, size_t n, size_t k, float factor, float *packed)
{
    for (size_t j = 0; j < n; j += PANEL) {
        size_t width = at_most(PANEL, n - j), padded = round_up(width, VW);

        for (size_t i = 0; i < k; i++, packed += padded) {
            for (size_t c = 0; c < width; c++)
                packed[c] = w[(j + c) * ldw + i] * factor;
            for (size_t c = width; c < padded; c++)
                packed[c] = 0;
        }
    }
}

LM_TARGET void
LM_NAME(pack_f32)(const float *w, size_t n, size_t k, float *packed)
{
    size_t used = round_up(n, VW) * k, size = LM_NAME(packed_size_f32)(n, k);

    LM_NAME(pack_rows_f32)(w, k, n, k, 1, packed);
    for (size_t i = used; i < size; i++)
        packed[i] = 0;
}

/* The tile at (i, j): `width` of its columns are C's. */
LM_INLINE void
finish_tile(lm_activation act, const lm_gemm_f32 *args, size_t i, size_t j, size_t rows,
            size_t width, const float *tile)
{
    for (size_t r = 0; r < rows; r++, tile += PANEL) {
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
 * One panel for a block of rows. Meanwhile the next panel comes from memory, an equal share of it
 * during each tile; a single tile, which waits for memory all the time, fetches its own panel a
 * little ahead of its reads.
 */
static void
gemm_panel(const lm_gemm_f32 *args, size_t first, size_t end, size_t j)
{
    float tile[TILE_ROWS * PANEL] __attribute__((aligned(64)));
    size_t width = at_most(PANEL, args->n - j), padded = round_up(width, VW);
    const lm_tile_f32 *tiles = LM_NAME(tiles_f32)[padded / VW - 1];
    const float *b = args->packed + j * args->k, *next = b + padded * args->k;
    size_t count = (end - first + TILE_ROWS - 1) / TILE_ROWS, stride = padded / count;

    if (count == 1)
        next = b + fetch_ahead;
    for (size_t i = first, rows; i < end; i += rows, next += stride * args->k) {
        rows = tile_rows(end - i);
        tiles[rows - 1](args->k, args->a + i * args->lda, args->lda, b, padded, tile, PANEL, next,
                        stride);
        finishers[args->act](args, i, j, rows, width, tile);
    }
}

void
LM_NAME(gemm_f32)(const lm_gemm_f32 *args)
{
    size_t tiles = block_bytes / sizeof(float) / TILE_ROWS / args->k;
    size_t block = TILE_ROWS * (tiles > 8 ? tiles : 8);

    for (size_t i = 0; i < args->m; i += block)
        for (size_t j = 0; j < args->n; j += PANEL)
            gemm_panel(args, i, at_most(args->m, i + block), j);
}
