/*
 * recurrent.c - recurrent layers over packed texts, and their gradients.
 *
 * Inputs' products of all steps are one product, as are the gradients of each weight; only states'
 * products go step by step. The backward pass has the weight of states packed the other way round.
 */
#include "net/recurrent.h"

#include <math.h>
#include <string.h>

#include "nn/grad.h"

const lm_option lm_recurrent_options[] = {
    LM_RECURRENT_ROWS,
    LM_OPTION(lm_layer_options, activation, TEXT, 0, 0, "tanh or relu"),
};

/* A layer as its tape lies. */
typedef struct net_tape {
    lm_track tracks[8][2];
    /* (T, D · H): outputs of the stacked layers, those that the next one or the mix reads. */
    float *between[8];
    float *flow[2]; /* (T, D · H): their gradients */
    float *dstates; /* (T, H) */
    float *dcells;  /* (B, H) */
    float *bias;    /* (gates · H) */
    float *twice;   /* (B, gates · H): a second product of a step */
    float *across;  /* (H, gates · H) */
    float *packed;  /* the same */
    size_t size;
} net_tape;

static size_t
directions_of(const lm_layer *layer)
{
    return layer->both ? 2 : 1;
}

/* Numbers of a row that a direction of a stacked layer reads: of separate ones its own. */
static size_t
in_of(const lm_layer *layer, size_t stacked)
{
    if (stacked == 0)
        return layer->in;
    return layer->options.separate ? layer->size : layer->out;
}

/* Numbers of a row before a stacked layer, and where those that a direction reads begin. */
static size_t
row_before(const lm_layer *layer, size_t stacked)
{
    return stacked == 0 ? layer->in : layer->out;
}

static size_t
column_of(const lm_layer *layer, size_t stacked, size_t way)
{
    return stacked > 0 && layer->options.separate ? way * layer->size : 0;
}

/* Whether what lies behind a stacked layer stays in the tape. */
static bool
keeps(const lm_layer *layer, size_t stacked)
{
    return stacked + 1 < (size_t)layer->options.layers || layer->options.mix;
}

bool
lm_recurrent_mixes_input(const lm_layer *layer)
{
    return layer->in == layer->size;
}

/* Parts of a trained mix: the stacked layers, and before them the input where it is as wide. */
static size_t
parts_of(const lm_layer *layer)
{
    return (size_t)layer->options.layers + lm_recurrent_mixes_input(layer);
}

const char *
lm_recurrent_shapes(lm_layer *layer)
{
    layer->out = layer->size * directions_of(layer);
    if (layer->options.separate && !layer->both)
        return "\"separate\" is of a layer with two directions";
    return layer->pooled ? "a recurrent layer is over tokens, and the texts are pooled before it"
                         : NULL;
}

/* ---- Parameters ---- */

/* "weight_ih_l0" … "bias_hh_l7_reverse", by stacked layer, direction and part. */
#define NAMES(l, end)                                                                      \
    {                                                                                      \
        "weight_ih_l" #l end, "weight_hh_l" #l end, "bias_ih_l" #l end, "bias_hh_l" #l end \
    }
#define BOTH_NAMES(l)                      \
    {                                      \
        NAMES(l, ""), NAMES(l, "_reverse") \
    }

static const char *const names[8][2][4] = {
    BOTH_NAMES(0), BOTH_NAMES(1), BOTH_NAMES(2), BOTH_NAMES(3),
    BOTH_NAMES(4), BOTH_NAMES(5), BOTH_NAMES(6), BOTH_NAMES(7),
};

static size_t
params_each(const lm_layer *layer)
{
    return 2 + (size_t)layer->options.biases;
}

size_t
lm_recurrent_params(const lm_layer *layer, lm_net_param *params)
{
    const size_t wide = layer->kind->cell->gates * layer->size, both = directions_of(layer);
    const float spread = 1 / sqrtf((float)layer->size);
    size_t count = 0;

    for (size_t l = 0; l < (size_t)layer->options.layers; l++)
        for (size_t way = 0; way < both; way++, count += params_each(layer)) {
            const char *const *name = names[l][way];

            if (!params)
                continue;
            params[count] = lm_net_matrix(name[0], wide, in_of(layer, l), spread);
            params[count + 1] = lm_net_matrix(name[1], wide, layer->size, spread);
            for (size_t b = 0; b < (size_t)layer->options.biases; b++)
                params[count + 2 + b] = lm_net_vector(name[2 + b], wide, 0, spread);
            for (size_t i = count; i < count + params_each(layer); i++)
                params[i].frozen = !layer->options.trainable;
        }
    if (layer->options.mix && params) {
        params[count] = lm_net_vector("mix.weight", parts_of(layer), 0, 0);
        params[count + 1] = lm_net_vector("mix.gamma", 1, 1, 0);
    }
    return count + (layer->options.mix ? 2 : 0);
}

/* The first parameter of a track. */
static size_t
param_of(const lm_layer *layer, size_t stacked, size_t way)
{
    return (stacked * directions_of(layer) + way) * params_each(layer);
}

/* ---- The tape ---- */

/* Whether states are reset before their product. */
static bool
resets_before(const lm_layer *layer)
{
    return layer->kind->cell->reset && !layer->options.reset_after;
}

static void
lay_track(const lm_cell *cell, const lm_layer *layer, size_t in, size_t tokens, float *base,
          size_t *size, lm_track *track)
{
    const size_t states = tokens * layer->size, gates = cell->gates * states;

    track->inputs = lm_net_lay(base, size, tokens * in);
    track->gates = lm_net_lay(base, size, gates);
    track->turned = lm_net_lay(base, size, cell->turned ? gates : 0);
    track->states = lm_net_lay(base, size, states);
    track->reset = lm_net_lay(base, size, resets_before(layer) ? states : 0);
    track->cells = lm_net_lay(base, size, cell->has_cell ? 2 * states : 0);
}

/* What the backward pass works in is laid for training only. */
static void
lay_back(const lm_cell *cell, const lm_layer *layer, const lm_net_batch *batch, float *base,
         net_tape *tape)
{
    const size_t wide = cell->gates * layer->size;
    const lm_product *product = &lm_kernels_active()->products[LM_PRECISION_F32];

    for (int i = 0; i < 2; i++)
        tape->flow[i] = lm_net_lay(base, &tape->size, batch->tokens * layer->out);
    tape->dstates = lm_net_lay(base, &tape->size, batch->tokens * layer->size);
    tape->dcells = lm_net_lay(base, &tape->size, batch->texts * layer->size);
    tape->across = lm_net_lay(base, &tape->size, layer->size * wide);
    tape->packed =
        lm_net_lay(base, &tape->size, product->packed_size(layer->size, wide) / sizeof(float));
}

static net_tape
lay_tape(const lm_cell *cell, const lm_layer *layer, const lm_net_batch *batch, float *base)
{
    net_tape tape = {.size = 0};
    const size_t layers = (size_t)layer->options.layers;

    for (size_t l = 0; l < layers; l++) {
        for (size_t way = 0; way < directions_of(layer); way++)
            lay_track(cell, layer, in_of(layer, l), batch->tokens, base, &tape.size,
                      &tape.tracks[l][way]);
        tape.between[l] =
            lm_net_lay(base, &tape.size, keeps(layer, l) ? batch->tokens * layer->out : 0);
    }
    tape.bias = lm_net_lay(base, &tape.size, cell->gates * layer->size);
    tape.twice = lm_net_lay(base, &tape.size,
                            resets_before(layer) ? batch->texts * cell->gates * layer->size : 0);
    if (batch->graded)
        lay_back(cell, layer, batch, base, &tape);
    return tape;
}

size_t
lm_recurrent_tape(const lm_layer *layer, const lm_net_batch *batch)
{
    return lay_tape(layer->kind->cell, layer, batch, NULL).size;
}

/* ---- Between tokens and steps ---- */

/* The token of a row: step `t` of the text that is the r-th longest. */
static size_t
token_of(const lm_net_batch *batch, size_t way, size_t t, size_t r)
{
    const size_t text = batch->order[r];

    return way == 0 ? batch->offsets[text] + t : batch->offsets[text + 1] - 1 - t;
}

/* rows (T, width) = columns of x (T, ld) by steps. */
static void
to_steps(const lm_net_batch *batch, size_t way, size_t width, const float *x, size_t ld,
         float *rows)
{
    for (size_t t = 0; t < batch->longest; t++)
        for (size_t r = 0; r < batch->steps[t + 1] - batch->steps[t]; r++)
            memcpy(rows + (batch->steps[t] + r) * width, x + token_of(batch, way, t, r) * ld,
                   width * sizeof *rows);
}

/* And back. */
static void
from_steps(const lm_net_batch *batch, size_t way, size_t width, const float *rows, float *x,
           size_t ld)
{
    for (size_t t = 0; t < batch->longest; t++)
        for (size_t r = 0; r < batch->steps[t + 1] - batch->steps[t]; r++)
            memcpy(x + token_of(batch, way, t, r) * ld, rows + (batch->steps[t] + r) * width,
                   width * sizeof *rows);
}

static void
add_from_steps(const lm_net_batch *batch, size_t way, size_t width, const float *rows, float *x,
               size_t ld)
{
    for (size_t t = 0; t < batch->longest; t++)
        for (size_t r = 0; r < batch->steps[t + 1] - batch->steps[t]; r++) {
            float *to = x + token_of(batch, way, t, r) * ld;
            const float *from = rows + (batch->steps[t] + r) * width;

            for (size_t i = 0; i < width; i++)
                to[i] += from[i];
        }
}

/* ---- Forward ---- */

/* The sum of both biases, or that of the inputs alone where states' products are kept apart. */
static const float *
bias_of(const lm_cell *cell, const lm_layer_run *run, size_t param, float *room)
{
    const size_t wide = cell->gates * run->layer->size;
    const float *inputs = run->values[param + 2];

    if (cell->turned || run->layer->options.biases == 1)
        return inputs;
    for (size_t i = 0; i < wide; i++)
        room[i] = inputs[i] + run->values[param + 3][i];
    return room;
}

static lm_cell_step
step_of(const lm_cell *cell, const lm_layer_run *run, const lm_track *track, size_t t)
{
    const lm_net_batch *batch = run->batch;
    const size_t units = run->layer->size, wide = cell->gates * units, first = batch->steps[t];
    const size_t before = t > 0 ? batch->steps[t - 1] * units : 0;
    float *tanhs = track->cells + batch->tokens * units;

    return (lm_cell_step){
        .kernels = run->kernels,
        .layer = run->layer,
        .rows = batch->steps[t + 1] - first,
        .units = units,
        .gates = track->gates + first * wide,
        .turned = cell->turned ? track->turned + first * wide : NULL,
        .state = track->states + first * units,
        .cell = cell->has_cell ? track->cells + first * units : NULL,
        .cell_tanh = cell->has_cell ? tanhs + first * units : NULL,
        .reset = resets_before(run->layer) ? track->reset + first * units : NULL,
        .state_before = t > 0 ? track->states + before : NULL,
        .cell_before = t > 0 && cell->has_cell ? track->cells + before : NULL,
    };
}

/* c (rows, n) = a (rows, k) · Wᵀ + bias, or added to what is there. */
static void
multiply(const lm_layer_run *run, const void *packed, size_t rows, size_t n, size_t k,
         const float *a, const float *bias, bool add, float *c)
{
    const lm_gemm product = {
        .m = rows,
        .n = n,
        .k = k,
        .a = a,
        .lda = k,
        .packed = packed,
        .bias = bias,
        .residual = add ? c : NULL,
        .ldr = n,
        .c = c,
        .ldc = n,
    };

    run->kernels->products[LM_PRECISION_F32].gemm(&product);
}

/* What the states before give a step. */
static void
turn(const lm_cell *cell, const lm_layer_run *run, size_t param, const lm_cell_step *step)
{
    const size_t wide = cell->gates * step->units;
    const float *bias =
        cell->turned && run->layer->options.biases == 2 ? run->values[param + 3] : NULL;

    if (step->state_before)
        multiply(run, run->packed[param + 1], step->rows, wide, step->units, step->state_before,
                 bias, !cell->turned, cell->turned ? step->turned : step->gates);
    else
        for (size_t i = 0; cell->turned && i < step->rows; i++)
            if (bias)
                memcpy(step->turned + i * wide, bias, wide * sizeof *bias);
            else
                memset(step->turned + i * wide, 0, wide * sizeof *bias);
}

/* What the states give the last gate once they are reset. */
static void
turn_again(const lm_cell *cell, const lm_layer_run *run, size_t param, const lm_cell_step *step,
           float *room)
{
    const size_t wide = cell->gates * step->units, last = wide - step->units;

    cell->reset(step);
    if (!step->state_before)
        return;
    multiply(run, run->packed[param + 1], step->rows, wide, step->units, step->reset, NULL, false,
             room);
    for (size_t i = 0; i < step->rows; i++)
        memcpy(step->turned + i * wide + last, room + i * wide + last, step->units * sizeof *room);
}

/* One direction of a stacked layer: x (T, in), its columns of y. */
static lm_status
run_track(const lm_cell *cell, const lm_layer_run *run, const net_tape *tape, size_t stacked,
          size_t way, const float *x, float *y)
{
    const lm_layer *layer = run->layer;
    const lm_net_batch *batch = run->batch;
    const lm_track *track = &tape->tracks[stacked][way];
    const size_t param = param_of(layer, stacked, way), in = in_of(layer, stacked);

    to_steps(batch, way, in, x + column_of(layer, stacked, way), row_before(layer, stacked),
             track->inputs);
    LM_TRY(lm_layer_multiply(run, param, batch->tokens, track->inputs,
                             bias_of(cell, run, param, tape->bias), LM_ACT_NONE, track->gates));
    for (size_t t = 0; t < batch->longest; t++) {
        const lm_cell_step step = step_of(cell, run, track, t);

        LM_TRY(lm_poll(run->ctx));
        turn(cell, run, param, &step);
        if (step.reset)
            turn_again(cell, run, param, &step, tape->twice);
        cell->forward(&step);
    }
    from_steps(batch, way, layer->size, track->states, y + way * layer->size, layer->out);
    return LM_OK;
}

/* Dropout lies behind each stacked layer but the last. */
static bool
drops(const lm_layer_run *run)
{
    return run->batch->training && run->layer->options.dropout > 0;
}

/* y += factor · x. */
static void
add(size_t count, float factor, const float *x, float *y)
{
    for (size_t i = 0; i < count; i++)
        y[i] += factor * x[i];
}

/* ---- A mix of the stacked layers (Peters et al. 2018): γ · Σ softmax(w) · h ---- */

#define PARTS_MAX 9

/* What lies behind stacked layer `part`, or the input where that is 0; its width is `*width`. */
static const float *
part_of(const lm_layer_run *run, const net_tape *tape, size_t part, size_t *width)
{
    const lm_layer *layer = run->layer;

    *width = part == 0 ? layer->in : layer->out;
    if (part == 0)
        return run->x;
    return keeps(layer, part - 1) ? tape->between[part - 1] : run->y;
}

lm_status
lm_recurrent_mix(const lm_layer_run *run, const float *mix, float *out)
{
    const lm_layer *layer = run->layer;
    const net_tape tape = lay_tape(layer->kind->cell, layer, run->batch, run->tape);
    const size_t tokens = run->batch->tokens;

    memset(out, 0, tokens * layer->out * sizeof *out);
    for (size_t part = 0; part <= (size_t)layer->options.layers; part++) {
        size_t width;
        const float *x = part_of(run, &tape, part, &width);

        LM_TRY(lm_poll(run->ctx));
        for (size_t at = 0; mix[part] != 0 && at < layer->out; at += width)
            for (size_t t = 0; t < tokens; t++)
                add(width, mix[part], x + t * width, out + t * layer->out + at);
    }
    return LM_OK;
}

/* Shares by the trained weights, by part; 0 of an input that is not mixed. */
static void
trained_shares(const lm_layer_run *run, const float *weights, float shares[PARTS_MAX])
{
    const size_t parts = parts_of(run->layer), all = (size_t)run->layer->options.layers + 1;

    shares[0] = 0;
    memcpy(shares + all - parts, weights, parts * sizeof *shares);
    run->kernels->softmax_f32(parts, shares + all - parts);
}

/* The first of its two parameters. */
static size_t
mix_param(const lm_layer *layer)
{
    return param_of(layer, (size_t)layer->options.layers, 0);
}

static lm_status
mix_forward(const lm_layer_run *run, const net_tape *tape)
{
    const size_t param = mix_param(run->layer);
    float shares[PARTS_MAX];

    trained_shares(run, run->values[param], shares);
    for (int i = 0; i < PARTS_MAX; i++)
        shares[i] = i <= run->layer->options.layers ? shares[i] * run->values[param + 1][0] : 0;
    return lm_recurrent_mix(run, shares, run->y);
}

/* dy · part, over all tokens. */
static double
part_product(const lm_layer_run *run, const net_tape *tape, size_t part, const float *dy)
{
    const size_t tokens = run->batch->tokens, out = run->layer->out;
    size_t width;
    const float *x = part_of(run, tape, part, &width);
    double sum = 0;

    for (size_t at = 0; at < out; at += width)
        for (size_t t = 0; t < tokens; t++)
            sum += (double)run->kernels->dot_f32(width, dy + t * out + at, x + t * width);
    return sum;
}

/* Gradients of the weights and of γ; shares become the factors of dy for each part. */
static lm_status
mix_back(const lm_layer_run *run, const net_tape *tape, const float *dy, float shares[PARTS_MAX])
{
    const size_t param = mix_param(run->layer), all = (size_t)run->layer->options.layers + 1;
    const size_t first = all - parts_of(run->layer);
    const float gamma = run->values[param + 1][0];
    float *dweights = lm_layer_grad(run, param), *dgamma = lm_layer_grad(run, param + 1);
    double products[PARTS_MAX], mean = 0;

    trained_shares(run, run->values[param], shares);
    for (size_t i = first; i < all; i++) {
        LM_TRY(lm_poll(run->ctx));
        products[i] = part_product(run, tape, i, dy);
        mean += (double)shares[i] * products[i];
    }
    for (size_t i = first; i < all; i++) {
        if (dweights)
            dweights[i - first] += (float)((double)(gamma * shares[i]) * (products[i] - mean));
        shares[i] *= gamma;
    }
    if (dgamma)
        *dgamma += (float)mean;
    return LM_OK;
}

/* One stacked layer: x, its output y (T, out). */
static lm_status
run_stacked(const lm_layer_run *run, const net_tape *tape, size_t stacked, const float *x, float *y)
{
    const lm_layer *layer = run->layer;
    const size_t numbers = run->batch->tokens * layer->out;
    const bool one_way = run->batch->one_way && layer->options.separate;

    if (one_way)
        memset(y, 0, numbers * sizeof *y);
    for (size_t way = 0; way < (one_way ? 1 : directions_of(layer)); way++)
        LM_TRY(run_track(layer->kind->cell, run, tape, stacked, way, x, y));
    if (stacked > 0 && layer->options.residual)
        add(numbers, 1, x, y);
    return LM_OK;
}

lm_status
lm_recurrent_forward(const lm_layer_run *run)
{
    const lm_layer *layer = run->layer;
    const net_tape tape = lay_tape(layer->kind->cell, layer, run->batch, run->tape);
    const size_t layers = (size_t)layer->options.layers;
    const float *x = run->x;

    for (size_t l = 0; l < layers; l++) {
        float *y = keeps(layer, l) ? tape.between[l] : run->y;

        LM_TRY(run_stacked(run, &tape, l, x, y));
        if (l + 1 < layers && drops(run))
            lm_layer_drop(run, l, false, layer->out, y, y);
        x = y;
    }
    return layer->options.mix ? mix_forward(run, &tape) : LM_OK;
}

/* ---- Backward ---- */

/* The weight of states the other way round, so that gradients go through it as states do. */
static lm_status
pack_across(const lm_layer_run *run, const net_tape *tape, size_t param, size_t wide)
{
    const size_t units = run->layer->size;
    const float *weight = run->values[param + 1];
    const lm_matrix matrix = {.n = units, .k = wide, .values = tape->across};

    for (size_t i = 0; i < wide; i++) {
        if (i % 64 == 0)
            LM_TRY(lm_poll(run->ctx));
        for (size_t j = 0; j < units; j++)
            tape->across[j * wide + i] = weight[i * units + j];
    }
    return lm_pack(run->ctx, &run->kernels->products[LM_PRECISION_F32], &matrix, tape->packed);
}

/* From the last step to the first: gates become their gradients. */
static lm_status
steps_back(const lm_cell *cell, const lm_layer_run *run, const net_tape *tape,
           const lm_track *track)
{
    const lm_net_batch *batch = run->batch;
    const size_t units = run->layer->size, wide = cell->gates * units;

    memset(tape->dcells, 0, batch->texts * units * sizeof *tape->dcells);
    for (size_t t = batch->longest; t > 0;) {
        t--;
        lm_cell_step step = step_of(cell, run, track, t);

        LM_TRY(lm_poll(run->ctx));
        step.dstate = tape->dstates + batch->steps[t] * units;
        step.dcell = tape->dcells;
        step.dbefore = t > 0 ? tape->dstates + batch->steps[t - 1] * units : NULL;
        step.dreset = tape->twice;
        cell->backward(&step);
        if (t > 0 && step.reset)
            multiply(run, tape->packed, step.rows, units, wide, step.turned, NULL, false,
                     step.dreset);
        if (step.reset)
            cell->reset_back(&step);
        if (t > 0)
            multiply(run, tape->packed, step.rows, units, wide,
                     cell->turned ? step.turned : step.gates, NULL, true, step.dbefore);
    }
    return LM_OK;
}

/* The states before each row behind the first step. */
static void
gather_before(const lm_net_batch *batch, size_t units, const float *states, float *before)
{
    for (size_t t = 1; t < batch->longest; t++) {
        const size_t rows = batch->steps[t + 1] - batch->steps[t];

        memcpy(before + (batch->steps[t] - batch->texts) * units,
               states + batch->steps[t - 1] * units, rows * units * sizeof *before);
    }
}

/* Of a bias: the sum of rows. */
static void
add_rows(size_t rows, size_t width, const float *x, float *sum)
{
    for (size_t i = 0; sum && i < rows; i++)
        for (size_t j = 0; j < width; j++)
            sum[j] += x[i * width + j];
}

/* Of the last gate's share of the states' weight, which went with states that were reset. */
static lm_status
reset_weights_back(const lm_cell *cell, const lm_layer_run *run, const lm_track *track,
                   size_t param)
{
    const lm_net_batch *batch = run->batch;
    const size_t units = run->layer->size, wide = cell->gates * units, last = wide - units;

    for (size_t i = batch->texts; i < batch->tokens; i++) {
        memset(track->turned + i * wide, 0, last * sizeof *track->turned);
        memcpy(track->turned + i * wide + last, track->gates + i * wide + last,
               units * sizeof *track->turned);
    }
    return lm_layer_weight_grads(run, param + 1, batch->tokens - batch->texts,
                                 track->reset + batch->texts * units,
                                 track->turned + batch->texts * wide, NULL);
}

/* Gradients of a track's weights, once those of its gates are there. */
static lm_status
weights_back(const lm_cell *cell, const lm_layer_run *run, const net_tape *tape,
             const lm_track *track, size_t param)
{
    const lm_net_batch *batch = run->batch;
    const size_t units = run->layer->size, wide = cell->gates * units;
    const float *turned = cell->turned ? track->turned : track->gates;

    gather_before(batch, units, track->states, tape->dstates);
    if (batch->tokens > batch->texts)
        LM_TRY(lm_layer_weight_grads(run, param + 1, batch->tokens - batch->texts, tape->dstates,
                                     turned + batch->texts * wide, NULL));
    if (batch->tokens > batch->texts && resets_before(run->layer))
        LM_TRY(reset_weights_back(cell, run, track, param));
    if (run->layer->options.biases == 2)
        add_rows(batch->tokens, wide, turned, lm_layer_grad(run, param + 3));
    return lm_layer_weight_grads(run, param, batch->tokens, track->inputs, track->gates,
                                 lm_layer_grad(run, param + 2));
}

/* dy's columns of the direction to dx, which is added to; NULL: not wanted. */
static lm_status
track_back(const lm_cell *cell, const lm_layer_run *run, const net_tape *tape, size_t stacked,
           size_t way, const float *dy, float *dx)
{
    const lm_layer *layer = run->layer;
    const lm_net_batch *batch = run->batch;
    const lm_track *track = &tape->tracks[stacked][way];
    const size_t param = param_of(layer, stacked, way);

    LM_TRY(pack_across(run, tape, param, cell->gates * layer->size));
    to_steps(batch, way, layer->size, dy + way * layer->size, layer->out, tape->dstates);
    LM_TRY(steps_back(cell, run, tape, track));
    if (run->grads && layer->options.trainable)
        LM_TRY(weights_back(cell, run, tape, track, param));
    if (!dx)
        return LM_OK;
    LM_TRY(lm_layer_input_grads(run, param, batch->tokens, track->gates, track->inputs));
    add_from_steps(batch, way, in_of(layer, stacked), track->inputs,
                   dx + column_of(layer, stacked, way), row_before(layer, stacked));
    return LM_OK;
}

/* Of a stacked layer, dy to what it has read. */
static lm_status
stacked_back(const lm_layer_run *run, const net_tape *tape, size_t l, const float *dy, float *to)
{
    const lm_layer *layer = run->layer;
    const size_t tokens = run->batch->tokens;

    if (to)
        memset(to, 0, tokens * row_before(layer, l) * sizeof *to);
    for (size_t way = 0; way < directions_of(layer); way++)
        LM_TRY(track_back(layer->kind->cell, run, tape, l, way, dy, to));
    if (l > 0 && layer->options.residual)
        add(tokens * layer->out, 1, dy, to);
    return LM_OK;
}

/* What the mix gives the gradient of a part: that of the input has each direction's. */
static void
add_share(const lm_layer_run *run, size_t part, float share, const float *dy, float *to)
{
    const lm_layer *layer = run->layer;
    const size_t width = part == 0 ? layer->in : layer->out;

    for (size_t at = 0; share != 0 && at < layer->out; at += width)
        for (size_t t = 0; t < run->batch->tokens; t++)
            add(width, share, dy + t * layer->out + at, to + t * width);
}

/* The gradient behind the last stacked layer: a mix's share of dy. */
static float *
start_back(const lm_layer_run *run, const net_tape *tape, const float *shares, float *dy)
{
    const size_t layers = (size_t)run->layer->options.layers;
    float *start = tape->flow[layers % 2];

    if (!run->layer->options.mix)
        return dy;
    memset(start, 0, run->batch->tokens * run->layer->out * sizeof *start);
    add_share(run, layers, shares[layers], dy, start);
    return start;
}

lm_status
lm_recurrent_backward(const lm_layer_run *run, float *dy, float *dx)
{
    const lm_layer *layer = run->layer;
    const net_tape tape = lay_tape(layer->kind->cell, layer, run->batch, run->tape);
    const size_t layers = (size_t)layer->options.layers;
    float shares[PARTS_MAX] = {0}, *from;

    if (layer->options.mix)
        LM_TRY(mix_back(run, &tape, dy, shares));
    if (!layer->options.trainable && !dx)
        return LM_OK;
    from = start_back(run, &tape, shares, dy);
    for (size_t l = layers; l > 0;) {
        float *to = --l > 0 ? tape.flow[l % 2] : dx;

        LM_TRY(stacked_back(run, &tape, l, from, to));
        if (to && layer->options.mix)
            add_share(run, l, shares[l], dy, to);
        if (l > 0 && drops(run))
            lm_layer_drop(run, l - 1, false, layer->out, to, to);
        from = to;
    }
    return LM_OK;
}

/* ---- Gates ---- */

/* By the tanh of the half, which the kernels have. */
void
lm_sigmoid_rows(const lm_kernels *kernels, size_t count, float *x)
{
    for (size_t i = 0; i < count; i++)
        x[i] *= 0.5f;
    kernels->activate_f32(LM_ACT_TANH, count, x);
    for (size_t i = 0; i < count; i++)
        x[i] = 0.5f * x[i] + 0.5f;
}
