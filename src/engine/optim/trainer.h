/*
 * trainer.h - the loop of every neural training: batches, accumulation, clipping, the optimizer and
 * its schedule, held-out measures, early stop, averages, checkpoints, and what others see of it.
 *
 * The same network, options, rows and CPU level give the same bits; so does a run that goes on from
 * a checkpoint. A loss or a gradient that is not finite stops it (LM_NOT_FINITE) with the step and
 * the cause; the last checkpoint stays.
 */
#ifndef LM_OPTIM_TRAINER_H
#define LM_OPTIM_TRAINER_H

#include "optim/network.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

typedef struct lm_trainer_options {
    const lm_optimizer_kind *optimizer;
    lm_optimizer_options update;
    const lm_schedule_kind *schedule;
    double warmup;          /* steps, or where below 1 the share of all steps */
    int64_t schedule_every; /* "step" */
    double gamma;
    int64_t epochs;
    int64_t steps;      /* 0: as the epochs say */
    int64_t batch_size; /* rows a step, over all accumulated parts */
    int64_t accumulate; /* parts a batch is cut into at least */
    size_t memory;      /* bytes that activations of a part may take; 0: no bound */
    bool shuffle;       /* else batches are in the order of rows; each epoch by the seed */
    uint64_t seed;
    double clip_norm, clip_value; /* 0: no */
    double ema;                   /* of the parameters; 0: none */
    int64_t patience; /* evaluations without gain that end it; 0: never. The best is kept */
    int64_t checkpoint_steps, log_steps; /* 0: none */
} lm_trainer_options;

void lm_trainer_defaults(lm_trainer_options *options);

/* What is told at each log_steps, and at the end of each epoch, then with the measures. */
typedef struct lm_trainer_report {
    int64_t step, steps, epoch;          /* done so far, of, counted from 1 */
    double loss;                         /* mean since the last report */
    double learning_rate, gradient_norm; /* of the last step; the norm before clipping */
    const lm_measures *held_out;         /* NULL: not now */
} lm_trainer_report;

typedef struct lm_trainer_hooks {
    void (*report)(void *opaque, const lm_trainer_report *report); /* must not throw */
    /* Parameters, optimizer, place in the order, best so far: as bytes that `resume` takes. */
    lm_status (*checkpoint)(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes);
    void *opaque;
} lm_trainer_hooks;

typedef struct lm_trainer_result {
    int64_t steps, best_step;
    double loss;      /* of the last report */
    lm_measures best; /* count 0 where nothing is held out */
    bool stopped_early;
} lm_trainer_result;

/* Of so many rows. */
int64_t lm_trainer_steps(const lm_trainer_options *options, size_t trained);

/*
 * Train on the rows `order[0 … trained)`, measure on the others up to `count`. `resume` are a
 * checkpoint's bytes, or NULL. On the way out the parameters are the last, the averaged (ema), or,
 * with patience, the best; gradients are of no use. The context must be that of the parameters.
 */
lm_status lm_trainer_run(lm_context *ctx, const lm_network *network,
                         const lm_trainer_options *options, const size_t *order, size_t trained,
                         size_t count, const lm_buffer *resume, const lm_trainer_hooks *hooks,
                         lm_trainer_result *result);

#endif
