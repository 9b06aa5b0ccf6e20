/*
 * gte.c - GTE (Zhang et al. 2024): NomicBERT's layers (nomic_bert.c) with biases in attention (D)
 * and in the net's last matrix (D); models without token types are among them.
 */
#include "family/rope_bert.h"
#include "family/rows.h"

static const char *const model_types[] = {"gte", NULL};

static const lm_config_field fields[] = {
    LM_ROPE_BERT_FIELDS(250048, 768, 12, 12, 3072, 1e-12, LM_ACT_GELU, 8192, 1, 0, 160000),
};

static const char *const architectures[] = {"GteModel", "GteForMaskedLM", NULL};

/* The head of pre-training. */
static const char *const not_needed[] = {"lm_head.", NULL};

#define FIELD(name) LM_ROPE_BERT(name)
#define D DIM(dims.hidden)
#define E D
#define V DIM(dims.vocab)

static const lm_weight_slot mask_slots[] = {
    MASK_LAYER("lm_head.dense", "lm_head.layer_norm"),
    MASK_WORDS("lm_head.decoder.weight"),
    MASK_BIAS("lm_head.decoder.bias"),
};

static const lm_head_kind heads[] = {
    LM_ROPE_BERT_SEQUENCE_HEAD,
    LM_ROPE_BERT_TOKEN_HEAD,
    {"ForMaskedLM", "fill_mask", NULL, 0, mask_slots, COUNT(mask_slots), LM_POOL_NONE, LM_ACT_GELU},
};

/* Prefixes of models with a head; then the names that its authors' own files have. */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "gte.", ""},
    {LM_RENAME_PREFIX, "new.", ""},
    {LM_RENAME_PREFIX, "encoder.layer.", "layers."},
    {LM_RENAME_INSIDE, ".attention.o_proj.", ".self_attn.o_proj."},
    {LM_RENAME_INSIDE, ".attention.qkv_proj.", ".self_attn.qkv_proj."},
    {LM_RENAME_INSIDE, ".attn_ln.", ".post_attention_layernorm."},
    {LM_RENAME_INSIDE, ".mlp_ln.", ".post_mlp_layernorm."},
};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    ((lm_rope_bert *)out)->biased = 1;
    return lm_rope_bert_check(ctx, config, out);
}

extern const lm_family lm_family_gte;

const lm_family lm_family_gte = {
    LM_ROPE_BERT_FAMILY,
    .name = "gte",
    .model_types = model_types,
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = lm_rope_bert_keys,
    .architectures = architectures,
    .not_needed = not_needed,
    .check = check,
    .renames = renames,
    .rename_count = COUNT(renames),
};
