/*
 * gru.c - as torch.nn.GRU, gates in its order: r z n; or in Keras' order, z r n. (An LSTM's gates
 * stand in the same order in both.)
 *
 *   n = tanh(W x + b + σ(r) (U h' + b')),  h = (1 − σ(z)) n + σ(z) h'
 *
 * Where Keras' reset_after is false, as in Cho et al. 2014, n = tanh(W x + b + U (σ(r) h')).
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
open_gates(const lm_cell_step *s, size_t row)
{
    float *gates = s->gates + row * 3 * s->units;
    const float *turned = s->turned + row * 3 * s->units;

    for (size_t j = 0; j < 2 * s->units; j++)
        gates[j] += turned[j];
    lm_sigmoid_rows(s->kernels, 2 * s->units, gates);
}

static void
step_reset(const lm_cell_step *s)
{
    const size_t units = s->units;

    for (size_t row = 0; row < s->rows; row++) {
        const float *r = s->gates + row * 3 * units + places_of(s).r;

        open_gates(s, row);
        for (size_t j = 0; j < units; j++)
            s->reset[row * units + j] =
                s->state_before ? r[j] * s->state_before[row * units + j] : 0;
    }
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

        if (!s->reset)
            open_gates(s, row);
        for (size_t j = 0; j < units; j++)
            n[j] += (s->reset ? 1 : r[j]) * turned[2 * units + j];
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
        n[j] = dn;
        z[j] = dz;
        tr[j] = s->reset ? 0 : dn * tn[j] * r[j] * (1 - r[j]);
        tn[j] = s->reset ? dn : dn * r[j];
        tz[j] = s->reset ? 0 : dz;
        r[j] = s->reset ? r[j] : tr[j];
    }
}

/* What went into the product for n was r times the states before. */
static void
row_reset_back(const lm_cell_step *s, size_t row)
{
    const size_t units = s->units;
    const places at = places_of(s);
    float *gates = s->gates + row * 3 * units, *turned = s->turned + row * 3 * units;
    float *r = gates + at.r;

    for (size_t j = 0; j < units; j++) {
        const float before = s->state_before ? s->state_before[row * units + j] : 0;
        const float d = s->state_before ? s->dreset[row * units + j] : 0;

        if (s->dbefore)
            s->dbefore[row * units + j] += d * r[j];
        r[j] = turned[at.r + j] = d * before * r[j] * (1 - r[j]);
        turned[at.z + j] = gates[at.z + j];
        turned[2 * units + j] = 0;
    }
}

static void
step_reset_back(const lm_cell_step *s)
{
    for (size_t row = 0; row < s->rows; row++)
        row_reset_back(s, row);
}

static void
step_backward(const lm_cell_step *s)
{
    for (size_t row = 0; row < s->rows; row++)
        row_backward(s, row);
}

static const lm_cell cell = {
    .gates = 3,
    .turned = true,
    .reset = step_reset,
    .reset_back = step_reset_back,
    .forward = step_forward,
    .backward = step_backward,
};

static const lm_option options[] = {
    LM_RECURRENT_ROWS,
    LM_OPTION(lm_layer_options, reset_after, BOOL, 0, 1, "true or false"),
};

static const char *
shapes(lm_layer *layer)
{
    if (!layer->options.reset_after && layer->options.biases == 2)
        return "a GRU that resets before the product has one bias a gate: biases 1";
    return lm_recurrent_shapes(layer);
}

const lm_layer_kind lm_layer_gru = {
    .name = "gru",
    .both = "bigru",
    .low = 1,
    .high = 4096,
    .options = options,
    .option_count = LM_RECURRENT_OPTIONS + 1,
    .cell = &cell,
    .shapes = shapes,
    .params = lm_recurrent_params,
    .tape = lm_recurrent_tape,
    .forward = lm_recurrent_forward,
    .backward = lm_recurrent_backward,
};
