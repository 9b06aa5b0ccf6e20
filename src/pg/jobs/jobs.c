/*
 * jobs.c - settings of jobs, and the launcher's registration.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "postmaster/bgworker.h"

#include "pg/glue/init_once.h"
#include "pg/jobs/board.h"
#include "pg/jobs/jobs.h"

#define RESTART_SECONDS 5

bool lmtext_scheduler = true;
int lmtext_job_naptime = 60;
int lmtext_max_scheduled_jobs = 2;
int lmtext_job_nice = 0;
static int job_cpu_share = 100; /* read by lmtext_internal.rest_since */

static void
register_launcher(void)
{
    BackgroundWorker worker = {0};

    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished; /* on a standby: when it is promoted */
    worker.bgw_restart_time = RESTART_SECONDS;
    strlcpy(worker.bgw_library_name, "$libdir/lmtext", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, "lmtext_launcher", sizeof worker.bgw_function_name);
    strlcpy(worker.bgw_type, "lmtext launcher", BGW_MAXLEN);
    strlcpy(worker.bgw_name, "lmtext launcher", BGW_MAXLEN);
    RegisterBackgroundWorker(&worker);
}

void
lmtext_jobs_init(void)
{
    LMTEXT_SETTING(Bool, "lmtext.scheduler", "Lets the launcher run jobs that are due.",
                   "It works where lmtext is in shared_preload_libraries.", &lmtext_scheduler, true,
                   PGC_SIGHUP, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Int, "lmtext.job_naptime",
                   "Sets the time between two looks at queues of attached jobs and at alerts.",
                   NULL, &lmtext_job_naptime, 60, 1, 86400, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL,
                   NULL);
    LMTEXT_SETTING(Int, "lmtext.max_scheduled_jobs",
                   "Sets how many jobs the launcher runs at once.", NULL,
                   &lmtext_max_scheduled_jobs, 2, 1, 64, PGC_SIGHUP, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Int, "lmtext.job_cpu_share",
                   "Sets the percentage of the time that a job works; it sleeps for the rest.",
                   "It sleeps behind each batch.", &job_cpu_share, 100, 1, 100, PGC_USERSET, 0,
                   NULL, NULL, NULL);
    LMTEXT_SETTING(Int, "lmtext.job_nice",
                   "Sets how much a worker of a job steps back for other processes.",
                   "It is the nice value of the operating system; a worker takes it at its start.",
                   &lmtext_job_nice, 0, 0, 19, PGC_USERSET, 0, NULL, NULL, NULL);
    lmtext_board_init();
    if (process_shared_preload_libraries_in_progress)
        register_launcher();
}
