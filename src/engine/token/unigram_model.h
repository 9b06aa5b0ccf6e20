/*
 * unigram_model.h - the model Unigram of SentencePiece: the pieces of a word whose scores sum to
 * the most.
 */
#ifndef LM_UNIGRAM_MODEL_H
#define LM_UNIGRAM_MODEL_H

#include "token/model.h"

extern const lm_token_model lm_unigram_model;

#endif
