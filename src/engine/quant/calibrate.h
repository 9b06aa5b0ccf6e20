/*
 * calibrate.h - statistics of the inputs and of the errors of a model's matrices on texts (private
 * to quant/).
 */
#ifndef LM_QUANT_CALIBRATE_H
#define LM_QUANT_CALIBRATE_H

#include "quant/matrices.h"

/* What to gather; of each matrix's fields, but `gram`, from nothing. */
typedef enum lm_calibrate_what {
    LM_COLLECT_INPUTS, /* rows, sum, absmax */
    LM_COLLECT_GRAMS,  /* gram, added to, where one is wanted; needs rows and sum */
    LM_COLLECT_ERRORS, /* error, of the matrix as it is stored */
} lm_calibrate_what;

/*
 * Embed the texts by the fp32 model until they have LM_QUANTIZE_MAX_TOKENS tokens; *tokens, which
 * may be NULL, receives the number of tokens read.
 */
lm_status lm_calibrate_pass(lm_quant *quant, lm_session *session, const lm_text *texts,
                            size_t count, lm_calibrate_what what, uint64_t *tokens);

#endif
