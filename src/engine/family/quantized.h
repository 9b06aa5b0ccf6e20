/*
 * quantized.h - the matrices of a calibrated int8 version, which stand in a file of their own in
 * place of the model's (private to family/).
 */
#ifndef LM_QUANTIZED_H
#define LM_QUANTIZED_H

#include "family/family.h"

/*
 * Find the tensors of every matrix, and take the model's own off the plan's placements. What is
 * missing, of another dtype or shape, out of order or of no matrix is LM_BAD_MODEL.
 */
lm_status lm_quantized_plan(lm_context *ctx, lm_arena *arena, const lm_tensors *tensors,
                            lm_weights_plan *plan);
/* Read and pack the matrices that the plan found; polls cancel. */
lm_status lm_quantized_fill(lm_context *ctx, const lm_weights_plan *plan, const lm_source *source,
                            char *image);

#endif
