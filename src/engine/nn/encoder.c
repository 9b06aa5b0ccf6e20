/*
 * encoder.c - checks a batch, embeds it, and runs the stack over it. The result stays in the
 * workspace: pooling reads it there.
 */
#include "nn/encoder.h"

#include "base/size.h"

/* ---- The workspace ---- */

/*
 * Embeddings that are projected stand behind the stack's input, where the stack has not begun to
 * work yet, and the product's scratch behind them.
 */
typedef struct embedding_space {
    size_t embeddings, scratch, size;
} embedding_space;

/* Numbers of a token that the projection reads. */
static size_t
projected_width(const lm_embedding *embedding)
{
    return embedding->trigram ? 3 * embedding->width : embedding->width;
}

static embedding_space
plan_embeddings(const lm_encoder *encoder, const lm_nn_weights *weights, size_t tokens)
{
    size_t width = projected_width(&encoder->embedding);
    embedding_space space = {.embeddings =
                                 lm_align_up(tokens * encoder->stack.width * sizeof(float))};

    space.scratch = lm_align_up(space.embeddings + tokens * width * sizeof(float));
    space.size = lm_align_up(space.scratch + weights->product->scratch_size(tokens, width));
    return space;
}

/* The matrix between embeddings and stack; NULL: they are the stack's input. */
static const void *
projection_of(const lm_encoder *encoder, const lm_nn_weights *weights)
{
    return encoder->embedding.more ? lm_model_weight(weights, encoder->embedding.projection) : NULL;
}

size_t
lm_encoder_workspace(const lm_encoder *encoder, const lm_nn_weights *weights, size_t tokens,
                     size_t longest)
{
    size_t size = lm_stack_workspace(&encoder->stack, weights, tokens, longest);

    if (projection_of(encoder, weights)) {
        embedding_space space = plan_embeddings(encoder, weights, tokens);

        size = space.size > size ? space.size : size;
    }
    return size;
}

/* ---- Embeddings ---- */

/* Refuses what the tables have no row for. */
static lm_status
check_batch(lm_context *ctx, const lm_embedding *embedding, const lm_batch *batch)
{
    size_t longest = lm_batch_longest(batch);

    if (longest > embedding->window) {
        lm_raise(ctx, LM_TOO_LARGE, "a text has more tokens than the model has positions");
        lm_detail_found(ctx, "%zu tokens", longest);
        return lm_detail_allowed(ctx, "at most %zu", embedding->window);
    }
    if (!batch->type_ids || embedding->types < 0)
        return LM_OK;
    for (size_t token = 0; token < batch->tokens; token++)
        if (batch->type_ids[token] < 0 || (size_t)batch->type_ids[token] >= embedding->type_count) {
            lm_raise(ctx, LM_BAD_ARGUMENT, "the model has no such token type");
            lm_detail_found(ctx, "%d", batch->type_ids[token]);
            return lm_detail_allowed(ctx, "0 to %zu", embedding->type_count - 1);
        }
    return LM_OK;
}

lm_nn_embedding
lm_encoder_tables(const lm_encoder *encoder, const lm_nn_weights *weights, const lm_batch *batch)
{
    const lm_embedding *embedding = &encoder->embedding;

    return (lm_nn_embedding){
        .width = embedding->more ? embedding->width : encoder->stack.width,
        .bf16 = lm_precisions[weights->precision].bf16_tables,
        .words = lm_model_weight(weights, embedding->words),
        .types = lm_model_weight(weights, embedding->types),
        .position = lm_model_weight(weights, embedding->positions),
        .common = embedding->more ? lm_model_weight(weights, embedding->common) : NULL,
        .first_position = embedding->first_position,
        .skip_padding = embedding->skip_padding,
        .ids = batch->ids,
        .type_ids = batch->type_ids,
        .texts = batch->texts,
        .offsets = batch->offsets,
    };
}

static void
norm_tokens(const lm_embedding *embedding, const lm_nn_weights *weights, size_t tokens,
            size_t width, float *x)
{
    const lm_norm norm = {
        .kind = embedding->norm_kind,
        .gain = lm_model_weight(weights, embedding->norm.gain),
        .bias = lm_model_weight(weights, embedding->norm.bias),
        .eps = embedding->eps,
    };

    if (norm.gain)
        lm_nn_norm(weights->kernels, &norm, tokens, width, x, x);
}

/* The sum of embeddings, scaled and normalised. */
static lm_status
embed(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
      const lm_batch *batch, float *x)
{
    const lm_embedding *embedding = &encoder->embedding;
    const lm_nn_embedding args = lm_encoder_tables(encoder, weights, batch);

    LM_TRY(lm_nn_embed(ctx, weights->kernels, &args, x));
    if (embedding->scale > 0)
        for (size_t i = 0; i < batch->tokens * args.width; i++)
            x[i] *= embedding->scale;
    norm_tokens(embedding, weights, batch->tokens, args.width, x);
    return LM_OK;
}

/* The types and positions of words that were projected, and the norm. */
static lm_status
add_places(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
           const lm_batch *batch, float *x)
{
    lm_nn_embedding args = lm_encoder_tables(encoder, weights, batch);

    args.words = NULL;
    args.width = encoder->stack.width;
    LM_TRY(lm_nn_embed(ctx, weights->kernels, &args, x));
    norm_tokens(&encoder->embedding, weights, batch->tokens, args.width, x);
    return LM_OK;
}

/* What the projection reads. */
static lm_status
embed_narrow(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
             const lm_batch *batch, float *x)
{
    const lm_nn_embedding args = lm_encoder_tables(encoder, weights, batch);

    return encoder->embedding.trigram ? lm_nn_trigrams(ctx, &args, x)
                                      : embed(ctx, encoder, weights, batch, x);
}

/* Layer 0 of the hidden states, with which the workspace begins. */
static lm_status
make_input(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
           const lm_batch *batch, char *workspace)
{
    const lm_embedding *embedding = &encoder->embedding;
    const void *matrix = projection_of(encoder, weights);
    embedding_space space = {.size = 0};
    lm_gemm args;

    if (!matrix)
        return embed(ctx, encoder, weights, batch, (float *)workspace);
    space = plan_embeddings(encoder, weights, batch->tokens);
    args = (lm_gemm){
        .m = batch->tokens,
        .n = encoder->stack.width,
        .k = projected_width(embedding),
        .a = (const float *)(workspace + space.embeddings),
        .lda = projected_width(embedding),
        .packed = matrix,
        .bias = lm_model_weight(weights, embedding->projection_bias),
        .c = (float *)workspace,
        .ldc = encoder->stack.width,
        .scratch = workspace + space.scratch,
    };
    LM_TRY(embed_narrow(ctx, encoder, weights, batch, (float *)(workspace + space.embeddings)));
    LM_TRY(lm_nn_linear(ctx, weights->product, &args));
    return embedding->trigram ? add_places(ctx, encoder, weights, batch, (float *)workspace)
                              : LM_OK;
}

lm_status
lm_encoder_run(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
               const lm_batch *batch, size_t layers, void *workspace, const float **hidden)
{
    LM_TRY(check_batch(ctx, &encoder->embedding, batch));
    LM_TRY(make_input(ctx, encoder, weights, batch, workspace));
    LM_TRY(lm_stack_run(ctx, &encoder->stack, weights, batch, layers, workspace));
    *hidden = workspace;
    return LM_OK;
}
