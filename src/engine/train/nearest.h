/*
 * nearest.h - the methods "knn" and "prototype" (task "classification"): labels of the nearest
 * examples, or of the nearest mean of a label's examples, by the cosine. Nothing is minimised, so a
 * handful of examples will do.
 */
#ifndef LM_NEAREST_H
#define LM_NEAREST_H

#include "train/methods.h"

extern const lm_method lm_method_knn, lm_method_prototype;

#endif
