/*
 * backend.h - what the library keeps in this process between statements, and what its rooms do when
 * a resource owner is released and when the process ends.
 *
 * The callbacks here never fail and free nothing that a resource owner knows: they run on abort.
 */
#ifndef LMTEXT_BACKEND_H
#define LMTEXT_BACKEND_H

#include "postgres.h"

#include "utils/palloc.h"

/* Lives as long as the process; all that the library keeps hangs below it. */
MemoryContext lmtext_memory(void);

typedef void (*lmtext_callback)(void);

/*
 * Call it at each release of a resource owner, before locks, with CurrentResourceOwner set to it.
 * From a room's init; saying it twice is saying it once.
 */
void lmtext_at_release(lmtext_callback callback);

/*
 * Call it when this process ends, before the transaction's abort. At a room's first use, not at its
 * init: a preloaded library is loaded in the postmaster, whose callbacks children drop. Saying it
 * twice is saying it once.
 */
void lmtext_at_exit(lmtext_callback callback);

#endif
