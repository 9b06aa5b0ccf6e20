/*
 * layer.h - a layer of a net: a table with one row for each kind, and what a row is given.
 *
 * Texts are packed: T tokens of B texts end to end, without padding, so no sum has a padded place
 * in it. A layer reads rows of `in` numbers and writes rows of `out`: one a token, or, behind a
 * pool, one a text. Weights have torch's names, shapes and order of gates.
 *
 * Laws: no layer allocates; its tape is laid by lm_net_run, keeps what the backward pass needs and
 * has the room that both passes work in. Forward products are of packed weights, so a row of a
 * result is the same bits in any batch. Layers poll cancel.
 */
#ifndef LM_NET_LAYER_H
#define LM_NET_LAYER_H

#include "base/context.h"
#include "base/option.h"
#include "base/size.h"
#include "kernels/kernels.h"

#define LM_NET_RANK 3

/* A parameter of a layer. Before training it is uniform in ± spread around `middle`, or normal
 * with that middle and a deviation of spread. */
typedef struct lm_net_param {
    const char *name; /* as the layer's class of torch has it */
    int rank;
    size_t shape[LM_NET_RANK];
    size_t rows, columns; /* as a matrix; a vector has one row */
    bool product;         /* rows are multiplied by it: packed */
    bool table;           /* rows are looked up in it */
    bool normal;
    bool frozen; /* training leaves it as it is */
    float middle, spread;
} lm_net_param;

/* What a description may say of a layer beside its size. */
typedef struct lm_layer_options {
    int64_t layers, biases, heads, inner, kernel, positions, bidirectional;
    double dropout;
    char *activation, *kind;
    int64_t norm_first, trainable, keras_order, reset_after;
    int64_t separate, residual, mix, filters;
} lm_layer_options;

typedef struct lm_layer {
    const struct lm_layer_kind *kind;
    const char *said; /* the name that the description has: "bilstm" */
    int place;        /* in the description; -1: implied by the task */
    bool both;        /* directions */
    double number;    /* behind the name: units, heads, a share */
    size_t size;      /* the same as a whole number */
    size_t in, out;   /* numbers of a row */
    bool pooled;      /* its input has a row a text */
    lm_layer_options options;
    lm_activation act;
    size_t first, count; /* of its parameters among the net's */
} lm_layer;

/* The texts of a pass. */
typedef struct lm_net_batch {
    size_t tokens, texts, longest;
    const int32_t *ids;    /* (T), below the vocabulary's size */
    const size_t *offsets; /* (B + 1); no text is empty */
    /* The bytes of token t are letters[letter_ends[t]] to … [t + 1]; NULL where no layer asks. */
    const unsigned char *letters;
    const size_t *letter_ends; /* (T + 1) */
    const uint64_t *rows;      /* (B): numbers of the texts, for noise; NULL: no training */
    const size_t *order;       /* (B): from the longest text to the shortest */
    const size_t *steps; /* (longest + 1): first row of a step; all texts that have one, in order */
    bool training;       /* dropout is on */
    bool graded;         /* a backward pass follows */
    bool one_way;        /* of separate directions the first alone is run; the other gives 0 */
    uint64_t seed, step; /* of its noise */
} lm_net_batch;

/* A call of a layer. Arrays of parameters begin with the layer's own. */
typedef struct lm_layer_run {
    lm_context *ctx;
    const lm_kernels *kernels;
    const lm_layer *layer;
    const lm_net_param *params;
    const lm_net_batch *batch;
    const float *const *values;    /* as they are; of packed ones NULL where there is no training */
    const void *const *packed;     /* of products; NULL elsewhere */
    float *const *grads;           /* NULL, or NULL where nobody wants one */
    unsigned char *const *touched; /* rows of tables; NULL, or NULL where nobody asks */
    bool rounded;                  /* products of factors in bfloat16, but those of a state */
    size_t rows;                   /* T or B */
    const float *x;                /* (rows, in) */
    float *y;                      /* (rows, out), of a pool (B, out) */
    float *tape;
} lm_layer_run;

typedef struct lm_layer_kind {
    const char *name, *both; /* and that of its form with two directions, or NULL */
    bool plain;              /* its value is no number: true */
    bool named;              /* a word instead, of `words` */
    const char *const *words;
    double low, high; /* of the number */
    const lm_option *options;
    int option_count;
    lm_activation acts[LM_ACT_COUNT]; /* that its option `activation` may name, the default first */
    int act_count;
    /* Of recurrent layers, whose last states are what stands for a text; NULL of others. */
    const struct lm_cell *cell;
    bool by_row; /* a row of its output is made of one row */
    bool pools;
    /* Whether sizes fit, and the width of the output; NULL: that of the input. */
    const char *(*shapes)(lm_layer *layer);
    /* Its parameters, in torch's order; NULL array: how many. */
    size_t (*params)(const lm_layer *layer, lm_net_param *params);
    /* Numbers of its tape. */
    size_t (*tape)(const lm_layer *layer, const lm_net_batch *batch);
    lm_status (*forward)(const lm_layer_run *run);
    /* Behind the forward pass of the same x and tape: dy (rows of y) to dx, NULL: not wanted. */
    lm_status (*backward)(const lm_layer_run *run, float *dy, float *dx);
} lm_layer_kind;

extern const lm_layer_kind *const lm_layer_kinds[]; /* ends with NULL */

/* ---- For the layers' files ---- */

/* The next piece of a tape, aligned; NULL without one, when only the size is asked for. */
static inline float *
lm_net_lay(float *tape, size_t *size, size_t count)
{
    return lm_lay_floats(tape, size, (count + 15) / 16 * 16);
}

static inline lm_net_param
lm_net_matrix(const char *name, size_t rows, size_t columns, float spread)
{
    return (lm_net_param){.name = name,
                          .rank = 2,
                          .shape = {rows, columns},
                          .rows = rows,
                          .columns = columns,
                          .product = true,
                          .spread = spread};
}

static inline lm_net_param
lm_net_vector(const char *name, size_t count, float middle, float spread)
{
    return (lm_net_param){.name = name,
                          .rank = 1,
                          .shape = {count},
                          .rows = 1,
                          .columns = count,
                          .middle = middle,
                          .spread = spread};
}

/* Rows of the layer's input. */
static inline size_t
lm_layer_rows(const lm_layer *layer, const lm_net_batch *batch)
{
    return layer->pooled ? batch->texts : batch->tokens;
}

/* y (rows, n) = act(x (rows, k) · Wᵀ + bias), where W is parameter `param` of the layer. */
lm_status lm_layer_multiply(const lm_layer_run *run, size_t param, size_t rows, const float *x,
                            const float *bias, lm_activation act, float *y);
/* Its gradients: dW += dyᵀ · x and dbias += Σ dy, where they are wanted; then dx = dy · W, which
 * may take the place of x. */
lm_status lm_layer_weight_grads(const lm_layer_run *run, size_t param, size_t rows, const float *x,
                                const float *dy, float *dbias);
lm_status lm_layer_input_grads(const lm_layer_run *run, size_t param, size_t rows, const float *dy,
                               float *dx);
/* The gradient of a parameter, or NULL. */
static inline float *
lm_layer_grad(const lm_layer_run *run, size_t param)
{
    return run->grads ? run->grads[param] : NULL;
}

/* y = dropped x, rows of `width`; those of tokens or of texts. `salt` tells the places of a layer
 * apart. */
void lm_layer_drop(const lm_layer_run *run, uint64_t salt, bool pooled, size_t width,
                   const float *x, float *y);

/* The passes of a layer whose parameters are the loss's: y = x, dx = dy. Both poll. */
lm_status lm_layer_hand_on(const lm_layer_run *run);
lm_status lm_layer_hand_back(const lm_layer_run *run, float *dy, float *dx);

#endif
