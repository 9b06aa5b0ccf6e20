/*
 * sort.h - a sort that can be cancelled, for arrays whose length a file chooses. The standard qsort
 * returns only when it is done: seconds for a large vocabulary.
 */
#ifndef LM_SORT_H
#define LM_SORT_H

#include "base/context.h"

/* As qsort, with elements that compare equal in no set order. Takes memory for a second array. */
lm_status lm_sort(lm_context *ctx, void *items, size_t count, size_t size,
                  int (*compare)(const void *, const void *));

#endif
