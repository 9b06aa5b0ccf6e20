/*
 * test_surge.c - shares compared, against scipy 1.17.1 (norm.isf of hypergeom.sf, and for a drop
 * -norm.isf of hypergeom.cdf); against mpmath with 60 digits where scipy has none left.
 */
#include "metrics/surge.h"

#include "unit.h"

static const struct {
    lm_share window, base;
    double expected, bound;
} cases[] = {
    /* Small counts. */
    {{3, 3}, {0, 5}, 2.1001654928444695, 1e-13},
    {{2, 2}, {5, 10}, 0.4727891209922672, 1e-12},
    {{1, 1}, {1, 3}, 0, 1e-12},
    {{0, 9}, {685063, 7651110}, -0.17665296464797736, 1e-8},
    {{5, 20}, {100, 1000}, 1.6817497577018343, 1e-12},
    {{20, 100}, {30, 100}, -1.4713120489238782, 1e-12},
    /* Larger ones; one that is long in coming to its end. */
    {{60, 100}, {250, 1000}, 6.8998205391924454, 1e-12},
    {{45, 83}, {4500, 14000}, 4.026072979098808, 1e-10},
    {{768755, 8910623}, {6042976, 69969331}, -0.9209544571353389, 1e-7},
    /* Tails of which scipy has no digits. */
    {{1816, 1816}, {4475309, 9062562}, 50.523232794263872, 1e-11},
    {{900000, 1000000}, {100, 1000}, 59.201167455184627, 1e-11},
    /* Smooth: within .001. */
    {{3385502, 13828139}, {20689298, 84944438}, 10.15048851541441, 1e-3},
    {{2868135, 8330377}, {15674678, 45478842}, -2.0116285004267342, 1e-3},
    {{1000000001, 2000000000}, {1000000000, 2000000000}, 0, 1e-3},
    {{1000000, 2000000000}, {999999, 2000000000}, 0, 1e-3},
    /* Counts near the end of the type. */
    {{60, 100},
     {INT64_C(100000000000000000), INT64_C(1000000000000000000)},
     12.172004446123714,
     1e-12},
    {{9, 10}, {0, INT64_C(1000000000000000000)}, 26.597488924151685, 1e-12},
    {{INT64_C(2000000000000000000), INT64_C(4000000000000000000)},
     {INT64_C(1999999997000000000), INT64_C(4000000000000000000)},
     2.1213203435596424,
     1e-3},
    {{10000000, 10000000}, {10000000, 20000000}, 3234.95665909, 1e-3},
};

static void
recorded(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_NEAR(lm_surge(cases[i].window, cases[i].base), cases[i].expected, cases[i].bound);
}

static void
symmetrical(void)
{
    for (int i = 0; i <= 40; i++) {
        double surge = lm_surge((lm_share){i, 40}, (lm_share){100, 400});

        CHECK_NEAR(lm_surge((lm_share){40 - i, 40}, (lm_share){300, 400}), -surge, 1e-12);
        CHECK(isfinite(surge) && (i > 10 ? surge >= 0 : surge <= 0));
        CHECK(i == 0 || surge >= lm_surge((lm_share){i - 1, 40}, (lm_share){100, 400}));
    }
}

static void
nothing_to_say(void)
{
    CHECK(isnan(lm_surge((lm_share){0, 0}, (lm_share){1, 2})));
    CHECK(isnan(lm_surge((lm_share){1, 2}, (lm_share){0, 0})));
    CHECK_NEAR(lm_surge((lm_share){0, 5}, (lm_share){0, 7}), 0, 0);
    CHECK_NEAR(lm_surge((lm_share){5, 5}, (lm_share){7, 7}), 0, 0);
    CHECK_NEAR(lm_surge((lm_share){1, 4}, (lm_share){250, 1000}), 0, 0);
}

/* What it promises: of a window with the base's share, z or more is no more frequent than a normal
 * deviate. The distribution of the hits is known, so that nothing is drawn. */
static void
keeps_its_promise(void)
{
    double probability = pow(0.7, 25), above[4] = {0};
    const double normal[4] = {0.158655, 0.0227501, 0.00134990, 0.0000316712};

    for (int hits = 0; hits <= 25; hits++) {
        double z = lm_surge((lm_share){hits, 25}, (lm_share){300000, 1000000});

        for (int sigma = 1; sigma <= 4; sigma++)
            above[sigma - 1] += z >= sigma ? probability : 0;
        probability *= (25.0 - hits) / (hits + 1) * (0.3 / 0.7);
    }
    for (int i = 0; i < 4; i++)
        CHECK(above[i] > 0 && above[i] <= normal[i]);
}

static const unit_case unit_cases[] = {
    {"surge recorded", recorded},
    {"surge symmetrical", symmetrical},
    {"surge nothing to say", nothing_to_say},
    {"surge keeps its promise", keeps_its_promise},
};

UNIT_MAIN(unit_cases)
