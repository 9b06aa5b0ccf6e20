/*
 * optimizer.h - how parameters follow their gradients: a table with one row for each optimizer,
 * with torch.optim's definitions, names and defaults.
 *
 * State is `slots` numbers for each number of a parameter, in the optimizer's own memory; it can be
 * written and read for a checkpoint. Rows of a parameter without a gradient (lm_param.touched) keep
 * still, but what torch's dense form would do to them (decay of moments, weight decay) is made up
 * when they are touched next or at the end where `lazy` is off, so that results equal the dense
 * ones.
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

typedef struct lm_optimizer_kind {
    const char *name; /* "sgd", "adam", "adamw", "adagrad", "rmsprop" */
    int slots;
    void (*defaults)(lm_optimizer_options *options); /* torch's */
    /* One step of `count` numbers at the rate; `step` counts from 1. */
    void (*update)(const lm_optimizer_options *options, double rate, uint64_t step, bool decay,
                   size_t count, float *value, const float *grad, float *const *state);
} lm_optimizer_kind;

extern const lm_optimizer_kind *const lm_optimizers[]; /* ends with NULL */

typedef struct lm_optimizer lm_optimizer;

lm_status lm_optimizer_open(lm_context *ctx, const lm_optimizer_kind *kind,
                            const lm_optimizer_options *options, const lm_param *params,
                            size_t param_count, lm_optimizer **optimizer);
/* One step of all parameters at the schedule's rate. Polls cancel between parameters' pieces. */
lm_status lm_optimizer_step(lm_optimizer *optimizer, double rate);
/* Checkpoints: the step and the state, as bytes. */
lm_status lm_optimizer_save(const lm_optimizer *optimizer, lm_buffer *bytes);
lm_status lm_optimizer_load(lm_optimizer *optimizer, const void *bytes, size_t size);
void lm_optimizer_close(lm_optimizer *optimizer); /* may be NULL */

/* √Σ grad² over all; then scale so that it is at most `clip` (0: no). *norm is that before. */
lm_status lm_clip_norm(lm_context *ctx, const lm_param *params, size_t param_count, double clip,
                       double *norm);
void lm_clip_value(const lm_param *params, size_t param_count, double clip);

#endif
