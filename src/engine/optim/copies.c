/*
 * copies.c - copies of parameters, in pieces between polls.
 */
#include "optim/copies.h"

#include <math.h>
#include <string.h>

#include "base/size.h"

#define PIECE ((size_t)1 << 18) /* numbers between polls: about a ms */

bool
lm_values_overflow(const lm_network *network, size_t *bytes)
{
    size_t sum = 0, count;

    for (size_t i = 0; i < network->param_count; i++)
        if (lm_mul_overflows(network->params[i].rows, network->params[i].columns, &count) ||
            lm_add_overflows(sum, count, &sum))
            return true;
    return lm_mul_overflows(sum, sizeof(float), bytes);
}

float *
lm_values_open(lm_context *ctx, const lm_network *network)
{
    size_t bytes;

    if (!lm_values_overflow(network, &bytes))
        return lm_alloc(ctx, bytes ? bytes : 1);
    lm_raise(ctx, LM_TOO_LARGE, "the parameters of a training are too large");
    return NULL;
}

/* What is done to a piece of the values and of their copy. */
typedef void (*pair_function)(size_t count, float *value, float *copy, double factor);

static lm_status
each_piece(lm_context *ctx, const lm_network *network, float *copy, pair_function run,
           double factor)
{
    for (size_t i = 0; i < network->param_count; i++) {
        const lm_param *param = &network->params[i];
        const size_t count = param->rows * param->columns;

        for (size_t at = 0; at < count; at += PIECE) {
            LM_TRY(lm_poll(ctx));
            run(count - at < PIECE ? count - at : PIECE, param->value + at, copy + at, factor);
        }
        copy += count;
    }
    return LM_OK;
}

static void
keep(size_t count, float *value, float *copy, double factor)
{
    memcpy(copy, value, count * sizeof(float));
}

static void
restore(size_t count, float *value, float *copy, double factor)
{
    memcpy(value, copy, count * sizeof(float));
}

static void
swap(size_t count, float *value, float *copy, double factor)
{
    for (size_t i = 0; i < count; i++) {
        const float mine = value[i];

        value[i] = copy[i];
        copy[i] = mine;
    }
}

static void
average(size_t count, float *value, float *copy, double factor)
{
    const float old = (float)factor, fresh = (float)(1 - factor);

    for (size_t i = 0; i < count; i++)
        copy[i] = old * copy[i] + fresh * value[i];
}

lm_status
lm_values_keep(lm_context *ctx, const lm_network *network, float *copy)
{
    return each_piece(ctx, network, copy, keep, 0);
}

lm_status
lm_values_restore(lm_context *ctx, const lm_network *network, const float *copy)
{
    return each_piece(ctx, network, (float *)copy, restore, 0);
}

lm_status
lm_values_swap(lm_context *ctx, const lm_network *network, float *copy)
{
    return each_piece(ctx, network, copy, swap, 0);
}

lm_status
lm_values_average(lm_context *ctx, const lm_network *network, double decay, float *copy)
{
    return each_piece(ctx, network, copy, average, decay);
}

lm_status
lm_values_check(lm_context *ctx, const lm_network *network, bool *finite)
{
    *finite = true;
    for (size_t i = 0; *finite && i < network->param_count; i++) {
        const lm_param *param = &network->params[i];
        const size_t count = param->rows * param->columns;
        int wrong = 0;

        for (size_t at = 0; at < count; at += PIECE) {
            const size_t end = count - at < PIECE ? count : at + PIECE;

            LM_TRY(lm_poll(ctx));
            for (size_t j = at; j < end; j++)
                wrong |= !isfinite(param->value[j]);
        }
        *finite = !wrong;
    }
    return LM_OK;
}

lm_status
lm_bytes_append(lm_context *ctx, const void *bytes, size_t size, lm_buffer *out)
{
    const size_t piece = PIECE * sizeof(float);

    for (size_t at = 0; at < size; at += piece) {
        LM_TRY(lm_poll(ctx));
        LM_TRY(
            lm_buffer_append(out, (const char *)bytes + at, size - at < piece ? size - at : piece));
    }
    return LM_OK;
}

lm_status
lm_bytes_copy(lm_context *ctx, void *to, const void *from, size_t size)
{
    const size_t piece = PIECE * sizeof(float);

    for (size_t at = 0; at < size; at += piece) {
        LM_TRY(lm_poll(ctx));
        memcpy((char *)to + at, (const char *)from + at, size - at < piece ? size - at : piece);
    }
    return LM_OK;
}
