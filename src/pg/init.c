/*
 * init.c - the library's entry: the list of room inits and nothing else.
 */
#include "postgres.h"
#include "fmgr.h"

#include "pg/cache/cache.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
    lmtext_cache_init();
}
