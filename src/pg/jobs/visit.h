/*
 * visit.h - a visit to a database: a short worker that finds what is due there, and posts it.
 */
#ifndef LMTEXT_VISIT_H
#define LMTEXT_VISIT_H

#include "postgres.h"

#include "postmaster/bgworker.h"

/* False where the server has no place left for a worker. */
bool lmtext_visit_start(Oid database, BackgroundWorkerHandle **handle);

#endif
