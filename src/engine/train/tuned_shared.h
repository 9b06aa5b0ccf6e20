/*
 * tuned_shared.h - a fine-tuning that several processes share (shared.h).
 */
#ifndef LM_TRAIN_TUNED_SHARED_H
#define LM_TRAIN_TUNED_SHARED_H

#include "train/shared.h"
#include "train/tuned.h"

/* LM_UNSUPPORTED, with the option's key, where other options do not allow it. */
lm_status lm_tuned_share_check(const lm_tuned *tuned);

/* Behind lm_tuned_start: append all that a helper must know. The cut is that of a part. */
lm_status lm_tuned_pack(lm_tuned *tuned, const lm_cut *cut, lm_buffer *bytes);

/* How many numbers are values, and how many gradients. */
size_t lm_tuned_value_numbers(const lm_tuned *tuned);
size_t lm_tuned_grad_numbers(const lm_tuned *tuned);

/* From now on its values are here; NULL: in its own memory again. They are copied. */
void lm_tuned_move(lm_tuned *tuned, float *values);

/*
 * A helper's: started, over values and gradients that belong to the caller. The bytes must be of
 * the same library: LM_CORRUPT otherwise. What is made must be closed.
 */
lm_status lm_tuned_unpack(lm_context *ctx, const void *bytes, size_t size, float *values,
                          float *grads, lm_cut *cut, lm_tuned **tuned);

#endif
