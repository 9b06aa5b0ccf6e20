/*
 * embedding_grad.c - gradients of embedding tables: each token adds to the rows that it is the sum
 * of. Tokens come one after the other, so equal words add up in one order.
 */
#include <stdint.h>

#include "nn/grad.h"

#define TOKENS_PER_POLL 4096

/* A row of a gradient, which `table` is. */
static void
add_to_row(size_t width, const void *table, size_t row, const float *x)
{
    float *sum = (float *)(uintptr_t)table;

    if (!table)
        return;
    sum += row * width;
    for (size_t i = 0; i < width; i++)
        sum[i] += x[i];
}

lm_status
lm_nn_embed_backward(lm_context *ctx, const lm_nn_embedding *args, const float *dsums)
{
    for (size_t text = 0; text < args->texts; text++) {
        size_t counted = 0;

        for (size_t token = args->offsets[text]; token < args->offsets[text + 1]; token++) {
            const float *x = dsums + token * args->width;
            size_t type = args->type_ids ? (size_t)args->type_ids[token] : 0;

            if (token % TOKENS_PER_POLL == 0)
                LM_TRY(lm_poll(ctx));
            add_to_row(args->width, args->words, (size_t)args->ids[token], x);
            add_to_row(args->width, args->types, type, x);
            add_to_row(args->width, args->position, lm_nn_position_of(args, token, &counted), x);
            add_to_row(args->width, args->common, 0, x);
        }
    }
    return LM_OK;
}

void
lm_trigrams_forward(const size_t *offsets, size_t texts, size_t width, const float *x, float *y)
{
    for (size_t text = 0; text < texts; text++)
        for (size_t row = offsets[text]; row < offsets[text + 1]; row++)
            for (size_t i = 0; i < width; i++) {
                const float *here = x + row * width + i;
                float *out = y + row * 3 * width + i;

                out[0] = row + 1 < offsets[text + 1] ? here[width] : 0;
                out[width] = *here;
                out[2 * width] = row > offsets[text] ? here[-(ptrdiff_t)width] : 0;
            }
}

/* A row is the first part of that before it, its own second, and the third of that behind it. */
void
lm_trigrams_backward(const size_t *offsets, size_t texts, size_t width, const float *dy, float *dx)
{
    for (size_t text = 0; text < texts; text++)
        for (size_t row = offsets[text]; row < offsets[text + 1]; row++)
            for (size_t i = 0; i < width; i++) {
                const float *own = dy + row * 3 * width + width + i;
                float sum = *own;

                if (row > offsets[text])
                    sum += own[-4 * (ptrdiff_t)width];
                if (row + 1 < offsets[text + 1])
                    sum += own[4 * width];
                dx[row * width + i] = sum;
            }
}
