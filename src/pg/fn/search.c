/*
 * search.c - what lmtext.search and its kin cannot do in SQL: reading a filter, asking which
 * version a column is of, cutting sentences, cosines of the rows of a matrix, and keeping a
 * calibration.
 *
 * A filter is one boolean expression over the columns of the relation: it is parsed and analyzed as
 * such, and what goes into the statement of the search is PostgreSQL's own text of the tree, so
 * that nothing a user writes can be more than that. It runs as the caller, as all of a search does.
 */
#include "postgres.h"
#include "fmgr.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/sentence.h"
#include "pg/catalog/names.h"
#include "pg/compat.h"
#include "pg/glue/expr.h"
#include "pg/glue/glue.h"
#include "pg/glue/relation.h"
#include "pg/service/kept.h"
#include "search/distance.h"

PG_FUNCTION_INFO_V1(lmtext_parse_filter);
PG_FUNCTION_INFO_V1(lmtext_column_versions);
PG_FUNCTION_INFO_V1(lmtext_sentences);
PG_FUNCTION_INFO_V1(lmtext_cosines);
PG_FUNCTION_INFO_V1(lmtext_write_calibration);

/* ---- Filters ---- */

static const lmtext_expression_kind filter_kind = {
    .type = BOOLOID,
    .name = "filter",
    .context = "filter of a search",
    .refusal = "a filter must be one boolean expression over columns",
    .hint = "For example: filter => 'section = ''graphics'' AND year > 2020'.",
};

/* parse_filter(relation, filter, alias): the filter's text for a statement. */
Datum
lmtext_parse_filter(PG_FUNCTION_ARGS)
{
    Relation relation = lmtext_relation_open_readable(PG_GETARG_OID(0));
    char *filter = text_to_cstring(PG_GETARG_TEXT_PP(1));
    char *alias = text_to_cstring(PG_GETARG_TEXT_PP(2)), *expression;

    expression = lmtext_expression_text(
        relation, lmtext_expression_analyze(relation, filter, &filter_kind), alias);
    table_close(relation, NoLock);
    PG_RETURN_TEXT_P(cstring_to_text(expression));
}

/* ---- Versions ---- */

/* The versions whose vectors a column has, as far as lmtext keeps it. */
Datum
lmtext_column_versions(PG_FUNCTION_ARGS)
{
    Relation relation = lmtext_relation_open_readable(PG_GETARG_OID(0));
    AttrNumber column =
        get_attnum(RelationGetRelid(relation), NameStr(*DatumGetName(PG_GETARG_DATUM(1))));
    List *kept = NIL;
    Datum *versions;
    ListCell *cell;
    int count = 0;

    if (column > 0)
        kept = lmtext_kept_versions(RelationGetRelid(relation), column);
    versions = palloc((list_length(kept) + 1) * sizeof(Datum));
    foreach (cell, kept)
        versions[count++] = ObjectIdGetDatum(((lmtext_column_version *)lfirst(cell))->version);
    table_close(relation, NoLock);
    PG_RETURN_ARRAYTYPE_P(construct_array(versions, count, REGCLASSOID, sizeof(Oid), true, 'i'));
}

/* ---- Sentences ---- */

/* sentences(text): content, start and stop, offsets in characters. */
Datum
lmtext_sentences(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    bool nulls[3] = {false, false, false}, found = true;
    lm_text body = lmtext_utf8_from_text(PG_GETARG_TEXT_PP(0));
    lm_sentence sentence;
    lmtext_call call;
    lm_sentence_walk walk = {.ctx = &call.ctx, .text = body.bytes, .length = body.length};

    lmtext_call_init(&call, CurrentMemoryContext);
    InitMaterializedSRF(fcinfo, 0);
    for (;;) {
        Datum values[3];

        lmtext_check(&call, lm_sentence_next(&walk, &sentence, &found), NULL);
        if (!found)
            return (Datum)0;
        values[0] = PointerGetDatum(lmtext_text_from_utf8(
            body.bytes + sentence.byte_start, sentence.byte_stop - sentence.byte_start));
        values[1] = Int32GetDatum(sentence.start);
        values[2] = Int32GetDatum(sentence.stop);
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        pfree(DatumGetPointer(values[0]));
    }
}

/* ---- Cosines ---- */

/* The rows of a matrix without nulls; an empty one has none. */
static const float *
matrix_rows(ArrayType *matrix, int *rows, int *width)
{
    *rows = ARR_NDIM(matrix) == 2 ? ARR_DIMS(matrix)[0] : 0;
    *width = ARR_NDIM(matrix) == 2 ? ARR_DIMS(matrix)[1] : 0;
    if ((ARR_NDIM(matrix) != 2 && ARR_NDIM(matrix) != 0) || array_contains_nulls(matrix))
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("vectors must be a two-dimensional array without nulls")));
    return (const float *)ARR_DATA_PTR(matrix);
}

/* cosines(matrix, vector): of each row with the vector. */
Datum
lmtext_cosines(PG_FUNCTION_ARGS)
{
    int rows, columns, width;
    const float *matrix = matrix_rows(PG_GETARG_ARRAYTYPE_P(0), &rows, &columns);
    const float *vector = lmtext_floats_from_array(PG_GETARG_ARRAYTYPE_P(1), &width);
    Datum *cosines = palloc(mul_size(Max(rows, 1), sizeof(Datum)));

    if (rows > 0 && columns != width)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("vectors have different dimensions: %d and %d", columns, width)));
    for (int i = 0; i < rows; i++)
        cosines[i] =
            Float8GetDatum(1 - lm_cosine_distance(width, matrix + (size_t)i * columns, vector));
    PG_RETURN_ARRAYTYPE_P(construct_array(cosines, rows, FLOAT8OID, sizeof(float8), true, 'd'));
}

/* ---- Calibrations ---- */

/* Relations that were dropped go first. */
static const char *const forget_command =
    "DELETE FROM lmtext.search_calibration s WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c "
    "WHERE c.oid OPERATOR(pg_catalog.=) s.relation::pg_catalog.oid)";
static const char *const write_command =
    "INSERT INTO lmtext.search_calibration AS s (relation, column_name, model, neighbours, "
    "quantile, threshold, sampled, rows) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
    "ON CONFLICT (relation, column_name) DO UPDATE SET model = excluded.model, "
    "neighbours = excluded.neighbours, quantile = excluded.quantile, "
    "threshold = excluded.threshold, sampled = excluded.sampled, rows = excluded.rows, "
    "calibrated_at = excluded.calibrated_at";

static Oid
calibrations_owner(void)
{
    HeapTuple tuple =
        SearchSysCache1(RELOID, ObjectIdGetDatum(lmtext_relation_oid("search_calibration")));
    Oid owner = ((Form_pg_class)GETSTRUCT(tuple))->relowner;

    ReleaseSysCache(tuple);
    return owner;
}

/* As the owner of the extension's table, in a restricted operation. */
static void
write_as_owner(int count, Oid *types, Datum *values)
{
    Oid user, owner = calibrations_owner();
    int context;

    SPI_connect();
    GetUserIdAndSecContext(&user, &context);
    SetUserIdAndSecContext(owner,
                           context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
    SPI_execute(forget_command, false, 0);
    SPI_execute_with_args(write_command, count, types, values, NULL, false, 0);
    SetUserIdAndSecContext(user, context);
    SPI_finish();
}

static void
check_there(Oid relid)
{
    if (get_rel_name(relid) == NULL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relid)));
}

/* write_calibration(relation, column, model, neighbours, quantile, threshold, sampled, rows) */
Datum
lmtext_write_calibration(PG_FUNCTION_ARGS)
{
    Oid types[8] = {REGCLASSOID, NAMEOID,   REGCLASSOID, INT4OID,
                    FLOAT8OID,   FLOAT8OID, INT4OID,     INT8OID};
    Oid relation = PG_GETARG_OID(0);
    Datum values[8];

    check_there(relation);
    if (!LMTEXT_OWNS_TABLE(relation, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relation)),
                       get_rel_name(relation));
    for (int i = 0; i < lengthof(values); i++)
        values[i] = PG_GETARG_DATUM(i);
    write_as_owner(lengthof(values), types, values);
    PG_RETURN_VOID();
}
