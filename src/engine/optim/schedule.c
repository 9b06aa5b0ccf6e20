/*
 * schedule.c - the table of schedules.
 */
#include "optim/schedule.h"

#include <math.h>
#include <stddef.h>

/* How far the rise is: below 1 before its end. */
static double
warm(const lm_schedule *schedule, uint64_t step)
{
    return step < schedule->warmup ? (double)step / (double)schedule->warmup : 1;
}

/* From 0 at the end of the rise to 1 at the end of the run. */
static double
spent(const lm_schedule *schedule, uint64_t step)
{
    const uint64_t end = schedule->steps, start = schedule->warmup;

    if (step >= end)
        return 1;
    return end > start ? (double)(step - start) / (double)(end - start) : 0;
}

static double
constant_factor(const lm_schedule *schedule, uint64_t step)
{
    return warm(schedule, step);
}

static double
linear_factor(const lm_schedule *schedule, uint64_t step)
{
    return step < schedule->warmup ? warm(schedule, step) : 1 - spent(schedule, step);
}

/* Half a wave. */
static double
cosine_factor(const lm_schedule *schedule, uint64_t step)
{
    return step < schedule->warmup ? warm(schedule, step)
                                   : fmax(0, 0.5 * (1 + cos(M_PI * spent(schedule, step))));
}

static double
step_factor(const lm_schedule *schedule, uint64_t step)
{
    if (step < schedule->warmup)
        return warm(schedule, step);
    return schedule->every == 0
               ? 1
               : pow(schedule->gamma, (double)((step - schedule->warmup) / schedule->every));
}

static const lm_schedule_kind constant = {"constant", constant_factor};
static const lm_schedule_kind linear = {"linear", linear_factor};
static const lm_schedule_kind cosine = {"cosine", cosine_factor};
static const lm_schedule_kind steps = {"step", step_factor};

const lm_schedule_kind *const lm_schedules[] = {&constant, &linear, &cosine, &steps, NULL};
