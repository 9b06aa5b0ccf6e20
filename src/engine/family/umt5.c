/*
 * umt5.c - the encoder of UMT5 (Chung et al. 2023): mT5's (mt5.c), each of whose layers has biases
 * of distances (buckets, H) of its own.
 */
#include "family/rows.h"
#include "family/t5.h"

static const char *const model_types[] = {"umt5", NULL};

static const lm_config_field fields[] = {
    LM_T5_FIELDS(250112, 1024, 8, 6, LM_T5_GATED + LM_ACT_GELU_TANH),
};

static const char *const architectures[] = {"UMT5EncoderModel", NULL};

extern const lm_family lm_family_umt5;

const lm_family lm_family_umt5 = {
    LM_T5_FAMILY,
    .name = "umt5",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .architectures = architectures,
    .check = lm_t5_check_own,
};
