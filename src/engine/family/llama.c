/*
 * llama.c - Llama (Touvron et al. 2023) as an embedder: llama.h's layers as they are.
 *
 *   x = word                                                                         (T, D)
 *   each layer:
 *     x = x + causal attention(turned Wq · rms(x), turned Wk · rms(x), Wv · rms(x)) · Woᵀ  (T, D)
 *     x = x + (act(rms(x) · Wgᵀ) · (rms(x) · Wuᵀ)) · Wdᵀ     inner width F            (T, D)
 *   x = rms(x)
 *
 * Tensors: word (V, D); in each layer query (H d, D), key and value (K d, D), output (D, H d), gate
 * and up (F, D), down (D, F), all with biases where config.json says so; the gains (D) of both
 * parts; a gain (D) behind all. H heads share K heads of keys.
 */
#include "family/llama.h"
#include "family/rows.h"

static const char *const model_types[] = {"llama", NULL};

static const lm_config_field fields[] = {
    LM_LLAMA_FIELDS(32000, 4096, 11008, 32, 2048),
    LM_LLAMA_HEADS(32, 0, 0),
    {"rms_norm_eps", LM_FIELD_FLOAT, LM_LLAMA(eps), 1e-6, 1e-20, 1, .flags = 0},
    LM_ROPE_FIELDS(LM_LLAMA(theta), 10000),
    {"attention_bias", LM_FIELD_BOOL, LM_LLAMA(qkv_bias), .flags = 0},
    {"attention_bias", LM_FIELD_BOOL, LM_LLAMA(output_bias), .flags = 0},
    {"mlp_bias", LM_FIELD_BOOL, LM_LLAMA(net_bias), .flags = 0},
    {"is_causal", LM_FIELD_BOOL, LM_LLAMA(causal), 1, .flags = 0},
};

static const lm_key_rule config_keys[] = {
    LM_LLAMA_KEYS,
    {"layer_types", LM_KEY_OBEYED, NULL},
    {"pretraining_tp", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"LlamaModel", NULL};

extern const lm_family lm_family_llama;

const lm_family lm_family_llama = {
    LM_LLAMA_FAMILY,
    .name = "llama",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = config_keys,
    .architectures = architectures,
    .check = lm_llama_check,
};
