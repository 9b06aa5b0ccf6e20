/*
 * operators.c - `vector_column <=> lmtext.embed('words')` stays pgvector's.
 *
 * pgvector casts vector to real[] implicitly, but real[] to vector only by assignment: such an
 * expression resolves to lmtext's operator on real[], by a cast of the column that no HNSW index
 * serves. When the planner simplifies it, the other side is cast instead and the type's own
 * operator of the same name put in its place; both mean the same distance. This names no type: it
 * holds for any that casts so and has the operator (vector, halfvec).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/plan/plan.h"

PG_FUNCTION_INFO_V1(lmtext_cosine_distance_support);
PG_FUNCTION_INFO_V1(lmtext_l2_distance_support);
PG_FUNCTION_INFO_V1(lmtext_inner_product_support);

/* The value under a cast to real[] that PostgreSQL put there by itself, or NULL. */
static Node *
under_implicit_cast(Node *argument)
{
    FuncExpr *cast = (FuncExpr *)argument;

    if (!IsA(argument, FuncExpr) || cast->funcformat != COERCE_IMPLICIT_CAST)
        return NULL;
    return linitial(cast->args);
}

/* The operator of this name on a type, in the type's schema; InvalidOid when there is none. */
static Oid
operator_of_type(const char *name, Oid type)
{
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    Oid schema;

    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for type %u", type);
    schema = ((Form_pg_type)GETSTRUCT(tuple))->typnamespace;
    ReleaseSysCache(tuple);
    return GetSysCacheOid4(OPERNAMENSP, Anum_pg_operator_oid, CStringGetDatum(name),
                           ObjectIdGetDatum(type), ObjectIdGetDatum(type),
                           ObjectIdGetDatum(schema));
}

/*
 * May stand where one of ours stood: what the planner settled before (what may run in a worker,
 * what may be computed once) must hold on.
 */
static bool
fits(Oid operator)
{
    Oid function = get_opcode(operator);

    return get_op_rettype(operator) == FLOAT8OID &&
           func_volatile(function) == PROVOLATILE_IMMUTABLE &&
           func_parallel(function) == PROPARALLEL_SAFE && func_strict(function);
}

/* The call with the type's own operator, or NULL where the type has none. */
static Node *
own_operator(const char *name, Node *uncast, Node *other, bool uncast_is_left)
{
    Oid type = exprType(uncast);
    Oid own = operator_of_type(name, type);
    Node *cast;

    if (!OidIsValid(own) || !fits(own))
        return NULL;
    cast = coerce_to_target_type(NULL, copyObject(other), FLOAT4ARRAYOID, type, -1,
                                 COERCION_ASSIGNMENT, COERCE_EXPLICIT_CAST, -1);
    if (cast == NULL)
        return NULL;
    uncast = copyObject(uncast);
    return (Node *)make_opclause(own, FLOAT8OID, false, (Expr *)(uncast_is_left ? uncast : cast),
                                 (Expr *)(uncast_is_left ? cast : uncast), InvalidOid, InvalidOid);
}

static Datum
simplify(FunctionCallInfo fcinfo, const char *name)
{
    SupportRequestSimplify *request = (SupportRequestSimplify *)PG_GETARG_POINTER(0);
    Node *left, *right, *uncast;

    if (!IsA(request, SupportRequestSimplify) || list_length(request->fcall->args) != 2)
        PG_RETURN_POINTER(NULL);
    lmtext_guard_late(request->root);
    left = linitial(request->fcall->args);
    right = lsecond(request->fcall->args);
    uncast = under_implicit_cast(left);
    if (uncast != NULL)
        PG_RETURN_POINTER(own_operator(name, uncast, right, true));
    uncast = under_implicit_cast(right);
    PG_RETURN_POINTER(uncast ? own_operator(name, uncast, left, false) : NULL);
}

Datum
lmtext_cosine_distance_support(PG_FUNCTION_ARGS)
{
    return simplify(fcinfo, "<=>");
}

Datum
lmtext_l2_distance_support(PG_FUNCTION_ARGS)
{
    return simplify(fcinfo, "<->");
}

Datum
lmtext_inner_product_support(PG_FUNCTION_ARGS)
{
    return simplify(fcinfo, "<#>");
}

/* ---- lmtext.distance(body, 'words') finds an index on body ---- */

/* The operator of access method lmtext on texts; there is none where the extension is older. */
static Oid
text_operator(void)
{
    Oid method = get_am_oid("lmtext", true);
    Oid class = OidIsValid(method) ? GetDefaultOpClass(TEXTOID, method) : InvalidOid;

    if (!OidIsValid(class))
        return InvalidOid;
    return get_opfamily_member(get_opclass_family(class), TEXTOID, TEXTOID, 1);
}

Node *
lmtext_plan_text_operator(SupportRequestSimplify *request)
{
    const FuncExpr *call = request->fcall;
    Oid operator= list_length(call->args) == 2 ? text_operator() : InvalidOid;

    if (!OidIsValid(operator) || get_opcode(operator) != call->funcid)
        return NULL;
    return (Node *)make_opclause(operator, FLOAT8OID, false, linitial(call->args),
                                 lsecond(call->args), call->funccollid, call->inputcollid);
}
