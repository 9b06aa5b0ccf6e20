/*
 * index_plan.h - the parameters of an index, from the number of its rows and the effort that is
 * asked for. The figures behind the table are in the README.
 */
#ifndef LM_INDEX_PLAN_H
#define LM_INDEX_PLAN_H

#include <stddef.h>
#include <stdint.h>

/* Up to so many rows one flat list is faster than inverted lists. */
#define LM_FLAT_ROWS ((uint64_t)150000)

/* Effort: 1 is the default; 2 looks at about twice as much, .5 at half. */
#define LM_EFFORT_LEAST 0.1
#define LM_EFFORT_MOST 100.0

/* 1 for a flat index, else about 4 √rows, at most LM_LISTS_MOST. */
size_t lm_plan_lists(uint64_t rows);

typedef struct lm_search_plan {
    size_t probes; /* lists to look at first, 1 … lists */
    size_t rerank; /* candidates by codes that int8 vectors decide on; at least k */
} lm_search_plan;

/* For k results wanted of an index of so many rows and lists. Effort is clamped to its range. */
lm_search_plan lm_plan_search(uint64_t rows, size_t lists, size_t k, double effort);

/* Rows to train so many lists on: no more than there are, nor than fit into `bytes`. */
size_t lm_plan_sample(uint64_t rows, size_t lists, size_t width, size_t bytes);

#endif
