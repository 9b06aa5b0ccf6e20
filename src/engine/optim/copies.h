/*
 * copies.h - the values of all parameters once more: averages and the best so far.
 */
#ifndef LM_OPTIM_COPIES_H
#define LM_OPTIM_COPIES_H

#include "base/buffer.h"
#include "optim/network.h"

/* Bytes of all values; true: the sum overflows. */
bool lm_values_overflow(const lm_network *network, size_t *bytes);

/* Values one parameter behind the other; NULL with the error recorded. */
float *lm_values_open(lm_context *ctx, const lm_network *network);
lm_status lm_values_keep(lm_context *ctx, const lm_network *network, float *copy);
lm_status lm_values_restore(lm_context *ctx, const lm_network *network, const float *copy);
lm_status lm_values_swap(lm_context *ctx, const lm_network *network, float *copy);
/* Bytes of a checkpoint, there and back, in pieces between polls. */
lm_status lm_bytes_append(lm_context *ctx, const void *bytes, size_t size, lm_buffer *out);
lm_status lm_bytes_copy(lm_context *ctx, void *to, const void *from, size_t size);
/* Are all numbers of the parameters finite? */
lm_status lm_values_check(lm_context *ctx, const lm_network *network, bool *finite);
/* copy = decay · copy + (1 − decay) · value. */
lm_status lm_values_average(lm_context *ctx, const lm_network *network, double decay, float *copy);

#endif
