/*
 * codes.h - codes of one bit a number, and estimates of distances from them. After RaBitQ (Gao and
 * Long 2024, arXiv 2405.12497): the code of a vector is the signs of its rotated difference from a
 * centroid; two corrections make the estimate of its product with any query unbiased, with an error
 * of about √(.57 / padded) of the product of both lengths.
 *
 *   distance(q, x) ≈ base(q, centroid) + add(x) − scale(x) · (signs of x · rotated q)
 *
 * The corrections hold all that depends on the centroid, so that a query's tables serve every list,
 * and only `base`, one number a list, differs.
 *
 * Layouts. A row's code is padded / 8 bytes: number i is bit i % 8 of byte i / 8, set where it is
 * not negative. A block holds LM_BLOCK_ROWS rows: for each group of four numbers 16 bytes, of which
 * byte j has row j in its lower half and row 16 + j in its upper, as table look-up wants it.
 * A strip is the part of a block for numbers first … first + count − 1, both multiples of
 * LM_STRIP_NUMBERS: it is count · 4 contiguous bytes of the block, so that a wide block may be cut
 * into pages anywhere between strips. Corrections are kept apart from codes.
 * Places of a block that hold no row may have any bytes: whoever scans knows which rows are there.
 */
#ifndef LM_CODES_H
#define LM_CODES_H

#include "search/query.h"

#define LM_BLOCK_ROWS ((size_t)32)
#define LM_STRIP_NUMBERS ((size_t)64)

/* bfloat16 both; 4 bytes a row. */
typedef struct lm_correction {
    uint16_t scale, add;
} lm_correction;

/* Those of a block; 128 bytes. */
typedef struct lm_block_corrections {
    uint16_t scale[32], add[32];
} lm_block_corrections;

/* Bytes of a row's code, of a block's codes, and of a strip of it. */
size_t lm_code_bytes(const lm_space *space);  /* padded / 8 */
size_t lm_block_bytes(const lm_space *space); /* padded · 4 */
#define LM_STRIP_BYTES(numbers) ((size_t)(numbers)*4)

/*
 * What rows of a list are coded relative to. NULL in place of a centroid is the origin of the
 * space: the one list of a flat index.
 */
typedef struct lm_centroid {
    const float *values;  /* (width) */
    const float *rotated; /* (padded) by lm_centroid_rotate */
} lm_centroid;

/* rotated (padded) of a centroid's values: its difference from the origin, rotated. */
void lm_centroid_rotate(const lm_space *space, const float *values, float *rotated);

/* Code (lm_code_bytes) and correction of a prepared vector (width). */
void lm_code_encode(const lm_space *space, const lm_centroid *centroid, const float *x,
                    uint8_t *code, lm_correction *correction);

/* The same from the vector's rotation (padded) by lm_space_rotate, which int8 rows need too. */
void lm_code_encode_rotated(const lm_space *space, const lm_centroid *centroid,
                            const float *rotated, uint8_t *code, lm_correction *correction);

/*
 * Is `code` of the vector that `row` has as int8 (int8_rows.h), relative to this centroid? Signs
 * may be others where int8 has rounded: the squares of these differences are together no more than
 * what it rounds away. So a centroid passes for one that is nearer to it than about a thirtieth of
 * the vector's length.
 */
bool lm_code_is_of(const lm_space *space, const lm_centroid *centroid, const void *row,
                   const uint8_t *code);

/* Write a row's code at a place (0 … 31) of a block, or read it from there. */
void lm_block_put(const lm_space *space, uint8_t *codes, lm_block_corrections *corrections,
                  size_t place, const uint8_t *code, lm_correction correction);
void lm_block_take(const lm_space *space, const uint8_t *codes,
                   const lm_block_corrections *corrections, size_t place, uint8_t *code,
                   lm_correction *correction);
/* The same of one strip: `strip` is its bytes, `code` the whole row's code. */
void lm_strip_put(uint8_t *strip, size_t first, size_t count, size_t place, const uint8_t *code);
void lm_strip_take(const uint8_t *strip, size_t first, size_t count, size_t place, uint8_t *code);

/* `count` prepared vectors (count, width) into blocks one behind the other: blocks and corrections
 * for count / LM_BLOCK_ROWS of them, rounded up. The last one's free places get zeros. Polls. */
lm_status lm_blocks_encode(lm_context *ctx, const lm_space *space, const lm_centroid *centroid,
                           const float *x, size_t count, uint8_t *codes,
                           lm_block_corrections *corrections);

/* ---- Scans. `base` is lm_query_base(query, centroid values) ---- */

/* Estimates of the distances of a block's 32 rows. */
void lm_block_scan(const lm_query *query, float base, const uint8_t *codes,
                   const lm_block_corrections *corrections, float distances[32]);
/* The same; returns the rows whose estimate is below `bound`, row i as bit i. */
uint32_t lm_block_scan_below(const lm_query *query, float base, float bound, const uint8_t *codes,
                             const lm_block_corrections *corrections, float distances[32]);

/* In strips: zero `sums`, add all strips in any order, then finish. Same results as of a block. */
void lm_strip_add(const lm_query *query, size_t first, size_t count, const uint8_t *strip,
                  uint32_t sums[32]);
uint32_t lm_block_finish(const lm_query *query, float base, float bound, const uint32_t sums[32],
                         const lm_block_corrections *corrections, float distances[32]);

/* One row's code as it comes from lm_code_encode: the same estimate, bit by bit. */
float lm_code_scan(const lm_query *query, float base, const uint8_t *code,
                   lm_correction correction);
/* Its parts, for rows that lie on several pages: numbers first … first + count − 1. */
uint32_t lm_code_add(const lm_query *query, size_t first, size_t count, const uint8_t *part);
float lm_code_finish(const lm_query *query, float base, uint32_t sum, lm_correction correction);

#endif
