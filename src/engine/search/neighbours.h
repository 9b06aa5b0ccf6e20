/*
 * neighbours.h - for each of many rows its nearest other rows: of few rows exactly, of many by
 * lists, where most of them are found.
 */
#ifndef LM_SEARCH_NEIGHBOURS_H
#define LM_SEARCH_NEIGHBOURS_H

#include "search/clusters.h"

#define LM_NEIGHBOURS_EXACT ((size_t)16384) /* rows up to which all pairs are looked at */
#define LM_NEIGHBOURS_MOST ((size_t)256)    /* of a row */

/*
 * The `count` nearest of each row, at most rows − 1 and LM_NEIGHBOURS_MOST, nearest first, by
 * Euclidean distance: into numbers and distances (rows, count). The same rows and seed give the
 * same. LM_BAD_ARGUMENT: a vector's length is beyond 3e18, or no number. Polls.
 */
lm_status lm_neighbour_lists(lm_context *ctx, const lm_vector_rows *vectors, size_t count,
                             uint64_t seed, uint32_t *numbers, float *distances);

#endif
