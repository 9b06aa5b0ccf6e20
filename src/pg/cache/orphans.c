/*
 * orphans.c - loaded models whose table or database is gone.
 *
 * A session that has used a model gives its memory back when it meets the drop. Where none has, or
 * all of them have ended, nobody would before room is needed: DROP TABLE, DROP OWNED and DROP
 * DATABASE do not call this library. So each load looks for them, and drop_model and unload_model.
 *
 * What cannot be told for certain (a table that another session has not committed; equal contents
 * under another name) is given back as well: its next use loads it again.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/syscache.h"

#include "pg/cache/registry.h"

/* Of another database only its own end can be seen from here. */
bool
lmtext_cache_is_orphan(const lmtext_slot_view *view)
{
    if (view->database == MyDatabaseId)
        return !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(view->relid));
    return !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(view->database));
}

/* Those in use, or loading, stay. */
void
lmtext_cache_retire_orphans(void)
{
    lmtext_slot_view *views = palloc(LMTEXT_SLOTS * sizeof *views);
    int count = lmtext_registry_snapshot(views);

    for (int i = 0; i < count; i++)
        if (views[i].pins == 0 && lmtext_cache_is_orphan(&views[i]))
            lmtext_registry_retire(&views[i].ref);
    pfree(views);
}
