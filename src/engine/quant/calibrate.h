/*
 * calibrate.h - what the inputs and the errors of a model's matrices are like on texts (private to
 * quant/).
 */
#ifndef LM_QUANT_CALIBRATE_H
#define LM_QUANT_CALIBRATE_H

#include "quant/matrices.h"

/* What to gather; of each matrix's fields, but `gram`, from nothing. */
typedef enum lm_quant_look {
    LM_LOOK_INPUTS, /* rows, sum, most */
    LM_LOOK_GRAMS,  /* gram, added to, where one is wanted; needs rows and sum */
    LM_LOOK_ERRORS, /* error, of the matrix as it is stored */
} lm_quant_look;

/*
 * Embed the texts by the fp32 model, LM_QUANTIZE_MAX_TOKENS of them; *tokens, which may be NULL, is
 * how many it were.
 */
lm_status lm_quant_look_at(lm_quant *quant, lm_session *session, const lm_text *texts, size_t count,
                           lm_quant_look look, uint64_t *tokens);

#endif
