/*
 * qwen2.c - Qwen2 (Yang et al. 2024) as an embedder: Llama's layers (llama.c), whose query, key and
 * value have biases.
 */
#include "family/llama.h"
#include "family/rows.h"

static const char *const model_types[] = {"qwen2", NULL};

static const lm_config_field fields[] = {
    LM_LLAMA_FIELDS(151936, 4096, 22016, 32, 32768),
    LM_LLAMA_HEADS(32, 32, 0),
    {"rms_norm_eps", LM_FIELD_FLOAT, LM_LLAMA(eps), 1e-6, 1e-20, 1, .flags = 0},
    LM_ROPE_FIELDS(LM_LLAMA(theta), 10000),
    {"is_causal", LM_FIELD_BOOL, LM_LLAMA(causal), 1, .flags = 0},
    {"use_sliding_window", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,
     .refusal = "windows in some of the layers are not supported"},
};

/* Windows have settings even where they are off. */
static const lm_key_rule config_keys[] = {
    LM_LLAMA_KEYS,
    {"layer_types", LM_KEY_OBEYED, NULL},
    {"sliding_window", LM_KEY_HARMLESS, NULL},
    {"max_window_layers", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"Qwen2Model", NULL};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    ((lm_llama *)out)->qkv_bias = 1;
    return lm_llama_check(ctx, config, out);
}

extern const lm_family lm_family_qwen2;

const lm_family lm_family_qwen2 = {
    LM_LLAMA_FAMILY,
    .name = "qwen2",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = config_keys,
    .architectures = architectures,
    .check = check,
};
