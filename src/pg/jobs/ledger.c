/*
 * ledger.c - the tables lmtext.job, lmtext.job_run, lmtext.job_schedule and lmtext.alert, as their
 * owner. Sessions of users write them here alone.
 *
 * A job is its table of work, as a model version is its table: who owns that owns the job, and may
 * write what the ledger says of it. Each command sees rows of that one job only.
 */
#include "postgres.h"
#include "fmgr.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/catalog/names.h"
#include "pg/compat.h"

/*
 * A new owner who lets a job run by itself takes its triggers for granted, and stands for it from
 * then on; but what another role has written (text, then) stays that role's.
 */
#define CONSENTING_AUTHOR                                                                       \
    "(SELECT CASE WHEN j.options OPERATOR(pg_catalog.?|) '{text,then}'::pg_catalog.text[] "     \
    "THEN j.author ELSE pg_catalog.pg_get_userbyid(c.relowner) END FROM pg_catalog.pg_class c " \
    "WHERE c.oid OPERATOR(pg_catalog.=) $1)"

/* $1 is the table of work, $2 an object with what is written. All is qualified. */
static const struct {
    const char *name, *command;
} entries[] = {
    /* Jobs whose table was dropped without them go first: their names are free. */
    {"forget", "WITH s AS (DELETE FROM lmtext.job_schedule s WHERE NOT EXISTS "
               "(SELECT FROM pg_catalog.pg_class c "
               "WHERE c.oid OPERATOR(pg_catalog.=) s.work::pg_catalog.oid)) "
               "DELETE FROM lmtext.job j WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c "
               "WHERE c.oid OPERATOR(pg_catalog.=) j.work::pg_catalog.oid) "
               "AND $1 IS NOT NULL AND $2 IS NOT NULL"},
    {"create", "INSERT INTO lmtext.job SELECT j.* FROM pg_catalog.pg_class c, "
               "pg_catalog.jsonb_populate_record(NULL::lmtext.job, $2 OPERATOR(pg_catalog.||) "
               "pg_catalog.jsonb_build_object('author', "
               "pg_catalog.pg_get_userbyid(c.relowner))) j "
               "WHERE c.oid OPERATOR(pg_catalog.=) $1 "
               "AND j.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1"},
    {"drop", "WITH r AS (DELETE FROM lmtext.job_run r "
             "WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1), "
             "s AS (DELETE FROM lmtext.job_schedule s "
             "WHERE s.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1) "
             "DELETE FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1 "
             "AND $2 IS NOT NULL"},
    {"set", "UPDATE lmtext.job j SET "
            "paused = COALESCE(($2 OPERATOR(pg_catalog.->>) 'paused')::pg_catalog.bool, j.paused), "
            "attached = "
            "COALESCE(($2 OPERATOR(pg_catalog.->>) 'attached')::pg_catalog.bool, j.attached), "
            "scanned = CASE WHEN $2 OPERATOR(pg_catalog.?) 'scanned' "
            "THEN ($2 OPERATOR(pg_catalog.->>) 'scanned')::pg_catalog.oid[] "
            "ELSE j.scanned::pg_catalog.oid[] END, "
            "author = CASE WHEN ($2 OPERATOR(pg_catalog.->>) 'attached')::pg_catalog.bool "
            "THEN " CONSENTING_AUTHOR " ELSE j.author END "
            "WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1"},
    {"retarget", "UPDATE lmtext.job j SET "
                 "target_column = ($2 OPERATOR(pg_catalog.->>) 'target_column')::pg_catalog.name "
                 "WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1"},
    /* A cancel between two batches leaves a run of this session that runs no more. */
    {"begin", "WITH o AS (UPDATE lmtext.job_run r SET status = 'interrupted', "
              "finished_at = pg_catalog.clock_timestamp() "
              "WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1 "
              "AND r.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() "
              "AND r.status OPERATOR(pg_catalog.=) 'running') "
              "INSERT INTO lmtext.job_run (work, parent, pid, model, also, status) "
              "SELECT $1, ($2 OPERATOR(pg_catalog.->>) 'parent')::pg_catalog.int8, "
              "pg_catalog.pg_backend_pid(), "
              "($2 OPERATOR(pg_catalog.->>) 'model')::pg_catalog.oid, "
              "($2 OPERATOR(pg_catalog.->>) 'also')::pg_catalog.oid[], 'running' "
              "RETURNING id"},
    {"step",
     "UPDATE lmtext.job_run r SET "
     "total = COALESCE(($2 OPERATOR(pg_catalog.->>) 'total')::pg_catalog.int8, r.total), "
     "done = COALESCE(($2 OPERATOR(pg_catalog.->>) 'done')::pg_catalog.int8, r.done), "
     "errors = COALESCE(($2 OPERATOR(pg_catalog.->>) 'errors')::pg_catalog.int8, r.errors), "
     "status = COALESCE($2 OPERATOR(pg_catalog.->>) 'status', r.status), "
     "sqlstate = $2 OPERATOR(pg_catalog.->>) 'sqlstate', "
     "message = $2 OPERATOR(pg_catalog.->>) 'message', "
     "updated_at = pg_catalog.clock_timestamp(), "
     "finished_at = CASE WHEN $2 OPERATOR(pg_catalog.?) 'status' "
     "THEN pg_catalog.clock_timestamp() END "
     "WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1 "
     "AND r.id OPERATOR(pg_catalog.=) ($2 OPERATOR(pg_catalog.->>) 'id')::pg_catalog.int8"},
    {"prune", "DELETE FROM lmtext.job_run r "
              "WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1 "
              "AND r.started_at OPERATOR(pg_catalog.<) (pg_catalog.now() "
              "OPERATOR(pg_catalog.-) ($2 OPERATOR(pg_catalog.->>) 'age')::pg_catalog.interval)"},
    /* When it runs by itself: sql/install/61-schedule.sql. */
    {"schedule",
     "WITH a AS (UPDATE lmtext.job j SET author = " CONSENTING_AUTHOR " "
     "WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1) "
     "INSERT INTO lmtext.job_schedule AS s "
     "(work, cron, time_zone, not_before, not_after, next_run) "
     "SELECT $1, d.cron, d.time_zone, d.not_before, d.not_after, lmtext_internal.next_time(d.cron, "
     "d.time_zone, pg_catalog.clock_timestamp(), d.not_before, d.not_after) "
     "FROM pg_catalog.jsonb_populate_record(NULL::lmtext.job_schedule, $2) d "
     "WHERE EXISTS (SELECT FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) "
     "$1) "
     "ON CONFLICT (work) DO UPDATE SET cron = excluded.cron, time_zone = excluded.time_zone, "
     "not_before = excluded.not_before, not_after = excluded.not_after, "
     "next_run = excluded.next_run, tries = 0"},
    {"unschedule", "DELETE FROM lmtext.job_schedule s "
                   "WHERE s.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1 AND $2 IS NOT NULL"},
    /* A try that did something before it ended counts as none. */
    {"start",
     "UPDATE lmtext.job_schedule s SET last_run = pg_catalog.clock_timestamp(), "
     "tries = 1 OPERATOR(pg_catalog.+) CASE WHEN EXISTS (SELECT FROM lmtext.job_run r "
     "WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1 "
     "AND r.started_at OPERATOR(pg_catalog.>=) s.last_run AND r.done OPERATOR(pg_catalog.>) 0) "
     "THEN 0 ELSE s.tries END "
     "WHERE s.work::pg_catalog.oid OPERATOR(pg_catalog.=) $1 AND $2 IS NOT NULL"},
    {"over", "SELECT lmtext_internal.put_off($1::pg_catalog.regclass, 0) WHERE $2 IS NOT NULL"},
    {"forget alerts",
     "DELETE FROM lmtext.alert a WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c "
     "WHERE c.oid OPERATOR(pg_catalog.=) a.fired::pg_catalog.oid) "
     "AND $1 IS NOT NULL AND $2 IS NOT NULL"},
    {"create alert",
     "INSERT INTO lmtext.alert "
     "SELECT a.name, a.fired, a.query, a.condition, pg_catalog.pg_get_userbyid(c.relowner) "
     "FROM pg_catalog.jsonb_populate_record(NULL::lmtext.alert, $2) a "
     "JOIN pg_catalog.pg_class c "
     "ON c.oid OPERATOR(pg_catalog.=) a.fired::pg_catalog.oid "
     "WHERE c.oid OPERATOR(pg_catalog.=) $1"},
    {"drop alert",
     "DELETE FROM lmtext.alert a WHERE a.fired::pg_catalog.oid OPERATOR(pg_catalog.=) $1 "
     "AND $2 IS NOT NULL"},
};

static const char *
command_of(const char *entry)
{
    for (int i = 0; i < lengthof(entries); i++)
        if (strcmp(entries[i].name, entry) == 0)
            return entries[i].command;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown entry of the ledger of jobs")));
}

static Oid
ledger_owner(void)
{
    Oid owner = InvalidOid, table = lmtext_relation_oid("job");
    HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));

    if (HeapTupleIsValid(tuple)) {
        owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;
        ReleaseSysCache(tuple);
    }
    return owner;
}

/* The first number that it returns, or 0. */
static int64
run_as_owner(const char *command, Datum *values)
{
    Oid types[2] = {OIDOID, JSONBOID}, owner = ledger_owner(), user;
    int context, result;
    int64 answer = 0;
    bool null;

    SPI_connect();
    GetUserIdAndSecContext(&user, &context);
    SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
    result = SPI_execute_with_args(command, 2, types, values, NULL, false, 0);
    SetUserIdAndSecContext(user, context);
    if (result < 0)
        elog(ERROR, "SPI returned %s for: %s", SPI_result_code_string(result), command);
    if (result == SPI_OK_INSERT_RETURNING && SPI_processed == 1)
        answer =
            DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null));
    SPI_finish();
    return answer;
}

/* Plans that were looked at with the versions of a job's column (plan/guard.c) are made anew. */
static void
tell_plans(const char *entry, Datum data)
{
    static const char *const telling[] = {"create", "drop", "begin", "retarget"};
    Datum status = CStringGetTextDatum("status");
    bool tells =
        strcmp(entry, "step") == 0 && DatumGetBool(DirectFunctionCall2(jsonb_exists, data, status));

    for (int i = 0; i < lengthof(telling); i++)
        tells |= strcmp(entry, telling[i]) == 0;
    if (tells)
        CacheInvalidateRelcacheByRelid(lmtext_relation_oid("job"));
}

PG_FUNCTION_INFO_V1(lmtext_write_ledger);
Datum
lmtext_write_ledger(PG_FUNCTION_ARGS)
{
    Oid work = PG_GETARG_OID(0);
    const char *entry = text_to_cstring(PG_GETARG_TEXT_PP(1)), *command = command_of(entry);
    Datum values[2] = {ObjectIdGetDatum(work), PG_GETARG_DATUM(2)};

    if (get_rel_name(work) == NULL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("the table of the job's work was dropped")));
    if (!LMTEXT_OWNS_TABLE(work, GetUserId()))
        ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                        errmsg("must be owner of table \"%s\"", get_rel_name(work))));
    tell_plans(entry, values[1]);
    PG_RETURN_INT64(run_as_owner(command, values));
}

/* The version that a model's name means now. */
PG_FUNCTION_INFO_V1(lmtext_resolve_model);
Datum
lmtext_resolve_model(PG_FUNCTION_ARGS)
{
    PG_RETURN_OID(lmtext_catalog_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}
