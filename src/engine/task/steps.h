/*
 * steps.h - poolings and modules on the hidden states of a window (private to task/).
 */
#ifndef LM_TASK_STEPS_H
#define LM_TASK_STEPS_H

#include "kernels/kernels.h"
#include "model/steps.h"
#include "task/batch.h"

/* torch.nn.functional.normalize's lower bound of a norm. */
#define LM_NORM_EPS 1e-12f
/* torch.nn.LayerNorm's. */
#define LM_STEP_NORM_EPS 1e-5f

/* Which rows the poolings read. */
lm_batch_rows lm_steps_rows(const lm_steps *steps);

/*
 * Pools rows first … rows − 1 of x (rows, width), or the only row that was computed, and runs the
 * steps. vector and room have `widest` numbers each; *result is one of the two. Polls cancel.
 */
lm_status lm_steps_run(lm_context *ctx, const lm_kernels *kernels, const lm_steps *steps,
                       const float *x, size_t first, size_t rows, size_t width, float *vector,
                       float *room, float **result);

/* The same of one row, which is left as it is. */
lm_status lm_steps_of_row(lm_context *ctx, const lm_kernels *kernels, const lm_steps *steps,
                          const float *x, float *vector, float *room, float **result);

/* One pooling of rows first … rows − 1 of x (rows, width), all of which are there, into out
 * (width); and one step, from x to out. */
void lm_pool_rows(const lm_kernels *kernels, lm_pooling pooling, const float *x, size_t first,
                  size_t rows, size_t width, float *out);
lm_status lm_step_run(lm_context *ctx, const lm_kernels *kernels, const lm_step *step,
                      const float *x, float *out);

#endif
