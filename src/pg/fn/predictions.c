/*
 * predictions.c - SQL entries of 63-prediction_cache.sql: what is in the prediction cache, and
 * emptying it. A role sees counts of versions that it may use, in this database; members of
 * pg_monitor see all.
 */
#include "postgres.h"

#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/catalog/catalog.h"
#include "pg/fn/sees.h"
#include "pg/service/predictions.h"

/* Columns of lmtext_internal.get_prediction_cache. */
enum {
    MODEL,
    VERSION,
    DATABASE,
    FUNCTION,
    ENTRIES,
    BYTES,
    HITS,
    MISSES,
    EVICTIONS,
    LAST_USED,
    COLUMNS
};

/* The table that was meant, or InvalidOid: it is gone, of other contents, or somebody is changing
 * it. */
static Oid
version_of(const lmtext_prediction_key *key)
{
    lmtext_manifest *manifest;
    lmtext_peek outcome;

    if (key->database != MyDatabaseId)
        return InvalidOid;
    manifest = lmtext_manifest_peek(key->relid, NULL, &outcome);
    if (manifest == NULL || memcmp(&manifest->digest, &key->digest, sizeof key->digest) != 0)
        return InvalidOid;
    return key->relid;
}

static Datum
text_or_null(const char *value, bool *null)
{
    *null = value == NULL;
    return value == NULL ? (Datum)0 : CStringGetTextDatum(value);
}

static void
emit_counts(ReturnSetInfo *result, const lmtext_prediction_counts *counts, Oid version)
{
    Datum values[COLUMNS] = {0};
    bool nulls[COLUMNS] = {false};
    const char *name = OidIsValid(version) ? lmtext_catalog_display_name(version) : counts->version;

    nulls[MODEL] = !OidIsValid(version);
    values[MODEL] = ObjectIdGetDatum(version);
    values[VERSION] = CStringGetTextDatum(name);
    values[DATABASE] = text_or_null(get_database_name(counts->key.database), &nulls[DATABASE]);
    values[FUNCTION] = CStringGetTextDatum(counts->key.function);
    values[ENTRIES] = Int64GetDatum((int64)counts->entries);
    values[BYTES] = Int64GetDatum((int64)counts->bytes);
    values[HITS] = Int64GetDatum((int64)counts->hits);
    values[MISSES] = Int64GetDatum((int64)counts->misses);
    values[EVICTIONS] = Int64GetDatum((int64)counts->evictions);
    values[LAST_USED] = TimestampTzGetDatum(counts->last_used);
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(lmtext_get_prediction_cache);
Datum
lmtext_get_prediction_cache(PG_FUNCTION_ARGS)
{
    lmtext_predictions_info info;
    lmtext_prediction_counts *all = lmtext_predictions_snapshot(&info);

    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < info.count; i++) {
        Oid version = version_of(&all[i].key);

        if (sees_everything() ||
            (OidIsValid(version) && lmtext_catalog_may_use(version, GetUserId())))
            emit_counts((ReturnSetInfo *)fcinfo->resultinfo, &all[i], version);
    }
    return (Datum)0;
}

/* bytes, used, entries, obstacle */
PG_FUNCTION_INFO_V1(lmtext_get_prediction_cache_info);
Datum
lmtext_get_prediction_cache_info(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    lmtext_predictions_info info;
    lmtext_prediction_counts *all = lmtext_predictions_snapshot(&info);
    uint64 used = 0, entries = 0;
    Datum values[4];
    bool nulls[4] = {false};

    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < info.count; i++) {
        used += all[i].bytes;
        entries += all[i].entries;
    }
    values[0] = Int64GetDatum((int64)info.size);
    values[1] = Int64GetDatum((int64)used);
    values[2] = Int64GetDatum((int64)entries);
    values[3] = text_or_null(info.obstacle, &nulls[3]);
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    return (Datum)0;
}

PG_FUNCTION_INFO_V1(lmtext_reset_prediction_cache);
Datum
lmtext_reset_prediction_cache(PG_FUNCTION_ARGS)
{
    lmtext_predictions_reset();
    PG_RETURN_VOID();
}
