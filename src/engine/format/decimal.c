/*
 * decimal.c - decimal notation to double.
 */
#include "format/decimal.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Integers up to it, and powers of ten up to the other, are exact in a double. */
#define EXACT_INTEGER (UINT64_C(1) << 53)
#define EXACT_POWER 22

/* Digits that always fit 64 bits. */
#define SURE_DIGITS 19

/* Exponents beyond it are beyond double, whatever the digits are. */
#define EXPONENT_LIMIT 9999

/* The parts of a number. */
typedef struct decimal {
    bool negative;
    uint64_t mantissa; /* of the digits, where there are at most SURE_DIGITS */
    int digits;        /* without zeros in front */
    int exponent;      /* of the last digit */
    char text[LM_DECIMAL_LONGEST + 16];
} decimal;

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void
take_digit(decimal *d, char c)
{
    if (d->digits == 0 && c == '0')
        return;
    if (d->digits < SURE_DIGITS)
        d->mantissa = d->mantissa * 10 + (uint64_t)(c - '0');
    d->text[d->digits++] = c;
}

/* Digits with a point among them, before it or behind; at least one. */
static const char *
read_digits(const char *at, const char *end, decimal *d)
{
    bool point = false, any = false;

    for (; at < end && (is_digit(*at) || (*at == '.' && !point)); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        any = true;
        take_digit(d, *at);
        d->exponent -= point;
    }
    return any ? at : NULL;
}

/* What stands behind the letter e. */
static const char *
read_exponent(const char *at, const char *end, decimal *d)
{
    bool negative = at < end && *at == '-';
    int exponent = 0;

    at += at < end && (*at == '-' || *at == '+');
    if (at == end)
        return NULL;
    for (; at < end && is_digit(*at); at++)
        if (exponent < EXPONENT_LIMIT)
            exponent = exponent * 10 + (*at - '0');
    d->exponent += negative ? -exponent : exponent;
    return at;
}

/*
 * Where digits and power of ten are exact, one operation rounds once (Clinger 1990). The rest is
 * strtod's, which rounds correctly; it gets no point, since that depends on the locale.
 */
static double
value_of(decimal *d)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

    if (d->digits == 0)
        return 0;
    if (d->digits <= SURE_DIGITS && d->mantissa <= EXACT_INTEGER && d->exponent >= -EXACT_POWER &&
        d->exponent <= EXACT_POWER)
        return d->exponent < 0 ? (double)d->mantissa / powers[-d->exponent]
                               : (double)d->mantissa * powers[d->exponent];
    snprintf(d->text + d->digits, sizeof d->text - (size_t)d->digits, "e%d", d->exponent);
    return strtod(d->text, NULL);
}

bool
lm_decimal_read(const char *text, size_t length, double *value)
{
    const char *at = text, *end = text + length;
    decimal d;

    if (length == 0 || length > LM_DECIMAL_LONGEST)
        return false;
    d.mantissa = 0;
    d.digits = d.exponent = 0;
    d.negative = *at == '-';
    at += *at == '-' || *at == '+';
    at = read_digits(at, end, &d);
    if (at && at < end && (*at == 'e' || *at == 'E'))
        at = read_exponent(at + 1, end, &d);
    if (at != end)
        return false;
    *value = d.negative ? -value_of(&d) : value_of(&d);
    return true;
}
