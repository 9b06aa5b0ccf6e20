/*
 * plan.c - the room's beginning.
 */
#include "postgres.h"

#include "pg/plan/plan.h"

void
lmtext_plan_init(void)
{
    lmtext_calls_init();
    lmtext_guard_init();
    lmtext_parallel_init();
    lmtext_batch_init(); /* before jit.c, which starts first then and sees the plan as it was */
    lmtext_jit_init();
}
