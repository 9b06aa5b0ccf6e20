/*
 * gemma3.c - Gemma 3 (Gemma team 2025) as an embedder, of which EmbeddingGemma is made.
 *
 *   x = word · √D                                                                    (T, D)
 *   each layer:
 *     y = rms(x);  q = rms(y · Wqᵀ), k = rms(y · Wkᵀ) in each head, both turned; v = y · Wvᵀ
 *     x = x + rms(attention(q, k, v) · Woᵀ)                                          (T, D)
 *     y = rms(x)
 *     x = x + rms((act(y · Wgᵀ) · (y · Wuᵀ)) · Wdᵀ)           inner width F           (T, D)
 *   x = rms(x)
 *
 * One layer in `every` sees all tokens; the others see a window, and turn by another theta. Tokens
 * see those before them, or both sides where use_bidirectional_attention is true.
 *
 * Tensors: word (V, D); in each layer query (H d, D), key and value (K d, D), output (D, H d),
 * gains of query's and key's norm (d), four gains (D), gate and up (F, D), down (D, F); a gain (D)
 * behind all. Gains are stored less 1. H heads share K heads of keys.
 */
#include <math.h>

#include "family/rope.h"
#include "family/rows.h"

typedef struct gemma3_config {
    lm_dims dims;
    int32_t layers, heads, kv_heads, head_dim, inner, activation;
    int32_t scalar;     /* scores are divided by its root */
    int32_t both_sides; /* whether tokens see those behind them */
    int32_t window;     /* of one side with the token itself, or half of it on each */
    int32_t every;      /* layers every − 1, 2 every − 1, … are full */
    int32_t qkv_rows;   /* (heads + 2 kv_heads) · head_dim */
    float eps, global_theta, local_theta;
} gemma3_config;

#define FIELD(name) offsetof(gemma3_config, name)

static const char *const model_types[] = {"gemma3_text", NULL};

#define FULL "rope_parameters.full_attention."
#define LOCAL "rope_parameters.sliding_attention."

static const lm_config_field fields[] = {
    {"vocab_size", LM_FIELD_INT, FIELD(dims.vocab), 262208, 1, 1 << 24, .flags = 0},
    {"hidden_size", LM_FIELD_INT, FIELD(dims.hidden), 2304, 1, 1 << 16, .flags = 0},
    {"intermediate_size", LM_FIELD_INT, FIELD(inner), 9216, 1, 1 << 20, .flags = 0},
    {"num_hidden_layers", LM_FIELD_INT, FIELD(layers), 26, 1, 1024, .flags = 0},
    {"num_attention_heads", LM_FIELD_INT, FIELD(heads), 8, 1, 1 << 12, .flags = 0},
    {"num_key_value_heads", LM_FIELD_INT, FIELD(kv_heads), 4, 1, 1 << 12, .flags = 0},
    {"head_dim", LM_FIELD_INT, FIELD(head_dim), 256, 1, 1 << 12, .flags = 0},
    {"max_position_embeddings", LM_FIELD_INT, FIELD(dims.window), 131072, 1, 1 << 20, .flags = 0},
    {"hidden_activation", LM_FIELD_WORD, FIELD(activation), LM_ACT_GELU_TANH,
     .words = lm_activation_words, .refusal = "the activation is not supported"},
    {"rms_norm_eps", LM_FIELD_FLOAT, FIELD(eps), 1e-6, 1e-20, 1, .flags = 0},
    {"query_pre_attn_scalar", LM_FIELD_INT, FIELD(scalar), 256, 1, 1 << 20, .flags = 0},
    {"sliding_window", LM_FIELD_INT, FIELD(window), 4096, 2, 1 << 24, .flags = 0},
    {"sliding_window_pattern", LM_FIELD_INT, FIELD(every), 6, 1, 1024, .flags = 0},
    {"use_bidirectional_attention", LM_FIELD_BOOL, FIELD(both_sides), .flags = LM_FIELD_OR_NULL},
    {"attention_bias", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,
     .refusal = "biases of attention are not supported"},
    {FULL "rope_theta|rope_theta", LM_FIELD_FLOAT, FIELD(global_theta), 1e6, 1, 1e12, .flags = 0},
    {LOCAL "rope_theta|rope_local_base_freq", LM_FIELD_FLOAT, FIELD(local_theta), 10000, 1, 1e12,
     .flags = 0},
    LM_ROPE_TYPES("rope_parameters.full_attention"),
    LM_ROPE_TYPES("rope_parameters.sliding_attention"),
    LM_ROPE_TYPES("rope_scaling"),
};

static const lm_key_rule config_keys[] = {
    {"layer_types", LM_KEY_OBEYED, NULL},
    {"attn_logit_softcapping", LM_KEY_REFUSED, NULL},
    {"is_causal", LM_KEY_REFUSED, "true"},
    {"pad_token_id", LM_KEY_HARMLESS, NULL},
    {"attention_dropout", LM_KEY_HARMLESS, NULL},
    {"final_logit_softcapping", LM_KEY_HARMLESS, NULL}, /* of a model that writes */
    {"_sliding_window_pattern", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"Gemma3TextModel", NULL};

static const char *const not_needed[] = {"lm_head.", NULL};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    gemma3_config *c = out;

    LM_TRY(lm_rope_check(ctx, "head_dim", c->head_dim));
    LM_TRY(lm_rope_check_groups(ctx, c->heads, c->kv_heads));
    LM_TRY(lm_layer_types_check(ctx, config, c->layers, &c->every, true));
    c->qkv_rows = (c->heads + 2 * c->kv_heads) * c->head_dim;
    return LM_OK;
}

enum model_target { WORDS, FINAL_GAIN, MODEL_TARGETS };

enum layer_target {
    QKV,
    QUERY_GAIN,
    KEY_GAIN,
    OUTPUT,
    BEFORE_ATTENTION,
    BEHIND_ATTENTION,
    UP,
    DOWN,
    BEFORE_NET,
    BEHIND_NET,
    LAYER_TARGETS
};

#define D DIM(dims.hidden)
#define F DIM(inner)
#define HD DIM(head_dim)
#define GAIN (NEEDED | LM_SLOT_PLUS_ONE)
#define Q                             \
    {                                 \
        FIELD(heads), FIELD(head_dim) \
    }
#define KV                               \
    {                                    \
        FIELD(kv_heads), FIELD(head_dim) \
    }

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"layers.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    {"embed_tokens.weight", MODEL, TABLE, NEEDED, 2, {DIM(dims.vocab), D}, WORDS, 0, 1},
    {"norm.weight", MODEL, ROWS, GAIN, 1, {D}, FINAL_GAIN, 0, 1},

    {"self_attn.q_proj.weight", LAYERS, PACKED, NEEDED, 2, {Q, D}, QKV, 0, 1},
    {"self_attn.k_proj.weight", LAYERS, PACKED, NEEDED, 2, {KV, D}, QKV, 1, 1},
    {"self_attn.v_proj.weight", LAYERS, PACKED, NEEDED, 2, {KV, D}, QKV, 2, 1},
    {"self_attn.qkv_proj.weight", LAYERS, PACKED, 0, 2, {DIM(qkv_rows), D}, QKV, 0, 3},
    {"self_attn.q_norm.weight", LAYERS, ROWS, GAIN, 1, {HD}, QUERY_GAIN, 0, 1},
    {"self_attn.k_norm.weight", LAYERS, ROWS, GAIN, 1, {HD}, KEY_GAIN, 0, 1},
    {"self_attn.o_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, Q}, OUTPUT, 0, 1},
    {"input_layernorm.weight", LAYERS, ROWS, GAIN, 1, {D}, BEFORE_ATTENTION, 0, 1},
    {"post_attention_layernorm.weight", LAYERS, ROWS, GAIN, 1, {D}, BEHIND_ATTENTION, 0, 1},

    {"mlp.gate_proj.weight", LAYERS, PACKED, NEEDED, 2, {F, D}, UP, 0, 1},
    {"mlp.up_proj.weight", LAYERS, PACKED, NEEDED, 2, {F, D}, UP, 1, 1},
    {"mlp.down_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, F}, DOWN, 0, 1},
    {"pre_feedforward_layernorm.weight", LAYERS, ROWS, GAIN, 1, {D}, BEFORE_NET, 0, 1},
    {"post_feedforward_layernorm.weight", LAYERS, ROWS, GAIN, 1, {D}, BEHIND_NET, 0, 1},
};

/* A layer that sees a window; a full one differs in mask and theta. */
static lm_block
block_of(const gemma3_config *c)
{
    return (lm_block){
        .attention_norms = {{BEFORE_ATTENTION, LM_NO_WEIGHT},
                            {BEHIND_ATTENTION, LM_NO_WEIGHT},
                            LM_NO_NORM},
        .ffn_norms = {{BEFORE_NET, LM_NO_WEIGHT}, {BEHIND_NET, LM_NO_WEIGHT}, LM_NO_NORM},
        .norm = LM_NORM_RMS,
        .eps = c->eps,
        .qkv = QKV,
        .qkv_bias = LM_NO_WEIGHT,
        .output = OUTPUT,
        .output_bias = LM_NO_WEIGHT,
        .heads = (size_t)c->heads,
        .kv_heads = (size_t)c->kv_heads,
        .head_dim = (size_t)c->head_dim,
        .normed = true,
        .query_gain = QUERY_GAIN,
        .key_gain = KEY_GAIN,
        .scale = (float)(1 / sqrt((double)c->scalar)),
        .mask = c->both_sides ? LM_MASK_WINDOW : LM_MASK_CAUSAL,
        .window = (size_t)(c->both_sides ? c->window / 2 : c->window - 1),
        .position = LM_POSITION_ROPE,
        .theta = (double)c->local_theta,
        .turned = (size_t)c->head_dim,
        .up = UP,
        .up_bias = LM_NO_WEIGHT,
        .down = DOWN,
        .down_bias = LM_NO_WEIGHT,
        .inner = (size_t)c->inner,
        .act = (lm_activation)c->activation,
        .gated = true,
    };
}

static void
describe(const void *config, lm_encoder *encoder)
{
    const gemma3_config *c = config;
    lm_block local = block_of(c), full = local;

    full.mask = c->both_sides ? LM_MASK_FULL : LM_MASK_CAUSAL;
    full.window = 0;
    full.theta = (double)c->global_theta;
    encoder->embedding = (lm_embedding){
        .words = WORDS,
        .types = LM_NO_WEIGHT,
        .positions = LM_NO_WEIGHT,
        .window = (size_t)c->dims.window,
        .scale = sqrtf((float)c->dims.hidden),
        .norm = LM_NO_NORM,
    };
    encoder->stack = (lm_stack){
        .layers = (size_t)c->layers,
        .width = (size_t)c->dims.hidden,
        .blocks = {local, full},
        .every = (size_t)c->every,
        .at = (size_t)c->every - 1,
        .final = {FINAL_GAIN, LM_NO_WEIGHT},
        .bias = LM_NO_WEIGHT,
    };
}

extern const lm_family lm_family_gemma3;

const lm_family lm_family_gemma3 = {
    .name = "gemma3",
    .check = check,
    FAMILY_TABLES(gemma3_config),
    .describe = describe,
};
