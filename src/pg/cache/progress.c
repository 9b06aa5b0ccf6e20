/*
 * progress.c - trainings as other sessions see them: a few slots of the registry, each with the
 * last report and a curve of at most LMTEXT_PROGRESS_POINTS points.
 *
 * A run's slot is written by its own backend only, under the registry's exclusive lock; finished
 * runs stay until their slot is needed. A run that reported its end is "done" only once its
 * transaction has committed what it stored: an abort turns it into "failed". Where no registry or
 * no slot is to be had a run is simply not seen.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "pg/cache/image.h"
#include "pg/glue/once.h"

/* This backend's run; ended, its outcome still depends on the transaction. */
static struct {
    int slot; /* -1: none */
    int64 id;
    int nest_level; /* of the transaction that began it */
    bool ended;
} mine = {.slot = -1};

static lmtext_run *my_run(lmtext_registry *registry);
static int choose_slot(const lmtext_registry *registry);
static void run_start(lmtext_registry *registry, int slot, const char *model);
static void run_finish(bool failed);
static void log_point(lmtext_run *run, const lmtext_progress *progress);
static void thin_log(lmtext_run *run);
static void transaction_ends(XactEvent event, void *argument);
static void subtransaction_ends(SubXactEvent event, SubTransactionId child, SubTransactionId parent,
                                void *argument);

/* Under a run that is open this one is part of its query, and the other one stays in sight. */
int64
lmtext_progress_begin(const char *model)
{
    lmtext_registry *registry = lmtext_registry_get(NULL);
    int slot;

    if (mine.slot >= 0 && !mine.ended)
        return 0;
    mine.slot = -1;
    if (registry == NULL)
        return 0;
    lmtext_cache_watch_exit();
    LMTEXT_FAULT_POINT("run_begins");
    LWLockAcquire(&registry->lock, LW_EXCLUSIVE);
    slot = choose_slot(registry);
    if (slot >= 0)
        run_start(registry, slot, model);
    LWLockRelease(&registry->lock);
    return slot >= 0 ? mine.id : 0;
}

static bool
is_mine(int64 run)
{
    return mine.slot >= 0 && run == mine.id;
}

/* One that was never used, else the one that ended first; -1 when all are running. */
static int
choose_slot(const lmtext_registry *registry)
{
    int best = -1;

    for (int i = 0; i < LMTEXT_PROGRESS_SLOTS; i++) {
        const lmtext_run *run = &registry->runs[i];

        if (run->state == LMTEXT_RUN_NONE)
            return i;
        if (run->state != LMTEXT_RUN_ACTIVE &&
            (best < 0 || run->finished_at < registry->runs[best].finished_at))
            best = i;
    }
    return best;
}

/* Under the exclusive lock. */
static void
run_start(lmtext_registry *registry, int slot, const char *model)
{
    lmtext_run *run = &registry->runs[slot];

    memset(run, 0, sizeof *run);
    run->state = LMTEXT_RUN_ACTIVE;
    run->id = ++registry->last_run;
    run->pid = MyProcPid;
    run->database = MyDatabaseId;
    run->role = GetUserId();
    run->started_at = run->updated_at = GetCurrentTimestamp();
    run->stride = 1;
    memcpy(run->progress.model, model, /* a long name is cut between characters */
           pg_mbcliplen(model, strlen(model), sizeof run->progress.model - 1));
    run->progress.loss = run->progress.held_out_loss = run->progress.held_out_accuracy = NAN;
    mine.slot = slot;
    mine.id = run->id;
    mine.nest_level = GetCurrentTransactionNestLevel();
    mine.ended = false;
}

/* The name stays the one that the run began with; a step that was reported before adds no point. */
void
lmtext_progress_update(int64 run_id, const lmtext_progress *progress)
{
    lmtext_registry *registry;
    lmtext_run *run;

    if (!is_mine(run_id))
        return;
    registry = lmtext_registry_get(NULL);
    LWLockAcquire(&registry->lock, LW_EXCLUSIVE);
    run = my_run(registry);
    if (run != NULL) {
        char model[NAMEDATALEN];

        strlcpy(model, run->progress.model, sizeof model);
        if (progress->step > run->progress.step)
            log_point(run, progress);
        run->progress = *progress;
        strlcpy(run->progress.model, model, sizeof model); /* as it was begun */
        run->progress.phase[sizeof run->progress.phase - 1] = '\0';
        run->updated_at = GetCurrentTimestamp();
    }
    LWLockRelease(&registry->lock);
}

/* The slot may have gone to another run once this one has ended. */
static lmtext_run *
my_run(lmtext_registry *registry)
{
    lmtext_run *run = &registry->runs[mine.slot];

    return run->id == mine.id ? run : NULL;
}

/* A full curve loses every other point, so that it covers the whole run at any length. */
static void
log_point(lmtext_run *run, const lmtext_progress *progress)
{
    if (run->points == LMTEXT_PROGRESS_POINTS)
        thin_log(run);
    if (run->points > 0 && progress->step - run->log[run->points - 1].step < run->stride)
        return;
    run->log[run->points++] = (lmtext_progress_point){
        .at = GetCurrentTimestamp(),
        .step = progress->step,
        .loss = (float)progress->loss,
        .held_out_loss = (float)progress->held_out_loss,
        .held_out_accuracy = (float)progress->held_out_accuracy,
    };
}

/* The distance that the first two points then have is kept from there on. */
static void
thin_log(lmtext_run *run)
{
    for (int i = 0; 2 * i < run->points; i++)
        run->log[i] = run->log[2 * i];
    run->points = (run->points + 1) / 2;
    run->stride = run->log[1].step - run->log[0].step;
}

/* The outcome stays open until the transaction ends. */
void
lmtext_progress_end(int64 run)
{
    if (!is_mine(run))
        return;
    run_finish(false);
    mine.ended = true;
}

/* A failure after the reported end overrides it. */
static void
run_finish(bool failed)
{
    lmtext_registry *registry = lmtext_registry_get(NULL);
    lmtext_run *run;

    LWLockAcquire(&registry->lock, LW_EXCLUSIVE);
    run = my_run(registry);
    if (run != NULL && (run->state == LMTEXT_RUN_ACTIVE || failed)) {
        run->state = failed ? LMTEXT_RUN_FAILED : LMTEXT_RUN_DONE;
        run->finished_at = run->updated_at = GetCurrentTimestamp();
    }
    LWLockRelease(&registry->lock);
}

void
lmtext_progress_init(void)
{
    lmtext_at_xact_end(transaction_ends, subtransaction_ends);
}

/* A backend that ends with an open run has failed it, whatever made it end. */
void
lmtext_progress_exit(void)
{
    if (mine.slot >= 0)
        run_finish(true);
    mine.slot = -1;
}

/* Commits only after the run's end: a training is one statement. */
static void
transaction_ends(XactEvent event, void *argument)
{
    if (mine.slot < 0)
        return;
    if (event == XACT_EVENT_ABORT)
        run_finish(true);
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
        mine.slot = -1;
}

/*
 * A run belongs to the innermost transaction that can undo what it stores: that of its begin, then
 * the parent's, once that one has committed.
 */
static void
subtransaction_ends(SubXactEvent event, SubTransactionId child, SubTransactionId parent,
                    void *argument)
{
    int level = GetCurrentTransactionNestLevel();

    if (mine.slot < 0 || mine.nest_level < level)
        return;
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        run_finish(true);
        mine.slot = -1;
    } else if (event == SUBXACT_EVENT_COMMIT_SUB)
        mine.nest_level = level - 1;
}

/* Copies, so that rows are made without the lock. */
lmtext_run *
lmtext_progress_snapshot(int *count)
{
    lmtext_registry *registry = lmtext_registry_get(NULL);
    lmtext_run *runs = palloc(sizeof *runs * LMTEXT_PROGRESS_SLOTS);

    *count = 0;
    if (registry == NULL)
        return runs;
    LWLockAcquire(&registry->lock, LW_SHARED);
    for (int i = 0; i < LMTEXT_PROGRESS_SLOTS; i++)
        if (registry->runs[i].state != LMTEXT_RUN_NONE)
            runs[(*count)++] = registry->runs[i];
    LWLockRelease(&registry->lock);
    return runs;
}

const char *
lmtext_run_state_name(lmtext_run_state state)
{
    static const char *const names[] = {
        [LMTEXT_RUN_NONE] = "none",
        [LMTEXT_RUN_ACTIVE] = "running",
        [LMTEXT_RUN_DONE] = "done",
        [LMTEXT_RUN_FAILED] = "failed",
    };

    return names[state];
}
