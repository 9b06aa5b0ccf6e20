/*
 * bpe_merge.c - merges the symbols of one word: always the pair of the least rank, the leftmost of
 * equal ones.
 *
 * A short word looks through all its pairs for each merge. Long ones keep pairs in a heap, so that
 * a word of n symbols takes n log n steps. The heap has pairs that are no more: as in the
 * reference, such a one merges what stands there now if that makes the same token.
 */
#include <string.h>

#include "token/bpe.h"

#define SHORT_WORD 32

/* A symbol's neighbours that are left; -1: none. A symbol that was merged away has length 0. */
typedef struct neighbours {
    int32_t before, after;
} neighbours;

typedef struct merger {
    lm_encode_state *state;
    const lm_bpe *bpe;
    const uint64_t *table;
    const int32_t *made;
    lm_symbol *symbols;
    size_t count;
    neighbours *links;
    lm_buffer *heap; /* uint64_t: rank and place of the left symbol, the least first */
    size_t steps;
} merger;

static lm_status merge_long(merger *m);

static inline __attribute__((always_inline)) uint32_t
rank_of(const merger *m, size_t left, size_t right)
{
    return lm_bpe_rank(m->bpe, m->table, m->symbols[left].id, m->symbols[right].id);
}

/* Ask for a pair's place in the table: others are asked for while memory answers. */
static inline void
prefetch_rank(const merger *m, size_t left, size_t right)
{
    const uint64_t pair = lm_bpe_pair(m->symbols[left].id, m->symbols[right].id);

    __builtin_prefetch(&m->table[lm_bpe_home(m->bpe, pair)]);
}

/* A short word: symbols that were merged away have no pair, and length 0. */
typedef struct short_word {
    uint32_t ranks[SHORT_WORD];     /* of each symbol's pair with what stands behind it */
    uint8_t before[SHORT_WORD + 1]; /* neighbours that are left; the last one's is `count` */
    uint8_t after[SHORT_WORD];
} short_word;

/* The least rank, and the leftmost place of it. */
static inline uint64_t
least_pair(const short_word *s, size_t count)
{
    uint64_t best = UINT64_MAX;

    for (size_t i = 0; i < count; i++) {
        const uint64_t pair = (uint64_t)s->ranks[i] << 32 | i;

        best = pair < best ? pair : best;
    }
    return best;
}

/* What is left of the symbols moves together. */
static size_t
close_up(lm_symbol *symbols, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (symbols[i].length > 0)
            symbols[kept++] = symbols[i];
    return kept;
}

/* The symbol at `at` takes the one behind it. */
static inline void
merge_at(merger *m, short_word *s, size_t at, uint32_t rank)
{
    const size_t gone = s->after[at], behind = s->after[gone];

    m->symbols[at].id = m->made[rank];
    m->symbols[at].length += m->symbols[gone].length;
    m->symbols[gone].length = 0;
    s->ranks[gone] = LM_BPE_NO_RANK;
    s->after[at] = (uint8_t)behind;
    s->before[behind] = (uint8_t)at;
    if (at > 0)
        prefetch_rank(m, s->before[at], at);
    s->ranks[at] = behind < m->count ? rank_of(m, at, behind) : LM_BPE_NO_RANK;
    if (at > 0)
        s->ranks[s->before[at]] = rank_of(m, s->before[at], at);
}

static void
merge_short(merger *m)
{
    short_word s;

    for (size_t i = 0; i + 1 < m->count; i++)
        prefetch_rank(m, i, i + 1);
    for (size_t i = 0; i < m->count; i++) {
        s.ranks[i] = i + 1 < m->count ? rank_of(m, i, i + 1) : LM_BPE_NO_RANK;
        s.before[i] = (uint8_t)(i - 1);
        s.after[i] = (uint8_t)(i + 1);
    }
    for (;;) {
        const uint64_t best = least_pair(&s, m->count);
        const uint32_t rank = (uint32_t)(best >> 32);

        if (rank == LM_BPE_NO_RANK)
            break;
        merge_at(m, &s, (size_t)(uint32_t)best, rank);
    }
    m->count = close_up(m->symbols, m->count);
}

lm_status
lm_bpe_merge(lm_encode_state *state, const lm_bpe *bpe, lm_symbol *symbols, size_t *count)
{
    merger m = {.state = state,
                .bpe = bpe,
                .table = lm_image_at(state->image, bpe->table),
                .made = lm_image_at(state->image, bpe->made),
                .symbols = symbols,
                .count = *count,
                .heap = &state->scratch->heap};

    if (*count <= SHORT_WORD && !(bpe->flags & LM_BPE_EMPTY_RIGHT))
        merge_short(&m);
    else
        LM_TRY(merge_long(&m));
    *count = m.count;
    return LM_OK;
}

/* ---------------------------------------------------------------- long words */

static uint64_t *
heap_items(const merger *m)
{
    return (uint64_t *)(void *)m->heap->data;
}

static lm_status
heap_push(merger *m, uint64_t item)
{
    size_t at = m->heap->size / sizeof item;
    uint64_t *items;

    LM_TRY(lm_buffer_append(m->heap, &item, sizeof item));
    items = heap_items(m);
    for (; at > 0 && items[(at - 1) / 2] > item; at = (at - 1) / 2)
        items[at] = items[(at - 1) / 2];
    items[at] = item;
    return LM_OK;
}

/* The least of a heap that is not empty. */
static uint64_t
heap_pop(merger *m)
{
    uint64_t *items = heap_items(m), top = items[0], last;
    size_t at = 0, child, count;

    m->heap->size -= sizeof top;
    count = m->heap->size / sizeof top;
    last = items[count];
    for (; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && items[child + 1] < items[child])
            child++;
        if (items[child] >= last)
            break;
        items[at] = items[child];
    }
    items[at] = last;
    return top;
}

/* The pair of two neighbours, if it is one that merges. */
static lm_status
push_pair(merger *m, int32_t left, int32_t right)
{
    uint32_t rank;

    if (left < 0 || right < 0)
        return LM_OK;
    rank = rank_of(m, (size_t)left, (size_t)right);
    return rank == LM_BPE_NO_RANK ? LM_OK : heap_push(m, (uint64_t)rank << 32 | (uint32_t)left);
}

/* Every symbol with its neighbours, and every pair that merges. */
static lm_status
fill_heap(merger *m)
{
    lm_buffer *links = &m->state->scratch->links;
    size_t bytes;

    m->heap->size = links->size = 0;
    if (m->count > INT32_MAX || lm_mul_overflows(m->count, sizeof *m->links, &bytes))
        return lm_raise(m->state->ctx, LM_TOO_LARGE, "the text is too long");
    LM_TRY(lm_buffer_reserve(links, bytes));
    m->links = (neighbours *)(void *)links->data;
    for (size_t i = 0; i < m->count; i++) {
        const int32_t at = (int32_t)i;

        LM_TRY(lm_poll_step(m->state->ctx, m->steps++));
        m->links[i] = (neighbours){at - 1, i + 1 < m->count ? at + 1 : -1};
        LM_TRY(push_pair(m, at, m->links[i].after));
    }
    return LM_OK;
}

/* The symbol takes what stands behind it. */
static lm_status
merge_pair(merger *m, int32_t at, int32_t id)
{
    neighbours *link = &m->links[at];
    lm_symbol *gone = &m->symbols[link->after];

    m->symbols[at].id = id;
    m->symbols[at].length += gone->length;
    gone->length = 0;
    link->after = m->links[link->after].after;
    if (link->after >= 0)
        m->links[link->after].before = at;
    LM_TRY(push_pair(m, link->before, at));
    return push_pair(m, at, link->after);
}

static lm_status
take_top(merger *m)
{
    const uint64_t top = heap_pop(m);
    const int32_t at = (int32_t)(uint32_t)top, id = m->made[top >> 32];
    uint32_t rank;

    if (m->symbols[at].length == 0 || m->links[at].after < 0)
        return LM_OK;
    rank = rank_of(m, (size_t)at, (size_t)m->links[at].after);
    if (rank == LM_BPE_NO_RANK || m->made[rank] != id)
        return LM_OK;
    return merge_pair(m, at, id);
}

static lm_status
merge_long(merger *m)
{
    if (m->count == 0)
        return LM_OK;
    LM_TRY(fill_heap(m));
    while (m->heap->size > 0) {
        LM_TRY(lm_poll_step(m->state->ctx, m->steps++));
        LM_TRY(take_top(m));
    }
    m->count = close_up(m->symbols, m->count);
    return LM_OK;
}
