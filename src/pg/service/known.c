/*
 * known.c - distances of open index scans; the contract is in known.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/service/known.h"
#include "pg/watch/stats.h"

static lmtext_known *open_scans = NULL;

static void
forget(void *argument)
{
    for (lmtext_known **at = &open_scans; *at != NULL; at = &(*at)->next)
        if (*at == argument) {
            *at = (*at)->next;
            return;
        }
}

void
lmtext_known_open(lmtext_known *known, MemoryContext memory)
{
    MemoryContextCallback *callback = MemoryContextAllocZero(memory, sizeof(*callback));

    callback->func = forget;
    callback->arg = known;
    MemoryContextRegisterResetCallback(memory, callback);
    known->count = 0;
    known->next = open_scans;
    open_scans = known;
}

void
lmtext_known_add(lmtext_known *known, lm_hash128 text, double distance)
{
    known->rows[known->count++ % LMTEXT_KNOWN_ROWS] = (struct lmtext_known_row){text, distance};
}

static bool
find_row(const lmtext_known *known, lm_text text, double *distance)
{
    int oldest = Max(known->count - LMTEXT_KNOWN_ROWS, 0);
    lm_siphash state;
    lm_hash128 hash;

    lm_siphash_begin(&state, known->key);
    lm_siphash_add(&state, text.bytes, text.length);
    hash = lm_siphash_end(&state);
    for (int i = known->count - 1; i >= oldest; i--) {
        const struct lmtext_known_row *row = &known->rows[i % LMTEXT_KNOWN_ROWS];

        if (row->text.low == hash.low && row->text.high == hash.high) {
            *distance = row->distance;
            return true;
        }
    }
    return false;
}

bool
lmtext_known_any(MemoryContext query)
{
    for (const lmtext_known *known = open_scans; known != NULL; known = known->next)
        if (known->query == query)
            return true;
    return false;
}

bool
lmtext_known_find(MemoryContext query, const lmtext_digest *model, lm_text words, lm_text text,
                  double *distance)
{
    for (const lmtext_known *known = open_scans; known != NULL; known = known->next)
        if (known->query == query && known->words.length == words.length &&
            memcmp(known->words.bytes, words.bytes, words.length) == 0 &&
            memcmp(&known->model, model, sizeof known->model) == 0 &&
            find_row(known, text, distance)) {
            lmtext_stats_hit();
            return true;
        }
    return false;
}
