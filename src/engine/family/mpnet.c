/*
 * mpnet.c - MPNet (Song et al. 2020): BERT without token types, with a bias of relative positions
 * in attention beside the absolute ones, which begin at row 2.
 *
 *   x = LayerNorm(word + position)                                                   (T, D)
 *   each layer as BERT's, whose scores have a bias by head and bucket of key − query  (H, T, T)
 *
 * Tensors: word (V, D), position (P, D), their LayerNorm (D), (D); relative_attention_bias
 * (buckets, H), one for all layers; in each layer q, k, v and o (D, D) and (D), LayerNorm,
 * intermediate (F, D) and (F), output (D, F) and (D), LayerNorm. Heads are RoBERTa's.
 */
#include "family/kin.h"

/* The reference has these in its code, whatever the config says. */
#define PADDING 1
#define BUCKET_COUNT 32
#define FARTHEST 128

static const char *const model_types[] = {"mpnet", NULL};

/*
 * Defaults are those of the reference's MPNetConfig. The number of buckets is that of the table's
 * rows only: the reference asks for rows up to 31 of any table.
 */
static const lm_config_field fields[] = {
    SHAPE_FIELDS(30527, 768, 12, 12, 3072),
    POSITIONS_FIELD(512),
    {"relative_attention_num_buckets", LM_FIELD_INT, FIELD(buckets), BUCKET_COUNT, BUCKET_COUNT,
     1 << 16, .flags = 0},
    ACT_FIELD(LM_ACT_GELU),
    NORM_FIELD,
    PLAIN_FIELDS,
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* not read */
    {0},
};

static const char *const architectures[] = {"MPNetModel", "MPNetForMaskedLM", NULL};

static const char *const not_needed[] = {"lm_head.", "pooler.", "embeddings.position_ids", NULL};

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    EMBEDDING("embeddings.word_embeddings", V, WORDS),
    EMBEDDING("embeddings.position_embeddings", P, POSITIONS),
    FIRST_NORM("embeddings.LayerNorm"),
    {"encoder.relative_attention_bias.weight",
     MODEL,
     ROWS,
     NEEDED,
     2,
     {DIM(buckets), DIM(heads)},
     BUCKETS,
     0,
     1},
    QKV_PART("attention.attn.q", 0),
    QKV_PART("attention.attn.k", 1),
    QKV_PART("attention.attn.v", 2),
    LINEAR("attention.attn.o", D, D, OUTPUT),
    NORM("attention.LayerNorm", ATTENTION_GAIN),
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

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "mpnet.", ""}};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    ((lm_kin_config *)out)->padding = PADDING;
    return lm_kin_check_padded(ctx, config, out);
}

static void
describe(const void *config, lm_encoder *encoder)
{
    lm_kin_describe(config, encoder);
    encoder->stack.blocks[0].position = LM_POSITION_BIAS;
    encoder->stack.bias = BUCKETS;
    encoder->stack.buckets = BUCKET_COUNT;
    encoder->stack.farthest = FARTHEST;
}

extern const lm_family lm_family_mpnet;

const lm_family lm_family_mpnet = {
    .name = "mpnet",
    .check = check,
    .describe = describe,
    KIN_TABLES,
};
