/*
 * text.h - a text that is somebody else's.
 */
#ifndef LM_TEXT_H
#define LM_TEXT_H

#include <stddef.h>

typedef struct lm_text {
    const char *bytes; /* UTF-8, not terminated */
    size_t length;
} lm_text;

#endif
