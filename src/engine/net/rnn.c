/*
 * rnn.c - Elman's cell, as torch.nn.RNN: h = tanh(W x + b + U h' + b'), or relu in tanh's place.
 */
#include <string.h>

#include "net/kinds.h"
#include "net/recurrent.h"

static void
step_forward(const lm_cell_step *s)
{
    const size_t count = s->rows * s->units;

    memcpy(s->state, s->gates, count * sizeof *s->state);
    s->kernels->activate_f32(s->layer->act, count, s->state);
}

/* The slope follows from the state in both. */
static void
step_backward(const lm_cell_step *s)
{
    const size_t count = s->rows * s->units;
    const bool tanh = s->layer->act == LM_ACT_TANH;

    for (size_t i = 0; i < count; i++)
        s->gates[i] = tanh              ? s->dstate[i] * (1 - s->state[i] * s->state[i])
                      : s->state[i] > 0 ? s->dstate[i]
                                        : 0;
}

static const lm_cell cell = {.gates = 1, .forward = step_forward, .backward = step_backward};

const lm_layer_kind lm_layer_rnn = {
    .name = "rnn",
    .both = "birnn",
    .low = 1,
    .high = 4096,
    .options = lm_recurrent_options,
    .option_count = LM_RECURRENT_OPTIONS + 1,
    .acts = {LM_ACT_TANH, LM_ACT_RELU},
    .act_count = 2,
    .cell = &cell,
    .shapes = lm_recurrent_shapes,
    .params = lm_recurrent_params,
    .tape = lm_recurrent_tape,
    .forward = lm_recurrent_forward,
    .backward = lm_recurrent_backward,
};
