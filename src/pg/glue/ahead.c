/*
 * ahead.c - texts to come, by call; the contract is in ahead.h.
 */
#include "postgres.h"

#include "pg/glue/ahead.h"

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

/* One plan may run twice at a time (recursion), and then each has its own. */
lmtext_ahead *
lmtext_ahead_find(const Node *call, int argno, lm_text text)
{
    for (lmtext_ahead *ahead = all; ahead != NULL; ahead = ahead->next) {
        if (ahead->call != call || ahead->argno != argno)
            continue;
        for (int i = ahead->at; i < ahead->count; i++)
            if (ahead->texts[i].bytes == text.bytes && ahead->texts[i].length == text.length) {
                ahead->at = i;
                return ahead;
            }
    }
    return NULL;
}

static bool
is_same(lm_text a, lm_text b)
{
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

/* Each call will verify and convert its own text again, and say what is wrong with it. */
int
lmtext_ahead_gather(lmtext_ahead *ahead, lm_text texts[LMTEXT_AHEAD_TEXTS])
{
    const lm_text *last = NULL;
    int count = 0;

    for (int i = ahead->at; i < ahead->count; i++) {
        const lm_text *text = &ahead->texts[i];

        if (last == NULL || !is_same(*text, *last)) {
            if (!lmtext_utf8_try(text->bytes, text->length, &texts[count]))
                break;
            count++;
        }
        last = text;
        ahead->places[i] = count - 1;
        ahead->ready = i + 1;
    }
    ahead->first = ahead->at;
    return count;
}

void
lmtext_ahead_computed(lmtext_ahead *ahead, int gathered, int computed)
{
    while (ahead->ready > ahead->first && ahead->places[ahead->ready - 1] >= computed)
        ahead->ready--;
    ahead->failed = computed < gathered;
}
