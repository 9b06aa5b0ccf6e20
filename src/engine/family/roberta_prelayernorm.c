/*
 * roberta_prelayernorm.c - RoBERTa-PreLayerNorm, of fairseq's encoder_normalize_before: RoBERTa
 * (roberta.c) with norms before each part of a layer, and one behind the last.
 *
 *   each layer:
 *     x = x + attention(q, k, v of LayerNorm(x)) · Woᵀ + bo                          (T, D)
 *     x = x + act(LayerNorm(x) · Wuᵀ + bu) · Wdᵀ + bd                                (T, D)
 *   x = LayerNorm(x)
 */
#include "family/kin.h"

static const char *const model_types[] = {"roberta-prelayernorm", NULL};

/* Defaults are those of the reference's class. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(50265, 768, 12, 12, 3072),
    POSITIONS_FIELD(512),
    PADDING_FIELD,
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {0},
};

static const char *const architectures[] = {"RobertaPreLayerNormModel",
                                            "RobertaPreLayerNormForMaskedLM", NULL};

static const char *const not_needed[] = {"lm_head.", "pooler.", "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FIRST_NORM("embeddings.LayerNorm"),
    FINAL_NORM("LayerNorm"),
    NORM("attention.LayerNorm", ATTENTION_GAIN),
    QKV_PART("attention.self.query", 0),
    QKV_PART("attention.self.key", 1),
    QKV_PART("attention.self.value", 2),
    LINEAR("attention.output.dense", D, D, OUTPUT),
    NORM("intermediate.LayerNorm", FFN_GAIN),
    LINEAR("intermediate.dense", F, D, UP),
    LINEAR("output.dense", D, F, DOWN),
};

static const lm_head_kind heads[] = {
    FIRST_HEAD(LM_ACT_TANH),
    TOKEN_HEAD,
    SPAN_HEAD,
    MASK_HEAD("ForMaskedLM", lm_kin_roberta_mask_slots, LM_ACT_GELU),
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "roberta_prelayernorm.", ""}};

extern const lm_family lm_family_roberta_prelayernorm;

const lm_family lm_family_roberta_prelayernorm = {
    .name = "roberta-prelayernorm",
    .check = lm_kin_check_padded,
    .types = FIELD(types),
    .describe = lm_kin_describe_pre_norm,
    KIN_TABLES,
};
