/*
 * calibrate.c - the factor of a classifier's numbers, and its calibration.
 */
#include "train/calibrate.h"

#include <math.h>

#define POLL_EVERY 64 /* rows */
#define SCALE_STEPS 40
#define BINS 15

/*
 * −ln of the softmax of a row at its label. Its slope by the factor is that of a target which
 * leaves `doubt` to all labels alike, as Platt's does: rows that are all right leave it finite.
 */
static double
row_loss(const float *scores, size_t labels, size_t label, double scale, double doubt,
         double *slope)
{
    double best = scores[0], sum = 0, mean = 0, target = (1 - doubt) * scores[label];

    for (size_t i = 1; i < labels; i++)
        best = fmax(best, scores[i]);
    for (size_t i = 0; i < labels; i++) {
        double p = exp(scale * (scores[i] - best));

        sum += p;
        mean += p * scores[i];
        target += doubt / (double)labels * scores[i];
    }
    *slope = mean / sum - target;
    return log(sum) - scale * (scores[label] - best);
}

static size_t
label_of(const lm_held_out *h, size_t i)
{
    return (size_t)h->y[h->rows ? h->rows[i] : i];
}

lm_status
lm_held_out_loss(lm_context *ctx, const lm_held_out *held_out, double scale, double *loss,
                 double *slope)
{
    const lm_held_out *h = held_out;
    const double doubt = 1 / ((double)h->count + 2);

    *loss = *slope = 0;
    for (size_t i = 0; i < h->count; i++) {
        double of_row;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        *loss +=
            row_loss(h->scores + i * h->labels, h->labels, label_of(h, i), scale, doubt, &of_row);
        *slope += of_row;
    }
    *loss /= (double)h->count;
    return LM_OK;
}

/* The loss is convex in the factor: bisection of its slope, by the logarithm. */
lm_status
lm_calibrate_scale(lm_context *ctx, const lm_held_out *held_out, double *scale)
{
    double low = 0.1, high = 1000, loss, slope;

    for (int step = 0; step < SCALE_STEPS && high / low > 1.0001; step++) {
        double middle = sqrt(low * high);

        LM_TRY(lm_held_out_loss(ctx, held_out, middle, &loss, &slope));
        *(slope > 0 ? &high : &low) = middle;
    }
    *scale = sqrt(low * high);
    return LM_OK;
}

size_t
lm_best_number(const float *scores, size_t labels)
{
    size_t best = 0;

    for (size_t i = 1; i < labels; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}

static double
best_share(const float *scores, size_t labels, double scale)
{
    const float best = scores[lm_best_number(scores, labels)];
    double sum = 0;

    for (size_t i = 0; i < labels; i++)
        sum += exp(scale * ((double)scores[i] - best));
    return 1 / sum;
}

lm_status
lm_calibration_error(lm_context *ctx, const lm_held_out *held_out, double scale, double *error)
{
    const lm_held_out *h = held_out;
    double gaps[BINS] = {0};

    for (size_t i = 0; i < h->count; i++) {
        const float *scores = h->scores + i * h->labels;
        double share = best_share(scores, h->labels, scale);
        int bin = (int)ceil(share * BINS) - 1;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
        bin = bin < 0 ? 0 : bin < BINS ? bin : BINS - 1;
        gaps[bin] += (lm_best_number(scores, h->labels) == label_of(h, i)) - share;
    }
    *error = 0;
    for (int bin = 0; bin < BINS; bin++)
        *error += fabs(gaps[bin]) / (double)h->count;
    return LM_OK;
}

double
lm_held_out_accuracy(const lm_held_out *held_out)
{
    size_t right = 0;

    for (size_t i = 0; i < held_out->count; i++)
        right += lm_best_number(held_out->scores + i * held_out->labels, held_out->labels) ==
                 label_of(held_out, i);
    return (double)right / (double)held_out->count;
}
