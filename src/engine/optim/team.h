/*
 * team.h - a batch in a fixed number of parts, whose gradients are summed in their order: a wrapper
 * of a network. Other processes may compute parts; which ones do, if any, changes no bit.
 */
#ifndef LM_OPTIM_TEAM_H
#define LM_OPTIM_TEAM_H

#include "base/buffer.h"
#include "optim/batches.h"

#define LM_TEAM_HELPERS_MAX 32

/* Other processes, each with the network's values and rows and with gradients of its own. */
typedef struct lm_team_helpers {
    void *self;
    size_t count;
    const float *base; /* what gradients of the network are found from: in a helper's as here */
    /* It begins on these rows, which are copied. Does not wait. */
    lm_status (*begin)(void *self, size_t helper, const size_t *rows, size_t count,
                       const lm_pass *pass);
    /* Wait for its loss and gradients; these stay until it begins again. Polls cancel. */
    lm_status (*end)(void *self, size_t helper, double *loss, const float **grads);
} lm_team_helpers;

typedef struct lm_team {
    lm_context *ctx;
    lm_network inner;
    size_t parts;
    lm_cut cut;              /* of each part */
    lm_team_helpers helpers; /* of the parts from the second on; without any: none */
    float *spare;            /* gradients of parts before the one that is computed here */
    lm_buffer costs, rows;
    size_t first[LM_TEAM_HELPERS_MAX + 2]; /* where each part begins in `rows`, and the end */
} lm_team;

/*
 * Parts are one more than `workers`, at most LM_TEAM_HELPERS_MAX. The network must outlive it, and
 * be one that can be cut: LM_UNSUPPORTED. What is opened must be closed.
 */
lm_status lm_team_open(lm_context *ctx, const lm_network *network, size_t workers,
                       const lm_cut *cut, const lm_team_helpers *helpers, lm_team *team);
void lm_team_close(lm_team *team); /* may be zeroed */

/* What the trainer is given in place of the network. It cuts batches itself. */
void lm_team_network(lm_team *team, lm_network *network);

/* What a helper does: gradients of these rows, from zero. */
lm_status lm_team_help(lm_context *ctx, const lm_network *network, const lm_cut *cut,
                       const size_t *rows, size_t count, const lm_pass *pass, double *loss);

#endif
