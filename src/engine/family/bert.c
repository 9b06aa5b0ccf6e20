/*
 * bert.c - BERT (Devlin et al. 2018): a post-norm encoder with absolute positions.
 *
 *   x = LayerNorm(word + type + position)                                            (T, D)
 *   each layer:
 *     q, k, v = x · Wᵀ + b                                                           (T, 3 D)
 *     x = LayerNorm(x + attention(q, k, v) · Woᵀ + bo)                               (T, D)
 *     x = LayerNorm(x + act(x · Wuᵀ + bu) · Wdᵀ + bd)      inner width F              (T, D)
 *
 * Tensors: word (V, D), position (P, D), type (types, D), their LayerNorm (D), (D); in each layer
 * query, key and value (D, D) and (D), output (D, D) and (D), LayerNorm, up (F, D) and (F),
 * down (D, F) and (D), LayerNorm. A pooler (D, D) and (D) is kept when it is there.
 *
 * Query, key and value are one packed matrix of 3 D rows. Attention runs over a few texts at a
 * time; after it every row goes on alone, so the rest of a layer runs in blocks of rows. Thus what
 * either leaves for its next step stays in cache, however many texts the batch has.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/size.h"
#include "family/family.h"
#include "nn/nn.h"

/* Rows that pass through the feed-forward net together, at most; whole tiles of the kernels. */
#define TILE_ROWS 12
#define BLOCK_ROWS (14 * TILE_ROWS)

/* Tokens whose texts pass through attention together. A longer text does so alone. */
#define GROUP_TOKENS 96

typedef struct bert_config {
    lm_dims dims; /* first: every family's config starts with it */
    int32_t activation;
    float eps;
    int32_t decoder;
    int32_t qkv_rows; /* 3 D */
    int32_t head_dim;
} bert_config;

#define FIELD(name) offsetof(bert_config, name)

static const char *const model_types[] = {"bert", NULL};

/* Defaults are those of the reference's BertConfig. */
static const lm_config_field fields[] = {
    {"vocab_size", LM_FIELD_INT, FIELD(dims.vocab), 30522, 1, 1 << 24, false},
    {"hidden_size", LM_FIELD_INT, FIELD(dims.hidden), 768, 1, 1 << 16, false},
    {"num_hidden_layers", LM_FIELD_INT, FIELD(dims.layers), 12, 1, 1024, false},
    {"num_attention_heads", LM_FIELD_INT, FIELD(dims.heads), 12, 1, 1 << 12, false},
    {"intermediate_size", LM_FIELD_INT, FIELD(dims.ffn), 3072, 1, 1 << 20, false},
    {"max_position_embeddings", LM_FIELD_INT, FIELD(dims.positions), 512, 1, 1 << 20, false},
    {"type_vocab_size", LM_FIELD_INT, FIELD(dims.types), 2, 1, 1 << 16, false},
    {"hidden_act", LM_FIELD_ACTIVATION, FIELD(activation), LM_ACT_GELU, 0, 0, false},
    {"layer_norm_eps", LM_FIELD_FLOAT, FIELD(eps), 1e-12, 1e-20, 1, false},
    {"is_decoder", LM_FIELD_BOOL, FIELD(decoder), false, 0, 0, false},
};

static const lm_key_rule config_keys[] = {
    {"vocab_size", LM_KEY_OBEYED, NULL},
    {"hidden_size", LM_KEY_OBEYED, NULL},
    {"num_hidden_layers", LM_KEY_OBEYED, NULL},
    {"num_attention_heads", LM_KEY_OBEYED, NULL},
    {"intermediate_size", LM_KEY_OBEYED, NULL},
    {"max_position_embeddings", LM_KEY_OBEYED, NULL},
    {"type_vocab_size", LM_KEY_OBEYED, NULL},
    {"hidden_act", LM_KEY_OBEYED, NULL},
    {"layer_norm_eps", LM_KEY_OBEYED, NULL},
    {"is_decoder", LM_KEY_OBEYED, NULL},
    {"position_embedding_type", LM_KEY_OBEYED, NULL},
    {"pad_token_id", LM_KEY_HARMLESS, NULL}, /* no padding, ever */
    /* Written by BERT's first authors, read by nobody. */
    {"directionality", LM_KEY_HARMLESS, NULL},
    {"pooler_fc_size", LM_KEY_HARMLESS, NULL},
    {"pooler_num_attention_heads", LM_KEY_HARMLESS, NULL},
    {"pooler_num_fc_layers", LM_KEY_HARMLESS, NULL},
    {"pooler_size_per_head", LM_KEY_HARMLESS, NULL},
    {"pooler_type", LM_KEY_HARMLESS, NULL},
    {0},
};

static const char *const architectures[] = {
    "BertModel",          "BertForMaskedLM",
    "BertForPreTraining", "BertForNextSentencePrediction",
    "BertLMHeadModel",    NULL,
};

/* Heads of pre-training, and a buffer of 0, 1, 2, … that older versions wrote. */
static const char *const not_needed[] = {"cls.", "embeddings.position_ids", NULL};

/*
 * A setting that is valid, but stands for another architecture: refused, since the weights would
 * load and give wrong vectors.
 */
static lm_status
unsupported(lm_context *ctx, const char *message, const char *key, const char *found,
            const char *allowed)
{
    lm_raise(ctx, LM_UNSUPPORTED, "%s", message);
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "%s", key);
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* Relations between fields, what would change the architecture, and derived fields. */
static lm_status
check(lm_context *ctx, const lm_json *config, void *out)
{
    bert_config *bert = out;
    const lm_json *positions = lm_json_get(config, "position_embedding_type");

    if (bert->dims.hidden % bert->dims.heads != 0) {
        lm_raise(ctx, LM_BAD_MODEL, "the hidden size is not a multiple of the attention heads");
        lm_detail_file(ctx, "config.json");
        lm_detail_key(ctx, "num_attention_heads");
        lm_detail_found(ctx, "%d", bert->dims.heads);
        return lm_detail_allowed(ctx, "a divisor of hidden_size, which is %d", bert->dims.hidden);
    }
    if (positions && !lm_json_is_string(positions, "absolute"))
        return unsupported(ctx, "the kind of position embedding is not supported",
                           "position_embedding_type",
                           positions->type == LM_JSON_STRING ? positions->as.string.bytes
                                                             : lm_json_type_name(positions),
                           "absolute");
    if (bert->decoder)
        return unsupported(ctx, "decoders of this family are not supported", "is_decoder", "true",
                           "false");
    bert->qkv_rows = 3 * bert->dims.hidden;
    bert->head_dim = bert->dims.hidden / bert->dims.heads;
    return LM_OK;
}

enum model_target {
    WORDS,
    POSITIONS,
    TYPES,
    FIRST_GAIN,
    FIRST_BIAS,
    POOLER,
    POOLER_BIAS,
    MODEL_TARGETS
};

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

#define D FIELD(dims.hidden)
#define F FIELD(dims.ffn)
#define MODEL(pattern, use, required, rank, rows, width, target)         \
    {                                                                    \
        pattern, use, false, required, rank, {rows, width}, target, 0, 1 \
    }
#define PART(pattern, use, rank, rows, width, target, part, parts, required)                  \
    {                                                                                         \
        "encoder.layer.{i}." pattern, use, true, required, rank, {rows, width}, target, part, \
            parts                                                                             \
    }
#define LAYER_MATRIX(pattern, rows, width, target) \
    PART(pattern, LM_SLOT_PACKED, 2, rows, width, target, 0, 1, true)
#define LAYER_VECTOR(pattern, rows, target) \
    PART(pattern, LM_SLOT_ROWS, 1, rows, 0, target, 0, 1, true)

static const lm_weight_slot slots[] = {
    MODEL("embeddings.word_embeddings.weight", LM_SLOT_TABLE, true, 2, FIELD(dims.vocab), D, WORDS),
    MODEL("embeddings.position_embeddings.weight", LM_SLOT_TABLE, true, 2, FIELD(dims.positions), D,
          POSITIONS),
    MODEL("embeddings.token_type_embeddings.weight", LM_SLOT_TABLE, true, 2, FIELD(dims.types), D,
          TYPES),
    MODEL("embeddings.LayerNorm.weight", LM_SLOT_ROWS, true, 1, D, 0, FIRST_GAIN),
    MODEL("embeddings.LayerNorm.bias", LM_SLOT_ROWS, true, 1, D, 0, FIRST_BIAS),
    MODEL("pooler.dense.weight", LM_SLOT_PACKED, false, 2, D, D, POOLER),
    MODEL("pooler.dense.bias", LM_SLOT_ROWS, false, 1, D, 0, POOLER_BIAS),

    PART("attention.self.query.weight", LM_SLOT_PACKED, 2, D, D, QKV, 0, 1, true),
    PART("attention.self.key.weight", LM_SLOT_PACKED, 2, D, D, QKV, 1, 1, true),
    PART("attention.self.value.weight", LM_SLOT_PACKED, 2, D, D, QKV, 2, 1, true),
    PART("attention.self.qkv.weight", LM_SLOT_PACKED, 2, FIELD(qkv_rows), D, QKV, 0, 3, false),
    PART("attention.self.query.bias", LM_SLOT_ROWS, 1, D, 0, QKV_BIAS, 0, 1, true),
    PART("attention.self.key.bias", LM_SLOT_ROWS, 1, D, 0, QKV_BIAS, 1, 1, true),
    PART("attention.self.value.bias", LM_SLOT_ROWS, 1, D, 0, QKV_BIAS, 2, 1, true),
    PART("attention.self.qkv.bias", LM_SLOT_ROWS, 1, FIELD(qkv_rows), 0, QKV_BIAS, 0, 3, false),

    LAYER_MATRIX("attention.output.dense.weight", D, D, OUTPUT),
    LAYER_VECTOR("attention.output.dense.bias", D, OUTPUT_BIAS),
    LAYER_VECTOR("attention.output.LayerNorm.weight", D, ATTENTION_GAIN),
    LAYER_VECTOR("attention.output.LayerNorm.bias", D, ATTENTION_NORM_BIAS),
    LAYER_MATRIX("intermediate.dense.weight", F, D, UP),
    LAYER_VECTOR("intermediate.dense.bias", F, UP_BIAS),
    LAYER_MATRIX("output.dense.weight", D, F, DOWN),
    LAYER_VECTOR("output.dense.bias", D, DOWN_BIAS),
    LAYER_VECTOR("output.LayerNorm.weight", D, FFN_GAIN),
    LAYER_VECTOR("output.LayerNorm.bias", D, FFN_NORM_BIAS),
};

/*
 * Prefixes: of sentence-transformers' and of data-parallel state dicts, and of models with a task
 * head. gamma and beta: files converted from TensorFlow. Fused: names that other trainers give.
 */
static const lm_rename renames[] = {
    {LM_RENAME_PREFIX, "module.", ""},
    {LM_RENAME_PREFIX, "0.", ""},
    {LM_RENAME_PREFIX, "auto_model.", ""},
    {LM_RENAME_PREFIX, "model.", ""},
    {LM_RENAME_PREFIX, "bert.", ""},
    {LM_RENAME_INSIDE, "LayerNorm.gamma", "LayerNorm.weight"},
    {LM_RENAME_INSIDE, "LayerNorm.beta", "LayerNorm.bias"},
    {LM_RENAME_INSIDE, "attention.self.Wqkv.", "attention.self.qkv."},
    {LM_RENAME_INSIDE, "attention.self.query_key_value.", "attention.self.qkv."},
};

/* Where things stand in the workspace, in bytes from its start. */
typedef struct bert_workspace {
    size_t hidden;    /* (T, D) */
    size_t attention; /* (T, D) */
    size_t wide;      /* (group, 3 D) for attention, then (block, F): no step needs both */
    size_t scratch;   /* of the kernels, one after the other */
    size_t size;
} bert_workspace;

/* The next run of the workspace, aligned for the kernels. */
static size_t
take(size_t *size, size_t bytes)
{
    size_t start = *size;

    *size = lm_align_up(start + bytes);
    return start;
}

/* The most that attention or one of a layer's products asks for. */
static size_t
scratch_size(const lm_weights *weights, size_t group, size_t block, size_t longest)
{
    const bert_config *bert = weights->config;
    const size_t sizes[] = {
        weights->attention->scratch_size(longest, (size_t)bert->head_dim),
        weights->product->scratch_size(group > block ? group : block, (size_t)bert->dims.hidden),
        weights->product->scratch_size(block, (size_t)bert->dims.ffn),
    };
    size_t most = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        most = sizes[i] > most ? sizes[i] : most;
    return most;
}

/* Cannot overflow: fields are at most 2^20, and tokens are bounded by memory that ids lie in. */
static bert_workspace
plan_workspace(const lm_weights *weights, size_t tokens, size_t longest)
{
    const bert_config *bert = weights->config;
    size_t row = (size_t)bert->dims.hidden * sizeof(float);
    size_t block = tokens < BLOCK_ROWS ? tokens : BLOCK_ROWS;
    size_t most = longest > GROUP_TOKENS ? longest : GROUP_TOKENS;
    size_t group = tokens < most ? tokens : most;
    size_t qkv = group * 3 * row;
    size_t inner = block * (size_t)bert->dims.ffn * sizeof(float);
    bert_workspace space = {.size = 0};

    space.hidden = take(&space.size, tokens * row);
    space.attention = take(&space.size, tokens * row);
    space.wide = take(&space.size, qkv > inner ? qkv : inner);
    space.scratch = take(&space.size, scratch_size(weights, group, block, longest));
    return space;
}

/* The family's entry: bytes only. */
static size_t
workspace(const lm_weights *weights, size_t tokens, size_t longest)
{
    return plan_workspace(weights, tokens, longest).size;
}

/* One forward pass: what every step of it needs. */
typedef struct bert_pass {
    lm_context *ctx;
    const lm_weights *weights;
    const lm_kernels *kernels;
    const bert_config *config;
    const lm_batch *batch;
    size_t width; /* D */
    float *hidden, *attention, *wide;
    void *scratch;
} bert_pass;

/* The longest text; refuses what the tables have no row for. */
static lm_status
check_batch(lm_context *ctx, const bert_config *config, const lm_batch *batch, size_t *longest)
{
    *longest = 0;
    for (size_t text = 0; text < batch->texts; text++) {
        size_t tokens = batch->offsets[text + 1] - batch->offsets[text];

        if (tokens > *longest)
            *longest = tokens;
    }
    if (*longest > (size_t)config->dims.positions) {
        lm_raise(ctx, LM_TOO_LARGE, "a text has more tokens than the model has positions");
        lm_detail_found(ctx, "%zu tokens", *longest);
        return lm_detail_allowed(ctx, "at most %d", config->dims.positions);
    }
    for (size_t token = 0; batch->type_ids && token < batch->tokens; token++)
        if (batch->type_ids[token] < 0 || batch->type_ids[token] >= config->dims.types) {
            lm_raise(ctx, LM_BAD_ARGUMENT, "the model has no such token type");
            lm_detail_found(ctx, "%d", batch->type_ids[token]);
            return lm_detail_allowed(ctx, "0 to %d", config->dims.types - 1);
        }
    return LM_OK;
}

/* One of the model's layer norms (layer −1: that of the embeddings), in place. */
static void
norm_rows(const bert_pass *pass, int layer, int gain, int bias, size_t rows, float *x)
{
    const lm_norm norm = {
        .gain = lm_weight(pass->weights, layer, gain),
        .bias = lm_weight(pass->weights, layer, bias),
        .eps = pass->config->eps,
    };

    lm_nn_norm(pass->kernels, &norm, rows, pass->width, x);
}

/* Layer 0 of the hidden states: the sum of embeddings, normalised. */
static lm_status
embed(const bert_pass *pass)
{
    const lm_weights *weights = pass->weights;
    const lm_nn_embedding args = {
        .width = pass->width,
        .bf16 = lm_tables_are_bf16(weights->precision),
        .words = lm_weight(weights, -1, WORDS),
        .types = lm_weight(weights, -1, TYPES),
        .position = lm_weight(weights, -1, POSITIONS),
        .ids = pass->batch->ids,
        .type_ids = pass->batch->type_ids,
        .texts = pass->batch->texts,
        .offsets = pass->batch->offsets,
    };

    LM_TRY(lm_nn_embed(pass->ctx, pass->kernels, &args, pass->hidden));
    norm_rows(pass, -1, FIRST_GAIN, FIRST_BIAS, pass->batch->tokens, pass->hidden);
    return LM_OK;
}

/* The text after the last of those that pass through attention together with `first`. */
static size_t
group_end(const lm_batch *batch, size_t first)
{
    size_t end = first + 1;

    while (end < batch->texts && batch->offsets[end + 1] - batch->offsets[first] <= GROUP_TOKENS)
        end++;
    return end;
}

/*
 * pass->attention = attention of texts `first` … `end` − 1 over pass->hidden; of the wanted rows,
 * one after the other, unless it is NULL.
 */
static lm_status
attend(const bert_pass *pass, int layer, const size_t *wanted, size_t first, size_t end)
{
    const size_t *offsets = pass->batch->offsets;
    size_t width = pass->width;
    const lm_gemm project = {
        .m = offsets[end] - offsets[first],
        .n = 3 * width,
        .k = width,
        .a = pass->hidden + offsets[first] * width,
        .lda = width,
        .packed = lm_weight(pass->weights, layer, QKV),
        .bias = lm_weight(pass->weights, layer, QKV_BIAS),
        .c = pass->wide,
        .ldc = 3 * width,
        .scratch = pass->scratch,
    };
    const lm_nn_attention args = {
        .kernel = pass->weights->attention,
        .first = first,
        .end = end,
        .offsets = offsets,
        .heads = (size_t)pass->config->dims.heads,
        .head_dim = (size_t)pass->config->head_dim,
        .scale = (float)(1 / sqrt((double)pass->config->head_dim)),
        .qkv = pass->wide,
        .out = pass->attention,
        .scratch = pass->scratch,
        .wanted = wanted,
    };

    LM_TRY(lm_nn_linear(pass->ctx, pass->weights->product, &project));
    return lm_nn_attend(pass->ctx, pass->kernels, &args);
}

/* The rest of a layer for some rows: output projection, norm, feed-forward net, norm. */
static lm_status
finish_rows(const bert_pass *pass, int layer, size_t first, size_t rows)
{
    const lm_weights *weights = pass->weights;
    size_t width = pass->width;
    float *x = pass->hidden + first * width;
    const lm_gemm output = {
        .m = rows,
        .n = width,
        .k = width,
        .a = pass->attention + first * width,
        .lda = width,
        .packed = lm_weight(weights, layer, OUTPUT),
        .bias = lm_weight(weights, layer, OUTPUT_BIAS),
        .residual = x,
        .ldr = width,
        .c = x,
        .ldc = width,
        .scratch = pass->scratch,
    };
    const lm_nn_ffn ffn = {
        .product = weights->product,
        .width = width,
        .inner = (size_t)pass->config->dims.ffn,
        .up = lm_weight(weights, layer, UP),
        .up_bias = lm_weight(weights, layer, UP_BIAS),
        .down = lm_weight(weights, layer, DOWN),
        .down_bias = lm_weight(weights, layer, DOWN_BIAS),
        .act = (lm_activation)pass->config->activation,
        .buffer = pass->wide,
        .scratch = pass->scratch,
    };

    LM_TRY(lm_nn_linear(pass->ctx, pass->weights->product, &output));
    norm_rows(pass, layer, ATTENTION_GAIN, ATTENTION_NORM_BIAS, rows, x);
    LM_TRY(lm_nn_feed_forward(pass->ctx, &ffn, rows, x));
    norm_rows(pass, layer, FFN_GAIN, FFN_NORM_BIAS, rows, x);
    return LM_OK;
}

/* Move the wanted rows to the front. As no text is empty, none moves to a place behind its own. */
static void
gather_rows(const bert_pass *pass, const size_t *wanted)
{
    for (size_t text = 0; text < pass->batch->texts; text++)
        memmove(pass->hidden + text * pass->width, pass->hidden + wanted[text] * pass->width,
                pass->width * sizeof(float));
}

/* As few blocks as there can be, of about equal size: every block reads all of the weights. */
static size_t
block_rows(size_t count)
{
    size_t blocks = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
    size_t rows = blocks > 0 ? (count + blocks - 1) / blocks : 1;

    return (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

/*
 * Attention needs all rows of a text and so comes first, group by group; the rest goes block by
 * block, for the wanted rows alone where only they are.
 */
static lm_status
run_layer(const bert_pass *pass, int layer, const size_t *wanted)
{
    size_t count = wanted ? pass->batch->texts : pass->batch->tokens;
    size_t step = block_rows(count);

    for (size_t first = 0, end; first < pass->batch->texts; first = end) {
        end = group_end(pass->batch, first);
        LM_TRY(attend(pass, layer, wanted, first, end));
    }
    if (wanted)
        gather_rows(pass, wanted);
    for (size_t row = 0; row < count; row += step)
        LM_TRY(finish_rows(pass, layer, row, count - row < step ? count - row : step));
    return LM_OK;
}

/*
 * Checks the batch, lays the workspace out, and runs the layers over it. The result stays in the
 * workspace: pooling reads it there.
 */
static lm_status
forward(lm_context *ctx, const lm_weights *weights, const lm_batch *batch, int layers, void *memory,
        const float **hidden)
{
    const bert_config *config = weights->config;
    char *base = memory;
    size_t longest;
    bert_workspace space;

    LM_TRY(check_batch(ctx, config, batch, &longest));
    space = plan_workspace(weights, batch->tokens, longest);
    const bert_pass pass = {
        .ctx = ctx,
        .weights = weights,
        .kernels = weights->kernels,
        .config = config,
        .batch = batch,
        .width = (size_t)config->dims.hidden,
        .hidden = (float *)(base + space.hidden),
        .attention = (float *)(base + space.attention),
        .wide = (float *)(base + space.wide),
        .scratch = base + space.scratch,
    };

    LM_TRY(embed(&pass));
    for (int layer = 0; layer + 1 < layers; layer++)
        LM_TRY(run_layer(&pass, layer, NULL));
    if (layers > 0)
        LM_TRY(run_layer(&pass, layers - 1, batch->wanted));
    else if (batch->wanted)
        gather_rows(&pass, batch->wanted);
    *hidden = pass.hidden;
    return LM_OK;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

extern const lm_family lm_family_bert;

const lm_family lm_family_bert = {
    .name = "bert",
    .model_types = model_types,
    .caps = LM_CAP_ENCODER | LM_CAP_POOLER,
    .config_size = sizeof(bert_config),
    .fields = fields,
    .field_count = COUNT(fields),
    .config_keys = config_keys,
    .architectures = architectures,
    .not_needed = not_needed,
    .check = check,
    .slots = slots,
    .slot_count = COUNT(slots),
    .renames = renames,
    .rename_count = COUNT(renames),
    .model_targets = MODEL_TARGETS,
    .layer_targets = LAYER_TARGETS,
    .workspace = workspace,
    .forward = forward,
};
