/*
 * wordlevel.h - the model WordLevel.
 */
#ifndef LM_WORDLEVEL_H
#define LM_WORDLEVEL_H

#include "token/model.h"

extern const lm_token_model lm_wordlevel_model;

#endif
