/*
 * rowtext.c - the text that a trigger reads of a row; the contract is in rowtext.h.
 *
 * An expression is parsed and planned once per statement, and evaluated as the role that fires the
 * trigger, as all of a trigger is. What it names is looked up in pg_catalog alone: it is written
 * once and evaluated by sessions with any search_path, some of them with none (logical replication)
 * and some with schemas of strangers.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/fn/rowtext.h"
#include "pg/glue/expr.h"

struct lmtext_row_text {
    int column; /* 0: an expression */
    int length; /* attlen and attbyval of the column */
    bool by_value;
    List *states; /* of expressions: ExprState */
    ExprContext *context;
    TupleTableSlot *slot;
    Bitmapset *columns; /* that are read, less FirstLowInvalidHeapAttributeNumber */
};

/* What errors in an expression are told with. */
typedef struct argument_context {
    const char *trigger, *argument, *query;
} argument_context;

static void say_argument(void *opaque);
static List *parse_argument(const char *query);
static const char *only_column(List *elements);
static void read_column(lmtext_row_text *source, Relation relation, const char *name);
static void read_expressions(lmtext_row_text *source, Relation relation, List *elements,
                             const char *query, MemoryContext memory);
static Node *analyze(Relation relation, Node *element, const char *query);
static void check_columns(Relation relation, const Bitmapset *columns);
static int find_column(Relation relation, const char *name);

lmtext_row_text *
lmtext_row_text_make(Relation relation, const char *trigger, const char *argument,
                     MemoryContext memory)
{
    lmtext_row_text *source = MemoryContextAllocZero(memory, sizeof(*source));
    argument_context context = {trigger, argument, psprintf("SELECT %s", argument)};
    ErrorContextCallback callback = {error_context_stack, say_argument, &context};
    const char *name = argument;

    if (find_column(relation, name) <= 0) {
        List *elements;

        error_context_stack = &callback;
        elements = parse_argument(context.query);
        name = only_column(elements);
        if (name == NULL)
            read_expressions(source, relation, elements, context.query, memory);
        error_context_stack = callback.previous;
    }
    if (name != NULL)
        read_column(source, relation, name);
    return source;
}

/* A position is one in the expression, not in the statement that fired the trigger. */
static void
say_argument(void *opaque)
{
    const argument_context *context = opaque;
    int position = geterrposition();

    if (position > 0) {
        errposition(0);
        internalerrposition(position);
        internalerrquery(context->query);
    }
    errcontext("argument \"%s\" of trigger \"%s\"", context->argument, context->trigger);
}

/* ---- Parsing ---- */

static void
refuse_argument(void)
{
    ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR),
                    errmsg("the text of lmtext.embed_trigger must be a column or an expression"),
                    errhint("Give lmtext.embed_trigger('title || body', 'vector column', "
                            "'model@version'), or columns as in 'title, body'.")));
}

static List *
parse_argument(const char *query)
{
    List *targets = lmtext_plain_targets(query), *elements = NIL;
    ListCell *cell;

    if (targets == NIL)
        refuse_argument();
    foreach (cell, targets)
        elements = lappend(elements, lfirst_node(ResTarget, cell)->val);
    return elements;
}

/* The name where there is nothing but a name. */
static const char *
only_column(List *elements)
{
    ColumnRef *column = linitial(elements);

    if (list_length(elements) > 1 || !IsA(column, ColumnRef) || list_length(column->fields) > 1)
        return NULL;
    return strVal(linitial(column->fields));
}

/* ---- A column ---- */

static int
find_column(Relation relation, const char *name)
{
    return SPI_fnumber(RelationGetDescr(relation), name);
}

/* A generated column would read as NULL, and lose what is written. */
static void
check_stored(Relation relation, int number)
{
    Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), number - 1);

    if (column->attgenerated != '\0')
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("column \"%s\" is a generated column", NameStr(column->attname)),
                 errdetail("A generated column is computed after BEFORE triggers have run.")));
}

int
lmtext_row_column(Relation relation, const char *name)
{
    int number = find_column(relation, name);

    if (number <= 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("column \"%s\" of relation \"%s\" does not exist", name,
                               RelationGetRelationName(relation))));
    check_stored(relation, number);
    return number;
}

static void
read_column(lmtext_row_text *source, Relation relation, const char *name)
{
    int number = lmtext_row_column(relation, name);
    Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), number - 1);
    Oid type = getBaseType(column->atttypid);

    if (type != TEXTOID && type != VARCHAROID && type != BPCHAROID)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH),
                 errmsg("column \"%s\" is of type %s", name, format_type_be(column->atttypid)),
                 errdetail("lmtext.embed_trigger reads text, varchar or char.")));
    source->column = number;
    source->length = column->attlen;
    source->by_value = column->attbyval;
}

/* ---- Expressions ---- */

/*
 * The copy of the row's description is nobody's reference. SQL functions are inlined under the
 * session's own search_path, as they run.
 */
static void
read_expressions(lmtext_row_text *source, Relation relation, List *elements, const char *query,
                 MemoryContext memory)
{
    List *expressions = NIL;
    int level = lmtext_restrict_search_path();
    MemoryContext caller;
    ListCell *cell;

    foreach (cell, elements)
        expressions = lappend(expressions, analyze(relation, lfirst(cell), query));
    AtEOXact_GUC(true, level);
    caller = MemoryContextSwitchTo(memory);
    pull_varattnos((Node *)expressions, 1, &source->columns);
    check_columns(relation, source->columns);
    foreach (cell, expressions) {
        Expr *planned = expression_planner(copyObject(lfirst(cell)));

        source->states = lappend(source->states, ExecInitExpr(planned, NULL));
    }
    source->context = CreateStandaloneExprContext();
    source->slot = MakeSingleTupleTableSlot(CreateTupleDescCopyConstr(RelationGetDescr(relation)),
                                            &TTSOpsHeapTuple);
    source->length = -1;
    MemoryContextSwitchTo(caller);
}

/* What a generated column may hold, but that STABLE functions are allowed; as text. */
static Node *
analyze(Relation relation, Node *element, const char *query)
{
    ParseState *parse = lmtext_expression_parsestate(relation, query);
    Node *expression = transformExpr(parse, element, EXPR_KIND_GENERATED_COLUMN);
    Oid type = exprType(expression);

    expression = coerce_to_target_type(parse, expression, type, TEXTOID, -1, COERCION_IMPLICIT,
                                       COERCE_IMPLICIT_CAST, -1);
    if (expression == NULL)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH),
                 errmsg("the expression is of type %s", format_type_be(type)),
                 errdetail("lmtext.embed_trigger reads text, varchar or char."),
                 errhint("Cast it to text."), parser_errposition(parse, exprLocation(element))));
    assign_expr_collations(parse, expression);
    if (contain_volatile_functions(expression))
        ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                        errmsg("the expression must not call a volatile function"),
                        errdetail("Rows whose text an UPDATE leaves as it was keep their vector, "
                                  "so that the text must not change by itself.")));
    free_parsestate(parse);
    return expression;
}

/* Neither what is not there yet nor the row as a whole, which has the vector in it. */
static void
check_columns(Relation relation, const Bitmapset *columns)
{
    int member = -1;

    while ((member = bms_next_member(columns, member)) >= 0) {
        int number = member + FirstLowInvalidHeapAttributeNumber;

        if (number <= 0)
            ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                            errmsg("the expression must not read %s",
                                   number == 0 ? "the row as a whole" : "a system column"),
                            errhint("Write the columns that the text consists of.")));
        check_stored(relation, number);
    }
}

/* ---- Rows ---- */

/* Texts one below the other; null where all are. */
static bool
join_texts(lmtext_row_text *source, Datum *text)
{
    StringInfoData joined;
    bool any = false;
    ListCell *cell;

    initStringInfo(&joined);
    foreach (cell, source->states) {
        bool null;
        Datum value = ExecEvalExpr((ExprState *)lfirst(cell), source->context, &null);
        struct varlena *piece;

        if (null)
            continue;
        piece = PG_DETOAST_DATUM_PACKED(value);
        if (any)
            appendStringInfoChar(&joined, '\n');
        appendBinaryStringInfo(&joined, VARDATA_ANY(piece), VARSIZE_ANY_EXHDR(piece));
        any = true;
    }
    *text = PointerGetDatum(cstring_to_text_with_len(joined.data, joined.len));
    return any;
}

/* In the caller's memory, which is the row's. */
static bool
evaluate(lmtext_row_text *source, HeapTuple row, Datum *text)
{
    bool null = false, found;

    ResetExprContext(source->context);
    ExecStoreHeapTuple(row, source->slot, false);
    source->context->ecxt_scantuple = source->slot;
    if (list_length(source->states) == 1) {
        *text = ExecEvalExpr((ExprState *)linitial(source->states), source->context, &null);
        found = !null;
    } else
        found = join_texts(source, text);
    ExecClearTuple(source->slot);
    return found;
}

bool
lmtext_row_text_get(lmtext_row_text *source, Relation relation, HeapTuple row, Datum *text)
{
    bool null;

    if (source->column == 0)
        return evaluate(source, row, text);
    *text = heap_getattr(row, source->column, RelationGetDescr(relation), &null);
    return !null;
}

bool
lmtext_row_text_equal(const lmtext_row_text *source, Datum a, Datum b)
{
    return datum_image_eq(a, b, source->by_value, source->length);
}

bool
lmtext_row_text_reads(const lmtext_row_text *source, int number)
{
    return source->column == number ||
           bms_is_member(number - FirstLowInvalidHeapAttributeNumber, source->columns);
}
