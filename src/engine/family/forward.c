/*
 * forward.c - the forward pass of a model: nn's, by what its family describes.
 */
#include "family/family.h"

/* Its weights as nn sees them. */
static lm_nn_weights
view_of(const lm_weights *weights)
{
    return (lm_nn_weights){
        .kernels = weights->kernels,
        .precision = weights->precision,
        .product = weights->product,
        .attention = weights->attention,
        .model = weights->table + weights->first[LM_GROUP_MODEL],
        .layers = weights->table + weights->first[LM_GROUP_LAYERS],
        .stride = (size_t)weights->targets[LM_GROUP_LAYERS],
    };
}

void
lm_weights_describe(const lm_weights *weights, lm_encoder *encoder, lm_nn_weights *view)
{
    *view = view_of(weights);
    weights->family->describe(weights->config, encoder);
}

size_t
lm_forward_workspace(const lm_weights *weights, size_t tokens, size_t longest)
{
    lm_nn_weights view;
    lm_encoder encoder;

    lm_weights_describe(weights, &encoder, &view);
    return lm_encoder_workspace(&encoder, &view, tokens, longest);
}

lm_status
lm_forward(lm_context *ctx, const lm_weights *weights, const lm_batch *batch, int layers,
           void *workspace, const float **hidden)
{
    lm_nn_weights view;
    lm_encoder encoder;

    lm_weights_describe(weights, &encoder, &view);
    return lm_encoder_run(ctx, &encoder, &view, batch, (size_t)layers, workspace, hidden);
}
