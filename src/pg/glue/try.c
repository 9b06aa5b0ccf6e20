/*
 * try.c - running something that can fail; the contract is in try.h.
 */
#include "postgres.h"

#include "storage/bufmgr.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#include "pg/compat.h"
#include "pg/glue/fault.h"
#include "pg/glue/try.h"

static void release_shared(void);

/*
 * A failed attempt leaves half-made descriptors with its resource owner; releasing that owner as on
 * an abort takes them away without a warning of a leak. Locks of shared memory it leaves as well.
 */
ErrorData *
lmtext_try(void (*run)(void *argument), void *argument)
{
    ResourceOwner outer = CurrentResourceOwner;
    ResourceOwner inner = ResourceOwnerCreate(outer, "lmtext");
    MemoryContext memory = CurrentMemoryContext;
    ErrorData *volatile error = NULL;

    CurrentResourceOwner = inner;
    PG_TRY();
    {
        run(argument);
    }
    PG_CATCH();
    {
        release_shared();
        MemoryContextSwitchTo(memory);
        error = CopyErrorData();
        FlushErrorState();
    }
    PG_END_TRY();
    for (int phase = RESOURCE_RELEASE_BEFORE_LOCKS; phase <= RESOURCE_RELEASE_AFTER_LOCKS; phase++)
        ResourceOwnerRelease(inner, phase, error == NULL, false);
    CurrentResourceOwner = outer;
    ResourceOwnerDelete(inner);
    if (error != NULL && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
        ReThrowError(error);
    return error;
}

/* What an abort gives back that no resource owner knows. The caller holds no LWLock. */
static void
release_shared(void)
{
    LWLockReleaseAll();
    pgstat_report_wait_end();
    LMTEXT_ABORT_BUFFER_IO();
    UnlockBuffers();
    ConditionVariableCancelSleep();
    LockErrorCleanup();
}
