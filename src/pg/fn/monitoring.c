/*
 * monitoring.c - SQL entries of 90-monitoring.sql: loading and unloading, and the views that show
 * the cache of models, the machine, trainings, and the statistics of calls.
 *
 * What a role may see: models that it may use, and trainings and calls of roles that it is a member
 * of, in this database; members of pg_monitor see all. The digest of a model is never shown: who
 * knows it could forge a version that maps another's weights.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "kernels/kernels.h"
#include "pg/cache/registry.h"
#include "pg/fn/sees.h"
#include "pg/service/entry.h"
#include "pg/watch/progress.h"
#include "pg/watch/stats.h"

/* A row under construction: columns are appended in order. */
typedef struct row {
    ReturnSetInfo *result;
    int count;
    Datum values[20];
    bool nulls[20];
} row;

static void name_models(lmtext_slot_view *views, Oid *models, int count, bool all);
static void match_model(Oid relid, const lmtext_slot_view *views, Oid *models, int count);
static void emit_slot(ReturnSetInfo *result, const lmtext_slot_view *view, Oid model);
static void emit_run(ReturnSetInfo *result, const lmtext_training *run);
static void emit_curve(ReturnSetInfo *result, const lmtext_training *run,
                       const lmtext_progress_point *point);
static void emit_point(ReturnSetInfo *result, const lmtext_training *run,
                       const lmtext_progress_point *point);
static void emit_stats(ReturnSetInfo *result, const lmtext_stats_entry *entry);
static void add_caller(row *row, const lmtext_stats_entry *entry, Oid version);
static void emit_bucket(ReturnSetInfo *result, const lmtext_stats_entry *entry, Oid version,
                        int bucket);
static Oid version_of_entry(const lmtext_stats_entry *entry);
static int count_threads(void);
static void row_begin(row *row, ReturnSetInfo *result);
static void row_end(row *row);
static void add_datum(row *row, Datum value);
static void add_null(row *row);
static void add_known(row *row, bool known, Datum value);
static void add_text(row *row, const char *value);
static void add_float(row *row, double value);
static void add_ms(row *row, double value);
static void add_time(row *row, TimestampTz value);
static void add_database(row *row, Oid database);

PG_FUNCTION_INFO_V1(lmtext_load_model);
Datum
lmtext_load_model(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(
        lmtext_cache_load(lmtext_catalog_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

PG_FUNCTION_INFO_V1(lmtext_load_model_version);
Datum
lmtext_load_model_version(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(lmtext_cache_load(PG_GETARG_OID(0)));
}

PG_FUNCTION_INFO_V1(lmtext_unload_model);
Datum
lmtext_unload_model(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(
        lmtext_cache_unload(lmtext_catalog_resolve(text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}

PG_FUNCTION_INFO_V1(lmtext_unload_model_version);
Datum
lmtext_unload_model_version(PG_FUNCTION_ARGS)
{
    PG_RETURN_BOOL(lmtext_cache_unload(PG_GETARG_OID(0)));
}

PG_FUNCTION_INFO_V1(lmtext_get_model_cache);
Datum
lmtext_get_model_cache(PG_FUNCTION_ARGS)
{
    bool all = sees_everything();
    lmtext_slot_view *views;
    Oid *models;
    int count;

    InitMaterializedSRF(fcinfo, 0);
    views = lmtext_cache_snapshot(&count);
    models = palloc0(sizeof *models * (count + 1));
    name_models(views, models, count, all);
    for (int i = 0; i < count; i++)
        if (all || OidIsValid(models[i]))
            emit_slot((ReturnSetInfo *)fcinfo->resultinfo, &views[i], models[i]);
    return (Datum)0;
}

/*
 * Of several versions with one image the oldest names the slot. Which tables are models is
 * in pg_class; there is no index on a table's type, so all are looked at. A table whose manifest
 * cannot be read names nothing, and a view never fails for it.
 */
static void
name_models(lmtext_slot_view *views, Oid *models, int count, bool all)
{
    Relation classes;
    SysScanDesc scan;
    HeapTuple tuple;

    if (count == 0)
        return;
    classes = table_open(RelationRelationId, AccessShareLock);
    scan = systable_beginscan(classes, InvalidOid, false, NULL, 0, NULL);
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        Form_pg_class class = (Form_pg_class)GETSTRUCT(tuple);

        if (OidIsValid(class->reloftype) && lmtext_catalog_is_model(class->oid) &&
            (all || lmtext_catalog_may_use(class->oid, GetUserId())))
            match_model(class->oid, views, models, count);
    }
    systable_endscan(scan);
    table_close(classes, AccessShareLock);
}

/*
 * Instruction levels share a name: a version may be loaded once per level. So do windows. A table
 * that another session is changing names what was last loaded from it.
 */
static void
match_model(Oid relid, const lmtext_slot_view *views, Oid *models, int count)
{
    lmtext_peek outcome;
    lmtext_manifest *manifest = lmtext_manifest_peek(relid, NULL, &outcome);
    lmtext_digest image = {{0}};

    if (manifest == NULL && outcome != LMTEXT_PEEK_BUSY)
        return;
    if (manifest != NULL)
        image = lmtext_manifest_image(manifest);
    for (int i = 0; i < count; i++) {
        const lmtext_slot_view *view = &views[i];
        bool named = manifest != NULL ? memcmp(&view->key.image, &image, sizeof image) == 0
                                      : view->database == MyDatabaseId && view->relid == relid;

        if (named && (!OidIsValid(models[i]) || relid < models[i]))
            models[i] = relid;
    }
}

/* Columns in the order of lmtext_internal.get_model_cache. */
static void
emit_slot(ReturnSetInfo *result, const lmtext_slot_view *view, Oid model)
{
    row row;

    row_begin(&row, result);
    if (OidIsValid(model)) {
        add_datum(&row, ObjectIdGetDatum(model));
        add_text(&row, lmtext_catalog_display_name(model));
    } else {
        add_null(&row);
        add_null(&row);
    }
    add_database(&row, view->database);
    add_text(&row, view->state);
    add_text(&row, lm_level_name((lm_level)view->key.level));
    add_datum(&row, Int64GetDatum(view->bytes));
    add_datum(&row, Int32GetDatum((int32)view->pins));
    add_datum(&row, Int64GetDatum(view->hits));
    add_datum(&row, Int64GetDatum(view->texts));
    add_datum(&row, Int64GetDatum(view->tokens));
    add_datum(&row, Int64GetDatum(view->loads));
    add_ms(&row, view->load_ms);
    add_time(&row, view->loaded_at);
    add_time(&row, view->last_used);
    row_end(&row);
}

PG_FUNCTION_INFO_V1(lmtext_get_device);
Datum
lmtext_get_device(PG_FUNCTION_ARGS)
{
    const char *obstacle = NULL;
    bool shared = lmtext_registry_get(&obstacle) != NULL;
    int threads = count_threads();
    row row;

    InitMaterializedSRF(fcinfo, 0);
    row_begin(&row, (ReturnSetInfo *)fcinfo->resultinfo);
    add_text(&row, lm_cpu_name());
    add_text(&row, lm_level_name(lm_kernels_active()->level));
    add_text(&row, lm_level_name(lm_kernels_best()));
    add_text(&row, lm_blas_config());
    add_datum(&row, Int32GetDatum(lm_blas_threads()));
    if (threads > 0)
        add_datum(&row, Int32GetDatum(threads));
    else
        add_null(&row);
    add_datum(&row, BoolGetDatum(shared));
    add_text(&row, shared ? NULL : obstacle);
    row_end(&row);
    return (Datum)0;
}

/* Threads of this process, which must be one; 0 where the system does not say. */
static int
count_threads(void)
{
    DIR *directory = AllocateDir("/proc/self/task");
    struct dirent *task;
    int count = 0;

    if (directory == NULL)
        return 0;
    while ((task = ReadDirExtended(directory, "/proc/self/task", LOG)) != NULL)
        count += task->d_name[0] != '.';
    FreeDir(directory);
    return count;
}

PG_FUNCTION_INFO_V1(lmtext_session_counters);
Datum
lmtext_session_counters(PG_FUNCTION_ARGS)
{
    lmtext_counters counters;
    row row;

    InitMaterializedSRF(fcinfo, 0);
    lmtext_session_counts(&counters);
    row_begin(&row, (ReturnSetInfo *)fcinfo->resultinfo);
    add_datum(&row, Int64GetDatum((int64)counters.embed.texts));
    add_datum(&row, Int64GetDatum((int64)counters.embed.tokens));
    add_datum(&row, Int64GetDatum((int64)counters.embed.truncated));
    add_datum(&row, Int64GetDatum((int64)counters.embed.forwards));
    add_datum(&row, Int64GetDatum(counters.loads));
    add_datum(&row, Int64GetDatum(counters.attaches));
    row_end(&row);
    return (Datum)0;
}

PG_FUNCTION_INFO_V1(lmtext_get_train_runs);
Datum
lmtext_get_train_runs(PG_FUNCTION_ARGS)
{
    lmtext_training *runs;
    int count;

    InitMaterializedSRF(fcinfo, 0);
    runs = lmtext_progress_snapshot(&count);
    for (int i = 0; i < count; i++)
        if (sees_role(runs[i].database, runs[i].role))
            emit_run((ReturnSetInfo *)fcinfo->resultinfo, &runs[i]);
    return (Datum)0;
}

/* Each point of the curves that the caller may see. */
static Datum
emit_points(FunctionCallInfo fcinfo, void (*emit)(ReturnSetInfo *result, const lmtext_training *run,
                                                  const lmtext_progress_point *point))
{
    lmtext_training *runs;
    int count;

    InitMaterializedSRF(fcinfo, 0);
    runs = lmtext_progress_snapshot(&count);
    for (int i = 0; i < count; i++)
        for (int j = 0; sees_role(runs[i].database, runs[i].role) && j < runs[i].points; j++)
            emit((ReturnSetInfo *)fcinfo->resultinfo, &runs[i], &runs[i].log[j]);
    return (Datum)0;
}

PG_FUNCTION_INFO_V1(lmtext_get_train_log); /* of 0.3.0 and before */
Datum
lmtext_get_train_log(PG_FUNCTION_ARGS)
{
    return emit_points(fcinfo, emit_point);
}

PG_FUNCTION_INFO_V1(lmtext_get_train_curve);
Datum
lmtext_get_train_curve(PG_FUNCTION_ARGS)
{
    return emit_points(fcinfo, emit_curve);
}

/* Columns in the order of lmtext_internal.get_train_runs. */
static void
emit_run(ReturnSetInfo *result, const lmtext_training *run)
{
    const lmtext_progress *progress = &run->progress;
    row row;

    row_begin(&row, result);
    add_datum(&row, Int64GetDatum(run->id));
    add_text(&row, progress->model);
    add_text(&row, lmtext_training_state_name(run->state));
    add_text(&row, progress->phase[0] != '\0' ? progress->phase : NULL);
    add_datum(&row, Int64GetDatum(progress->done));
    add_known(&row, progress->total > 0, Int64GetDatum(progress->total));
    add_datum(&row, Int32GetDatum(progress->step));
    add_known(&row, progress->max_steps > 0, Int32GetDatum(progress->max_steps));
    add_float(&row, progress->loss);
    add_float(&row, progress->held_out_loss);
    add_float(&row, progress->held_out_accuracy);
    add_time(&row, run->started_at);
    add_time(&row, run->updated_at);
    add_time(&row, run->finished_at);
    add_datum(&row, Int32GetDatum(run->pid));
    add_text(&row, GetUserNameFromId(run->role, true));
    add_database(&row, run->database);
    row_end(&row);
}

/* Columns in the order of lmtext_internal.get_train_log. */
static void
emit_point(ReturnSetInfo *result, const lmtext_training *run, const lmtext_progress_point *point)
{
    row row;

    row_begin(&row, result);
    add_datum(&row, Int64GetDatum(run->id));
    add_text(&row, run->progress.model);
    add_datum(&row, Int32GetDatum(point->step));
    add_float(&row, point->loss);
    add_float(&row, point->held_out_loss);
    add_float(&row, point->held_out_accuracy);
    add_time(&row, point->at);
    row_end(&row);
}

/* {"accuracy": 0.5}: names are the methods' own; NULL where nothing is known. */
static char *
measures_json(const lmtext_progress *progress, const lmtext_progress_point *point)
{
    StringInfoData json;

    initStringInfo(&json);
    for (int i = 0; i < progress->measure_count; i++)
        if (isfinite(point->measures[i]))
            appendStringInfo(&json, "%s\"%s\": %.9g", json.len == 0 ? "{" : ", ",
                             progress->measure_names[i], point->measures[i]);
    return json.len > 0 ? (appendStringInfoChar(&json, '}'), json.data) : NULL;
}

/* Columns in the order of lmtext_internal.get_train_curve. */
static void
emit_curve(ReturnSetInfo *result, const lmtext_training *run, const lmtext_progress_point *point)
{
    char *measures = measures_json(&run->progress, point);
    row row;

    row_begin(&row, result);
    add_datum(&row, Int64GetDatum(run->id));
    add_text(&row, run->progress.model);
    add_datum(&row, Int32GetDatum(point->step));
    add_float(&row, point->loss);
    add_float(&row, point->held_out_loss);
    add_float(&row, point->held_out_accuracy);
    add_time(&row, point->at);
    add_known(&row, point->epoch > 0, Int32GetDatum(point->epoch));
    add_float(&row, point->learning_rate);
    add_float(&row, point->gradient_norm);
    add_known(&row, measures != NULL,
              measures ? DirectFunctionCall1(jsonb_in, CStringGetDatum(measures)) : (Datum)0);
    row_end(&row);
}

PG_FUNCTION_INFO_V1(lmtext_get_stats);
Datum
lmtext_get_stats(PG_FUNCTION_ARGS)
{
    lmtext_stats_info info;
    const char *why;
    lmtext_stats_entry *entries = lmtext_stats_snapshot(&info, &why);

    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < info.entries; i++)
        if (sees_role(entries[i].key.database, entries[i].key.role))
            emit_stats((ReturnSetInfo *)fcinfo->resultinfo, &entries[i]);
    return (Datum)0;
}

/* Columns in the order of lmtext_internal.get_stats. */
static void
emit_stats(ReturnSetInfo *result, const lmtext_stats_entry *entry)
{
    static const double quantiles[] = {0.5, 0.95, 0.99};
    const lmtext_stats_counts *counts = &entry->counts;
    row row;

    row_begin(&row, result);
    add_caller(&row, entry, version_of_entry(entry));
    add_datum(&row, Int64GetDatum((int64)counts->calls));
    add_datum(&row, Int64GetDatum((int64)counts->rows));
    add_datum(&row, Int64GetDatum((int64)counts->tokens));
    add_datum(&row, Int64GetDatum((int64)counts->truncated));
    add_datum(&row, Int64GetDatum((int64)counts->errors));
    add_datum(&row, Int64GetDatum((int64)counts->cached));
    add_ms(&row, counts->total_ns / 1e6);
    add_ms(&row, counts->calls > 0 ? counts->total_ns / 1e6 / counts->calls : NAN);
    for (int i = 0; i < lengthof(quantiles); i++)
        add_ms(&row, counts->calls > 0 ? lmtext_stats_quantile_ns(entry, quantiles[i]) / 1e6 : NAN);
    add_time(&row, entry->since);
    add_time(&row, entry->last_used);
    row_end(&row);
}

/* Role, database, model, version, function. */
static void
add_caller(row *row, const lmtext_stats_entry *entry, Oid version)
{
    add_text(row, GetUserNameFromId(entry->key.role, true));
    add_database(row, entry->key.database);
    if (OidIsValid(version)) {
        add_datum(row, ObjectIdGetDatum(version));
        add_text(row, lmtext_catalog_display_name(version));
    } else {
        add_null(row);
        add_text(row, entry->version[0] != '\0' ? entry->version : NULL);
    }
    add_text(row, lmtext_entry_name(entry->key.function));
}

PG_FUNCTION_INFO_V1(lmtext_latency_histogram);
Datum
lmtext_latency_histogram(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    lmtext_stats_info info;
    const char *why;
    lmtext_stats_entry *entries = lmtext_stats_snapshot(&info, &why);

    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < info.entries; i++) {
        Oid version;

        if (!sees_role(entries[i].key.database, entries[i].key.role))
            continue;
        version = version_of_entry(&entries[i]);
        for (int bucket = 0; bucket < LMTEXT_STATS_BUCKETS; bucket++)
            if (entries[i].buckets[bucket] > 0)
                emit_bucket(result, &entries[i], version, bucket);
    }
    return (Datum)0;
}

/* Columns in the order of lmtext.latency_histogram. */
static void
emit_bucket(ReturnSetInfo *result, const lmtext_stats_entry *entry, Oid version, int bucket)
{
    row row;

    row_begin(&row, result);
    add_caller(&row, entry, version);
    add_datum(&row, Int32GetDatum(bucket));
    add_float(&row, lmtext_stats_bound_ns(bucket) / 1e6);
    add_float(&row, lmtext_stats_bound_ns(bucket + 1) / 1e6);
    add_datum(&row, Int64GetDatum((int64)entry->buckets[bucket]));
    row_end(&row);
}

/* The table that was meant, or InvalidOid where that cannot be told: it is gone and its Oid perhaps
 * another's, or somebody is changing it. */
static Oid
version_of_entry(const lmtext_stats_entry *entry)
{
    lmtext_manifest *manifest;
    lmtext_peek outcome;

    if (entry->key.database != MyDatabaseId || !OidIsValid(entry->key.relid))
        return InvalidOid;
    manifest = lmtext_manifest_peek(entry->key.relid, NULL, &outcome);
    if (manifest == NULL ||
        memcmp(&manifest->digest, &entry->key.digest, sizeof entry->key.digest) != 0)
        return InvalidOid;
    return entry->key.relid;
}

PG_FUNCTION_INFO_V1(lmtext_get_stats_info);
Datum
lmtext_get_stats_info(PG_FUNCTION_ARGS)
{
    lmtext_stats_info info;
    const char *why = NULL;
    bool shared = lmtext_stats_snapshot(&info, &why) != NULL;
    row row;

    InitMaterializedSRF(fcinfo, 0);
    row_begin(&row, (ReturnSetInfo *)fcinfo->resultinfo);
    add_datum(&row, Int32GetDatum(info.entries));
    add_datum(&row, Int32GetDatum(info.capacity));
    add_datum(&row, Int64GetDatum(info.evicted));
    add_text(&row, shared ? NULL : why);
    row_end(&row);
    return (Datum)0;
}

PG_FUNCTION_INFO_V1(lmtext_reset_stats);
Datum
lmtext_reset_stats(PG_FUNCTION_ARGS)
{
    lmtext_stats_reset();
    PG_RETURN_VOID();
}

static void
row_begin(row *row, ReturnSetInfo *result)
{
    row->result = result;
    row->count = 0;
}

/* A column too many or too few would be a crash at the client's first look: asserted. */
static void
row_end(row *row)
{
    Assert(row->count == row->result->setDesc->natts);
    tuplestore_putvalues(row->result->setResult, row->result->setDesc, row->values, row->nulls);
}

static void
add_datum(row *row, Datum value)
{
    Assert(row->count < lengthof(row->values));
    row->values[row->count] = value;
    row->nulls[row->count++] = false;
}

static void
add_null(row *row)
{
    Assert(row->count < lengthof(row->values));
    row->values[row->count] = (Datum)0;
    row->nulls[row->count++] = true;
}

/* What is not known is NULL, not 0. */
static void
add_known(row *row, bool known, Datum value)
{
    if (known)
        add_datum(row, value);
    else
        add_null(row);
}

/* NULL gives NULL. */
static void
add_text(row *row, const char *value)
{
    if (value == NULL)
        add_null(row);
    else
        add_datum(row, CStringGetTextDatum(value));
}

/* NaN means not known. */
static void
add_float(row *row, double value)
{
    add_known(row, !isnan(value), Float8GetDatum(value));
}

/* As people read it: to a microsecond. */
static void
add_ms(row *row, double value)
{
    add_float(row, rint(value * 1000) / 1000);
}

/* 0 means not yet. */
static void
add_time(row *row, TimestampTz value)
{
    add_known(row, value != 0, TimestampTzGetDatum(value));
}

/* NULL where it has been dropped. */
static void
add_database(row *row, Oid database)
{
    add_text(row, get_database_name(database));
}
