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

/* Squares of these leave the range of float; the distances of their directions do not. */
static void
test_extremes(void)
{
    static const double scales[] = {1e-45, 1e-38, 1e-25, 1e-16, 1e-15, 1, 1e15, 1e16, 1e25, 1e38};

    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++)
        for (size_t j = 0; j < sizeof scales / sizeof scales[0]; j++) {
            const float s = (float)scales[i], t = (float)scales[j];
            const float a[] = {3 * s, 0, 0}, b[] = {3 * t, 0, 0}, c[] = {0, 2 * t, 0};

            CHECK_NEAR(lm_cosine_distance(3, a, b), 0, 1e-7);
            CHECK_NEAR(lm_cosine_distance(3, a, c), 1, 1e-7);
            CHECK_NEAR(lm_l2_distance(3, a, a), 0, 0);
            CHECK(isfinite(lm_l2_distance(3, a, b)) && isfinite(lm_inner_product(3, a, b)));
        }
    CHECK_NEAR(lm_l2_distance(1, (const float[]){3e38f}, (const float[]){-3e38f}), 6e38, 1e32);
    CHECK_NEAR(lm_l2_distance(1, (const float[]){3e-30f}, (const float[]){1e-30f}), 2e-30, 1e-36);
    CHECK_NEAR(lm_inner_product(2, (const float[]){1e30f, 1}, (const float[]){1e30f, 1}), 1e60,
               1e54);
}

/* In any place of any width, also where kernels have tails, and with a 0 on the other side. */
static void
test_not_finite(void)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};

    for (int width = 1; width <= 70; width++)
        for (int place = 0; place < width; place++)
            for (int kind = 0; kind < 3; kind++) {
                float a[70] = {0}, b[70];

                for (int i = 0; i < width; i++)
                    b[i] = (float)(i % 3);
                a[place] = bad[kind];
                CHECK(!isfinite(lm_cosine_distance((size_t)width, a, b)));
                CHECK(!isfinite(lm_cosine_distance((size_t)width, b, a)));
                CHECK(!isfinite(lm_l2_distance((size_t)width, a, b)));
                CHECK(!isfinite(lm_inner_product((size_t)width, a, b)));
                CHECK(!isfinite(lm_l2_distance((size_t)width, a, a)));
            }
}

static const unit_case cases[] = {
    {"definitions", test_definitions},
    {"range", test_range},
    {"extremes", test_extremes},
    {"not finite", test_not_finite},
};

UNIT_MAIN(cases)
