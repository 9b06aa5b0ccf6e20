/*
 * xlm_roberta_xl.c - XLM-RoBERTa-XL (Goyal et al. 2021): RoBERTa-PreLayerNorm
 * (roberta_prelayernorm.c) whose embeddings are not normed.
 */
#include "family/kin.h"

static const char *const model_types[] = {"xlm-roberta-xl", NULL};

/* Defaults are those of the reference's class. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(250880, 2560, 36, 32, 10240),
    POSITIONS_FIELD(514),
    PADDING_FIELD,
    {"type_vocab_size", LM_FIELD_INT, FIELD(types), 1, 1, 1 << 16, .flags = 0},
    ACT_FIELD(LM_ACT_GELU),
    {"layer_norm_eps", LM_FIELD_FLOAT, FIELD(eps), 1e-5, 1e-20, 1, .flags = 0},
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {0},
};

static const char *const architectures[] = {"XLMRobertaXLModel", "XLMRobertaXLForMaskedLM", NULL};

static const char *const not_needed[] = {"lm_head.", "pooler.", "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FINAL_NORM("encoder.LayerNorm"),
    NORM("attention.self_attn_layer_norm", ATTENTION_GAIN),
    QKV_PART("attention.self.query", 0),
    QKV_PART("attention.self.key", 1),
    QKV_PART("attention.self.value", 2),
    LINEAR("attention.output.dense", D, D, OUTPUT),
    NORM("LayerNorm", FFN_GAIN),
    LINEAR("intermediate.dense", F, D, UP),
    LINEAR("output.dense", D, F, DOWN),
};

static const lm_head_kind heads[] = {
    FIRST_HEAD(LM_ACT_TANH),
    TOKEN_HEAD,
    SPAN_HEAD,
    MASK_HEAD("ForMaskedLM", lm_kin_roberta_mask_slots, LM_ACT_GELU),
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "roberta.", ""}};

extern const lm_family lm_family_xlm_roberta_xl;

const lm_family lm_family_xlm_roberta_xl = {
    .name = "xlm-roberta-xl",
    .check = lm_kin_check_padded,
    .types = FIELD(types),
    .describe = lm_kin_describe_pre_norm,
    KIN_TABLES,
};
