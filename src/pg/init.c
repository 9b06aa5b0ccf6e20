/*
 * init.c - the library's entry: the list of room inits and nothing else.
 */
#include "postgres.h"
#include "fmgr.h"
#include "utils/guc.h"

#include "pg/cache/cache.h"
#include "pg/fn/args.h"
#include "pg/plan/plan.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
    lmtext_fault_init();
    lmtext_catalog_init();
    lmtext_cache_init();
    lmtext_fn_init();
    lmtext_plan_init();
    MarkGUCPrefixReserved("lmtext");
}
