/*
 * mobilebert.c - MobileBERT (Sun et al. 2020): layers that work in a narrow width d between hidden
 * states of width D, and norms that are gain · x + bias.
 *
 *   e = word of the next token | of the token | of the one before                   (T, 3 E)
 *   x = norm(e · Pᵀ + p + position + type)                                          (T, D)
 *   each layer, with heads of d / H numbers:
 *     a = norm(x · Waᵀ + ba), r = norm(x · Wrᵀ + br)                                (T, d)
 *     r = norm(r + attention(q of a, k of a, v of x) · Woᵀ + bo)                    (T, d)
 *     one to four times: r = norm(r + act(r · Wuᵀ + bu) · Wdᵀ + bd)   width F       (T, d)
 *     x = norm(x + r · Wxᵀ + bx)                                                    (T, D)
 *
 * Tensors: word (V, E), position (P, D), type (types, D), transformation (D, 3 E) and (D), norm
 * (D), (D); in each layer both bottlenecks (d, D) and (d), query, key and output (d, d) and (d),
 * value (d, D) and (d), of each net (F, d), (F), (d, F), (d), the way out (D, d) and (D), and a
 * norm behind each of them but query, key and value. A classifier is BERT's, whose pooler
 * classifier_activation takes away. The words of the head of pre-training are half of two tensors
 * each, which no row says.
 */
#include <math.h>

#include "family/family.h"
#include "family/rows.h"

/* As many as the layers of the models that its authors published. */
#define MOST_NETS 4

typedef struct mobilebert_config {
    lm_dims dims;
    int32_t layers, heads, inner, types, positions, labels, crf, activation;
    int32_t embedding, joined;           /* E, 3 E */
    int32_t narrow, head_dim;            /* d, d / H */
    int32_t nets, second, third, fourth; /* how many nets, and whether there are so many */
    int32_t pooled;
    int32_t two; /* LM_HEAD_UNNAMED */
} mobilebert_config;

#define FIELD(name) offsetof(mobilebert_config, name)

static const char *const model_types[] = {"mobilebert", NULL};

static const lm_word norm_words[] = {{"no_norm", 0}, {NULL, 0}};

/* Defaults are those of the reference's MobileBertConfig. */
static const lm_config_field fields[] = {
    {"vocab_size", LM_FIELD_INT, FIELD(dims.vocab), 30522, 1, 1 << 24, .flags = 0},
    {"hidden_size", LM_FIELD_INT, FIELD(dims.hidden), 512, 1, 1 << 16, .flags = 0},
    {"num_hidden_layers", LM_FIELD_INT, FIELD(layers), 24, 1, 1024, .flags = 0},
    {"num_attention_heads", LM_FIELD_INT, FIELD(heads), 4, 1, 1 << 12, .flags = 0},
    {"intermediate_size", LM_FIELD_INT, FIELD(inner), 512, 1, 1 << 20, .flags = 0},
    {"max_position_embeddings", LM_FIELD_INT, FIELD(dims.window), 512, 1, 1 << 20, .flags = 0},
    {"type_vocab_size", LM_FIELD_INT, FIELD(types), 2, 1, 1 << 16, .flags = 0},
    {"hidden_act", LM_FIELD_WORD, FIELD(activation), LM_ACT_RELU, .words = lm_activation_words,
     .refusal = "the activation is not supported"},
    {"embedding_size", LM_FIELD_INT, FIELD(embedding), 128, 1, 1 << 16, .flags = 0},
    {"intra_bottleneck_size", LM_FIELD_INT, FIELD(narrow), 128, 1, 1 << 16, .flags = 0},
    {"num_feedforward_networks", LM_FIELD_INT, FIELD(nets), 4, 1, MOST_NETS, .flags = 0},
    {"classifier_activation", LM_FIELD_BOOL, FIELD(pooled), 1, .flags = 0},
    {"trigram_input", LM_FIELD_BOOL, 0, 1, .flags = LM_FIELD_MUST_BE,
     .refusal = "embeddings of single tokens are not supported"},
    {"use_bottleneck", LM_FIELD_BOOL, 0, 1, .flags = LM_FIELD_MUST_BE,
     .refusal = "layers without a bottleneck are not supported"},
    {"use_bottleneck_attention", LM_FIELD_BOOL, .flags = LM_FIELD_MUST_BE,
     .refusal = "values of the bottleneck are not supported"},
    {"key_query_shared_bottleneck", LM_FIELD_BOOL, 0, 1, .flags = LM_FIELD_MUST_BE,
     .refusal = "queries and keys without a bottleneck are not supported"},
    {"normalization_type", LM_FIELD_WORD, .flags = LM_FIELD_MUST_BE, .words = norm_words,
     .refusal = "the kind of norm is not supported"},
};

static const lm_key_rule config_keys[] = {
    {"pad_token_id", LM_KEY_HARMLESS, NULL},   /* no padding, ever */
    {"layer_norm_eps", LM_KEY_HARMLESS, NULL}, /* nothing is divided */
    {"true_hidden_size", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {"MobileBertModel", "MobileBertForMaskedLM",
                                            "MobileBertForPreTraining", NULL};

static const char *const not_needed[] = {"cls.", "pooler.", "embeddings.position_ids", NULL};

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    mobilebert_config *c = out;

    LM_TRY(lm_family_check_heads(ctx, "num_attention_heads", c->heads, "intra_bottleneck_size",
                                 c->narrow));
    c->head_dim = c->narrow / c->heads;
    c->joined = 3 * c->embedding;
    c->second = c->nets > 1;
    c->third = c->nets > 2;
    c->fourth = c->nets > 3;
    c->two = LM_HEAD_UNNAMED;
    return LM_OK;
}

/* A matrix has its bias behind it, then the gain and the bias of its norm. */
enum model_target {
    WORDS,
    POSITIONS,
    TYPES,
    TRANSFORMATION,
    TRANSFORMATION_BIAS,
    FIRST_GAIN,
    FIRST_BIAS,
    MODEL_TARGETS
};

enum layer_target {
    ATTENDED,
    ENTRY = ATTENDED + 4,
    QUERY_KEY = ENTRY + 4,
    VALUE = QUERY_KEY + 2,
    OUTPUT = VALUE + 2,
    NETS = OUTPUT + 4,
    OWN_NET = NETS + (MOST_NETS - 1) * LM_NET_TARGETS,
    LEAVE = OWN_NET + LM_NET_TARGETS,
    LAYER_TARGETS = LEAVE + 4
};

#define D DIM(dims.hidden)
#define W DIM(narrow)
#define F DIM(inner)
#define C DIM(labels)
#define TWO DIM(two)
#define WHEN(name) (NEEDED | LM_SLOT_WHEN(FIELD(name)))

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

#define LINEAR(name, flags, rows, width, target, part)                          \
    {name ".weight", LAYERS, PACKED, flags, 2, {rows, width}, target, part, 1}, \
    {                                                                           \
        name ".bias", LAYERS, ROWS, flags, 1, {rows}, (target) + 1, part, 1     \
    }

#define NORM(name, flags, width, target)                                  \
    {name ".weight", LAYERS, ROWS, flags, 1, {width}, target, 0, 1},      \
    {                                                                     \
        name ".bias", LAYERS, ROWS, flags, 1, {width}, (target) + 1, 0, 1 \
    }

#define NET(prefix, flags, target)                                   \
    LINEAR(prefix "intermediate.dense", flags, F, W, target, 0),     \
        LINEAR(prefix "output.dense", flags, W, F, (target) + 2, 0), \
        NORM(prefix "output.LayerNorm", flags, W, (target) + 4)

#define NET_AT(i) (NETS + (i)*LM_NET_TARGETS)

static const lm_weight_slot slots[] = {
    {"embeddings.word_embeddings.weight",
     MODEL,
     TABLE,
     NEEDED,
     2,
     {DIM(dims.vocab), DIM(embedding)},
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
    {"embeddings.token_type_embeddings.weight",
     MODEL,
     TABLE,
     NEEDED,
     2,
     {DIM(types), D},
     TYPES,
     0,
     1},
    {"embeddings.embedding_transformation.weight",
     MODEL,
     PACKED,
     NEEDED,
     2,
     {D, DIM(joined)},
     TRANSFORMATION,
     0,
     1},
    {"embeddings.embedding_transformation.bias",
     MODEL,
     ROWS,
     NEEDED,
     1,
     {D},
     TRANSFORMATION_BIAS,
     0,
     1},
    {"embeddings.LayerNorm.weight", MODEL, ROWS, NEEDED, 1, {D}, FIRST_GAIN, 0, 1},
    {"embeddings.LayerNorm.bias", MODEL, ROWS, NEEDED, 1, {D}, FIRST_BIAS, 0, 1},

    LINEAR("bottleneck.attention.dense", NEEDED, W, D, ATTENDED, 0),
    NORM("bottleneck.attention.LayerNorm", NEEDED, W, ATTENDED + 2),
    LINEAR("bottleneck.input.dense", NEEDED, W, D, ENTRY, 0),
    NORM("bottleneck.input.LayerNorm", NEEDED, W, ENTRY + 2),
    LINEAR("attention.self.query", NEEDED, W, W, QUERY_KEY, 0),
    LINEAR("attention.self.key", NEEDED, W, W, QUERY_KEY, 1),
    LINEAR("attention.self.value", NEEDED, W, D, VALUE, 0),
    LINEAR("attention.output.dense", NEEDED, W, W, OUTPUT, 0),
    NORM("attention.output.LayerNorm", NEEDED, W, OUTPUT + 2),
    NET("ffn.0.", WHEN(second), NET_AT(0)),
    NET("ffn.1.", WHEN(third), NET_AT(1)),
    NET("ffn.2.", WHEN(fourth), NET_AT(2)),
    NET("", NEEDED, OWN_NET),
    LINEAR("output.bottleneck.dense", NEEDED, D, W, LEAVE, 0),
    NORM("output.bottleneck.LayerNorm", NEEDED, D, LEAVE + 2),
};

/* ---- Heads ---- */

static const lm_config_field label_fields[] = {
    {"id2label|num_labels", LM_FIELD_COUNT, FIELD(labels), 2, 1, 1 << 16, .flags = 0},
    CRF_FIELD(FIELD(crf)),
};

#define POOLER                                                                          \
    {"pooler.dense.weight", HEAD, ROWS, WHEN(pooled), 2, {D, D}, LM_HEAD_DENSE, 0, 1},  \
    {                                                                                   \
        "pooler.dense.bias", HEAD, ROWS, WHEN(pooled), 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1 \
    }

#define CLASSIFIER                                                            \
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},  \
    {                                                                         \
        "classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1 \
    }

static const lm_weight_slot sequence_slots[] = {POOLER, CLASSIFIER};
static const lm_weight_slot token_slots[] = {CLASSIFIER, CRF_SLOTS};
static const lm_weight_slot span_slots[] = {SPAN_SLOTS("qa_outputs")};
static const lm_weight_slot next_slots[] = {POOLER, SPAN_SLOTS("cls.seq_relationship")};

static const lm_head_kind heads[] = {
    {"ForSequenceClassification", "classification", label_fields, COUNT(label_fields),
     sequence_slots, COUNT(sequence_slots), LM_POOL_CLS, LM_ACT_TANH},
    {"ForTokenClassification", "token_classification", label_fields, COUNT(label_fields),
     token_slots, COUNT(token_slots), LM_POOL_NONE, LM_ACT_NONE},
    {"ForQuestionAnswering", "answer", NULL, 0, span_slots, COUNT(span_slots), LM_POOL_NONE,
     LM_ACT_NONE},
    {"ForNextSentencePrediction", "next_sentence", NULL, 0, next_slots, COUNT(next_slots),
     LM_POOL_CLS, LM_ACT_TANH},
};

static const lm_rename renames[] = {{LM_RENAME_PREFIX, "mobilebert.", ""}};

/* ---- Description ---- */

#define NORMED_TARGETS(target)         \
    {                                  \
        target, (target) + 1,          \
        {                              \
            (target) + 2, (target) + 3 \
        }                              \
    }

static const lm_narrow bottleneck = {
    .attended = NORMED_TARGETS(ATTENDED),
    .entry = NORMED_TARGETS(ENTRY),
    .value = {VALUE, VALUE + 1, LM_NO_NORM},
    .leave = NORMED_TARGETS(LEAVE),
    .net = NETS,
};

static lm_block
block_of(const mobilebert_config *c)
{
    return (lm_block){
        .attention_norms = {LM_NO_NORM, LM_NO_NORM, {OUTPUT + 2, OUTPUT + 3}},
        .ffn_norms = {LM_NO_NORM, LM_NO_NORM, LM_NO_NORM},
        .norm = LM_NORM_SCALE,
        .qkv = QUERY_KEY,
        .qkv_bias = QUERY_KEY + 1,
        .output = OUTPUT,
        .output_bias = OUTPUT + 1,
        .heads = (size_t)c->heads,
        .kv_heads = (size_t)c->heads,
        .head_dim = (size_t)c->head_dim,
        .scale = (float)(1 / sqrt((double)c->head_dim)),
        .up = OWN_NET,
        .inner = (size_t)c->inner,
        .act = (lm_activation)c->activation,
        .narrow = &bottleneck,
        .nets = (size_t)c->nets - 1,
    };
}

static void
describe(const void *config, lm_encoder *encoder)
{
    const mobilebert_config *c = config;

    encoder->embedding = (lm_embedding){
        .words = WORDS,
        .types = TYPES,
        .positions = POSITIONS,
        .window = (size_t)c->dims.window,
        .type_count = (size_t)c->types,
        .norm = {FIRST_GAIN, FIRST_BIAS},
        .norm_kind = LM_NORM_SCALE,
        .more = true,
        .common = LM_NO_WEIGHT,
        .width = (size_t)c->embedding,
        .projection = TRANSFORMATION,
        .projection_bias = TRANSFORMATION_BIAS,
        .trigram = true,
    };
    encoder->stack = (lm_stack){
        .layers = (size_t)c->layers,
        .width = (size_t)c->dims.hidden,
        .blocks = {block_of(c)},
        .final = LM_NO_NORM,
        .bias = LM_NO_WEIGHT,
    };
}

extern const lm_family lm_family_mobilebert;

const lm_family lm_family_mobilebert = {
    .name = "mobilebert",
    .check = check,
    .types = FIELD(types),
    FAMILY_TABLES(mobilebert_config),
    FAMILY_RENAMES,
    FAMILY_HEADS,
    .describe = describe,
};
