/*
 * plan.h - what the planner knows of lmtext: the true cost of its calls, scans that go parallel for
 * their sake, and JIT that does not start because of them.
 */
#ifndef LMTEXT_PLAN_H
#define LMTEXT_PLAN_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "pg/compat.h"
#include "pg/glue/fault.h"

void lmtext_plan_init(void); /* from _PG_init: hooks */

/* For the files of this room. */

/* Does an expression hold a call of lmtext that has a support function? NULL and lists are fine. */
bool lmtext_plan_has_calls(Node *expression);
/*
 * Cost of one evaluation of the lmtext calls in an expression, its other functions left out; only
 * those that read columns of `relids`, unless that is NULL.
 */
Cost lmtext_plan_calls_cost(PlannerInfo *root, Node *expression, Relids relids);
/* While true, support functions say that lmtext's calls cost nothing. */
extern bool lmtext_plan_for_nothing;

void lmtext_parallel_init(void);
void lmtext_jit_init(void);

#endif
