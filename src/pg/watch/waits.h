/*
 * waits.h - what a session of lmtext waits for, as pg_stat_activity names it.
 *
 * From 17 on each wait has a name of its own; before, all are the server's "Extension". Locks of
 * shared memory are lightweight locks of the tranche "lmtext" (pg/shmem), in every version.
 */
#ifndef LMTEXT_WAITS_H
#define LMTEXT_WAITS_H

#include "postgres.h"

typedef enum lmtext_wait {
    LMTEXT_WAIT_LOAD,   /* another session loads the model that this one wants */
    LMTEXT_WAIT_UNLOAD, /* another session loads the model that this one unloads */
    LMTEXT_WAIT_BATCH,  /* a training waits for a worker's part of a batch, or a worker for one */
    LMTEXT_WAIT_COUNT
} lmtext_wait;

/* For WaitLatch, ConditionVariableSleep and their kin. May fail; called with no lock held. */
uint32 lmtext_wait_event(lmtext_wait wait);

#endif
