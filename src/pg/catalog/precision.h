/*
 * precision.h - inside this room: what a version in reduced precision has beside its files.
 */
#ifndef LMTEXT_PRECISION_H
#define LMTEXT_PRECISION_H

#include "pg/catalog/catalog.h"
#include "task/fidelity.h"

/*
 * Compares a model in reduced precision with the version in float32, of whose files it is; JSON for
 * the manifest's metrics, palloc'd.
 */
char *lmtext_precision_measure(Oid relid, const lmtext_manifest *manifest, lmtext_call *call,
                               const lm_runner *reduced, const char *name);

#endif
