/*
 * workers.c - background workers: sessions of a job's owner that do batches of a run, a whole run,
 * or check alerts, and end. They are registered while the server runs, so nothing is preloaded.
 *
 * A worker is told what to do by its entry's extra bytes, and runs one CALL as a client would, by a
 * portal: a procedure may commit there. What came of it stands in lmtext.job_run. The session that
 * started workers ends them when its transaction aborts, and when it ends itself.
 */
#include "postgres.h"
#include "fmgr.h"

#include <sys/resource.h>

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
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/glue/backend.h"
#include "pg/jobs/jobs.h"
#include "pg/jobs/workers.h"

#define MAX_WORKERS 64

StaticAssertDecl(sizeof(lmtext_order) <= BGW_EXTRALEN, "an order fits into a worker's entry");

static void run_batches(const char *job);
static void run_scheduled(const char *job);
static void check_alerts(const char *unused);

/* By lmtext_errand: the worker's name, and what it does. */
static const struct {
    const char *name;
    void (*run)(const char *job);
} errands[] = {
    [LMTEXT_BATCHES] = {"lmtext job %s", run_batches},
    [LMTEXT_RUN] = {"lmtext job %s", run_scheduled},
    [LMTEXT_ALERTS] = {"lmtext alerts%s", check_alerts},
};

/* Those that this session has started, until it has seen their end. */
static struct {
    int count;
    BackgroundWorkerHandle *handles[MAX_WORKERS];
} mine;

/* In a worker: what it was told. */
static lmtext_order told;

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

bool
lmtext_worker_start(const lmtext_order *what, BackgroundWorkerHandle **handle)
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
    snprintf(worker.bgw_name, BGW_MAXLEN, errands[what->errand].name, what->job);
    memcpy(worker.bgw_extra, what, sizeof *what);
    started = RegisterDynamicBackgroundWorker(&worker, handle);
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
    lmtext_order what = {.errand = LMTEXT_BATCHES,
                         .launched = told.launched,
                         .database = MyDatabaseId,
                         .user = GetUserId(),
                         .run = PG_GETARG_INT64(1),
                         .until = told.until};
    int wanted = PG_GETARG_INT32(2), started = 0;

    check_job(PG_GETARG_DATUM(0));
    strlcpy(what.job, text_to_cstring(PG_GETARG_TEXT_PP(0)), sizeof what.job);
    watch_end();
    sweep();
    while (started < wanted && mine.count < MAX_WORKERS &&
           lmtext_worker_start(&what, &mine.handles[mine.count])) {
        mine.count++;
        started++;
    }
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
    pgstat_report_activity(STATE_RUNNING, command);
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
    pgstat_report_activity(STATE_IDLE, NULL);
}

/* Of a worker whose run has a window. */
PG_FUNCTION_INFO_V1(lmtext_run_is_over);
Datum
lmtext_run_is_over(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(told.until != 0 && GetCurrentTimestamp() >= told.until);
}

/*
 * A run that failed has said so in lmtext.job_runs, to who may read it: its message may repeat a
 * text, and does not go to the server's log.
 */
static ErrorData *
run_and_catch(const char *command)
{
    ErrorData *volatile error = NULL;

    PG_TRY();
    {
        run_command(command);
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(lmtext_memory());
        error = CopyErrorData();
        HOLD_INTERRUPTS();
        AbortOutOfAnyTransaction();
        PortalErrorCleanup();
        FlushErrorState();
        RESUME_INTERRUPTS();
        ereport(LOG, (errcode(error->sqlerrcode),
                      errmsg("%s failed with SQLSTATE %s", MyBgworkerEntry->bgw_name,
                             unpack_sql_state(error->sqlerrcode))));
    }
    PG_END_TRY();
    return error;
}

/* Names of jobs; in the caller's memory. */
static List *
ask_for_names(const char *question)
{
    MemoryContext caller = CurrentMemoryContext;
    List *names = NIL;

    SetCurrentStatementStartTimestamp();
    pgstat_report_activity(STATE_RUNNING, question);
    StartTransactionCommand();
    SPI_connect();
    PushActiveSnapshot(GetTransactionSnapshot());
    if (SPI_execute(question, false, 0) != SPI_OK_SELECT)
        elog(ERROR, "lmtext: no answer about the jobs that follow");
    for (uint64 i = 0; i < SPI_processed; i++) {
        const char *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
        MemoryContext spi = MemoryContextSwitchTo(caller);

        names = lappend(names, pstrdup(name));
        MemoryContextSwitchTo(spi);
    }
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
    MemoryContextSwitchTo(caller);
    pgstat_report_activity(STATE_IDLE, NULL);
    return names;
}

/* Then the jobs that follow, each in the same way. */
static void
run_scheduled(const char *job)
{
    ListCell *follower;
    ErrorData *error = run_and_catch(psprintf("CALL lmtext_internal.run_scheduled(%s)", job));
    const char *state = "NULL", *said = "NULL";
    List *followers;

    check_stack_depth();
    if (error != NULL) {
        state = quote_literal_cstr(unpack_sql_state(error->sqlerrcode));
        said = quote_literal_cstr(error->message);
    }
    /* What came of it is noted whatever the settings of the database say. */
    SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
    SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
    followers = ask_for_names(
        psprintf("SELECT lmtext_internal.end_scheduled(%s, %s, %s)", job, state, said));
    foreach (follower, followers)
        run_scheduled(quote_literal_cstr(lfirst(follower)));
}

static void
run_batches(const char *job)
{
    run_command(psprintf("CALL lmtext_internal.run_batches(%s, " INT64_FORMAT ")", job, told.run));
}

static void
check_alerts(const char *unused)
{
    (void)run_and_catch("CALL lmtext.check_alerts()");
}

/* Other processes come first: as the owner's settings say, from now on. Alerts are short. */
static void
step_back(void)
{
    if (told.errand != LMTEXT_ALERTS && lmtext_job_nice > 0 &&
        setpriority(PRIO_PROCESS, 0, lmtext_job_nice) != 0)
        ereport(LOG, (errmsg("%s keeps its priority: %m", MyBgworkerEntry->bgw_name)));
}

void
lmtext_job_worker(Datum unused)
{
    memcpy(&told, MyBgworkerEntry->bgw_extra, sizeof told);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(told.database, told.user,
                                              told.launched ? LMTEXT_BYPASS_LOGIN : 0);
    MemoryContextSwitchTo(lmtext_memory());
    step_back();
    errands[told.errand].run(quote_literal_cstr(told.job));
}
