/*
 * llama_layers.c - tensors and forward pass of llama.h's layers.
 */
#include <math.h>

#include "family/llama.h"
#include "family/rows.h"

#define FIELD(name) LM_LLAMA(name)

enum model_target { WORDS, FINAL_GAIN, MODEL_TARGETS };

enum layer_target {
    QKV,
    QKV_BIAS,
    QUERY_GAIN,
    KEY_GAIN,
    OUTPUT,
    OUTPUT_BIAS,
    ATTENTION_GAIN,
    UP,
    UP_BIAS,
    DOWN,
    DOWN_BIAS,
    FFN_GAIN,
    LAYER_TARGETS
};

#define D DIM(dims.hidden)
#define F DIM(inner)
#define HD DIM(head_dim)
#define WHEN(name) (NEEDED | LM_SLOT_WHEN(FIELD(name)))
/* Rows of queries, and of keys or values. */
#define Q                             \
    {                                 \
        FIELD(heads), FIELD(head_dim) \
    }
#define KV                               \
    {                                    \
        FIELD(kv_heads), FIELD(head_dim) \
    }

const lm_weight_group lm_llama_groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"layers.{i}.", FIELD(layers), LAYER_TARGETS},
};

const lm_weight_slot lm_llama_slots[] = {
    {"embed_tokens.weight", MODEL, TABLE, NEEDED, 2, {DIM(dims.vocab), D}, WORDS, 0, 1},
    {"norm.weight", MODEL, ROWS, NEEDED, 1, {D}, FINAL_GAIN, 0, 1},

    {"self_attn.q_proj.weight", LAYERS, PACKED, NEEDED, 2, {Q, D}, QKV, 0, 1},
    {"self_attn.k_proj.weight", LAYERS, PACKED, NEEDED, 2, {KV, D}, QKV, 1, 1},
    {"self_attn.v_proj.weight", LAYERS, PACKED, NEEDED, 2, {KV, D}, QKV, 2, 1},
    {"self_attn.qkv_proj.weight", LAYERS, PACKED, 0, 2, {DIM(qkv_rows), D}, QKV, 0, 3},
    {"self_attn.q_proj.bias", LAYERS, ROWS, WHEN(qkv_bias), 1, {Q}, QKV_BIAS, 0, 1},
    {"self_attn.k_proj.bias", LAYERS, ROWS, WHEN(qkv_bias), 1, {KV}, QKV_BIAS, 1, 1},
    {"self_attn.v_proj.bias", LAYERS, ROWS, WHEN(qkv_bias), 1, {KV}, QKV_BIAS, 2, 1},
    {"self_attn.q_norm.weight", LAYERS, ROWS, WHEN(normed), 1, {HD}, QUERY_GAIN, 0, 1},
    {"self_attn.k_norm.weight", LAYERS, ROWS, WHEN(normed), 1, {HD}, KEY_GAIN, 0, 1},
    {"self_attn.o_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, Q}, OUTPUT, 0, 1},
    {"self_attn.o_proj.bias", LAYERS, ROWS, WHEN(output_bias), 1, {D}, OUTPUT_BIAS, 0, 1},
    {"input_layernorm.weight", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_GAIN, 0, 1},

    {"mlp.gate_proj.weight", LAYERS, PACKED, NEEDED, 2, {F, D}, UP, 0, 1},
    {"mlp.up_proj.weight", LAYERS, PACKED, NEEDED, 2, {F, D}, UP, 1, 1},
    {"mlp.gate_proj.bias", LAYERS, ROWS, WHEN(net_bias), 1, {F}, UP_BIAS, 0, 1},
    {"mlp.up_proj.bias", LAYERS, ROWS, WHEN(net_bias), 1, {F}, UP_BIAS, 1, 1},
    {"mlp.down_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, F}, DOWN, 0, 1},
    {"mlp.down_proj.bias", LAYERS, ROWS, WHEN(net_bias), 1, {D}, DOWN_BIAS, 0, 1},
    {"post_attention_layernorm.weight", LAYERS, ROWS, NEEDED, 1, {D}, FFN_GAIN, 0, 1},
};

/* Angles that old versions wrote into every layer are computed. */
const char *const lm_llama_not_needed[] = {"lm_head.", "rotary_emb.", NULL};

lm_status
lm_llama_check(lm_context *ctx, const lm_json *config, void *out)
{
    lm_llama *c = out;

    if (c->kv_heads == 0)
        c->kv_heads = c->heads;
    if (c->head_dim == 0) {
        LM_TRY(lm_family_check_heads(ctx, "num_attention_heads", c->heads, "hidden_size",
                                     c->dims.hidden));
        c->head_dim = c->dims.hidden / c->heads;
    }
    LM_TRY(lm_rope_check_groups(ctx, c->heads, c->kv_heads));
    LM_TRY(lm_rope_check(ctx, "head_dim", c->head_dim));
    LM_TRY(lm_layer_types_check(ctx, config, c->layers, NULL, false));
    c->qkv_rows = (c->heads + 2 * c->kv_heads) * c->head_dim;
    return LM_OK;
}

/* The reference's window counts the query's own token, but only where attention is causal. */
static lm_mask
mask_of(const lm_llama *c, size_t *window)
{
    *window = (size_t)(c->causal && c->window > 0 ? c->window - 1 : c->window);
    return c->causal ? LM_MASK_CAUSAL : c->window > 0 ? LM_MASK_WINDOW : LM_MASK_FULL;
}

static lm_block
block_of(const lm_llama *c)
{
    size_t window;
    lm_mask mask = mask_of(c, &window);

    return (lm_block){
        .attention_norms = {{ATTENTION_GAIN, LM_NO_WEIGHT}, LM_NO_NORM, LM_NO_NORM},
        .ffn_norms = {{FFN_GAIN, LM_NO_WEIGHT}, LM_NO_NORM, LM_NO_NORM},
        .norm = LM_NORM_RMS,
        .eps = c->eps,
        .qkv = QKV,
        .qkv_bias = QKV_BIAS,
        .output = OUTPUT,
        .output_bias = OUTPUT_BIAS,
        .heads = (size_t)c->heads,
        .kv_heads = (size_t)c->kv_heads,
        .head_dim = (size_t)c->head_dim,
        .normed = c->normed,
        .query_gain = QUERY_GAIN,
        .key_gain = KEY_GAIN,
        .scale = (float)(1 / sqrt((double)c->head_dim)),
        .mask = mask,
        .window = window,
        .position = LM_POSITION_ROPE,
        .theta = (double)c->theta,
        .turned = (size_t)c->head_dim,
        .up = UP,
        .up_bias = UP_BIAS,
        .down = DOWN,
        .down_bias = DOWN_BIAS,
        .inner = (size_t)c->inner,
        .act = (lm_activation)c->activation,
        .gated = true,
    };
}

void
lm_llama_describe(const void *config, lm_encoder *encoder)
{
    const lm_llama *c = config;

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
        .bias = LM_NO_WEIGHT,
    };
}
