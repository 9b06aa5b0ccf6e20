/*
 * board.c - messages to the launcher; the contract is in board.h.
 *
 * The lock is held for one message. The launcher's latch is that of its process entry, which lies
 * in main shared memory at the same address in all processes.
 */
#include "postgres.h"
#include "fmgr.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#include "pg/compat.h"
#include "pg/jobs/board.h"
#include "pg/shmem/area.h"

#define MESSAGES 128

typedef struct board {
    LWLock lock;
    Latch *launcher; /* NULL: none runs */
    bool lost;
    int first, count;
    lmtext_message ring[MESSAGES];
} board;

static void make(void *memory, int tranche);
static lmtext_area area = {.name = "launcher", .layout = 1, .size = sizeof(board), .make = make};

static bool preloaded;
static bool look_here; /* when the transaction has committed */

static void
make(void *memory, int tranche)
{
    LWLockInitialize(&((board *)memory)->lock, tranche);
}

void
lmtext_board_init(void)
{
    preloaded = process_shared_preload_libraries_in_progress;
}

bool
lmtext_board_find(void)
{
    return preloaded && lmtext_area_get(&area, NULL) != NULL;
}

static void
sign_off(int code, Datum unused)
{
    board *all = area.address;

    LWLockAcquire(&all->lock, LW_EXCLUSIVE);
    all->launcher = NULL;
    LWLockRelease(&all->lock);
}

bool
lmtext_board_sign_on(void)
{
    board *all;

    if (!lmtext_board_find())
        return false;
    all = area.address;
    LWLockAcquire(&all->lock, LW_EXCLUSIVE);
    all->launcher = MyLatch;
    all->count = 0;
    all->lost = false;
    LWLockRelease(&all->lock);
    before_shmem_exit(sign_off, 0);
    return true;
}

bool
lmtext_board_take(lmtext_message *message, bool *lost)
{
    board *all = area.address;
    bool there;

    LWLockAcquire(&all->lock, LW_EXCLUSIVE);
    there = all->count > 0;
    *lost = all->lost;
    all->lost = false;
    if (there) {
        *message = all->ring[all->first];
        all->first = (all->first + 1) % MESSAGES;
        all->count--;
    }
    LWLockRelease(&all->lock);
    return there;
}

void
lmtext_board_post(const lmtext_message *message)
{
    board *all = area.address;

    LWLockAcquire(&all->lock, LW_EXCLUSIVE);
    if (all->launcher != NULL) {
        if (all->count == MESSAGES)
            all->lost = true;
        else
            all->ring[(all->first + all->count++) % MESSAGES] = *message;
        SetLatch(all->launcher);
    }
    LWLockRelease(&all->lock);
}

/* ---- The trigger ---- */

/* Others see the transaction by now. */
static void
at_end(XactEvent event, void *unused)
{
    lmtext_message message = {.word = LMTEXT_LOOK, .order.database = MyDatabaseId};

    if (!look_here || event == XACT_EVENT_PRE_COMMIT)
        return;
    look_here = false;
    if (event == XACT_EVENT_COMMIT)
        lmtext_board_post(&message);
}

PG_FUNCTION_INFO_V1(lmtext_wake_launcher);
Datum
lmtext_wake_launcher(PG_FUNCTION_ARGS)
{
    static bool watching = false;

    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("lmtext_internal.wake_launcher was not called as a trigger")));
    if (!watching)
        RegisterXactCallback(at_end, NULL);
    watching = true;
    look_here = lmtext_board_find();
    PG_RETURN_POINTER(NULL);
}
