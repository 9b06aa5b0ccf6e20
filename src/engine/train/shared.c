/*
 * shared.c - kinds of trainings that processes share.
 */
#include "train/shared.h"

#include "train/shared_bytes.h"

static const lm_shared_kind *const kinds[] = {&lm_shared_tuned, &lm_shared_layers};

#define KINDS (sizeof kinds / sizeof kinds[0])

lm_status
lm_shared_open(lm_context *ctx, const void *bytes, size_t size, float *values, float *grads,
               lm_shared *shared)
{
    lm_shared_reader r = {ctx, bytes, size};
    uint64_t mark = 0;

    *shared = (lm_shared){.kind = NULL};
    LM_TRY(lm_shared_take(&r, &mark, 1, sizeof mark));
    for (size_t i = 0; i < KINDS && !shared->kind; i++)
        if (kinds[i]->mark == mark)
            shared->kind = kinds[i];
    if (!shared->kind)
        return lm_shared_damaged(ctx);
    return shared->kind->open(ctx, bytes, size, values, grads, &shared->cut, &shared->training,
                              &shared->network);
}

void
lm_shared_close(lm_shared *shared)
{
    if (shared->kind)
        shared->kind->close(shared->training);
    *shared = (lm_shared){.kind = NULL};
}
