/*
 * t5_layers.c - tensors and forward pass of t5.h's encoders.
 */
#include "family/t5.h"
#include "family/rows.h"

#define FIELD(name) LM_T5(name)

/* Of the words of config.json: "gated-gelu" is the tanh form, by a habit that the files rely on. */
const lm_word lm_t5_nets[] = {
    {"relu", LM_ACT_RELU},
    {"gelu", LM_ACT_GELU},
    {"gelu_new", LM_ACT_GELU_TANH},
    {"silu", LM_ACT_SILU},
    {"gated-relu", LM_T5_GATED + LM_ACT_RELU},
    {"gated-gelu", LM_T5_GATED + LM_ACT_GELU_TANH},
    {"gated-gelu_new", LM_T5_GATED + LM_ACT_GELU_TANH},
    {"gated-silu", LM_T5_GATED + LM_ACT_SILU},
    {NULL, 0},
};

const lm_key_rule lm_t5_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL},
    {"n_positions", LM_KEY_HARMLESS, NULL},  /* of older files; relative positions have no end */
    {"dense_act_fn", LM_KEY_HARMLESS, NULL}, /* written beside feed_forward_proj, read no more */
    {"is_gated_act", LM_KEY_HARMLESS, NULL},
    {"scale_decoder_outputs", LM_KEY_HARMLESS, NULL},
    {"num_decoder_layers", LM_KEY_HARMLESS, NULL},
    {"dropout_rate", LM_KEY_HARMLESS, NULL},
    {0},
};

enum model_target { WORDS, DISTANCES, FINAL_GAIN, MODEL_TARGETS };

enum layer_target { OWN_DISTANCES, QKV, OUTPUT, ATTENTION_GAIN, UP, DOWN, FFN_GAIN, LAYER_TARGETS };

#define D DIM(dims.hidden)
#define F DIM(inner)
#define H DIM(heads)
#define WHEN(name) (NEEDED | LM_SLOT_WHEN(FIELD(name)))
/* Rows of queries, which keys and values have as many of. */
#define Q                             \
    {                                 \
        FIELD(heads), FIELD(head_dim) \
    }

const lm_weight_group lm_t5_groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.block.{i}.layer.", FIELD(layers), LAYER_TARGETS},
};

#define OWN_BIAS "0.SelfAttention.relative_attention_bias.weight"
#define BIAS "encoder.block.0.layer." OWN_BIAS

/* A file may have the words under either name. */
const lm_weight_slot lm_t5_slots[] = {
    {"shared.weight", MODEL, TABLE, NEEDED, 2, {DIM(dims.vocab), D}, WORDS, 0, 1},
    {"encoder.embed_tokens.weight", MODEL, TABLE, 0, 2, {DIM(dims.vocab), D}, WORDS, 0, 1},
    {BIAS, MODEL, ROWS, WHEN(shared), 2, {DIM(buckets), H}, DISTANCES, 0, 1},
    {"encoder.final_layer_norm.weight", MODEL, ROWS, NEEDED, 1, {D}, FINAL_GAIN, 0, 1},

    {OWN_BIAS, LAYERS, ROWS, WHEN(own), 2, {DIM(buckets), H}, OWN_DISTANCES, 0, 1},
    {"0.SelfAttention.q.weight", LAYERS, PACKED, NEEDED, 2, {Q, D}, QKV, 0, 1},
    {"0.SelfAttention.k.weight", LAYERS, PACKED, NEEDED, 2, {Q, D}, QKV, 1, 1},
    {"0.SelfAttention.v.weight", LAYERS, PACKED, NEEDED, 2, {Q, D}, QKV, 2, 1},
    {"0.SelfAttention.qkv.weight", LAYERS, PACKED, 0, 2, {DIM(qkv_rows), D}, QKV, 0, 3},
    {"0.SelfAttention.o.weight", LAYERS, PACKED, NEEDED, 2, {D, Q}, OUTPUT, 0, 1},
    {"0.layer_norm.weight", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_GAIN, 0, 1},

    {"1.DenseReluDense.wi.weight", LAYERS, PACKED, WHEN(plain), 2, {F, D}, UP, 0, 1},
    {"1.DenseReluDense.wi_0.weight", LAYERS, PACKED, WHEN(gated), 2, {F, D}, UP, 0, 1},
    {"1.DenseReluDense.wi_1.weight", LAYERS, PACKED, WHEN(gated), 2, {F, D}, UP, 1, 1},
    {"1.DenseReluDense.wo.weight", LAYERS, PACKED, NEEDED, 2, {D, F}, DOWN, 0, 1},
    {"1.layer_norm.weight", LAYERS, ROWS, NEEDED, 1, {D}, FFN_GAIN, 0, 1},
};

/* The decoder, and the words' second name where the file has both. */
const char *const lm_t5_not_needed[] = {"decoder.", "lm_head.", "encoder.embed_tokens.", NULL};

/* Half of the buckets, and half of those, are one to a distance; the farthest is beyond them. */
static lm_status
check_buckets(lm_context *ctx, const lm_t5 *c)
{
    if (c->farthest > c->buckets / 4)
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "a setting of the model is out of range");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "relative_attention_max_distance");
    lm_detail_found(ctx, "%d", c->farthest);
    return lm_detail_allowed(ctx, "more than %d, a quarter of relative_attention_num_buckets",
                             c->buckets / 4);
}

lm_status
lm_t5_check(lm_context *ctx, const lm_json *config, void *out)
{
    lm_t5 *c = out;

    LM_TRY(check_buckets(ctx, c));
    c->dims.window = LM_T5_WINDOW;
    c->shared = !c->own;
    c->gated = c->net >= LM_T5_GATED;
    c->plain = !c->gated;
    c->qkv_rows = 3 * c->heads * c->head_dim;
    return LM_OK;
}

lm_status
lm_t5_check_own(lm_context *ctx, const lm_json *config, void *out)
{
    ((lm_t5 *)out)->own = 1;
    return lm_t5_check(ctx, config, out);
}

static lm_block
block_of(const lm_t5 *c)
{
    return (lm_block){
        .attention_norms = {{ATTENTION_GAIN, LM_NO_WEIGHT}, LM_NO_NORM, LM_NO_NORM},
        .ffn_norms = {{FFN_GAIN, LM_NO_WEIGHT}, LM_NO_NORM, LM_NO_NORM},
        .norm = LM_NORM_RMS,
        .eps = c->eps,
        .qkv = QKV,
        .qkv_bias = LM_NO_WEIGHT,
        .output = OUTPUT,
        .output_bias = LM_NO_WEIGHT,
        .heads = (size_t)c->heads,
        .kv_heads = (size_t)c->heads,
        .head_dim = (size_t)c->head_dim,
        .scale = 1,
        .position = LM_POSITION_BIAS,
        .up = UP,
        .up_bias = LM_NO_WEIGHT,
        .down = DOWN,
        .down_bias = LM_NO_WEIGHT,
        .inner = (size_t)c->inner,
        .act = (lm_activation)(c->net % LM_T5_GATED),
        .gated = c->gated,
    };
}

void
lm_t5_describe(const void *config, lm_encoder *encoder)
{
    const lm_t5 *c = config;

    encoder->embedding = (lm_embedding){
        .words = WORDS,
        .types = LM_NO_WEIGHT,
        .positions = LM_NO_WEIGHT,
        .window = (size_t)c->dims.window,
        .norm = LM_NO_NORM,
    };
    encoder->stack = (lm_stack){
        .layers = (size_t)c->layers,
        .width = (size_t)c->dims.hidden,
        .blocks = {block_of(c)},
        .final = {FINAL_GAIN, LM_NO_WEIGHT},
        .bias = c->own ? OWN_DISTANCES : DISTANCES,
        .own_bias = c->own,
        .buckets = (size_t)c->buckets,
        .farthest = (size_t)c->farthest,
    };
}
