/*
 * workers.h - background workers that act as the owner of a job or of alerts.
 */
#ifndef LMTEXT_WORKERS_H
#define LMTEXT_WORKERS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "postmaster/bgworker.h"

typedef enum lmtext_errand {
    LMTEXT_BATCHES, /* of a run of another session */
    LMTEXT_RUN,     /* a whole run, by schedule or of what is queued */
    LMTEXT_ALERTS
} lmtext_errand;

/* What a worker is told, by its entry's extra bytes. */
typedef struct lmtext_order {
    lmtext_errand errand;
    bool launched; /* by the launcher, also for a role that may not log in, where the server can */
    Oid database, user;
    int64 run;
    TimestampTz until; /* batches end then; 0: never */
    char job[NAMEDATALEN];
} lmtext_order;

/* False where the server has no place left for one. The handle lives in the library's memory. */
bool lmtext_worker_start(const lmtext_order *what, BackgroundWorkerHandle **handle);

#endif
