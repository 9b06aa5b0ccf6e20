/*
 * compare.c - tests of paired predictions. All of them need four counts only.
 */
#include "metrics/compare.h"

#include <math.h>

#include "base/rng.h"

#define EXACT_BELOW 25   /* rows on which the two differ */
#define POLL_EVERY 65536 /* draws */

static const lm_test undefined = {NAN, NAN};

/* Both sides of a binomial distribution of one half. */
static double
binomial_p(uint64_t least, uint64_t count)
{
    double sum = 0, term = pow(0.5, (double)count);

    for (uint64_t i = 0; i <= least; i++) {
        sum += term;
        term *= (double)(count - i) / (double)(i + 1);
    }
    return fmin(1, 2 * sum);
}

lm_test
lm_mcnemar(const lm_paired *paired)
{
    uint64_t a = paired->only_a, b = paired->only_b, differ = a + b, least = a < b ? a : b;
    double distance = fabs((double)a - (double)b) - 1, square;

    if (differ == 0)
        return undefined;
    if (differ < EXACT_BELOW)
        return (lm_test){(double)least, binomial_p(least, differ)};
    square = distance * distance / (double)differ;
    return (lm_test){square, erfc(sqrt(square / 2))};
}

lm_test
lm_two_proportions(const lm_paired *paired)
{
    double rows = (double)paired->rows, a = (double)(paired->only_a + paired->both) / rows;
    double b = (double)(paired->only_b + paired->both) / rows, pooled = (a + b) / 2;
    double z = (b - a) / sqrt(pooled * (1 - pooled) * 2 / rows);

    if (isnan(z))
        return undefined;
    return (lm_test){z, erfc(fabs(z) / sqrt(2))};
}

/* b's right rows less a's in rows drawn with replacement. */
static lm_status
draw_gain(lm_context *ctx, const lm_paired *paired, lm_rng *rng, int64_t *gain)
{
    uint64_t differ = paired->only_a + paired->only_b;

    *gain = 0;
    for (uint64_t i = 0; i < paired->rows; i++) {
        uint64_t row = lm_rng_below(rng, paired->rows);

        *gain += row < paired->only_a ? -1 : row < differ ? 1 : 0;
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

lm_status
lm_paired_bootstrap(lm_context *ctx, const lm_paired *paired, int resamples, uint64_t seed,
                    lm_test *test)
{
    int64_t gain;
    int above = 1, below = 1; /* the one more: no probability is 0 */
    lm_rng rng;

    *test = undefined;
    if (paired->rows == 0)
        return LM_OK;
    lm_rng_seed(&rng, seed);
    for (int i = 0; i < resamples; i++) {
        LM_TRY(draw_gain(ctx, paired, &rng, &gain));
        above += gain >= 0;
        below += gain <= 0;
    }
    test->value = ((double)paired->only_b - (double)paired->only_a) / (double)paired->rows;
    test->p = fmin(1, 2.0 * (above < below ? above : below) / (resamples + 1));
    return LM_OK;
}

double
lm_percentile(const double *sorted, size_t count, double share)
{
    double place = share * (double)(count - 1), part = place - floor(place);
    size_t at = (size_t)place;

    if (at + 1 >= count)
        return sorted[count - 1];
    return sorted[at] + (sorted[at + 1] - sorted[at]) * part;
}
