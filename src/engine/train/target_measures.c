/*
 * target_measures.c - measures of numbers, levels and sets.
 */
#include "train/target_measures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/outcome.h"

void
lm_target_measures_init(lm_target_measures *measures)
{
    memset(measures, 0, sizeof *measures);
}

void
lm_measure_number(lm_target_measures *measures, double actual, double guess)
{
    const double off = guess - actual;

    if (measures->count++ == 0)
        measures->origin = actual;
    measures->error += fabs(off);
    measures->square += off * off;
    actual -= measures->origin; /* a correlation does not see it, and squares stay exact */
    guess -= measures->origin;
    measures->sum[0] += actual;
    measures->sum[1] += guess;
    measures->squares[0] += actual * actual;
    measures->squares[1] += guess * guess;
    measures->products += actual * guess;
}

lm_status
lm_measure_level(lm_context *ctx, lm_target_measures *measures, int actual, int guess, int levels)
{
    measures->levels = levels;
    measures->actual[actual]++;
    measures->guessed[guess]++;
    measures->hits += actual == guess;
    lm_measure_number(measures, actual, guess);
    return measures->count % 256 == 0 ? lm_poll(ctx) : LM_OK;
}

int
lm_best_level(const double *thetas, int levels, double number)
{
    double before = 0, most = -1;
    int best = 0;

    for (int i = 0; i < levels; i++) {
        const double up_to = i + 1 < levels ? 1 / (1 + exp(number - thetas[i])) : 1;

        if (up_to - before > most) {
            most = up_to - before;
            best = i;
        }
        before = up_to;
    }
    return best;
}

/* ---- Sets ---- */

static double
f1_of(size_t right, size_t actual, size_t guessed)
{
    return actual + guessed > 0 ? 2 * (double)right / (double)(actual + guessed) : 0;
}

/* Of labels: rows that have it, are said to have it, both. */
typedef struct counts {
    size_t *actual, *guessed, *right; /* (labels) each, one block */
} counts;

/* A label that stands twice in a set counts once. */
static void
count_row(const lm_target_sets *s, size_t i, char *has, counts *of, lm_target_measures *m)
{
    const size_t row = s->rows[i], first = row > 0 ? s->ends[row - 1] : 0;
    size_t actual = 0, guessed = 0, right = 0;

    memset(has, 0, s->labels);
    for (size_t at = first; at < s->ends[row]; at++)
        has[s->y[at]] = 1;
    for (size_t label = 0; label < s->labels; label++) {
        const bool said = s->scores[i * s->labels + label] > 0, is = has[label] != 0;

        of->actual[label] += is;
        of->guessed[label] += said;
        of->right[label] += is && said;
        actual += is;
        guessed += said;
        right += is && said;
    }
    m->hits += right == actual && right == guessed;
    m->sample_f1 += f1_of(right, actual, guessed) / (double)s->count;
}

static void
add_up(const lm_target_sets *s, const counts *of, lm_target_measures *m)
{
    size_t actual = 0, guessed = 0, right = 0;

    for (size_t label = 0; label < s->labels; label++) {
        actual += of->actual[label];
        guessed += of->guessed[label];
        right += of->right[label];
        m->macro_f1 +=
            f1_of(of->right[label], of->actual[label], of->guessed[label]) / (double)s->labels;
    }
    m->micro_f1 = f1_of(right, actual, guessed);
}

lm_status
lm_measure_sets(lm_context *ctx, const lm_target_sets *sets, lm_target_measures *measures)
{
    counts of = {.actual = lm_alloc_zero(ctx, 3 * sets->labels * sizeof *of.actual)};
    char *has = lm_alloc_array(ctx, sets->labels, 1);
    lm_status status = of.actual && has ? LM_OK : LM_NO_MEMORY;

    measures->of_sets = true;
    measures->count = sets->count;
    if (status == LM_OK) {
        of.guessed = of.actual + sets->labels;
        of.right = of.guessed + sets->labels;
    }
    for (size_t i = 0; status == LM_OK && i < sets->count; i++) {
        count_row(sets, i, has, &of, measures);
        if (i % 64 == 0)
            status = lm_poll(ctx);
    }
    if (status == LM_OK)
        add_up(sets, &of, measures);
    lm_free(ctx, of.actual);
    lm_free(ctx, has);
    return status;
}

/* ---- Telling ---- */

static double
correlation(const lm_target_measures *m)
{
    const double n = (double)m->count;
    const double a = m->squares[0] - m->sum[0] * m->sum[0] / n;
    const double b = m->squares[1] - m->sum[1] * m->sum[1] / n;

    return (m->products - m->sum[0] * m->sum[1] / n) / sqrt(a * b);
}

/* Cohen's with quadratic weights: 1 − squares as they are / as chance would have them. */
static double
quadratic_kappa(const lm_target_measures *m)
{
    double chance = 0;

    for (int i = 0; i < m->levels; i++)
        for (int j = 0; j < m->levels; j++)
            chance += (double)(i - j) * (i - j) * (double)m->actual[i] * (double)m->guessed[j] /
                      (double)m->count;
    return 1 - m->square / chance;
}

static void
tell_sets(const lm_target_measures *m, lm_train_outcome *outcome)
{
    lm_outcome_add(outcome, "held_out_accuracy", (double)m->hits / (double)m->count);
    lm_outcome_add(outcome, "held_out_micro_f1", m->micro_f1);
    lm_outcome_add(outcome, "held_out_macro_f1", m->macro_f1);
    lm_outcome_add(outcome, "held_out_sample_f1", m->sample_f1);
    snprintf(outcome->summary, sizeof outcome->summary, "micro F1 %.4f on %zu held-out row%s",
             m->micro_f1, m->count, m->count == 1 ? "" : "s");
}

static void
tell_numbers(const lm_target_measures *m, lm_train_outcome *outcome)
{
    const double mean = m->error / (double)m->count;

    if (m->levels > 0) {
        lm_outcome_add(outcome, "held_out_accuracy", (double)m->hits / (double)m->count);
        lm_outcome_add(outcome, "held_out_kappa", quadratic_kappa(m));
    }
    lm_outcome_add(outcome, "held_out_mae", mean);
    lm_outcome_add(outcome, "held_out_rmse", sqrt(m->square / (double)m->count));
    lm_outcome_add(outcome, "held_out_pearson", correlation(m));
    snprintf(outcome->summary, sizeof outcome->summary,
             "mean absolute error %.4g on %zu held-out row%s", mean, m->count,
             m->count == 1 ? "" : "s");
}

void
lm_target_measures_tell(const lm_target_measures *measures, size_t held_out,
                        lm_train_outcome *outcome)
{
    if (held_out == 0)
        snprintf(outcome->summary, sizeof outcome->summary, "no row was held out to measure it");
    else if (measures->of_sets)
        tell_sets(measures, outcome);
    else
        tell_numbers(measures, outcome);
}
