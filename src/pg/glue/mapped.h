/*
 * mapped.h - memory in temporary files: what a call keeps beyond its limit (glue.h).
 *
 * Such a file is PostgreSQL's own kind: temp_file_limit, temp_tablespaces and log_temp_files hold
 * for it, pg_stat_database counts it, and it goes with the transaction, or with a server that
 * crashed. It is written in full before it is mapped, so that a full disk is an error and not a
 * signal; its pages are the operating system's to write out and to read again.
 */
#ifndef LMTEXT_MAPPED_H
#define LMTEXT_MAPPED_H

#include "pg/glue/glue.h"

typedef struct lmtext_mapped lmtext_mapped;

/* NULL: there are no memory or addresses. Both throw what PostgreSQL does about a file, which is
 * then one of the transaction that is to be aborted. */
lmtext_mapped *lmtext_mapped_open(lmtext_call *call, size_t size);
/* The same bytes, maybe elsewhere, and zeros behind them. False: as they were, and where. */
bool lmtext_mapped_grow(lmtext_mapped *mapped, size_t size);
void *lmtext_mapped_bytes(const lmtext_mapped *mapped);
void lmtext_mapped_close(lmtext_mapped *mapped);

#endif
