/*
 * tuned_encoder.h - an encoder whose weights are trained: plain rows of float32, their gradients,
 * and passes over packed batches of rows.
 */
#ifndef LM_TRAIN_TUNED_ENCODER_H
#define LM_TRAIN_TUNED_ENCODER_H

#include "family/plain.h"
#include "nn/encoder_grad.h"
#include "optim/network.h"
#include "train/tuned_texts.h"

typedef struct lm_tuned_options {
    int64_t train_layers; /* only the last so many, and the head; negative: all, and embeddings */
    double hidden_dropout, attention_dropout;
    bool adapters;   /* of the encoder only attention's projections have gradients, and they are no
                        parameters (tuned_lora.h) */
    double crf_rate; /* of a CRF's parameters, times the learning rate */
    bool rounded;    /* products of linear layers are of factors in bfloat16 */
    bool all_words;  /* every word has a gradient in each pass */
    float *grads;    /* memory of the gradients, all 0; NULL: its own */
    size_t memory;   /* bytes up to which layers keep what the way back needs; 0: no bound */
} lm_tuned_options;

typedef struct lm_tuned_encoder {
    lm_context *ctx;
    lm_tuned_options options;
    const lm_plain *plain;
    float *values, *grads;
    size_t grad_numbers;
    const void **table;    /* (targets): of values */
    float **gradients;     /* (targets): of grads; NULL: frozen */
    lm_nn_weights weights; /* the table, as nn sees it */
    lm_encoder_gradients flow;
    size_t hidden;          /* D */
    unsigned char *touched; /* (vocabulary); NULL: the words are frozen */
    lm_param *params;
    size_t param_count;
    /* Of the batch that is run. */
    lm_batch batch;
    lm_encoder_noise noise;
    lm_encoder_grad run;
    float *room; /* all of it */
    size_t room_size;
    float *sums, *dhidden; /* (T, E), (T, D): behind the workspace */
} lm_tuned_encoder;

/* `values` (plain->numbers) belong to the caller, who fills them. */
lm_status lm_tuned_encoder_open(lm_context *ctx, const lm_plain *plain,
                                const lm_tuned_options *options, float *values,
                                lm_tuned_encoder *encoder);
/* Its values, copied, are there from now on. */
void lm_tuned_encoder_move(lm_tuned_encoder *encoder, float *values);
void lm_tuned_encoder_close(lm_tuned_encoder *encoder);

/* Bytes that a row of so many tokens takes in a pass whose layers are kept, at most. */
size_t lm_tuned_row_bytes(lm_tuned_encoder *encoder, size_t tokens);

/* Words of rows that a pass will read. */
void lm_tuned_touch(lm_tuned_encoder *encoder, const lm_tuned_texts *texts, const size_t *rows,
                    size_t count);

/*
 * Hidden states (T, D) of the texts of some rows, end to end in encoder->batch; `changed` (of all
 * tokens of `texts`), or NULL, are ids in place of theirs. dhidden has room for their gradient.
 */
lm_status lm_tuned_forward(lm_tuned_encoder *encoder, const lm_tuned_texts *texts,
                           const size_t *rows, size_t count, const int32_t *changed,
                           const lm_pass *pass, const float **states);
/* Behind it: from dhidden, which is used up, to gradients of weights, which are added to. */
lm_status lm_tuned_backward(lm_tuned_encoder *encoder);

/* The gradient of a target; NULL: it is frozen, or not there. */
float *lm_tuned_gradient(const lm_tuned_encoder *encoder, size_t target);

#endif
