/*
 * jobs.h - settings of jobs, and the room's init.
 */
#ifndef LMTEXT_JOBS_H
#define LMTEXT_JOBS_H

#include "postgres.h"

extern bool lmtext_scheduler;         /* lmtext.scheduler */
extern int lmtext_job_naptime;        /* lmtext.job_naptime, in seconds */
extern int lmtext_max_scheduled_jobs; /* lmtext.max_scheduled_jobs */
extern int lmtext_job_nice;           /* lmtext.job_nice */

/* Preloaded, it registers the launcher. */
void lmtext_jobs_init(void);

#endif
