/*
 * lstm.c - as torch.nn.LSTM, gates in its order: i f g o.
 *
 *   c = σ(f) c' + σ(i) tanh(g),  h = σ(o) tanh(c)
 */
#include "net/kinds.h"
#include "net/recurrent.h"

static void
step_forward(const lm_cell_step *s)
{
    const size_t units = s->units;

    for (size_t row = 0; row < s->rows; row++) {
        float *i = s->gates + row * 4 * units, *f = i + units, *g = f + units, *o = g + units;
        float *c = s->cell + row * units, *t = s->cell_tanh + row * units;
        const float *before = s->cell_before ? s->cell_before + row * units : NULL;

        lm_sigmoid_rows(s->kernels, 2 * units, i);
        s->kernels->activate_f32(LM_ACT_TANH, units, g);
        lm_sigmoid_rows(s->kernels, units, o);
        for (size_t j = 0; j < units; j++)
            t[j] = c[j] = i[j] * g[j] + (before ? f[j] * before[j] : 0);
        s->kernels->activate_f32(LM_ACT_TANH, units, t);
        for (size_t j = 0; j < units; j++)
            s->state[row * units + j] = o[j] * t[j];
    }
}

static void
row_backward(const lm_cell_step *s, size_t row)
{
    const size_t units = s->units;
    float *i = s->gates + row * 4 * units, *f = i + units, *g = f + units, *o = g + units;
    const float *t = s->cell_tanh + row * units, *dh = s->dstate + row * units;
    const float *before = s->cell_before ? s->cell_before + row * units : NULL;
    float *dc = s->dcell + row * units;

    for (size_t j = 0; j < units; j++) {
        const float d = dc[j] + dh[j] * o[j] * (1 - t[j] * t[j]);
        const float di = d * g[j], dg = d * i[j], df = before ? d * before[j] : 0;

        dc[j] = d * f[j];
        o[j] = dh[j] * t[j] * o[j] * (1 - o[j]);
        i[j] = di * i[j] * (1 - i[j]);
        f[j] = df * f[j] * (1 - f[j]);
        g[j] = dg * (1 - g[j] * g[j]);
    }
}

static void
step_backward(const lm_cell_step *s)
{
    for (size_t row = 0; row < s->rows; row++)
        row_backward(s, row);
}

static const lm_cell cell = {
    .gates = 4, .has_cell = true, .forward = step_forward, .backward = step_backward};

const lm_layer_kind lm_layer_lstm = {
    .name = "lstm",
    .both = "bilstm",
    .low = 1,
    .high = 4096,
    .options = lm_recurrent_options,
    .option_count = LM_RECURRENT_OPTIONS,
    .cell = &cell,
    .shapes = lm_recurrent_shapes,
    .params = lm_recurrent_params,
    .tape = lm_recurrent_tape,
    .forward = lm_recurrent_forward,
    .backward = lm_recurrent_backward,
};
