/*
 * workers.c - background workers of a run: sessions of the job's owner that each do batches and
 * end. They are registered while the server runs, so nothing is preloaded.
 *
 * A worker is told what to do by its entry's extra bytes, and runs one CALL as a client would, by a
 * portal: a procedure may commit there. What came of it stands in lmtext.job_run. The session that
 * started workers ends them when its transaction aborts, and when it ends itself.
 */
#include "postgres.h"
#include "fmgr.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "pg/glue/backend.h"

#define MAX_WORKERS 64

/* What a worker is told. */
typedef struct order {
    Oid database, user;
    int64 run;
    char job[NAMEDATALEN];
} order;

StaticAssertDecl(sizeof(order) <= BGW_EXTRALEN, "an order fits into a worker's entry");

/* Those that this session has started, until it has seen their end. */
static struct {
    int count;
    BackgroundWorkerHandle *handles[MAX_WORKERS];
} mine;

PGDLLEXPORT void lmtext_job_worker(Datum unused);

/* ---- The session that waits ---- */

static void
terminate_all(void)
{
    for (int i = 0; i < mine.count; i++)
        TerminateBackgroundWorker(mine.handles[i]);
}

static void
at_abort(XactEvent event, void *unused)
{
    if (event == XACT_EVENT_ABORT)
        terminate_all();
}

static void
watch_end(void)
{
    static bool watching = false;

    if (watching)
        return;
    RegisterXactCallback(at_abort, NULL);
    lmtext_at_exit(terminate_all);
    watching = true;
}

/* Forget those that have ended. */
static void
sweep(void)
{
    int left = 0;
    pid_t pid;

    for (int i = 0; i < mine.count; i++)
        if (GetBackgroundWorkerPid(mine.handles[i], &pid) != BGWH_STOPPED)
            mine.handles[left++] = mine.handles[i];
        else
            pfree(mine.handles[i]);
    mine.count = left;
}

/* False where the server has no place left for one. */
static bool
start_one(const order *what)
{
    MemoryContext caller = MemoryContextSwitchTo(lmtext_memory());
    BackgroundWorker worker = {0};
    bool started;

    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_notify_pid = MyProcPid;
    strlcpy(worker.bgw_library_name, "$libdir/lmtext", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, "lmtext_job_worker", sizeof worker.bgw_function_name);
    strlcpy(worker.bgw_type, "lmtext job", BGW_MAXLEN);
    snprintf(worker.bgw_name, BGW_MAXLEN, "lmtext job %s", what->job);
    memcpy(worker.bgw_extra, what, sizeof *what);
    started = RegisterDynamicBackgroundWorker(&worker, &mine.handles[mine.count]);
    mine.count += started;
    MemoryContextSwitchTo(caller);
    return started;
}

/* An error unless the current user owns the job: a worker would say so in the server's log only. */
static void
check_job(Datum job)
{
    Oid type = TEXTOID;

    SPI_connect();
    SPI_execute_with_args("SELECT lmtext_internal.own_job($1)", 1, &type, &job, NULL, true, 0);
    SPI_finish();
}

/* How many could be started. */
PG_FUNCTION_INFO_V1(lmtext_start_job_workers);
Datum
lmtext_start_job_workers(PG_FUNCTION_ARGS)
{
    order what = {.database = MyDatabaseId, .user = GetUserId(), .run = PG_GETARG_INT64(1)};
    int wanted = PG_GETARG_INT32(2), started = 0;

    check_job(PG_GETARG_DATUM(0));
    strlcpy(what.job, text_to_cstring(PG_GETARG_TEXT_PP(0)), sizeof what.job);
    watch_end();
    sweep();
    while (started < wanted && mine.count < MAX_WORKERS && start_one(&what))
        started++;
    PG_RETURN_INT32(started);
}

/* How many have not ended; a true argument ends them first, and waits. */
PG_FUNCTION_INFO_V1(lmtext_count_job_workers);
Datum
lmtext_count_job_workers(PG_FUNCTION_ARGS)
{
    if (PG_GETARG_BOOL(0)) {
        terminate_all();
        for (int i = 0; i < mine.count; i++)
            WaitForBackgroundWorkerShutdown(mine.handles[i]);
    }
    sweep();
    PG_RETURN_INT32(mine.count);
}

/* ---- The worker ---- */

/* A utility command is planned by being wrapped. */
static List *
plan_command(RawStmt *raw, const char *command)
{
    List *plans;

    PushActiveSnapshot(GetTransactionSnapshot());
    plans = pg_plan_queries(pg_analyze_and_rewrite_fixedparams(raw, command, NULL, 0, NULL),
                            command, CURSOR_OPT_PARALLEL_OK, NULL);
    PopActiveSnapshot();
    return plans;
}

/* As a client's statement is run; memory outlives the transactions that it makes. */
static void
run_command(const char *command)
{
    RawStmt *raw;
    Portal portal;
    List *plans;

    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    MemoryContextSwitchTo(lmtext_memory());
    raw = linitial_node(RawStmt, pg_parse_query(command));
    plans = plan_command(raw, command);
    portal = CreatePortal("", true, true);
    portal->visible = false;
    PortalDefineQuery(portal, NULL, command, CreateCommandTag(raw->stmt), plans, NULL);
    PortalStart(portal, NULL, 0, InvalidSnapshot);
    LMTEXT_RUN_PORTAL(portal);
    PortalDrop(portal, false);
    CommitTransactionCommand();
}

void
lmtext_job_worker(Datum unused)
{
    order what;
    const char *command;

    memcpy(&what, MyBgworkerEntry->bgw_extra, sizeof what);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(what.database, what.user, 0);
    MemoryContextSwitchTo(lmtext_memory());
    command = psprintf("CALL lmtext_internal.run_batches(%s, " INT64_FORMAT ")",
                       quote_literal_cstr(what.job), what.run);
    pgstat_report_activity(STATE_RUNNING, command);
    run_command(command);
    pgstat_report_activity(STATE_IDLE, NULL);
}
