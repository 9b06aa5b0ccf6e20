/*
 * words_operator.c - body <@> 'words': minus the score by BM25, by the statistics of an index.
 *
 * The function of an operator does not know which table its text is of. So the planner, which
 * does, puts the index beside the words: body <@> bind_words('words', index), the same text. Only
 * this index then serves the order. A row that its scan returned has its score already
 * (service/known.h); of others it is computed from the text and the index's statistics.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type_d.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/am/words.h"
#include "pg/glue/expr.h"
#include "pg/service/known.h"

PG_FUNCTION_INFO_V1(lmtext_words_distance);
PG_FUNCTION_INFO_V1(lmtext_words_support);
PG_FUNCTION_INFO_V1(lmtext_bind_words);

/* ---- The index beside the words ---- */

static Oid
bind_function(void)
{
    const Oid types[] = {TEXTOID, OIDOID};

    return LookupFuncName(list_make2(makeString("lmtext_internal"), makeString("bind_words")), 2,
                          types, true);
}

/* A call that a user writes has another form: nobody names the index of a table that he cannot
 * read. */
Oid
lmtext_words_bound(const Node *words)
{
    const FuncExpr *call = (const FuncExpr *)words;
    const Const *index;

    if (words == NULL || !IsA(words, FuncExpr) || call->funcformat != COERCE_IMPLICIT_CAST ||
        list_length(call->args) != 2)
        return InvalidOid;
    index = lsecond(call->args);
    if (!IsA(index, Const) || index->consttype != OIDOID || index->constisnull ||
        call->funcid != bind_function())
        return InvalidOid;
    return DatumGetObjectId(index->constvalue);
}

/* A column's indexes are looked for at the table that a statement names, mostly the root. */
Oid
lmtext_words_top(Relation index)
{
    return index->rd_rel->relispartition
               ? llast_oid(get_partition_ancestors(RelationGetRelid(index)))
               : RelationGetRelid(index);
}

bool
lmtext_words_bound_to(const Node *words, Oid index)
{
    Oid bound = lmtext_words_bound(words);

    return bound == index || (OidIsValid(bound) && get_rel_relispartition(index) &&
                              list_member_oid(get_partition_ancestors(index), bound));
}

/* An index of all values of this column, with words. */
static bool
serves(Oid oid, AttrNumber column)
{
    Relation index = index_open(oid, AccessShareLock);
    bool does = index->rd_indam != NULL && index->rd_indam->ambuild == lmtext_am_build &&
                index->rd_index->indisvalid && index->rd_index->indkey.values[0] == column &&
                lmtext_index_words_option(index) &&
                heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);

    index_close(index, AccessShareLock);
    return does;
}

static Oid
index_of_column(Oid table, AttrNumber column)
{
    Relation heap = table_open(table, AccessShareLock);
    List *indexes = RelationGetIndexList(heap);
    Oid found = InvalidOid;
    ListCell *cell;

    foreach (cell, indexes)
        if (!OidIsValid(found) && serves(lfirst_oid(cell), column))
            found = lfirst_oid(cell);
    list_free(indexes);
    table_close(heap, AccessShareLock);
    return found;
}

static Oid
index_of(const PlannerInfo *root, Node *text)
{
    const Var *var;
    const RangeTblEntry *table;

    while (IsA(text, RelabelType))
        text = (Node *)((RelabelType *)text)->arg;
    var = (const Var *)text;
    if (root == NULL || !IsA(text, Var) || var->varlevelsup != 0 || var->varattno <= 0)
        return InvalidOid;
    table = planner_rt_fetch(var->varno, root);
    return table->rtekind == RTE_RELATION ? index_of_column(table->relid, var->varattno)
                                          : InvalidOid;
}

/* The operator of the call: the support function is told its function. */
static Oid
request_operator(const FuncExpr *call)
{
    Oid method = get_am_oid("lmtext", true);
    Oid class = OidIsValid(method) ? GetDefaultOpClass(TEXTOID, method) : InvalidOid;
    Oid operator= OidIsValid(class)
        ? get_opfamily_member(get_opclass_family(class), TEXTOID, TEXTOID, LMTEXT_WORDS_STRATEGY)
        : InvalidOid;

    return OidIsValid(operator) && get_opcode(operator) == call->funcid ? operator: InvalidOid;
}

/* body <@> words as body <@> bind_words(words, index), or NULL. */
static Node *
bind(const SupportRequestSimplify *request)
{
    const FuncExpr *call = request->fcall;
    Node *text = linitial(call->args), *words = lsecond(call->args);
    Oid index, binder = bind_function(), operator= request_operator(call);
    Expr *bound;

    if (OidIsValid(lmtext_words_bound(words)))
        return NULL;
    index = index_of(request->root, text);
    if (!OidIsValid(index) || !OidIsValid(binder) || !OidIsValid(operator))
        return NULL;
    bound = (Expr *)makeFuncExpr(binder, TEXTOID,
                                 list_make2(words, makeConst(OIDOID, -1, InvalidOid, sizeof(Oid),
                                                             ObjectIdGetDatum(index), false, true)),
                                 exprCollation(words), InvalidOid, COERCE_IMPLICIT_CAST);
    return (Node *)make_opclause(operator, FLOAT8OID, false, (Expr *)text, bound, call->funccollid,
                                 call->inputcollid);
}

Datum
lmtext_words_support(PG_FUNCTION_ARGS)
{
    SupportRequestSimplify *request = (SupportRequestSimplify *)PG_GETARG_POINTER(0);

    if (!IsA(request, SupportRequestSimplify) || list_length(request->fcall->args) != 2)
        PG_RETURN_POINTER(NULL);
    PG_RETURN_POINTER(bind(request));
}

Datum
lmtext_bind_words(PG_FUNCTION_ARGS)
{
    PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/* ---- Scores ---- */

lmtext_digest
lmtext_words_digest(Oid index)
{
    lmtext_digest digest;

    memset(&digest, 0, sizeof digest);
    snprintf((char *)&digest, sizeof digest, "words %u", index);
    return digest;
}

/* Words of a query, as long as they are the same. */
typedef struct scorer {
    Oid index;
    lmtext_cutter cutter;
    lmtext_digest digest;
    lmtext_meta meta;
    lm_text words; /* in UTF-8 */
    bool begun;
    lmtext_words_query query;
    MemoryContext memory, row;
} scorer;

static scorer *
scorer_of(FunctionCallInfo fcinfo)
{
    scorer *s = fcinfo->flinfo->fn_extra;
    List *arguments;

    if (s != NULL)
        return s;
    s = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(*s));
    arguments = lmtext_call_arguments(fcinfo->flinfo->fn_expr);
    if (list_length(arguments) == 2)
        s->index = lmtext_words_bound(lsecond(arguments));
    if (!OidIsValid(s->index))
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("operator <@> finds no index with words for its text"),
                 errdetail("BM25 counts in how many rows a word stands: an index of the column "
                           "knows."),
                 errhint("CREATE INDEX ... USING lmtext (body) WITH (words = true), and write the "
                         "column of the table itself on the left.")));
    s->digest = lmtext_words_digest(s->index);
    s->memory = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "lmtext words of a query",
                                      ALLOCSET_DEFAULT_SIZES);
    s->row = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "lmtext row", ALLOCSET_DEFAULT_SIZES);
    fcinfo->flinfo->fn_extra = s;
    return s;
}

static void
begin(scorer *s, text *words, lm_text bytes)
{
    MemoryContext caller;
    Relation index;

    if (s->begun && s->words.length == bytes.length &&
        memcmp(s->words.bytes, bytes.bytes, bytes.length) == 0)
        return;
    MemoryContextReset(s->memory);
    caller = MemoryContextSwitchTo(s->memory);
    s->begun = false;
    s->words = (lm_text){pnstrdup(bytes.bytes, bytes.length), bytes.length};
    index = index_open(s->index, AccessShareLock);
    if (index->rd_rel->relkind != RELKIND_INDEX)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("operator <@> has no statistics of a partitioned table"),
                        errhint("ORDER BY it with a LIMIT, or ask a partition.")));
    lmtext_words_meta(index, &s->meta);
    s->cutter = lmtext_cutter_make(index, true);
    lmtext_words_query_begin(&s->query, index, &s->meta, words);
    s->query.index = NULL;
    index_close(index, AccessShareLock);
    s->begun = true;
    MemoryContextSwitchTo(caller);
}

static double
score(scorer *s, text *body)
{
    MemoryContext caller = MemoryContextSwitchTo(s->row);
    Relation index = index_open(s->index, AccessShareLock);
    lmtext_text_words words;
    double value;

    lmtext_words_read(&s->cutter, index, &s->meta, body, &words);
    value = lmtext_words_query_score(&s->query, &words);
    index_close(index, AccessShareLock);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(s->row);
    return value;
}

/* As an index scan has it: a float's. */
Datum
lmtext_words_distance(PG_FUNCTION_ARGS)
{
    scorer *s = scorer_of(fcinfo);
    text *body = PG_GETARG_TEXT_PP(0), *words = PG_GETARG_TEXT_PP(1);
    lm_text bytes = lmtext_utf8_from_text(words);
    double distance;

    if (lmtext_known_any(fcinfo->flinfo->fn_mcxt) &&
        lmtext_known_find(fcinfo->flinfo->fn_mcxt, &s->digest, bytes, lmtext_utf8_from_text(body),
                          &distance))
        PG_RETURN_FLOAT8(distance);
    begin(s, words, bytes);
    PG_RETURN_FLOAT8(0 - (double)(float)score(s, body));
}
