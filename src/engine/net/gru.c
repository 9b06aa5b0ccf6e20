/*
 * gru.c - as torch.nn.GRU, gates in its order: r z n; or in Keras' order, z r n. (An LSTM's gates
 * stand in the same order in both.)
 *
 *   n = tanh(W x + b + σ(r) (U h' + b')),  h = (1 − σ(z)) n + σ(z) h'
 */
#include "net/kinds.h"
#include "net/recurrent.h"

/* Where r and z stand in a row of gates. */
typedef struct places {
    size_t r, z;
} places;

static places
places_of(const lm_cell_step *s)
{
    return s->layer->options.keras_order ? (places){s->units, 0} : (places){0, s->units};
}

static void
step_forward(const lm_cell_step *s)
{
    const size_t units = s->units;
    const places at = places_of(s);

    for (size_t row = 0; row < s->rows; row++) {
        float *gates = s->gates + row * 3 * units, *n = gates + 2 * units;
        const float *r = gates + at.r, *z = gates + at.z;
        const float *turned = s->turned + row * 3 * units;
        const float *before = s->state_before ? s->state_before + row * units : NULL;

        for (size_t j = 0; j < 2 * units; j++)
            gates[j] += turned[j];
        lm_sigmoid_rows(s->kernels, 2 * units, gates);
        for (size_t j = 0; j < units; j++)
            n[j] += r[j] * turned[2 * units + j];
        s->kernels->activate_f32(LM_ACT_TANH, units, n);
        for (size_t j = 0; j < units; j++)
            s->state[row * units + j] = (1 - z[j]) * n[j] + (before ? z[j] * before[j] : 0);
    }
}

/* Gates and what states gave become gradients; z's share of the state goes straight to the one
 * before. */
static void
row_backward(const lm_cell_step *s, size_t row)
{
    const size_t units = s->units;
    const places at = places_of(s);
    float *gates = s->gates + row * 3 * units, *turned = s->turned + row * 3 * units;
    float *r = gates + at.r, *z = gates + at.z, *n = gates + 2 * units;
    float *tr = turned + at.r, *tz = turned + at.z, *tn = turned + 2 * units;
    const float *before = s->state_before ? s->state_before + row * units : NULL;
    const float *dh = s->dstate + row * units;
    float *dbefore = s->dbefore ? s->dbefore + row * units : NULL;

    for (size_t j = 0; j < units; j++) {
        const float dn = dh[j] * (1 - z[j]) * (1 - n[j] * n[j]);
        const float dz = dh[j] * ((before ? before[j] : 0) - n[j]) * z[j] * (1 - z[j]);

        if (dbefore)
            dbefore[j] += dh[j] * z[j];
        tr[j] = dn * tn[j] * r[j] * (1 - r[j]);
        tn[j] = dn * r[j];
        tz[j] = z[j] = dz;
        r[j] = tr[j];
        n[j] = dn;
    }
}

static void
step_backward(const lm_cell_step *s)
{
    for (size_t row = 0; row < s->rows; row++)
        row_backward(s, row);
}

static const lm_cell cell = {
    .gates = 3, .turned = true, .forward = step_forward, .backward = step_backward};

const lm_layer_kind lm_layer_gru = {
    .name = "gru",
    .both = "bigru",
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
