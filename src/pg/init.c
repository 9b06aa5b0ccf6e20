/*
 * init.c - the library's entry: the list of room inits and nothing else.
 */
#include "postgres.h"
#include "fmgr.h"
#include "utils/guc.h"

#include "pg/am/am.h"
#include "pg/cache/cache.h"
#include "pg/glue/limits.h"
#include "pg/glue/tell.h"
#include "pg/jobs/jobs.h"
#include "pg/plan/plan.h"
#include "pg/service/service.h"
#include "pg/shmem/area.h"
#include "pg/version/version.h"
#include "pg/watch/progress.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

/* Each may be called again until it has succeeded once (pg/glue/init_once.h). */
static void (*const rooms[])(void) = {
    lmtext_shmem_init, lmtext_catalog_init, lmtext_progress_init, lmtext_stats_init,
    lmtext_cache_init, lmtext_version_init, lmtext_service_init,  lmtext_plan_init,
    lmtext_am_init,    lmtext_tell_init,    lmtext_limits_init,   lmtext_jobs_init};

/* After an error PostgreSQL calls this again: hooks that are set must not be set twice. */
void
_PG_init(void)
{
    static int done = 0;

    lmtext_fault_init();
    for (; done < lengthof(rooms); done++)
        rooms[done]();
    MarkGUCPrefixReserved("lmtext");
}
