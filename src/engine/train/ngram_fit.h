/*
 * ngram_fit.h - a classifier on weighed n-grams, and on vectors beside them, from rows that are
 * taken: what the methods "ngram", "combined" and "auto" share.
 */
#ifndef LM_NGRAM_FIT_H
#define LM_NGRAM_FIT_H

#include "features/spec.h"
#include "train/dual.h"
#include "train/labels.h"
#include "train/methods.h"
#include "train/sample.h"

/* As SQL gives them. */
typedef struct lm_ngram_fit_options {
    lm_tfidf_spec features;
    char *learner;
    int64_t max_steps, seed;
    double c, alpha, tolerance, hold_out, weight;
    bool refit;
} lm_ngram_fit_options;

void lm_ngram_fit_defaults(lm_ngram_fit_options *options);

#define LM_NGRAM_FIT_SETS 2

/* N-grams of one kind. */
typedef struct lm_ngram_set {
    lm_tfidf tfidf;
    size_t most_entries; /* of all rows; more are of no use. 0: no bound */
    bool may_lack;       /* they may be of no use: too many, or none */
    bool lacks;          /* and it is so: nothing of them can be tried */
} lm_ngram_set;

/* The rows, and what came of them. It stays where it was opened. */
typedef struct lm_ngram_fit {
    lm_context *ctx;
    lm_ngram_fit_options options;
    lm_ngram_set sets[LM_NGRAM_FIT_SETS]; /* of the same texts */
    int set_count;
    lm_ngram_set *set; /* that is fitted; the first one unless the caller chooses another */
    lm_train_labels labels;
    size_t width;                /* of vectors; 0: none are kept */
    float *vectors;              /* (rows, width) */
    size_t room;                 /* rows */
    const size_t *place;         /* (rows): whose vector is a row's; NULL: its own */
    const lm_row_sample *sample; /* rows to be used; NULL: all */
    size_t plain_rows;           /* of a sample: its first ones, that are used without vectors */
    size_t vector_rows;          /* and with them, no more than these; 0: none are */
    lm_linear_model model;
    size_t *order; /* (rows): rows trained on, then rows held out */
    size_t trained, held_out;
    double held_out_accuracy, held_out_loss, held_out_ece; /* NaN: nothing was held out */
    double train_accuracy; /* on rows of the last try's that were trained on; NaN like these */
    double objective;      /* of the last fit; NaN of naive Bayes */
    double scale;          /* by which scores were multiplied */
    const lm_train_watch *watch;
} lm_ngram_fit;

/* LM_BAD_ARGUMENT for words that mean nothing. What is opened must be closed, also where this
 * fails.
 */
lm_status lm_ngram_fit_open(lm_ngram_fit *fit, lm_context *ctx, const lm_ngram_fit_options *options,
                            size_t width);
void lm_ngram_fit_close(lm_ngram_fit *fit);
/* Before the first row: another set, which may lack. At most LM_NGRAM_FIT_SETS in all. */
lm_status lm_ngram_fit_add_set(lm_ngram_fit *fit, const lm_tfidf_spec *spec);
/* Columns: text, label. Without vectors these are to be set before the fit. */
lm_status lm_ngram_fit_add(lm_ngram_fit *fit, const lm_train_rows *rows);
/* Choose the features, number the labels: once, before what follows. */
lm_status lm_ngram_fit_prepare(lm_ngram_fit *fit);
/*
 * Fit to what a split by `seed` leaves, and measure on the rest; with or without the vectors. The
 * model is that of the rows trained on. Of a sample, rows that are used with vectors are split, if
 * there are any, so that with and without are measured on the same.
 */
lm_status lm_ngram_fit_try(lm_ngram_fit *fit, bool with_vectors, uint64_t seed);
/* How many rows are fitted to in all. */
size_t lm_ngram_fit_rows(const lm_ngram_fit *fit, bool with_vectors);
/* Those that are split; their numbers, ascending, and their labels. Freed by the caller. */
size_t lm_ngram_fit_compared(const lm_ngram_fit *fit);
lm_status lm_ngram_fit_list(const lm_ngram_fit *fit, size_t **rows, int32_t **y);
/* Fit to all rows; scores are scaled as the last try found. */
lm_status lm_ngram_fit_all(lm_ngram_fit *fit, bool with_vectors);
/* Files and figures of the model. */
lm_status lm_ngram_fit_write(lm_ngram_fit *fit, bool with_vectors, lm_train_outcome *outcome);

#endif
