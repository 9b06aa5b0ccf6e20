/*
 * sparse_rows.c - sparse rows, and counting into them.
 */
#include "features/sparse_rows.h"

#include <string.h>

#include "base/size.h"

#define SMALL 40 /* so many are sorted by insertion */
#define POLL_EVERY ((size_t)1 << 20)
#define FOLD_FROM ((size_t)1 << 16) /* numbers that are counted at once */
#define DIGIT 11                    /* bits of a pass of radix sort */

/* ---- Rows ---- */

void
lm_sparse_rows_init(lm_sparse_rows *sparse, lm_context *ctx)
{
    *sparse = (lm_sparse_rows){.ctx = ctx};
}

void
lm_sparse_rows_free(lm_sparse_rows *sparse)
{
    lm_free(sparse->ctx, sparse->index);
    lm_free(sparse->ctx, sparse->value);
    lm_free(sparse->ctx, sparse->starts);
    lm_sparse_rows_init(sparse, sparse->ctx);
}

static lm_status
grow_entries(lm_sparse_rows *s, size_t more)
{
    size_t room = lm_grown_room(s->room, s->used + more);
    uint32_t *index;
    float *value;

    if (s->used + more <= s->room)
        return LM_OK;
    if (!(index = lm_keep(s->ctx, s->index, room * sizeof *index)))
        return LM_NO_MEMORY;
    s->index = index;
    if (!(value = lm_keep(s->ctx, s->value, room * sizeof *value)))
        return LM_NO_MEMORY;
    s->value = value;
    s->room = room;
    return LM_OK;
}

static lm_status
grow_rows(lm_sparse_rows *s)
{
    size_t room = lm_grown_room(s->row_room, 256);
    size_t *starts;

    if (s->rows + 1 < s->row_room)
        return LM_OK;
    if (!(starts = lm_keep(s->ctx, s->starts, room * sizeof *starts)))
        return LM_NO_MEMORY;
    starts[0] = 0;
    s->starts = starts;
    s->row_room = room;
    return LM_OK;
}

lm_status
lm_sparse_rows_add(lm_sparse_rows *sparse, const uint32_t *index, const float *value, size_t count)
{
    LM_TRY(grow_rows(sparse));
    LM_TRY(grow_entries(sparse, count));
    if (count > 0) {
        memcpy(sparse->index + sparse->used, index, count * sizeof *index);
        memcpy(sparse->value + sparse->used, value, count * sizeof *value);
    }
    sparse->used += count;
    sparse->starts[++sparse->rows] = sparse->used;
    return LM_OK;
}

/* ---- Counting ---- */

void
lm_numbers_init(lm_numbers *numbers, lm_context *ctx)
{
    *numbers = (lm_numbers){.ctx = ctx};
}

void
lm_numbers_free(lm_numbers *numbers)
{
    lm_free(numbers->ctx, numbers->items);
    lm_free(numbers->ctx, numbers->known);
    lm_numbers_init(numbers, numbers->ctx);
}

/* One block: items, spare, counts. Only the items are kept. */
static lm_status
grow_numbers(lm_numbers *n)
{
    size_t room = n->room > 0 ? 2 * n->room : 256;
    uint32_t *items = lm_alloc_array(n->ctx, room, 3 * sizeof *items);

    if (!items)
        return LM_NO_MEMORY;
    if (n->count > 0)
        memcpy(items, n->items, n->count * sizeof *items);
    lm_free(n->ctx, n->items);
    n->items = items;
    n->spare = items + room;
    n->counts = (float *)(items + 2 * room);
    n->room = room;
    return LM_OK;
}

static lm_status fold(lm_numbers *n);

/* There are as many new numbers as known ones when they are folded: so a number's share in the work
 * stays the same. */
lm_status
lm_numbers_add(lm_numbers *numbers, uint32_t number)
{
    if (numbers->count == numbers->room) {
        if (numbers->room >= FOLD_FROM && numbers->room >= numbers->known_count)
            LM_TRY(fold(numbers));
        else
            LM_TRY(grow_numbers(numbers));
    }
    numbers->items[numbers->count++] = number;
    return LM_OK;
}

static void
sort_small(uint32_t *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t item = items[i];
        size_t at = i;

        for (; at > 0 && items[at - 1] > item; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

/* Before every so many of a long list. */
static lm_status
poll_at(const lm_numbers *n, size_t i)
{
    return i % POLL_EVERY == POLL_EVERY - 1 ? lm_poll(n->ctx) : LM_OK;
}

/* One pass of radix sort, by the digit at `shift`. */
static lm_status
sort_digit(const lm_numbers *n, const uint32_t *from, uint32_t *to, int shift)
{
    const uint32_t mask = (1 << DIGIT) - 1;
    size_t starts[1 << DIGIT] = {0}, sum = 0;

    for (size_t i = 0; i < n->count; i++)
        starts[from[i] >> shift & mask]++;
    for (size_t d = 0; d <= mask; d++) {
        size_t here = starts[d];

        starts[d] = sum;
        sum += here;
    }
    for (size_t i = 0; i < n->count; i++) {
        LM_TRY(poll_at(n, i));
        to[starts[from[i] >> shift & mask]++] = from[i];
    }
    return LM_OK;
}

static lm_status
sort_numbers(lm_numbers *n)
{
    if (n->count <= SMALL) {
        sort_small(n->items, n->count);
        return LM_OK;
    }
    LM_TRY(sort_digit(n, n->items, n->spare, 0));
    LM_TRY(sort_digit(n, n->spare, n->items, DIGIT));
    LM_TRY(sort_digit(n, n->items, n->spare, 2 * DIGIT));
    memcpy(n->items, n->spare, n->count * sizeof *n->items);
    return LM_OK;
}

/* Sort and count what is in the list. */
static lm_status
count_items(lm_numbers *numbers)
{
    size_t kept = 0;

    LM_TRY(sort_numbers(numbers));
    for (size_t i = 0; i < numbers->count;) {
        uint32_t number = numbers->items[i];
        size_t first = i;

        while (i < numbers->count && numbers->items[i] == number)
            i++;
        numbers->items[kept] = number;
        numbers->counts[kept++] = (float)(i - first);
    }
    numbers->count = kept;
    return LM_OK;
}

/* The known ones and those of the list in one ascending list; *merged receives how many. */
static lm_status
merge_known(const lm_numbers *n, uint32_t *into, float *times, size_t *merged)
{
    size_t i = 0, j = 0, count = 0;

    for (; i < n->known_count || j < n->count; count++) {
        bool of_known = i < n->known_count && (j == n->count || n->known[i] <= n->items[j]);
        bool of_list = j < n->count && (!of_known || n->known[i] == n->items[j]);

        LM_TRY(poll_at(n, count));
        into[count] = of_known ? n->known[i] : n->items[j];
        times[count] = (of_known ? n->times[i] : 0) + (of_list ? n->counts[j] : 0);
        i += of_known;
        j += of_list;
    }
    *merged = count;
    return LM_OK;
}

/* Count the list, and add that to what is known. */
static lm_status
fold(lm_numbers *n)
{
    uint32_t *known;
    float *times;
    size_t room, merged;
    lm_status status;

    LM_TRY(count_items(n));
    room = n->known_count + n->count;
    if (!(known = lm_alloc_array(n->ctx, room, 2 * sizeof *known)))
        return LM_NO_MEMORY;
    times = (float *)(known + room);
    status = merge_known(n, known, times, &merged);
    if (status != LM_OK) {
        lm_free(n->ctx, known);
        return status;
    }
    lm_free(n->ctx, n->known);
    n->known = known;
    n->times = times;
    n->known_count = merged;
    n->count = 0;
    return LM_OK;
}

lm_status
lm_numbers_count(lm_numbers *numbers)
{
    if (numbers->known_count == 0)
        return count_items(numbers);
    LM_TRY(fold(numbers));
    while (numbers->room < numbers->known_count)
        LM_TRY(grow_numbers(numbers));
    numbers->count = numbers->known_count;
    memcpy(numbers->items, numbers->known, numbers->count * sizeof *numbers->items);
    memcpy(numbers->counts, numbers->times, numbers->count * sizeof *numbers->counts);
    lm_free(numbers->ctx, numbers->known);
    numbers->known = NULL;
    numbers->known_count = 0;
    return LM_OK;
}
