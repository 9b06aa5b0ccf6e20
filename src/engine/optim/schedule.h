/*
 * schedule.h - the learning rate's factor by step: a table with one row for each schedule, as
 * transformers' get_scheduler and torch's StepLR have them.
 */
#ifndef LM_OPTIM_SCHEDULE_H
#define LM_OPTIM_SCHEDULE_H

#include <stdint.h>

typedef struct lm_schedule {
    uint64_t steps;  /* of the whole run */
    uint64_t warmup; /* steps in which it rises from 0 */
    uint64_t every;  /* "step": how many steps until it falls by `gamma` */
    double gamma;
} lm_schedule;

typedef struct lm_schedule_kind {
    const char *name; /* "constant", "linear", "cosine", "step" */
    double (*factor)(const lm_schedule *schedule, uint64_t step); /* steps done so far, from 0 */
} lm_schedule_kind;

extern const lm_schedule_kind *const lm_schedules[]; /* ends with NULL */

#endif
