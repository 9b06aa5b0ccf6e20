/*
 * longformer.c - Longformer (Beltagy et al. 2020): RoBERTa each of whose tokens sees half a window
 * of tokens on either side. Its second query, key and value, for tokens that see all, are not read:
 * which tokens these are is said by a head that lmtext does not have. The reference's model gives
 * none, nor do its head for tokens and that of pre-training.
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
}

extern const lm_family lm_family_longformer;

const lm_family lm_family_longformer = {
    .name = "longformer",
    .check = check,
    .types = FIELD(types),
    .describe = describe,
    KIN_TABLES,
};
