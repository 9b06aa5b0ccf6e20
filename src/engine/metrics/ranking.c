/*
 * ranking.c - measures over sorted scores. All walk over ties, groups of rows of one score.
 */
#include "metrics/ranking.h"

#include <math.h>

#include "base/sort.h"

#define RECALL_RANKS 10 /* of recall_at where no k is given */

/* Rows [from, to) of the sorted items, all of one score. */
typedef struct tie {
    size_t from, to;
    size_t above;  /* rows of higher scores */
    size_t size;   /* to - from */
    size_t hits;   /* flags that are true */
    double values; /* their sum */
} tie;

/* ---- Ties ---- */

/* Flags are 0 or 1. */
static lm_status
sum_tie(lm_context *ctx, const lm_sample *items, tie *t)
{
    t->hits = 0;
    t->values = 0;
    for (size_t i = t->from; i < t->to; i++) {
        t->hits += items[i].value > 0;
        t->values += items[i].value;
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

/* Give all ties to a function, from the highest score on, until it says that it has seen enough. */
static lm_status
walk(lm_context *ctx, const lm_sample *items, size_t count,
     lm_status (*visit)(void *opaque, const tie *t, bool *enough), void *opaque)
{
    bool enough = false;
    tie t;

    for (size_t to = count; to > 0 && !enough; to = t.from) {
        t.to = to;
        LM_TRY(lm_samples_tie(ctx, items, to, &t.from));
        t.size = t.to - t.from;
        t.above = count - t.to;
        LM_TRY(sum_tie(ctx, items, &t));
        LM_TRY(visit(opaque, &t, &enough));
    }
    return LM_OK;
}

static lm_status
sort_and_walk(lm_samples *samples, lm_status (*visit)(void *opaque, const tie *t, bool *enough),
              void *opaque)
{
    LM_TRY(lm_samples_sort(samples->ctx, samples->items, samples->count));
    return walk(samples->ctx, samples->items, samples->count, visit, opaque);
}

/* ---- Curves ---- */

typedef struct area {
    unsigned __int128 twice; /* the pairs that are in order, and half of those in one tie */
    uint64_t hits, misses;   /* so far */
} area;

static lm_status
add_to_area(void *opaque, const tie *t, bool *enough)
{
    area *a = opaque;
    uint64_t misses = t->size - t->hits;

    a->twice += (unsigned __int128)misses * (2 * a->hits + t->hits);
    a->hits += t->hits;
    a->misses += misses;
    return LM_OK;
}

lm_status
lm_auc_of(lm_context *ctx, lm_sample *items, size_t count, double *value)
{
    area a = {0};

    LM_TRY(lm_samples_sort(ctx, items, count));
    LM_TRY(walk(ctx, items, count, add_to_area, &a));
    *value = (double)a.twice / 2 / ((double)a.hits * (double)a.misses); /* NaN: one class only */
    return LM_OK;
}

lm_status
lm_auc_result(void *counts, const lm_metric_value *settings, double *value)
{
    lm_samples *samples = counts;

    return lm_auc_of(samples->ctx, samples->items, samples->count, value);
}

typedef struct precision_sum {
    double hits, rows, sum;
} precision_sum;

static lm_status
add_precision(void *opaque, const tie *t, bool *enough)
{
    precision_sum *p = opaque;

    p->hits += (double)t->hits;
    p->rows += (double)t->size;
    p->sum += (double)t->hits * (p->hits / p->rows);
    return LM_OK;
}

lm_status
lm_average_precision_result(void *counts, const lm_metric_value *settings, double *value)
{
    precision_sum p = {0};

    LM_TRY(sort_and_walk(counts, add_precision, &p));
    *value = p.sum / p.hits;
    return LM_OK;
}

/* ---- Coverage ---- */

const lm_metric_column lm_coverage_settings[] = {{"target", LM_METRIC_NUMBER}, {NULL, 0}};

lm_status
lm_coverage_check(lm_context *ctx, const lm_metric_value *settings)
{
    double target = settings[0].number;

    if (target > 0 && target <= 1)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "target of coverage_at must be above 0 and at most 1");
    return lm_detail_found(ctx, "%g", target);
}

typedef struct coverage {
    double target, hits, rows, best;
} coverage;

static lm_status
cover(void *opaque, const tie *t, bool *enough)
{
    coverage *c = opaque;

    c->hits += (double)t->hits;
    c->rows += (double)t->size;
    if (c->hits / c->rows >= c->target)
        c->best = c->rows;
    return LM_OK;
}

lm_status
lm_coverage_result(void *counts, const lm_metric_value *settings, double *value)
{
    coverage c = {.target = settings[0].number};

    LM_TRY(sort_and_walk(counts, cover, &c));
    *value = c.best / c.rows;
    return LM_OK;
}

/* ---- Ranks ---- */

const lm_metric_column lm_rank_settings[] = {{"k", LM_METRIC_WHOLE}, {NULL, 0}};

lm_status
lm_rank_check(lm_context *ctx, const lm_metric_value *settings)
{
    if (!settings[0].bytes || settings[0].whole > 0)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "k must be at least 1");
    return lm_detail_found(ctx, "%lld", (long long)settings[0].whole);
}

static size_t
ranks_of(const lm_metric_value *settings, size_t otherwise)
{
    return settings && settings[0].bytes ? (size_t)settings[0].whole : otherwise;
}

typedef struct first_hit {
    lm_context *ctx;
    size_t ranks;
    double reciprocal;
} first_hit;

/*
 * The first of h hits among n rows in an order drawn at random is the j-th with probability
 * p(1) = h / n, p(j + 1) = p(j) (n - j - h + 1) / (n - j).
 */
static lm_status
expect_first(void *opaque, const tie *t, bool *enough)
{
    first_hit *f = opaque;
    double hits = (double)t->hits, size = (double)t->size, p = hits / size;

    *enough = t->hits > 0 || t->to - t->from + t->above >= f->ranks;
    for (size_t j = 1; t->hits > 0 && j <= t->size - t->hits + 1 && t->above + j <= f->ranks; j++) {
        f->reciprocal += p / (double)(t->above + j);
        p *= (size - (double)j - hits + 1) / (size - (double)j);
        if (j % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(f->ctx));
    }
    return LM_OK;
}

lm_status
lm_mrr_result(void *counts, const lm_metric_value *settings, double *value)
{
    lm_samples *samples = counts;
    first_hit f = {.ctx = samples->ctx, .ranks = ranks_of(settings, SIZE_MAX)};

    LM_TRY(sort_and_walk(samples, expect_first, &f));
    *value = f.reciprocal;
    return LM_OK;
}

typedef struct recall {
    size_t ranks;
    double found, hits;
} recall;

/* Of a tie that the last rank cuts, as many as a part of its size has. */
static lm_status
add_recall(void *opaque, const tie *t, bool *enough)
{
    recall *r = opaque;
    size_t left = r->ranks > t->above ? r->ranks - t->above : 0;

    r->hits += (double)t->hits;
    r->found +=
        left >= t->size ? (double)t->hits : (double)left * (double)t->hits / (double)t->size;
    return LM_OK;
}

lm_status
lm_recall_at_result(void *counts, const lm_metric_value *settings, double *value)
{
    recall r = {.ranks = ranks_of(settings, RECALL_RANKS)};

    LM_TRY(sort_and_walk(counts, add_recall, &r));
    *value = r.found / r.hits;
    return LM_OK;
}

/* ---- Gains ---- */

typedef struct gains {
    lm_context *ctx;
    size_t ranks;
    double sum;
} gains;

/* All rows of a tie have its mean relevance. */
static lm_status
add_gain(void *opaque, const tie *t, bool *enough)
{
    gains *g = opaque;
    double discounts = 0;

    for (size_t rank = t->above; rank < t->above + t->size && rank < g->ranks; rank++) {
        discounts += 1 / log2((double)rank + 2);
        if (rank % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(g->ctx));
    }
    g->sum += t->values / (double)t->size * discounts;
    *enough = t->above + t->size >= g->ranks;
    return LM_OK;
}

/* The sum if scores were the relevances. */
static lm_status
ideal_gain(const lm_samples *samples, gains *g)
{
    lm_sample *items;
    lm_status status = LM_OK;

    LM_TRY(lm_samples_copy(samples, &items));
    for (size_t i = 0; status == LM_OK && i < samples->count; i++) {
        items[i].score = items[i].value;
        if (i % LM_METRIC_POLL == 0)
            status = lm_poll(g->ctx);
    }
    if (status == LM_OK)
        status = lm_samples_sort(g->ctx, items, samples->count);
    if (status == LM_OK)
        status = walk(g->ctx, items, samples->count, add_gain, g);
    lm_free(g->ctx, items);
    return status;
}

lm_status
lm_ndcg_result(void *counts, const lm_metric_value *settings, double *value)
{
    lm_samples *samples = counts;
    gains found = {samples->ctx, ranks_of(settings, SIZE_MAX), 0}, ideal = found;

    LM_TRY(sort_and_walk(samples, add_gain, &found));
    LM_TRY(ideal_gain(samples, &ideal));
    *value = found.sum / ideal.sum;
    return LM_OK;
}

/* ---- Rows ---- */

static lm_status
flags_add(void *counts, const lm_metric_value *row)
{
    lm_samples *samples = counts;

    LM_TRY(lm_metric_refuse_nan(samples->ctx, "score", row[1].number));
    return lm_samples_add(samples, row[0].whole != 0, row[1].number);
}

static const lm_metric_column flag_columns[] = {
    {"flag", LM_METRIC_BOOL}, {"score", LM_METRIC_NUMBER}, {NULL, 0}};

const lm_metric_counts lm_scored_flags = {.columns = flag_columns,
                                          .create = lm_samples_create,
                                          .free = lm_samples_free,
                                          .add = flags_add,
                                          .merge = lm_samples_merge,
                                          .write = lm_samples_write,
                                          .read = lm_samples_read};

static lm_status
gains_add(void *counts, const lm_metric_value *row)
{
    lm_samples *samples = counts;

    LM_TRY(lm_metric_refuse_nan(samples->ctx, "score", row[1].number));
    if (row[0].number >= 0 && isfinite(row[0].number))
        return lm_samples_add(samples, row[0].number, row[1].number);
    lm_raise(samples->ctx, LM_BAD_ARGUMENT, "relevance must be a finite number and not negative");
    return lm_detail_found(samples->ctx, "%g", row[0].number);
}

static const lm_metric_column gain_columns[] = {
    {"relevance", LM_METRIC_NUMBER}, {"score", LM_METRIC_NUMBER}, {NULL, 0}};

const lm_metric_counts lm_scored_gains = {.columns = gain_columns,
                                          .create = lm_samples_create,
                                          .free = lm_samples_free,
                                          .add = gains_add,
                                          .merge = lm_samples_merge,
                                          .write = lm_samples_write,
                                          .read = lm_samples_read};
