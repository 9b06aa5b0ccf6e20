/*
 * bert.c - BERT (Devlin et al. 2018): a post-norm encoder with absolute positions.
 *
 *   x = LayerNorm(word + type + position)                                            (T, D)
 *   each layer:
 *     q, k, v = x · Wᵀ + b                                                           (T, 3 D)
 *     x = LayerNorm(x + attention(q, k, v) · Woᵀ + bo)                               (T, D)
 *     x = LayerNorm(x + act(x · Wuᵀ + bu) · Wdᵀ + bd)      inner width F              (T, D)
 *
 * Tensors: word (V, D), position (P, D), type (types, D), their LayerNorm (D), (D); in each layer
 * query, key and value (D, D) and (D), output (D, D) and (D), LayerNorm, up (F, D) and (F),
 * down (D, F) and (D), LayerNorm. A pooler (D, D) and (D) is what a classifier's head reads. The
 * head of pre-training is dense (D, D), act, LayerNorm, and a decoder (V, D), or the word table.
 *
 * Query, key and value are one packed matrix of 3 D rows.
 *
 * ERNIE (Sun et al. 2019) has the same, and may have embeddings of tasks, of which every text has
 * the first.
 */
#include "family/kin.h"

static const char *const model_types[] = {"bert", NULL};

/* Defaults are those of the reference's BertConfig, and of ErnieConfig. */
#define BERT_FIELDS                                                            \
    SHAPE_FIELDS(30522, 768, 12, 12, 3072), POSITIONS_FIELD(512), TYPES_FIELD, \
        ACT_FIELD(LM_ACT_GELU), NORM_FIELD, PLAIN_FIELDS

static const lm_config_field fields[] = {BERT_FIELDS};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* no padding, ever */
    /* Written by BERT's first authors, read by nobody. */
    {"directionality", LM_KEY_HARMLESS, NULL},
    {"pooler_fc_size", LM_KEY_HARMLESS, NULL},
    {"pooler_num_attention_heads", LM_KEY_HARMLESS, NULL},
    {"pooler_num_fc_layers", LM_KEY_HARMLESS, NULL},
    {"pooler_size_per_head", LM_KEY_HARMLESS, NULL},
    {"pooler_type", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {
    "BertModel", "BertForMaskedLM", "BertForPreTraining", "BertLMHeadModel", NULL,
};

/* Heads of pre-training, and a buffer of 0, 1, 2, … that older versions wrote. */
static const char *const not_needed[] = {"cls.", "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    {"embeddings.word_embeddings.weight", MODEL, TABLE, NEEDED, 2, {V, D}, WORDS, 0, 1},
    {"embeddings.position_embeddings.weight", MODEL, TABLE, NEEDED, 2, {P, D}, POSITIONS, 0, 1},
    {"embeddings.token_type_embeddings.weight",
     MODEL,
     TABLE,
     NEEDED,
     2,
     {TYPE_ROWS, D},
     TYPES,
     0,
     1},
    {"embeddings.LayerNorm.weight", MODEL, ROWS, NEEDED, 1, {D}, FIRST_GAIN, 0, 1},
    {"embeddings.LayerNorm.bias", MODEL, ROWS, NEEDED, 1, {D}, FIRST_BIAS, 0, 1},
    {"pooler.dense.weight", MODEL, PACKED, SPARE, 2, {D, D}, POOLER, 0, 1},
    {"pooler.dense.bias", MODEL, ROWS, SPARE, 1, {D}, POOLER_BIAS, 0, 1},

    {"attention.self.query.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 0, 1},
    {"attention.self.key.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 1, 1},
    {"attention.self.value.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 2, 1},
    {"attention.self.qkv.weight", LAYERS, PACKED, 0, 2, {D3, D}, QKV, 0, 3},
    {"attention.self.query.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 0, 1},
    {"attention.self.key.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 1, 1},
    {"attention.self.value.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 2, 1},
    {"attention.self.qkv.bias", LAYERS, ROWS, 0, 1, {D3}, QKV_BIAS, 0, 3},

    {"attention.output.dense.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, OUTPUT, 0, 1},
    {"attention.output.dense.bias", LAYERS, ROWS, NEEDED, 1, {D}, OUTPUT_BIAS, 0, 1},
    {"attention.output.LayerNorm.weight", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_GAIN, 0, 1},
    {"attention.output.LayerNorm.bias", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_NORM_BIAS, 0, 1},
    {"intermediate.dense.weight", LAYERS, PACKED, NEEDED, 2, {F, D}, UP, 0, 1},
    {"intermediate.dense.bias", LAYERS, ROWS, NEEDED, 1, {F}, UP_BIAS, 0, 1},
    {"output.dense.weight", LAYERS, PACKED, NEEDED, 2, {D, F}, DOWN, 0, 1},
    {"output.dense.bias", LAYERS, ROWS, NEEDED, 1, {D}, DOWN_BIAS, 0, 1},
    {"output.LayerNorm.weight", LAYERS, ROWS, NEEDED, 1, {D}, FFN_GAIN, 0, 1},
    {"output.LayerNorm.bias", LAYERS, ROWS, NEEDED, 1, {D}, FFN_NORM_BIAS, 0, 1},

    /* The last one is ERNIE's alone. */
    EMBEDDING("embeddings.task_type_embeddings", DIM(common), COMMON),
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

/*
 * A prefix of models with a task head. gamma and beta: files converted from TensorFlow. Fused:
 * names that other trainers give.
 */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "bert.", ""},
    {LM_RENAME_INSIDE, "LayerNorm.gamma", "LayerNorm.weight"},
    {LM_RENAME_INSIDE, "LayerNorm.beta", "LayerNorm.bias"},
    {LM_RENAME_INSIDE, "attention.self.Wqkv.", "attention.self.qkv."},
    {LM_RENAME_INSIDE, "attention.self.query_key_value.", "attention.self.qkv."},
};

extern const lm_family lm_family_bert;

const lm_family lm_family_bert = {
    .name = "bert",
    .model_types = model_types,
    .caps = LM_CAP_ENCODER,
    .config_size = sizeof(lm_kin_config),
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = config_keys,
    .architectures = architectures,
    .not_needed = not_needed,
    .check = lm_kin_check,
    .types = FIELD(types),
    .groups = groups,
    .group_count = COUNT(groups),
    .slots = slots,
    .slot_count = COUNT(slots) - 1,
    .renames = renames,
    .rename_count = COUNT(renames),
    .heads = heads,
    .head_count = COUNT(heads),
    .describe = lm_kin_describe,
};

/* ---- ERNIE ---- */

static const char *const ernie_types[] = {"ernie", NULL};

static const lm_config_field ernie_fields[] = {
    BERT_FIELDS,
    {"task_type_vocab_size", LM_FIELD_INT, FIELD(tasks), 3, 1, 1 << 16, .flags = 0},
    {"use_task_id", LM_FIELD_BOOL, FIELD(tasked), .flags = 0},
};

static const char *const ernie_architectures[] = {
    "ErnieModel", "ErnieForMaskedLM", "ErnieForPreTraining", "ErnieForNextSentencePrediction", NULL,
};

/* As BERT's, and tasks where use_task_id does not ask for them. */
static const char *const ernie_not_needed[] = {"cls.", "embeddings.position_ids",
                                               "embeddings.task_type_embeddings.", NULL};

static const lm_rename ernie_renames[] = {{LM_RENAME_PREFIX, "ernie.", ""}};

extern const lm_family lm_family_ernie;

const lm_family lm_family_ernie = {
    .name = "ernie",
    .model_types = ernie_types,
    .caps = LM_CAP_ENCODER,
    .config_size = sizeof(lm_kin_config),
    .fields = ernie_fields,
    .field_count = COUNT(ernie_fields),
    .config_keys = config_keys,
    .architectures = ernie_architectures,
    .not_needed = ernie_not_needed,
    .check = lm_kin_check,
    .types = FIELD(types),
    .groups = groups,
    .group_count = COUNT(groups),
    .slots = slots,
    .slot_count = COUNT(slots),
    .renames = ernie_renames,
    .rename_count = COUNT(ernie_renames),
    .heads = heads,
    .head_count = COUNT(heads),
    .describe = lm_kin_describe,
};
