/*
 * calibrate.h - statistics of the inputs of a model's matrices on texts (private
 * to quant/).
 */
#ifndef LM_QUANT_CALIBRATE_H
#define LM_QUANT_CALIBRATE_H

#include "quant/matrices.h"

/*
 * Embed the texts by the fp32 model until they have LM_QUANTIZE_MAX_TOKENS tokens, and gather from
 * the inputs of all matrices that have a `gram`; *tokens receives the number of tokens read.
 */
lm_status lm_calibrate_pass(lm_quant *quant, lm_session *session, const lm_text *texts,
                            size_t count, uint64_t *tokens);
/* Makes the whole of `gram` from what passes left, which saw some rows. */
lm_status lm_calibrate_finish(lm_context *ctx, lm_quant_matrix *matrix);

#endif
