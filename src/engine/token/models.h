/*
 * models.h - the models of tokenizer.json, which split a word into tokens. A model is one row.
 */
#ifndef LM_TOKEN_MODELS_H
#define LM_TOKEN_MODELS_H

#include "token/model.h"

/* The row that tokenizer.json names, or that the members of a model without a type tell. */
lm_status lm_token_model_find(lm_context *ctx, const lm_json *model, uint32_t *row);

/* The table, in order; the last one is followed by NULL. */
extern const lm_token_model *const lm_token_models[];

/* The row of a compiled tokenizer. */
const lm_token_model *lm_token_model_of(uint32_t row);

#endif
