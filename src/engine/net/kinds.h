/*
 * kinds.h - the rows of the table of layers (private to net/).
 */
#ifndef LM_NET_KINDS_H
#define LM_NET_KINDS_H

#include "net/layer.h"

extern const lm_layer_kind lm_layer_embedding, lm_layer_linear, lm_layer_dropout, lm_layer_rnn,
    lm_layer_lstm, lm_layer_gru, lm_layer_attention, lm_layer_pool, lm_layer_conv,
    lm_layer_transformer, lm_layer_norm, lm_layer_crf, lm_layer_softmax, lm_layer_characters;

#endif
