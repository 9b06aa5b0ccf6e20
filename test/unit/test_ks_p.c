/*
 * test_ks_p.c - probabilities of distances of two samples: scipy's, exact and of many rows, in
 * either order; failing allocations and polls.
 */
#include "metrics/ks_p.h"
#include "fake.h"
#include "unit.h"

static const struct {
    double distance;
    size_t m, n;
    double p; /* of scipy.stats.ks_2samp 1.17 */
} wanted[] = {
    {0.4, 5, 7, 0.6388888888888888},
    {0.8, 5, 5, 0.07936507936507936},
    {0.20563503649635037, 137, 250, 0.000912796618190347},
    {0.05675, 1000, 800, 0.11005348350062696},
    {0.01366666666666666, 12000, 9000, 0.2893222089464281},
    {0.0208888888888889, 12000, 9000, 0.022164278928390988},
    {0.03999999999999998, 15000, 15000, 7.294162490956266e-11},
    {0, 3, 4, 1},
    {1, 1, 1, 1},
    {0, 20000, 3, 1},
};

static void
values(void)
{
    lm_context ctx;
    double p, turned;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        CHECK_OK(&ctx, lm_ks_p(&ctx, wanted[i].distance, wanted[i].m, wanted[i].n, &p));
        CHECK_NEAR(p, wanted[i].p, 1e-6 * wanted[i].p);
        CHECK_OK(&ctx, lm_ks_p(&ctx, wanted[i].distance, wanted[i].n, wanted[i].m, &turned));
        CHECK_NEAR(turned, p, 1e-9 * p);
    }
    CHECK_OK(&ctx, lm_ks_p(&ctx, 0.5, 100000, 100000, &p));
    CHECK(p == 0);
}

static void
faults(void)
{
    static const size_t rows[] = {900, 20000};

    for (int i = 0; i < 2; i++) {
        fake_memory memory = {0};
        lm_context ctx;
        double p;

        fake_context(&ctx, &memory);
        memory.stop_at = 1;
        CHECK_EQ_INT(lm_ks_p(&ctx, 0.03, rows[i], rows[i], &p), LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
        memory.stop_at = 0;
        memory.calls = 0;
        memory.fail_at = 1;
        CHECK_EQ_INT(lm_ks_p(&ctx, 0.03, rows[i], rows[i], &p), i == 0 ? LM_NO_MEMORY : LM_OK);
    }
}

static const unit_case cases[] = {{"values", values}, {"faults", faults}};

UNIT_MAIN(cases)
