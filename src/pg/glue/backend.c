/*
 * backend.c - memory and callbacks of this process; the contract is in backend.h.
 */
#include "postgres.h"

#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "pg/glue/backend.h"
#include "pg/glue/fault.h"

#define CALLBACKS 8

/* One for each room that says something; they are static, so none is lost for want of memory. */
typedef struct callback_list {
    lmtext_callback items[CALLBACKS];
    int count;
} callback_list;

static callback_list at_release, at_exit;

static void owner_released(ResourceReleasePhase phase, bool commit, bool top_level, void *argument);
static void process_exits(int code, Datum argument);
static void list_add(callback_list *list, lmtext_callback callback);

MemoryContext
lmtext_memory(void)
{
    static MemoryContext memory = NULL;

    if (memory == NULL)
        memory = AllocSetContextCreate(TopMemoryContext, "lmtext", ALLOCSET_SMALL_SIZES);
    return memory;
}

/* The server keeps its list; of ours it has one entry, made before anything relies on it. */
void
lmtext_at_release(lmtext_callback callback)
{
    static bool registered = false;

    if (!registered)
        RegisterResourceReleaseCallback(owner_released, NULL);
    registered = true;
    list_add(&at_release, callback);
}

static void
owner_released(ResourceReleasePhase phase, bool commit, bool top_level, void *argument)
{
    if (phase != RESOURCE_RELEASE_BEFORE_LOCKS)
        return;
    for (int i = 0; i < at_release.count; i++)
        at_release.items[i]();
}

void
lmtext_at_exit(lmtext_callback callback)
{
    if (at_exit.count == 0)
        before_shmem_exit(process_exits, (Datum)0);
    list_add(&at_exit, callback);
}

static void
process_exits(int code, Datum argument)
{
    for (int i = 0; i < at_exit.count; i++)
        at_exit.items[i]();
}

static void
list_add(callback_list *list, lmtext_callback callback)
{
    for (int i = 0; i < list->count; i++)
        if (list->items[i] == callback)
            return;
    if (list->count == CALLBACKS)
        elog(ERROR, "lmtext: too many callbacks");
    list->items[list->count++] = callback;
}
