/*
 * adversary.h - adversarial noise on a table of embeddings: a wrapper of a network, whose passes
 * learn from a batch as it is and from the batch at the worst place near by.
 *
 * FGM (Miyato and others 2017): the noise is r = eps · g / ‖g‖, by the gradient g of the whole
 * table. PGD (Madry and others 2018): in each of some steps the noise grows by alpha · g / ‖g‖ and
 * is drawn back to ‖r‖ ≤ eps; only the last step's gradients count. They are added to the clean
 * ones; the loss that is told is the clean one. Values come back as they were, to the bit.
 */
#ifndef LM_OPTIM_ADVERSARY_H
#define LM_OPTIM_ADVERSARY_H

#include "base/buffer.h"
#include "optim/batches.h"

/* A kind of noise: a row of a table, which ends with NULL. */
typedef struct lm_adversary_kind {
    const char *name;
    double eps, alpha; /* defaults; alpha as a share of eps */
    int64_t steps;
    bool many; /* steps and alpha may be said */
} lm_adversary_kind;

extern const lm_adversary_kind *const lm_adversary_kinds[];

typedef struct lm_adversary_options {
    const lm_adversary_kind *kind; /* NULL: no noise */
    double eps, alpha;             /* Euclidean lengths over the whole table */
    int64_t steps;
} lm_adversary_options;

typedef struct lm_adversary {
    lm_context *ctx;
    lm_adversary_options options;
    lm_network inner;
    const lm_param *table; /* one of the inner network's */
    lm_cut cut;            /* of batches, as the trainer's options say */
    lm_network gradients;  /* all of them as values; of more steps than one, as `clean` */
    float *clean;          /* their copy */
    lm_buffer values;      /* of rows of the table that noise reaches, end to end */
} lm_adversary;

/* The network must outlive it, and so must its parameters. What is opened must be closed. */
lm_status lm_adversary_open(lm_context *ctx, const lm_network *network, const lm_param *table,
                            const lm_adversary_options *options, const lm_cut *cut,
                            lm_adversary *adversary);
void lm_adversary_close(lm_adversary *adversary); /* may be zeroed */

/* What the trainer is given in place of the network. It cuts batches itself. */
void lm_adversary_network(lm_adversary *adversary, lm_network *network);

#endif
