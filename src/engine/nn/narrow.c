/*
 * narrow.c - a layer with a bottleneck (MobileBERT, Sun et al. 2020): attention and several nets in
 * a narrow width, which is entered and left by linear layers. What is narrow stands in
 * pass->normed.
 */
#include "nn/narrow.h"

static size_t
narrow_width(const stack_layer *l)
{
    return l->block->heads * l->block->head_dim;
}

/* A linear layer and its norm; args says all but the weights. */
static lm_status
run(const stack_layer *l, lm_normed_linear targets, lm_gemm args)
{
    const stack_pass *pass = l->pass;

    args.packed = lm_weight_of(l, targets.weight);
    args.bias = lm_weight_of(l, targets.bias);
    args.ldr = args.ldc;
    args.scratch = pass->scratch;
    LM_TRY(lm_nn_linear(pass->ctx, pass->weights->product, &args));
    lm_norm_rows(l, targets.norm, args.m, args.n, args.c, args.c);
    return LM_OK;
}

lm_status
lm_narrow_project(const stack_layer *l, size_t rows, const float *x)
{
    const lm_block *block = l->block;
    const size_t wide = l->pass->stack->width, width = narrow_width(l), ld = 3 * width;
    const lm_normed_linear both = {block->qkv, block->qkv_bias, LM_NO_NORM};
    float *attended = l->pass->normed, *qkv = l->pass->wide;

    LM_TRY(run(
        l, block->narrow->attended,
        (lm_gemm){
            .m = rows, .n = width, .k = wide, .a = x, .lda = wide, .c = attended, .ldc = width}));
    LM_TRY(run(l, both,
               (lm_gemm){.m = rows,
                         .n = 2 * width,
                         .k = width,
                         .a = attended,
                         .lda = width,
                         .c = qkv,
                         .ldc = ld}));
    return run(l, block->narrow->value,
               (lm_gemm){.m = rows,
                         .n = width,
                         .k = wide,
                         .a = x,
                         .lda = wide,
                         .c = qkv + 2 * width,
                         .ldc = ld});
}

/* One net on r, whose targets begin with that of its first matrix. */
static lm_status
run_net(const stack_layer *l, int target, size_t rows, float *r)
{
    const stack_pass *pass = l->pass;
    const size_t width = narrow_width(l);
    const lm_norm_targets norm = {target + 4, target + 5};
    const lm_nn_ffn args = {
        .kernels = pass->weights->kernels,
        .product = pass->weights->product,
        .width = width,
        .inner = l->block->inner,
        .up = lm_weight_of(l, target),
        .up_bias = lm_weight_of(l, target + 1),
        .down = lm_weight_of(l, target + 2),
        .down_bias = lm_weight_of(l, target + 3),
        .act = l->block->act,
        .x = r,
        .residual = r,
        .out = r,
        .buffer = pass->wide,
        .scratch = pass->scratch,
    };

    LM_TRY(lm_nn_feed_forward(pass->ctx, &args, rows));
    lm_norm_rows(l, norm, rows, width, r, r);
    return LM_OK;
}

lm_status
lm_narrow_finish(const stack_layer *l, size_t first, size_t rows, float *x)
{
    const lm_block *block = l->block;
    const lm_narrow *narrow = block->narrow;
    const size_t wide = l->pass->stack->width, width = narrow_width(l);
    const lm_normed_linear output = {block->output, block->output_bias,
                                     block->attention_norms.after};
    float *r = l->pass->normed;

    LM_TRY(run(
        l, narrow->entry,
        (lm_gemm){.m = rows, .n = width, .k = wide, .a = x, .lda = wide, .c = r, .ldc = width}));
    LM_TRY(run(l, output,
               (lm_gemm){.m = rows,
                         .n = width,
                         .k = width,
                         .a = l->pass->attention + first * width,
                         .lda = width,
                         .residual = r,
                         .c = r,
                         .ldc = width}));
    for (size_t i = 0; i < block->nets; i++)
        LM_TRY(run_net(l, narrow->net + (int)i * LM_NET_TARGETS, rows, r));
    LM_TRY(run_net(l, block->up, rows, r));
    return run(l, narrow->leave,
               (lm_gemm){.m = rows,
                         .n = wide,
                         .k = width,
                         .a = r,
                         .lda = width,
                         .residual = x,
                         .c = x,
                         .ldc = wide});
}
