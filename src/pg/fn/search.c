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
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_relation.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "base/sentence.h"
#include "pg/catalog/names.h"
#include "pg/compat.h"
#include "pg/glue/expr.h"
#include "pg/glue/glue.h"
#include "pg/service/kept.h"
#include "search/distance.h"

PG_FUNCTION_INFO_V1(lmtext_parse_filter);
PG_FUNCTION_INFO_V1(lmtext_column_versions);
PG_FUNCTION_INFO_V1(lmtext_sentences);
PG_FUNCTION_INFO_V1(lmtext_cosines);
PG_FUNCTION_INFO_V1(lmtext_write_calibration);

static void
check_there(Oid relid)
{
    if (get_rel_name(relid) == NULL)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("relation with OID %u does not exist", relid)));
}

/* What is said of columns, and the lock, are for who may read one of them. */
static Relation
open_readable(Oid relid)
{
    Oid role = GetUserId();

    check_there(relid);
    if (pg_class_aclcheck(relid, role, ACL_SELECT) != ACLCHECK_OK &&
        pg_attribute_aclcheck_all(relid, role, ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
        aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(relid)),
                       get_rel_name(relid));
    return table_open(relid, AccessShareLock);
}

/* ---- Filters ---- */

#define SELECT_AND "SELECT "

/* Where an error is, in the filter and not in the statement that called us. */
static void
relocate(void *filter)
{
    int at = geterrposition();

    errcontext("filter of a search");
    if (at <= (int)strlen(SELECT_AND))
        return;
    errposition(0);
    internalerrposition(at - (int)strlen(SELECT_AND));
    internalerrquery(filter);
}

static Node *
parse(const char *filter)
{
    List *targets = lmtext_plain_targets(psprintf(SELECT_AND "%s", filter));

    if (list_length(targets) != 1 || linitial_node(ResTarget, targets)->name != NULL)
        ereport(ERROR,
                (errcode(ERRCODE_SYNTAX_ERROR),
                 errmsg("a filter must be one boolean expression over columns"),
                 errhint("For example: filter => 'section = ''graphics'' AND year > 2020'.")));
    return linitial_node(ResTarget, targets)->val;
}

/* Neither subqueries nor aggregates, window functions or sets. */
static Node *
analyze(Relation relation, const char *filter)
{
    ParseState *state = make_parsestate(NULL);
    Node *node;

    state->p_sourcetext = psprintf(SELECT_AND "%s", filter);
    addNSItemToQuery(
        state, addRangeTableEntryForRelation(state, relation, AccessShareLock, NULL, true, true),
        true, true, true);
    node = transformExpr(state, parse(filter), EXPR_KIND_ALTER_COL_TRANSFORM);
    node = coerce_to_boolean(state, node, "filter");
    assign_expr_collations(state, node);
    free_parsestate(state);
    return node;
}

/* Under pg_catalog alone, so that every other name is qualified; columns are those of `alias`. */
static char *
qualified_text(Relation relation, Node *node, const char *alias)
{
    int level = NewGUCNestLevel();
    char *text;

    set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
                      true, 0, false);
    text = deparse_expression(node, deparse_context_for(alias, RelationGetRelid(relation)), true,
                              false);
    AtEOXact_GUC(true, level);
    return text;
}

/* parse_filter(relation, filter, alias): the filter's text for a statement. */
Datum
lmtext_parse_filter(PG_FUNCTION_ARGS)
{
    Relation relation = open_readable(PG_GETARG_OID(0));
    char *filter = text_to_cstring(PG_GETARG_TEXT_PP(1));
    ErrorContextCallback callback = {error_context_stack, relocate, filter};
    char *alias = text_to_cstring(PG_GETARG_TEXT_PP(2)), *expression;

    error_context_stack = &callback;
    expression = qualified_text(relation, analyze(relation, filter), alias);
    error_context_stack = callback.previous;
    table_close(relation, NoLock);
    PG_RETURN_TEXT_P(cstring_to_text(expression));
}

/* ---- Versions ---- */

/* The versions whose vectors a column has, as far as lmtext keeps it. */
Datum
lmtext_column_versions(PG_FUNCTION_ARGS)
{
    Relation relation = open_readable(PG_GETARG_OID(0));
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
