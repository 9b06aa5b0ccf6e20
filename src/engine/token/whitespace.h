/*
 * whitespace.h - the model WhitespaceTokenizer of sentence-transformers: words between white space
 * that are in a vocabulary as they are, or without punctuation around them, or in lower case.
 */
#ifndef LM_WHITESPACE_H
#define LM_WHITESPACE_H

#include "token/model.h"

extern const lm_token_model lm_whitespace_model;

#endif
