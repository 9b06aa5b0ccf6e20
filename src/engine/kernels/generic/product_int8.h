/*
 * product_int8.h - matrix products with weights of 8 bits, over the tiles of one level.
 *
 * Codes of W, s8 with a scale a row of W, times codes of A, u8 with a scale and a zero point a row
 * of A. The sum of a · w is scale_a · scale_w · (Σ code_a · code_w − zero_a · Σ code_w); behind the
 * panels stand scales and Σ code_w. Integers are exact, and every float operation up to the
 * activation is the same at every level, without fused multiply-adds.
 *
 * A level defines INT8_GROUP, INT8_ROWS, INT8_COLS (group of k, rows and vectors of a tile; a panel
 * is as wide as a tile), the type int8_code of A's codes, CODE_VECTORS and v_store_codes, and its
 * tiles. It may have an order of its own for the steps (INT8_OWN_ORDER and the functions that stand
 * below it).
 */
#include <float.h>
#include <math.h>

#include "kernels/generic/products.h"

enum { INT8_PANEL = VW * INT8_COLS, CODE_LANES = VW * CODE_VECTORS };

#ifndef INT8_OWN_ORDER

/* Whole vectors of codes, and cache lines. */
static size_t
int8_row_bytes(size_t k)
{
    return round_up(k * sizeof(int8_code), 64);
}

/* A panel has nothing beside its codes. */
static size_t
int8_note_count(size_t k)
{
    return 0;
}

static void
pack_panel(const lm_matrix *w, size_t j, int8_t *out, uint16_t *notes)
{
    for (size_t i = 0; i < w->k; i += INT8_GROUP, out += INT8_PANEL * INT8_GROUP)
        for (size_t c = 0; c < at_most(INT8_PANEL, w->n - j); c++)
            for (size_t g = 0; g < at_most(INT8_GROUP, w->k - i); g++)
                out[c * INT8_GROUP + g] = w->codes[(j + c) * w->k + i + g];
}

static void
take_steps(lm_tile *tile, size_t k, const uint16_t *notes)
{
}

static void
finish_codes(size_t k, int8_code *codes)
{
}

#endif

/* Bytes of the panels, which come first. */
static size_t
int8_panels(size_t n, size_t k)
{
    return round_up(round_up(n, INT8_PANEL) * round_up(k, INT8_GROUP), 64);
}

/* What follows the panels: notes by panel, then by column in whole panels, then by k. */
typedef struct int8_parts {
    uint16_t *notes;
    float *scales;
    int32_t *columns; /* sums of a column's codes */
    float *bias_correction;
    float *smooth_scale;
} int8_parts;

static size_t
int8_notes(size_t n, size_t k)
{
    return round_up(round_up(n, INT8_PANEL) / INT8_PANEL * int8_note_count(k) * sizeof(uint16_t),
                    64);
}

static int8_parts
int8_parts_of(const void *packed, size_t n, size_t k)
{
    size_t columns = round_up(n, INT8_PANEL);
    char *notes = (char *)(uintptr_t)packed + int8_panels(n, k);
    float *scales = (float *)(notes + int8_notes(n, k));

    return (int8_parts){.notes = (uint16_t *)notes,
                        .scales = scales,
                        .columns = (int32_t *)(scales + columns),
                        .bias_correction = scales + 2 * columns,
                        .smooth_scale = scales + 3 * columns};
}

/* The notes of the panel that column j begins. */
static uint16_t *
panel_notes(const int8_parts *parts, size_t j, size_t k)
{
    return parts->notes + j / INT8_PANEL * int8_note_count(k);
}

size_t
LM_NAME(packed_size_int8)(size_t n, size_t k)
{
    size_t floats = 3 * round_up(n, INT8_PANEL) + k;

    return round_up(int8_panels(n, k) + int8_notes(n, k) + floats * sizeof(float), 64);
}

void
LM_NAME(pack_int8)(const lm_matrix *w, size_t first, size_t end, void *packed)
{
    int8_parts parts = int8_parts_of(packed, w->n, w->k);
    size_t padded = round_up(w->k, INT8_GROUP);

    if (first == 0) {
        memset(packed, 0, LM_NAME(packed_size_int8)(w->n, w->k));
        memcpy(parts.scales, w->scales, w->n * sizeof(float));
        if (w->bias_correction)
            memcpy(parts.bias_correction, w->bias_correction, w->n * sizeof(float));
        for (size_t i = 0; i < w->k; i++)
            parts.smooth_scale[i] = w->smooth_scale ? w->smooth_scale[i] : 1;
    }
    for (size_t j = first; j < end; j++)
        for (size_t i = 0; i < w->k; i++)
            parts.columns[j] += w->codes[j * w->k + i];
    for (size_t j = first; j < end; j += INT8_PANEL)
        pack_panel(w, j, (int8_t *)packed + j * padded, panel_notes(&parts, j, w->k));
}

/* What the codes of a row of A mean: scale · (code − zero). */
typedef struct row_code {
    float scale;
    int32_t zero;
} row_code;

static size_t
int8_block(size_t k)
{
    return block_of(int8_row_bytes(k), INT8_ROWS);
}

size_t
LM_NAME(scratch_size_int8)(size_t m, size_t k)
{
    size_t rows = at_most(m, int8_block(k));

    return rows * int8_row_bytes(k) + round_up(rows * sizeof(row_code), 64);
}

/* A row of A before it is coded. */
typedef struct int8_row {
    const float *x, *smooth_scale;
} int8_row;

/* Lanes j … of x · smooth_scale; n of them are there. */
LM_INLINE vf
take_inputs(const int8_row *row, size_t j, size_t n)
{
    return v_mul(v_load_some(row->x + j, n), v_load_some(row->smooth_scale + j, n));
}

/* The least and the greatest of a row and 0; *spoilt is NaN where the row holds one or an ∞. */
LM_INLINE void
find_range(size_t k, const int8_row *row, float *low, float *high, float *spoilt)
{
    vf l0 = v_zero(), l1 = v_zero(), h0 = v_zero(), h1 = v_zero(), s0 = v_zero(), s1 = v_zero();
    size_t j = 0;

    for (; j + 2 * VW <= k; j += 2 * VW) {
        vf x0 = take_inputs(row, j, VW), x1 = take_inputs(row, j + VW, VW);

        l0 = v_min(x0, l0);
        l1 = v_min(x1, l1);
        h0 = v_max(x0, h0);
        h1 = v_max(x1, h1);
        s0 = v_fma(x0, v_zero(), s0);
        s1 = v_fma(x1, v_zero(), s1);
    }
    for (; j < k; j += VW) {
        vf x0 = take_inputs(row, j, k - j);

        l0 = v_min(x0, l0);
        h0 = v_max(x0, h0);
        s0 = v_fma(x0, v_zero(), s0);
    }
    *low = -v_maximum(v_sub(v_zero(), v_min(l0, l1)));
    *high = v_maximum(v_max(h0, h1));
    *spoilt = v_sum(v_add(s0, s1));
}

/* Codes j … of some vectors, with k − j lanes in them. */
LM_INLINE void
quantize_vectors(const int8_row *row, size_t j, size_t k, float inverse, int32_t zero,
                 int8_code *codes)
{
    vf y[CODE_VECTORS];

    LM_UNROLL
    for (size_t v = 0; v < CODE_VECTORS; v++, j += VW)
        y[v] = j < k ? v_mul(take_inputs(row, j, k - j), v_set(inverse)) : v_zero();
    v_store_codes(codes, y, zero);
}

/*
 * The codes of a row: 255 steps from its least to its greatest number, 0 among them and exact. A
 * row below 10⁻³⁰ is all zeros, since the inverse of its step might be infinite.
 */
static LM_TARGET row_code
quantize_row(size_t k, const int8_row *row, int8_code *codes)
{
    float low, high, spoilt, range, inverse = 0;
    row_code code = {.scale = 0};
    size_t j = 0;

    find_range(k, row, &low, &high, &spoilt);
    range = high - low;
    if (isnan(spoilt) || !(range <= FLT_MAX))
        code.scale = NAN;
    else if (range > 1e-30f) {
        code.scale = range / 255;
        inverse = 255 / range;
        code.zero = (int32_t)lrintf(-low * inverse);
    }
    for (; j + CODE_LANES <= k; j += CODE_LANES)
        quantize_vectors(row, j, j + CODE_LANES, inverse, code.zero, codes + j);
    if (j < k)
        quantize_vectors(row, j, k, inverse, code.zero, codes + j);
    finish_codes(k, codes);
    return code;
}

/* Integer sums of a tile to floats, in place: the scales, then the bias. */
LM_INLINE void
scale_tile(size_t rows, const row_code *codes, const float *scales, const int32_t *columns,
           const float *bias, float *sums)
{
    for (size_t r = 0; r < rows; r++, sums += INT8_PANEL)
        for (size_t x = 0; x < INT8_PANEL; x += VW) {
            vf scale = v_mul(v_set(codes[r].scale), v_load(scales + x));
            vf sum = v_mul(v_centred(sums + x, columns + x, codes[r].zero), scale);

            v_store(sums + x, v_add(sum, v_load(bias + x)));
        }
}

/* Rows i … of one panel's columns j …, from their codes. */
static LM_TARGET void
panel_int8(const lm_gemm *args, size_t i, size_t rows, size_t j, const row_code *codes)
{
    float sums[INT8_ROWS * INT8_PANEL] __attribute__((aligned(64)));
    float bias[INT8_PANEL] __attribute__((aligned(64)));
    const int8_t *packed = args->packed;
    int8_parts parts = int8_parts_of(packed, args->n, args->k);
    size_t width = at_most(INT8_PANEL, args->n - j), padded = round_up(args->k, INT8_GROUP);
    lm_tile tile = {.steps = padded / INT8_GROUP,
                    .a = args->scratch,
                    .lda = int8_row_bytes(args->k),
                    .b = packed + j * padded,
                    .c = sums,
                    .ldc = INT8_PANEL};

    take_steps(&tile, args->k, panel_notes(&parts, j, args->k));
    take_bias(args, j, width, INT8_PANEL, bias);
    for (size_t x = 0; x < INT8_PANEL; x += VW)
        v_store(bias + x, v_add(v_load(bias + x), v_load(parts.bias_correction + j + x)));
    for (size_t done = 0, now; done < rows; done += now) {
        now = tile_rows(rows - done, INT8_ROWS);
        fetch_residual(args, i + done, j, now, width);
        LM_NAME(tiles_int8)[now - 1](&tile);
        scale_tile(now, codes + done, parts.scales + j, parts.columns + j, bias, sums);
        finish_reduced_tile(args, i + done, j, now, width, sums, INT8_PANEL);
        tile.a = (const char *)tile.a + now * tile.lda;
    }
}

void
LM_NAME(gemm_int8)(const lm_gemm *args)
{
    size_t block = int8_block(args->k), ld = int8_row_bytes(args->k);
    int8_parts parts = int8_parts_of(args->packed, args->n, args->k);

    for (size_t i = 0; i < args->m; i += block) {
        size_t rows = at_most(block, args->m - i);
        row_code *codes = (row_code *)((char *)args->scratch + rows * ld);

        for (size_t r = 0; r < rows; r++) {
            const int8_row row = {args->a + (i + r) * args->lda, parts.smooth_scale};

            codes[r] = quantize_row(args->k, &row, (int8_code *)((char *)args->scratch + r * ld));
        }
        for (size_t j = 0; j < args->n; j += INT8_PANEL)
            panel_int8(args, i, rows, j, codes);
    }
}
