/*
 * decimal.h - a number that a text file has in decimal notation (private to format/).
 */
#ifndef LM_DECIMAL_H
#define LM_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

/* No longer numbers are read. */
#define LM_DECIMAL_LONGEST 128

/*
 * The nearest double of digits with an optional sign, point and exponent, as Python's float reads
 * them; infinite where it is beyond double. False: the text is no such number. Words for what is
 * no number (nan, inf) and digits of other bases are none.
 */
bool lm_decimal_read(const char *text, size_t length, double *value);

#endif
