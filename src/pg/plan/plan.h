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
#include "pg/service/entry.h"

void lmtext_plan_init(void); /* from _PG_init: hooks */

/* ---- For the files of this room, each of which calls only those above it ---- */

/* calls.c: the entry that a function is, if its texts are priced; or NULL. */
const lmtext_entry *lmtext_plan_function(Oid function);
/* The same of a node that is a call, and its function. */
const lmtext_entry *lmtext_plan_entry(Node *node, Oid *function);
/* Does an expression hold such a call? NULL and lists are fine. */
bool lmtext_plan_has_calls(Node *expression);
/* How many texts a node computes with a model, its first arguments; 0: it is no such call. */
int lmtext_plan_texts(Node *node, List **arguments);
/* Expressions that a node computes for each row beside its target list. */
List *lmtext_plan_conditions(Plan *plan);
void lmtext_calls_init(void);

/*
 * cost.c: cost of one evaluation of the lmtext calls in an expression, its other functions left
 * out; only those that read columns of `relids`, unless that is NULL.
 */
Cost lmtext_plan_calls_cost(PlannerInfo *root, Node *expression, Relids relids);
/* The same for an expression of a finished plan, with what is paid once. */
QualCost lmtext_plan_finished_cost(List *range_table, Node *expression);
/* Cost of expressions without lmtext's calls. */
QualCost lmtext_plan_others_cost(List *expressions);

void lmtext_parallel_init(void);
void lmtext_jit_init(void);

/* trace.c: a query, and those around it, whose columns its expressions may name. */
typedef struct lmtext_scope {
    Query *query;
    const struct lmtext_scope *outer;
} lmtext_scope;
/* Where a vector comes from: a column of a table, or a call that embeds, or maps what it is given.
 */
typedef struct lmtext_source {
    Oid relation;
    AttrNumber column;
    FuncExpr *call;            /* NULL: a column */
    const lmtext_entry *entry; /* NULL: a map, */
    List *mapped;              /* and sources of what it maps */
} lmtext_source;
/* The argument at a place, which may be given by name; NULL: it is left to its default. */
Node *lmtext_plan_argument(List *arguments, int number);
List *lmtext_plan_sources(Node *node, const lmtext_scope *scope);

/* guard.c: for support functions: has the query that is being planned been looked at? */
void lmtext_guard_late(PlannerInfo *root);
void lmtext_guard_init(void);

/* operators.c: a call of lmtext.distance as the operator that indexes know, or NULL. */
struct SupportRequestSimplify;
Node *lmtext_plan_text_operator(struct SupportRequestSimplify *request);

/* batch_texts.c: a text of a call in a target list that is evaluated for each row. */
typedef struct lmtext_batch_text {
    Node *call;
    Node *text; /* its argument */
    int argno;
} lmtext_batch_text;
List *lmtext_batch_texts(List *targetlist);
/* Numbers of the columns of the node below whose texts `plan` computes for each row. */
List *lmtext_batch_lent(Plan *plan);

/* batch_node.c: the node that batch.c puts into plans. */
void lmtext_batch_node_init(void);
/*
 * Above `source`, whose rows are described by its target list, compute `targetlist`, whose Vars are
 * INDEX_VAR. Not more than `bound` rows are asked for; negative: no such bound.
 */
Plan *lmtext_batch_node(Plan *source, List *targetlist, int64 bound);
/* The same that passes rows on as they are; texts, for calls elsewhere, are in these columns. */
Plan *lmtext_batch_through(Plan *source, List *columns);

void lmtext_batch_init(void);

#endif
