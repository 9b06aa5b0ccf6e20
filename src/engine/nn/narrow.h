/*
 * narrow.h - steps of a layer that works in a narrower width than the hidden states: lm_narrow.
 */
#ifndef LM_NARROW_H
#define LM_NARROW_H

#include "nn/layer.h"

/* Query, key and value of rows of hidden states, in pass->wide. */
lm_status lm_narrow_project(const stack_layer *l, size_t rows, const float *x);

/* All that follows attention, for rows of hidden states and those of pass->attention from first on.
 */
lm_status lm_narrow_finish(const stack_layer *l, size_t first, size_t rows, float *x);

#endif
