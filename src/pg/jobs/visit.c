/*
 * visit.c - a visit to a database; the contract is in visit.h.
 *
 * The visitor is a session of the cluster's first superuser, so it touches nothing but what the
 * extension has made: it asks whether schemas and table are members of it, and runs their function
 * as the owner of the tables, restricted as in maintenance. A database without lmtext, or with an
 * older version, has nothing that is due.
 */
#include "postgres.h"
#include "fmgr.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/glue/backend.h"
#include "pg/glue/relation.h"
#include "pg/jobs/board.h"
#include "pg/jobs/jobs.h"
#include "pg/jobs/visit.h"

PGDLLEXPORT void lmtext_visit(Datum database);

bool
lmtext_visit_start(Oid database, BackgroundWorkerHandle **handle)
{
    MemoryContext caller = MemoryContextSwitchTo(lmtext_memory());
    BackgroundWorker worker = {0};
    bool started;

    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_notify_pid = MyProcPid;
    worker.bgw_main_arg = ObjectIdGetDatum(database);
    strlcpy(worker.bgw_library_name, "$libdir/lmtext", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, "lmtext_visit", sizeof worker.bgw_function_name);
    strlcpy(worker.bgw_type, "lmtext visit", BGW_MAXLEN);
    strlcpy(worker.bgw_name, "lmtext visit", BGW_MAXLEN);
    started = RegisterDynamicBackgroundWorker(&worker, handle);
    MemoryContextSwitchTo(caller);
    return started;
}

/* ---- What is due ---- */

static bool
is_member(Oid class, Oid object, Oid extension)
{
    return OidIsValid(object) && getExtensionOfObject(class, object) == extension;
}

/* The table of schedules of the extension; InvalidOid where it has none here. */
static Oid
schedule_table(void)
{
    Oid extension = get_extension_oid("lmtext", true);
    Oid schema = get_namespace_oid("lmtext", true),
        internal = get_namespace_oid("lmtext_internal", true), table;

    if (!OidIsValid(extension) || !is_member(NamespaceRelationId, schema, extension) ||
        !is_member(NamespaceRelationId, internal, extension))
        return InvalidOid;
    table = get_relname_relid("job_schedule", schema);
    return is_member(RelationRelationId, table, extension) ? table : InvalidOid;
}

static Oid
owner_of(Oid table)
{
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    Oid owner;

    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for relation %u", table);
    owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    return owner;
}

/* A row of lmtext_internal.due_work; its messages are posted when it has committed. */
static lmtext_message
read_row(HeapTuple row, TupleDesc columns)
{
    static const struct {
        const char *errand;
        lmtext_word word;
        lmtext_errand means;
    } errands[] = {{"run", LMTEXT_START, LMTEXT_RUN},
                   {"alerts", LMTEXT_START, LMTEXT_ALERTS},
                   {"look", LMTEXT_NEXT, LMTEXT_RUN}};
    const char *errand = SPI_getvalue(row, columns, 1);
    lmtext_message message = {.order = {.launched = true, .database = MyDatabaseId}};
    Datum at;
    bool null;

    message.order.user = DatumGetObjectId(SPI_getbinval(row, columns, 2, &null));
    strlcpy(message.order.job, SPI_getvalue(row, columns, 3), NAMEDATALEN);
    at = SPI_getbinval(row, columns, 4, &null);
    message.order.until = null ? 0 : DatumGetTimestampTz(at);
    for (int i = 0; i < lengthof(errands); i++)
        if (strcmp(errands[i].errand, errand) == 0) {
            message.word = errands[i].word;
            message.order.errand = errands[i].means;
        }
    return message;
}

static void
ask_as(Oid owner)
{
    char *command = psprintf("SELECT errand, role, job, at FROM lmtext_internal.due_work("
                             "pg_catalog.make_interval(secs => %d))",
                             lmtext_job_naptime);
    int context;
    Oid user;

    pgstat_report_activity(STATE_RUNNING, command);
    GetUserIdAndSecContext(&user, &context);
    SetUserIdAndSecContext(owner,
                           context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
    if (SPI_execute(command, false, 0) != SPI_OK_SELECT)
        elog(ERROR, "lmtext: no answer about what is due");
    SetUserIdAndSecContext(user, context);
}

/* In the caller's memory; *count is 0 where lmtext is not installed. */
static lmtext_message *
look_around(uint64 *count)
{
    MemoryContext caller = CurrentMemoryContext;
    lmtext_message *messages = NULL;
    Oid table;

    StartTransactionCommand();
    SPI_connect();
    PushActiveSnapshot(GetTransactionSnapshot());
    XactReadOnly = false; /* whatever the database's default_transaction_read_only says */
    table = schedule_table();
    *count = 0;
    if (OidIsValid(table)) {
        ask_as(owner_of(table));
        *count = SPI_processed;
        messages = MemoryContextAlloc(caller, *count * sizeof *messages);
        for (uint64 i = 0; i < *count; i++)
            messages[i] = read_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
    }
    SPI_finish();
    PopActiveSnapshot();
    CommitTransactionCommand();
    MemoryContextSwitchTo(caller);
    return messages;
}

void
lmtext_visit(Datum database)
{
    lmtext_message *messages, nothing = {.word = LMTEXT_NEXT};
    uint64 count;

    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    /* One database that somebody has locked does not keep the others waiting. */
    SetConfigOption("lock_timeout", "2s", PGC_SUSET, PGC_S_OVERRIDE);
    BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
    MemoryContextSwitchTo(lmtext_memory());
    if (!lmtext_board_find())
        return;
    nothing.order.database = MyDatabaseId;
    messages = look_around(&count);
    for (uint64 i = 0; i < count; i++)
        lmtext_board_post(&messages[i]);
    if (count == 0)
        lmtext_board_post(&nothing);
}

/* ---- Whether a queue is filled ---- */

static bool
has_row(Relation table)
{
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    TableScanDesc scan = table_beginscan(table, snapshot, 0, NULL);
    TupleTableSlot *slot = table_slot_create(table, NULL);
    bool found = table_scan_getnextslot(scan, ForwardScanDirection, slot);

    ExecDropSingleTupleTableSlot(slot);
    table_endscan(scan);
    UnregisterSnapshot(snapshot);
    return found;
}

PG_FUNCTION_INFO_V1(lmtext_queue_is_filled);
Datum
lmtext_queue_is_filled(PG_FUNCTION_ARGS)
{
    Oid relid = PG_GETARG_OID(0);
    Relation table;
    bool filled;

    if (!ConditionalLockRelationOid(relid, AccessShareLock))
        PG_RETURN_BOOL(false);
    table = lmtext_relation_open(relid, NoLock);
    if (table->rd_rel->relkind != RELKIND_RELATION || !LMTEXT_OWNS_TABLE(relid, GetUserId()))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be owner of table \"%s\"", RelationGetRelationName(table))));
    filled = has_row(table);
    relation_close(table, AccessShareLock);
    PG_RETURN_BOOL(filled);
}
