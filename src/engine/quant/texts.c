/*
 * texts.c - own texts. Short and long, plain and technical, in many scripts: what a channel of a
 * model does on one kind of text only must show here.
 */
#include "quant/texts.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const char *const lm_calibration_texts[] = {
    "A database is a place where many people look for the same thing in different words.",
};
const size_t lm_calibration_text_count = COUNT(lm_calibration_texts);

const char *const lm_held_out_texts[] = {
    "The ferry to the islands leaves twice a day, weather permitting.",
};
const size_t lm_held_out_text_count = COUNT(lm_held_out_texts);
