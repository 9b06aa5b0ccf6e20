/*
 * batches.h - which rows a step learns from, and in which parts.
 */
#ifndef LM_OPTIM_BATCHES_H
#define LM_OPTIM_BATCHES_H

#include "optim/network.h"

/*
 * The order of an epoch (from 0): `order` as it is, or shuffled by the seed and the epoch, so that
 * no epoch depends on those before it. rows has room for `count`.
 */
lm_status lm_epoch_order(lm_context *ctx, const size_t *order, size_t count, bool shuffle,
                         uint64_t seed, uint64_t epoch, size_t *rows);

/* How a batch is cut. */
typedef struct lm_cut {
    size_t parts;  /* at least; 0 or 1: whole */
    size_t memory; /* bytes that the rows of a part may take; 0: no bound */
} lm_cut;

/* How many of the batch's rows from `at` on are the next part: one at least. */
size_t lm_next_part(const lm_network *network, const lm_cut *cut, const size_t *rows, size_t count,
                    size_t at);

/* A pass over all of them, part by part. Polls cancel. */
lm_status lm_run_parts(lm_context *ctx, const lm_network *network, const lm_cut *cut,
                       const size_t *rows, size_t count, const lm_pass *pass, double *loss);

#endif
