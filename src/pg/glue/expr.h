/*
 * expr.h - what an expression says of itself: the arguments of a call, and whether one of them is
 * the same for all rows; and what a user has written as one, over the columns of a relation.
 *
 * The functions (room fn) ask at run time and the planner's hooks (room plan) before it. Both ask
 * here, so that cost, batches and memos agree.
 */
#ifndef LMTEXT_EXPR_H
#define LMTEXT_EXPR_H

#include "postgres.h"
#include "nodes/primnodes.h"
#include "parser/parse_node.h"
#include "utils/relcache.h"

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

/* What one expression over the columns of a relation must be, and the words of its errors. */
typedef struct lmtext_expression_kind {
    Oid type;            /* boolean is asked for; to any other it is cast */
    const char *name;    /* "filter" */
    const char *context; /* a line that is said of each error, or NULL */
    const char *refusal; /* of what is not one expression */
    const char *hint;    /* beside that, or NULL */
} lmtext_expression_kind;

/*
 * The tree of what a user has written: neither subqueries nor aggregates, window functions or sets.
 * An error tells its place in `text`, and not in the statement that called us.
 */
Node *lmtext_expression_analyze(Relation relation, const char *text,
                                const lmtext_expression_kind *kind);

/* For such trees: what names the columns of a relation in `query`. */
ParseState *lmtext_expression_parsestate(Relation relation, const char *query);

/*
 * PostgreSQL's own text of a tree, so that nothing that a user writes can be more than that. Every
 * name is qualified that is not in pg_catalog; columns are those of `alias` unless that is NULL.
 */
char *lmtext_expression_text(Relation relation, Node *node, const char *alias);

/* pg_catalog alone, until AtEOXact_GUC of what it returns; temporary tables come last. */
int lmtext_restrict_search_path(void);

#endif
