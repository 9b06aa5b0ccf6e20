/*
 * states.c - the hidden states that heads share; the contract is in states.h.
 */
#include "task/states.h"

#include <string.h>

#include "base/hash.h"

/* One window, in one piece of memory: this, the hidden states, ids, types. */
typedef struct lm_kept_window {
    uint64_t hash;
    size_t tokens, bytes;
    const int32_t *ids, *types;
    float hidden[];
} lm_kept_window;

static uint64_t
hash_of(const lm_window_tokens *tokens)
{
    return lm_hash_bytes(tokens->ids, tokens->count * sizeof *tokens->ids, tokens->count);
}

static lm_kept_window **
at(lm_states *states, size_t index)
{
    return &states->windows[(states->first + index) % LM_STATES_WINDOWS];
}

static bool
is_same(const lm_kept_window *window, const lm_window_tokens *tokens, uint64_t hash)
{
    const size_t bytes = tokens->count * sizeof *tokens->ids;

    return window->hash == hash && window->tokens == tokens->count &&
           memcmp(window->ids, tokens->ids, bytes) == 0 &&
           memcmp(window->types, tokens->types, bytes) == 0;
}

/* Heads ask in the same order, so the first look most often finds it. */
const float *
lm_states_find(lm_states *states, const lm_window_tokens *tokens)
{
    const uint64_t hash = hash_of(tokens);

    for (size_t i = 0; i < states->count; i++) {
        size_t index = (states->next + i) % states->count;
        const lm_kept_window *window = *at(states, index);

        if (is_same(window, tokens, hash)) {
            states->next = index + 1;
            return window->hidden;
        }
    }
    return NULL;
}

static void
drop_oldest(lm_states *states)
{
    lm_kept_window **oldest = at(states, 0);

    states->bytes -= (*oldest)->bytes;
    lm_free(states->ctx, *oldest);
    states->first = (states->first + 1) % LM_STATES_WINDOWS;
    states->count--;
    states->next -= states->next > 0;
}

/* A copy, or NULL where there is no memory for one. */
static lm_kept_window *
copy_window(lm_states *states, const lm_window_tokens *tokens, const float *hidden, size_t width,
            size_t bytes)
{
    const size_t states_bytes = tokens->count * width * sizeof *hidden;
    const size_t ids_bytes = tokens->count * sizeof *tokens->ids;
    lm_kept_window *window = lm_alloc(states->ctx, bytes);
    char *ids;

    if (!window)
        return NULL;
    ids = (char *)window->hidden + states_bytes;
    memcpy(window->hidden, hidden, states_bytes);
    memcpy(ids, tokens->ids, ids_bytes);
    memcpy(ids + ids_bytes, tokens->types, ids_bytes);
    window->hash = hash_of(tokens);
    window->tokens = tokens->count;
    window->bytes = bytes;
    window->ids = (const int32_t *)ids;
    window->types = (const int32_t *)(ids + ids_bytes);
    return window;
}

/* Sizes cannot overflow: the hidden states lie in memory. */
void
lm_states_keep(lm_states *states, const lm_window_tokens *tokens, const float *hidden, size_t width)
{
    const size_t bytes = sizeof(lm_kept_window) + tokens->count * width * sizeof *hidden +
                         2 * tokens->count * sizeof *tokens->ids;
    lm_kept_window *window;

    if (bytes > LM_STATES_LONGEST)
        return;
    while (states->count == LM_STATES_WINDOWS ||
           (states->count > 0 && states->bytes + bytes > LM_STATES_BYTES))
        drop_oldest(states);
    window = copy_window(states, tokens, hidden, width, bytes);
    if (!window)
        return;
    *at(states, states->count++) = window;
    states->bytes += bytes;
}

void
lm_states_clear(lm_states *states)
{
    while (states->count > 0)
        drop_oldest(states);
    states->next = 0;
}
