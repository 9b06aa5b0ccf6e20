/*
 * shared.c - which calls of a node are on one encoder; the contract is in shared.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/service/shared.h"

/* Hidden states of one encoder. */
typedef struct kept_encoder {
    uint64 build;
    lmtext_call call; /* whose memory they are in */
    lm_states states;
} kept_encoder;

lmtext_shared *
lmtext_shared_open(MemoryContext memory)
{
    lmtext_shared *shared = MemoryContextAllocZero(memory, sizeof *shared);

    shared->memory = memory;
    return shared;
}

void
lmtext_shared_join(lmtext_shared *shared, lmtext_sharer *sharer)
{
    MemoryContext old = MemoryContextSwitchTo(shared->memory);

    sharer->shared = shared;
    shared->calls = lappend(shared->calls, sharer);
    MemoryContextSwitchTo(old);
}

/* A call that is the same finds its result remembered, and never runs. */
static bool
has_company(const lmtext_sharer *sharer)
{
    ListCell *cell;

    foreach (cell, sharer->shared->calls) {
        const lmtext_sharer *other = lfirst(cell);

        if (other != sharer && !equal(other->call, sharer->call) &&
            (other->encoder == 0 || other->encoder == sharer->encoder))
            return true;
    }
    return false;
}

static kept_encoder *
find_encoder(const lmtext_shared *shared, uint64 build)
{
    ListCell *cell;

    foreach (cell, shared->encoders) {
        kept_encoder *kept = lfirst(cell);

        if (kept->build == build)
            return kept;
    }
    return NULL;
}

static kept_encoder *
add_encoder(lmtext_shared *shared, uint64 build)
{
    MemoryContext old = MemoryContextSwitchTo(shared->memory);
    kept_encoder *kept = palloc0(sizeof *kept);

    kept->build = build;
    lmtext_call_init(&kept->call, AllocSetContextCreate(shared->memory, "lmtext hidden states",
                                                        ALLOCSET_DEFAULT_SIZES));
    kept->states.ctx = &kept->call.ctx;
    shared->encoders = lappend(shared->encoders, kept);
    MemoryContextSwitchTo(old);
    return kept;
}

lm_states *
lmtext_shared_states(lmtext_sharer *sharer, const lmtext_model *model)
{
    const uint64 build = model->encoder->build;
    kept_encoder *kept;

    sharer->encoder = build;
    /* Ways of a Router have encoders of their own under one build. */
    if (model->encoder->model.routes != NULL || lm_model_weights(&model->model) == NULL ||
        !has_company(sharer))
        return NULL;
    kept = find_encoder(sharer->shared, build);
    return &(kept != NULL ? kept : add_encoder(sharer->shared, build))->states;
}
