/*
 * fasttext.h - the method "fasttext" (task "classification"): the mean of learnt embeddings of
 * words, word n-grams and character n-grams, and a linear layer on it (Joulin et al. 2016).
 */
#ifndef LM_FASTTEXT_H
#define LM_FASTTEXT_H

#include "train/methods.h"

extern const lm_method lm_method_fasttext;

#endif
