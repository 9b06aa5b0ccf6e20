/*
 * xlm_roberta_flash.c - XLM-RoBERTa (roberta.c) in the words of jinaai/xlm-roberta-flash-
 * implementation, by whose code it is known: jina-reranker-v2. Query, key and value are one matrix.
 * Their names are those of flash-attention's BERT (github.com/Dao-AILab/flash-attention,
 * models/bert.py); one with rotary positions is jina_embeddings_v3.c's.
 */
#include "family/kin.h"

static const char *const model_types[] = {"xlm-roberta", NULL};

static const lm_word positions[] = {{"absolute", 0}, {NULL, 0}};

/* The defaults of their class. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(30522, 768, 12, 12, 3072),
    POSITIONS_FIELD(512),
    PADDING_FIELD,
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    {"position_embedding_type", LM_FIELD_WORD, .flags = LM_FIELD_MUST_BE, .words = positions,
     .refusal = "the kind of position embedding is not supported"},
};

static const lm_key_rule config_keys[] = {
    {"auto_map", LM_KEY_OBEYED, NULL}, /* the family is known by it */
    {"use_flash_attn", LM_KEY_HARMLESS, NULL},
    {"emb_pooler", LM_KEY_HARMLESS, NULL}, /* of a method of the class, as the next */
    {"matryoshka_dimensions", LM_KEY_HARMLESS, NULL},
    {"truncate_dim", LM_KEY_REFUSED, NULL},
    {"lora_adaptations", LM_KEY_REFUSED, NULL},
    {"load_trained_adapters", LM_KEY_HARMLESS, NULL}, /* of lora_adaptations, as the others */
    {"lora_alpha", LM_KEY_HARMLESS, NULL},
    {"lora_dropout_p", LM_KEY_HARMLESS, NULL},
    {"lora_main_params_trainable", LM_KEY_HARMLESS, NULL},
    {"lora_rank", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"XLMRobertaModel", "XLMRobertaForMaskedLM", NULL};

static const char *const not_needed[] = {"lm_head.", "pooler.", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layers.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FIRST_NORM("emb_ln"),
    {"mixer.Wqkv.weight", LAYERS, PACKED, NEEDED, 2, {D3, D}, QKV, 0, 3},
    {"mixer.Wqkv.bias", LAYERS, ROWS, NEEDED, 1, {D3}, QKV_BIAS, 0, 3},
    LINEAR("mixer.out_proj", D, D, OUTPUT),
    NORM("norm1", ATTENTION_GAIN),
    LINEAR("mlp.fc1", F, D, UP),
    LINEAR("mlp.fc2", D, F, DOWN),
    NORM("norm2", FFN_GAIN),
};

static const lm_head_kind heads[] = {FIRST_HEAD(LM_ACT_TANH)};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "roberta.", ""}};

extern const lm_family lm_family_xlm_roberta_flash;

const lm_family lm_family_xlm_roberta_flash = {
    .name = "xlm_roberta_flash",
    .code = "jinaai/xlm-roberta-flash-implementation--",
    .check = lm_kin_check_padded,
    .types = FIELD(types),
    .describe = lm_kin_describe,
    KIN_TABLES,
};
