/*
 * correlation.c - correlations. Those over ranks count in whole numbers. Pearson's sums carry what
 * rounding leaves over (a sum is two doubles, 106 bits), so that parts in any order come to the
 * same double, and large means take nothing from it.
 */
#include "metrics/correlation.h"

#include <math.h>
#include <string.h>

/* ---- Pearson ---- */

/* high + low; high is their rounded sum. */
typedef struct twofold {
    double high, low;
} twofold;

enum { X, Y, XX, YY, XY, SUMS };

/* In the form in which they travel. */
typedef struct moment_sums {
    uint64_t rows;
    twofold sums[SUMS];
    double low[2], high[2]; /* of x and y */
} moment_sums;

typedef struct moments {
    lm_context *ctx;
    moment_sums s;
} moments;

/* a + b without rounding (Knuth). */
static twofold
exact_sum(double a, double b)
{
    double sum = a + b, part = sum - a;

    return (twofold){sum, (a - (sum - part)) + (b - part)};
}

static twofold
plus(twofold a, twofold b)
{
    twofold high = exact_sum(a.high, b.high), low = exact_sum(a.low, b.low), sum;

    sum = exact_sum(high.high, high.low + low.high);
    return exact_sum(sum.high, sum.low + low.low);
}

static twofold
product(double a, double b)
{
    double rounded = a * b;

    return (twofold){rounded, fma(a, b, -rounded)};
}

static twofold
times(twofold a, twofold b)
{
    twofold p = product(a.high, b.high);

    return exact_sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}

static twofold
minus(twofold a, twofold b)
{
    return plus(a, (twofold){-b.high, -b.low});
}

static lm_status
moments_create(lm_context *ctx, void **counts)
{
    moments *m = lm_alloc_zero(ctx, sizeof *m);

    *counts = m;
    if (!m)
        return LM_NO_MEMORY;
    m->ctx = ctx;
    for (int i = X; i <= Y; i++) {
        m->s.low[i] = INFINITY;
        m->s.high[i] = -INFINITY;
    }
    return LM_OK;
}

static void
moments_free(void *counts)
{
    moments *m = counts;

    if (m)
        lm_free(m->ctx, m);
}

static void
add_sums(moment_sums *into, const moment_sums *more)
{
    into->rows += more->rows;
    for (int i = 0; i < SUMS; i++)
        into->sums[i] = plus(into->sums[i], more->sums[i]);
    for (int i = X; i <= Y; i++) {
        into->low[i] = fmin(into->low[i], more->low[i]);
        into->high[i] = fmax(into->high[i], more->high[i]);
    }
}

static lm_status
moments_add(void *counts, const lm_metric_value *row)
{
    moments *m = counts;
    double x = row[0].number, y = row[1].number;

    if (!isfinite(x) || !isfinite(y)) {
        lm_raise(m->ctx, LM_BAD_ARGUMENT, "numbers of pearson must be finite");
        return lm_detail_found(m->ctx, "%g", isfinite(x) ? y : x);
    }
    add_sums(&m->s,
             &(moment_sums){.rows = 1,
                            .sums = {{x, 0}, {y, 0}, product(x, x), product(y, y), product(x, y)},
                            .low = {x, y},
                            .high = {x, y}});
    return LM_OK;
}

static lm_status
moments_merge(void *into, const void *from, const lm_label_map *map)
{
    add_sums(&((moments *)into)->s, &((const moments *)from)->s);
    return LM_OK;
}

static lm_status
moments_write(void *counts, lm_buffer *out)
{
    const moments *m = counts;

    return lm_buffer_append(out, &m->s, sizeof m->s);
}

static lm_status
moments_read(void *counts, const char *bytes, size_t size)
{
    moments *m = counts;

    if (size != sizeof m->s)
        return lm_raise(m->ctx, LM_CORRUPT, "the sums of a correlation are not whole");
    memcpy(&m->s, bytes, size);
    return LM_OK;
}

static const lm_metric_column columns[] = {
    {"x", LM_METRIC_NUMBER}, {"y", LM_METRIC_NUMBER}, {NULL, 0}};

const lm_metric_counts lm_moments = {.columns = columns,
                                     .create = moments_create,
                                     .free = moments_free,
                                     .add = moments_add,
                                     .merge = moments_merge,
                                     .write = moments_write,
                                     .read = moments_read};

/* Rounding may go beyond 1. What is too large for a double is undefined, as 0 / 0 is. */
static double
correlation(double both, double first, double second)
{
    double r = both / (sqrt(first) * sqrt(second));

    return isnan(r) || isinf(first) || isinf(second) ? NAN : fmax(-1, fmin(1, r));
}

/* n Σxy − Σx Σy, or of one column with itself. */
static double
centred(const moment_sums *s, int product, int a, int b)
{
    twofold rows = {(double)s->rows, 0};

    return minus(times(rows, s->sums[product]), times(s->sums[a], s->sums[b])).high;
}

lm_status
lm_pearson_result(void *counts, const lm_metric_value *settings, double *value)
{
    const moment_sums *s = &((const moments *)counts)->s;

    *value = NAN;
    if (s->low[X] < s->high[X] && s->low[Y] < s->high[Y])
        *value = correlation(centred(s, XY, X, Y), centred(s, XX, X, X), centred(s, YY, Y, Y));
    return LM_OK;
}

/* ---- Pairs that are kept ---- */

static lm_status
pairs_add(void *counts, const lm_metric_value *row)
{
    lm_samples *samples = counts;

    LM_TRY(lm_metric_refuse_nan(samples->ctx, "x", row[0].number));
    LM_TRY(lm_metric_refuse_nan(samples->ctx, "y", row[1].number));
    return lm_samples_add(samples, row[0].number, row[1].number);
}

const lm_metric_counts lm_number_pairs = {.columns = columns,
                                          .create = lm_samples_create,
                                          .free = lm_samples_free,
                                          .add = pairs_add,
                                          .merge = lm_samples_merge,
                                          .write = lm_samples_write,
                                          .read = lm_samples_read};

/* ---- Spearman ---- */

/*
 * Sort by score, put twice the rank's distance from the mean rank in its place, a whole number, and
 * change places with the value.
 */
static lm_status
rank_and_swap(lm_context *ctx, lm_sample *items, size_t count)
{
    size_t from;

    LM_TRY(lm_samples_sort(ctx, items, count));
    for (size_t to = count; to > 0; to = from) {
        LM_TRY(lm_samples_tie(ctx, items, to, &from));
        for (size_t i = from; i < to; i++) {
            items[i] = (lm_sample){(double)(from + to) - (double)count, items[i].value};
            if (i % LM_METRIC_POLL == 0)
                LM_TRY(lm_poll(ctx));
        }
    }
    return LM_OK;
}

static lm_status
correlate_ranks(lm_context *ctx, const lm_sample *items, size_t count, double *value)
{
    __int128 both = 0, first = 0, second = 0;

    for (size_t i = 0; i < count; i++) {
        int64_t x = (int64_t)items[i].value, y = (int64_t)items[i].score;

        both += (__int128)x * y;
        first += (__int128)x * x;
        second += (__int128)y * y;
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(ctx));
    }
    *value = correlation((double)both, (double)first, (double)second);
    return LM_OK;
}

lm_status
lm_spearman_result(void *counts, const lm_metric_value *settings, double *value)
{
    const lm_samples *samples = counts;
    lm_context *ctx = samples->ctx;
    lm_sample *items;
    lm_status status;

    LM_TRY(lm_samples_copy(samples, &items));
    status = rank_and_swap(ctx, items, samples->count);
    if (status == LM_OK)
        status = rank_and_swap(ctx, items, samples->count);
    if (status == LM_OK)
        status = correlate_ranks(ctx, items, samples->count, value);
    lm_free(ctx, items);
    return status;
}

/* ---- Kendall ---- */

/* Pairs of rows. */
typedef struct pair_counts {
    uint64_t all, same_x, same_y, same, swapped;
} pair_counts;

static uint64_t
pairs_of(uint64_t rows)
{
    return rows < 2 ? 0 : (rows % 2 ? rows * ((rows - 1) / 2) : rows / 2 * (rows - 1));
}

/* Pairs within one x, and within one row, of items sorted by score (x) and value (y). */
static lm_status
count_ties(lm_context *ctx, const lm_sample *items, size_t count, uint64_t *by_score,
           uint64_t *by_both)
{
    uint64_t scores = 0, both = 0;

    for (size_t i = 0; i < count; i++) {
        bool same_score = i > 0 && items[i].score == items[i - 1].score;

        scores = same_score ? scores + 1 : 0;
        both = same_score && items[i].value == items[i - 1].value ? both + 1 : 0;
        *by_score += scores;
        *by_both += both;
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

/* Merge two runs by value; each step over the rest of the left one is a pair out of order. */
static lm_status
merge_values(lm_context *ctx, const lm_sample *from, size_t low, size_t middle, size_t high,
             lm_sample *to, uint64_t *swapped)
{
    size_t left = low, right = middle;

    for (size_t at = low; at < high; at++) {
        bool take_left = right == high || (left < middle && from[left].value <= from[right].value);

        *swapped += take_left ? 0 : middle - left;
        to[at] = from[take_left ? left++ : right++];
        if (at % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

/* Sort by value, counting pairs out of order; *items and *other change places. */
static lm_status
count_swaps(lm_context *ctx, lm_sample **items, lm_sample **other, size_t count, uint64_t *swapped)
{
    for (size_t run = 1; run < count; run *= 2) {
        lm_sample *swap = *items;

        for (size_t low = 0; low < count;) {
            size_t middle = count - low > run ? low + run : count;
            size_t high = count - middle > run ? middle + run : count;

            LM_TRY(merge_values(ctx, *items, low, middle, high, *other, swapped));
            low = high;
        }
        *items = *other;
        *other = swap;
    }
    return LM_OK;
}

/* Scores become values, so that ties of these are counted as those of scores were. */
static lm_status
count_pairs(lm_context *ctx, lm_sample **items, lm_sample **other, size_t count, pair_counts *p)
{
    uint64_t none = 0;

    p->all = pairs_of(count);
    LM_TRY(lm_samples_sort(ctx, *items, count));
    LM_TRY(count_ties(ctx, *items, count, &p->same_x, &p->same));
    LM_TRY(count_swaps(ctx, items, other, count, &p->swapped));
    for (size_t i = 0; i < count; i++) {
        (*items)[i].score = (*items)[i].value;
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(ctx));
    }
    return count_ties(ctx, *items, count, &p->same_y, &none);
}

/* Pairs in order less pairs out of order, over the roots of those that are no tie on a side. */
static double
tau_b(const pair_counts *p)
{
    double difference =
        (double)(int64_t)(p->all - p->same_x - p->same_y + p->same) - 2.0 * (double)p->swapped;

    return correlation(difference, (double)(p->all - p->same_x), (double)(p->all - p->same_y));
}

lm_status
lm_kendall_result(void *counts, const lm_metric_value *settings, double *value)
{
    const lm_samples *samples = counts;
    lm_context *ctx = samples->ctx;
    lm_sample *items, *other = NULL;
    pair_counts p = {0};
    lm_status status;

    LM_TRY(lm_samples_copy(samples, &items));
    status = lm_samples_copy(samples, &other);
    if (status == LM_OK)
        status = count_pairs(ctx, &items, &other, samples->count, &p);
    if (status == LM_OK)
        *value = tau_b(&p);
    lm_free(ctx, items);
    lm_free(ctx, other);
    return status;
}
