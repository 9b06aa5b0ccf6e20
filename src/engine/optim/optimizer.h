/*
 * optimizer.h - how parameters follow their gradients: a table with one row for each optimizer,
 * with torch.optim's definitions, names and defaults.
 *
 * State is `slots` numbers for each number of a parameter, in the optimizer's own memory; it can be
 * written and read for a checkpoint.
 *
 * Of a parameter with `touched`, rows without a gradient are left alone in a step, and what torch's
 * dense form does to them (decay of moments and what still moves by them, weight decay) is made up
 * later, step by step, so that results equal the dense ones: for touched rows by
 * lm_optimizer_ready, which is called before a pass reads them, and for all by lm_optimizer_settle.
 * (A moment counts as 0 when it has fallen to 1e-9 of what it was at the last gradient.)
 */
#ifndef LM_OPTIM_OPTIMIZER_H
#define LM_OPTIM_OPTIMIZER_H

#include "base/buffer.h"
#include "optim/param.h"

typedef struct lm_optimizer_options {
    double learning_rate; /* before the schedule */
    double momentum;      /* sgd, rmsprop */
    bool nesterov;        /* sgd */
    double beta1, beta2;  /* adam, adamw */
    double alpha;         /* rmsprop's smoothing */
    double eps;
    double weight_decay; /* decoupled in adamw, added to the gradient elsewhere */
} lm_optimizer_options;

#define LM_OPTIMIZER_SLOTS_MAX 2

/* What a step's formula multiplies by, the same for all numbers of a parameter. */
typedef struct lm_update {
    float rate;
    float decay;           /* added to the gradient, × value */
    float keep;            /* value · keep before all else: decoupled decay */
    float a, b, c, d, eps; /* the optimizer's own */
} lm_update;

typedef struct lm_optimizer_kind {
    const char *name; /* "sgd", "adam", "adamw", "adagrad", "rmsprop" */
    int slots;
    void (*defaults)(lm_optimizer_options *options); /* torch's */
    /* The numbers of a step, at the rate; `step` counts from 1. */
    void (*prepare)(const lm_optimizer_options *options, double rate, uint64_t step, bool decay,
                    lm_update *update);
    /* A step of `count` numbers. */
    void (*update)(const lm_update *update, size_t count, float *value, const float *grad,
                   float *const *state);
    /*
     * The factor by which what still moves a number without gradients falls in a step; 0: nothing
     * does. 1: it never ends.
     */
    double (*inertia)(const lm_optimizer_options *options, bool decay);
    /* A step of numbers that nothing moves any more. */
    void (*idle)(const lm_update *update, size_t count, float *value, float *const *state);
} lm_optimizer_kind;

extern const lm_optimizer_kind *const lm_optimizers[]; /* ends with NULL */

typedef struct lm_optimizer lm_optimizer;

/* The params are the caller's and stay while it is open. */
lm_status lm_optimizer_open(lm_context *ctx, const lm_optimizer_kind *kind,
                            const lm_optimizer_options *options, const lm_param *params,
                            size_t param_count, lm_optimizer **optimizer);
/* Before a pass reads them: rows that are touched become what they are at this step. */
lm_status lm_optimizer_ready(lm_optimizer *optimizer);
/* One step of all parameters at the schedule's rate. Polls cancel between parameters' pieces. */
lm_status lm_optimizer_step(lm_optimizer *optimizer, double rate);
/* All rows become what they are at this step. Before anybody else reads the parameters. */
lm_status lm_optimizer_settle(lm_optimizer *optimizer);
uint64_t lm_optimizer_steps(const lm_optimizer *optimizer); /* done so far */
/* Checkpoints: the step and the state, as bytes. Settled before it is saved. */
lm_status lm_optimizer_save(const lm_optimizer *optimizer, lm_buffer *bytes);
lm_status lm_optimizer_load(lm_optimizer *optimizer, const void *bytes, size_t size);
void lm_optimizer_close(lm_optimizer *optimizer); /* may be NULL */

/* √Σ grad² over all; then scale so that it is at most `clip` (0: no). *norm is that before. */
lm_status lm_clip_norm(lm_context *ctx, const lm_param *params, size_t param_count, double clip,
                       double *norm);
lm_status lm_clip_value(lm_context *ctx, const lm_param *params, size_t param_count, double clip);
/* Gradients to zero, and nothing touched. */
lm_status lm_clear_gradients(lm_context *ctx, const lm_param *params, size_t param_count);

#endif
