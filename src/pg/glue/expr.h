/*
 * expr.h - what an expression says of itself: the arguments of a call, and whether one of them is
 * the same for all rows; and what a user has written as one.
 *
 * The functions (room fn) ask at run time and the planner's hooks (room plan) before it. Both ask
 * here, so that cost, batches and memos agree.
 */
#ifndef LMTEXT_EXPR_H
#define LMTEXT_EXPR_H

#include "postgres.h"
#include "nodes/primnodes.h"

/* Arguments of a function or operator call; NIL for any other node, and for NULL. */
List *lmtext_call_arguments(const Node *call);

/*
 * Is the value fixed while the statement runs? It is where nothing but constants, external
 * parameters and immutable functions of them occurs. Casts between types of one representation
 * (varchar, domains, citext to text) and to a domain are looked through: get_fn_expr_arg_stable,
 * which PostgreSQL has for this, takes them for something that changes.
 */
bool lmtext_is_stable(const Node *argument);

/*
 * Does the value stay the same from row to row, as far as the planner can see? This is wider:
 * subqueries that are computed once, parameters of an outer row, stable functions
 * (current_setting). It serves estimates, and tells which results are worth sharing: nothing is
 * taken for the same because of it.
 */
bool lmtext_is_steady(const Node *argument);

/*
 * Targets (ResTarget) of a statement that is SELECT and a list of expressions: no other clause, no
 * second statement, no "*". NIL for any other; the parser's errors are raised.
 */
List *lmtext_plain_targets(const char *query);

#endif
