/*
 * roberta.c - RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2020), CamemBERT (Martin et
 * al. 2020), data2vec for text (Baevski et al. 2022): BERT with positions that begin behind the id
 * of padding, which is 1 as a rule, so that a table of 514 rows serves texts of 512 tokens. They
 * differ in their tokenizers. A classifier is dense (D, D), tanh and out_proj (labels, D) over the
 * first token; the head of pre-training is dense (D, D), gelu, LayerNorm, and the word table; the
 * pooler is read by nothing.
 */
#include "family/kin.h"

static const char *const model_types[] = {"roberta", "xlm-roberta", "camembert", "data2vec-text",
                                          NULL};

/* RobertaConfig's; the others' vocab_size is 30522 where it is left out, as it never is. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(50265, 768, 12, 12, 3072),
    POSITIONS_FIELD(512),
    PADDING_FIELD,
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {{0}};

static const char *const architectures[] = {
    "RobertaModel",          "RobertaForMaskedLM",      "XLMRobertaModel",
    "XLMRobertaForMaskedLM", "CamembertModel",          "CamembertForMaskedLM",
    "Data2VecTextModel",     "Data2VecTextForMaskedLM", NULL,
};

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
    FIRST_HEAD(LM_ACT_TANH),
    TOKEN_HEAD,
    SPAN_HEAD,
    MASK_HEAD("ForMaskedLM", lm_kin_roberta_mask_slots, LM_ACT_GELU),
};

/* They call their encoder so where a head is over it. */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "roberta.", ""},
    {LM_RENAME_PREFIX, "data2vec_text.", ""},
};

extern const lm_family lm_family_roberta;

const lm_family lm_family_roberta = {
    .name = "roberta",
    .check = lm_kin_check_padded,
    .types = FIELD(types),
    .describe = lm_kin_describe,
    KIN_TABLES,
};
