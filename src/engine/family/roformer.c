/*
 * roformer.c - RoFormer (Su et al. 2021): BERT whose positions turn queries and keys in each layer,
 * and whose embeddings may be narrower than its layers.
 *
 *   e = LayerNorm(word + type)                                                       (T, E)
 *   x = e · Pᵀ + p where E is not D, else e                                          (T, D)
 *   each layer as BERT's; neighbours 2 j and 2 j + 1 of a head are turned by position / 10000^(2 j
 * / head_dim)
 *
 * Tensors: ELECTRA's without positions. The sines and cosines that files have are computed. A
 * classifier is RoBERTa's with the model's own activation; the head of pre-training is BERT's with
 * E numbers before the words.
 */
#include "family/kin.h"

#define THETA 10000.0

static const char *const model_types[] = {"roformer", NULL};

/* Defaults are those of the reference's RoFormerConfig; 0 stands for hidden_size. */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(50000, 768, 12, 12, 3072),
    {"embedding_size", LM_FIELD_INT, FIELD(embedding), 0, 0, 1 << 16, .flags = 0},
    POSITIONS_FIELD(1536),
    TYPES_FIELD,
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    {"rotary_value", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,
     .refusal = "values that are turned by their positions are not supported"},
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* no padding, ever */
    {0},
};

static const char *const architectures[] = {"RoFormerModel", "RoFormerForMaskedLM", NULL};

static const char *const not_needed[] = {"cls.", "embeddings_project.", "encoder.embed_positions.",
                                         NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
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

static const lm_head_kind heads[] = {
    FIRST_HEAD(LM_ACT_OF_LAYERS),
    TOKEN_HEAD,
    SPAN_HEAD,
    MASK_HEAD("ForMaskedLM", lm_kin_bert_mask_slots, LM_ACT_OF_LAYERS),
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "roformer.", ""}};

/* Pairs of numbers turn. */
static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    const lm_kin_config *kin = out;

    LM_TRY(lm_kin_check(ctx, config, out));
    if (kin->dims.hidden / kin->heads % 2 == 0)
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "the width of a head is odd, and rotary positions turn pairs");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "num_attention_heads");
    lm_detail_found(ctx, "%d", kin->heads);
    return lm_detail_allowed(ctx, "a divisor of half of hidden_size, which is %d",
                             kin->dims.hidden);
}

static void
describe(const void *config, lm_encoder *encoder)
{
    lm_block *block = &encoder->stack.blocks[0];

    lm_kin_describe(config, encoder);
    block->position = LM_POSITION_ROPE;
    block->theta = THETA;
    block->turned = block->head_dim;
    block->interleaved = true;
    block->exact_angles = true;
}

extern const lm_family lm_family_roformer;

const lm_family lm_family_roformer = {
    .name = "roformer",
    .check = check,
    .types = FIELD(types),
    .describe = describe,
    KIN_TABLES,
};
