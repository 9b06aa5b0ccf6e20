/*
 * values.h - the values of a tensor as float32: read in pieces front to back, converted, and
 * checked to be finite.
 */
#ifndef LM_VALUES_H
#define LM_VALUES_H

#include "format/source.h"
#include "format/tensors.h"

/* LM_UNSUPPORTED, naming the tensor, unless its dtype holds weights. */
lm_status lm_tensor_check_dtype(lm_context *ctx, const lm_tensor *tensor);

/* All values into dest. Polls cancel; NaN and infinity are LM_BAD_MODEL naming the tensor. */
lm_status lm_tensor_read(lm_context *ctx, const lm_source *source, const lm_tensor *tensor,
                         float *dest);

/* Receives values first … first + count − 1 of a tensor. */
typedef void (*lm_values_take)(void *opaque, uint64_t first, const float *values, size_t count);

/* The same, piece by piece to a function. */
lm_status lm_tensor_read_pieces(lm_context *ctx, const lm_source *source, const lm_tensor *tensor,
                                lm_values_take take, void *opaque);

#endif
