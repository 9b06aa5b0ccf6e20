/*
 * batches.c - the order of an epoch (Fisher and Yates), and the parts of a batch.
 */
#include "optim/batches.h"

#include <string.h>

#include "base/rng.h"

#define POLL_EVERY ((size_t)1 << 18) /* rows: some ms */

lm_status
lm_epoch_order(lm_context *ctx, const size_t *order, size_t count, bool shuffle, uint64_t seed,
               uint64_t epoch, size_t *rows)
{
    lm_rng rng;

    memcpy(rows, order, count * sizeof *rows);
    lm_rng_seed(&rng, seed);
    lm_rng_seed(&rng, lm_rng_next(&rng) + epoch);
    for (size_t i = shuffle ? count : 0; i > 1; i--) {
        size_t other = (size_t)lm_rng_below(&rng, i), row = rows[i - 1];

        rows[i - 1] = rows[other];
        rows[other] = row;
        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(ctx));
    }
    return LM_OK;
}

size_t
lm_next_part(const lm_network *network, const lm_cut *cut, const size_t *rows, size_t count,
             size_t at)
{
    const size_t parts = cut->parts > 1 ? cut->parts : 1;
    size_t most = (count + parts - 1) / parts, bytes = 0, taken = 0;

    if (network->whole_batches)
        return count - at;
    if (most > count - at)
        most = count - at;
    if (cut->memory == 0 || !network->row_bytes)
        return most;
    while (taken < most) {
        bytes += network->row_bytes(network->self, rows[at + taken]);
        if (taken > 0 && bytes > cut->memory)
            break;
        taken++;
    }
    return taken;
}

lm_status
lm_run_parts(lm_context *ctx, const lm_network *network, const lm_cut *cut, const size_t *rows,
             size_t count, const lm_pass *pass, double *loss)
{
    for (size_t at = 0, part; at < count; at += part) {
        LM_TRY(lm_poll(ctx));
        part = lm_next_part(network, cut, rows, count, at);
        LM_TRY(network->pass(network->self, rows + at, part, pass, loss));
    }
    return LM_OK;
}
