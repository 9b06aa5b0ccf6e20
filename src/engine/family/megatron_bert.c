/*
 * megatron_bert.c - MegatronBERT (Shoeybi et al. 2019): BERT with norms before each part of a layer
 * and one behind the last, as in roberta_prelayernorm.c, but none of the embeddings. Heads are
 * BERT's.
 */
#include "family/kin.h"

static const char *const model_types[] = {"megatron-bert", NULL};

/* Defaults are those of the reference's class. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(29056, 1024, 24, 16, 4096),
    POSITIONS_FIELD(512),
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* no padding, ever */
    {0},
};

static const char *const architectures[] = {"MegatronBertModel", "MegatronBertForMaskedLM",
                                            "MegatronBertForPreTraining", NULL};

static const char *const not_needed[] = {"cls.", "pooler.", "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FINAL_NORM("encoder.ln"),
    NORM("attention.ln", ATTENTION_GAIN),
    QKV_PART("attention.self.query", 0),
    QKV_PART("attention.self.key", 1),
    QKV_PART("attention.self.value", 2),
    LINEAR("attention.output.dense", D, D, OUTPUT),
    NORM("ln", FFN_GAIN),
    LINEAR("intermediate.dense", F, D, UP),
    LINEAR("output.dense", D, F, DOWN),
};

static const lm_head_kind heads[] = {
    POOLED_HEAD,
    TOKEN_HEAD,
    SPAN_HEAD,
    NEXT_HEAD("ForNextSentencePrediction"),
    NEXT_HEAD("ForPreTraining"),
    MASK_HEAD("ForMaskedLM", lm_kin_bert_mask_slots, LM_ACT_OF_LAYERS),
    MASK_HEAD("ForPreTraining", lm_kin_bert_mask_slots, LM_ACT_OF_LAYERS),
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "bert.", ""}};

extern const lm_family lm_family_megatron_bert;

const lm_family lm_family_megatron_bert = {
    .name = "megatron-bert",
    .check = lm_kin_check,
    .types = FIELD(types),
    .describe = lm_kin_describe_pre_norm,
    KIN_TABLES,
};
