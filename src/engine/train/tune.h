/*
 * tune.h - the search for the options of a training: which values are tried next, and which trial
 * is not worth its end. Scores are smaller where they are better. The same dimensions, seed and
 * scores give the same values.
 */
#ifndef LM_TRAIN_TUNE_H
#define LM_TRAIN_TUNE_H

#include "base/context.h"
#include "base/rng.h"

typedef enum lm_tune_kind {
    LM_TUNE_CHOICE, /* one of `choices`: a value is its place, from 0 */
    LM_TUNE_REAL,
    LM_TUNE_WHOLE
} lm_tune_kind;

typedef struct lm_tune_dimension {
    lm_tune_kind kind;
    size_t choices;   /* of CHOICE; of numbers: points of a grid, at least 1 */
    double low, high; /* of numbers, inclusive */
    bool log;         /* even by the logarithm; low > 0 */
} lm_tune_dimension;

struct lm_tune_search;

typedef struct lm_tune {
    lm_context *ctx;
    const lm_tune_dimension *dimensions; /* the caller's */
    size_t count;
    const struct lm_tune_search *search;
    lm_rng rng;
    double *values; /* (trials, count) of trials that were told */
    double *scores; /* (trials): infinite where one failed */
    size_t trials, room;
    size_t drawn;  /* that next has given */
    float *curves; /* (curve_count, LM_TUNE_CURVE): the best so far by report, of trials that ended
                      by themselves; from the last report on its value is repeated */
    size_t curve_count, curve_room;
    float *curve;   /* (LM_TUNE_CURVE) of the trial under way */
    size_t reports; /* of it */
} lm_tune;

#define LM_TUNE_CURVE 256       /* reports that are compared */
#define LM_TUNE_TRIALS_MAX 1000 /* of a search */

/* Of a grid, all of it; "tpe": Bergstra, Bardenet, Bengio and Kégl 2011, each dimension by itself.
 */
typedef struct lm_tune_search {
    const char *name;
    lm_status (*draw)(lm_tune *tune, double *values, bool *more);
} lm_tune_search;

extern const lm_tune_search lm_tune_searches[]; /* ends with a row without a name */

/* By name, or NULL. */
const lm_tune_search *lm_tune_search_find(const char *name);

/* Opened, it must be closed, also where this fails. */
lm_status lm_tune_open(lm_tune *tune, lm_context *ctx, const lm_tune_dimension *dimensions,
                       size_t count, const lm_tune_search *search, uint64_t seed);
void lm_tune_close(lm_tune *tune);

/* The next values (count) to try; *more is false where all of a finite space has been. */
lm_status lm_tune_next(lm_tune *tune, double *values, bool *more);
/*
 * A figure of the trial under way, in order; NaN is none. True: it is worse than the median of
 * those of earlier trials at this point, of which there are some. Allocates nothing.
 */
bool lm_tune_report(lm_tune *tune, double figure);
/* The trial's score, NaN where it failed; `whole`: it ended by itself, and others are compared
 * with its curve. */
lm_status lm_tune_tell(lm_tune *tune, const double *values, double score, bool whole);
/* The number of the best trial, from 0; of equal ones the first. SIZE_MAX: all have failed. */
size_t lm_tune_best(const lm_tune *tune);

#endif
