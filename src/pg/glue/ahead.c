/*
 * ahead.c - texts to come, by call; the contract is in ahead.h.
 */
#include "postgres.h"

#include "base/utf8.h"
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
    return ahead->items + (size_t)(ahead->at - ahead->first) * task->item_size;
}

/* What another call has computed of the same row's text. */
static const void *
item_elsewhere(const lmtext_ahead *own, lm_text text, lmtext_ahead_task *task)
{
    for (lmtext_ahead *ahead = all; ahead != NULL; ahead = ahead->next) {
        const void *item = ahead != own && holds(ahead, text) ? ready_item(ahead, task) : NULL;

        if (item != NULL) {
            task->borrowed = true;
            return item;
        }
    }
    return NULL;
}

/* Texts from `at` on that the engine may read: each call will verify its own again. */
static size_t
count_valid(const lmtext_ahead *ahead)
{
    size_t count = 0;

    for (int i = ahead->at; i < ahead->count; i++, count++) {
        const lm_text *text = &ahead->texts[i];

        if (lm_utf8_valid_prefix(text->bytes, text->length) < text->length)
            break;
    }
    return count;
}

static void
make_room(lmtext_ahead *ahead, size_t size)
{
    ahead->first = ahead->ready = ahead->at;
    if (ahead->items != NULL && ahead->capacity >= size)
        return;
    if (ahead->items != NULL)
        pfree(ahead->items);
    ahead->items = NULL;
    ahead->items = MemoryContextAlloc(ahead->memory, size);
    ahead->capacity = size;
}

/* One batch of the call's text and those after it; of one text, where others may want its item. */
static void
compute_batch(lmtext_ahead *ahead, const lmtext_ahead_task *task)
{
    size_t count = Min(count_valid(ahead), ITEM_BYTES / task->item_size), made;

    if (count < (task->share ? 1 : 2))
        return;
    make_room(ahead, count * task->item_size);
    ahead->compute = task->compute;
    ahead->item_size = task->item_size;
    memcpy(ahead->key, task->key, task->key_size);
    made = task->compute(task->opaque, ahead->texts + ahead->at, count, ahead->items);
    ahead->ready = ahead->at + (int)made;
    ahead->failed = made < count;
}

const void *
lmtext_ahead_item(const Node *call, int argno, lm_text text, lmtext_ahead_task *task)
{
    lmtext_ahead *ahead = find_texts(call, argno, text);
    const void *item;

    Assert(task->key_size <= LMTEXT_AHEAD_KEY && task->item_size > 0);
    task->borrowed = false;
    if (ahead == NULL)
        return NULL;
    item = ready_item(ahead, task);
    if (item == NULL && task->share)
        item = item_elsewhere(ahead, text, task);
    if (item == NULL && !ahead->failed) {
        compute_batch(ahead, task);
        item = ready_item(ahead, task);
    }
    return item;
}
