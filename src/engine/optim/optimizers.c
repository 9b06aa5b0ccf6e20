/*
 * optimizers.c - the table of optimizers: their numbers of a step, and the loops by element, with
 * torch's order of operations (torch/optim, the forms that are not fused).
 */
#include "optim/optimizer.h"

#include <math.h>
#include <string.h>

#include "kernels/clones.h"

enum { LANES = LM_CLONE_LANES };

/* Numbers side by side, as the loops take them: in arrays of their own, which nothing else names.
 */
typedef struct lanes {
    float value[LANES], grad[LANES], first[LANES], second[LANES];
} lanes;

/* Zeros stand where there are no numbers any more. */
LM_CLONE_BODY void
copy(float *restrict to, const float *restrict from, size_t count)
{
    if (count >= LANES)
        memcpy(to, from, LANES * sizeof(float));
    else
        memcpy(to, from, count * sizeof(float));
}

/*
 * The loop of an optimizer with one or two slots. `line` changes v and the state, first and second,
 * of a number by its gradient g.
 */
#define UPDATE(name, slots, line)                                                              \
    LM_CLONE_BODY void name##_body(const lm_update *update, size_t count, float *value,        \
                                   const float *grad, float *const *state)                     \
    {                                                                                          \
        const lm_update u = *update;                                                           \
                                                                                               \
        for (size_t at = 0; at < count; at += LANES) {                                         \
            lanes x = {.value = {0}};                                                          \
                                                                                               \
            copy(x.value, value + at, count - at);                                             \
            copy(x.grad, grad + at, count - at);                                               \
            copy(x.first, state[0] + at, count - at);                                          \
            if ((slots) > 1)                                                                   \
                copy(x.second, state[1] + at, count - at);                                     \
            for (size_t i = 0; i < LANES; i++) {                                               \
                float v = x.value[i], first = x.first[i], second = x.second[i], g = x.grad[i]; \
                                                                                               \
                line;                                                                          \
                x.value[i] = v;                                                                \
                x.first[i] = first;                                                            \
                x.second[i] = second;                                                          \
            }                                                                                  \
            copy(value + at, x.value, count - at);                                             \
            copy(state[0] + at, x.first, count - at);                                          \
            if ((slots) > 1)                                                                   \
                copy(state[1] + at, x.second, count - at);                                     \
        }                                                                                      \
    }                                                                                          \
    LM_CLONES(name,                                                                            \
              (const lm_update *update, size_t count, float *value, const float *grad,         \
               float *const *state),                                                           \
              (update, count, value, grad, state))

/* Numbers times a factor. */
LM_CLONE_BODY void
scale_body(float factor, size_t count, float *x)
{
    size_t at = 0;

    for (; at + LANES <= count; at += LANES)
        for (size_t i = 0; i < LANES; i++)
            x[at + i] *= factor;
    for (; at < count; at++)
        x[at] *= factor;
}

LM_CLONES(scale, (float factor, size_t count, float *x), (factor, count, x))

/* ---- SGD ---- */

static void
sgd_defaults(lm_optimizer_options *options)
{
    *options = (lm_optimizer_options){.learning_rate = 1e-3};
}

/* What torch adds to the gradient for weight decay. */
static lm_update
coupled(const lm_optimizer_options *options, double rate, bool decay)
{
    return (lm_update){.rate = (float)rate,
                       .decay = decay ? (float)options->weight_decay : 0,
                       .keep = 1,
                       .eps = (float)options->eps};
}

/* a: momentum; b: 1 for Nesterov's form. */
static void
sgd_prepare(const lm_optimizer_options *options, double rate, uint64_t step, bool decay,
            lm_update *update)
{
    *update = coupled(options, rate, decay);
    update->a = (float)options->momentum;
    update->b = options->nesterov ? 1 : 0;
}

UPDATE(sgd_update, 1, {
    g += u.decay * v;
    first = u.a * first + g;
    v -= u.rate * (u.b * (g + u.a * first) + (1 - u.b) * first);
})

/* Weight decay that is part of the gradient never ends. */
static bool
decays(const lm_optimizer_options *options, bool decay)
{
    return decay && options->weight_decay > 0;
}

static double
momentum_inertia(const lm_optimizer_options *options, bool decay)
{
    return decays(options, decay) ? 1 : options->momentum;
}

static void
no_idle(const lm_update *u, size_t count, float *value, float *const *state)
{
}

/* ---- Adam ---- */

static void
adam_defaults(lm_optimizer_options *options)
{
    *options =
        (lm_optimizer_options){.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8};
}

static void
adamw_defaults(lm_optimizer_options *options)
{
    adam_defaults(options);
    options->weight_decay = 0.01;
}

/* a: 1 − beta1; b: beta2; c: 1 − beta2; d: √(1 − beta2^step). */
static void
adam_prepare(const lm_optimizer_options *options, double rate, uint64_t step, bool decay,
             lm_update *update)
{
    *update = coupled(options, rate / (1 - pow(options->beta1, (double)step)), decay);
    update->a = (float)(1 - options->beta1);
    update->b = (float)options->beta2;
    update->c = (float)(1 - options->beta2);
    update->d = (float)sqrt(1 - pow(options->beta2, (double)step));
}

static void
adamw_prepare(const lm_optimizer_options *options, double rate, uint64_t step, bool decay,
              lm_update *update)
{
    adam_prepare(options, rate, step, false, update);
    update->keep = decay ? (float)(1 - rate * options->weight_decay) : 1;
}

UPDATE(adam_update, 2, {
    v *= u.keep;
    g += u.decay * v;
    first += u.a * (g - first);
    second = second * u.b + u.c * g * g;
    v -= u.rate * (first / (sqrtf(second) / u.d + u.eps));
})

static void
adam_idle(const lm_update *u, size_t count, float *value, float *const *state)
{
    if (u->keep != 1)
        scale(u->keep, count, value);
    scale(u->b, count, state[1]);
}

static double
adam_inertia(const lm_optimizer_options *options, bool decay)
{
    return decays(options, decay) ? 1 : options->beta1;
}

static double
adamw_inertia(const lm_optimizer_options *options, bool decay)
{
    return options->beta1;
}

/* ---- Adagrad ---- */

static void
adagrad_defaults(lm_optimizer_options *options)
{
    *options = (lm_optimizer_options){.learning_rate = 1e-2, .eps = 1e-10};
}

static void
adagrad_prepare(const lm_optimizer_options *options, double rate, uint64_t step, bool decay,
                lm_update *update)
{
    *update = coupled(options, rate, decay);
}

UPDATE(adagrad_update, 1, {
    g += u.decay * v;
    first += g * g;
    v -= u.rate * (g / (sqrtf(first) + u.eps));
})

static double
adagrad_inertia(const lm_optimizer_options *options, bool decay)
{
    return decays(options, decay) ? 1 : 0;
}

/* ---- RMSprop ---- */

static void
rmsprop_defaults(lm_optimizer_options *options)
{
    *options = (lm_optimizer_options){.learning_rate = 1e-2, .alpha = 0.99, .eps = 1e-8};
}

/* a: momentum; b: alpha; c: 1 − alpha. */
static void
rmsprop_prepare(const lm_optimizer_options *options, double rate, uint64_t step, bool decay,
                lm_update *update)
{
    *update = coupled(options, rate, decay);
    update->a = (float)options->momentum;
    update->b = (float)options->alpha;
    update->c = (float)(1 - options->alpha);
}

UPDATE(rmsprop_update, 2, {
    g += u.decay * v;
    first = first * u.b + u.c * g * g;
    second = u.a * second + g / (sqrtf(first) + u.eps);
    v -= u.rate * second;
})

static void
rmsprop_idle(const lm_update *u, size_t count, float *value, float *const *state)
{
    scale(u->b, count, state[0]);
}

static const lm_optimizer_kind sgd = {
    "sgd", 1, sgd_defaults, sgd_prepare, sgd_update, momentum_inertia, no_idle};
static const lm_optimizer_kind adam = {
    "adam", 2, adam_defaults, adam_prepare, adam_update, adam_inertia, adam_idle};
static const lm_optimizer_kind adamw = {
    "adamw", 2, adamw_defaults, adamw_prepare, adam_update, adamw_inertia, adam_idle};
static const lm_optimizer_kind adagrad = {
    "adagrad", 1, adagrad_defaults, adagrad_prepare, adagrad_update, adagrad_inertia, no_idle};
static const lm_optimizer_kind rmsprop = {
    "rmsprop",        2,           rmsprop_defaults, rmsprop_prepare, rmsprop_update,
    momentum_inertia, rmsprop_idle};

const lm_optimizer_kind *const lm_optimizers[] = {&sgd, &adam, &adamw, &adagrad, &rmsprop, NULL};
