/*
 * filter.h - the method "linear" of the task "filter": learns a yes or no that an oracle gives,
 * from a limited number of its answers, and proves how often it agrees.
 */
#ifndef LM_FILTER_H
#define LM_FILTER_H

#include "train/methods.h"

/* Labels of the head that is made; the best of them is the answer. */
#define LM_FILTER_FALSE "false"
#define LM_FILTER_TRUE "true"
#define LM_FILTER_UNKNOWN "unknown"

extern const lm_method lm_method_filter;

#endif
