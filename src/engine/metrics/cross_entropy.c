/*
 * cross_entropy.c - sums over texts of their log probability and their tokens; each text counts by
 * its tokens, as a corpus' cross entropy does.
 */
#include "metrics/cross_entropy.h"

#include <math.h>
#include <string.h>

/* In the form in which they travel: processes of one server. */
typedef struct sums {
    double log_probability;
    int64_t tokens;
} sums;

typedef struct token_losses {
    lm_context *ctx;
    sums sums;
} token_losses;

static lm_status
losses_create(lm_context *ctx, void **counts)
{
    token_losses *losses = lm_alloc_zero(ctx, sizeof *losses);

    *counts = losses;
    if (!losses)
        return LM_NO_MEMORY;
    losses->ctx = ctx;
    return LM_OK;
}

static void
losses_free(void *counts)
{
    token_losses *losses = counts;

    if (losses)
        lm_free(losses->ctx, losses);
}

static lm_status
add_sums(token_losses *losses, sums more)
{
    if (__builtin_add_overflow(losses->sums.tokens, more.tokens, &losses->sums.tokens))
        return lm_raise(losses->ctx, LM_TOO_LARGE, "too many tokens to count");
    losses->sums.log_probability += more.log_probability;
    return LM_OK;
}

/* Rounding may lift a probability above 1 a little: such a row is taken as it is. */
static lm_status
losses_add(void *counts, const lm_metric_value *row)
{
    token_losses *losses = counts;

    if (isnan(row[0].number))
        return lm_raise(losses->ctx, LM_BAD_ARGUMENT, "log_probability must be a number");
    if (row[1].whole < 0) {
        lm_raise(losses->ctx, LM_BAD_ARGUMENT, "tokens must not be negative");
        return lm_detail_found(losses->ctx, "%lld", (long long)row[1].whole);
    }
    return add_sums(losses, (sums){row[0].number, row[1].whole});
}

/* Nothing here is a label. */
static lm_status
losses_merge(void *into, const void *from, const lm_label_map *map)
{
    return add_sums(into, ((const token_losses *)from)->sums);
}

static lm_status
losses_write(void *counts, lm_buffer *out)
{
    const token_losses *losses = counts;

    return lm_buffer_append(out, &losses->sums, sizeof losses->sums);
}

static lm_status
losses_read(void *counts, const char *bytes, size_t size)
{
    token_losses *losses = counts;

    if (size != sizeof losses->sums)
        return lm_raise(losses->ctx, LM_CORRUPT, "the sums of log probabilities are not whole");
    memcpy(&losses->sums, bytes, size);
    return LM_OK;
}

static const lm_metric_column columns[] = {
    {"log_probability", LM_METRIC_NUMBER}, {"tokens", LM_METRIC_WHOLE}, {NULL, 0}};

const lm_metric_counts lm_token_losses = {.columns = columns,
                                          .create = losses_create,
                                          .free = losses_free,
                                          .add = losses_add,
                                          .merge = losses_merge,
                                          .write = losses_write,
                                          .read = losses_read};

lm_status
lm_cross_entropy_result(void *counts, const lm_metric_value *settings, double *value)
{
    const token_losses *losses = counts;

    *value =
        losses->sums.tokens > 0 ? -losses->sums.log_probability / (double)losses->sums.tokens : NAN;
    return LM_OK;
}

lm_status
lm_perplexity_result(void *counts, const lm_metric_value *settings, double *value)
{
    LM_TRY(lm_cross_entropy_result(counts, settings, value));
    *value = exp(*value);
    return LM_OK;
}
