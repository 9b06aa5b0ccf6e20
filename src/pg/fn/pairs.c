/*
 * pairs.c - lmtext.near_duplicates and lmtext.join: pairs of rows that are similar, all of them, by
 * the engine's tiles (search/pairs.h).
 *
 * Rows come from a query as the caller, in the order of their keys. What does not fit
 * maintenance_work_mem lies in temporary files, of which blocks of either side meet one another.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_index.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "search/pairs.h"
#include "pg/fn/keyed.h"
#include "pg/glue/relation.h"

#define LEAST_BLOCK 64 /* rows */
#define SAMPLE_ROWS 4096

LMTEXT_ENTRY(lmtext_near_duplicates, .name = "near_duplicates", .task = "embedding", .model = 3);
LMTEXT_ENTRY(lmtext_join, .name = "join", .task = "embedding", .model = 6);

/* One side of a search. */
typedef struct pair_side {
    lmtext_keyed rows;
    float *buffer; /* of a block, where rows are in a file */
} pair_side;

typedef struct pair_search {
    FunctionCallInfo fcinfo;
    const char *function;
    lmtext_call call;
    lm_pairs_options options;
    size_t budget; /* bytes */
    pair_side left, right;
    pair_side *right_side; /* `left` where both are one set */
    int64 block;           /* rows */
} pair_search;

/* ---- Arguments ---- */

static void
refuse_null(FunctionCallInfo fcinfo, int argno, const char *name, const char *function)
{
    if (PG_ARGISNULL(argno))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("argument %s of %s must not be null", name, function)));
}

static double
read_threshold(FunctionCallInfo fcinfo, int argno)
{
    const double threshold = PG_GETARG_FLOAT8(argno);

    if (!(threshold >= -1 && threshold <= 1))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("threshold is out of range: %g", threshold),
                        errdetail("It must be from -1 to 1.")));
    return threshold;
}

/* ---- The query of a side ---- */

/* "r.a, r.b": the columns of a key, in its order, as lmtext.search has them. */
static char *
columns_of(Relation relation, const FormData_pg_index *key)
{
    StringInfoData names;

    initStringInfo(&names);
    for (int i = 0; i < key->indnkeyatts; i++)
        appendStringInfo(&names, "%sr.%s", i > 0 ? ", " : "",
                         quote_identifier(get_attname(RelationGetRelid(relation),
                                                      key->indkey.values[i], false)));
    return names.data;
}

/* The columns of the primary key, deferrable or not, or NULL. */
static char *
primary_key(Relation relation, int *count)
{
    List *indexes = RelationGetIndexList(relation);
    char *names = NULL;

    for (int i = 0; i < list_length(indexes); i++) {
        Relation index = index_open(list_nth_oid(indexes, i), AccessShareLock);

        if (index->rd_index->indisprimary) {
            names = columns_of(relation, index->rd_index);
            *count = index->rd_index->indnkeyatts;
        }
        index_close(index, NoLock);
    }
    return names;
}

/* What rows are called: a column that is named, or the primary key. */
static char *
key_columns(FunctionCallInfo fcinfo, int argno, Relation relation, int *count)
{
    char *names;

    *count = 1;
    if (!PG_ARGISNULL(argno))
        return psprintf("r.%s", quote_identifier(NameStr(*PG_GETARG_NAME(argno))));
    names = primary_key(relation, count);
    if (names == NULL)
        ereport(ERROR,
                (errcode(ERRCODE_UNDEFINED_OBJECT),
                 errmsg("relation \"%s\" has no primary key", RelationGetRelationName(relation)),
                 errhint("Name the column by which its rows are called in the last "
                         "arguments.")));
    return names;
}

/* The relation is kept from going while its query is made. */
static char *
side_query(FunctionCallInfo fcinfo, int relation_argno, int key_argno)
{
    Relation relation = lmtext_relation_open(PG_GETARG_OID(relation_argno), AccessShareLock);
    const char *column = quote_identifier(NameStr(*PG_GETARG_NAME(relation_argno + 1)));
    int count;
    char *key = key_columns(fcinfo, key_argno, relation, &count);
    char *query =
        psprintf("SELECT %s(%s), r.%s FROM %s AS r WHERE r.%s IS NOT NULL ORDER BY %s",
                 count > 1 ? "ROW" : "", key, column,
                 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(relation)),
                                            RelationGetRelationName(relation)),
                 column, key);

    relation_close(relation, NoLock);
    return query;
}

/* ---- The search ---- */

static lm_status
put_pair(void *opaque, size_t left, size_t right, double similarity)
{
    pair_search *s = opaque;
    ReturnSetInfo *result = (ReturnSetInfo *)s->fcinfo->resultinfo;
    MemoryContext memory = CurrentMemoryContext;
    volatile lm_status status = LM_OK;

    PG_TRY();
    {
        Datum values[] = {CStringGetTextDatum(s->left.rows.keys[left]),
                          CStringGetTextDatum(s->right_side->rows.keys[right]),
                          Float8GetDatum(similarity)};
        bool nulls[] = {false, false, false};

        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
        LMTEXT_FAULT_POINT("pair_emitted");
        pfree(DatumGetPointer(values[0]));
        pfree(DatumGetPointer(values[1]));
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(memory);
        status = lmtext_call_keep_error(&s->call);
    }
    PG_END_TRY();
    return status;
}

static void
read_side(pair_search *s, pair_side *side, size_t share, const char *query)
{
    side->rows = (lmtext_keyed){
        .function = s->function, .memory = CurrentMemoryContext, .limit = s->budget / share};
    lmtext_keyed_read(&side->rows, s->fcinfo, query);
}

static float *
block_buffer(const pair_search *s, const pair_side *side)
{
    return side->rows.file == NULL
               ? NULL
               : MemoryContextAllocHuge(
                     CurrentMemoryContext,
                     mul_size(mul_size(s->block, side->rows.width), sizeof(float)));
}

/* Bytes of rows that stay in memory. */
static size_t
held_bytes(const pair_side *side)
{
    return side->rows.file == NULL
               ? (size_t)side->rows.count * (size_t)side->rows.width * sizeof(float)
               : 0;
}

/* Rows of a block, so that one of each side and what the engine makes of them fit beside the rows
 * that are held. */
static void
size_blocks(pair_search *s)
{
    const size_t width = s->options.width;
    const size_t row = 2 * width * sizeof(float) + lm_pairs_row_bytes(width, s->options.nearest);
    const size_t held = held_bytes(&s->left) + (s->options.same ? 0 : held_bytes(s->right_side));

    s->block = Max((int64)((s->budget - Min(held, s->budget)) / row), LEAST_BLOCK);
    s->block = Min(s->block, Max(s->left.rows.count, s->right_side->rows.count));
    s->left.buffer = block_buffer(s, &s->left);
    s->right.buffer = block_buffer(s, s->right_side);
}

/* A block of the left meets the right, from the first row on that it may have pairs with. */
static void
search_block(pair_search *s, lm_pairs *pairs, int64 first)
{
    const lmtext_keyed *right = &s->right_side->rows;
    const int64 rows = Min(s->block, s->left.rows.count - first);

    lmtext_check(&s->call,
                 lm_pairs_left(pairs, first, rows,
                               lmtext_keyed_rows(&s->left.rows, first, rows, s->left.buffer)),
                 NULL);
    for (int64 j = s->options.same ? first : 0; j < right->count; j += s->block) {
        const int64 some = Min(s->block, right->count - j);

        lmtext_check(
            &s->call,
            lm_pairs_right(pairs, j, some, lmtext_keyed_rows(right, j, some, s->right.buffer)),
            NULL);
    }
    lmtext_check(&s->call, lm_pairs_finish(pairs), NULL);
}

static void
search(pair_search *s)
{
    const lmtext_keyed *right = &s->right_side->rows;
    lm_pairs *pairs;

    if (s->left.rows.count == 0 || right->count == 0)
        return;
    if (s->left.rows.width != right->width)
        ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                        errmsg("vectors have different dimensions: %d and %d", s->left.rows.width,
                               right->width)));
    s->options.width = right->width;
    s->options.nearest = Min(s->options.nearest, (size_t)right->count);
    s->options.sink = put_pair;
    s->options.opaque = s;
    size_blocks(s);
    s->options.sample_rows =
        Min(Min(s->block, right->count), right->file ? SAMPLE_ROWS : PG_INT64_MAX);
    s->options.sample = lmtext_keyed_rows(right, 0, s->options.sample_rows, s->right.buffer);
    lmtext_call_init(&s->call, CurrentMemoryContext);
    lmtext_check(&s->call, lm_pairs_open(&s->call.ctx, &s->options, &pairs), NULL);
    for (int64 i = 0; i < s->left.rows.count; i += s->block)
        search_block(s, pairs, i);
    lm_pairs_close(pairs);
}

/* near_duplicates(relation, column, threshold, model, key) */
static Datum
lmtext_near_duplicates_call(PG_FUNCTION_ARGS)
{
    pair_search s = {.fcinfo = fcinfo,
                     .function = "lmtext.near_duplicates",
                     .budget = (size_t)maintenance_work_mem * 1024};

    refuse_null(fcinfo, 0, "relation", s.function);
    refuse_null(fcinfo, 1, "column", s.function);
    refuse_null(fcinfo, 2, "threshold", s.function);
    s.options.threshold = read_threshold(fcinfo, 2);
    s.options.same = true;
    s.right_side = &s.left;
    InitMaterializedSRF(fcinfo, 0);
    SPI_connect();
    read_side(&s, &s.left, 2, side_query(fcinfo, 0, 4));
    search(&s);
    lmtext_keyed_close(&s.left.rows);
    SPI_finish();
    return (Datum)0;
}

/* What of k and threshold is asked for. */
static void
read_wish(FunctionCallInfo fcinfo, lm_pairs_options *options)
{
    options->threshold = -1;
    if (PG_ARGISNULL(4) && PG_ARGISNULL(5))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("lmtext.join needs k, a threshold, or both")));
    if (!PG_ARGISNULL(4))
        options->nearest = lmtext_arg_int(fcinfo, 4, "k", 0, 1, 10000);
    if (!PG_ARGISNULL(5))
        options->threshold = read_threshold(fcinfo, 5);
}

/* join(relation_a, column_a, relation_b, column_b, k, threshold, model, key_a, key_b) */
static Datum
lmtext_join_call(PG_FUNCTION_ARGS)
{
    static const char *const names[] = {"relation_a", "column_a", "relation_b", "column_b"};
    pair_search s = {
        .fcinfo = fcinfo, .function = "lmtext.join", .budget = (size_t)maintenance_work_mem * 1024};

    for (int i = 0; i < lengthof(names); i++)
        refuse_null(fcinfo, i, names[i], s.function);
    read_wish(fcinfo, &s.options);
    s.right_side = &s.right;
    InitMaterializedSRF(fcinfo, 0);
    SPI_connect();
    read_side(&s, &s.left, 4, side_query(fcinfo, 0, 7));
    read_side(&s, &s.right, 4, side_query(fcinfo, 2, 8));
    search(&s);
    lmtext_keyed_close(&s.left.rows);
    lmtext_keyed_close(&s.right.rows);
    SPI_finish();
    return (Datum)0;
}
