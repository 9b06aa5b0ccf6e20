/*
 * team.h - processes that help with the batches of a training (private to fn/).
 */
#ifndef LMTEXT_FN_TEAM_H
#define LMTEXT_FN_TEAM_H

#include "train/methods.h"
#include "pg/glue/glue.h"

typedef struct lmtext_team lmtext_team;

/*
 * The watch's `share`: values are in shared memory then, which workers see. Where there is no
 * memory, or fewer workers start than are wanted, a NOTICE says so, and this process computes the
 * rest: results are the same. *team, in the current memory context, is to be closed, also behind an
 * error.
 */
lm_status lmtext_team_start(lmtext_team **team, lmtext_call *call, const char *model,
                            const lm_train_shared *shared, float **values,
                            lm_team_helpers *helpers);

/* Workers end, and the memory goes; `wait` until they have ended. NULL: there is none. */
void lmtext_team_close(lmtext_team *team, bool wait);

#endif
