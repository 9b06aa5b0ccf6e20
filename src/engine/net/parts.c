/*
 * parts.c - what layers share: products with their gradients, noise, and passes that change
 * nothing.
 */
#include "net/layer.h"

#include <string.h>

#include "nn/dropout.h"
#include "nn/grad.h"
#include "nn/nn.h"

static lm_linear
linear_of(const lm_layer_run *run, size_t param, size_t rows)
{
    const lm_net_param *p = &run->params[param];

    return (lm_linear){.rows = rows,
                       .in = p->columns,
                       .out = p->rows,
                       .weight = run->values[param],
                       .rounded = run->rounded ? run->kernels : NULL};
}

static lm_status
multiply_rounded(const lm_layer_run *run, size_t param, size_t rows, const float *x,
                 const float *bias, lm_activation act, float *y)
{
    lm_linear linear = linear_of(run, param, rows);

    linear.bias = bias;
    LM_TRY(lm_linear_forward(run->ctx, &linear, x, y));
    run->kernels->activate_f32(act, rows * linear.out, y);
    return LM_OK;
}

lm_status
lm_layer_multiply(const lm_layer_run *run, size_t param, size_t rows, const float *x,
                  const float *bias, lm_activation act, float *y)
{
    const lm_net_param *p = &run->params[param];
    const lm_gemm product = {
        .m = rows,
        .n = p->rows,
        .k = p->columns,
        .a = x,
        .lda = p->columns,
        .packed = run->packed[param],
        .bias = bias,
        .act = act,
        .c = y,
        .ldc = p->rows,
    };

    if (run->rounded)
        return multiply_rounded(run, param, rows, x, bias, act, y);
    return lm_nn_linear(run->ctx, &run->kernels->products[LM_PRECISION_F32], &product);
}

lm_status
lm_layer_weight_grads(const lm_layer_run *run, size_t param, size_t rows, const float *x,
                      const float *dy, float *dbias)
{
    const lm_linear linear = linear_of(run, param, rows);

    return lm_linear_backward(run->ctx, &linear, x, dy, NULL, lm_layer_grad(run, param), dbias);
}

lm_status
lm_layer_input_grads(const lm_layer_run *run, size_t param, size_t rows, const float *dy, float *dx)
{
    const lm_linear linear = linear_of(run, param, rows);

    return dx ? lm_linear_backward(run->ctx, &linear, NULL, dy, dx, NULL, NULL) : LM_OK;
}

/* A row's counter is of its text's number and its place in it, whatever batch it is in. */
void
lm_layer_drop(const lm_layer_run *run, uint64_t salt, bool pooled, size_t width, const float *x,
              float *y)
{
    const lm_net_batch *batch = run->batch;
    const lm_dropout dropout = {
        (float)run->layer->options.dropout,
        lm_dropout_seed(batch->seed, batch->step, (uint64_t)run->layer->place * 64 + salt)};

    for (size_t text = 0; text < batch->texts; text++) {
        const size_t first = pooled ? text : batch->offsets[text];
        const size_t count = pooled ? 1 : batch->offsets[text + 1] - first;

        for (size_t i = 0; i < count; i++)
            lm_dropout_row(&dropout, (batch->rows[text] << 24) + i, width, x + (first + i) * width,
                           y + (first + i) * width);
    }
}

lm_status
lm_layer_hand_on(const lm_layer_run *run)
{
    memcpy(run->y, run->x, run->rows * run->layer->in * sizeof *run->y);
    return lm_poll(run->ctx);
}

lm_status
lm_layer_hand_back(const lm_layer_run *run, float *dy, float *dx)
{
    memcpy(dx, dy, run->rows * run->layer->in * sizeof *dx);
    return lm_poll(run->ctx);
}
