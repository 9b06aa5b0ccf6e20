/*
 * network.h - a network as the trainer sees it: parameters, and what they say of rows.
 *
 * Rows are numbered from 0 in the order of the query. The loss of a batch is Σ over its rows' terms
 * / weight, where the weight is that of the whole batch (rows, tokens that are not ignored, the sum
 * of class weights): so a batch can be cut into parts, for accumulation, for memory or for workers,
 * and their gradients add up to the same.
 */
#ifndef LM_OPTIM_NETWORK_H
#define LM_OPTIM_NETWORK_H

#include "base/context.h"
#include "optim/param.h"

/* What a pass over a part of a batch is told. */
typedef struct lm_pass {
    double weight; /* of the whole batch; terms are divided by it */
    uint64_t seed; /* of the run: of dropout and of masks */
    uint64_t step; /* optimizer steps so far; with the seed and a row's number it gives its noise,
                      so that neither the cut of a batch nor a resumed run changes a bit of it */
    bool training; /* dropout and its like are on, and gradients are added to */
} lm_pass;

#define LM_MEASURES_MAX 8
#define LM_MEASURE_NAME 24

/*
 * What an evaluation says; NaN where a figure is not known. The first one is what the best
 * parameters are chosen by (more is better), and where it is equal or there is none the loss.
 */
typedef struct lm_measures {
    double loss;
    char names[LM_MEASURES_MAX][LM_MEASURE_NAME]; /* "accuracy", "f1" … */
    double values[LM_MEASURES_MAX];
    int count;
} lm_measures;

/* One more figure; beyond LM_MEASURES_MAX they are dropped. (trainer.c) */
void lm_measures_add(lm_measures *measures, const char *name, double value);

typedef struct lm_network {
    void *self;
    lm_param *params;
    size_t param_count;
    size_t rows;
    bool whole_batches; /* terms of a row depend on the others of its batch: it is not cut */
    /*
     * Before the first step of an epoch (from 0), and where a run goes on within one: what is
     * trained on, which may become other than it was. NULL: it stays as it is.
     */
    lm_status (*epoch)(void *self, uint64_t epoch, const size_t *rows, size_t count);
    /*
     * Before a batch's first pass: set `touched` of all rows of parameters that it will read, so
     * that those are brought up to the step. Not NULL where a parameter has `touched`.
     */
    lm_status (*touch)(void *self, const size_t *rows, size_t count);
    /* Of a batch; NULL: the number of rows. 0: there is nothing to learn from it. */
    lm_status (*weight)(void *self, const size_t *rows, size_t count, double *weight);
    /* Add the loss's share of these rows to *loss, and in training its gradients. Polls cancel. */
    lm_status (*pass)(void *self, const size_t *rows, size_t count, const lm_pass *pass,
                      double *loss);
    /* Of rows that are held out; without dropout. *measures is zeroed before. */
    lm_status (*measure)(void *self, const size_t *rows, size_t count, lm_measures *measures);
    /* How much memory a row takes in a pass, for cutting batches; NULL: they are never cut. */
    size_t (*row_bytes)(void *self, size_t row);
    /* A batch's noise on parameters (FGM, PGD) comes with a wrapper: adversary.h. */
} lm_network;

#endif
