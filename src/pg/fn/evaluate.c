/*
 * evaluate.c - what lmtext.evaluate and lmtext.drift have to know of a query before they put it
 * into one of their own: that it is a single SELECT that only reads, and its columns.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/fn/query.h"

PG_FUNCTION_INFO_V1(lmtext_query_columns);

/* Put into another query, a semicolon may only stand at the very end, where it is cut off: a
 * comment behind it would keep it. */
static void
refuse_remainder(const char *function, const char *query)
{
    RawStmt *statement = linitial_node(RawStmt, pg_parse_query(query));
    const char *rest = query + statement->stmt_location + statement->stmt_len;

    if (statement->stmt_len > 0 && rest[strspn(rest, "; \t\r\n")] != '\0')
        ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR),
                        errmsg("the query of %s must have nothing behind its semicolon", function),
                        errhint("Remove the semicolon, or the comment that follows it.")));
}

/* query_columns(function, query) */
Datum
lmtext_query_columns(PG_FUNCTION_ARGS)
{
    char *function = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char *query = text_to_cstring(PG_GETARG_TEXT_PP(1));
    MemoryContext memory = CurrentMemoryContext;
    lmtext_query reader;
    Datum *types;
    int count;

    SPI_connect();
    count = lmtext_query_start(&reader, function, query);
    types = MemoryContextAlloc(memory, Max(count, 1) * sizeof *types);
    for (int i = 0; i < count; i++)
        types[i] = ObjectIdGetDatum(TupleDescAttr(reader.portal->tupDesc, i)->atttypid);
    SPI_cursor_close(reader.portal);
    refuse_remainder(function, query);
    SPI_finish();
    PG_RETURN_ARRAYTYPE_P(
        construct_array(types, count, REGTYPEOID, sizeof(Oid), true, TYPALIGN_INT));
}
