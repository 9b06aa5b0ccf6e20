/*
 * albert.c - ALBERT (Lan et al. 2020): BERT whose layers all have the same weights, and whose
 * embeddings are narrower than they.
 *
 *   e = LayerNorm(word + type + position)                                            (T, E)
 *   x = e · Pᵀ + p                                                                   (T, D)
 *   each layer as BERT's, with the weights of the only one
 *
 * Tensors: word (V, E), position (P, E), type (types, E), their LayerNorm (E), (E);
 * embedding_hidden_mapping_in (D, E) and (D); query, key, value and dense (D, D) and (D),
 * LayerNorm, ffn (F, D) and (F), ffn_output (D, F) and (D), full_layer_layer_norm. A classifier
 * reads the first token through the pooler (D, D) and (D), and tanh. The head of pre-training is
 * dense (E, D) and (E), act, LayerNorm (E), and the word table. Models of several groups of layers
 * exist in the library only.
 */
#include "family/kin.h"

static const char *const model_types[] = {"albert", NULL};

/* Defaults are those of the reference's AlbertConfig. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(30000, 4096, 12, 64, 16384),
    {"embedding_size", LM_FIELD_INT, FIELD(embedding), 128, 1, 1 << 16, .flags = 0},
    {"num_hidden_groups", LM_FIELD_INT, 0, 1, 1, 1024, .flags = LM_FIELD_MUST_BE,
     .refusal = "layers of several groups are not supported"},
    {"inner_group_num", LM_FIELD_INT, 0, 1, 1, 1024, .flags = LM_FIELD_MUST_BE,
     .refusal = "groups of several layers are not supported"},
    POSITIONS_FIELD(512),
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU_TANH),
    NORM_FIELD,
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* no padding, ever */
    {"classifier_dropout_prob", LM_KEY_HARMLESS, NULL},
    /* Written by ALBERT's first authors, read by nobody. */
    {"down_scale_factor", LM_KEY_HARMLESS, NULL},
    {"gap_size", LM_KEY_HARMLESS, NULL},
    {"layers_to_keep", LM_KEY_HARMLESS, NULL},
    {"net_structure_type", LM_KEY_HARMLESS, NULL},
    {"num_memory_blocks", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"AlbertModel", "AlbertForMaskedLM",
                                            "AlbertForPreTraining", NULL};

static const char *const not_needed[] = {"predictions.", "sop_classifier.", "pooler.",
                                         "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.albert_layer_groups.0.albert_layers.0.", 0, LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FIRST_NORM("embeddings.LayerNorm"),
    PROJECT("encoder.embedding_hidden_mapping_in"),
    QKV_PART("attention.query", 0),
    QKV_PART("attention.key", 1),
    QKV_PART("attention.value", 2),
    LINEAR("attention.dense", D, D, OUTPUT),
    NORM("attention.LayerNorm", ATTENTION_GAIN),
    LINEAR("ffn", F, D, UP),
    LINEAR("ffn_output", D, F, DOWN),
    NORM("full_layer_layer_norm", FFN_GAIN),
};

static const lm_weight_slot sequence_slots[] = {
    {"pooler.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"pooler.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1},
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_weight_slot mask_slots[] = {
    MASK_LAYER("predictions.dense", "predictions.LayerNorm"),
    MASK_WORDS("predictions.decoder.weight"),
    MASK_BIAS("predictions.decoder.bias"),
    MASK_BIAS("predictions.bias"),
};

static const lm_head_kind heads[] = {
    {"ForSequenceClassification", "classification", lm_kin_label_fields, 1, sequence_slots,
     COUNT(sequence_slots), LM_POOL_CLS, LM_ACT_TANH},
    TOKEN_HEAD,
    SPAN_HEAD,
    MASK_HEAD("ForMaskedLM", mask_slots, LM_ACT_OF_LAYERS),
    MASK_HEAD("ForPreTraining", mask_slots, LM_ACT_OF_LAYERS),
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "albert.", ""}};

static void
describe(const void *config, lm_encoder *encoder)
{
    lm_kin_describe(config, encoder);
    encoder->stack.shared = true;
}

extern const lm_family lm_family_albert;

const lm_family lm_family_albert = {
    .name = "albert",
    .check = lm_kin_check_projected,
    .types = FIELD(types),
    .layers = FIELD(layers),
    .describe = describe,
    KIN_TABLES,
};
