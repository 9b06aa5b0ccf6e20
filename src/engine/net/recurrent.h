/*
 * recurrent.h - what recurrent layers share: directions, stacked layers, dropout between these, and
 * packed texts. A kind of cell is a row that says what one step does.
 *
 * Steps are those of all texts at once. Rows stand step by step, the longest text first in each, so
 * a step's rows are a prefix of those of the step before, and each step is one product.
 */
#ifndef LM_NET_RECURRENT_H
#define LM_NET_RECURRENT_H

#include "net/layer.h"

/* One direction of one stacked layer. Rows are in the order of steps. */
typedef struct lm_track {
    float *inputs; /* (T, in) */
    float *gates;  /* (T, gates · H): what the inputs give, then gates, then their gradients */
    float *turned; /* (T, gates · H) where the cell has it: what the states before give */
    float *states; /* (T, H) */
    float *reset;  /* (T, H) where states are reset before their product: what goes into it */
    float *cells;  /* (T, H) where the cell has them, and behind them their tanh */
} lm_track;

/* A step: rows first … first + rows − 1, and the rows of the step before. */
typedef struct lm_cell_step {
    const lm_kernels *kernels;
    const lm_layer *layer;
    size_t rows, units;
    float *gates, *turned, *state, *cell, *cell_tanh;
    float *reset; /* NULL: what the states give is reset, not the states */
    const float *state_before, *cell_before; /* NULL: the first step, they are zeros */
    /* Of a backward step: */
    float *dstate;  /* (rows, H) */
    float *dcell;   /* (rows, H): of the step after, then of that before */
    float *dbefore; /* (rows, H): what is added to the states before apart from the product; NULL */
    float *dreset;  /* (rows, H) */
} lm_cell_step;

typedef struct lm_cell {
    size_t gates;
    bool has_cell;
    bool turned; /* what the states give is kept apart from what the inputs give */
    /* Of a cell that may reset states before a second product: before it, and between the gradients
     * of what comes behind it and those of the others. */
    void (*reset)(const lm_cell_step *step), (*reset_back)(const lm_cell_step *step);
    void (*forward)(const lm_cell_step *step);
    void (*backward)(const lm_cell_step *step);
} lm_cell;

#define LM_RECURRENT_ROWS                                                                \
    LM_OPTION(lm_layer_options, layers, INT, 1, 8, "a whole number from 1 to 8"),        \
        LM_OPTION(lm_layer_options, dropout, FLOAT, 0, 0.99, "a number from 0 to 0.99"), \
        LM_OPTION(lm_layer_options, biases, INT, 1, 2, "1 or 2"),                        \
        LM_OPTION(lm_layer_options, keras_order, BOOL, 0, 1, "true or false"),           \
        LM_OPTION(lm_layer_options, separate, BOOL, 0, 1, "true or false"),              \
        LM_OPTION(lm_layer_options, residual, BOOL, 0, 1, "true or false"),              \
        LM_OPTION(lm_layer_options, mix, BOOL, 0, 1, "true or false"),                   \
        LM_OPTION(lm_layer_options, trainable, BOOL, 0, 1, "true or false")
extern const lm_option lm_recurrent_options[];
#define LM_RECURRENT_OPTIONS 8 /* and one more: the activation */

const char *lm_recurrent_shapes(lm_layer *layer);
size_t lm_recurrent_params(const lm_layer *layer, lm_net_param *params);
/* out (T, out) = Σ mix[l] · what lies behind stacked layer l, of a pass that was run; l 0: x, for
 * each direction. Its layer must be as wide where mix[0] is not 0. */
lm_status lm_recurrent_mix(const lm_layer_run *run, const float *mix, float *out);
/* Whether x is as wide as a direction, so that it can be mixed with what lies behind it. */
bool lm_recurrent_mixes_input(const lm_layer *layer);
size_t lm_recurrent_tape(const lm_layer *layer, const lm_net_batch *batch);
lm_status lm_recurrent_forward(const lm_layer_run *run);
lm_status lm_recurrent_backward(const lm_layer_run *run, float *dy, float *dx);

/* 1 / (1 + e^−x) in place. */
void lm_sigmoid_rows(const lm_kernels *kernels, size_t count, float *x);

#endif
