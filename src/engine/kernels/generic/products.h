/*
 * products.h - what matrix products with weights of 16 and of 8 bits share: the order of blocks,
 * and what is fetched ahead.
 *
 * W (N, K) is packed in panels, [panel][K / group][columns][group], padded by zeros to whole panels
 * and groups; a tile reads its panel front to back, all of K, and writes whole rows of sums. Panels
 * are the outer loop over a block of rows, as for float32.
 */
#ifndef LM_PRODUCTS_H
#define LM_PRODUCTS_H

#include <string.h>

#include "kernels/generic/blocking.h"
#include "kernels/generic/epilogue.h"
#include "kernels/levels.h"

/* Converted rows of one block take at most this much of the second-level cache. */
static const size_t converted_bytes = 256 * 1024;

/* Rows of a block whose rows take so many bytes: whole tiles, and some of them. */
static inline size_t
block_of(size_t row_bytes, size_t tile_rows)
{
    size_t tiles = converted_bytes / row_bytes / tile_rows;

    return tile_rows * (tiles > 2 ? tiles : 2);
}

/*
 * The residual's lines, fetched while a tile's sums are made: a tile of few columns touches one
 * line a row, and would wait for each. C's are not: stores do not wait, and on some CPUs so many
 * requests hold up the tile's own loads.
 */
static inline void
fetch_residual(const lm_gemm *args, size_t i, size_t j, size_t rows, size_t width)
{
    for (size_t r = i; r < i + rows && args->residual; r++)
        for (size_t x = j; x < j + width; x += 16)
            __builtin_prefetch(args->residual + r * args->ldr + x);
}

#endif
