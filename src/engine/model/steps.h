/*
 * steps.h - what makes an embedding of hidden states: poolings, and the modules behind them. A
 * section of an encoder's image.
 */
#ifndef LM_MODEL_STEPS_H
#define LM_MODEL_STEPS_H

#include "format/checkpoint.h"

typedef struct lm_step {
    lm_step_kind kind;
    size_t in, out;
    float (*act)(float x);   /* of DENSE */
    float (*slope)(float x); /* the act's derivative */
    bool residual;           /* of DENSE: x is added, through `shortcut` where there is one */
    /* DENSE: (out, in), and (out) or NULL; LAYER_NORM: gain and bias, (in) each. */
    const float *weight, *bias;
    const float *shortcut; /* (out, in), or NULL */
} lm_step;

/* Read only; the numbers lie in the image. */
typedef struct lm_steps {
    /* One more than the first, whose name the settings have; 0: tokens have vectors of their own.
     */
    size_t pooling_count;
    lm_pooling poolings[LM_POOLING_LIMIT];
    const float *mix; /* (layers + 1): what each layer's hidden states count; NULL: the last's */
    size_t mix_count;
    size_t pooled; /* width of the poolings' vectors, side by side */
    size_t width;  /* of the embedding */
    size_t widest; /* of all vectors on the way there */
    size_t count;
    lm_step items[LM_STEP_LIMIT];
} lm_steps;

#endif
