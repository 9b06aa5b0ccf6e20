/*
 * deberta_v2.c - DeBERTa versions 2 and 3 (He et al. 2021): BERT's layers, whose attention knows
 * the distance of two tokens by queries and keys of its own.
 *
 *   x = LayerNorm(word [+ position] [+ type])                                        (T, D)
 *   r = [LayerNorm](distances)                                                       (2 S, D)
 *   each layer:
 *     q, k, v = x · Wᵀ + b;  rq, rk = r · Wᵀ + b, by the same matrices                (T, 3 D)
 *     score of i and j = (q_i · k_j + q_i · rk(i − j) + k_j · rq(i − j)) / √(3 d)
 *     x = LayerNorm(x + softmax(score) · v · Woᵀ + bo)                               (T, D)
 *     x = LayerNorm(x + act(x · Wuᵀ + bu) · Wdᵀ + bd)      inner width F              (T, D)
 *
 * Tensors: word (V, D), position (P, D), type (types, D), their LayerNorm (D), (D); distances
 * (2 S, D), of S buckets a side, and their LayerNorm; layers as BERT's. A sequence's classifier has
 * a pooler (D, D), (D).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "family/post_norm.h"
#include "family/rows.h"

typedef struct deberta_config {
    lm_dims dims;
    int32_t layers, heads, inner, types, activation, labels, crf;
    int32_t two;               /* LM_HEAD_UNNAMED */
    int32_t legacy, own;       /* which of the two heads of pre-training it has */
    int32_t positioned;        /* whether positions have embeddings too */
    int32_t relative, normed;  /* whether distances have embeddings; whether these are normed */
    int32_t buckets, farthest; /* of config.json: 0 or less stand for others */
    int32_t span;              /* S */
    int32_t from_content, to_content;             /* "c2p", "p2c" */
    int32_t span_rows, qkv_rows;                  /* 2 S, 3 D */
    int32_t word_width, head_width, pooler_width; /* if they are given; 0: as they are here */
    float eps;
} deberta_config;

#define FIELD(name) offsetof(deberta_config, name)

static const char *const model_types[] = {"deberta-v2", NULL};

static const lm_word norm_words[] = {{"none", 0}, {"layer_norm", 1}, {NULL, 0}};

static const lm_config_field fields[] = {
    {"vocab_size", LM_FIELD_INT, FIELD(dims.vocab), 128100, 1, 1 << 24, .flags = 0},
    {"hidden_size", LM_FIELD_INT, FIELD(dims.hidden), 1536, 1, 1 << 16, .flags = 0},
    {"num_hidden_layers", LM_FIELD_INT, FIELD(layers), 24, 1, 1024, .flags = 0},
    {"num_attention_heads", LM_FIELD_INT, FIELD(heads), 24, 1, 1 << 12, .flags = 0},
    {"intermediate_size", LM_FIELD_INT, FIELD(inner), 6144, 1, 1 << 20, .flags = 0},
    {"max_position_embeddings", LM_FIELD_INT, FIELD(dims.window), 512, 1, 1 << 14, .flags = 0},
    {"type_vocab_size", LM_FIELD_INT, FIELD(types), 0, 0, 1 << 16, .flags = 0},
    {"hidden_act", LM_FIELD_WORD, FIELD(activation), LM_ACT_GELU, .words = lm_activation_words,
     .refusal = "the activation is not supported"},
    {"layer_norm_eps", LM_FIELD_FLOAT, FIELD(eps), 1e-7, 1e-20, 1, .flags = 0},
    {"position_biased_input", LM_FIELD_BOOL, FIELD(positioned), 1, .flags = 0},
    {"relative_attention", LM_FIELD_BOOL, FIELD(relative), 0, .flags = 0},
    {"position_buckets", LM_FIELD_INT, FIELD(buckets), -1, -1, 1 << 14, .flags = 0},
    {"max_relative_positions", LM_FIELD_INT, FIELD(farthest), -1, -1, 1 << 14, .flags = 0},
    {"norm_rel_ebd", LM_FIELD_WORD, FIELD(normed), 0, .words = norm_words,
     .refusal = "the norm of distances is not supported"},
    {"embedding_size", LM_FIELD_INT, FIELD(word_width), 0, 1, 1 << 16, .flags = LM_FIELD_OR_NULL},
    {"attention_head_size", LM_FIELD_INT, FIELD(head_width), 0, 1, 1 << 16,
     .flags = LM_FIELD_OR_NULL},
    {"conv_kernel_size", LM_FIELD_INT, 0, 0, 0, 1024, .flags = LM_FIELD_MUST_BE,
     .refusal = "a convolution beside the first layer is not supported"},
};

static const lm_key_rule config_keys[] = {
    {"share_att_key", LM_KEY_OBEYED, NULL},
    {"pos_att_type", LM_KEY_OBEYED, NULL},
    {"pooler_hidden_act", LM_KEY_OBEYED, NULL},
    {"pooler_hidden_size", LM_KEY_OBEYED, NULL},
    {"pad_token_id", LM_KEY_HARMLESS, NULL},
    {"pooler_dropout", LM_KEY_HARMLESS, NULL},
    {"cls_dropout", LM_KEY_HARMLESS, NULL},
    {"conv_act", LM_KEY_HARMLESS, NULL},
    {"conv_groups", LM_KEY_HARMLESS, NULL},
    {"legacy", LM_KEY_OBEYED, NULL},
    {0},
};

static const char *const architectures[] = {"DebertaV2Model", "DebertaV2ForMaskedLM", NULL};

/* The heads of pre-training, and a buffer of 0, 1, 2, … that older versions wrote. */
static const char *const not_needed[] = {"cls.", "lm_predictions.", "mask_predictions.",
                                         "embeddings.position_ids", NULL};

/* ---- Relations between settings ---- */

static lm_status
refuse(lm_context *ctx, const char *message, const char *key, const char *found,
       const char *allowed)
{
    lm_raise(ctx, LM_UNSUPPORTED, "%s", message);
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "%s", key);
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* One kind of score; the reference passes over names that it does not know, and so over "p2p". */
static void
add_kind(deberta_config *c, const char *kind, size_t length)
{
    c->from_content |= length == 3 && memcmp(kind, "c2p", length) == 0;
    c->to_content |= length == 3 && memcmp(kind, "p2c", length) == 0;
}

/* "p2c|c2p" or a list. */
static lm_status
read_kinds(lm_context *ctx, const lm_json *kinds, deberta_config *c)
{
    char found[80];

    if (!kinds || kinds->type == LM_JSON_NULL)
        return LM_OK;
    if (kinds->type == LM_JSON_STRING) {
        for (const char *at = kinds->as.string.bytes; *at; at += *at == '|') {
            add_kind(c, at, strcspn(at, "|"));
            at += strcspn(at, "|");
        }
        return LM_OK;
    }
    if (kinds->type == LM_JSON_ARRAY) {
        for (const lm_json *kind = kinds->as.items.first; kind; kind = kind->next)
            if (kind->type == LM_JSON_STRING)
                add_kind(c, kind->as.string.bytes, kind->as.string.length);
        return LM_OK;
    }
    lm_json_show(kinds, found, sizeof found);
    return refuse(ctx, "a setting of the model has the wrong type", "pos_att_type", found,
                  "a string, or an array of strings");
}

/* Queries and keys of distances are made by the matrices of tokens. */
static lm_status
check_shared(lm_context *ctx, const lm_json *config, const deberta_config *c)
{
    const lm_json *shared = lm_json_get(config, "share_att_key");
    bool is_shared = shared && shared->type == LM_JSON_BOOL && shared->boolean;

    if (is_shared || !c->relative || !(c->from_content || c->to_content))
        return LM_OK;
    return refuse(ctx, "matrices of their own for positions are not supported", "share_att_key",
                  shared ? "false" : "nothing", "true");
}

/* A width that may be given only as what it is anyhow. */
static lm_status
check_width(lm_context *ctx, const char *key, int found, int wanted)
{
    char numbers[2][16];

    if (found == 0 || found == wanted)
        return LM_OK;
    snprintf(numbers[0], sizeof numbers[0], "%d", found);
    snprintf(numbers[1], sizeof numbers[1], "%d", wanted);
    return refuse(ctx, "a width of its own is not supported", key, numbers[0], numbers[1]);
}

/* The defaults of what is not given, or given as -1. */
static void
derive(deberta_config *c)
{
    if (c->farthest < 1)
        c->farthest = c->dims.window;
    c->span = c->buckets > 0 ? c->buckets : c->farthest;
    if (c->buckets < 1)
        c->farthest = 0;
    c->span_rows = 2 * c->span;
    c->normed = c->normed && c->relative;
    c->qkv_rows = 3 * c->dims.hidden;
    c->two = LM_HEAD_UNNAMED;
    c->own = !c->legacy;
}

/* Half of the buckets are one to a distance; the farthest distance is beyond those. */
static lm_status
check_buckets(lm_context *ctx, const deberta_config *c)
{
    char found[16];

    if (!c->relative || c->farthest == 0 || (c->span >= 4 && c->farthest - 1 > c->span / 2))
        return LM_OK;
    snprintf(found, sizeof found, "%d", c->buckets);
    return refuse(ctx, "the buckets of distances do not fit", "position_buckets", found,
                  "4 or more, and less than twice max_relative_positions");
}

static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    deberta_config *c = out;

    LM_TRY(
        lm_family_check_heads(ctx, "num_attention_heads", c->heads, "hidden_size", c->dims.hidden));
    LM_TRY(check_width(ctx, "embedding_size", c->word_width, c->dims.hidden));
    LM_TRY(check_width(ctx, "attention_head_size", c->head_width, c->dims.hidden / c->heads));
    LM_TRY(check_width(ctx, "pooler_hidden_size", c->pooler_width, c->dims.hidden));
    LM_TRY(read_kinds(ctx, lm_json_get(config, "pos_att_type"), c));
    LM_TRY(check_shared(ctx, config, c));
    derive(c);
    return check_buckets(ctx, c);
}

/* ---- Weights ---- */

enum model_target {
    WORDS,
    POSITIONS,
    TYPES,
    FIRST_GAIN,
    FIRST_BIAS,
    DISTANCES,
    DISTANCE_GAIN,
    DISTANCE_BIAS,
    MODEL_TARGETS
};

#define D DIM(dims.hidden)
#define D3 DIM(qkv_rows)
#define F DIM(inner)
#define C DIM(labels)
#define V DIM(dims.vocab)
#define TWO DIM(two)
#define WHEN(name) (NEEDED | LM_SLOT_WHEN(FIELD(name)))

static const lm_weight_group groups[] = {
    [LM_GROUP_MODEL] = {"", 0, MODEL_TARGETS},
    [LM_GROUP_LAYERS] = {"encoder.layer.{i}.", FIELD(layers), LAYER_TARGETS},
};

#define EMBED(name) "embeddings." name "_embeddings.weight"

static const lm_weight_slot slots[] = {
    {EMBED("word"), MODEL, TABLE, NEEDED, 2, {V, D}, WORDS, 0, 1},
    {EMBED("position"), MODEL, TABLE, WHEN(positioned), 2, {DIM(dims.window), D}, POSITIONS, 0, 1},
    {EMBED("token_type"), MODEL, TABLE, WHEN(types), 2, {DIM(types), D}, TYPES, 0, 1},
    {"embeddings.LayerNorm.weight", MODEL, ROWS, NEEDED, 1, {D}, FIRST_GAIN, 0, 1},
    {"embeddings.LayerNorm.bias", MODEL, ROWS, NEEDED, 1, {D}, FIRST_BIAS, 0, 1},
    {"encoder.rel_embeddings.weight",
     MODEL,
     ROWS,
     WHEN(relative),
     2,
     {DIM(span_rows), D},
     DISTANCES,
     0,
     1},
    {"encoder.LayerNorm.weight", MODEL, ROWS, WHEN(normed), 1, {D}, DISTANCE_GAIN, 0, 1},
    {"encoder.LayerNorm.bias", MODEL, ROWS, WHEN(normed), 1, {D}, DISTANCE_BIAS, 0, 1},

    {"attention.self.query_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 0, 1},
    {"attention.self.key_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 1, 1},
    {"attention.self.value_proj.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, QKV, 2, 1},
    {"attention.self.qkv_proj.weight", LAYERS, PACKED, 0, 2, {D3, D}, QKV, 0, 3},
    {"attention.self.query_proj.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 0, 1},
    {"attention.self.key_proj.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 1, 1},
    {"attention.self.value_proj.bias", LAYERS, ROWS, NEEDED, 1, {D}, QKV_BIAS, 2, 1},

    {"attention.output.dense.weight", LAYERS, PACKED, NEEDED, 2, {D, D}, OUTPUT, 0, 1},
    {"attention.output.dense.bias", LAYERS, ROWS, NEEDED, 1, {D}, OUTPUT_BIAS, 0, 1},
    {"attention.output.LayerNorm.weight", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_GAIN, 0, 1},
    {"attention.output.LayerNorm.bias", LAYERS, ROWS, NEEDED, 1, {D}, ATTENTION_NORM_BIAS, 0, 1},
    {"intermediate.dense.weight", LAYERS, PACKED, NEEDED, 2, {F, D}, UP, 0, 1},
    {"intermediate.dense.bias", LAYERS, ROWS, NEEDED, 1, {F}, UP_BIAS, 0, 1},
    {"output.dense.weight", LAYERS, PACKED, NEEDED, 2, {D, F}, DOWN, 0, 1},
    {"output.dense.bias", LAYERS, ROWS, NEEDED, 1, {D}, DOWN_BIAS, 0, 1},
    {"output.LayerNorm.weight", LAYERS, ROWS, NEEDED, 1, {D}, FFN_GAIN, 0, 1},
    {"output.LayerNorm.bias", LAYERS, ROWS, NEEDED, 1, {D}, FFN_NORM_BIAS, 0, 1},
};

static const lm_word gelu_words[] = {{"gelu", LM_ACT_GELU}, {NULL, 0}};

#define LABELS                                                                          \
    {                                                                                   \
        "id2label|num_labels", LM_FIELD_COUNT, FIELD(labels), 2, 1, 1 << 16, .flags = 0 \
    }

static const lm_config_field label_fields[] = {LABELS, CRF_FIELD(FIELD(crf))};

static const lm_config_field sequence_fields[] = {
    LABELS,
    {"pooler_hidden_size", LM_FIELD_INT, FIELD(pooler_width), 0, 1, 1 << 16,
     .flags = LM_FIELD_OR_NULL},
    {"pooler_hidden_act", LM_FIELD_WORD, 0, LM_ACT_GELU, .flags = LM_FIELD_MUST_BE,
     .words = gelu_words, .refusal = "the activation of the pooler is not supported"},
};

static const lm_weight_slot sequence_slots[] = {
    {"pooler.dense.weight", HEAD, ROWS, NEEDED, 2, {D, D}, LM_HEAD_DENSE, 0, 1},
    {"pooler.dense.bias", HEAD, ROWS, NEEDED, 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1},
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_weight_slot token_slots[] = {
    {"classifier.weight", HEAD, ROWS, NEEDED, 2, {C, D}, LM_HEAD_OUT, 0, 1},
    {"classifier.bias", HEAD, ROWS, NEEDED, 1, {C}, LM_HEAD_OUT_BIAS, 0, 1},
    CRF_SLOTS,
};

static const lm_weight_slot span_slots[] = {SPAN_SLOTS("qa_outputs")};

/*
 * The library's head of pre-training, which is BERT's, and that of DeBERTa's authors, whose words
 * are the embeddings'.
 */
static const lm_config_field mask_fields[] = {
    {"legacy", LM_FIELD_BOOL, FIELD(legacy), 1, .flags = 0},
};

#define LEGACY "cls.predictions."
#define OWN "lm_predictions.lm_head."
#define LAYER(prefix, dense, norm, when)                                                  \
    {prefix dense ".weight", HEAD, ROWS, WHEN(when), 2, {D, D}, LM_HEAD_DENSE, 0, 1},     \
        {prefix dense ".bias", HEAD, ROWS, WHEN(when), 1, {D}, LM_HEAD_DENSE_BIAS, 0, 1}, \
        {prefix norm ".weight", HEAD, ROWS, WHEN(when), 1, {D}, LM_HEAD_NORM_GAIN, 0, 1}, \
    {                                                                                     \
        prefix norm ".bias", HEAD, ROWS, WHEN(when), 1, {D}, LM_HEAD_NORM_BIAS, 0, 1      \
    }

static const lm_weight_slot mask_slots[] = {
    LAYER(LEGACY, "transform.dense", "transform.LayerNorm", legacy),
    {LEGACY "decoder.weight",
     HEAD,
     TABLE,
     LM_SLOT_WHEN(FIELD(legacy)),
     2,
     {V, D},
     LM_HEAD_OUT,
     0,
     1},
    {LEGACY "decoder.bias", HEAD, ROWS, WHEN(legacy), 1, {V}, LM_HEAD_OUT_BIAS, 0, 1},
    {LEGACY "bias", HEAD, ROWS, WHEN(legacy), 1, {V}, LM_HEAD_OUT_BIAS, 0, 1},
    LAYER(OWN, "dense", "LayerNorm", own),
    {OWN "bias", HEAD, ROWS, WHEN(own), 1, {V}, LM_HEAD_OUT_BIAS, 0, 1},
};

static const lm_head_kind heads[] = {
    {"ForSequenceClassification", "classification", sequence_fields, COUNT(sequence_fields),
     sequence_slots, COUNT(sequence_slots), LM_POOL_CLS, LM_ACT_GELU},
    {"ForTokenClassification", "token_classification", label_fields, COUNT(label_fields),
     token_slots, COUNT(token_slots), LM_POOL_NONE, LM_ACT_NONE},
    {"ForQuestionAnswering", "answer", NULL, 0, span_slots, COUNT(span_slots), LM_POOL_NONE,
     LM_ACT_NONE},
    {"ForMaskedLM", "fill_mask", mask_fields, COUNT(mask_fields), mask_slots, COUNT(mask_slots),
     LM_POOL_NONE, LM_ACT_OF_LAYERS},
};

/* Of models with a task head. */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "deberta.", ""},
};

/* ---- The forward pass ---- */

static lm_stack
stack_of(const deberta_config *c)
{
    const lm_post_norm shape = {
        .layers = c->layers,
        .width = c->dims.hidden,
        .heads = c->heads,
        .inner = c->inner,
        .eps = c->eps,
        .act = (lm_activation)c->activation,
    };
    const int products = 1 + c->from_content + c->to_content;
    lm_stack stack = lm_post_norm_stack(&shape);

    stack.blocks[0].scale = (float)(1 / sqrt((double)(c->dims.hidden / c->heads * products)));
    if (!c->relative || products == 1)
        return stack;
    stack.blocks[0].position = LM_POSITION_PLACE;
    stack.places = true;
    stack.buckets = (size_t)c->span;
    stack.farthest = (size_t)c->farthest;
    stack.content_to_place = c->from_content;
    stack.place_to_content = c->to_content;
    stack.place = DISTANCES;
    stack.place_norm = (lm_norm_targets){DISTANCE_GAIN, DISTANCE_BIAS};
    return stack;
}

static void
describe(const void *config, lm_encoder *encoder)
{
    const deberta_config *c = config;

    encoder->embedding = (lm_embedding){
        .words = WORDS,
        .types = c->types > 0 ? TYPES : LM_NO_WEIGHT,
        .positions = c->positioned ? POSITIONS : LM_NO_WEIGHT,
        .window = (size_t)c->dims.window,
        .type_count = (size_t)c->types,
        .norm = {FIRST_GAIN, FIRST_BIAS},
        .norm_kind = LM_NORM_LAYER,
        .eps = c->eps,
    };
    encoder->stack = stack_of(c);
}

extern const lm_family lm_family_deberta_v2;

const lm_family lm_family_deberta_v2 = {
    .name = "deberta-v2",
    .check = check,
    .types = FIELD(types),
    FAMILY_TABLES(deberta_config),
    FAMILY_RENAMES,
    FAMILY_HEADS,
    .describe = describe,
};
