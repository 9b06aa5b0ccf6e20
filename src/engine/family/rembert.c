/*
 * rembert.c - RemBERT (Chung et al. 2021): BERT whose embeddings are narrower than its layers, with
 * a matrix (D, E) and (D) between them as ALBERT's. Its words of pre-training have a width of their
 * own, which no row says.
 */
#include "family/kin.h"

static const char *const model_types[] = {"rembert", NULL};

/* Defaults are those of the reference's class. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(250300, 1152, 32, 18, 4608),
    {"input_embedding_size", LM_FIELD_INT, FIELD(embedding), 256, 1, 1 << 16, .flags = 0},
    POSITIONS_FIELD(512),
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL},          /* no padding, ever */
    {"output_embedding_size", LM_KEY_HARMLESS, NULL}, /* of pre-training */
    {"classifier_dropout_prob", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"RemBertModel", "RemBertForMaskedLM", NULL};

static const char *const not_needed[] = {"cls.", "pooler.", "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FIRST_NORM("embeddings.LayerNorm"),
    PROJECT("encoder.embedding_hidden_mapping_in"),
    QKV_PART("attention.self.query", 0),
    QKV_PART("attention.self.key", 1),
    QKV_PART("attention.self.value", 2),
    LINEAR("attention.output.dense", D, D, OUTPUT),
    NORM("attention.output.LayerNorm", ATTENTION_GAIN),
    LINEAR("intermediate.dense", F, D, UP),
    LINEAR("output.dense", D, F, DOWN),
    NORM("output.LayerNorm", FFN_GAIN),
};

static const lm_head_kind heads[] = {
    POOLED_HEAD,
    TOKEN_HEAD,
    SPAN_HEAD,
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "rembert.", ""}};

extern const lm_family lm_family_rembert;

const lm_family lm_family_rembert = {
    .name = "rembert",
    .check = lm_kin_check_projected,
    .types = FIELD(types),
    .describe = lm_kin_describe,
    KIN_TABLES,
};
