/*
 * waits.c - names of waits; the server keeps them, and gives each a number at its first use.
 */
#include "postgres.h"

#include "pg/compat.h"
#include "pg/watch/waits.h"

static const char *const names[LMTEXT_WAIT_COUNT] = {
    [LMTEXT_WAIT_LOAD] = "LmtextModelLoad",
    [LMTEXT_WAIT_UNLOAD] = "LmtextModelUnload",
    [LMTEXT_WAIT_BATCH] = "LmtextTrainBatch",
};
static uint32 numbers[LMTEXT_WAIT_COUNT]; /* 0: not asked for yet in this process */

uint32
lmtext_wait_event(lmtext_wait wait)
{
    if (numbers[wait] == 0)
        numbers[wait] = LMTEXT_WAIT_EVENT(names[wait]);
    return numbers[wait];
}
