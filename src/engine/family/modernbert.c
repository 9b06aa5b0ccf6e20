/*
 * modernbert.c - ModernBERT (Warner et al. 2024): pre-norm, rotary positions, gated nets; two
 * layers of three see a window only.
 *
 *   x = LayerNorm(word)                                                              (T, D)
 *   each layer:
 *     q, k, v = n(x) · Wᵀ, q and k turned                                            (T, 3 D)
 *     x = x + attention(q, k, v) · Woᵀ        n: LayerNorm, in layer 0 nothing        (T, D)
 *     a, b = LayerNorm(x) · Wiᵀ                                                       (T, 2 F)
 *     x = x + (act(a) · b) · Wdᵀ                                                      (T, D)
 *   x = LayerNorm(x)
 *
 * A full layer sees all tokens and turns by global_rope_theta; the others see local_attention / 2
 * tokens on each side and turn by local_rope_theta.
 *
 * Tensors: word (V, D) and its norm (D); in each layer Wqkv (3 D, D), Wo (D, D), Wi (2 F, D), Wo of
 * the net (D, F), two norms (D), the first not in layer 0; a norm (D) behind all. Biases of norms,
 * attention and nets where config.json says so. Heads have dense (D, D), a norm (D) and a
 * classifier, that of pre-training the word table.
 */
#include <math.h>

#include "family/rope.h"
#include "family/rows.h"

typedef struct modernbert_config {
    lm_dims dims;
    int32_t layers, heads, inner, activation, labels, crf;
    int32_t local; /* tokens of a window, half of them on each side */
    int32_t every; /* layers 0, every, 2 every, … are full */
    int32_t norm_bias, attention_bias, net_bias, head_bias, word_bias;
    int32_t two;                  /* LM_HEAD_UNNAMED */
    int32_t qkv_rows, inner_rows; /* 3 D, 2 F */
    float eps, global_theta, local_theta;
} modernbert_config;

#define FIELD(name) offsetof(modernbert_config, name)

static const char *const model_types[] = {"modernbert", NULL};

#define FULL "rope_parameters.full_attention."
#define LOCAL "rope_parameters.sliding_attention."

static const lm_config_field fields[] = {
    {"vocab_size", LM_FIELD_INT, FIELD(dims.vocab), 50368, 1, 1 << 24, .flags = 0},
    {"hidden_size", LM_FIELD_INT, FIELD(dims.hidden), 768, 1, 1 << 16, .flags = 0},
    {"num_hidden_layers", LM_FIELD_INT, FIELD(layers), 22, 1, 1024, .flags = 0},
    {"num_attention_heads", LM_FIELD_INT, FIELD(heads), 12, 1, 1 << 12, .flags = 0},
    {"intermediate_size", LM_FIELD_INT, FIELD(inner), 1152, 1, 1 << 20, .flags = 0},
    {"max_position_embeddings", LM_FIELD_INT, FIELD(dims.window), 8192, 1, 1 << 20, .flags = 0},
    {"hidden_activation", LM_FIELD_WORD, FIELD(activation), LM_ACT_GELU,
     .words = lm_activation_words, .refusal = "the activation is not supported"},
    {"norm_eps", LM_FIELD_FLOAT, FIELD(eps), 1e-5, 1e-20, 1, .flags = 0},
    {"norm_bias", LM_FIELD_BOOL, FIELD(norm_bias), .flags = 0},
    {"attention_bias", LM_FIELD_BOOL, FIELD(attention_bias), .flags = 0},
    {"mlp_bias", LM_FIELD_BOOL, FIELD(net_bias), .flags = 0},
    {"local_attention", LM_FIELD_INT, FIELD(local), 128, 0, 1 << 20, .flags = 0},
    {"global_attn_every_n_layers", LM_FIELD_INT, FIELD(every), 3, 1, 1024, .flags = 0},
    {FULL "rope_theta|global_rope_theta", LM_FIELD_FLOAT, FIELD(global_theta), 160000, 1, 1e12,
     .flags = 0},
    {LOCAL "rope_theta|local_rope_theta", LM_FIELD_FLOAT, FIELD(local_theta), 10000, 1, 1e12,
     .flags = 0},
    LM_ROPE_TYPES("rope_parameters.full_attention"),
    LM_ROPE_TYPES("rope_parameters.sliding_attention"),
    LM_ROPE_TYPES("rope_scaling"),
};

static const lm_key_rule config_keys[] = {
    {"layer_types", LM_KEY_OBEYED, NULL},
    {"classifier_pooling", LM_KEY_OBEYED, NULL},
    {"classifier_bias", LM_KEY_OBEYED, NULL},
    {"classifier_activation", LM_KEY_OBEYED, NULL},
    {"pad_token_id", LM_KEY_HARMLESS, NULL},
    {"cls_token_id", LM_KEY_HARMLESS, NULL},
    {"decoder_bias", LM_KEY_OBEYED, NULL},
    {"sparse_prediction", LM_KEY_HARMLESS, NULL},
    {"sparse_pred_ignore_index", LM_KEY_HARMLESS, NULL},
    {"initializer_cutoff_factor", LM_KEY_HARMLESS, NULL},
    {"attention_dropout", LM_KEY_HARMLESS, NULL},
    {"embedding_dropout", LM_KEY_HARMLESS, NULL},
    {"mlp_dropout", LM_KEY_HARMLESS, NULL},
    {"deterministic_flash_attn", LM_KEY_HARMLESS, NULL},
    {"reference_compile", LM_KEY_HARMLESS, NULL},
    {"repad_logits_with_grad", LM_KEY_HARMLESS, NULL},
    /* Older files name these; the reference reads them no more. */
    {"layer_norm_eps", LM_KEY_HARMLESS, NULL},
    {"position_embedding_type", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"ModernBertModel", "ModernBertForMaskedLM", NULL};

/* The head of pre-training. */
static const char *const not_needed[] = {"head.", "decoder.", NULL};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    modernbert_config *c = out;

    LM_TRY(
        lm_family_check_heads(ctx, "num_attention_heads", c->heads, "hidden_size", c->dims.hidden));
    LM_TRY(lm_rope_check(ctx, "num_attention_heads", c->dims.hidden / c->heads));
    LM_TRY(lm_layer_types_check(ctx, config, c->layers, &c->every, false));
    c->qkv_rows = 3 * c->dims.hidden;
    c->inner_rows = 2 * c->inner;
    c->two = LM_HEAD_UNNAMED;
    return LM_OK;
}

enum model_target { WORDS, FIRST_GAIN, FIRST_BIAS, FINAL_GAIN, FINAL_BIAS, MODEL_TARGETS };

enum layer_target {
    QKV,
    QKV_BIAS,
    OUTPUT,
    OUTPUT_BIAS,
    ATTENTION_GAIN,
    ATTENTION_NORM_BIAS,
    UP,
    UP_BIAS,
    DOWN,
    DOWN_BIAS,
    FFN_GAIN,
    FFN_NORM_BIAS,
    LAYER_TARGETS
};

#define D DIM(dims.hidden)
#define D3 DIM(qkv_rows)
#define F DIM(inner)
#define F2 DIM(inner_rows)
#define C DIM(labels)
#define V DIM(dims.vocab)
#define TWO DIM(two)
#define WHEN(name) (NEEDED | LM_SLOT_WHEN(FIELD(name)))
#define BUT_FIRST LM_SLOT_FIRST_LAYER_LACKS

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"layers.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    {"embeddings.tok_embeddings.weight",
     MODEL,
     TABLE,
     NEEDED,
     2,
     {DIM(dims.vocab), D},
     WORDS,
     0,
     1},
    {"embeddings.norm.weight", MODEL, ROWS, NEEDED, 1, {D}, FIRST_GAIN, 0, 1},
    {"embeddings.norm.bias", MODEL, ROWS, WHEN(norm_bias), 1, {D}, FIRST_BIAS, 0, 1},
    {"final_norm.weight", MODEL, ROWS, NEEDED, 1, {D}, FINAL_GAIN, 0, 1},
    {"final_norm.bias", MODEL, ROWS, WHEN(norm_bias), 1, {D}, FINAL_BIAS, 0, 1},

    {"attn_norm.weight", LAYERS, ROWS, NEEDED | BUT_FIRST, 1, {D}, ATTENTION_GAIN, 0, 1},
    {"attn_norm.bias",
     LAYERS,
     ROWS,
     WHEN(norm_bias) | BUT_FIRST,
     1,
     {D},
     ATTENTION_NORM_BIAS,
     0,
     1},
    {"attn.Wqkv.weight", LAYERS, PACKED, NEEDED, 2, {D3, D}, QKV, 0, 1},
    {"attn.Wqkv.bias", LAYERS, ROWS, WHEN(attention_bias), 1, {D3}, QKV_BIAS, 0, 1},
    {"attn.Wo.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, OUTPUT, 0, 1},
    {"attn.Wo.bias", LAYERS, ROWS, WHEN(attention_bias), 1, {D}, OUTPUT_BIAS, 0, 1},
    {"mlp_norm.weight", LAYERS, ROWS, NEEDED, 1, {D}, FFN_GAIN, 0, 1},
    {"mlp_norm.bias", LAYERS, ROWS, WHEN(norm_bias), 1, {D}, FFN_NORM_BIAS, 0, 1},
    {"mlp.Wi.weight", LAYERS, PACKED, NEEDED, 2, {F2, D}, UP, 0, 1},
    {"mlp.Wi.bias", LAYERS, ROWS, WHEN(net_bias), 1, {F2}, UP_BIAS, 0, 1},
    {"mlp.Wo.weight", LAYERS, PACKED, NEEDED, 2, {D, F}, DOWN, 0, 1},
    {"mlp.Wo.bias", LAYERS, ROWS, WHEN(net_bias), 1, {D}, DOWN_BIAS, 0, 1},
};

static const lm_word gelu_words[] = {{"gelu", LM_ACT_GELU}, {NULL, 0}};

/* Of all heads. */
#define LAYER_FIELDS                                                  \
    {"classifier_bias", LM_FIELD_BOOL, FIELD(head_bias), .flags = 0}, \
    {                                                                 \
        "classifier_activation", LM_FIELD_WORD, 0, LM_ACT_GELU,       \
            .flags = LM_FIELD_MUST_BE, .words = gelu_words,           \
            .refusal = "the activation of the head is not supported"  \
    }

#define LAYER_SLOTS                                                                         \
    {"head.dense.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},              \
        {"head.dense.bias", HEAD, ROWS, WHEN(head_bias), 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1}, \
        {"head.norm.weight", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_NORM_GAIN, 0, 1},          \
    {                                                                                       \
        "head.norm.bias", HEAD, ROWS, WHEN(norm_bias), 1, {D}, LM_HEAD_NORM_BIAS, 0, 1      \
    }

static const lm_config_field head_fields[] = {
    {"id2label|num_labels", LM_FIELD_COUNT, FIELD(labels), 2, 1, 1 << 16, .flags = 0},
    CRF_FIELD(FIELD(crf)),
    LAYER_FIELDS,
};

static const lm_config_field span_fields[] = {LAYER_FIELDS};

static const lm_config_field mask_fields[] = {
    LAYER_FIELDS,
    {"decoder_bias", LM_FIELD_BOOL, FIELD(word_bias), 1, .flags = 0},
};

static const lm_weight_slot span_slots[] = {LAYER_SLOTS, SPAN_SLOTS("classifier")};

static const lm_weight_slot mask_slots[] = {
    LAYER_SLOTS,
    {"decoder.weight", HEAD, TABLE, 0, 2, {V, D}, LM_HEAD_OUT, 0, 1},
    {"decoder.bias", HEAD, ROWS, WHEN(word_bias), 1, {V}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_weight_slot head_slots[] = {
    LAYER_SLOTS,
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_weight_slot token_slots[] = {
    LAYER_SLOTS,
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
    CRF_SLOTS,
};

static const lm_word pooling_words[] = {{"cls", LM_POOL_CLS}, {"mean", LM_POOL_MEAN}, {NULL, 0}};

static const lm_head_kind heads[] = {
    {"ForSequenceClassification", "classification", head_fields, COUNT(head_fields), head_slots,
     COUNT(head_slots), LM_POOL_CLS, LM_ACT_GELU},
    {"ForTokenClassification", "token_classification", head_fields, COUNT(head_fields), token_slots,
     COUNT(token_slots), LM_POOL_NONE, LM_ACT_GELU},
    {"ForQuestionAnswering", "answer", span_fields, COUNT(span_fields), span_slots,
     COUNT(span_slots), LM_POOL_NONE, LM_ACT_GELU},
    {"ForMaskedLM", "fill_mask", mask_fields, COUNT(mask_fields), mask_slots, COUNT(mask_slots),
     LM_POOL_NONE, LM_ACT_GELU},
};

/* A layer that sees a window; a full one differs in mask and theta. */
static lm_block
block_of(const modernbert_config *c)
{
    const int head_dim = c->dims.hidden / c->heads;

    return (lm_block){
        .attention_norms = {{ATTENTION_GAIN, ATTENTION_NORM_BIAS}, LM_NO_NORM, LM_NO_NORM},
        .ffn_norms = {{FFN_GAIN, FFN_NORM_BIAS}, LM_NO_NORM, LM_NO_NORM},
        .norm = LM_NORM_LAYER,
        .eps = c->eps,
        .qkv = QKV,
        .qkv_bias = QKV_BIAS,
        .output = OUTPUT,
        .output_bias = OUTPUT_BIAS,
        .heads = (size_t)c->heads,
        .kv_heads = (size_t)c->heads,
        .head_dim = (size_t)head_dim,
        .scale = (float)(1 / sqrt((double)head_dim)),
        .mask = LM_MASK_WINDOW,
        .window = (size_t)c->local / 2,
        .position = LM_POSITION_ROPE,
        .theta = (double)c->local_theta,
        .turned = (size_t)head_dim,
        .up = UP,
        .up_bias = UP_BIAS,
        .down = DOWN,
        .down_bias = DOWN_BIAS,
        .inner = (size_t)c->inner,
        .act = (lm_activation)c->activation,
        .gated = true,
    };
}

static void
describe(const void *config, lm_encoder *encoder)
{
    const modernbert_config *c = config;
    lm_block local = block_of(c), full = local;

    full.mask = LM_MASK_FULL;
    full.theta = (double)c->global_theta;
    encoder->embedding = (lm_embedding){
        .words = WORDS,
        .types = LM_NO_WEIGHT,
        .positions = LM_NO_WEIGHT,
        .window = (size_t)c->dims.window,
        .norm = {FIRST_GAIN, FIRST_BIAS},
        .norm_kind = LM_NORM_LAYER,
        .eps = c->eps,
    };
    encoder->stack = (lm_stack){
        .layers = (size_t)c->layers,
        .width = (size_t)c->dims.hidden,
        .blocks = {local, full},
        .every = (size_t)c->every,
        .final = {FINAL_GAIN, FINAL_BIAS},
        .bias = LM_NO_WEIGHT,
    };
}

extern const lm_family lm_family_modernbert;

const lm_family lm_family_modernbert = {
    .name = "modernbert",
    .check = check,
    FAMILY_TABLES(modernbert_config),
    FAMILY_HEADS,
    .head_eps = FIELD(eps),
    .head_pooling_key = "classifier_pooling",
    .head_pooling_words = pooling_words,
    .describe = describe,
};
