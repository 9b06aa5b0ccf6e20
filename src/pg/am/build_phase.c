/*
 * build_phase.c - how far a build is, for pg_stat_progress_create_index.
 */
#include "postgres.h"

#include "pgstat.h"
#include "utils/builtins.h"

#include "pg/am/build.h"

char *
lmtext_am_phase(int64 phase)
{
    static const char *const phases[] = {
        [PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE] = "initializing",
        [LMTEXT_PHASE_EMBED] = "reading and embedding rows",
        [LMTEXT_PHASE_COLLECT] = "collecting rows of workers",
        [LMTEXT_PHASE_TRAIN] = "training lists",
        [LMTEXT_PHASE_ASSIGN] = "assigning rows to lists",
        [LMTEXT_PHASE_WRITE] = "writing pages",
    };

    return phase > 0 && phase < lengthof(phases) ? pstrdup(phases[phase]) : NULL;
}

void
lmtext_build_phase(int64 phase, int64 total)
{
    pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase);
    pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL, total);
    pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, 0);
}
