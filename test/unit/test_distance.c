/*
 * test_distance.c - distances by their definitions, and where rounding would leave their range.
 */
#include "search/distance.h"
#include "unit.h"

static void
test_definitions(void)
{
    static const float a[] = {3, 4, 0}, b[] = {0, 4, 3};

    CHECK_NEAR(lm_cosine_distance(3, a, b), 1 - 16.0 / 25,
               1e-7); /* float sums of small integers are exact */
    CHECK_NEAR(lm_l2_distance(3, a, b), sqrt(18), 1e-12);
    CHECK_NEAR(lm_inner_product(3, a, b), 16, 0);
    CHECK(isnan(lm_cosine_distance(3, a, (const float[]){0, 0, 0})));
}

/* Multiples of one vector: whatever the rounding, the distance is never below 0 nor above 2. */
static void
test_range(void)
{
    int below = 0, above = 0;

    for (int width = 1; width <= 40; width++)
        for (int seed = 0; seed < 50; seed++) {
            float a[40], b[40], c[40];
            double same, opposite;

            for (int i = 0; i < width; i++) {
                a[i] = (float)((i * 31 + seed * 17) % 29 + 1) / 7;
                b[i] = a[i] * 3;
                c[i] = -b[i];
            }
            same = lm_cosine_distance((size_t)width, a, b);
            opposite = lm_cosine_distance((size_t)width, a, c);
            CHECK(same >= 0 && same < 1e-6);
            CHECK(opposite <= 2 && opposite > 2 - 1e-6);
            below += same == 0;
            above += opposite == 2;
        }
    CHECK(below > 0 && above > 0);
}

static const unit_case cases[] = {
    {"definitions", test_definitions},
    {"range", test_range},
};

UNIT_MAIN(cases)
