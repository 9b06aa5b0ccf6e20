/*
 * kinds.c - the table of kinds of layers.
 */
#include "net/kinds.h"

const lm_layer_kind *const lm_layer_kinds[] = {
    &lm_layer_embedding, &lm_layer_characters,  &lm_layer_linear,
    &lm_layer_dropout,   &lm_layer_rnn,         &lm_layer_lstm,
    &lm_layer_gru,       &lm_layer_attention,   &lm_layer_pool,
    &lm_layer_conv,      &lm_layer_transformer, &lm_layer_norm,
    &lm_layer_crf,       &lm_layer_softmax,     NULL,
};
