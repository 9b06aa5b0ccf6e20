/*
 * tuned_encoder.c - which weights of a model are trained, and passes over batches of rows. Layers
 * keep what the way back needs where the memory is enough, and are computed again where it is not:
 * the same bits.
 */
#include "train/tuned_encoder.h"

#include <string.h>

#include "base/size.h"
#include "nn/tables.h"

#define ROW_TEXTS 3 /* of a row, at most */

/* ---- What is trained ---- */

static size_t
layers_of(const lm_tuned_encoder *encoder)
{
    return encoder->plain->encoder.stack.layers;
}

static bool
trains_all(const lm_tuned_encoder *encoder)
{
    return !encoder->options.adapters &&
           (encoder->options.train_layers < 0 ||
            (size_t)encoder->options.train_layers >= layers_of(encoder) + 1);
}

/* The first layer that is trained; behind the last one, none is. */
static size_t
first_layer(const lm_tuned_encoder *encoder)
{
    const size_t layers = layers_of(encoder);

    if (encoder->options.train_layers < 0 || (size_t)encoder->options.train_layers >= layers)
        return 0;
    return layers - (size_t)encoder->options.train_layers;
}

/* Whether a target of a layer is a projection of its attention. */
static bool
is_projection(const lm_tuned_encoder *encoder, size_t layer, int target)
{
    const lm_stack *stack = &encoder->plain->encoder.stack;
    const lm_block *block = &stack->blocks[lm_stack_kind(stack, layer)];

    return target == block->qkv || target == block->output;
}

static bool
is_trained_in_layer(const lm_tuned_encoder *encoder, size_t layer, int target)
{
    if (encoder->options.adapters && !is_projection(encoder, layer, target))
        return false;
    return encoder->plain->encoder.stack.shared || layer >= first_layer(encoder);
}

static bool
is_trained(const lm_tuned_encoder *encoder, size_t target)
{
    const lm_plain *plain = encoder->plain;
    const lm_stack *stack = &plain->encoder.stack;

    if (plain->targets[target].rows == 0 || plain->targets[target].spare)
        return false;
    if (target >= plain->head_first)
        return true;
    if (target >= plain->layers && (target - plain->layers) / plain->stride < layers_of(encoder))
        return is_trained_in_layer(encoder, (target - plain->layers) / plain->stride,
                                   (int)((target - plain->layers) % plain->stride));
    if (encoder->options.adapters)
        return false;
    return trains_all(encoder) || (int)target == stack->final.gain ||
           (int)target == stack->final.bias;
}

/* ---- Memory ---- */

/* Places of the gradients; returns how many numbers they are. */
static size_t
place_gradients(lm_tuned_encoder *encoder, float *base)
{
    const lm_plain *plain = encoder->plain;
    size_t numbers = 0;

    for (size_t i = 0; i < plain->target_count; i++) {
        const lm_weight_target *target = &plain->targets[i];
        size_t count = is_trained(encoder, i) ? target->rows * target->width : 0;

        encoder->gradients[i] = base && count > 0 ? base + numbers : NULL;
        numbers += lm_align_up(count * sizeof *base) / sizeof *base;
    }
    return numbers;
}

static void
fill_table(lm_tuned_encoder *encoder)
{
    const lm_plain *plain = encoder->plain;

    for (size_t i = 0; i < plain->target_count; i++)
        encoder->table[i] = plain->targets[i].rows > 0 ? encoder->values + plain->offsets[i] : NULL;
}

static void
make_view(lm_tuned_encoder *encoder)
{
    const lm_plain *plain = encoder->plain;
    const lm_kernels *kernels = lm_kernels_active();

    fill_table(encoder);
    encoder->weights = (lm_nn_weights){
        .kernels = kernels,
        .precision = LM_PRECISION_F32,
        .product = &kernels->products[LM_PRECISION_F32],
        .attention = &kernels->attention[LM_PRECISION_F32],
        .model = encoder->table,
        .layers = encoder->table + plain->layers,
        .stride = plain->stride,
    };
    encoder->flow = (lm_encoder_gradients){
        .model = encoder->gradients,
        .layers = encoder->gradients + plain->layers,
        .first = first_layer(encoder),
    };
}

/* Words that a batch does not read have no gradient. */
static unsigned char *
touched_of(const lm_tuned_encoder *encoder, size_t target)
{
    return (int)target == encoder->plain->encoder.embedding.words ? encoder->touched : NULL;
}

static bool
is_crf(const lm_plain *plain, size_t target)
{
    return target >= plain->head_first + LM_HEAD_CRF_START &&
           target <= plain->head_first + LM_HEAD_CRF_TRANSITIONS;
}

static void
list_params(lm_tuned_encoder *encoder)
{
    const lm_plain *plain = encoder->plain;

    for (size_t i = 0; i < plain->tensor_count; i++) {
        const lm_plain_tensor *tensor = &plain->tensors[i];
        const size_t target = (size_t)tensor->place.target, row = tensor->place.row * tensor->width;

        if (!encoder->gradients[target] ||
            (encoder->options.adapters && target < plain->head_first))
            continue;
        encoder->params[encoder->param_count++] = (lm_param){
            .name = tensor->name,
            .rows = tensor->rank == 2 ? tensor->rows : 1,
            .columns = tensor->rank == 2 ? tensor->width : tensor->rows,
            .value = encoder->values + plain->offsets[target] + row,
            .grad = encoder->gradients[target] + row,
            .decay = tensor->rank == 2,
            .rate = is_crf(plain, target) ? encoder->options.crf_rate : 1,
            .touched = touched_of(encoder, target),
        };
    }
}

static lm_status
allocate(lm_tuned_encoder *encoder)
{
    const lm_plain *plain = encoder->plain;
    const int words = plain->encoder.embedding.words;

    encoder->table = lm_alloc_array(encoder->ctx, plain->target_count, sizeof *encoder->table);
    encoder->gradients =
        lm_alloc_array(encoder->ctx, plain->target_count, sizeof *encoder->gradients);
    encoder->params = lm_alloc_array(encoder->ctx, plain->tensor_count, sizeof *encoder->params);
    if (!encoder->table || !encoder->gradients || !encoder->params)
        return LM_NO_MEMORY;
    encoder->grad_numbers = place_gradients(encoder, NULL) + 1;
    encoder->grads = encoder->options.grads;
    if (!encoder->grads)
        encoder->grads =
            lm_alloc_zero(encoder->ctx, encoder->grad_numbers * sizeof *encoder->grads);
    if (!encoder->grads)
        return LM_NO_MEMORY;
    place_gradients(encoder, encoder->grads);
    if (words < 0 || !encoder->gradients[words] || encoder->options.all_words)
        return LM_OK;
    encoder->touched = lm_alloc_zero(encoder->ctx, plain->targets[words].rows);
    return encoder->touched ? LM_OK : LM_NO_MEMORY;
}

lm_status
lm_tuned_encoder_open(lm_context *ctx, const lm_plain *plain, const lm_tuned_options *options,
                      float *values, lm_tuned_encoder *encoder)
{
    *encoder = (lm_tuned_encoder){.ctx = ctx,
                                  .options = *options,
                                  .plain = plain,
                                  .values = values,
                                  .hidden = plain->encoder.stack.width};
    LM_TRY(allocate(encoder));
    make_view(encoder);
    list_params(encoder);
    return lm_encoder_train_check(ctx, &plain->encoder, &encoder->weights);
}

void
lm_tuned_encoder_move(lm_tuned_encoder *encoder, float *values)
{
    if (values == encoder->values)
        return;
    memcpy(values, encoder->values, encoder->plain->numbers * sizeof *values);
    for (size_t i = 0; i < encoder->param_count; i++)
        encoder->params[i].value = values + (encoder->params[i].value - encoder->values);
    encoder->values = values;
    fill_table(encoder);
}

void
lm_tuned_encoder_close(lm_tuned_encoder *encoder)
{
    lm_free(encoder->ctx, encoder->table);
    lm_free(encoder->ctx, encoder->gradients);
    lm_free(encoder->ctx, encoder->params);
    if (!encoder->options.grads)
        lm_free(encoder->ctx, encoder->grads);
    lm_free(encoder->ctx, encoder->touched);
    lm_free(encoder->ctx, encoder->room);
}

float *
lm_tuned_gradient(const lm_tuned_encoder *encoder, size_t target)
{
    return encoder->gradients[target];
}

/* ---- A batch ---- */

/* What a batch takes. */
typedef struct batch_size {
    size_t tokens, texts, longest;
} batch_size;

static batch_size
measure(const lm_tuned_texts *texts, const size_t *rows, size_t count)
{
    batch_size size = {.texts = count * texts->per_row};

    for (size_t i = 0; i < size.texts; i++) {
        size_t text = rows[i / texts->per_row] * texts->per_row + i % texts->per_row;
        size_t length = lm_tuned_texts_length(texts, text);

        size.tokens += length;
        size.longest = length > size.longest ? length : size.longest;
    }
    return size;
}

/* Pieces of the room, in numbers of four bytes; of the size alone where base is NULL. */
static size_t
lay_room(lm_tuned_encoder *encoder, const batch_size *size, size_t tapes, float *base)
{
    const lm_encoder *shape = &encoder->plain->encoder;
    size_t used = 0;
    float *workspace =
        lm_lay_floats(base, &used, lm_encoder_grad_size(shape, size->tokens, size->longest, tapes));
    float *sums = lm_lay_floats(base, &used, size->tokens * lm_encoder_sum_width(shape));
    float *dhidden = lm_lay_floats(base, &used, size->tokens * encoder->hidden);
    float *ids = lm_lay_floats(base, &used, size->tokens);
    float *types = lm_lay_floats(base, &used, size->tokens);
    float *offsets, *counters;

    used += used % 2;
    offsets = lm_lay_floats(base, &used, 2 * (size->texts + 1));
    counters = lm_lay_floats(base, &used, 2 * size->texts);
    if (base) {
        encoder->sums = sums;
        encoder->dhidden = dhidden;
        encoder->batch = (lm_batch){.tokens = size->tokens,
                                    .texts = size->texts,
                                    .ids = (int32_t *)ids,
                                    .type_ids = (int32_t *)types,
                                    .offsets = (size_t *)(void *)offsets};
        encoder->noise.texts = (uint64_t *)(void *)counters;
        encoder->run.workspace = workspace;
    }
    return used;
}

/* Numbers that a batch adds to what any takes. */
static size_t
batch_numbers(lm_tuned_encoder *encoder, const batch_size *size, size_t tapes)
{
    const batch_size none = {.tokens = 0};

    return lay_room(encoder, size, tapes, NULL) - lay_room(encoder, &none, tapes, NULL);
}

static lm_status
make_room(lm_tuned_encoder *encoder, const batch_size *size, bool training)
{
    const size_t layers = layers_of(encoder), most = encoder->options.memory;
    size_t tapes = training ? layers : 0, numbers;

    if (tapes > 0 && most > 0 && batch_numbers(encoder, size, tapes) * sizeof(float) > most)
        tapes = 0;
    numbers = lay_room(encoder, size, tapes, NULL);
    if (numbers > encoder->room_size) {
        lm_free(encoder->ctx, encoder->room);
        encoder->room_size = 0;
        encoder->room = lm_alloc_array(encoder->ctx, numbers, sizeof *encoder->room);
        if (!encoder->room)
            return LM_NO_MEMORY;
        encoder->room_size = numbers;
    }
    encoder->run.tapes = tapes;
    lay_room(encoder, size, tapes, encoder->room);
    return LM_OK;
}

/* A part of a batch is as large as its layers can be kept: a second pass forward costs more. */
size_t
lm_tuned_row_bytes(lm_tuned_encoder *encoder, size_t tokens)
{
    const batch_size size = {.tokens = tokens, .texts = ROW_TEXTS, .longest = tokens};

    return batch_numbers(encoder, &size, layers_of(encoder)) * sizeof(float);
}

/* A text's counter of dropout: neighbours' are far apart. */
static uint64_t
counter_of(size_t text)
{
    return ((uint64_t)text + 1) * 0x9e3779b97f4a7c15u << 20;
}

static void
gather(lm_tuned_encoder *encoder, const lm_tuned_texts *texts, const size_t *rows,
       const int32_t *changed)
{
    const lm_batch *batch = &encoder->batch;
    int32_t *ids = (int32_t *)(uintptr_t)batch->ids, *types = (int32_t *)(uintptr_t)batch->type_ids;
    size_t *offsets = (size_t *)(uintptr_t)batch->offsets, at = 0;
    uint64_t *counters = (uint64_t *)(uintptr_t)encoder->noise.texts;

    for (size_t i = 0; i < batch->texts; i++) {
        size_t text = rows[i / texts->per_row] * texts->per_row + i % texts->per_row;
        size_t first = lm_tuned_texts_first(texts, text),
               length = lm_tuned_texts_length(texts, text);

        memcpy(ids + at, (changed ? changed : texts->ids) + first, length * sizeof *ids);
        memcpy(types + at, texts->types + first, length * sizeof *types);
        counters[i] = counter_of(text);
        offsets[i] = at;
        at += length;
    }
    offsets[batch->texts] = at;
}

void
lm_tuned_touch(lm_tuned_encoder *encoder, const lm_tuned_texts *texts, const size_t *rows,
               size_t count)
{
    for (size_t i = 0; encoder->touched && i < count; i++) {
        size_t first = lm_tuned_texts_first(texts, rows[i] * texts->per_row);
        size_t end = first + lm_tuned_texts_row_tokens(texts, rows[i]);

        for (size_t token = first; token < end; token++)
            encoder->touched[texts->ids[token]] = 1;
    }
}

static void
describe_run(lm_tuned_encoder *encoder, size_t longest, const lm_pass *pass)
{
    const lm_tuned_options *options = &encoder->options;

    encoder->noise.hidden = options->hidden_dropout;
    encoder->noise.attention = options->attention_dropout;
    encoder->noise.seed = pass->seed;
    encoder->noise.step = pass->step;
    encoder->run = (lm_encoder_grad){
        .ctx = encoder->ctx,
        .encoder = &encoder->plain->encoder,
        .weights = &encoder->weights,
        .plain = true,
        .rounded = options->rounded,
        .tapes = encoder->run.tapes,
        .gradients = &encoder->flow,
        .noise = pass->training && (options->hidden_dropout > 0 || options->attention_dropout > 0)
                     ? &encoder->noise
                     : NULL,
        .tokens = encoder->batch.tokens,
        .texts = encoder->batch.texts,
        .longest = longest,
        .offsets = encoder->batch.offsets,
        .workspace = encoder->run.workspace,
    };
}

lm_status
lm_tuned_forward(lm_tuned_encoder *encoder, const lm_tuned_texts *texts, const size_t *rows,
                 size_t count, const int32_t *changed, const lm_pass *pass, const float **states)
{
    const batch_size size = measure(texts, rows, count);

    LM_TRY(make_room(encoder, &size, pass->training));
    gather(encoder, texts, rows, changed);
    describe_run(encoder, size.longest, pass);
    LM_TRY(lm_encoder_sums(encoder->ctx, &encoder->plain->encoder, &encoder->weights,
                           &encoder->batch, encoder->sums));
    return lm_encoder_grad_forward(&encoder->run, encoder->sums, states);
}

lm_status
lm_tuned_backward(lm_tuned_encoder *encoder)
{
    const lm_plain *plain = encoder->plain;

    if (!trains_all(encoder))
        return lm_encoder_grad_backward(&encoder->run, encoder->dhidden, NULL);
    LM_TRY(lm_encoder_grad_backward(&encoder->run, encoder->dhidden, encoder->sums));
    return lm_encoder_sums_backward(encoder->ctx, &plain->encoder, &encoder->flow, &encoder->batch,
                                    encoder->sums, encoder->touched);
}
