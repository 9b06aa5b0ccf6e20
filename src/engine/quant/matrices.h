/*
 * matrices.h - the matrices of a model while they are quantised (private to quant/): a list of
 * them, an int8 model that is filled as they come, and the file that holds them in the end.
 */
#ifndef LM_QUANT_MATRICES_H
#define LM_QUANT_MATRICES_H

#include "quant/quantize.h"

/* Rows of a matrix' inputs that are kept, at most: half of those of the texts that ship. */
#define LM_QUANT_SAMPLE ((size_t)2560)

/* The product is (codes · scales) · (x · smooth_scale) + bias_correction, near W · x. */
typedef struct lm_quant_matrix {
    size_t index;           /* in the weights' tables */
    size_t n, k;            /* W (N, K) */
    const void *packed;     /* in fp32; NULL: the model's image lacks it */
    const float *spare;     /* its values then */
    int8_t *codes;          /* (N, K), in the file */
    float *scales;          /* (N) */
    float *smooth_scale;    /* (K) */
    float *bias_correction; /* (N) */

    /* What lm_calibrate_pass found, where `gram` is not NULL. */
    uint64_t rows;
    double *sum;     /* (K): of x */
    double *eighths; /* (K): of x⁸ */
    float *gram; /* (K, K): sum of (x − mean)(x − mean)ᵀ; until finished, about `centre`, its
                    lower half */
    float *centre; /* (K) */
    float *sample; /* (LM_QUANT_SAMPLE, K): some x */
    size_t sample_rows, sample_step;
} lm_quant_matrix;

typedef struct lm_quant {
    lm_context *ctx;
    lm_arena arena;
    const lm_model *model; /* fp32 */
    lm_model reduced;      /* the same in int8: other weights, all else shared */
    lm_weights weights;    /* these */
    char *image;           /* they lie in, as allocated */
    lm_quant_matrix *matrices;
    size_t count;
    lm_buffer *file;
} lm_quant;

/* Fill an int8 model, list its matrices, and write the header of the file with room for all. */
lm_status lm_quant_open(lm_quant *quant, const lm_source *source);
void lm_quant_close(lm_quant *quant);

/* W (N, K) as the fp32 model has it, exactly. */
lm_status lm_quant_values(const lm_quant *quant, const lm_quant_matrix *matrix, float *values);
/* Put a matrix as it stands into the int8 model and into the file. */
lm_status lm_quant_store(lm_quant *quant, const lm_quant_matrix *matrix);

#endif
