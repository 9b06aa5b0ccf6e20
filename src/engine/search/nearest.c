/*
 * nearest.c - the nearest centroids of vectors; the contract is in nearest.h.
 *
 * |x − c|² is least where x·c − |c|² / 2 is greatest: a product with a bias. Centroids are packed
 * in chunks of whole panels, vectors pass by a chunk in blocks, and the best of each stays.
 */
#include "search/nearest.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernels/kernels.h"

/* Centroids of a chunk: whole panels at every level, and products that fit the second cache. */
#define CHUNK (10 * LM_PACK_ROWS)
#define ROWS ((size_t)64)
/* Lanes of the search for the greatest. */
#define LANES ((size_t)16)

static const lm_product *
product_of(void)
{
    return &lm_kernels_active()->products[LM_PRECISION_INT8];
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Vectors that pass at once: fewer where a chunk of them is much work. */
static size_t
rows_at_once(size_t width, size_t chunk)
{
    const double rows = product_of()->poll_flops / (2.0 * (double)width * (double)chunk);

    return rows >= (double)ROWS ? ROWS : rows > 1 ? (size_t)rows : 1;
}

/* Sizes, and, where there is memory, places. Returns the size. */
static size_t
lay_out(lm_nearest *n, char *base)
{
    const size_t chunk = least(n->count, CHUNK);
    size_t size = 0, at[7];

    n->chunks = (n->count - 1) / CHUNK + 1;
    n->chunk_bytes = lm_align_up(product_of()->packed_size(chunk, n->width));
    n->rows = rows_at_once(n->width, chunk);
    at[0] = lm_lay_bytes(&size, n->chunks * n->chunk_bytes);
    at[1] = lm_lay_bytes(&size, n->count * sizeof(float));
    at[2] = lm_lay_bytes(&size, (n->rows > LM_PACK_ROWS ? n->rows : LM_PACK_ROWS) * n->width *
                                    sizeof(float));
    at[3] = lm_lay_bytes(&size, n->rows * chunk * sizeof(float));
    at[4] = lm_lay_bytes(&size, (n->rows + chunk) * sizeof(float));
    at[5] = lm_lay_bytes(&size, chunk * n->width);
    at[6] = lm_lay_bytes(&size, product_of()->scratch_size(n->rows, n->width));
    if (base == NULL)
        return size + LM_ALIGNMENT;
    n->packed = base + at[0];
    n->halves = (float *)(base + at[1]);
    n->shifted = (float *)(base + at[2]);
    n->products = (float *)(base + at[3]);
    n->best = (float *)(base + at[4]);
    n->scales = n->best + n->rows;
    n->codes = (int8_t *)(base + at[5]);
    n->scratch = base + at[6];
    return size + LM_ALIGNMENT;
}

size_t
lm_nearest_memory(size_t width, size_t count)
{
    lm_nearest n = {.width = width, .count = count};

    return lay_out(&n, NULL);
}

lm_status
lm_nearest_open(lm_context *ctx, size_t width, size_t count, const float *origin,
                lm_nearest *nearest)
{
    size_t size;

    *nearest = (lm_nearest){.width = width, .count = count, .origin = origin};
    size = lay_out(nearest, NULL);
    nearest->memory = lm_alloc(ctx, size);
    if (nearest->memory == NULL)
        return LM_NO_MEMORY;
    lay_out(nearest, (char *)lm_align_up((uintptr_t)nearest->memory));
    return LM_OK;
}

void
lm_nearest_close(lm_context *ctx, lm_nearest *nearest)
{
    lm_free(ctx, nearest->memory);
    nearest->memory = NULL;
}

static void
shift(const lm_nearest *n, const float *x, size_t rows)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n->width; j++)
            n->shifted[i * n->width + j] = x[i * n->width + j] - n->origin[j];
}

/* ---- Centroids ---- */

static float
half_square(size_t width, const float *x)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * x[i];
    return (float)(-sum / 2);
}

static lm_status
pack_chunk(lm_context *ctx, lm_nearest *n, size_t chunk, const float *centroids)
{
    const size_t first = chunk * CHUNK, count = least(n->count - first, CHUNK);
    const lm_matrix matrix = {.n = count, .k = n->width, .codes = n->codes, .scales = n->scales};

    for (size_t i = 0; i < count; i += LM_PACK_ROWS) {
        const size_t rows = least(count - i, LM_PACK_ROWS);

        LM_TRY(lm_poll(ctx));
        shift(n, centroids + (first + i) * n->width, rows);
        for (size_t j = 0; j < rows; j++)
            n->halves[first + i + j] = half_square(n->width, n->shifted + j * n->width);
        lm_quantize_rows(n->shifted, rows, n->width, n->codes + i * n->width, n->scales + i);
    }
    return lm_pack(ctx, product_of(), &matrix, n->packed + chunk * n->chunk_bytes);
}

lm_status
lm_nearest_set(lm_context *ctx, lm_nearest *nearest, const float *centroids)
{
    for (size_t chunk = 0; chunk < nearest->chunks; chunk++)
        LM_TRY(pack_chunk(ctx, nearest, chunk, centroids));
    return LM_OK;
}

/* ---- Vectors ---- */

/* The greatest of x (count), in lanes. */
static float
greatest_of(const float *x, size_t count)
{
    float lanes[LANES], greatest;
    size_t i = 0;

    for (size_t j = 0; j < LANES; j++)
        lanes[j] = -INFINITY;
    for (; i + LANES <= count; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    greatest = -INFINITY;
    for (size_t j = 0; j < LANES; j++)
        greatest = lanes[j] > greatest ? lanes[j] : greatest;
    for (; i < count; i++)
        greatest = x[i] > greatest ? x[i] : greatest;
    return greatest;
}

/* The first of the greatest, where it is better than what was before. */
static void
keep_best(const float *products, size_t count, size_t first, float *best, uint32_t *list)
{
    const float greatest = greatest_of(products, count);
    size_t i = 0;

    if (!(greatest > *best))
        return;
    while (products[i] != greatest)
        i++;
    *best = greatest;
    *list = (uint32_t)(first + i);
}

static void
pass_chunk(lm_nearest *n, size_t chunk, size_t rows, uint32_t *list)
{
    const size_t first = chunk * CHUNK, count = least(n->count - first, CHUNK);
    const lm_gemm product = {
        .m = rows,
        .n = count,
        .k = n->width,
        .a = n->shifted,
        .lda = n->width,
        .packed = n->packed + chunk * n->chunk_bytes,
        .bias = n->halves + first,
        .c = n->products,
        .ldc = count,
        .scratch = n->scratch,
    };

    product_of()->gemm(&product);
    for (size_t i = 0; i < rows; i++)
        keep_best(n->products + i * count, count, first, n->best + i, list + i);
}

lm_status
lm_nearest_find(lm_context *ctx, lm_nearest *nearest, const float *x, size_t rows, uint32_t *list)
{
    for (size_t i = 0; i < rows; i += nearest->rows) {
        const size_t now = least(rows - i, nearest->rows);

        shift(nearest, x + i * nearest->width, now);
        for (size_t j = 0; j < now; j++) {
            nearest->best[j] = -INFINITY;
            list[i + j] = 0;
        }
        for (size_t chunk = 0; chunk < nearest->chunks; chunk++) {
            LM_TRY(lm_poll(ctx));
            pass_chunk(nearest, chunk, now, list + i);
        }
    }
    return LM_OK;
}
