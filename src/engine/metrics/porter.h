/*
 * porter.h - stems of English words by Porter's algorithm of 1980 with the extensions of nltk,
 * which rouge-score and METEOR use.
 */
#ifndef LM_PORTER_H
#define LM_PORTER_H

#include "base/buffer.h"
#include "base/text.h"

/* Append the stem of a word in lower case. Characters beyond ASCII are consonants. */
lm_status lm_porter_stem(lm_text word, lm_buffer *stem);

#endif
