/*
 * split.h - which rows are held out: of each label its share, chosen at random by a seed, but never
 * its last row. What rounding takes from one label goes to the next, so that many small labels add
 * up.
 */
#ifndef LM_SPLIT_H
#define LM_SPLIT_H

#include "base/context.h"

/*
 * Fill `order` (rows): rows to train on in ascending order, then rows held out; *trained receives
 * how many the first are. LM_BAD_ARGUMENT where a label has no row.
 */
lm_status lm_split_rows(lm_context *ctx, const int32_t *y, size_t rows, size_t labels,
                        double hold_out, uint64_t seed, size_t *order, size_t *trained);

#endif
