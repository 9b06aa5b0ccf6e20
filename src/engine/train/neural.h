/*
 * neural.h - what the methods that train by gradients share: their options as SQL gives them, the
 * split, the run of the trainer, and its figures.
 *
 * A method's own options hold an lm_neural_options, and its table begins with
 * LM_NEURAL_OPTIONS(its struct, that member).
 */
#ifndef LM_NEURAL_H
#define LM_NEURAL_H

#include "kernels/kernels.h"
#include "optim/adversary.h"
#include "optim/team.h"
#include "optim/trainer.h"
#include "train/augmented.h"
#include "train/methods.h"

/* NaN and NULL: as the method, or torch, has it. */
typedef struct lm_neural_options {
    int64_t epochs, steps, batch_size, accumulate, seed, patience, checkpoint_steps, log_steps;
    int64_t schedule_every, memory; /* MB; 0: as the caller of the fit says */
    int64_t workers;
    bool shuffle, nesterov, resume;
    char *precision, *optimizer, *schedule;
    char *betas, *class_weights, *adversarial, *augment; /* JSON */
    double learning_rate, momentum, alpha, eps, weight_decay, warmup, gamma, clip_norm, clip_value;
    double dropout, label_smoothing, hold_out, ema;
} lm_neural_options;

/* epochs 3, batch_size 32, adamw at 1e-3 (its other numbers are torch's), hold_out 0.1, no more. */
void lm_neural_defaults(lm_neural_options *options);

#define LM_NEURAL_OPTION(fields, member, field, type, low, high, wanted)                  \
    {                                                                                     \
#field, LM_OPTION_##type, offsetof(fields, member.field), (low), (high), (wanted) \
    }

#define LM_NEURAL_OPTIONS(fields, member)                                                         \
    LM_NEURAL_OPTION(fields, member, epochs, INT, 0, 1e6, "a whole number from 0 to 1000000"),    \
        LM_NEURAL_OPTION(fields, member, steps, INT, 0, 1e9,                                      \
                         "a whole number from 0 to 1000000000"),                                  \
        LM_NEURAL_OPTION(fields, member, batch_size, INT, 1, 65536,                               \
                         "a whole number from 1 to 65536"),                                       \
        LM_NEURAL_OPTION(fields, member, accumulate, INT, 1, 65536,                               \
                         "a whole number from 1 to 65536"),                                       \
        LM_NEURAL_OPTION(fields, member, shuffle, BOOL, 0, 0, "true or false"),                   \
        LM_NEURAL_OPTION(fields, member, seed, INT, 0, LM_SEED_MAX,                               \
                         "a whole number from 0 to 9007199254740991"),                            \
        LM_NEURAL_OPTION(fields, member, precision, TEXT, 0, 0, "fp32, bf16 or auto"),            \
        LM_NEURAL_OPTION(fields, member, optimizer, TEXT, 0, 0,                                   \
                         "sgd, adam, adamw, adagrad or rmsprop"),                                 \
        LM_NEURAL_OPTION(fields, member, momentum, FLOAT, 0, 0.999999, "a number from 0 to 1"),   \
        LM_NEURAL_OPTION(fields, member, nesterov, BOOL, 0, 0, "true or false"),                  \
        LM_NEURAL_OPTION(fields, member, betas, JSON, 0, 0,                                       \
                         "an array of two numbers from 0 to 1"),                                  \
        LM_NEURAL_OPTION(fields, member, alpha, FLOAT, 0, 0.999999, "a number from 0 to 1"),      \
        LM_NEURAL_OPTION(fields, member, eps, FLOAT, 0, 1, "a number from 0 to 1"),               \
        LM_NEURAL_OPTION(fields, member, weight_decay, FLOAT, 0, 10, "a number from 0 to 10"),    \
        LM_NEURAL_OPTION(fields, member, learning_rate, FLOAT, 0, 100, "a number from 0 to 100"), \
        LM_NEURAL_OPTION(fields, member, schedule, TEXT, 0, 0,                                    \
                         "constant, linear, cosine or step"),                                     \
        LM_NEURAL_OPTION(fields, member, warmup, FLOAT, 0, 1e9,                                   \
                         "a share of the steps below 1, or a number of steps"),                   \
        LM_NEURAL_OPTION(fields, member, schedule_every, INT, 1, 1e9,                             \
                         "a whole number from 1 to 1000000000"),                                  \
        LM_NEURAL_OPTION(fields, member, gamma, FLOAT, 0, 1, "a number from 0 to 1"),             \
        LM_NEURAL_OPTION(fields, member, clip_norm, FLOAT, 0, 1e9,                                \
                         "a number from 0 to 1000000000"),                                        \
        LM_NEURAL_OPTION(fields, member, clip_value, FLOAT, 0, 1e9,                               \
                         "a number from 0 to 1000000000"),                                        \
        LM_NEURAL_OPTION(fields, member, dropout, FLOAT, 0, 0.9, "a number from 0 to 0.9"),       \
        LM_NEURAL_OPTION(fields, member, label_smoothing, FLOAT, 0, 0.9,                          \
                         "a number from 0 to 0.9"),                                               \
        LM_NEURAL_OPTION(fields, member, class_weights, JSON, 0, 0,                               \
                         "\"balanced\", or an object with a number for each label"),              \
        LM_NEURAL_OPTION(fields, member, adversarial, JSON, 0, 0,                                 \
                         "an object with kind, eps, alpha, steps"),                               \
        LM_NEURAL_OPTION(fields, member, augment, JSON, 0, 0,                                     \
                         "an array of operations, or an object with ops and share"),              \
        LM_NEURAL_OPTION(fields, member, hold_out, FLOAT, 0, 0.5, "a number from 0 to 0.5"),      \
        LM_NEURAL_OPTION(fields, member, patience, INT, 0, 1e6,                                   \
                         "a whole number from 0 to 1000000"),                                     \
        LM_NEURAL_OPTION(fields, member, ema, FLOAT, 0, 0.999999, "a number from 0 to 1"),        \
        LM_NEURAL_OPTION(fields, member, checkpoint_steps, INT, 0, 1e9,                           \
                         "a whole number from 0 to 1000000000"),                                  \
        LM_NEURAL_OPTION(fields, member, resume, BOOL, 0, 0, "true or false"),                    \
        LM_NEURAL_OPTION(fields, member, log_steps, INT, 0, 1e9,                                  \
                         "a whole number from 0 to 1000000000"),                                  \
        LM_NEURAL_OPTION(fields, member, memory, INT, 0, 1e6, "a whole number of megabytes"),     \
        LM_NEURAL_OPTION(fields, member, workers, INT, 0, LM_TEAM_HELPERS_MAX,                    \
                         "a whole number from 0 to 32")

#define LM_NEURAL_FIGURE 40 /* bytes of a figure's name */

/* A run, and what came of it. Lives as long as the training. */
typedef struct lm_neural {
    lm_context *ctx;
    lm_trainer_options trainer;
    lm_precision precision; /* of products in training: fp32 or bf16 */
    lm_adversary_options adversarial;
    lm_augmented_options augment;
    size_t workers;          /* parts of a batch, less one; 0: it is whole */
    lm_team_helpers helpers; /* set before the fit; without any: this process alone */
    lm_trainer_result result;
    size_t trained, held_out; /* rows */
    char figures[LM_MEASURES_MAX][LM_NEURAL_FIGURE];
} lm_neural;

/* Words and JSON of the options are checked: LM_BAD_ARGUMENT with the key. */
lm_status lm_neural_open(lm_neural *neural, lm_context *ctx, const lm_neural_options *options);

/* Of a task whose texts cannot be others than they are. */
lm_status lm_neural_refuse_augment(const lm_neural *neural, const char *task);

/* The share `hold_out` of rows at random, as lm_split_rows does of labels; y may be NULL. */
lm_status lm_neural_split(lm_context *ctx, const lm_neural_options *options, const int32_t *y,
                          size_t rows, size_t labels, size_t *order, size_t *trained);

/*
 * The option class_weights for these labels: names are terminated, counts are those of rows.
 * *given is false where there is none; then `weights` (labels) is not set.
 */
lm_status lm_neural_class_weights(lm_context *ctx, const lm_neural_options *options,
                                  const char *const *names, const size_t *counts, size_t labels,
                                  float *weights, bool *given);

/* How each part of a batch is cut, for memory and as `accumulate` says. */
lm_cut lm_neural_cut(const lm_neural *neural);

/* What helpers are given, and where the gradients begin that theirs are added to. */
typedef struct lm_neural_shared {
    void *self;
    lm_status (*pack)(void *self, const lm_cut *cut, lm_buffer *bytes); /* for shared.h */
    size_t values, grads;                                               /* numbers */
    const float *base;
} lm_neural_shared;

/*
 * Start as many helpers as `workers` asks for and the caller of the fit can give. *values: where
 * the network's have to be during the fit; NULL: where they are.
 */
lm_status lm_neural_share(lm_neural *neural, const lm_neural_shared *shared,
                          const lm_train_watch *watch, float **values);

/*
 * Train the network: lm_trainer_run, told to `watch` in the names of lmtext.train_log. `words` is
 * the parameter that adversarial noise is for; NULL: it is not trained, and noise is refused.
 */
lm_status lm_neural_fit(lm_neural *neural, const lm_network *network, const lm_param *words,
                        const size_t *order, size_t trained, size_t count,
                        const lm_train_watch *watch);

/*
 * Figures of the run, behind those that are there: steps, epochs, loss, held_out, best_step and
 * "held_out_" measures. Sets the summary.
 */
void lm_neural_outcome(lm_neural *neural, lm_train_outcome *outcome);

#endif
