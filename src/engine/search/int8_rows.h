/*
 * int8_rows.h - vectors as int8 with a scale, for the second look at rows that codes of one bit
 * have found. What is stored is the rotated vector (L2: its difference from the origin, of which
 * the others' do not know), whose numbers are all about as large, so that one scale a row serves
 * them; the scale is such that the product of a vector with itself is exact, which makes cosines
 * near 1 precise.
 *
 * A row is lm_int8_row_bytes bytes: a float scale, for L2 a float squared length, then `padded`
 * codes. It needs no alignment.
 */
#ifndef LM_INT8_ROWS_H
#define LM_INT8_ROWS_H

#include "search/query.h"

/* padded + 4; for L2 padded + 8. */
size_t lm_int8_row_bytes(const lm_space *space);
/* Bytes before the codes: 4, or 8 for L2. */
size_t lm_int8_row_head(const lm_space *space);

/* Of a prepared vector (width). */
void lm_int8_row_encode(const lm_space *space, const float *x, void *row);
/* The same from the vector's rotation (padded) by lm_space_rotate. */
void lm_int8_row_encode_rotated(const lm_space *space, const float *rotated, void *row);
/* About the vector (width) that was encoded: for moving rows between lists, or training again. */
void lm_int8_row_decode(const lm_space *space, const void *row, float *x);

/* The query's distance to the row that was encoded, within about 4e-4 of the product of lengths. */
float lm_int8_row_distance(const lm_query *query, const void *row);
/* Of `count` rows, each `stride` bytes behind the one before it: also of centroids that are kept as
 * rows, for which it is what lm_query_base gives. */
void lm_int8_rows_scan(const lm_query *query, const void *rows, size_t stride, size_t count,
                       float *distances);
/* Of a row that lies on several pages: sum lm_int8_part_product over parts of its codes, numbers
 * first … first + count − 1 (multiples of 64), then finish with the row's head. */
int64_t lm_int8_part_product(const lm_query *query, size_t first, size_t count,
                             const int8_t *codes);
float lm_int8_finish(const lm_query *query, const void *head, int64_t product);

#endif
