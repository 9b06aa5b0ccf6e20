/*
 * compare.c - tests of paired predictions. All of them need four counts only.
 */
#include "metrics/compare.h"

#include <math.h>

#include "base/rng.h"

#define PI 3.14159265358979323846
#define EXACT_BELOW 25  /* rows on which the two differ */
#define POLL_EVERY 1024 /* draws */
#define FEW_DRAWS 64    /* are counted one by one */

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

/* Of the normal distribution (Box and Muller 1958). */
static double
draw_normal(lm_rng *rng)
{
    double length = sqrt(-2 * log(1 - lm_rng_uniform(rng)));

    return length * cos(2 * PI * lm_rng_uniform(rng));
}

/* A number of the gamma distribution of a shape of at least 32, where v is above 0 (Marsaglia and
 * Tsang 2000). */
static double
draw_gamma(lm_rng *rng, double shape)
{
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (;;) {
        double x = draw_normal(rng), v = pow(1 + c * x, 3);

        if (log(1 - lm_rng_uniform(rng)) < x * x / 2 + d - d * v + d * log(v))
            return d * v;
    }
}

/*
 * How many of `count` draws fall below `share`. Of uniform numbers the one in the middle has a beta
 * distribution, and those on its side of the share are as many numbers again, drawn from what is
 * left of the range (Relles 1972): so the steps are the logarithm of the draws.
 */
static uint64_t
draw_binomial(lm_rng *rng, uint64_t count, double share)
{
    uint64_t below = 0;

    while (count > FEW_DRAWS) {
        uint64_t middle = count / 2 + 1, behind = count - middle;
        double a = draw_gamma(rng, (double)middle), b = draw_gamma(rng, (double)behind + 1);
        double place = a / (a + b);

        if (place > share) {
            count = middle - 1;
            share /= place;
        } else {
            below += middle;
            count = behind;
            share = (share - place) / (1 - place);
        }
    }
    for (; count > 0; count--)
        below += lm_rng_uniform(rng) < share;
    return below;
}

/* b's right rows less a's in rows drawn with replacement. */
static int64_t
draw_gain(const lm_paired *paired, lm_rng *rng)
{
    uint64_t differ = paired->only_a + paired->only_b;
    uint64_t drawn = draw_binomial(rng, paired->rows, (double)differ / (double)paired->rows);
    uint64_t of_b = draw_binomial(rng, drawn, (double)paired->only_b / (double)differ);

    return 2 * (int64_t)of_b - (int64_t)drawn;
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
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        gain = draw_gain(paired, &rng);
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
