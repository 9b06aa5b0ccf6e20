/*
 * layers_shared.h - a net of layers in training that several processes share (shared.h).
 */
#ifndef LM_TRAIN_LAYERS_SHARED_H
#define LM_TRAIN_LAYERS_SHARED_H

#include "train/layers_fit.h"
#include "train/shared.h"

/* Of a fit that is ready: append all that a helper must know. The cut is that of a part. */
lm_status lm_layers_pack(const lm_layers_fit *fit, const lm_cut *cut, lm_buffer *bytes);

#endif
