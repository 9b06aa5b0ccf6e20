/*
 * test_decimal.c - numbers in decimal notation: as strtod has them, and what is none.
 */
#include "format/decimal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "unit.h"

static void
like_strtod(const char *text)
{
    double value = NAN, wanted = strtod(text, NULL);

    CHECK(lm_decimal_read(text, strlen(text), &value));
    if (memcmp(&value, &wanted, sizeof value) != 0)
        UNIT_FAIL("%s: %.17g, wanted %.17g", text, value, wanted);
}

static void
test_values(void)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "+1",
        "1.",
        ".5",
        "-.25",
        "007.5",
        "1e5",
        "1E-5",
        "1e+05",
        "0.0000000000000000001",
        "9007199254740993",
        "123456789012345678",
        "1234567890123456789012345678901234567890",
        "0.1234567890123456789012345678901",
        "1e22",
        "1e23",
        "1e-22",
        "1e-23",
        "4.9e-324",
        "1e-400",
        "1e400",
        "-1e99999999999",
        "1e-99999999999",
        "2.2250738585072011e-308",
        "0e999999",
        "8.5e-46",
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        like_strtod(texts[i]);
}

static void
test_random(void)
{
    lm_rng rng;
    char text[64];

    lm_rng_seed(&rng, 7);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = lm_rng_next(&rng);
        double value;

        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof text, "%.*g", 1 + i % 20, value);
        like_strtod(text);
        snprintf(text, sizeof text, "%.*f", i % 12, (double)(int64_t)bits * 1e-18);
        like_strtod(text);
    }
}

static void
test_refused(void)
{
    static const char *const texts[] = {
        "",    "-",   "+",   ".",   "-.",       "e5",    "1e",    "1e+", "1e-x", "1ex", "1.2.3",
        "1-2", "--1", "nan", "inf", "Infinity", "0x1p3", "1_000", "1,5", " 1",   "1 ",  "\xd9\xa1",
    };
    char many[LM_DECIMAL_LONGEST + 2];
    double value;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (lm_decimal_read(texts[i], strlen(texts[i]), &value))
            UNIT_FAIL("\"%s\" is read as %g", texts[i], value);
    memset(many, '1', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    CHECK(!lm_decimal_read(many, LM_DECIMAL_LONGEST + 1, &value));
    many[LM_DECIMAL_LONGEST] = '\0';
    like_strtod(many);
}

static const unit_case cases[] = {
    {"values", test_values},
    {"random", test_random},
    {"refused", test_refused},
};

UNIT_MAIN(cases)
