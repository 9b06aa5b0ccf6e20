/*
 * linear.h - the method "linear": a softmax head on the embeddings of a base that stays as it is.
 */
#ifndef LM_LINEAR_H
#define LM_LINEAR_H

#include "train/methods.h"

extern const lm_method lm_method_linear;

#endif
