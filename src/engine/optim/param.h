/*
 * param.h - what a training changes: matrices and vectors of float32 with their gradients.
 *
 * A parameter's values and gradient belong to the network; optimizers keep state of their own
 * beside it. Gradients are sums: a pass adds to them, the trainer clears them.
 */
#ifndef LM_OPTIM_PARAM_H
#define LM_OPTIM_PARAM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lm_param {
    const char *name;     /* of the tensor in the files that the training writes */
    size_t rows, columns; /* a vector has one row */
    float *value;         /* (rows, columns) */
    float *grad;          /* the same shape */
    bool decay;           /* weight decay is for it: matrices, not biases and gains */
    double rate;          /* a factor of the learning rate; 1 as a rule */
    /*
     * (rows) of a table of which a batch reads few rows: 1 where a row has a gradient. Gradients of
     * other rows are zero. The network sets it, the trainer clears it with the gradients. NULL:
     * all.
     */
    unsigned char *touched;
} lm_param;

#endif
