/*
 * layers_elmo.h - a language model of layers as the first layers of another net: the description
 * {"elmo": true} stands for them (private to train/).
 *
 * The new net has the base's embedding and stacked layers under the same names, and in place of
 * its softmax a mix of the stacked layers that is learnt (Peters et al. 2018). They stay as they
 * are unless "trainable" is true. So the net needs the base no more.
 */
#ifndef LM_LAYERS_ELMO_H
#define LM_LAYERS_ELMO_H

#include "model/layers.h"

/* Whether a description begins with it. */
bool lm_layers_ask_elmo(const lm_json *layers);
/* The description with the base's layers in its place. */
lm_status lm_layers_put_elmo(lm_context *ctx, lm_arena *arena, const lm_net *base,
                             const lm_json **layers);
/* Parameters of a net that are the base's: the first ones. */
size_t lm_layers_elmo_params(const lm_net *base);

#endif
