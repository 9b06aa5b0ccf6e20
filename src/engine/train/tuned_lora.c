/*
 * tuned_lora.c - adapters: the whole matrix is used in a pass and has its gradient, from which
 * those of the two small ones follow.
 */
#include "train/tuned_lora.h"

#include <math.h>
#include <string.h>

#include "base/size.h"

/* ---- Opening ---- */

static bool
is_adapted(const lm_tuned_encoder *encoder, const lm_plain_tensor *tensor)
{
    const size_t target = (size_t)tensor->place.target;

    return tensor->rank == 2 && target < encoder->plain->head_first && encoder->gradients[target];
}

static size_t
lay(lm_lora *lora, float *base)
{
    size_t used = 0;

    for (size_t i = 0; i < lora->count; i++) {
        lm_adapter *one = &lora->items[i];

        one->base = lm_lay_floats(base, &used, one->rows * one->width);
        one->a = lm_lay_floats(base, &used, lora->rank * one->width);
        one->da = lm_lay_floats(base, &used, lora->rank * one->width);
        one->b = lm_lay_floats(base, &used, one->rows * lora->rank);
        one->db = lm_lay_floats(base, &used, one->rows * lora->rank);
    }
    return used;
}

static void
list_items(const lm_tuned_encoder *encoder, lm_lora *lora)
{
    const lm_plain *plain = encoder->plain;

    for (size_t i = 0; i < plain->tensor_count; i++) {
        const lm_plain_tensor *tensor = &plain->tensors[i];
        const size_t target = (size_t)tensor->place.target, row = tensor->place.row * tensor->width;

        if (is_adapted(encoder, tensor))
            lora->items[lora->count++] = (lm_adapter){
                .rows = tensor->rows,
                .width = tensor->width,
                .value = encoder->values + plain->offsets[target] + row,
                .grad = encoder->gradients[target] + row,
            };
    }
}

static lm_param
param_of(const char *name, size_t rows, size_t columns, float *value, float *grad)
{
    return (lm_param){.name = name,
                      .rows = rows,
                      .columns = columns,
                      .value = value,
                      .grad = grad,
                      .decay = true,
                      .rate = 1};
}

/* A as torch draws a linear layer's weights, B is 0: the model is what it was. */
static void
begin_item(lm_lora *lora, lm_adapter *one, lm_rng *rng)
{
    const double bound = 1 / sqrt((double)one->width);

    memcpy(one->base, one->value, one->rows * one->width * sizeof *one->base);
    for (size_t i = 0; i < lora->rank * one->width; i++)
        one->a[i] = (float)(bound * (2 * lm_rng_uniform(rng) - 1));
    lora->params[lora->param_count++] = param_of("lora_A", lora->rank, one->width, one->a, one->da);
    lora->params[lora->param_count++] = param_of("lora_B", one->rows, lora->rank, one->b, one->db);
}

lm_status
lm_lora_open(lm_context *ctx, const lm_tuned_encoder *encoder, size_t rank, double alpha,
             lm_rng *rng, lm_lora *lora)
{
    const size_t most = encoder->plain->tensor_count;

    *lora = (lm_lora){.ctx = ctx, .rank = rank, .scale = (float)(alpha / (double)rank)};
    lora->items = lm_alloc_array(ctx, most + 1, sizeof *lora->items);
    lora->params = lm_alloc_array(ctx, 3 * most + 1, sizeof *lora->params);
    if (!lora->items || !lora->params)
        return LM_NO_MEMORY;
    list_items(encoder, lora);
    lora->room = lm_alloc_zero(ctx, (lay(lora, NULL) + 1) * sizeof *lora->room);
    if (!lora->room)
        return LM_NO_MEMORY;
    lay(lora, lora->room);
    memcpy(lora->params, encoder->params, encoder->param_count * sizeof *lora->params);
    lora->param_count = encoder->param_count;
    for (size_t i = 0; i < lora->count; i++) {
        LM_TRY(lm_poll(ctx));
        begin_item(lora, &lora->items[i], rng);
    }
    return LM_OK;
}

void
lm_lora_close(lm_lora *lora)
{
    if (!lora->ctx)
        return;
    lm_free(lora->ctx, lora->items);
    lm_free(lora->ctx, lora->params);
    lm_free(lora->ctx, lora->room);
}

/* ---- Passes ---- */

lm_status
lm_lora_add(const lm_lora *lora)
{
    for (size_t i = 0; i < lora->count; i++) {
        const lm_adapter *one = &lora->items[i];
        const lm_sgemm product = {
            .m = one->rows,
            .n = one->width,
            .k = lora->rank,
            .alpha = lora->scale,
            .a = one->b,
            .lda = lora->rank,
            .b = one->a,
            .ldb = one->width,
            .beta = 1,
            .c = one->value,
            .ldc = one->width,
            .ctx = lora->ctx,
        };

        memcpy(one->value, one->base, one->rows * one->width * sizeof *one->value);
        LM_TRY(lm_blas_sgemm(&product));
    }
    return LM_OK;
}

/* db += scale · dW · aᵀ, da += scale · bᵀ · dW. */
static lm_status
item_backward(const lm_lora *lora, const lm_adapter *one)
{
    const lm_sgemm to_b = {
        .transpose_b = true,
        .m = one->rows,
        .n = lora->rank,
        .k = one->width,
        .alpha = lora->scale,
        .a = one->grad,
        .lda = one->width,
        .b = one->a,
        .ldb = one->width,
        .beta = 1,
        .c = one->db,
        .ldc = lora->rank,
        .ctx = lora->ctx,
    };
    const lm_sgemm to_a = {
        .transpose_a = true,
        .m = lora->rank,
        .n = one->width,
        .k = one->rows,
        .alpha = lora->scale,
        .a = one->b,
        .lda = lora->rank,
        .b = one->grad,
        .ldb = one->width,
        .beta = 1,
        .c = one->da,
        .ldc = one->width,
        .ctx = lora->ctx,
    };

    LM_TRY(lm_blas_sgemm(&to_b));
    LM_TRY(lm_blas_sgemm(&to_a));
    memset(one->grad, 0, one->rows * one->width * sizeof *one->grad);
    return LM_OK;
}

lm_status
lm_lora_backward(const lm_lora *lora)
{
    for (size_t i = 0; i < lora->count; i++)
        LM_TRY(item_backward(lora, &lora->items[i]));
    return LM_OK;
}
