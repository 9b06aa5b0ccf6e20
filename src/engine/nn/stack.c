/*
 * stack.c - one forward pass for every stack of transformer layers.
 *
 * Query, key and value are one packed matrix. Attention runs over a few texts at a time; after it
 * every row goes on alone, so the rest of a layer runs in blocks of rows. Thus what either leaves
 * for its next step stays in cache, however many texts the batch has.
 */
#include "nn/stack.h"

#include <string.h>

#include "base/size.h"
#include "nn/global.h"
#include "nn/layer.h"
#include "nn/narrow.h"

/* Rows that pass through the feed-forward net together, at most; whole tiles of the kernels. */
#define TILE_ROWS 12
#define BLOCK_ROWS (14 * TILE_ROWS)

/* Tokens whose texts pass through attention together. A longer text does so alone. */
#define GROUP_TOKENS 96

/* ---- The workspace ---- */

/* Where things stand in the workspace, in bytes from its start. */
typedef struct stack_space {
    size_t hidden;                  /* (T, D); first: the input */
    size_t attention;               /* (T, heads·head_dim) */
    size_t wide;                    /* (group, qkv) for attention, then (block, inner) */
    size_t normed;                  /* (rows of either, D), where norms need it */
    size_t cosines[LM_BLOCK_KINDS]; /* of rotary positions */
    size_t sines[LM_BLOCK_KINDS];
    size_t bias;    /* of relative positions, or (longest, longest) of places */
    size_t index;   /* of places, by distance */
    size_t place;   /* (places, D) */
    size_t placed;  /* (places, qkv) of a layer */
    size_t global;  /* what tokens that see all need */
    size_t scratch; /* of the kernels, one after the other */
    size_t size;
} stack_space;

/* The next run of the workspace, aligned for the kernels. */
static size_t
greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t
smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Whether something of the block is made beside the hidden states. */
static bool
norms_aside(const lm_block *block)
{
    return block->attention_norms.before.gain >= 0 || block->attention_norms.inside.gain >= 0 ||
           block->ffn_norms.before.gain >= 0 || block->ffn_norms.inside.gain >= 0 || block->narrow;
}

/* Rows that go through the steps of a layer together. */
typedef struct stack_rows {
    size_t tokens, longest;
    size_t group; /* most rows of attention */
    size_t block; /* most rows of the rest */
} stack_rows;

static stack_rows
rows_of(size_t tokens, size_t longest)
{
    return (stack_rows){
        .tokens = tokens,
        .longest = longest,
        .group = smaller(tokens, greater(longest, GROUP_TOKENS)),
        .block = smaller(tokens, BLOCK_ROWS),
    };
}

/* The most that attention or one of a block's products asks for. */
static size_t
scratch_size(const lm_stack *stack, const lm_block *block, const lm_nn_weights *weights,
             const stack_rows *rows)
{
    size_t (*const of)(size_t m, size_t k) = weights->product->scratch_size;
    const size_t sizes[] = {
        weights->attention->scratch_size(rows->longest, block->head_dim),
        of(greater(rows->group, rows->block), stack->width),
        of(lm_place_rows(stack, rows->longest), stack->width),
        of(greater(rows->group, rows->block), lm_block_mixed_width(block)),
        of(rows->block, block->inner),
    };
    size_t most = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        most = greater(most, sizes[i]);
    return most;
}

/* Embeddings of the distances in a text, what a layer makes of them, and the scores that come of it
 * in one head. */
static void
plan_places(const lm_stack *stack, size_t longest, stack_space *space)
{
    size_t rows = lm_place_rows(stack, longest);

    space->bias = lm_lay_bytes(&space->size, longest * longest * sizeof(float));
    space->index = lm_lay_bytes(&space->size, 2 * longest * sizeof(int32_t));
    space->place = lm_lay_bytes(&space->size, rows * stack->width * sizeof(float));
    space->placed =
        lm_lay_bytes(&space->size, rows * lm_block_qkv_width(&stack->blocks[0]) * sizeof(float));
}

/* Tables of positions: angles of each kind of block, and one bias for all. */
static void
plan_positions(const lm_stack *stack, size_t longest, stack_space *space)
{
    for (size_t i = 0; i < lm_stack_kinds(stack); i++) {
        const lm_block *block = &stack->blocks[i];
        size_t angles = longest * block->turned / 2 * sizeof(float);

        if (block->position == LM_POSITION_ROPE) {
            space->cosines[i] = lm_lay_bytes(&space->size, angles);
            space->sines[i] = lm_lay_bytes(&space->size, angles);
        }
    }
    if (stack->bias >= 0 || stack->linear_bias)
        space->bias =
            lm_lay_bytes(&space->size, stack->blocks[0].heads * 2 * longest * sizeof(float));
    if (stack->places)
        plan_places(stack, longest, space);
}

/*
 * Cannot overflow: numbers of a description are at most 2^26, and tokens are bounded by memory that
 * ids lie in.
 */
static stack_space
plan_space(const lm_stack *stack, const lm_nn_weights *weights, const stack_rows *rows)
{
    size_t attention = 0, wide = 0, normed = 0, scratch = 0;
    stack_space space = {.size = 0};

    for (size_t i = 0; i < lm_stack_kinds(stack); i++) {
        const lm_block *block = &stack->blocks[i];

        attention = greater(attention, lm_block_mixed_width(block));
        wide = greater(wide, greater(rows->group * lm_block_qkv_width(block),
                                     rows->block * lm_block_up_width(block)));
        if (norms_aside(block))
            normed = greater(normed, greater(rows->group, rows->block) *
                                         greater(stack->width, lm_block_mixed_width(block)));
        scratch = greater(scratch, scratch_size(stack, block, weights, rows));
    }
    space.hidden = lm_lay_bytes(&space.size, rows->tokens * stack->width * sizeof(float));
    space.attention = lm_lay_bytes(&space.size, rows->tokens * attention * sizeof(float));
    space.wide = lm_lay_bytes(&space.size, wide * sizeof(float));
    space.normed = lm_lay_bytes(&space.size, normed * sizeof(float));
    plan_positions(stack, rows->longest, &space);
    space.global = lm_lay_bytes(&space.size, lm_global_room(stack, rows->longest) * sizeof(float));
    space.scratch = lm_lay_bytes(&space.size, scratch);
    return space;
}

size_t
lm_stack_workspace(const lm_stack *stack, const lm_nn_weights *weights, size_t tokens,
                   size_t longest)
{
    const stack_rows rows = rows_of(tokens, longest);

    return plan_space(stack, weights, &rows).size;
}

/* ---- One layer ---- */

static stack_layer
layer_of(const stack_pass *pass, size_t layer, const size_t *outputs)
{
    const lm_stack *stack = pass->stack;
    size_t kind = lm_stack_kind(stack, layer);

    return (stack_layer){pass, &stack->blocks[kind], kind, stack->shared ? 0 : layer, outputs};
}

/* What a part of the layer reads: x, or x through the norm before it. */
static const float *
input_of(const stack_layer *l, const lm_block_norms *norms, size_t rows, const float *x)
{
    return lm_norm_rows(l, norms->before, rows, l->pass->stack->width, x, l->pass->normed)
               ? l->pass->normed
               : x;
}

/* Whether what a part gives is normed before it is added to x, so that no product can add it. */
static bool
adds_later(const stack_layer *l, const lm_block_norms *norms)
{
    return lm_weight_of(l, norms->inside.gain) != NULL;
}

/* What follows a part: x has its result already, or `normed` has it. */
static void
finish_part(const stack_layer *l, const lm_block_norms *norms, size_t rows, float *x)
{
    const stack_pass *pass = l->pass;

    const size_t width = pass->stack->width;

    if (lm_norm_rows(l, norms->inside, rows, width, pass->normed, pass->normed))
        pass->weights->kernels->add_f32(rows * width, x, pass->normed, NULL, x);
    lm_norm_rows(l, norms->after, rows, width, x, x);
}

/* Rotates query and key of texts `first` … `end` − 1, which pass->wide begins with. */
static void
rotate(const stack_layer *l, size_t first, size_t end)
{
    const stack_pass *pass = l->pass;
    const lm_block *block = l->block;
    const size_t *offsets = pass->batch->offsets;
    lm_rope rope = {
        .heads = block->heads + block->kv_heads,
        .head_dim = block->head_dim,
        .turned = block->turned,
        .interleaved = block->interleaved,
        .cosines = pass->tables.cosines[l->kind],
        .sines = pass->tables.sines[l->kind],
        .ld = lm_block_qkv_width(block),
    };

    for (size_t text = first; text < end; text++) {
        rope.rows = offsets[text + 1] - offsets[text];
        rope.x = pass->wide + (offsets[text] - offsets[first]) * rope.ld;
        pass->weights->kernels->rope_f32(&rope);
    }
}

/* Norms each head of queries and of keys; they stand side by side in a row. */
static void
norm_heads(const stack_layer *l, size_t rows)
{
    const lm_block *block = l->block;
    const float *query_gain = lm_weight_of(l, block->query_gain);
    const float *key_gain = lm_weight_of(l, block->key_gain);
    size_t width = block->head_dim, ld = lm_block_qkv_width(block);

    for (size_t row = 0; row < rows; row++) {
        float *queries = l->pass->wide + row * ld, *keys = queries + block->heads * width;
        const lm_kernels *kernels = l->pass->weights->kernels;

        kernels->rms_norm_f32(block->heads, width, queries, query_gain, block->eps, queries);
        kernels->rms_norm_f32(block->kv_heads, width, keys, key_gain, block->eps, keys);
    }
}

/* Query, key and value of texts `first` … `end` − 1, in pass->wide. */
static lm_status
project(const stack_layer *l, size_t first, size_t end)
{
    const stack_pass *pass = l->pass;
    const size_t *offsets = pass->batch->offsets;
    size_t rows = offsets[end] - offsets[first], width = pass->stack->width;
    lm_gemm args;

    if (l->block->narrow)
        return lm_narrow_project(l, rows, pass->hidden + offsets[first] * width);
    args = (lm_gemm){
        .m = rows,
        .n = lm_block_qkv_width(l->block),
        .k = width,
        .a = input_of(l, &l->block->attention_norms, rows, pass->hidden + offsets[first] * width),
        .lda = width,
        .packed = lm_weight_of(l, l->block->qkv),
        .bias = lm_weight_of(l, l->block->qkv_bias),
        .c = pass->wide,
        .ldc = lm_block_qkv_width(l->block),
        .scratch = pass->scratch,
    };
    LM_TRY(lm_nn_linear(pass->ctx, pass->weights->product, &args));
    if (l->block->normed)
        norm_heads(l, rows);
    if (l->block->position == LM_POSITION_ROPE)
        rotate(l, first, end);
    return LM_OK;
}

/* Queries and keys of places, by the layer's own matrix. */
static lm_status
project_places(const stack_layer *l)
{
    const stack_pass *pass = l->pass;
    const lm_gemm args = {
        .m = pass->tables.places,
        .n = lm_block_qkv_width(l->block),
        .k = pass->stack->width,
        .a = pass->tables.place,
        .lda = pass->stack->width,
        .packed = lm_weight_of(l, l->block->qkv),
        .bias = lm_weight_of(l, l->block->qkv_bias),
        .c = pass->placed,
        .ldc = lm_block_qkv_width(l->block),
        .scratch = pass->scratch,
    };

    return lm_nn_linear(pass->ctx, pass->weights->product, &args);
}

/*
 * pass->attention = attention of texts `first` … `end` − 1 over pass->hidden; of the outputs, one
 * after the other, unless these are NULL.
 */
static lm_status
attend(const stack_layer *l, size_t first, size_t end)
{
    const stack_pass *pass = l->pass;
    const lm_block *block = l->block;
    const lm_nn_disentangled places = lm_layer_places(pass->stack, &pass->tables, pass->placed);
    const lm_nn_attention args = {
        .kernel = pass->weights->attention,
        .first = first,
        .end = end,
        .offsets = pass->batch->offsets,
        .heads = block->heads,
        .kv_heads = block->kv_heads,
        .head_dim = block->head_dim,
        .mask = block->mask,
        .window = block->window,
        .scale = block->scale,
        .qkv = pass->wide,
        .out = pass->attention,
        .scratch = pass->scratch,
        .outputs = l->outputs,
        .keys = pass->batch->keys,
        .bias = block->position == LM_POSITION_BIAS ? pass->tables.bias : NULL,
        .bias_positions = pass->tables.longest,
        .places = block->position == LM_POSITION_PLACE ? &places : NULL,
    };

    LM_TRY(project(l, first, end));
    if (pass->stack->global.any)
        return lm_global_attend(l, first, end);
    return lm_nn_attend(pass->ctx, pass->weights->kernels, &args);
}

/* The rest of attention for some rows: output projection, residual, norms. */
static lm_status
add_attention(const stack_layer *l, size_t first, size_t rows, float *x)
{
    const stack_pass *pass = l->pass;
    const lm_block_norms *norms = &l->block->attention_norms;
    size_t width = pass->stack->width, inner = lm_block_mixed_width(l->block);
    bool later = adds_later(l, norms);
    const lm_gemm args = {
        .m = rows,
        .n = width,
        .k = inner,
        .a = pass->attention + first * inner,
        .lda = inner,
        .packed = lm_weight_of(l, l->block->output),
        .bias = lm_weight_of(l, l->block->output_bias),
        .residual = later ? NULL : x,
        .ldr = width,
        .c = later ? pass->normed : x,
        .ldc = width,
        .scratch = pass->scratch,
    };

    LM_TRY(lm_nn_linear(pass->ctx, pass->weights->product, &args));
    finish_part(l, norms, rows, x);
    return LM_OK;
}

static lm_status
feed_forward(const stack_layer *l, size_t rows, float *x)
{
    const stack_pass *pass = l->pass;
    const lm_block *block = l->block;
    const lm_block_norms *norms = &block->ffn_norms;
    bool later = adds_later(l, norms);
    const lm_nn_ffn args = {
        .kernels = pass->weights->kernels,
        .product = pass->weights->product,
        .width = pass->stack->width,
        .inner = block->inner,
        .gated = block->gated,
        .up = lm_weight_of(l, block->up),
        .up_bias = lm_weight_of(l, block->up_bias),
        .down = lm_weight_of(l, block->down),
        .down_bias = lm_weight_of(l, block->down_bias),
        .act = block->act,
        .x = input_of(l, norms, rows, x),
        .residual = later ? NULL : x,
        .out = later ? pass->normed : x,
        .buffer = pass->wide,
        .scratch = pass->scratch,
    };

    LM_TRY(lm_nn_feed_forward(pass->ctx, &args, rows));
    finish_part(l, norms, rows, x);
    return LM_OK;
}

/* A layer behind attention: rows `first` … of it, and as many of the hidden states. */
static lm_status
finish_rows(const stack_layer *l, size_t first, size_t rows, float *x)
{
    if (l->block->narrow)
        return lm_narrow_finish(l, first, rows, x);
    LM_TRY(add_attention(l, first, rows, x));
    return feed_forward(l, rows, x);
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

/* Moves the outputs to the front. As no text is empty, none moves to a place behind its own. */
static void
gather_outputs(const stack_pass *pass, const size_t *outputs)
{
    size_t width = pass->stack->width;

    for (size_t text = 0; text < pass->batch->texts; text++)
        memmove(pass->hidden + text * width, pass->hidden + outputs[text] * width,
                width * sizeof(float));
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
 * block, for the outputs alone where only they are asked for.
 */
static lm_status
run_layer(const stack_layer *l)
{
    const stack_pass *pass = l->pass;
    const lm_batch *batch = pass->batch;
    size_t count = l->outputs ? batch->texts : batch->tokens, step = block_rows(count);

    if (l->block->position == LM_POSITION_PLACE)
        LM_TRY(project_places(l));
    if (pass->stack->own_bias)
        lm_fill_bias(pass->stack, lm_weight_of(l, pass->stack->bias), &pass->tables);
    for (size_t first = 0, end; first < batch->texts; first = end) {
        end = group_end(batch, first);
        LM_TRY(attend(l, first, end));
    }
    if (l->outputs)
        gather_outputs(pass, l->outputs);
    for (size_t row = 0; row < count; row += step) {
        size_t rows = smaller(step, count - row);
        float *x = pass->hidden + row * pass->stack->width;

        LM_TRY(finish_rows(l, row, rows, x));
    }
    return LM_OK;
}

/* ---- All layers ---- */

size_t
lm_batch_longest(const lm_batch *batch)
{
    size_t longest = 0;

    for (size_t text = 0; text < batch->texts; text++)
        longest = greater(longest, batch->offsets[text + 1] - batch->offsets[text]);
    return longest;
}

static stack_pass
make_pass(lm_context *ctx, const lm_stack *stack, const lm_nn_weights *weights,
          const lm_batch *batch, void *workspace)
{
    const stack_rows rows = rows_of(batch->tokens, lm_batch_longest(batch));
    const stack_space space = plan_space(stack, weights, &rows);
    char *base = workspace;
    stack_pass pass = {
        .ctx = ctx,
        .stack = stack,
        .weights = weights,
        .batch = batch,
        .hidden = (float *)(base + space.hidden),
        .attention = (float *)(base + space.attention),
        .wide = (float *)(base + space.wide),
        .normed = (float *)(base + space.normed),
        .tables = {.longest = rows.longest,
                   .bias = (float *)(base + space.bias),
                   .places = lm_place_rows(stack, rows.longest),
                   .index = (int32_t *)(base + space.index),
                   .place = (float *)(base + space.place)},
        .placed = (float *)(base + space.placed),
        .global = (float *)(base + space.global),
        .scratch = base + space.scratch,
    };

    for (size_t i = 0; i < LM_BLOCK_KINDS; i++) {
        pass.tables.cosines[i] = (float *)(base + space.cosines[i]);
        pass.tables.sines[i] = (float *)(base + space.sines[i]);
    }
    return pass;
}

static void
norm_result(const stack_pass *pass)
{
    const lm_stack *stack = pass->stack;
    const lm_norm norm = {
        .kind = stack->blocks[0].norm,
        .gain = lm_model_weight(pass->weights, stack->final.gain),
        .bias = lm_model_weight(pass->weights, stack->final.bias),
        .eps = stack->blocks[0].eps,
    };
    size_t rows = pass->batch->outputs ? pass->batch->texts : pass->batch->tokens;

    if (norm.gain)
        lm_nn_norm(pass->weights->kernels, &norm, rows, stack->width, pass->hidden, pass->hidden);
}

/* The hidden states as they are now into the sum that is asked for. */
static lm_status
mix_layer(const stack_pass *pass, size_t layer)
{
    const size_t width = pass->stack->width;
    const float weight = pass->batch->mix[layer];

    if (weight == 0)
        return LM_OK;
    for (size_t row = 0; row < pass->batch->tokens; row++) {
        const float *x = pass->hidden + row * width;
        float *sum = pass->batch->mixed + row * width;

        for (size_t i = 0; i < width; i++)
            sum[i] += weight * x[i];
    }
    return lm_poll(pass->ctx);
}

/* All layers, each into the sum, which becomes the result. */
static lm_status
run_mixed(const stack_pass *pass)
{
    const size_t layers = pass->stack->layers;
    const size_t bytes = pass->batch->tokens * pass->stack->width * sizeof(float);

    memset(pass->batch->mixed, 0, bytes);
    LM_TRY(mix_layer(pass, 0));
    for (size_t i = 0; i < layers; i++) {
        const stack_layer layer = layer_of(pass, i, NULL);

        LM_TRY(run_layer(&layer));
        if (i + 1 == layers)
            norm_result(pass);
        LM_TRY(mix_layer(pass, i + 1));
    }
    memcpy(pass->hidden, pass->batch->mixed, bytes);
    return LM_OK;
}

lm_status
lm_stack_run(lm_context *ctx, const lm_stack *stack, const lm_nn_weights *weights,
             const lm_batch *batch, size_t layers, void *workspace)
{
    const stack_pass pass = make_pass(ctx, stack, weights, batch, workspace);

    if (layers > 0)
        LM_TRY(lm_fill_positions(ctx, stack, weights, &pass.tables));
    else if (batch->outputs)
        gather_outputs(&pass, batch->outputs);
    if (batch->mix)
        return run_mixed(&pass);
    for (size_t i = 0; i < layers; i++) {
        const stack_layer layer = layer_of(&pass, i, i + 1 < layers ? NULL : batch->outputs);

        LM_TRY(run_layer(&layer));
    }
    if (layers == stack->layers)
        norm_result(&pass);
    return LM_OK;
}
