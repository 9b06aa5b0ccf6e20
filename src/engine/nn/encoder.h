/*
 * encoder.h - embeddings and the stack over them: all of an encoder, as a family describes it.
 */
#ifndef LM_ENCODER_H
#define LM_ENCODER_H

#include "nn/stack.h"

/* How ids become the stack's input. Targets are the model's, LM_NO_WEIGHT where there is no such.
 */
typedef struct lm_embedding {
    int words, types, positions;
    size_t first_position; /* row of positions for a text's first token */
    bool skip_padding;     /* see lm_nn_embedding */
    size_t window;         /* tokens of the longest text */
    size_t type_count;     /* rows of types; without these a batch's type ids are not looked at */
    float scale;           /* of the sum; 0 stands for 1 */
    lm_norm_targets norm;
    lm_norm_kind norm_kind;
    float eps;
    /* Where `more` is set, these count too: */
    bool more;
    int common;                      /* a table whose row 0 every token has */
    size_t width;                    /* E of the tables, which may be another than the stack's D */
    int projection, projection_bias; /* (D, E) and (D), behind the norm */
    bool trigram; /* the projection is (D, 3 E), of lm_nn_trigrams; the other tables are (·, D), and
                     the norm is behind their sum */
} lm_embedding;

typedef struct lm_encoder {
    lm_embedding embedding;
    lm_stack stack;
} lm_encoder;

/* The tables that a batch's embeddings are summed from, with the batch's ids. */
lm_nn_embedding lm_encoder_tables(const lm_encoder *encoder, const lm_nn_weights *weights,
                                  const lm_batch *batch);

/* Bytes that lm_encoder_run needs for at most `tokens`, the longest text of which has `longest`. */
size_t lm_encoder_workspace(const lm_encoder *encoder, const lm_nn_weights *weights, size_t tokens,
                            size_t longest);

/*
 * Runs layers 0 … layers − 1 (0: embeddings only) and points *hidden to their output (T, D), or
 * (B, D) of the batch's outputs, inside the workspace, which is LM_ALIGNMENT-aligned. LM_TOO_LARGE
 * when a text is longer than the window; LM_BAD_ARGUMENT for a token type beyond the table. Polls
 * cancel.
 */
lm_status lm_encoder_run(lm_context *ctx, const lm_encoder *encoder, const lm_nn_weights *weights,
                         const lm_batch *batch, size_t layers, void *workspace,
                         const float **hidden);

#endif
