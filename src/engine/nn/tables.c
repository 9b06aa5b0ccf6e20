/*
 * tables.c - tables of positions: angles of each kind of block, one bias for all, places.
 */
#include "nn/tables.h"

static lm_nn_places
places_of(const lm_stack *stack, const lm_nn_weights *weights)
{
    return (lm_nn_places){
        .span = stack->buckets,
        .farthest = stack->farthest,
        .table = weights ? lm_model_weight(weights, stack->place) : NULL,
    };
}

size_t
lm_place_rows(const lm_stack *stack, size_t longest)
{
    const lm_nn_places places = places_of(stack, NULL);

    return stack->places && longest > 0 ? lm_nn_places_rows(&places, longest) : 0;
}

/* Embeddings of the distances that the batch has, normed where they are. */
static lm_status
fill_places(lm_context *ctx, const lm_stack *stack, const lm_nn_weights *weights,
            const lm_position_tables *tables)
{
    const lm_nn_places places = places_of(stack, weights);
    const lm_norm norm = {
        .kind = stack->blocks[0].norm,
        .gain = lm_model_weight(weights, stack->place_norm.gain),
        .bias = lm_model_weight(weights, stack->place_norm.bias),
        .eps = stack->blocks[0].eps,
    };

    LM_TRY(lm_nn_places_fill(ctx, &places, tables->longest, stack->width, tables->index,
                             tables->place));
    if (norm.gain)
        lm_nn_norm(weights->kernels, &norm, tables->places, stack->width, tables->place,
                   tables->place);
    return LM_OK;
}

lm_nn_disentangled
lm_layer_places(const lm_stack *stack, const lm_position_tables *tables, const float *placed)
{
    return (lm_nn_disentangled){
        .positions = tables->longest,
        .index = tables->index,
        .rows = placed,
        .key_column = lm_block_mixed_width(&stack->blocks[0]),
        .ld = lm_block_qkv_width(&stack->blocks[0]),
        .content_to_place = stack->content_to_place,
        .place_to_content = stack->place_to_content,
        .bias = tables->bias,
    };
}

void
lm_fill_bias(const lm_stack *stack, const float *buckets, const lm_position_tables *tables)
{
    const lm_nn_buckets args = {
        .count = stack->buckets,
        .farthest = stack->farthest,
        .heads = stack->blocks[0].heads,
        .table = buckets,
    };

    if (tables->longest > 0)
        lm_nn_bucket_bias(&args, tables->longest, tables->bias);
}

static lm_status
fill_angles(lm_context *ctx, const lm_block *block, const lm_position_tables *tables, size_t kind)
{
    float *cosines = tables->cosines[kind], *sines = tables->sines[kind];

    if (block->exact_angles)
        return lm_nn_exact_rope_table(ctx, block->theta, block->turned, tables->longest, cosines,
                                      sines);
    return lm_nn_rope_table(ctx, block->theta, block->slower > 0 ? block->slower : 1, block->turned,
                            tables->longest, cosines, sines);
}

lm_status
lm_fill_positions(lm_context *ctx, const lm_stack *stack, const lm_nn_weights *weights,
                  const lm_position_tables *tables)
{
    for (size_t i = 0; i < lm_stack_kinds(stack); i++) {
        const lm_block *block = &stack->blocks[i];

        if (block->position == LM_POSITION_ROPE)
            LM_TRY(fill_angles(ctx, block, tables, i));
    }
    if (stack->linear_bias && tables->longest > 0)
        lm_nn_linear_bias(stack->blocks[0].heads, tables->longest, tables->bias);
    if (stack->bias >= 0 && !stack->own_bias)
        lm_fill_bias(stack, lm_model_weight(weights, stack->bias), tables);
    if (stack->places && tables->longest > 0)
        LM_TRY(fill_places(ctx, stack, weights, tables));
    return LM_OK;
}
