/*
 * ahead.c - texts to come, by call; the contract is in ahead.h.
 */
#include "postgres.h"

#include "pg/glue/ahead.h"

/* Of one batch's items: scores of ten thousand labels are 40 kB a text. */
#define ITEM_BYTES (1024 * 1024)

static lmtext_ahead *all; /* of nodes that run, and of cursors that are open */

/* Also after an error: a query's memory goes in any case. */
static void
forget(void *argument)
{
    lmtext_ahead **link = &all;

    while (*link != argument)
        link = &(*link)->next;
    *link = (*link)->next;
}

lmtext_ahead *
lmtext_ahead_open(const Node *call, int argno, MemoryContext memory)
{
    lmtext_ahead *ahead = MemoryContextAllocZero(memory, sizeof *ahead);
    MemoryContextCallback *callback = MemoryContextAllocZero(memory, sizeof *callback);

    ahead->call = call;
    ahead->argno = argno;
    ahead->memory = memory;
    ahead->next = all;
    all = ahead;
    callback->func = forget;
    callback->arg = ahead;
    MemoryContextRegisterResetCallback(memory, callback);
    return ahead;
}

void
lmtext_ahead_clear(lmtext_ahead *ahead)
{
    ahead->count = ahead->at = ahead->first = ahead->ready = 0;
    ahead->failed = false;
}

void
lmtext_ahead_add(lmtext_ahead *ahead, lm_text text)
{
    Assert(ahead->count < LMTEXT_AHEAD_TEXTS);
    ahead->texts[ahead->count++] = text;
}

/* Moves on to the text. */
static bool
holds(lmtext_ahead *ahead, lm_text text)
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
static lmtext_ahead *
find_texts(const Node *call, int argno, lm_text text)
{
    lmtext_ahead *unclaimed = NULL;

    for (lmtext_ahead *ahead = all; ahead != NULL; ahead = ahead->next) {
        if (ahead->call == call && ahead->argno == argno && holds(ahead, text))
            return ahead;
        if (ahead->call == NULL && unclaimed == NULL && holds(ahead, text))
            unclaimed = ahead;
    }
    if (unclaimed != NULL) {
        unclaimed->call = call;
        unclaimed->argno = argno;
    }
    return unclaimed;
}

/* The item of the text at hand, if a batch has made it in this way. */
static const void *
ready_item(const lmtext_ahead *ahead, const lmtext_ahead_task *task)
{
    if (ahead->at < ahead->first || ahead->at >= ahead->ready || ahead->compute != task->compute ||
        ahead->item_size != task->item_size || memcmp(ahead->key, task->key, task->key_size) != 0)
        return NULL;
    return ahead->items + (size_t)ahead->places[ahead->at] * task->item_size;
}

static bool
is_same(lm_text a, lm_text b)
{
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

/*
 * The texts from `at` on, each once where neighbours are the same, in UTF-8, up to the first that
 * has none: each call will convert its own text again, and say what is wrong with it. Returns how
 * many they are; *stop is the first that is not among them.
 */
static size_t
gather(lmtext_ahead *ahead, size_t most, lm_text texts[LMTEXT_AHEAD_TEXTS], int *stop)
{
    const lm_text *last = NULL;
    size_t count = 0;

    for (*stop = ahead->at; *stop < ahead->count; (*stop)++) {
        const lm_text *text = &ahead->texts[*stop];

        if (last == NULL || !is_same(*text, *last)) {
            if (count == most || !lmtext_utf8_try(text->bytes, text->length, &texts[count]))
                break;
            count++;
        }
        last = text;
        ahead->places[*stop] = (int)count - 1;
    }
    return count;
}

static void
make_room(lmtext_ahead *ahead, size_t size)
{
    if (ahead->items != NULL && ahead->capacity >= size)
        return;
    if (ahead->items != NULL)
        pfree(ahead->items);
    ahead->items = NULL;
    ahead->items = MemoryContextAlloc(ahead->memory, size);
    ahead->capacity = size;
}

/* One batch of the call's text and those after it. */
static void
compute_batch(lmtext_ahead *ahead, const lmtext_ahead_task *task)
{
    lm_text texts[LMTEXT_AHEAD_TEXTS];
    size_t count, made;
    int stop;

    ahead->first = ahead->ready = ahead->at; /* what was there is no more */
    count = gather(ahead, ITEM_BYTES / task->item_size, texts, &stop);
    if (stop <= ahead->at + 1)
        return;
    make_room(ahead, count * task->item_size);
    ahead->compute = task->compute;
    ahead->item_size = task->item_size;
    memcpy(ahead->key, task->key, task->key_size);
    made = task->compute(task->opaque, texts, count, ahead->items);
    while (stop > ahead->first && (size_t)ahead->places[stop - 1] >= made)
        stop--;
    ahead->ready = stop;
    ahead->failed = made < count;
}

const void *
lmtext_ahead_item(const Node *call, int argno, lm_text bytes, const lmtext_ahead_task *task)
{
    lmtext_ahead *ahead = find_texts(call, argno, bytes);
    const void *item;

    Assert(task->key_size <= LMTEXT_AHEAD_KEY && task->item_size > 0);
    if (ahead == NULL)
        return NULL;
    item = ready_item(ahead, task);
    if (item == NULL && !ahead->failed) {
        compute_batch(ahead, task);
        item = ready_item(ahead, task);
    }
    return item;
}
