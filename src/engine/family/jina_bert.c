/*
 * jina_bert.c - JinaBERT (Günther et al. 2023), of jina-embeddings-v2: BERT with positions as
 * biases of attention, and a gated net. Its model_type is BERT's; it is known by the code that
 * config.json asks for.
 *
 *   x = LayerNorm(word + type)                                                       (T, D)
 *   each layer:
 *     x = LayerNorm(x + attention(q, k, v, −slope · |distance|) · Woᵀ + bo)          (T, D)
 *     x = LayerNorm(x + (act(x · Wgᵀ) · (x · Wuᵀ)) · Wdᵀ + bd)     inner width F      (T, D)
 *
 * Tensors: BERT's without positions; gated_layers (2 F, D), first what is activated, wo (D, F) and
 * (D), layernorm (D), (D). The heads of its authors' file are refused.
 */
#include "family/kin.h"

static const char *const model_types[] = {"bert", NULL};

/* The activation is that of the net; hidden_act is not read. Nets without a gate are not known. */
static const lm_word nets[] = {{"geglu", LM_ACT_GELU}, {"reglu", LM_ACT_RELU}, {NULL, 0}};

static const lm_word positions[] = {{"alibi", 0}, {NULL, 0}};

static const lm_config_field fields[] = {
    SHAPE_FIELDS(30522, 768, 12, 12, 3072),
    POSITIONS_FIELD(512),
    TYPES_FIELD,
    NORM_FIELD,
    {"feed_forward_type", LM_FIELD_WORD, FIELD(activation), .flags = LM_FIELD_REQUIRED,
     .words = nets, .refusal = "the feed-forward net is not supported"},
    {"position_embedding_type", LM_FIELD_WORD, .flags = LM_FIELD_REQUIRED | LM_FIELD_MUST_BE,
     .words = positions, .refusal = "the kind of position embedding is not supported"},
    {"is_decoder", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,
     .refusal = "decoders of this family are not supported"},
};

static const lm_key_rule config_keys[] = {
    {"auto_map", LM_KEY_OBEYED, NULL},       /* the family is known by it */
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* no padding, ever */
    {"hidden_act", LM_KEY_HARMLESS, NULL},   /* of a net without a gate */
    {"emb_pooler", LM_KEY_HARMLESS, NULL},   /* of a method of the class */
    {"model_max_length", LM_KEY_HARMLESS, NULL}, {0},
};

static const char *const architectures[] = {"JinaBertModel", "JinaBertForMaskedLM", NULL};

static const char *const not_needed[] = {"cls.", "pooler.", "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

/* Rows of the gate, and of what it lets through. */
#define F2                       \
    {                            \
        FIELD(two), FIELD(inner) \
    }

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FIRST_NORM("embeddings.LayerNorm"),
    QKV_PART("attention.self.query", 0),
    QKV_PART("attention.self.key", 1),
    QKV_PART("attention.self.value", 2),
    LINEAR("attention.output.dense", D, D, OUTPUT),
    NORM("attention.output.LayerNorm", ATTENTION_GAIN),
    {"mlp.gated_layers.weight", LAYERS, PACKED, NEEDED, 2, {F2, D}, UP, 0, 1},
    LINEAR("mlp.wo", D, F, DOWN),
    NORM("mlp.layernorm", FFN_GAIN),
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "bert.", ""}};

static void
describe(const void *config, lm_encoder *encoder)
{
    lm_kin_describe(config, encoder);
    encoder->stack.blocks[0].position = LM_POSITION_BIAS;
    encoder->stack.blocks[0].gated = true;
    encoder->stack.linear_bias = true;
}

extern const lm_family lm_family_jina_bert;

const lm_family lm_family_jina_bert = {
    .name = "jina_bert",
    .code = "jinaai/jina-bert-implementation--",
    .check = lm_kin_check,
    .types = FIELD(types),
    .describe = describe,
    FAMILY_TABLES(lm_kin_config),
    FAMILY_RENAMES,
};
