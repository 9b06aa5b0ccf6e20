/*
 * lookahead.c - texts to come, by call; the contract is in lookahead.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/service/lookahead.h"

/* Of one batch's items: scores of ten thousand labels are 40 kB a text. */
#define ITEM_BYTES (1024 * 1024)

static lmtext_lookahead *all; /* of nodes that run, and of cursors that are open */

/* Also after an error: a query's memory goes in any case. */
static void
forget(void *argument)
{
    lmtext_lookahead **link = &all;

    while (*link != argument)
        link = &(*link)->next;
    *link = (*link)->next;
}

lmtext_lookahead *
lmtext_lookahead_open(const Node *call, int argno, MemoryContext memory, lmtext_shared *shared)
{
    lmtext_lookahead *ahead = MemoryContextAllocZero(memory, sizeof *ahead);
    MemoryContextCallback *callback = MemoryContextAllocZero(memory, sizeof *callback);

    ahead->sharer.call = call;
    lmtext_shared_join(shared, &ahead->sharer);
    ahead->argno = argno;
    ahead->memory = memory;
    ahead->beside = AllocSetContextCreate(memory, "lmtext items ahead", ALLOCSET_SMALL_SIZES);
    ahead->next = all;
    all = ahead;
    callback->func = forget;
    callback->arg = ahead;
    MemoryContextRegisterResetCallback(memory, callback);
    return ahead;
}

void
lmtext_lookahead_clear(lmtext_lookahead *ahead)
{
    ahead->count = ahead->at = ahead->first = ahead->ready = 0;
    ahead->failed = false;
}

void
lmtext_lookahead_add(lmtext_lookahead *ahead, lm_text text, int row)
{
    Assert(ahead->count < LMTEXT_LOOKAHEAD_TEXTS);
    ahead->rows[ahead->count] = row;
    ahead->texts[ahead->count++] = text;
}

/* Moves on to the text. */
static bool
holds(lmtext_lookahead *ahead, lm_text text)
{
    for (int i = ahead->at; i < ahead->count; i++)
        if (ahead->texts[i].bytes == text.bytes && ahead->texts[i].length == text.length) {
            ahead->at = i;
            return true;
        }
    return false;
}

/*
 * The texts of a call. One plan may run twice at a time (recursion), and then each has its own.
 * Texts that a node read for a call elsewhere in the plan become those of the call that comes.
 */
static lmtext_lookahead *
find_texts(const Node *call, int argno, lm_text text)
{
    lmtext_lookahead *unclaimed = NULL;

    for (lmtext_lookahead *ahead = all; ahead != NULL; ahead = ahead->next) {
        if (ahead->sharer.call == call && ahead->argno == argno && holds(ahead, text))
            return ahead;
        if (ahead->sharer.call == NULL && unclaimed == NULL && holds(ahead, text))
            unclaimed = ahead;
    }
    if (unclaimed != NULL) {
        unclaimed->sharer.call = call;
        unclaimed->argno = argno;
    }
    return unclaimed;
}

/* The item of the text at hand, if a batch has made it in this way. */
static const void *
ready_item(const lmtext_lookahead *ahead, const lmtext_inference *inference, size_t item_size)
{
    if (ahead->at < ahead->first || ahead->at >= ahead->ready || ahead->kind != inference->kind ||
        ahead->item_size != item_size ||
        memcmp(&ahead->key, &inference->key, sizeof ahead->key) != 0)
        return NULL;
    return ahead->items + (size_t)ahead->item_of[ahead->at] * item_size;
}

static bool
is_same(lm_text a, lm_text b)
{
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

/* The texts of a row's result: each one that rows have, or one that is the same in all of them. */
typedef struct row_texts {
    lmtext_lookahead *ahead[2]; /* NULL: the same in all rows */
    lm_text same[2];
    int count; /* of texts, 1 or 2 */
} row_texts;

/* The list that keeps the items: of the first text that differs from row to row. */
static lmtext_lookahead *
keeper_of(const row_texts *texts)
{
    return texts->ahead[0] != NULL ? texts->ahead[0] : texts->ahead[1];
}

/* Whether a row that lies `step` texts ahead is in all lists, in this place. */
static bool
has_row(const row_texts *texts, int step)
{
    int row = -1;

    for (int i = 0; i < texts->count; i++) {
        const lmtext_lookahead *ahead = texts->ahead[i];

        if (ahead == NULL)
            continue;
        if (ahead->at + step >= ahead->count || (row >= 0 && ahead->rows[ahead->at + step] != row))
            return false;
        row = ahead->rows[ahead->at + step];
    }
    return true;
}

/* Whether a row has the same texts as the one before it. */
static bool
repeats(const row_texts *texts, int step)
{
    for (int i = 0; i < texts->count; i++) {
        const lmtext_lookahead *ahead = texts->ahead[i];

        if (ahead != NULL && (step == 0 || !is_same(ahead->texts[ahead->at + step],
                                                    ahead->texts[ahead->at + step - 1])))
            return false;
    }
    return true;
}

/* A row's texts in UTF-8; false where one has none. */
static bool
convert(const row_texts *texts, int step, lm_text *converted)
{
    for (int i = 0; i < texts->count; i++) {
        const lmtext_lookahead *ahead = texts->ahead[i];
        const lm_text *text = ahead != NULL ? &ahead->texts[ahead->at + step] : NULL;

        if (text == NULL)
            converted[i] = texts->same[i];
        else if (!lmtext_utf8_try(text->bytes, text->length, &converted[i]))
            return false;
    }
    return true;
}

/*
 * The texts of the rows from that at hand on, each once where neighbours are the same, in UTF-8, up
 * to the first that has none: each call will convert its own text again, and say what is wrong with
 * it. Returns how many results they make; *stop is the first text that is not among them.
 */
static size_t
gather(const row_texts *texts, size_t most, lm_text *gathered, int *stop)
{
    lmtext_lookahead *keeper = keeper_of(texts);
    size_t count = 0;
    int step;

    for (step = 0; has_row(texts, step); step++) {
        if (!repeats(texts, step)) {
            if (count == most || !convert(texts, step, gathered + count * texts->count))
                break;
            count++;
        }
        keeper->item_of[keeper->at + step] = (int)count - 1;
    }
    *stop = keeper->at + step;
    return count;
}

static void
make_room(lmtext_lookahead *ahead, size_t size)
{
    if (ahead->items != NULL && ahead->capacity >= size)
        return;
    if (ahead->items != NULL)
        pfree(ahead->items);
    ahead->items = NULL;
    ahead->items = MemoryContextAlloc(ahead->memory, size);
    ahead->capacity = size;
}

/* One batch of the call's texts and those after them. */
static void
compute_batch(const row_texts *row, const lmtext_inference *inference, size_t item_size)
{
    lmtext_lookahead *ahead = keeper_of(row);
    lmtext_inference shared = *inference;
    lm_text texts[2 * LMTEXT_LOOKAHEAD_TEXTS];
    MemoryContext caller;
    size_t count, made;
    int stop;

    ahead->first = ahead->ready = ahead->at; /* what was there is no more */
    count = gather(row, ITEM_BYTES / item_size, texts, &stop);
    if (stop <= ahead->at + 1)
        return;
    make_room(ahead, count * item_size);
    ahead->kind = inference->kind;
    ahead->item_size = item_size;
    memcpy(&ahead->key, &inference->key, sizeof ahead->key); /* with its padding */
    MemoryContextReset(ahead->beside);
    caller = MemoryContextSwitchTo(ahead->beside);
    shared.options.states = lmtext_shared_states(&ahead->sharer, inference->model);
    memset(ahead->found, 0, sizeof ahead->found);
    made = lmtext_infer_some(&shared, texts, count, ahead->items, ahead->found);
    MemoryContextSwitchTo(caller);
    while (stop > ahead->first && (size_t)ahead->item_of[stop - 1] >= made)
        stop--;
    ahead->ready = stop;
    ahead->failed = made < count;
}

/* The item of the texts at hand, with those of the rows after it where there is none yet. */
static const void *
item_of_row(const row_texts *row, const lmtext_inference *inference, size_t item_size)
{
    lmtext_lookahead *ahead = keeper_of(row);
    const void *item = ready_item(ahead, inference, item_size);

    if (item == NULL && !ahead->failed) {
        compute_batch(row, inference, item_size);
        item = ready_item(ahead, inference, item_size);
    }
    if (item != NULL && ahead->found[ahead->item_of[ahead->at]])
        lmtext_stats_hit();
    else if (item != NULL)
        lmtext_stats_computed();
    return item;
}

const void *
lmtext_lookahead_item(const Node *call, int argno, lm_text bytes, const lmtext_inference *inference,
                      size_t item_size)
{
    row_texts row = {{find_texts(call, argno, bytes), NULL}, .count = 1};

    Assert(item_size > 0);
    return row.ahead[0] != NULL ? item_of_row(&row, inference, item_size) : NULL;
}

const void *
lmtext_lookahead_pair(const Node *call, const lm_text bytes[2], const lm_text *const same[2],
                      const lmtext_inference *inference, size_t item_size)
{
    row_texts row = {.count = 2};

    Assert(item_size > 0);
    for (int i = 0; i < 2; i++) {
        if (same[i] != NULL)
            row.same[i] = *same[i];
        else if ((row.ahead[i] = find_texts(call, i, bytes[i])) == NULL)
            return NULL;
    }
    return keeper_of(&row) != NULL ? item_of_row(&row, inference, item_size) : NULL;
}

lm_states *
lmtext_lookahead_states(const Node *call, const lmtext_model *model)
{
    for (lmtext_lookahead *ahead = all; ahead != NULL && call != NULL; ahead = ahead->next)
        if (ahead->sharer.call == call)
            return lmtext_shared_states(&ahead->sharer, model);
    return NULL;
}
