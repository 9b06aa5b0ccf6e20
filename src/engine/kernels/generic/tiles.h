/*
 * tiles.h - runs of tiles of one level, over floats or what else of four bytes ELEMENT_TILES takes.
 * Nothing here is compiled for a level: functions of any target may inline it.
 */
#ifndef LM_GENERIC_TILES_H
#define LM_GENERIC_TILES_H

#include "kernels/generic/blocking.h"
#include "kernels/levels.h"

#ifndef ELEMENT_TILES
#define ELEMENT_TILES LM_NAME(tiles_f32)
#endif

/* Columns of one panel, and of the widest tile. */
enum { PANEL = VW * PANEL_COLS, TILE_WIDTH = VW * TILE_COLS };

static inline void
run_tile(size_t rows, size_t width, const lm_tile_f32 *tile)
{
    ELEMENT_TILES[(width - 1) / VW][rows - 1](tile);
}

/*
 * `rows` rows of A by one tile's width of a B that is in the cache already. Where that is one
 * panel, tiles are as tall as can be, to read B half as often.
 */
static inline void
multiply_columns(size_t rows, size_t width, lm_tile_f32 tile)
{
    size_t most = width <= PANEL ? TALL_ROWS : TILE_ROWS;

    tile.fetch = tile.b;
    for (size_t step; rows > 0; rows -= step) {
        step = tile_rows(rows, most);
        run_tile(step, width, &tile);
        tile.a += step * tile.lda;
        tile.c += step * tile.ldc;
    }
}

#endif
