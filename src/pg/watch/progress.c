/*
 * progress.c - trainings as other sessions see them: a short list in an area of shared memory, each
 * with the last report and a curve of at most LMTEXT_PROGRESS_POINTS points.
 *
 * A training is written by its own backend only, under the area's exclusive lock; finished
 * trainings stay until their place is needed. One that reported its end is "done" only once its
 * transaction has committed what it stored: an abort turns it into "failed".
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#include "pg/glue/backend.h"
#include "pg/glue/fault.h"
#include "pg/glue/init_once.h"
#include "pg/shmem/area.h"
#include "pg/watch/progress.h"

typedef struct trainings {
    LWLock lock; /* guards all that follows */
    int64 last;  /* number of the training that began last */
    lmtext_training list[LMTEXT_MAX_TRAININGS];
} trainings;

static void trainings_make(void *memory, int tranche);
static lmtext_area area = {
    .name = "trainings", .layout = 2, .size = sizeof(trainings), .make = trainings_make};

/* This backend's training; ended, its outcome still depends on the transaction. */
static struct {
    int index; /* -1: none */
    int64 id;
    int nest_level; /* of the transaction that began it */
    bool ended;
} mine = {.index = -1};

static lmtext_training *my_training(trainings *shared);
static int choose_index(const trainings *shared);
static void training_start(trainings *shared, int index, const char *model);
static void training_finish(bool failed);
static void log_point(lmtext_training *training, const lmtext_progress *progress);
static void thin_log(lmtext_training *training);
static void process_exits(void);
static void transaction_ends(XactEvent event, void *argument);
static void subtransaction_ends(SubXactEvent event, SubTransactionId child, SubTransactionId parent,
                                void *argument);

/* Under a training that is open this one is part of its query, and the other one stays in sight. */
int64
lmtext_progress_begin(const char *model)
{
    trainings *shared = lmtext_area_get(&area, NULL);
    int index;

    if (mine.index >= 0 && !mine.ended)
        return 0;
    mine.index = -1;
    if (shared == NULL)
        return 0;
    lmtext_at_exit(process_exits);
    LMTEXT_FAULT_POINT("training_begins");
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    index = choose_index(shared);
    if (index >= 0)
        training_start(shared, index, model);
    LWLockRelease(&shared->lock);
    return index >= 0 ? mine.id : 0;
}

static bool
is_mine(int64 training)
{
    return mine.index >= 0 && training == mine.id;
}

/* One that was never used, else the one that ended first; -1 when all are running. */
static int
choose_index(const trainings *shared)
{
    int best = -1;

    for (int i = 0; i < LMTEXT_MAX_TRAININGS; i++) {
        const lmtext_training *training = &shared->list[i];

        if (training->state == LMTEXT_TRAINING_NONE)
            return i;
        if (training->state != LMTEXT_TRAINING_ACTIVE &&
            (best < 0 || training->finished_at < shared->list[best].finished_at))
            best = i;
    }
    return best;
}

/* Under the exclusive lock. */
static void
training_start(trainings *shared, int index, const char *model)
{
    lmtext_training *training = &shared->list[index];

    memset(training, 0, sizeof *training);
    training->state = LMTEXT_TRAINING_ACTIVE;
    training->id = ++shared->last;
    training->pid = MyProcPid;
    training->database = MyDatabaseId;
    training->role = GetUserId();
    training->started_at = training->updated_at = GetCurrentTimestamp();
    training->stride = 1;
    memcpy(training->progress.model, model, /* a long name is cut between characters */
           pg_mbcliplen(model, strlen(model), sizeof training->progress.model - 1));
    training->progress.loss = training->progress.held_out_loss =
        training->progress.held_out_accuracy = NAN;
    training->progress.learning_rate = training->progress.gradient_norm = NAN;
    mine.index = index;
    mine.id = training->id;
    mine.nest_level = GetCurrentTransactionNestLevel();
    mine.ended = false;
}

/* The name stays the one that the training began with; a step that was reported before adds no
 * point. */
void
lmtext_progress_update(int64 id, const lmtext_progress *progress)
{
    trainings *shared;
    lmtext_training *training;

    if (!is_mine(id))
        return;
    shared = lmtext_area_get(&area, NULL);
    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    training = my_training(shared);
    if (training != NULL) {
        char model[NAMEDATALEN];

        strlcpy(model, training->progress.model, sizeof model);
        if (progress->step > training->progress.step)
            log_point(training, progress);
        training->progress = *progress;
        strlcpy(training->progress.model, model, sizeof model); /* as it was begun */
        training->progress.phase[sizeof training->progress.phase - 1] = '\0';
        training->updated_at = GetCurrentTimestamp();
    }
    LWLockRelease(&shared->lock);
}

/* The place may have gone to another training once this one has ended. */
static lmtext_training *
my_training(trainings *shared)
{
    lmtext_training *training = &shared->list[mine.index];

    return training->id == mine.id ? training : NULL;
}

/* A full curve loses every other point, so that it covers the whole training at any length. */
static void
log_point(lmtext_training *training, const lmtext_progress *progress)
{
    lmtext_progress_point *point;

    if (training->points == LMTEXT_PROGRESS_POINTS)
        thin_log(training);
    if (training->points > 0 &&
        progress->step - training->log[training->points - 1].step < training->stride)
        return;
    point = &training->log[training->points++];
    *point = (lmtext_progress_point){
        .at = GetCurrentTimestamp(),
        .step = progress->step,
        .loss = (float)progress->loss,
        .held_out_loss = (float)progress->held_out_loss,
        .held_out_accuracy = (float)progress->held_out_accuracy,
        .epoch = progress->epoch,
        .learning_rate = progress->learning_rate,
        .gradient_norm = (float)progress->gradient_norm,
    };
    for (int i = 0; i < LMTEXT_PROGRESS_MEASURES; i++)
        point->measures[i] = i < progress->measure_count ? (float)progress->measures[i] : NAN;
}

/* The distance that the first two points then have is kept from there on. */
static void
thin_log(lmtext_training *training)
{
    for (int i = 0; 2 * i < training->points; i++)
        training->log[i] = training->log[2 * i];
    training->points = (training->points + 1) / 2;
    training->stride = training->log[1].step - training->log[0].step;
}

/* The outcome stays open until the transaction ends. */
void
lmtext_progress_end(int64 id)
{
    if (!is_mine(id))
        return;
    training_finish(false);
    mine.ended = true;
}

/* A failure after the reported end overrides it. */
static void
training_finish(bool failed)
{
    trainings *shared = lmtext_area_get(&area, NULL);
    lmtext_training *training;

    LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
    training = my_training(shared);
    if (training != NULL && (training->state == LMTEXT_TRAINING_ACTIVE || failed)) {
        training->state = failed ? LMTEXT_TRAINING_FAILED : LMTEXT_TRAINING_DONE;
        training->finished_at = training->updated_at = GetCurrentTimestamp();
    }
    LWLockRelease(&shared->lock);
}

void
lmtext_progress_init(void)
{
    lmtext_at_xact_end(transaction_ends, subtransaction_ends);
}

static void
trainings_make(void *memory, int tranche)
{
    trainings *made = memory;

    LWLockInitialize(&made->lock, tranche);
}

/* A backend that ends with an open training has failed it, whatever made it end. */
static void
process_exits(void)
{
    if (mine.index >= 0)
        training_finish(true);
    mine.index = -1;
}

/* A commit before the training's end is that of a checkpoint: it goes on. */
static void
transaction_ends(XactEvent event, void *argument)
{
    if (mine.index < 0)
        return;
    if (event == XACT_EVENT_ABORT)
        training_finish(true);
    if (event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE ||
        (event == XACT_EVENT_COMMIT && mine.ended))
        mine.index = -1;
}

/*
 * A training belongs to the innermost transaction that can undo what it stores: that of its begin,
 * then the parent's, once that one has committed.
 */
static void
subtransaction_ends(SubXactEvent event, SubTransactionId child, SubTransactionId parent,
                    void *argument)
{
    int level = GetCurrentTransactionNestLevel();

    if (mine.index < 0 || mine.nest_level < level)
        return;
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        training_finish(true);
        mine.index = -1;
    } else if (event == SUBXACT_EVENT_COMMIT_SUB)
        mine.nest_level = level - 1;
}

/* Copies, so that rows are made without the lock. */
lmtext_training *
lmtext_progress_snapshot(int *count)
{
    trainings *shared = lmtext_area_get(&area, NULL);
    lmtext_training *known = palloc(sizeof *known * LMTEXT_MAX_TRAININGS);

    *count = 0;
    if (shared == NULL)
        return known;
    LWLockAcquire(&shared->lock, LW_SHARED);
    for (int i = 0; i < LMTEXT_MAX_TRAININGS; i++)
        if (shared->list[i].state != LMTEXT_TRAINING_NONE)
            known[(*count)++] = shared->list[i];
    LWLockRelease(&shared->lock);
    return known;
}

const char *
lmtext_training_state_name(lmtext_training_state state)
{
    static const char *const names[] = {
        [LMTEXT_TRAINING_NONE] = "none",
        [LMTEXT_TRAINING_ACTIVE] = "running",
        [LMTEXT_TRAINING_DONE] = "done",
        [LMTEXT_TRAINING_FAILED] = "failed",
    };

    return names[state];
}
