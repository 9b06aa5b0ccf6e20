/*
 * reuse.h - texts of one call that need not be computed: those that stand twice in it, and those
 * whose results the prediction cache has (predictions.h). The others are computed, and kept there.
 */
#ifndef LMTEXT_REUSE_H
#define LMTEXT_REUSE_H

#include "pg/service/infer.h"

/* Whether it is worth a look; of a text alone only where there is a prediction cache. */
bool lmtext_reuse_wanted(const lmtext_inference *inference, size_t count);

/* Computes and counts; *done is how many were, in their order. */
typedef lm_status (*lmtext_reuse_run)(const lmtext_inference *inference, const lm_text *texts,
                                      size_t count, void *results, size_t *done);

/*
 * As `run`, with the same results in the same places. `parts` are lmtext_infer_parts of any text.
 * found, which may be NULL, receives which results were not computed now.
 */
lm_status lmtext_reuse(const lmtext_inference *inference, const lm_text *parts,
                       lmtext_reuse_run run, const lm_text *texts, size_t count, void *results,
                       bool *found, size_t *done);

#endif
