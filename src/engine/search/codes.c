/*
 * codes.c - codes of one bit a number, their blocks and their scans; the contract is in codes.h.
 *
 * With r = x − c, s the signs of its rotation R r, and g = |r|² / ‖R r‖₁ the product of r with any
 * v is estimated as g s·R v: exact for v = r, and right in the mean for a random rotation. From x·q
 * = c·q + r·c + r·(q − c)   and   |x − q|² = |q − c|² + |r|² − 2 r·(q − c) and with R (q − c) = R
 * (q − m) − R (c − m), m the origin, the part with R (c − m) depends on the row alone. Hence scale
 * = g and add = g s·R (c − m) − r·c; for L2 twice that and |r|² in place of − r·c. `add` is found
 * with the scale as it is after rounding, so that their errors do not add up.
 */
#include "search/codes.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "search/int8_rows.h"

#define GROUP ((size_t)4)
#define TABLE ((size_t)16)
#define FLOAT_ROUNDS 1e-11 /* away of squares, in rotations */

static float
from_bf16(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float x;

    memcpy(&x, &wide, sizeof x);
    return x;
}

static uint16_t
to_bf16(float x)
{
    uint16_t bits;

    lm_round_bf16(1, &x, &bits);
    return bits;
}

size_t
lm_code_bytes(const lm_space *space)
{
    return space->padded / 8;
}

size_t
lm_block_bytes(const lm_space *space)
{
    return LM_STRIP_BYTES(space->padded);
}

void
lm_centroid_rotate(const lm_space *space, const float *values, float *rotated)
{
    for (size_t i = 0; i < space->width; i++)
        space->work[i] = values[i] - space->origin[i];
    lm_space_rotate(space, space->work, rotated);
}

/* ---- Coding, all of it on rotated numbers ---- */

/* What the corrections are made of. */
typedef struct parts {
    double square;   /* |r|² */
    double centroid; /* r·c */
    double absolute; /* ‖R r‖₁ */
    double shift;    /* s·R (c − m) */
} parts;

/* Sums of 64 numbers in lanes, so that compilers use vectors, and in one order, so that the result
 * is the same wherever it is found. */
#define LANES 8

typedef struct lanes {
    float square[LANES], centroid[LANES], absolute[LANES], shift[LANES];
} lanes;

/* R (c − m); where the centroid is the origin itself, zeros. */
static const float *
shift_of(const lm_centroid *centroid)
{
    static const float zeros[LM_STRIP_NUMBERS];

    return centroid != NULL ? centroid->rotated : zeros;
}

static void
sum_lanes(const lanes *l, parts *p)
{
    for (size_t j = 0; j < LANES; j++) {
        p->square += l->square[j];
        p->centroid += l->centroid[j];
        p->absolute += l->absolute[j];
        p->shift += l->shift[j];
    }
}

/* Of 64 numbers; their difference from the centroid goes to r. */
static void
take_parts(const float *x, const float *origin, const float *shift, float *r, parts *p)
{
    lanes l = {{0}, {0}, {0}, {0}};

    for (size_t i = 0; i < LM_STRIP_NUMBERS; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            const float c = origin[i + j] + shift[i + j], d = x[i + j] - c;

            r[i + j] = d;
            l.square[j] += d * d;
            l.centroid[j] += d * c;
            l.absolute[j] += fabsf(d);
            l.shift[j] += d >= 0 ? shift[i + j] : -shift[i + j];
        }
    sum_lanes(&l, p);
}

static void
take_signs(const float *r, uint8_t *code)
{
    for (size_t i = 0; i < LM_STRIP_NUMBERS; i += 8) {
        unsigned byte = 0;

        for (size_t j = 0; j < 8; j++)
            byte |= (unsigned)(r[i + j] >= 0) << j;
        code[i / 8] = (uint8_t)byte;
    }
}

static lm_correction
correct(lm_distance_kind metric, const parts *p)
{
    const double times = metric == LM_DISTANCE_L2 ? 2 : 1;
    const double g = p->absolute > 0 ? p->square / p->absolute : 0;
    const uint16_t scale = to_bf16((float)(times * g));
    const double constant = metric == LM_DISTANCE_L2 ? p->square : -p->centroid;

    return (lm_correction){scale, to_bf16((float)(from_bf16(scale) * p->shift + constant))};
}

void
lm_code_encode_rotated(const lm_space *space, const lm_centroid *centroid, const float *rotated,
                       uint8_t *code, lm_correction *correction)
{
    const float *shift = shift_of(centroid);
    float r[LM_STRIP_NUMBERS];
    parts p = {0, 0, 0, 0};

    for (size_t i = 0; i < space->padded; i += LM_STRIP_NUMBERS) {
        take_parts(rotated + i, space->rotated_origin + i, centroid != NULL ? shift + i : shift, r,
                   &p);
        take_signs(r, code + i / 8);
    }
    *correction = correct(space->metric, &p);
}

void
lm_code_encode(const lm_space *space, const lm_centroid *centroid, const float *x, uint8_t *code,
               lm_correction *correction)
{
    lm_space_rotate(space, x, space->spare);
    lm_code_encode_rotated(space, centroid, space->spare, code, correction);
}

/* ---- Checking ---- */

/* Of 64 numbers: squares of the differences whose sign is not the code's, and of the numbers. */
static void
add_strays(const float *r, const float *x, const uint8_t *code, double *strays, double *square)
{
    for (size_t i = 0; i < LM_STRIP_NUMBERS; i++) {
        if ((r[i] >= 0) != (code[i / 8] >> i % 8 & 1))
            *strays += (double)r[i] * r[i];
        *square += (double)x[i] * x[i];
    }
}

/* int8 is off by half a step a number, and by as much again as its scale is fitted. */
bool
lm_code_is_of(const lm_space *space, const lm_centroid *centroid, const void *row,
              const uint8_t *code)
{
    const float *shift = shift_of(centroid);
    double strays = 0, square = 0;
    float r[LM_STRIP_NUMBERS], scale;
    parts p = {0, 0, 0, 0};

    memcpy(&scale, row, sizeof scale);
    lm_int8_row_decode(space, row, space->work);
    lm_space_rotate(space, space->work, space->spare);
    for (size_t i = 0; i < space->padded; i += LM_STRIP_NUMBERS) {
        take_parts(space->spare + i, space->rotated_origin + i,
                   centroid != NULL ? shift + i : shift, r, &p);
        add_strays(r, space->spare + i, code + i / 8, &strays, &square);
    }
    return strays <= (double)space->padded * scale * scale + FLOAT_ROUNDS * square;
}

/* ---- Blocks ---- */

void
lm_strip_put(uint8_t *strip, size_t first, size_t count, size_t place, const uint8_t *code)
{
    const unsigned shift = place < 16 ? 0 : 4;
    uint8_t *at = strip + place % 16;

    for (size_t g = first / GROUP; g < (first + count) / GROUP; g++, at += 16) {
        const unsigned four = code[g / 2] >> g % 2 * 4 & 15;

        *at = (uint8_t)((*at & 0xf0u >> shift) | four << shift);
    }
}

void
lm_strip_take(const uint8_t *strip, size_t first, size_t count, size_t place, uint8_t *code)
{
    const unsigned shift = place < 16 ? 0 : 4;
    const uint8_t *at = strip + place % 16;

    for (size_t g = first / GROUP; g < (first + count) / GROUP; g += 2, at += 32)
        code[g / 2] = (uint8_t)((at[0] >> shift & 15) | (at[16] >> shift & 15) << 4);
}

void
lm_block_put(const lm_space *space, uint8_t *codes, lm_block_corrections *corrections, size_t place,
             const uint8_t *code, lm_correction correction)
{
    lm_strip_put(codes, 0, space->padded, place, code);
    corrections->scale[place] = correction.scale;
    corrections->add[place] = correction.add;
}

void
lm_block_take(const lm_space *space, const uint8_t *codes, const lm_block_corrections *corrections,
              size_t place, uint8_t *code, lm_correction *correction)
{
    lm_strip_take(codes, 0, space->padded, place, code);
    *correction = (lm_correction){corrections->scale[place], corrections->add[place]};
}

lm_status
lm_blocks_encode(lm_context *ctx, const lm_space *space, const lm_centroid *centroid,
                 const float *x, size_t count, uint8_t *codes, lm_block_corrections *corrections)
{
    const size_t bytes = lm_block_bytes(space);
    uint8_t code[(LM_SPACE_WIDEST + LM_STRIP_NUMBERS) / 8];

    for (size_t i = 0; i < count; i++) {
        const size_t block = i / LM_BLOCK_ROWS, place = i % LM_BLOCK_ROWS;
        lm_correction correction;

        if (place == 0) {
            LM_TRY(lm_poll(ctx));
            memset(codes + block * bytes, 0, bytes);
            memset(corrections + block, 0, sizeof *corrections);
        }
        lm_code_encode(space, centroid, x + i * space->width, code, &correction);
        lm_block_put(space, codes + block * bytes, corrections + block, place, code, correction);
    }
    return LM_OK;
}

/* ---- Scans ---- */

void
lm_strip_add(const lm_query *query, size_t first, size_t count, const uint8_t *strip,
             uint32_t sums[32])
{
    lm_kernels_active()->scan_codes(count / GROUP, strip, query->tables + first / GROUP * TABLE,
                                    sums);
}

uint32_t
lm_block_finish(const lm_query *query, float base, float bound, const uint32_t sums[32],
                const lm_block_corrections *corrections, float distances[32])
{
    const lm_code_estimate estimate = {query->scale, query->offset, base, bound};

    return lm_kernels_active()->estimate_codes(&estimate, sums, corrections->scale,
                                               corrections->add, distances);
}

uint32_t
lm_block_scan_below(const lm_query *query, float base, float bound, const uint8_t *codes,
                    const lm_block_corrections *corrections, float distances[32])
{
    uint32_t sums[LM_BLOCK_ROWS] = {0};

    lm_strip_add(query, 0, query->space->padded, codes, sums);
    return lm_block_finish(query, base, bound, sums, corrections, distances);
}

void
lm_block_scan(const lm_query *query, float base, const uint8_t *codes,
              const lm_block_corrections *corrections, float distances[32])
{
    lm_block_scan_below(query, base, INFINITY, codes, corrections, distances);
}

uint32_t
lm_code_add(const lm_query *query, size_t first, size_t count, const uint8_t *part)
{
    const uint8_t *table = query->tables + first / GROUP * TABLE;
    uint32_t low = 0, high = 0;

    for (size_t i = 0; i < count / 8; i++, table += 2 * TABLE) {
        low += table[part[i] & 15];
        high += table[TABLE + (part[i] >> 4)];
    }
    return low + high;
}

/* As the kernels estimate, operation by operation. */
float
lm_code_finish(const lm_query *query, float base, uint32_t sum, lm_correction correction)
{
    const float product = (float)sum * query->scale + query->offset;

    return base + from_bf16(correction.add) - from_bf16(correction.scale) * product;
}

float
lm_code_scan(const lm_query *query, float base, const uint8_t *code, lm_correction correction)
{
    return lm_code_finish(query, base, lm_code_add(query, 0, query->space->padded, code),
                          correction);
}
