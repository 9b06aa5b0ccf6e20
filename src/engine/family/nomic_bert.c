/*
 * nomic_bert.c - NomicBERT (Nussbaum et al. 2024), of nomic-embed-text.
 *
 *   x = LayerNorm(word + type)                                                       (T, D)
 *   each layer:
 *     q, k, v = x · Wᵀ, q and k turned                                               (T, 3 D)
 *     x = LayerNorm(x + attention(q, k, v) · Woᵀ)                                    (T, D)
 *     x = LayerNorm(x + (act(x · Wgᵀ) · (x · Wuᵀ)) · Wdᵀ)       inner width F         (T, D)
 *
 * Tensors: word (V, D), type (types, D), their norm (D), (D); in each layer query, key, value and
 * output (D, D), gate and up (F, D), down (D, F), two norms (D), (D). No matrix has a bias. A
 * classifier has a pooler (D, D) and (D); the head of pre-training is BERT's.
 */
#include "family/rope_bert.h"
#include "family/rows.h"

static const char *const model_types[] = {"nomic_bert", NULL};

static const lm_config_field fields[] = {
    LM_ROPE_BERT_FIELDS(30528, 768, 12, 12, 3072, 1e-12, LM_ACT_SILU, 2048, 2, 1, 1000),
};

static const char *const architectures[] = {"NomicBertModel", "NomicBertForMaskedLM", NULL};

/* The head of pre-training. */
static const char *const not_needed[] = {"cls.", NULL};

#define FIELD(name) LM_ROPE_BERT(name)
#define D DIM(dims.hidden)
#define E D
#define V DIM(dims.vocab)

static const lm_weight_slot mask_slots[] = {
    MASK_LAYER("cls.predictions.transform.dense", "cls.predictions.transform.layer_norm"),
    MASK_WORDS("cls.predictions.decoder.weight"),
    MASK_BIAS("cls.predictions.decoder.bias"),
    MASK_BIAS("cls.predictions.bias"),
};

static const lm_head_kind heads[] = {
    LM_ROPE_BERT_SEQUENCE_HEAD,
    LM_ROPE_BERT_TOKEN_HEAD,
    {"ForMaskedLM", "fill_mask", NULL, 0, mask_slots, COUNT(mask_slots), LM_POOL_NONE,
     LM_ACT_OF_LAYERS},
};

/* A prefix of models with a head; then the names that its authors' own files have. */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "nomic_bert.", ""},
    {LM_RENAME_PREFIX, "bert.", ""},
    {LM_RENAME_PREFIX, "encoder.layers.", "layers."},
    {LM_RENAME_PREFIX, "emb_ln.", "embeddings.LayerNorm."},
    {LM_RENAME_INSIDE, ".attn.out_proj.", ".self_attn.o_proj."},
    {LM_RENAME_INSIDE, ".attn.Wqkv.", ".self_attn.qkv_proj."},
    {LM_RENAME_INSIDE, ".fc11.", ".up_proj."},
    {LM_RENAME_INSIDE, ".fc12.", ".gate_proj."},
    {LM_RENAME_INSIDE, ".fc2.", ".down_proj."},
    {LM_RENAME_INSIDE, ".norm1.", ".post_attention_layernorm."},
    {LM_RENAME_INSIDE, ".norm2.", ".post_mlp_layernorm."},
};

extern const lm_family lm_family_nomic_bert;

const lm_family lm_family_nomic_bert = {
    LM_ROPE_BERT_FAMILY,
    .name = "nomic_bert",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = lm_rope_bert_keys,
    .architectures = architectures,
    .not_needed = not_needed,
    .check = lm_rope_bert_check,
    .renames = renames,
    .rename_count = COUNT(renames),
};
