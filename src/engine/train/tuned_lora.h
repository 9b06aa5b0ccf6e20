/*
 * tuned_lora.h - low-rank adapters (Hu et al. 2021) on the projections of attention: W + alpha /
 * rank · B · A, of which only A and B are trained. What is written has them added.
 */
#ifndef LM_TRAIN_TUNED_LORA_H
#define LM_TRAIN_TUNED_LORA_H

#include "train/tuned_encoder.h"

typedef struct lm_adapter {
    size_t rows, width;
    float *value, *grad; /* W (rows, width), which is the sum; its gradient */
    float *base;         /* W as it was */
    float *a, *b;        /* (rank, width), (rows, rank) */
    float *da, *db;
} lm_adapter;

typedef struct lm_lora {
    lm_context *ctx;
    size_t rank;
    float scale;
    lm_adapter *items;
    size_t count;
    float *room;
    lm_param *params; /* the encoder's, and those of the adapters */
    size_t param_count;
} lm_lora;

/* On an encoder that was opened with `adapters`. */
lm_status lm_lora_open(lm_context *ctx, const lm_tuned_encoder *encoder, size_t rank, double alpha,
                       lm_rng *rng, lm_lora *lora);
void lm_lora_close(lm_lora *lora);

/* Before a pass, and before weights are written: W is what it is with its adapter. */
lm_status lm_lora_add(const lm_lora *lora);
/* Behind a pass: from gradients of W, which become 0, to those of A and B. */
lm_status lm_lora_backward(const lm_lora *lora);

#endif
