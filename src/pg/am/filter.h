/*
 * filter.h - the plan of a query with a filter that leaves few rows: filter.c has the planner call
 * it, filter_node.c runs it.
 */
#ifndef LMTEXT_FILTER_H
#define LMTEXT_FILTER_H

#include "postgres.h"

#include "nodes/plannodes.h"

/* Rows of `order`, a scan of an index by a distance, at the places that `bitmap` gives; with `rest`
 * also those that are not in that index, last. */
Plan *lmtext_filter_node(List *targetlist, Plan *order, Plan *bitmap, bool rest);
void lmtext_filter_node_init(void);

#endif
