/*
 * shared.h - one pass of an encoder for all calls of a plan's node that run on it: heads of one
 * model, and the model itself. What the first call has computed of a row's text is kept for the
 * others (task/states.h), as long as the plan runs.
 */
#ifndef LMTEXT_SHARED_H
#define LMTEXT_SHARED_H

#include "nodes/pg_list.h"

#include "task/states.h"

#include "pg/service/infer.h"

/* The calls of one node. */
typedef struct lmtext_shared {
    MemoryContext memory;
    List *calls;    /* of lmtext_sharer */
    List *encoders; /* whose hidden states are kept */
} lmtext_shared;

/* A call, which may have two texts and so be there twice. */
typedef struct lmtext_sharer {
    lmtext_shared *shared;
    const Node *call;
    uint64 encoder; /* build of the encoder that it ran on last; 0: it has not run */
} lmtext_sharer;

/* All of it goes with `memory`. */
lmtext_shared *lmtext_shared_open(MemoryContext memory);
void lmtext_shared_join(lmtext_shared *shared, lmtext_sharer *sharer);

/*
 * For the options of a call that is about to run: NULL where no other call of the node is on its
 * encoder. One that has not run yet may be.
 */
lm_states *lmtext_shared_states(lmtext_sharer *sharer, const lmtext_model *model);

#endif
