/*
 * encoder_grad.c - embeddings' scale, norm and projection, the stack, and its final norm, there and
 * back.
 */
#include "nn/encoder_grad.h"

#include <string.h>

#include "base/size.h"
#include "nn/tables.h"

/* Where things stand in the workspace. */
typedef struct grad_space {
    float *scaled;   /* (T, E): behind the scale */
    float *embedded; /* (T, E): behind the norm; of embeddings that are projected. Or (T, D):
                        before it, where others are added behind the projection */
    float *states;   /* (L + 1, T, D): the input of each layer, and the last one's output */
    float *hidden;   /* (T, D): behind the final norm */
    float *flow;     /* (T, D) */
    float *mixed;    /* (T, D): the sum of layers, then its gradient */
    float *trigrams; /* (T, 3 E): of neighbours, then their gradient */
    float
        *matrix[4]; /* a layer's, unpacked: qkv, output, up, down; the first also a projection's */
    lm_position_tables tables;
    float *placed; /* (places, qkv): of a layer */
    float *tape;   /* of the only layer that has one, or of the first */
    size_t tape_size;
    size_t size;
} grad_space;

/* ---- The workspace ---- */

static size_t
greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

bool
lm_encoder_adds(const lm_encoder *encoder)
{
    return encoder->embedding.more && encoder->embedding.trigram;
}

size_t
lm_encoder_sum_width(const lm_encoder *encoder)
{
    return encoder->embedding.more ? encoder->embedding.width : encoder->stack.width;
}

/* Numbers of a token that the projection reads. */
static size_t
projected_width(const lm_encoder *encoder)
{
    return (lm_encoder_adds(encoder) ? 3 : 1) * lm_encoder_sum_width(encoder);
}

/* Rows and columns of a layer's matrices, in the order of grad_space. */
static void
shapes_of(const lm_block *block, size_t width, size_t shapes[4][2])
{
    size_t mixed = block->heads * block->head_dim;
    const size_t all[4][2] = {
        {mixed + 2 * block->kv_heads * block->head_dim, width},
        {width, mixed},
        {block->gated ? 2 * block->inner : block->inner, width},
        {width, block->inner},
    };

    memcpy(shapes, all, sizeof all);
}

/* What distances add to scores. */
static void
lay_relative(const lm_stack *stack, size_t longest, float *base, grad_space *space)
{
    lm_position_tables *tables = &space->tables;
    bool biased = stack->bias >= 0 || stack->linear_bias;

    tables->longest = longest;
    tables->places = lm_place_rows(stack, longest);
    tables->bias =
        lm_lay_floats(base, &space->size, biased ? stack->blocks[0].heads * 2 * longest : 0);
    tables->index = (int32_t *)lm_lay_floats(base, &space->size, tables->places ? 2 * longest : 0);
    tables->place = lm_lay_floats(base, &space->size, tables->places * stack->width);
    space->placed =
        lm_lay_floats(base, &space->size, tables->places * lm_block_qkv_width(&stack->blocks[0]));
}

static void
lay_layers(const lm_encoder *encoder, size_t tokens, size_t longest, size_t tapes, float *base,
           grad_space *space)
{
    const lm_stack *stack = &encoder->stack;
    size_t most[4] = {stack->width * projected_width(encoder)}, tape = 0, shapes[4][2];

    for (size_t kind = 0; kind < lm_stack_kinds(stack); kind++) {
        const lm_block *block = &stack->blocks[kind];
        size_t angles = longest * block->turned / 2;

        shapes_of(block, stack->width, shapes);
        for (int i = 0; i < 4; i++)
            most[i] = greater(most[i], shapes[i][0] * shapes[i][1]);
        tape = greater(tape, block->narrow ? lm_narrow_tape(block, stack->width, tokens, longest)
                                           : lm_block_tape(block, stack->width, tokens, longest));
        space->tables.cosines[kind] = lm_lay_floats(base, &space->size, angles);
        space->tables.sines[kind] = lm_lay_floats(base, &space->size, angles);
    }
    for (int i = 0; i < 4; i++)
        space->matrix[i] = lm_lay_floats(base, &space->size, most[i]);
    lay_relative(stack, longest, base, space);
    space->tape_size = tape;
    space->tape = lm_lay_floats(base, &space->size, tape * greater(tapes, 1));
}

/* As in stack.c, numbers of a description and of a batch are small enough for the sums. */
static grad_space
lay_space(const lm_encoder *encoder, size_t tokens, size_t longest, size_t tapes, float *base)
{
    size_t count = tokens * encoder->stack.width, sums = tokens * lm_encoder_sum_width(encoder);
    grad_space space = {.size = 0};

    space.scaled = lm_lay_floats(base, &space.size, sums);
    space.embedded = lm_lay_floats(base, &space.size, lm_encoder_adds(encoder) ? count : sums);
    space.states = lm_lay_floats(base, &space.size, (encoder->stack.layers + 1) * count);
    space.hidden = lm_lay_floats(base, &space.size, count);
    space.flow = lm_lay_floats(base, &space.size, greater(count, sums));
    space.mixed = lm_lay_floats(base, &space.size, count);
    space.trigrams = lm_lay_floats(base, &space.size, lm_encoder_adds(encoder) ? 3 * sums : 0);
    lay_layers(encoder, tokens, longest, tapes, base, &space);
    return space;
}

size_t
lm_encoder_grad_size(const lm_encoder *encoder, size_t tokens, size_t longest, size_t tapes)
{
    return lay_space(encoder, tokens, longest, tapes, NULL).size;
}

static grad_space
space_of(const lm_encoder_grad *run)
{
    return lay_space(run->encoder, run->tokens, run->longest, run->tapes, run->workspace);
}

/* ---- What there is no backward pass of ---- */

/* NULL: all of it has one. */
static const char *
without_gradients(const lm_encoder *encoder)
{
    const lm_stack *stack = &encoder->stack;

    return stack->global.any ? "tokens that see all" : NULL;
}

/* Of weights; what distances add has none. */
static const char *
untrained(const lm_encoder *encoder)
{
    const lm_stack *stack = &encoder->stack;

    return stack->places                 ? "disentangled attention"
           : stack->bias != LM_NO_WEIGHT ? "a bias of relative positions"
           : stack->blocks[0].narrow     ? "layers in a narrower width"
           : lm_encoder_adds(encoder)    ? "embeddings of three tokens"
                                         : without_gradients(encoder);
}

static lm_status
check_found(lm_context *ctx, const char *found, const lm_nn_weights *weights)
{
    if (found) {
        lm_raise(ctx, LM_UNSUPPORTED, "there are no gradients of the model's layers");
        lm_detail_found(ctx, "%s", found);
        return lm_detail_allowed(ctx, "layers without these");
    }
    if (lm_precisions[weights->precision].coded) {
        lm_raise(ctx, LM_UNSUPPORTED, "there are no gradients of a model of this precision");
        lm_detail_found(ctx, "%s", lm_precision_name(weights->precision));
        return lm_detail_allowed(ctx, "fp32, bf16");
    }
    return LM_OK;
}

lm_status
lm_encoder_grad_check(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights)
{
    return check_found(ctx, without_gradients(encoder), weights);
}

lm_status
lm_encoder_train_check(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights)
{
    return check_found(ctx, untrained(encoder), weights);
}

/* ---- Weights ---- */

static size_t
kind_of(const lm_encoder_grad *run, size_t layer)
{
    return lm_stack_kind(&run->encoder->stack, layer);
}

/* NULL: a gradient that nobody wants. */
static float *
gradient(const lm_encoder_grad *run, size_t layer, int target)
{
    const lm_encoder_gradients *gradients = run->gradients;

    if (!gradients || target < 0)
        return NULL;
    layer = run->encoder->stack.shared ? 0 : layer;
    return gradients->layers[layer * run->weights->stride + (size_t)target];
}

static float *
model_gradient(const lm_encoder_grad *run, int target)
{
    return run->gradients && target >= 0 ? run->gradients->model[target] : NULL;
}

static lm_status
unpack(const lm_encoder_grad *run, const void *packed, size_t n, size_t k, float *values)
{
    if (run->plain)
        return LM_OK;
    return lm_unpack(run->ctx, run->weights->kernels, run->weights->precision, packed, n, k,
                     values);
}

/* A matrix as rows of float32: itself, or where it was unpacked to. */
static const float *
matrix_of(const lm_encoder_grad *run, const void *weight, const float *unpacked)
{
    return run->plain ? weight : unpacked;
}

/* A layer's weights as they are, before matrices are unpacked. */
static const void *
layer_weight(const lm_encoder_grad *run, size_t layer, int target)
{
    return lm_layer_weight(run->weights, run->encoder->stack.shared ? 0 : layer, target);
}

static lm_norm
layer_norm(const lm_encoder_grad *run, size_t layer, const lm_block *block, lm_norm_targets targets)
{
    return (lm_norm){
        .kind = block->norm,
        .gain = layer_weight(run, layer, targets.gain),
        .bias = layer_weight(run, layer, targets.bias),
        .eps = block->eps,
    };
}

static lm_part_weights
part_norms(const lm_encoder_grad *run, size_t layer, const lm_block *block,
           const lm_block_norms *norms)
{
    return (lm_part_weights){
        .before = layer_norm(run, layer, block, norms->before),
        .inside = layer_norm(run, layer, block, norms->inside),
        .after = layer_norm(run, layer, block, norms->after),
    };
}

static lm_status
unpack_layer(const lm_encoder_grad *run, const grad_space *space, size_t layer)
{
    const lm_block *block = &run->encoder->stack.blocks[kind_of(run, layer)];
    const int targets[] = {block->qkv, block->output, block->up, block->down};
    size_t shapes[4][2];

    shapes_of(block, run->encoder->stack.width, shapes);
    for (int i = 0; i < 4; i++)
        LM_TRY(unpack(run, layer_weight(run, layer, targets[i]), shapes[i][0], shapes[i][1],
                      space->matrix[i]));
    return LM_OK;
}

static lm_block_weights
layer_weights(const lm_encoder_grad *run, const grad_space *space, size_t layer)
{
    const lm_block *block = &run->encoder->stack.blocks[kind_of(run, layer)];

    return (lm_block_weights){
        .attention = part_norms(run, layer, block, &block->attention_norms),
        .ffn = part_norms(run, layer, block, &block->ffn_norms),
        .qkv = matrix_of(run, layer_weight(run, layer, block->qkv), space->matrix[0]),
        .qkv_bias = layer_weight(run, layer, block->qkv_bias),
        .output = matrix_of(run, layer_weight(run, layer, block->output), space->matrix[1]),
        .output_bias = layer_weight(run, layer, block->output_bias),
        .query_gain = block->normed ? layer_weight(run, layer, block->query_gain) : NULL,
        .key_gain = block->normed ? layer_weight(run, layer, block->key_gain) : NULL,
        .up = matrix_of(run, layer_weight(run, layer, block->up), space->matrix[2]),
        .up_bias = layer_weight(run, layer, block->up_bias),
        .down = matrix_of(run, layer_weight(run, layer, block->down), space->matrix[3]),
        .down_bias = layer_weight(run, layer, block->down_bias),
    };
}

static lm_part_gradients
part_gradients(const lm_encoder_grad *run, size_t layer, const lm_block_norms *norms)
{
    const lm_norm_targets targets[] = {norms->before, norms->inside, norms->after};
    lm_norm_gradients of[3];

    for (int i = 0; i < 3; i++)
        of[i] = (lm_norm_gradients){gradient(run, layer, targets[i].gain),
                                    gradient(run, layer, targets[i].bias)};
    return (lm_part_gradients){of[0], of[1], of[2]};
}

static lm_block_gradients
layer_gradients(const lm_encoder_grad *run, size_t layer)
{
    const lm_block *block = &run->encoder->stack.blocks[kind_of(run, layer)];

    return (lm_block_gradients){
        .attention = part_gradients(run, layer, &block->attention_norms),
        .ffn = part_gradients(run, layer, &block->ffn_norms),
        .qkv = gradient(run, layer, block->qkv),
        .qkv_bias = gradient(run, layer, block->qkv_bias),
        .output = gradient(run, layer, block->output),
        .output_bias = gradient(run, layer, block->output_bias),
        .query_gain = block->normed ? gradient(run, layer, block->query_gain) : NULL,
        .key_gain = block->normed ? gradient(run, layer, block->key_gain) : NULL,
        .up = gradient(run, layer, block->up),
        .up_bias = gradient(run, layer, block->up_bias),
        .down = gradient(run, layer, block->down),
        .down_bias = gradient(run, layer, block->down_bias),
    };
}

/* Places of dropout in a layer; those of embeddings are layer 0's. */
enum { DROP_WEIGHTS, DROP_ATTENTION, DROP_FFN, DROP_PLACES };

static lm_dropout
dropout_at(const lm_encoder_noise *noise, double rate, size_t layer, int place)
{
    return (lm_dropout){(float)rate, lm_dropout_seed(noise->seed, noise->step,
                                                     layer * DROP_PLACES + (size_t)place)};
}

/* Of a layer; it is not read where nothing is dropped. */
static lm_block_noise
layer_noise(const lm_encoder_grad *run, size_t layer)
{
    const lm_encoder_noise *noise = run->noise;

    if (!noise)
        return (lm_block_noise){.texts = NULL};
    return (lm_block_noise){
        .weights = dropout_at(noise, noise->attention, layer + 1, DROP_WEIGHTS),
        .attention = dropout_at(noise, noise->hidden, layer + 1, DROP_ATTENTION),
        .ffn = dropout_at(noise, noise->hidden, layer + 1, DROP_FFN),
        .texts = noise->texts,
    };
}

static lm_block_run
block_run(const lm_encoder_grad *run, const grad_space *space, size_t layer,
          const lm_block_weights *weights, const lm_nn_disentangled *places,
          const lm_block_noise *noise)
{
    size_t kind = kind_of(run, layer);

    return (lm_block_run){
        .ctx = run->ctx,
        .kernels = run->weights->kernels,
        .block = &run->encoder->stack.blocks[kind],
        .weights = weights,
        .width = run->encoder->stack.width,
        .tokens = run->tokens,
        .texts = run->texts,
        .longest = run->longest,
        .offsets = run->offsets,
        .rounded = run->rounded,
        .cosines = space->tables.cosines[kind],
        .sines = space->tables.sines[kind],
        .bias = space->tables.bias,
        .places = places,
        .noise = run->noise ? noise : NULL,
        .tape = space->tape + (run->tapes > 0 ? layer * space->tape_size : 0),
    };
}

/* ---- Embeddings ---- */

lm_status
lm_encoder_sums(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
                const lm_batch *batch, float *sums)
{
    lm_nn_embedding args = lm_encoder_tables(encoder, weights, batch);

    if (lm_encoder_adds(encoder))
        args.types = args.position = NULL;
    return lm_nn_embed(ctx, weights->kernels, &args, sums);
}

lm_status
lm_encoder_added(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
                 const lm_batch *batch, float *added)
{
    lm_nn_embedding args = lm_encoder_tables(encoder, weights, batch);

    args.words = NULL;
    args.width = encoder->stack.width;
    memset(added, 0, batch->tokens * args.width * sizeof *added);
    return lm_nn_embed(ctx, weights->kernels, &args, added);
}

lm_status
lm_encoder_sums_backward(lm_context *ctx, const lm_encoder *encoder,
                         const lm_encoder_gradients *gradients, const lm_batch *batch,
                         const float *dsums, unsigned char *touched)
{
    const lm_nn_weights none = {.model = (const void *const *)gradients->model};
    const lm_nn_embedding args = lm_encoder_tables(encoder, &none, batch);

    for (size_t i = 0; touched && i < batch->tokens; i++)
        touched[batch->ids[i]] = 1;
    return lm_nn_embed_backward(ctx, &args, dsums);
}

static lm_norm
embedding_norm(const lm_encoder_grad *run)
{
    const lm_embedding *embedding = &run->encoder->embedding;

    return (lm_norm){
        .kind = embedding->norm_kind,
        .gain = lm_model_weight(run->weights, embedding->norm.gain),
        .bias = lm_model_weight(run->weights, embedding->norm.bias),
        .eps = embedding->eps,
    };
}

static float
embedding_scale(const lm_encoder_grad *run)
{
    float scale = run->encoder->embedding.scale;

    return scale > 0 ? scale : 1;
}

/* NULL: embeddings are the stack's input. */
static const void *
projection_of(const lm_encoder_grad *run)
{
    const lm_embedding *embedding = &run->encoder->embedding;

    return embedding->more ? lm_model_weight(run->weights, embedding->projection) : NULL;
}

static lm_linear
projection(const lm_encoder_grad *run, const grad_space *space)
{
    return (lm_linear){
        .rows = run->tokens,
        .in = projected_width(run->encoder),
        .out = run->encoder->stack.width,
        .weight = matrix_of(run, projection_of(run), space->matrix[0]),
        .bias = lm_model_weight(run->weights, run->encoder->embedding.projection_bias),
        .rounded = run->rounded ? run->weights->kernels : NULL,
    };
}

/* Of embeddings (tokens, width) or their gradient, in place. */
static void
drop_embedded(const lm_encoder_grad *run, size_t width, float *x)
{
    if (run->noise && run->noise->hidden > 0) {
        const lm_dropout dropout = dropout_at(run->noise, run->noise->hidden, 0, DROP_FFN);

        lm_drop_tokens(&dropout, run->noise->texts, run->offsets, run->texts, width, x, x);
    }
}

/* Neighbours together, projected; then what is added, and the norm, whose input stays in
 * `embedded`. */
static lm_status
embed_trigrams(const lm_encoder_grad *run, const grad_space *space, const float *sums)
{
    const size_t width = lm_encoder_sum_width(run->encoder), wide = run->encoder->stack.width;
    const lm_linear linear = projection(run, space);
    const lm_norm norm = embedding_norm(run);
    const lm_kernels *kernels = run->weights->kernels;

    lm_trigrams_forward(run->offsets, run->texts, width, sums, space->trigrams);
    LM_TRY(unpack(run, projection_of(run), linear.out, linear.in, space->matrix[0]));
    LM_TRY(lm_linear_forward(run->ctx, &linear, space->trigrams, space->embedded));
    kernels->add_f32(run->tokens * wide, space->embedded, run->added, NULL, space->embedded);
    if (norm.gain)
        lm_nn_norm(kernels, &norm, run->tokens, wide, space->embedded, space->states);
    else
        memcpy(space->states, space->embedded, run->tokens * wide * sizeof *space->states);
    return LM_OK;
}

/* dx is used up. */
static lm_status
embed_trigrams_back(const lm_encoder_grad *run, const grad_space *space, float *dx, float *dsums)
{
    const lm_linear linear = projection(run, space);
    const lm_norm norm = embedding_norm(run);

    LM_TRY(unpack(run, projection_of(run), linear.out, linear.in, space->matrix[0]));
    if (norm.gain)
        lm_norm_backward(&norm, run->tokens, run->encoder->stack.width, space->embedded, dx, dx,
                         NULL, NULL);
    LM_TRY(lm_linear_backward(run->ctx, &linear, NULL, dx, space->trigrams, NULL, NULL));
    lm_trigrams_backward(run->offsets, run->texts, lm_encoder_sum_width(run->encoder),
                         space->trigrams, dsums);
    return LM_OK;
}

static lm_status
embed_forward(const lm_encoder_grad *run, const grad_space *space, const float *sums)
{
    const size_t width = lm_encoder_sum_width(run->encoder), count = run->tokens * width;
    const lm_linear linear = projection(run, space);
    const lm_norm norm = embedding_norm(run);
    float scale = embedding_scale(run);
    float *out = projection_of(run) ? space->embedded : space->states;

    if (lm_encoder_adds(run->encoder))
        return embed_trigrams(run, space, sums);
    for (size_t i = 0; i < count; i++)
        space->scaled[i] = scale * sums[i];
    if (norm.gain)
        lm_nn_norm(run->weights->kernels, &norm, run->tokens, width, space->scaled, out);
    else
        memcpy(out, space->scaled, count * sizeof *out);
    drop_embedded(run, width, out);
    if (!projection_of(run))
        return LM_OK;
    LM_TRY(unpack(run, projection_of(run), linear.out, linear.in, space->matrix[0]));
    return lm_linear_forward(run->ctx, &linear, out, space->states);
}

static lm_status
embed_backward(const lm_encoder_grad *run, const grad_space *space, float *dx, float *dsums)
{
    const size_t width = lm_encoder_sum_width(run->encoder), count = run->tokens * width;
    const lm_linear linear = projection(run, space);
    const lm_norm norm = embedding_norm(run);
    float scale = embedding_scale(run);

    if (lm_encoder_adds(run->encoder))
        return embed_trigrams_back(run, space, dx, dsums);
    if (projection_of(run)) {
        LM_TRY(unpack(run, projection_of(run), linear.out, linear.in, space->matrix[0]));
        LM_TRY(lm_linear_backward(run->ctx, &linear, space->embedded, dx, dsums,
                                  model_gradient(run, run->encoder->embedding.projection),
                                  model_gradient(run, run->encoder->embedding.projection_bias)));
    } else
        memcpy(dsums, dx, count * sizeof *dsums);
    drop_embedded(run, width, dsums);
    if (norm.gain)
        lm_norm_backward(&norm, run->tokens, width, space->scaled, dsums, dsums,
                         model_gradient(run, run->encoder->embedding.norm.gain),
                         model_gradient(run, run->encoder->embedding.norm.bias));
    for (size_t i = 0; i < count; i++)
        dsums[i] *= scale;
    return LM_OK;
}

/* ---- The stack ---- */

static lm_norm
final_norm(const lm_encoder_grad *run)
{
    const lm_stack *stack = &run->encoder->stack;

    return (lm_norm){
        .kind = stack->blocks[0].norm,
        .gain = lm_model_weight(run->weights, stack->final.gain),
        .bias = lm_model_weight(run->weights, stack->final.bias),
        .eps = stack->blocks[0].eps,
    };
}

static float *
state_of(const lm_encoder_grad *run, const grad_space *space, size_t layer)
{
    return space->states + layer * run->tokens * run->encoder->stack.width;
}

/* What distances add in this layer, where it is not the same in all. */
static lm_status
fill_layer(const lm_encoder_grad *run, const grad_space *space, size_t layer,
           const lm_block_weights *weights)
{
    const lm_stack *stack = &run->encoder->stack;
    const lm_linear linear = {
        .rows = space->tables.places,
        .in = stack->width,
        .out = lm_block_qkv_width(&stack->blocks[0]),
        .weight = weights->qkv,
        .bias = weights->qkv_bias,
    };

    if (stack->own_bias)
        lm_fill_bias(stack, layer_weight(run, layer, stack->bias), &space->tables);
    if (space->tables.places == 0)
        return LM_OK;
    return lm_linear_forward(run->ctx, &linear, space->tables.place, space->placed);
}

static const lm_block *
block_at(const lm_encoder_grad *run, size_t layer)
{
    return &run->encoder->stack.blocks[kind_of(run, layer)];
}

static lm_narrow_run
narrow_run(const lm_encoder_grad *run, const grad_space *space, size_t layer)
{
    return (lm_narrow_run){
        .ctx = run->ctx,
        .weights = run->weights,
        .layer = run->encoder->stack.shared ? 0 : layer,
        .block = block_at(run, layer),
        .width = run->encoder->stack.width,
        .tokens = run->tokens,
        .texts = run->texts,
        .longest = run->longest,
        .offsets = run->offsets,
        .tape = space->tape,
    };
}

static lm_status
plain_layer_forward(const lm_encoder_grad *run, const grad_space *space, size_t layer)
{
    const lm_block_weights weights = layer_weights(run, space, layer);
    const lm_nn_disentangled places =
        lm_layer_places(&run->encoder->stack, &space->tables, space->placed);
    const lm_block_noise noise = layer_noise(run, layer);
    const lm_block_run block = block_run(run, space, layer, &weights, &places, &noise);

    LM_TRY(unpack_layer(run, space, layer));
    LM_TRY(fill_layer(run, space, layer, &weights));
    return lm_block_forward(&block, state_of(run, space, layer), state_of(run, space, layer + 1));
}

static lm_status
layer_forward(const lm_encoder_grad *run, const grad_space *space, size_t layer)
{
    const lm_narrow_run narrow = narrow_run(run, space, layer);

    return narrow.block->narrow ? lm_narrow_forward(&narrow, state_of(run, space, layer),
                                                    state_of(run, space, layer + 1))
                                : plain_layer_forward(run, space, layer);
}

/* Behind the forward pass, whose tape is there. */
static lm_status
plain_layer_backward(const lm_encoder_grad *run, const grad_space *space, size_t layer, bool again,
                     const float *dy, float *dx)
{
    const lm_block_gradients gradients = layer_gradients(run, layer);
    const lm_block_weights weights = layer_weights(run, space, layer);
    const lm_nn_disentangled places =
        lm_layer_places(&run->encoder->stack, &space->tables, space->placed);
    const lm_block_noise noise = layer_noise(run, layer);
    const lm_block_run block = block_run(run, space, layer, &weights, &places, &noise);

    if (!again)
        LM_TRY(fill_layer(run, space, layer, &weights));
    return lm_block_backward(&block, state_of(run, space, layer), dy, dx, &gradients);
}

/* A layer whose tape is gone is computed again; what it gives stands there already. */
static lm_status
layer_backward(const lm_encoder_grad *run, const grad_space *space, size_t layer, const float *dy,
               float *dx)
{
    const lm_narrow_run narrow = narrow_run(run, space, layer);
    const bool again = run->tapes == 0 && layer + 1 < run->encoder->stack.layers;

    if (again)
        LM_TRY(layer_forward(run, space, layer));
    return narrow.block->narrow ? lm_narrow_backward(&narrow, dy, dx)
                                : plain_layer_backward(run, space, layer, again, dy, dx);
}

/* ---- The sum of layers ---- */

static void
add_scaled(size_t count, float scale, const float *x, float *sum)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += scale * x[i];
}

/* The last layer's is what the final norm made of it. */
static void
mix_forward(const lm_encoder_grad *run, const grad_space *space, const float *last)
{
    const size_t count = run->tokens * run->encoder->stack.width,
                 layers = run->encoder->stack.layers;

    memset(space->mixed, 0, count * sizeof *space->mixed);
    for (size_t layer = 0; layer <= layers; layer++)
        add_scaled(count, run->mix[layer], layer < layers ? state_of(run, space, layer) : last,
                   space->mixed);
}

/* What comes to the last layer, in dhidden; the whole is kept for the others. */
static void
mix_backward(const lm_encoder_grad *run, const grad_space *space, float *dhidden)
{
    const size_t count = run->tokens * run->encoder->stack.width;

    memcpy(space->mixed, dhidden, count * sizeof *dhidden);
    for (size_t i = 0; i < count; i++)
        dhidden[i] *= run->mix[run->encoder->stack.layers];
}

lm_status
lm_encoder_grad_forward(const lm_encoder_grad *run, const float *sums, const float **hidden)
{
    const grad_space space = space_of(run);
    const lm_stack *stack = &run->encoder->stack;
    const lm_norm final = final_norm(run);

    LM_TRY(embed_forward(run, &space, sums));
    LM_TRY(lm_fill_positions(run->ctx, stack, run->weights, &space.tables));
    for (size_t layer = 0; layer < stack->layers; layer++)
        LM_TRY(layer_forward(run, &space, layer));
    *hidden = state_of(run, &space, stack->layers);
    if (final.gain) {
        lm_nn_norm(run->weights->kernels, &final, run->tokens, stack->width, *hidden, space.hidden);
        *hidden = space.hidden;
    }
    if (run->mix) {
        mix_forward(run, &space, *hidden);
        *hidden = space.mixed;
    }
    return LM_OK;
}

lm_status
lm_encoder_grad_backward(const lm_encoder_grad *run, float *dhidden, float *dsums)
{
    const grad_space space = space_of(run);
    const lm_stack *stack = &run->encoder->stack;
    const lm_norm final = final_norm(run);
    const size_t first = run->gradients && !dsums ? run->gradients->first : 0;
    float *dy = dhidden, *dx = space.flow, *done;

    if (run->mix)
        mix_backward(run, &space, dhidden);
    if (final.gain)
        lm_norm_backward(&final, run->tokens, stack->width, state_of(run, &space, stack->layers),
                         dy, dy, model_gradient(run, stack->final.gain),
                         model_gradient(run, stack->final.bias));
    for (size_t layer = stack->layers; layer-- > first;) {
        LM_TRY(layer_backward(run, &space, layer, dy, dx));
        if (run->mix)
            add_scaled(run->tokens * stack->width, run->mix[layer], space.mixed, dx);
        done = dy;
        dy = dx;
        dx = done;
    }
    return dsums ? embed_backward(run, &space, dy, dsums) : LM_OK;
}
