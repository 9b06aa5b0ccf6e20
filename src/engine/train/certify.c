/*
 * certify.c - the sequence of tests that certify.h describes.
 */
#include "train/certify.h"

#include <math.h>

#include "train/bound.h"

#define CANDIDATES 20
#define MOST_STARTS 3
/* The first candidate decides at least this share, and twice the rows that a proof takes. */
#define FIRST_SHARE 0.2

/* The share that the first candidate decides. */
static double
first_share(size_t sample_count, double agreement, double confidence)
{
    const double needed = 2 * (double)lm_share_rows(agreement, 1 - confidence);
    const double share = sample_count > 0 ? needed / (double)sample_count : 1;

    return fmin(1, fmax(share, FIRST_SHARE));
}

/* Distances that differ by less than this part are one: the head adds up in float. */
#define ALIKE 1e-5

/* Between two distances, so that about `share` of the rows lie beyond; then share is what does. */
static double
distance_of(const double *distances, size_t count, double *share)
{
    size_t left_out = (size_t)floor((1 - *share) * (double)count + 0.5);

    if (left_out >= count)
        left_out = count - 1;
    while (left_out > 0 && distances[left_out - 1] >= distances[left_out] * (1 - ALIKE))
        left_out--;
    *share = (double)(count - left_out) / (double)count;
    return left_out == 0 ? 0 : (distances[left_out - 1] + distances[left_out]) / 2;
}

/* A test of the candidate whose distance and share are given. */
static void
test(const lm_certify_row *sample, size_t count, double agreement, double alpha,
     lm_certificate *certificate)
{
    certificate->decided = certificate->agreed = 0;
    for (size_t i = 0; i < count; i++)
        if (sample[i].distance >= certificate->distance) {
            certificate->decided++;
            certificate->agreed += sample[i].agrees;
        }
    certificate->bound = lm_share_bound(certificate->agreed, certificate->decided, alpha);
    certificate->proven = certificate->bound >= agreement;
}

/* As many as there are rows enough for each to prove something in spite of some that disagree. */
static int
count_starts(size_t sample_count, double agreement, double confidence)
{
    const size_t starts = sample_count / (2 * lm_share_rows(agreement, 1 - confidence));

    return starts < 1 ? 1 : starts > MOST_STARTS ? MOST_STARTS : (int)starts;
}

/* Is a candidate one of the starts? They lie evenly from the first to the last. */
static bool
is_start(int candidate, int starts)
{
    for (int i = 0; i < starts; i++)
        if (candidate == i * (CANDIDATES - 1) / (starts > 1 ? starts - 1 : 1))
            return true;
    return false;
}

/* A later proof before an earlier one, a proof before none, else what comes nearest. */
static bool
is_better(const lm_certificate *next, const lm_certificate *best)
{
    return next->proven ? !best->proven || next->share >= best->share
                        : !best->proven && next->bound >= best->bound;
}

void
lm_certify(const double *distances, size_t count, const lm_certify_row *sample, size_t sample_count,
           double agreement, double confidence, lm_certificate *certificate)
{
    const double first = first_share(sample_count, agreement, confidence);
    const int starts = count_starts(sample_count, agreement, confidence);
    double alpha = 0;

    *certificate = (lm_certificate){.proven = false};
    for (int i = 0; i < CANDIDATES; i++) {
        lm_certificate next = {.share = first + (1 - first) * i / (CANDIDATES - 1)};

        if (is_start(i, starts))
            alpha += (1 - confidence) / starts;
        if (alpha == 0)
            continue;
        next.distance = distance_of(distances, count, &next.share);
        test(sample, sample_count, agreement, alpha, &next);
        if (is_better(&next, certificate))
            *certificate = next;
        if (!next.proven)
            alpha = 0;
    }
}
