/*
 * texts.h - texts to calibrate and to measure on, of many kinds and languages, written for lmtext
 * (private to quant/).
 */
#ifndef LM_QUANT_TEXTS_H
#define LM_QUANT_TEXTS_H

#include <stddef.h>

extern const char *const lm_calibration_texts[];
extern const size_t lm_calibration_text_count;
/* None of these is among the others. */
extern const char *const lm_held_out_texts[];
extern const size_t lm_held_out_text_count;

#endif
