/*
 * launcher.c - the launcher of a preloaded server: one process that has no database of its own, and
 * starts workers where something is due.
 *
 * It knows when to look into which database, and which workers run. It reads pg_database; what is
 * due in a database is found by a visit (visit.c), one at a time, that is over in a moment, so that
 * DROP DATABASE waits for none. A visit posts orders, and when to look again. An order becomes a
 * worker of the job's owner as soon as there is a place; a job that has one gets no second. Behind
 * its end the launcher looks again. It starts when recovery has ended, so never on a standby.
 */
#include "postgres.h"
#include "fmgr.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/glue/backend.h"
#include "pg/jobs/board.h"
#include "pg/jobs/jobs.h"
#include "pg/jobs/visit.h"
#include "pg/jobs/workers.h"

#define RARELY_MS 3600000 /* between looks where nothing is due by itself */
#define LIST_MS 60000     /* between looks at the list of databases */
#define NO_PLACE_MS 5000  /* until the server may have a place for a worker */
#define VISIT_MS 30000    /* at most */
#define APART_MS 1000     /* between two visits of one database, whoever asks for them */

typedef struct database {
    Oid oid;
    TimestampTz next;    /* when to look into it */
    TimestampTz visited; /* the last time */
    TimestampTz alerted; /* the visit that had alerts checked */
    bool seen;           /* in the list of databases */
} database;

typedef struct task {
    lmtext_order order;
    BackgroundWorkerHandle *handle; /* NULL: waits for a place */
    TimestampTz started;
} task;

/* Lists in the library's memory. */
static List *databases, *tasks;
static struct {
    BackgroundWorkerHandle *handle; /* NULL: none is under way */
    Oid database;
    TimestampTz began; /* or was told to end */
    bool again;        /* something came meanwhile */
    bool stale;        /* a run ended meanwhile, which it may have seen as due */
} visit;
static TimestampTz listed, no_place;

PGDLLEXPORT void lmtext_launcher(Datum unused);

static TimestampTz
later(TimestampTz from, int64 ms)
{
    return from + ms * 1000;
}

/* ---- Databases ---- */

static database *
find_database(Oid oid)
{
    ListCell *cell;

    foreach (cell, databases)
        if (((database *)lfirst(cell))->oid == oid)
            return lfirst(cell);
    return NULL;
}

/* One that was not known is looked into at once. */
static database *
add_database(Oid oid)
{
    database *one = find_database(oid);

    if (one == NULL) {
        MemoryContext caller = MemoryContextSwitchTo(lmtext_memory());

        one = palloc0(sizeof *one);
        one->oid = oid;
        databases = lappend(databases, one);
        MemoryContextSwitchTo(caller);
    }
    return one;
}

/* Templates are left alone, and what is half dropped has a limit of -2. */
static bool
is_visited(Form_pg_database row)
{
    return row->datallowconn && !row->datistemplate && row->datconnlimit != -2;
}

static void
read_list(void)
{
    Relation table;
    TableScanDesc scan;
    HeapTuple tuple;

    StartTransactionCommand();
    (void)GetTransactionSnapshot();
    table = table_open(DatabaseRelationId, AccessShareLock);
    scan = table_beginscan_catalog(table, 0, NULL);
    while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
        Form_pg_database row = (Form_pg_database)GETSTRUCT(tuple);

        if (is_visited(row))
            add_database(row->oid)->seen = true;
    }
    table_endscan(scan);
    table_close(table, AccessShareLock);
    CommitTransactionCommand();
}

static void
list_databases(TimestampTz now)
{
    ListCell *cell;

    foreach (cell, databases)
        ((database *)lfirst(cell))->seen = false;
    read_list();
    foreach (cell, databases) {
        database *one = lfirst(cell);

        if (one->seen)
            continue;
        databases = foreach_delete_current(databases, cell);
        pfree(one);
    }
    listed = now;
}

static TimestampTz
due_at(const database *one)
{
    return Max(one->next, later(one->visited, APART_MS));
}

/* ---- Messages ---- */

static bool
is_same(const lmtext_order *a, const lmtext_order *b)
{
    return a->errand == b->errand && a->database == b->database && a->user == b->user &&
           strcmp(a->job, b->job) == 0;
}

static void
add_task(const lmtext_order *order)
{
    MemoryContext caller;
    ListCell *cell;
    task *new;

    foreach (cell, tasks)
        if (is_same(&((task *)lfirst(cell))->order, order))
            return;
    caller = MemoryContextSwitchTo(lmtext_memory());
    new = palloc0(sizeof *new);
    new->order = *order;
    tasks = lappend(tasks, new);
    MemoryContextSwitchTo(caller);
}

/* They are checked once in a naptime, however often somebody has the launcher look. */
static bool
alerts_are_due(const lmtext_order *order)
{
    database *one = add_database(order->database);

    if (order->errand != LMTEXT_ALERTS)
        return true;
    if (one->alerted != one->visited &&
        one->visited < later(one->alerted, 1000 * (int64)lmtext_job_naptime))
        return false;
    one->alerted = one->visited;
    return true;
}

static void
look_at(Oid oid)
{
    if (visit.handle != NULL && visit.database == oid)
        visit.again = true;
    add_database(oid)->next = 0;
}

/* A visit knows of a moment, or of none. */
static void
look_again(const lmtext_order *order, TimestampTz now)
{
    add_database(order->database)->next = order->until != 0 ? order->until : later(now, RARELY_MS);
}

static void
take_messages(TimestampTz now)
{
    lmtext_message message;
    ListCell *cell;
    bool lost;

    while (lmtext_board_take(&message, &lost)) {
        if (lost)
            foreach (cell, databases)
                ((database *)lfirst(cell))->next = 0;
        if (message.word == LMTEXT_LOOK)
            look_at(message.order.database);
        else if (message.word == LMTEXT_NEXT)
            look_again(&message.order, now);
        else if (!visit.stale && alerts_are_due(&message.order))
            add_task(&message.order);
    }
}

/* ---- Workers ---- */

static bool
has_ended(BackgroundWorkerHandle *handle)
{
    pid_t pid;

    return GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
}

/*
 * Behind a run there may be what was queued meanwhile, or another job that is due; so look again,
 * but not at once where the run was short: its worker may have been refused. Behind alerts there is
 * nothing new.
 */
static void
look_behind(const task *one)
{
    database *where = add_database(one->order.database);
    TimestampTz next = later(one->started, Min(NO_PLACE_MS, 1000 * lmtext_job_naptime));

    where->next = Min(where->next, next);
    if (visit.handle != NULL && visit.database == where->oid)
        visit.again = visit.stale = true;
}

static void
sweep_tasks(void)
{
    ListCell *cell;

    foreach (cell, tasks) {
        task *one = lfirst(cell);

        if (one->handle == NULL || !has_ended(one->handle))
            continue;
        if (one->order.errand == LMTEXT_RUN)
            look_behind(one);
        tasks = foreach_delete_current(tasks, cell);
        pfree(one->handle);
        pfree(one);
    }
}

/* One that hangs, behind a lock or in a large queue, does not keep the other databases waiting. */
static void
end_long_visit(TimestampTz now)
{
    if (now < later(visit.began, VISIT_MS))
        return;
    ereport(LOG, (errcode(ERRCODE_QUERY_CANCELED),
                  errmsg("lmtext launcher: a visit to the database with OID %u takes too long",
                         visit.database)));
    TerminateBackgroundWorker(visit.handle);
    visit.began = now;
}

static void
sweep_visit(TimestampTz now)
{
    database *one;

    if (visit.handle == NULL)
        return;
    if (!has_ended(visit.handle)) {
        end_long_visit(now);
        return;
    }
    take_messages(now); /* all that it has posted */
    pfree(visit.handle);
    visit.handle = NULL;
    one = find_database(visit.database);
    if (visit.again && one != NULL)
        one->next = 0;
}

static int
running_jobs(void)
{
    ListCell *cell;
    int count = 0;

    foreach (cell, tasks) {
        const task *one = lfirst(cell);

        count += one->handle != NULL && one->order.errand == LMTEXT_RUN;
    }
    return count;
}

/* Said once, until there was a place. */
static void
note_place(bool place, TimestampTz now)
{
    if (!place && no_place == 0)
        ereport(LOG, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                      errmsg("lmtext launcher: no place for a background worker"),
                      errhint("Raise max_worker_processes.")));
    no_place = place ? 0 : later(now, NO_PLACE_MS);
}

static void
start_tasks(TimestampTz now)
{
    ListCell *cell;

    foreach (cell, tasks) {
        task *one = lfirst(cell);

        if (one->handle != NULL || no_place > now ||
            (one->order.errand == LMTEXT_RUN && running_jobs() >= lmtext_max_scheduled_jobs))
            continue;
        one->started = now;
        note_place(lmtext_worker_start(&one->order, &one->handle), now);
    }
}

/* Those of a database, or of all (InvalidOid), that wait for a place. */
static void
drop_waiting(Oid oid)
{
    ListCell *cell;

    foreach (cell, tasks) {
        task *one = lfirst(cell);

        if (one->handle != NULL || (OidIsValid(oid) && one->order.database != oid))
            continue;
        tasks = foreach_delete_current(tasks, cell);
        pfree(one);
    }
}

/* Of those that are due that which was visited the longest ago. */
static database *
next_database(TimestampTz now)
{
    database *next = NULL;
    ListCell *cell;

    foreach (cell, databases) {
        database *one = lfirst(cell);

        if (due_at(one) <= now && (next == NULL || one->visited < next->visited))
            next = one;
    }
    return next;
}

/*
 * Where it says nothing (the database is being dropped) the next is after a while. It orders anew
 * what still waits: a job may have been paused or dropped, or its window may be over.
 */
static void
start_visit(TimestampTz now)
{
    database *one = next_database(now);
    bool started;

    if (one == NULL || visit.handle != NULL || no_place > now)
        return;
    started = lmtext_visit_start(one->oid, &visit.handle);
    note_place(started, now);
    if (!started)
        return;
    drop_waiting(one->oid);
    visit.database = one->oid;
    visit.began = one->visited = now;
    visit.again = visit.stale = false;
    one->next = later(now, 1000 * (int64)lmtext_job_naptime);
}

/* ---- The loop ---- */

/* What ends wakes the launcher, and what is posted; so only moments are waited for. */
static long
milliseconds_to_wait(TimestampTz now)
{
    TimestampTz until = later(listed, LIST_MS);
    ListCell *cell;

    if (no_place > now)
        until = Min(until, no_place);
    else if (visit.handle == NULL)
        foreach (cell, databases)
            until = Min(until, due_at(lfirst(cell)));
    if (visit.handle != NULL)
        until = Min(until, later(visit.began, VISIT_MS));
    return Max(1, TimestampDifferenceMilliseconds(now, until));
}

/* The list first, so that a database that was dropped is not visited. */
static void
go_round(void)
{
    TimestampTz now = GetCurrentTimestamp();

    take_messages(now);
    if (listed == 0 || now >= later(listed, LIST_MS) || now < listed || next_database(now) != NULL)
        list_databases(now);
    sweep_visit(now);
    sweep_tasks();
    start_tasks(now);
    start_visit(now);
}

static void
reload(void)
{
    if (!ConfigReloadPending)
        return;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
    listed = 0; /* and by another naptime */
}

/* Turned off, it starts nothing; what runs goes on. */
static long
work(void)
{
    reload();
    if (!lmtext_scheduler) {
        sweep_visit(GetCurrentTimestamp());
        sweep_tasks();
        drop_waiting(InvalidOid);
        return LIST_MS;
    }
    go_round();
    return milliseconds_to_wait(GetCurrentTimestamp());
}

void
lmtext_launcher(Datum unused)
{
    uint32 event;

    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(NULL, NULL, 0);
    event = LMTEXT_WAIT_EVENT("LmtextLauncher");
    if (!lmtext_board_sign_on())
        ereport(FATAL, (errcode(ERRCODE_OUT_OF_MEMORY),
                        errmsg("lmtext launcher: no shared memory for its board")));
    while (!ShutdownRequestPending) {
        long wait = work();

        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, wait, event);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
    proc_exit(1); /* not 0, after which it would not be started again */
}
