/*
 * longformer.c - Longformer (Beltagy et al. 2020): RoBERTa each of whose tokens sees half a window
 * of tokens on either side. Some tokens see all by a second query, key and value, (D, D) and (D)
 * each, and all see these: with a classifier the first one, with the head for answers those before
 * the first separator. The reference's model has no such tokens, nor have its head for tokens and
 * that of pre-training, so there the second matrices are not read.
 */
#include "family/kin.h"

static const char *const model_types[] = {"longformer", NULL};

/* Defaults are those of the reference's LongformerConfig. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(30522, 768, 12, 12, 3072),
    {"attention_window", LM_FIELD_UNIFORM, FIELD(sides), 512, 2, 1 << 20,
     .refusal = "windows that differ from layer to layer are not supported"},
    POSITIONS_FIELD(512),
    PADDING_FIELD,
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {"onnx_export", LM_KEY_HARMLESS, NULL},
    {"attention_mode", LM_KEY_HARMLESS, NULL}, /* of its first authors */
    {"ignore_attention_mask", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"LongformerModel", "LongformerForMaskedLM", NULL};

static const char *const not_needed[] = {
    "lm_head.",        "pooler.", "embeddings.position_ids", "*.query_global.", "*.key_global.",
    "*.value_global.", NULL};

/* Behind those of BERT's layers. */
enum { GLOBAL_QKV = LAYER_TARGETS, GLOBAL_QKV_BIAS, ALL_TARGETS };

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), ALL_TARGETS},
};

#define WHEN_GLOBAL (NEEDED | LM_SLOT_WHEN(FIELD(global)))
#define GLOBAL_PART(name, part)                                                    \
    {name ".weight", LAYERS, PACKED, WHEN_GLOBAL, 2, {D, D}, GLOBAL_QKV, part, 1}, \
    {                                                                              \
        name ".bias", LAYERS, ROWS, WHEN_GLOBAL, 1, {D}, GLOBAL_QKV_BIAS, part, 1  \
    }

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    EMBEDDING("embeddings.token_type_embeddings", TYPE_ROWS, TYPES),
    FIRST_NORM("embeddings.LayerNorm"),
    QKV_PART("attention.self.query", 0),
    QKV_PART("attention.self.key", 1),
    QKV_PART("attention.self.value", 2),
    GLOBAL_PART("attention.self.query_global", 0),
    GLOBAL_PART("attention.self.key_global", 1),
    GLOBAL_PART("attention.self.value_global", 2),
    LINEAR("attention.output.dense", D, D, OUTPUT),
    NORM("attention.output.LayerNorm", ATTENTION_GAIN),
    LINEAR("intermediate.dense", F, D, UP),
    LINEAR("output.dense", D, F, DOWN),
    NORM("output.LayerNorm", FFN_GAIN),
};

#define GLOBAL_MARK                                                 \
    {                                                               \
        "", LM_FIELD_MARK, FIELD(global), .fallback = 1, .flags = 0 \
    }

static const lm_config_field sequence_fields[] = {
    {"id2label|num_labels", LM_FIELD_COUNT, FIELD(labels), 2, 1, 1 << 16, .flags = 0},
    GLOBAL_MARK,
};

static const lm_config_field answer_fields[] = {
    GLOBAL_MARK,
    {"sep_token_id", LM_FIELD_INT, FIELD(separator), 2, 1, 1 << 24, .flags = 0},
};

static const lm_head_kind heads[] = {
    {"ForSequenceClassification", "classification", sequence_fields, COUNT(sequence_fields),
     lm_kin_first_slots, LM_KIN_FIRST_SLOTS, LM_POOL_CLS, LM_ACT_TANH},
    {"ForQuestionAnswering", "answer", answer_fields, COUNT(answer_fields), lm_kin_span_slots,
     LM_KIN_SPAN_SLOTS, LM_POOL_NONE, LM_ACT_NONE},
    TOKEN_HEAD,
    MASK_HEAD("ForMaskedLM", lm_kin_roberta_mask_slots, LM_ACT_GELU),
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "longformer.", ""}};

/* The reference wants an even window, and one for each layer where there is a list. */
static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    const lm_json *windows = lm_json_get(config, "attention_window");
    const lm_kin_config *kin = out;

    LM_TRY(lm_kin_check_padded(ctx, config, out));
    if (kin->sides % 2 == 0 && !(windows && windows->type == LM_JSON_ARRAY &&
                                 windows->as.items.count != (size_t)kin->layers))
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "the windows of attention are not valid");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "attention_window");
    lm_detail_found(ctx, "%d", kin->sides);
    return lm_detail_allowed(ctx, "an even number, or a list of %d", kin->layers);
}

static void
describe(const void *config, lm_encoder *encoder)
{
    const lm_kin_config *kin = config;

    lm_kin_describe(config, encoder);
    encoder->stack.blocks[0].mask = LM_MASK_WINDOW;
    encoder->stack.blocks[0].window = (size_t)kin->sides / 2;
    encoder->stack.global = (lm_global){
        .any = kin->global != 0,
        .until = kin->separator > 0 ? kin->separator : LM_FIRST_ALONE,
        .qkv = GLOBAL_QKV,
        .qkv_bias = GLOBAL_QKV_BIAS,
    };
}

extern const lm_family lm_family_longformer;

const lm_family lm_family_longformer = {
    .name = "longformer",
    .check = check,
    .types = FIELD(types),
    .describe = describe,
    KIN_TABLES,
};
