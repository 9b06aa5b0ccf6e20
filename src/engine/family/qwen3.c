/*
 * qwen3.c - Qwen3 (Yang et al. 2025) as an embedder: Llama's layers, whose queries and keys are
 * normed head by head.
 *
 *   x = word                                                                         (T, D)
 *   each layer:
 *     y = rms(x);  q = rms(y · Wqᵀ), k = rms(y · Wkᵀ) in each head, both turned; v = y · Wvᵀ
 *     x = x + causal attention(q, k, v) · Woᵀ                                        (T, D)
 *     x = x + (act(rms(x) · Wgᵀ) · (rms(x) · Wuᵀ)) · Wdᵀ     inner width F            (T, D)
 *   x = rms(x)
 *
 * Tensors: word (V, D); in each layer query (H d, D), key and value (K d, D), output (D, H d), the
 * gains of query's and key's norm (d), those of both parts (D), gate and up (F, D), down (D, F); a
 * gain (D) behind all. H heads share K heads of keys; d is not D / H.
 */
#include "family/llama.h"
#include "family/rows.h"

static const char *const model_types[] = {"qwen3", NULL};

static const lm_config_field fields[] = {
    LM_LLAMA_FIELDS(151936, 4096, 22016, 32, 32768),
    LM_LLAMA_HEADS(32, 32, 128),
    {"rms_norm_eps", LM_FIELD_FLOAT, LM_LLAMA(eps), 1e-6, 1e-20, 1, .flags = 0},
    LM_ROPE_FIELDS(LM_LLAMA(theta), 10000),
    {"attention_bias", LM_FIELD_BOOL, LM_LLAMA(qkv_bias), .flags = 0},
    {"attention_bias", LM_FIELD_BOOL, LM_LLAMA(output_bias), .flags = 0},
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

static const char *const architectures[] = {"Qwen3Model", NULL};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    ((lm_llama *)out)->normed = 1;
    return lm_llama_check(ctx, config, out);
}

extern const lm_family lm_family_qwen3;

const lm_family lm_family_qwen3 = {
    LM_LLAMA_FAMILY,
    .name = "qwen3",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = config_keys,
    .architectures = architectures,
    .check = check,
};
