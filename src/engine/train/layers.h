/*
 * layers.h - the method "layers": nets from scratch, by a description in options.
 */
#ifndef LM_TRAIN_LAYERS_H
#define LM_TRAIN_LAYERS_H

#include "train/methods.h"

extern const lm_method lm_method_layers, lm_method_layers_tagging, lm_method_layers_regression,
    lm_method_layers_language;

#endif
