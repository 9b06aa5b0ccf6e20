/*
 * plan.h - what the planner knows of lmtext: the true cost of its calls, scans that go parallel for
 * their sake, JIT that does not start because of them, and rows read ahead for batches of texts.
 */
#ifndef LMTEXT_PLAN_H
#define LMTEXT_PLAN_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"

#include "pg/compat.h"
#include "pg/glue/fault.h"

void lmtext_plan_init(void); /* from _PG_init: hooks */

/* For the files of this room. */

/*
 * How many texts a node that is a call of lmtext computes, its first arguments; 0: it is no such
 * call.
 */
int lmtext_plan_texts(Node *node, List **arguments);
/* Does an expression hold a call of lmtext that has a support function? NULL and lists are fine. */
bool lmtext_plan_has_calls(Node *expression);
/*
 * Cost of one evaluation of the lmtext calls in an expression, its other functions left out; only
 * those that read columns of `relids`, unless that is NULL.
 */
Cost lmtext_plan_calls_cost(PlannerInfo *root, Node *expression, Relids relids);
/* The same for an expression of a finished plan, with what is paid once. */
QualCost lmtext_plan_finished_cost(List *range_table, Node *expression);
/* Expressions that a node computes for each row beside its target list. */
List *lmtext_plan_conditions(Plan *plan);
/* Cost of expressions without lmtext's calls. */
QualCost lmtext_plan_others_cost(List *expressions);

void lmtext_parallel_init(void);
void lmtext_jit_init(void);
void lmtext_batch_init(void);

/* batch_node.c: the node that batch.c puts into plans. */
void lmtext_batch_node_init(void);
/*
 * Above `source`, whose rows are described by its target list, compute `targetlist`, whose Vars are
 * INDEX_VAR. Not more than `bound` rows are asked for; negative: no such bound.
 */
Plan *lmtext_batch_node(Plan *source, List *targetlist, int64 bound);
/* The same that passes rows on as they are; texts, for calls elsewhere, are in these columns. */
Plan *lmtext_batch_through(Plan *source, List *columns);
/* A text of a call in a target list that is evaluated for each row and may be read ahead. */
typedef struct lmtext_batch_text {
    Node *call;
    Node *text; /* its argument */
    int argno;
} lmtext_batch_text;
List *lmtext_batch_texts(List *targetlist);

#endif
