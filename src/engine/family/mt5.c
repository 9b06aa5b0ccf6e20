/*
 * mt5.c - the encoder of mT5 (Xue et al. 2021): T5's (t5.c), with a gated net where config.json
 * does not say.
 */
#include "family/rows.h"
#include "family/t5.h"

static const char *const model_types[] = {"mt5", NULL};

static const lm_config_field fields[] = {
    LM_T5_FIELDS(250112, 1024, 8, 6, LM_T5_GATED + LM_ACT_GELU_TANH),
};

static const char *const architectures[] = {"MT5EncoderModel", NULL};

extern const lm_family lm_family_mt5;

const lm_family lm_family_mt5 = {
    LM_T5_FAMILY,
    .name = "mt5",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .architectures = architectures,
    .check = lm_t5_check,
};
