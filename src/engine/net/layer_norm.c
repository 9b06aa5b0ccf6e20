/*
 * layer_norm.c - torch.nn.LayerNorm over a row: weight (D), bias (D). {"layer_norm": true}.
 */
#include "net/kinds.h"
#include "nn/grad.h"

#define EPS 1e-5f

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    if (params) {
        params[0] = lm_net_vector("weight", layer->in, 1, 0);
        params[1] = lm_net_vector("bias", layer->in, 0, 0);
    }
    return 2;
}

static lm_norm
norm_of(const lm_layer_run *run)
{
    return (lm_norm){LM_NORM_LAYER, run->values[0], run->values[1], EPS};
}

static lm_status
forward(const lm_layer_run *run)
{
    const lm_norm norm = norm_of(run);

    lm_nn_norm(run->kernels, &norm, run->rows, run->layer->in, run->x, run->y);
    return lm_poll(run->ctx);
}

static lm_status
backward(const lm_layer_run *run, float *dy, float *dx)
{
    const lm_norm norm = norm_of(run);

    lm_norm_backward(&norm, run->rows, run->layer->in, run->x, dy, dx, lm_layer_grad(run, 0),
                     lm_layer_grad(run, 1));
    return lm_poll(run->ctx);
}

const lm_layer_kind lm_layer_norm = {
    .name = "layer_norm",
    .plain = true,
    .by_row = true,
    .params = params,
    .forward = forward,
    .backward = backward,
};
