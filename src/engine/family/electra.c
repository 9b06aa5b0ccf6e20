/*
 * electra.c - ELECTRA (Clark et al. 2020): BERT whose embeddings may be narrower than its layers.
 *
 *   e = LayerNorm(word + type + position)                                            (T, E)
 *   x = e · Pᵀ + p where E is not D, else e                                          (T, D)
 *   each layer as BERT's
 *
 * Tensors: BERT's with tables of E columns, and embeddings_project (D, E) and (D). It has no
 * pooler; a classifier is dense (D, D), the activation gelu and out_proj (labels, D) over the first
 * token; a generator's head is dense (E, D), gelu, LayerNorm (E), and the word table.
 */
#include "family/kin.h"

static const char *const model_types[] = {"electra", NULL};

/* Defaults are those of the reference's ElectraConfig. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(30522, 256, 12, 4, 1024),
    {"embedding_size", LM_FIELD_INT, FIELD(embedding), 128, 1, 1 << 16, .flags = 0},
    POSITIONS_FIELD(512),
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* no padding, ever */
    /* Of a head for several choices. */
    {"summary_type", LM_KEY_HARMLESS, NULL},
    {"summary_use_proj", LM_KEY_HARMLESS, NULL},
    {"summary_activation", LM_KEY_HARMLESS, NULL},
    {"summary_last_dropout", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"ElectraModel", "ElectraForPreTraining",
                                            "ElectraForMaskedLM", NULL};

static const char *const not_needed[] = {"discriminator_predictions.", "generator_predictions.",
                                         "generator_lm_head.",         "embeddings_project.",
                                         "embeddings.position_ids",    NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FIRST_NORM("embeddings.LayerNorm"),
    PROJECT("embeddings_project"),
    QKV_PART("attention.self.query", 0),
    QKV_PART("attention.self.key", 1),
    QKV_PART("attention.self.value", 2),
    LINEAR("attention.output.dense", D, D, OUTPUT),
    NORM("attention.output.LayerNorm", ATTENTION_GAIN),
    LINEAR("intermediate.dense", F, D, UP),
    LINEAR("output.dense", D, F, DOWN),
    NORM("output.LayerNorm", FFN_GAIN),
};

/* Of a generator. */
static const lm_weight_slot mask_slots[] = {
    MASK_LAYER("generator_predictions.dense", "generator_predictions.LayerNorm"),
    MASK_WORDS("generator_lm_head.weight"),
    MASK_BIAS("generator_lm_head.bias"),
};

static const lm_head_kind heads[] = {
    FIRST_HEAD(LM_ACT_GELU),
    TOKEN_HEAD,
    SPAN_HEAD,
    MASK_HEAD("ForMaskedLM", mask_slots, LM_ACT_GELU),
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "electra.", ""}};

extern const lm_family lm_family_electra;

const lm_family lm_family_electra = {
    .name = "electra",
    .check = lm_kin_check,
    .types = FIELD(types),
    .describe = lm_kin_describe,
    KIN_TABLES,
};
