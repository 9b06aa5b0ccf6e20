/*
 * handler.c - the access method lmtext, as PostgreSQL asks for it.
 */
#include "postgres.h"

#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type_d.h"
#include "commands/vacuum.h"
#include "fmgr.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/am/am.h"
#include "pg/am/search.h"
#include "pg/am/words.h"

PG_FUNCTION_INFO_V1(lmtext_index_handler);

/* Ordering operators: one whose number is the metric, and <@> beside it on texts. */
static bool
validate_operators(Oid family)
{
    CatCList *operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
    bool fits = operators->n_members >= 1;

    for (int i = 0; i < operators->n_members; i++) {
        Form_pg_amop row = (Form_pg_amop)GETSTRUCT(&operators->members[i]->tuple);

        fits &= row->amoppurpose == AMOP_ORDER && row->amopstrategy <= LMTEXT_WORDS_STRATEGY &&
                get_op_rettype(row->amopopr) == FLOAT8OID;
    }
    ReleaseCatCacheList(operators);
    return fits;
}

/* Texts, vectors, or what a function makes a vector of, as a cast does. */
static bool
validate_type(Form_pg_opclass class)
{
    Oid type = class->opcintype, *arguments;
    Oid function = get_opfamily_proc(class->opcfamily, type, type, LMTEXT_CONVERT);
    int count;

    if (!OidIsValid(function))
        return type == TEXTOID || type == FLOAT4ARRAYOID;
    return get_func_signature(function, &arguments, &count) == FLOAT4ARRAYOID && count == 3 &&
           arguments[0] == type && arguments[1] == INT4OID && arguments[2] == BOOLOID;
}

static bool
validate(Oid class)
{
    HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(class));
    Form_pg_opclass row;
    bool fits;

    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for operator class %u", class);
    row = (Form_pg_opclass)GETSTRUCT(tuple);
    fits = validate_type(row) && validate_operators(row->opcfamily);
    if (!fits)
        ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                       errmsg("operator class \"%s\" is none that access method lmtext can serve",
                              NameStr(row->opcname))));
    ReleaseSysCache(tuple);
    return fits;
}

static void
set_properties(IndexAmRoutine *routine)
{
    routine->amstrategies = LMTEXT_WORDS_STRATEGY;
    routine->amsupport = LMTEXT_CONVERT;
    routine->amcanorderbyop = true;
    /* A scan with no condition on the column is the only one there is. */
    routine->amoptionalkey = true;
    routine->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
    routine->amkeytype = InvalidOid;
}

static void
set_functions(IndexAmRoutine *routine)
{
    routine->ambuild = lmtext_am_build;
    routine->ambuildempty = lmtext_am_buildempty;
    routine->aminsert = lmtext_am_insert;
    routine->ambulkdelete = lmtext_am_bulkdelete;
    routine->amvacuumcleanup = lmtext_am_vacuumcleanup;
    routine->amcostestimate = lmtext_am_cost;
    routine->amoptions = lmtext_am_options;
    routine->ambuildphasename = lmtext_am_phase;
    routine->amvalidate = validate;
    routine->ambeginscan = lmtext_am_beginscan;
    routine->amrescan = lmtext_am_rescan;
    routine->amgettuple = lmtext_am_gettuple;
    routine->amendscan = lmtext_am_endscan;
}

Datum
lmtext_index_handler(PG_FUNCTION_ARGS)
{
    IndexAmRoutine *routine = makeNode(IndexAmRoutine);

    set_properties(routine);
    set_functions(routine);
    PG_RETURN_POINTER(routine);
}

void
lmtext_am_init(void)
{
    lmtext_am_settings();
    lmtext_alter_init();
    lmtext_effort_init();
    lmtext_filter_init();
}
