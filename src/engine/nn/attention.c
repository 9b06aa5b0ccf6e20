/*
 * attention.c - attention of packed texts: one kernel call for a text, or for some heads of a long
 * one. Polls before the work since the last poll goes beyond the budget.
 */
#include "nn/nn.h"

/* Work of one head of a text: Q Kᵀ and the weighted sum of V, and about as much as a row to pack.
 */
static double
head_flops(const lm_nn_attention *args, size_t tokens)
{
    double queries = args->wanted ? 1 : (double)tokens;

    return 4.0 * (double)tokens * (queries + 1) * (double)args->head_dim;
}

/* The kernel's arguments for heads first … first + heads − 1 of a text. */
static lm_attention
heads_of_text(const lm_nn_attention *args, size_t text, size_t first, size_t heads)
{
    size_t width = args->heads * args->head_dim, column = first * args->head_dim;
    size_t row = args->offsets[text], tokens = args->offsets[text + 1] - row;
    size_t start = args->offsets[args->first];
    const float *qkv = args->qkv + (row - start) * 3 * width + column;

    return (lm_attention){
        .tokens = tokens,
        .heads = heads,
        .head_dim = args->head_dim,
        .queries = args->wanted ? 1 : tokens,
        .q = args->wanted ? args->qkv + (args->wanted[text] - start) * 3 * width + column : qkv,
        .k = qkv + width,
        .v = qkv + 2 * width,
        .ld = 3 * width,
        .scale = args->scale,
        .out = args->out + (args->wanted ? text : row) * width + column,
        .ldo = width,
        .scratch = args->scratch,
    };
}

/* Heads of this text that one kernel call may take: as many as the budget allows, at least one. */
static size_t
heads_per_call(const lm_nn_attention *args, size_t tokens, double budget)
{
    double heads = budget / head_flops(args, tokens);

    if (heads >= (double)args->heads)
        return args->heads;
    return heads >= 1 ? (size_t)heads : 1;
}

/*
 * Goes through the texts in order. Short texts are many to a budget, so the work is added up and a
 * poll comes only when it is due.
 */
lm_status
lm_nn_attend(lm_context *ctx, const lm_kernels *kernels, const lm_nn_attention *args)
{
    double budget = kernels->poll_flops, spent = budget;

    for (size_t text = args->first; text < args->end; text++) {
        size_t tokens = args->offsets[text + 1] - args->offsets[text];
        size_t step = tokens > 0 ? heads_per_call(args, tokens, budget) : args->heads;

        for (size_t head = 0; head < args->heads && tokens > 0; head += step) {
            size_t heads = args->heads - head < step ? args->heads - head : step;
            lm_attention call = heads_of_text(args, text, head, heads);
            double cost = head_flops(args, tokens) * (double)heads;

            if (spent + cost > budget) {
                LM_TRY(lm_poll(ctx));
                spent = 0;
            }
            args->kernel->run(&call);
            spent += cost;
        }
    }
    return LM_OK;
}
