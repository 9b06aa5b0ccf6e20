/*
 * crf.c - the layer of a conditional random field, and what it computes in double and logarithms.
 * The layer hands the numbers of labels on; loss and labels are made of them with its parameters,
 * which are called as pytorch-crf calls them: start_transitions (C), end_transitions (C),
 * transitions (C, C).
 */
#include "net/crf.h"

#include <math.h>

#include "net/kinds.h"

#define POLL_EVERY \
    16 /* labels: each has as many sums as there are labels, tens of thousands at most */

/* ---- The layer ---- */

static const char *
shapes(lm_layer *layer)
{
    return layer->pooled ? "a crf is over tokens, and the texts are pooled before it" : NULL;
}

static size_t
params(const lm_layer *layer, lm_net_param *params)
{
    if (params) {
        params[0] = lm_net_vector("start_transitions", layer->in, 0, 0.1f);
        params[1] = lm_net_vector("end_transitions", layer->in, 0, 0.1f);
        params[2] = lm_net_matrix("transitions", layer->in, layer->in, 0.1f);
        params[2].product = false;
    }
    return 3;
}

const lm_layer_kind lm_layer_crf = {
    .name = "crf",
    .plain = true,
    .shapes = shapes,
    .params = params,
    .forward = lm_layer_hand_on,
    .backward = lm_layer_hand_back,
};

/* ---- Sums over all paths ---- */

size_t
lm_crf_room(size_t labels, size_t tokens)
{
    return (2 * tokens + 1) * labels;
}

static double
log_sum(const double *x, size_t count)
{
    double greatest = x[0], sum = 0;

    for (size_t i = 1; i < count; i++)
        greatest = x[i] > greatest ? x[i] : greatest;
    for (size_t i = 0; i < count; i++)
        sum += exp(x[i] - greatest);
    return greatest + log(sum);
}

/* alpha (tokens, C): of all paths up to a label, its number included; returns the sum of all. */
static lm_status
forwards(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x, double *alpha,
         double *row, double *all)
{
    const size_t c = crf->labels;

    for (size_t t = 0; t < tokens; t++) {
        for (size_t j = 0; j < c; j++) {
            if (j % POLL_EVERY == 0)
                LM_TRY(lm_poll(ctx));
            for (size_t i = 0; t > 0 && i < c; i++)
                row[i] = alpha[(t - 1) * c + i] + (double)crf->transitions[i * c + j];
            alpha[t * c + j] =
                (t > 0 ? log_sum(row, c) : (double)crf->start[j]) + (double)x[t * c + j];
        }
    }
    for (size_t j = 0; j < c; j++)
        row[j] = alpha[(tokens - 1) * c + j] + (double)crf->end[j];
    *all = log_sum(row, c);
    return LM_OK;
}

/* beta (tokens, C): of all paths behind a label. */
static lm_status
backwards(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x, double *beta,
          double *row)
{
    const size_t c = crf->labels;

    for (size_t t = tokens; t > 0;) {
        t--;
        for (size_t i = 0; i < c; i++) {
            if (i % POLL_EVERY == 0)
                LM_TRY(lm_poll(ctx));
            for (size_t j = 0; t + 1 < tokens && j < c; j++)
                row[j] = (double)crf->transitions[i * c + j] + (double)x[(t + 1) * c + j] +
                         beta[(t + 1) * c + j];
            beta[t * c + i] = t + 1 < tokens ? log_sum(row, c) : (double)crf->end[i];
        }
    }
    return LM_OK;
}

static double
path_score(const lm_crf *crf, size_t tokens, const float *x, const int32_t *labels)
{
    const size_t c = crf->labels;
    double sum = (double)crf->start[labels[0]] + (double)crf->end[labels[tokens - 1]];

    for (size_t t = 0; t < tokens; t++) {
        sum += (double)x[t * c + (size_t)labels[t]];
        if (t > 0)
            sum += (double)crf->transitions[(size_t)labels[t - 1] * c + (size_t)labels[t]];
    }
    return sum;
}

/* Probabilities of pairs, less the pair that is. */
static lm_status
transitions_back(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x,
                 const int32_t *labels, double weight, const double *alpha, const double *beta,
                 double all)
{
    const size_t c = crf->labels;

    for (size_t t = 1; t < tokens; t++) {
        for (size_t i = 0; i < c; i++) {
            if (i % POLL_EVERY == 0)
                LM_TRY(lm_poll(ctx));
            for (size_t j = 0; j < c; j++)
                crf->dtransitions[i * c + j] +=
                    (float)(exp(alpha[(t - 1) * c + i] + (double)crf->transitions[i * c + j] +
                                (double)x[t * c + j] + beta[t * c + j] - all) /
                            weight);
        }
        crf->dtransitions[(size_t)labels[t - 1] * c + (size_t)labels[t]] -= (float)(1 / weight);
    }
    return LM_OK;
}

/* Probabilities of labels, less the label that is. */
static void
labels_back(const lm_crf *crf, size_t tokens, const int32_t *labels, double weight,
            const double *alpha, const double *beta, double all, float *dx)
{
    const size_t c = crf->labels;

    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < c; i++) {
            const double p = exp(alpha[t * c + i] + beta[t * c + i] - all);
            const float d = (float)((p - (labels[t] == (int32_t)i)) / weight);

            if (dx)
                dx[t * c + i] = d;
            if (t == 0 && crf->dstart)
                crf->dstart[i] += d;
            if (t + 1 == tokens && crf->dend)
                crf->dend[i] += d;
        }
}

lm_status
lm_crf_loss(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x,
            const int32_t *labels, double weight, double *room, double *loss, float *dx)
{
    double *alpha = room, *beta = alpha + tokens * crf->labels, *row = beta + tokens * crf->labels;
    double all;

    LM_TRY(forwards(ctx, crf, tokens, x, alpha, row, &all));
    *loss += (all - path_score(crf, tokens, x, labels)) / weight;
    if (!dx && !crf->dtransitions)
        return LM_OK;
    LM_TRY(backwards(ctx, crf, tokens, x, beta, row));
    if (crf->dtransitions)
        LM_TRY(transitions_back(ctx, crf, tokens, x, labels, weight, alpha, beta, all));
    labels_back(crf, tokens, labels, weight, alpha, beta, all, dx);
    return LM_OK;
}

lm_status
lm_crf_marginals(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x, double *room,
                 float *p)
{
    double *alpha = room, *beta = alpha + tokens * crf->labels, *row = beta + tokens * crf->labels;
    double all;

    LM_TRY(forwards(ctx, crf, tokens, x, alpha, row, &all));
    LM_TRY(backwards(ctx, crf, tokens, x, beta, row));
    for (size_t i = 0; i < tokens * crf->labels; i++)
        p[i] = (float)exp(alpha[i] + beta[i] - all);
    return LM_OK;
}

/* ---- The best path ---- */

/* best (C) becomes that of the token; from (C): the label before. */
static lm_status
best_step(lm_context *ctx, const lm_crf *crf, const float *x, const double *before, double *best,
          double *from)
{
    const size_t c = crf->labels;

    for (size_t j = 0; j < c; j++) {
        size_t chosen = 0;

        if (j % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        for (size_t i = 1; i < c; i++)
            if (before[i] + (double)crf->transitions[i * c + j] >
                before[chosen] + (double)crf->transitions[chosen * c + j])
                chosen = i;
        best[j] = before[chosen] + (double)crf->transitions[chosen * c + j] + (double)x[j];
        from[j] = (double)chosen;
    }
    return LM_OK;
}

lm_status
lm_crf_decode(lm_context *ctx, const lm_crf *crf, size_t tokens, const float *x, double *room,
              int32_t *labels)
{
    const size_t c = crf->labels;
    double *best = room, *from = best + tokens * c;
    size_t last = 0;

    for (size_t j = 0; j < c; j++)
        best[j] = (double)crf->start[j] + (double)x[j];
    for (size_t t = 1; t < tokens; t++)
        LM_TRY(best_step(ctx, crf, x + t * c, best + (t - 1) * c, best + t * c, from + t * c));
    best += (tokens - 1) * c;
    for (size_t j = 1; j < c; j++)
        if (best[j] + (double)crf->end[j] > best[last] + (double)crf->end[last])
            last = j;
    for (size_t t = tokens; t > 0;) {
        t--;
        labels[t] = (int32_t)last;
        if (t > 0)
            last = (size_t)from[t * c + last];
    }
    return LM_OK;
}
