/*
 * distilbert.c - DistilBERT (Sanh et al. 2019): BERT without token types and without a pooler.
 *
 *   x = LayerNorm(word + position)                                                   (T, D)
 *   each layer, as BERT's:
 *     x = LayerNorm(x + attention(q, k, v) · Woᵀ + bo)                               (T, D)
 *     x = LayerNorm(x + act(x · Wuᵀ + bu) · Wdᵀ + bd)      inner width F              (T, D)
 *
 * Tensors: word (V, D), position (P, D), their LayerNorm (D), (D); in each layer query, key, value
 * and output (D, D) and (D), LayerNorm, lin1 (F, D) and (F), lin2 (D, F) and (D), LayerNorm. A
 * classifier has pre_classifier (D, D) and (D) before it; the head of pre-training is BERT's.
 * Sinusoidal positions are stored like learnt ones.
 */
#include "family/post_norm.h"
#include "family/rows.h"

/* No file says it. */
#define EPS 1e-12f

typedef struct distilbert_config {
    lm_dims dims;
    int32_t layers, heads, inner, activation, labels, crf;
    int32_t qkv_rows; /* 3 D */
    int32_t two;      /* LM_HEAD_UNNAMED */
} distilbert_config;

#define FIELD(name) offsetof(distilbert_config, name)

static const char *const model_types[] = {"distilbert", NULL};

static const lm_config_field fields[] = {
    {"vocab_size", LM_FIELD_INT, FIELD(dims.vocab), 30522, 1, 1 << 24, .flags = 0},
    {"dim", LM_FIELD_INT, FIELD(dims.hidden), 768, 1, 1 << 16, .flags = 0},
    {"n_layers", LM_FIELD_INT, FIELD(layers), 6, 1, 1024, .flags = 0},
    {"n_heads", LM_FIELD_INT, FIELD(heads), 12, 1, 1 << 12, .flags = 0},
    {"hidden_dim", LM_FIELD_INT, FIELD(inner), 3072, 1, 1 << 20, .flags = 0},
    {"max_position_embeddings", LM_FIELD_INT, FIELD(dims.window), 512, 1, 1 << 20, .flags = 0},
    {"activation", LM_FIELD_WORD, FIELD(activation), LM_ACT_GELU, .words = lm_activation_words,
     .refusal = "the activation is not supported"},
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL},         /* no padding, ever */
    {"sinusoidal_pos_embds", LM_KEY_HARMLESS, NULL}, /* the positions are stored */
    {"tie_weights_", LM_KEY_HARMLESS, NULL},         {"dropout", LM_KEY_HARMLESS, NULL},
    {"attention_dropout", LM_KEY_HARMLESS, NULL},    {"qa_dropout", LM_KEY_HARMLESS, NULL},
    {"seq_classif_dropout", LM_KEY_HARMLESS, NULL},  {0},
};

static const char *const architectures[] = {"DistilBertModel", "DistilBertForMaskedLM", NULL};

/* The head of pre-training, and a buffer of 0, 1, 2, … that older versions wrote. */
static const char *const not_needed[] = {"vocab_", "embeddings.position_ids", NULL};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    distilbert_config *c = out;

    LM_TRY(lm_family_check_heads(ctx, "n_heads", c->heads, "dim", c->dims.hidden));
    c->qkv_rows = 3 * c->dims.hidden;
    c->two = LM_HEAD_UNNAMED;
    return LM_OK;
}

enum model_target { WORDS, POSITIONS, FIRST_GAIN, FIRST_BIAS, MODEL_TARGETS };

#define D DIM(dims.hidden)
#define D3 DIM(qkv_rows)
#define F DIM(inner)
#define C DIM(labels)
#define TWO DIM(two)
#define V DIM(dims.vocab)

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"transformer.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

static const lm_weight_slot slots[] = {
    {"embeddings.word_embeddings.weight",
     MODEL,
     TABLE,
     NEEDED,
     2,
     {DIM(dims.vocab), D},
     WORDS,
     0,
     1},
    {"embeddings.position_embeddings.weight",
     MODEL,
     TABLE,
     NEEDED,
     2,
     {DIM(dims.window), D},
     POSITIONS,
     0,
     1},
    {"embeddings.LayerNorm.weight", MODEL, ROWS, NEEDED, 1, {D}, FIRST_GAIN, 0, 1},
    {"embeddings.LayerNorm.bias", MODEL, ROWS, NEEDED, 1, {D}, FIRST_BIAS, 0, 1},

    {"attention.q_lin.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 0, 1},
    {"attention.k_lin.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 1, 1},
    {"attention.v_lin.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 2, 1},
    {"attention.qkv_lin.weight", LAYERS, PACKED, 0, 2, {D3, D}, QKV, 0, 3},
    {"attention.q_lin.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 0, 1},
    {"attention.k_lin.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 1, 1},
    {"attention.v_lin.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 2, 1},
    {"attention.qkv_lin.bias", LAYERS, ROWS, 0, 1, {D3}, QKV_BIAS, 0, 3},

    {"attention.out_lin.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, OUTPUT, 0, 1},
    {"attention.out_lin.bias", LAYERS, ROWS, NEEDED, 1, {D}, OUTPUT_BIAS, 0, 1},
    {"sa_layer_norm.weight", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_GAIN, 0, 1},
    {"sa_layer_norm.bias", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_NORM_BIAS, 0, 1},
    {"ffn.lin1.weight", LAYERS, PACKED, NEEDED, 2, {F, D}, UP, 0, 1},
    {"ffn.lin1.bias", LAYERS, ROWS, NEEDED, 1, {F}, UP_BIAS, 0, 1},
    {"ffn.lin2.weight", LAYERS, PACKED, NEEDED, 2, {D, F}, DOWN, 0, 1},
    {"ffn.lin2.bias", LAYERS, ROWS, NEEDED, 1, {D}, DOWN_BIAS, 0, 1},
    {"output_layer_norm.weight", LAYERS, ROWS, NEEDED, 1, {D}, FFN_GAIN, 0, 1},
    {"output_layer_norm.bias", LAYERS, ROWS, NEEDED, 1, {D}, FFN_NORM_BIAS, 0, 1},
};

static const lm_config_field label_fields[] = {
    {"id2label|num_labels", LM_FIELD_COUNT, FIELD(labels), 2, 1, 1 << 16, .flags = 0},
    CRF_FIELD(FIELD(crf)),
};

static const lm_weight_slot sequence_slots[] = {
    {"pre_classifier.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"pre_classifier.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1},
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_weight_slot token_slots[] = {
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
    CRF_SLOTS,
};

static const lm_weight_slot span_slots[] = {
    {"qa_outputs.weight", HEAD, ROWS, NEEDED, 2, {TWO, D}, LM_HEAD_OUT, 0, 1},
    {"qa_outputs.bias", HEAD, ROWS, NEEDED, 1, {TWO}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_weight_slot mask_slots[] = {
    {"vocab_transform.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"vocab_transform.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1},
    {"vocab_layer_norm.weight", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_NORM_GAIN, 0, 1},
    {"vocab_layer_norm.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_NORM_BIAS, 0, 1},
    {"vocab_projector.weight", HEAD, TABLE, 0, 2, {V, D}, LM_HEAD_OUT, 0, 1},
    {"vocab_projector.bias", HEAD, ROWS, NEEDED, 1, {V}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_head_kind heads[] = {
    {"ForSequenceClassification", "classification", label_fields, COUNT(label_fields),
     sequence_slots, COUNT(sequence_slots), LM_POOL_CLS, LM_ACT_RELU},
    {"ForTokenClassification", "token_classification", label_fields, COUNT(label_fields),
     token_slots, COUNT(token_slots), LM_POOL_NONE, LM_ACT_NONE},
    {"ForQuestionAnswering", "answer", NULL, 0, span_slots, COUNT(span_slots), LM_POOL_NONE,
     LM_ACT_NONE},
    {"ForMaskedLM", "fill_mask", NULL, 0, mask_slots, COUNT(mask_slots), LM_POOL_NONE,
     LM_ACT_OF_LAYERS},
};

/* Of models with a task head. */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "distilbert.", ""},
};

static void
describe(const void *config, lm_encoder *encoder)
{
    const distilbert_config *c = config;
    const lm_post_norm shape = {
        .layers = c->layers,
        .width = c->dims.hidden,
        .heads = c->heads,
        .inner = c->inner,
        .eps = EPS,
        .act = (lm_activation)c->activation,
    };

    encoder->embedding = (lm_embedding){
        .words = WORDS,
        .types = LM_NO_WEIGHT,
        .positions = POSITIONS,
        .window = (size_t)c->dims.window,
        .norm = {FIRST_GAIN, FIRST_BIAS},
        .norm_kind = LM_NORM_LAYER,
        .eps = EPS,
    };
    encoder->stack = lm_post_norm_stack(&shape);
}

extern const lm_family lm_family_distilbert;

const lm_family lm_family_distilbert = {
    .name = "distilbert",
    .check = check,
    FAMILY_TABLES(distilbert_config),
    FAMILY_RENAMES,
    FAMILY_HEADS,
    .describe = describe,
};
