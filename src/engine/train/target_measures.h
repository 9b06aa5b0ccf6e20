/*
 * target_measures.h - how good guesses of numbers, levels and sets are, on held-out rows.
 */
#ifndef LM_TARGET_MEASURES_H
#define LM_TARGET_MEASURES_H

#include "train/methods.h"

#define LM_MEASURED_LEVELS 256

typedef struct lm_target_measures {
    size_t count;
    double error, square;                /* sums over numbers, or levels */
    double origin;                       /* what the next are less: the first number */
    double sum[2], squares[2], products; /* of what is and what was said, for the correlation */
    size_t hits;                         /* levels, or whole sets */
    int levels;
    size_t actual[LM_MEASURED_LEVELS], guessed[LM_MEASURED_LEVELS];
    bool of_sets;
    double micro_f1, macro_f1, sample_f1;
} lm_target_measures;

void lm_target_measures_init(lm_target_measures *measures);
void lm_measure_number(lm_target_measures *measures, double actual, double guess);
lm_status lm_measure_level(lm_context *ctx, lm_target_measures *measures, int actual, int guess,
                           int levels);
/* The level with the greatest share, of equals the first: thetas (levels − 1), less the number. */
int lm_best_level(const double *thetas, int levels, double number);

/* Scores of held-out rows, positive where a label is said; sets of all rows, one behind the other.
 */
typedef struct lm_target_sets {
    const float *scores; /* (count, labels) */
    const size_t *rows;  /* (count) */
    size_t count, labels;
    const size_t *ends; /* by row */
    const int32_t *y;
} lm_target_sets;

/* F1 over all pairs, as the mean over labels, and over rows; 0 where nothing is there or said, as
 * scikit-learn has it. */
lm_status lm_measure_sets(lm_context *ctx, const lm_target_sets *sets,
                          lm_target_measures *measures);
/* Add the figures, and the summary. */
void lm_target_measures_tell(const lm_target_measures *measures, size_t held_out,
                             lm_train_outcome *outcome);

#endif
