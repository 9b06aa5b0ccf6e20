/*
 * mistral.c - Mistral (Jiang et al. 2023) as an embedder: Llama's layers (llama.c) without biases,
 * whose queries see the last `sliding_window` tokens.
 */
#include "family/llama.h"
#include "family/rows.h"

static const char *const model_types[] = {"mistral", NULL};

static const lm_config_field fields[] = {
    LM_LLAMA_FIELDS(32000, 4096, 14336, 32, 131072),
    LM_LLAMA_HEADS(32, 8, 0),
    {"rms_norm_eps", LM_FIELD_FLOAT, LM_LLAMA(eps), 1e-6, 1e-20, 1, .flags = 0},
    LM_ROPE_FIELDS(LM_LLAMA(theta), 10000),
    {"is_causal", LM_FIELD_BOOL, LM_LLAMA(causal), 1, .flags = 0},
    {"sliding_window", LM_FIELD_INT, LM_LLAMA(window), 4096, 2, 1 << 24, .flags = LM_FIELD_OR_NULL},
};

static const lm_key_rule config_keys[] = {
    LM_LLAMA_KEYS,
    {"layer_types", LM_KEY_OBEYED, NULL},
    {0},
};

static const char *const architectures[] = {"MistralModel", NULL};

extern const lm_family lm_family_mistral;

const lm_family lm_family_mistral = {
    LM_LLAMA_FAMILY,
    .name = "mistral",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = config_keys,
    .architectures = architectures,
    .check = lm_llama_check,
};
