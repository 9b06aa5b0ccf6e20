/*
 * team.c - workers of a training: background workers that compute gradients of parts of a batch
 * (optim/team.h says which) beside the session that trains, the leader.
 *
 * A segment of shared memory holds what a worker must know of the training (train/shared.h),
 * the values, which the leader alone changes, and for each worker a slot and its gradients. Of a
 * slot the leader writes the batch and then `asked`; the worker its loss, gradients, and then
 * `done`; each wakes the other by its latch. While a worker computes, the leader changes nothing.
 *
 * Workers read no table and run no SQL. The mapping outlives commits (checkpoints), so the session
 * that trains closes the team, also behind an error; if it ends, its detaching says so. An error of
 * a worker is thrown in the leader; a worker that ends before its time is an error there.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "train/shared.h"
#include "pg/compat.h"
#include "pg/fn/team.h"
#include "pg/glue/try.h"
#include "pg/watch/waits.h"

#define WAIT_MS 20 /* between two looks at whether the other has gone */
#define MESSAGE_SIZE 512

typedef struct team_slot {
    pg_atomic_uint64 asked, done; /* batches, counted from 1 */
    pg_atomic_uint32 ended;
    PGPROC *process; /* NULL: not there yet */
    /* The leader's. */
    lm_pass pass;
    size_t count;
    /* The worker's. */
    double loss;
    int sqlstate; /* 0: no error */
    char message[MESSAGE_SIZE];
} team_slot;

/* The beginning of the segment; places of the rest are bytes from there. */
typedef struct team_head {
    pg_atomic_uint32 over;
    PGPROC *leader;
    char model[NAMEDATALEN];
    lm_level level;
    size_t bytes_size, rows, grads; /* of each worker, as lm_train_shared has them */
    size_t at_bytes, at_values, at_rows, at_grads;
    team_slot slots[FLEXIBLE_ARRAY_MEMBER];
} team_head;

/* What a worker's entry says. */
typedef struct team_order {
    Oid database;
    int place;
} team_order;

struct lmtext_team {
    lmtext_call *call;
    const char *model;
    const lm_train_shared *shared;
    dsm_segment *segment;
    team_head *head;
    int started;
    BackgroundWorkerHandle *handles[LM_TEAM_HELPERS_MAX];
    uint64 asked[LM_TEAM_HELPERS_MAX];
};

StaticAssertDecl(sizeof(team_order) <= BGW_EXTRALEN, "an order fits into a worker's entry");

PGDLLEXPORT void lmtext_team_worker(Datum handle);

static size_t *
rows_of(team_head *head, int place)
{
    return (size_t *)(void *)((char *)head + head->at_rows) + place * head->rows;
}

static float *
grads_of(team_head *head, int place)
{
    return (float *)(void *)((char *)head + head->at_grads) + place * head->grads;
}

static float *
values_of(team_head *head)
{
    return (float *)(void *)((char *)head + head->at_values);
}

/* ---- The segment ---- */

static size_t
lay(size_t *size, size_t count, size_t width)
{
    size_t at = *size;

    *size = add_size(at, CACHELINEALIGN(mul_size(count, width)));
    return at;
}

/* Places of all that it holds; its size. */
static size_t
plan_segment(const lm_train_shared *shared, team_head *head)
{
    size_t workers = shared->workers, size = 0;

    lay(&size, 1, offsetof(team_head, slots) + workers * sizeof(team_slot));
    head->bytes_size = shared->bytes->size;
    head->rows = shared->rows;
    head->grads = CACHELINEALIGN(shared->grads * sizeof(float)) / sizeof(float);
    head->at_bytes = lay(&size, shared->bytes->size, 1);
    head->at_rows = lay(&size, mul_size(workers, head->rows), sizeof(size_t));
    head->at_values = lay(&size, shared->values, sizeof(float));
    head->at_grads = lay(&size, mul_size(workers, head->grads), sizeof(float));
    return size;
}

static void
wake_workers(team_head *head, int count)
{
    for (int i = 0; i < count; i++)
        if (head->slots[i].process != NULL)
            SetLatch(&head->slots[i].process->procLatch);
}

/* Called as well where the session ends without closing anything. */
static void
leader_left(dsm_segment *segment, Datum workers)
{
    team_head *head = dsm_segment_address(segment);

    pg_atomic_write_u32(&head->over, 1);
    pg_memory_barrier();
    wake_workers(head, DatumGetInt32(workers));
}

static void
fill_head(team_head *head, const lmtext_team *team, const team_head *planned)
{
    size_t workers = team->shared->workers;

    memset(head, 0, offsetof(team_head, slots) + workers * sizeof(team_slot));
    head->bytes_size = planned->bytes_size;
    head->rows = planned->rows;
    head->grads = planned->grads;
    head->at_bytes = planned->at_bytes;
    head->at_rows = planned->at_rows;
    head->at_values = planned->at_values;
    head->at_grads = planned->at_grads;
    head->leader = MyProc;
    head->level = lm_kernels_active()->level;
    strlcpy(head->model, team->model, sizeof head->model);
    pg_atomic_init_u32(&head->over, 0);
    for (size_t i = 0; i < workers; i++) {
        pg_atomic_init_u64(&head->slots[i].asked, 0);
        pg_atomic_init_u64(&head->slots[i].done, 0);
        pg_atomic_init_u32(&head->slots[i].ended, 0);
    }
    memcpy((char *)head + head->at_bytes, team->shared->bytes->data, head->bytes_size);
}

/* May throw: there may be no memory. */
static void
make_segment(void *argument)
{
    lmtext_team *team = argument;
    team_head planned;
    dsm_segment *segment = dsm_create(plan_segment(team->shared, &planned), 0);

    fill_head(dsm_segment_address(segment), team, &planned);
    on_dsm_detach(segment, leader_left, Int32GetDatum((int)team->shared->workers));
    dsm_pin_mapping(segment);
    team->head = dsm_segment_address(segment);
    team->segment = segment;
}

/* ---- The leader ---- */

/* They count among the server's parallel workers. */
static bool
start_worker(lmtext_team *team, int place)
{
    BackgroundWorker worker = {0};
    team_order order = {MyDatabaseId, place};

    worker.bgw_flags =
        BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION | BGWORKER_CLASS_PARALLEL;
    worker.bgw_start_time = BgWorkerStart_ConsistentState;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    worker.bgw_notify_pid = MyProcPid;
    worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(team->segment));
    strlcpy(worker.bgw_library_name, "$libdir/lmtext", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, "lmtext_team_worker", sizeof worker.bgw_function_name);
    strlcpy(worker.bgw_type, "lmtext training", BGW_MAXLEN);
    snprintf(worker.bgw_name, BGW_MAXLEN, "lmtext training for PID %d", MyProcPid);
    memcpy(worker.bgw_extra, &order, sizeof order);
    return RegisterDynamicBackgroundWorker(&worker, &team->handles[place]);
}

static void
start_workers(lmtext_team *team)
{
    int wanted = (int)team->shared->workers;
    ErrorData *error = lmtext_try(make_segment, team);

    while (team->segment != NULL && team->started < wanted && start_worker(team, team->started))
        team->started++;
    if (team->started < wanted)
        ereport(NOTICE, (errmsg("%d of %d workers were started for the training of model \"%s\"",
                                team->started, wanted, team->model),
                         error != NULL ? errdetail("%s", error->message) : 0,
                         errhint("This process computes their parts: the result is the same. See "
                                 "max_worker_processes, max_parallel_workers, and the size of the "
                                 "server's shared memory.")));
}

/* A worker that has ended has said why, or was ended by somebody. */
static void
check_worker(const lmtext_team *team, int place)
{
    const team_slot *slot = &team->head->slots[place];
    pid_t pid;

    if (pg_atomic_read_u32((pg_atomic_uint32 *)&slot->ended) == 0 &&
        GetBackgroundWorkerPid(team->handles[place], &pid) != BGWH_STOPPED)
        return;
    pg_read_barrier();
    if (slot->sqlstate != 0)
        ereport(ERROR, (errcode(slot->sqlstate), errmsg("%s", slot->message),
                        errcontext("worker of the training of model \"%s\"", team->model)));
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
             errmsg("a worker of the training of model \"%s\" ended before its time", team->model),
             errhint("The server's log may say why. CALL it again, or leave out the option "
                     "workers.")));
}

static lm_status
team_begin(void *self, size_t helper, const size_t *rows, size_t count, const lm_pass *pass)
{
    lmtext_team *team = self;
    team_slot *slot = &team->head->slots[helper];

    memcpy(rows_of(team->head, (int)helper), rows, count * sizeof *rows);
    slot->count = count;
    slot->pass = *pass;
    pg_write_barrier();
    pg_atomic_write_u64(&slot->asked, ++team->asked[helper]);
    pg_memory_barrier();
    wake_workers(team->head, team->started);
    return LM_OK;
}

/* One look: true when it is done, else after some time or when something has happened. */
static bool
is_done(const lmtext_team *team, int place)
{
    if (pg_atomic_read_u64(&team->head->slots[place].done) == team->asked[place])
        return true;
    check_worker(team, place);
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, WAIT_MS,
                    lmtext_wait_event(LMTEXT_WAIT_BATCH));
    ResetLatch(MyLatch);
    return false;
}

/* The engine is below: what is thrown waits until it has returned. */
static lm_status
look_at_worker(const lmtext_team *team, int place, bool *done)
{
    MemoryContext caller = CurrentMemoryContext;
    volatile lm_status status = LM_OK;

    PG_TRY();
    {
        *done = is_done(team, place);
    }
    PG_CATCH();
    {
        status = lmtext_call_keep_error(team->call);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    return status;
}

static lm_status
team_end(void *self, size_t helper, double *loss, const float **grads)
{
    const lmtext_team *team = self;
    bool done = false;

    while (!done) {
        LM_TRY(lm_poll(&team->call->ctx));
        LM_TRY(look_at_worker(team, (int)helper, &done));
    }
    pg_read_barrier();
    *loss = team->head->slots[helper].loss;
    *grads = grads_of(team->head, (int)helper);
    return LM_OK;
}

static void
open_team(lmtext_team **team, lmtext_call *call, const char *model, const lm_train_shared *shared)
{
    *team = MemoryContextAllocZero(call->memory, sizeof **team);
    (*team)->call = call;
    (*team)->model = model;
    (*team)->shared = shared;
    start_workers(*team);
    (*team)->shared = NULL;
}

lm_status
lmtext_team_start(lmtext_team **team, lmtext_call *call, const char *model,
                  const lm_train_shared *shared, float **values, lm_team_helpers *helpers)
{
    MemoryContext caller = MemoryContextSwitchTo(call->memory);
    volatile lm_status status = LM_OK;

    PG_TRY();
    {
        open_team(team, call, model, shared);
    }
    PG_CATCH();
    {
        status = lmtext_call_keep_error(call);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    if (status != LM_OK || (*team)->started == 0)
        return status;
    *values = values_of((*team)->head);
    *helpers = (lm_team_helpers){
        .self = *team, .count = (size_t)(*team)->started, .begin = team_begin, .end = team_end};
    return LM_OK;
}

void
lmtext_team_close(lmtext_team *team, bool wait)
{
    if (team == NULL || team->segment == NULL)
        return;
    for (int i = 0; i < team->started; i++)
        if (team->head->slots[i].process == NULL)
            TerminateBackgroundWorker(team->handles[i]);
    dsm_detach(team->segment);
    team->segment = NULL;
    for (int i = 0; wait && i < team->started; i++)
        (void)WaitForBackgroundWorkerShutdown(team->handles[i]);
}

/* ---- A worker ---- */

static team_head *head; /* of the team that this process works for */
static bool (*interrupted)(void *opaque);

/* The leader's end is a cancel. */
static bool
is_over(void *opaque)
{
    return pg_atomic_read_u32(&head->over) != 0 || interrupted(opaque);
}

static void
worker_left(dsm_segment *segment, Datum place)
{
    team_head *team = dsm_segment_address(segment);

    pg_atomic_write_u32(&team->slots[DatumGetInt32(place)].ended, 1);
    pg_memory_barrier();
    SetLatch(&team->leader->procLatch);
}

/* False: there will be none. */
static bool
wait_for_batch(team_slot *slot, uint64 done)
{
    while (pg_atomic_read_u32(&head->over) == 0) {
        CHECK_FOR_INTERRUPTS();
        if (pg_atomic_read_u64(&slot->asked) > done) {
            pg_read_barrier();
            return true;
        }
        (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
                        lmtext_wait_event(LMTEXT_WAIT_BATCH));
        ResetLatch(MyLatch);
    }
    return false;
}

/* Until the leader has gone. */
static void
help(lmtext_call *call, team_slot *slot, int place)
{
    lm_shared shared;

    memset(grads_of(head, place), 0, head->grads * sizeof(float));
    lmtext_check(call,
                 lm_shared_open(&call->ctx, (char *)head + head->at_bytes, head->bytes_size,
                                values_of(head), grads_of(head, place), &shared),
                 head->model);
    for (uint64 done = 0; wait_for_batch(slot, done); done++) {
        double loss = 0;

        lmtext_check(call,
                     lm_team_help(&call->ctx, &shared.network, &shared.cut, rows_of(head, place),
                                  slot->count, &slot->pass, &loss),
                     head->model);
        slot->loss = loss;
        pg_write_barrier();
        pg_atomic_write_u64(&slot->done, done + 1);
        pg_memory_barrier();
        SetLatch(&head->leader->procLatch);
    }
}

/* The leader throws it; nothing of it goes to the server's log. */
static void
tell_error(team_slot *slot)
{
    ErrorData *error;

    MemoryContextSwitchTo(TopMemoryContext);
    error = CopyErrorData();
    FlushErrorState();
    strlcpy(slot->message, error->message != NULL ? error->message : "", MESSAGE_SIZE);
    slot->sqlstate = error->sqlerrcode;
    pg_write_barrier();
}

static void
work(int place)
{
    team_slot *slot = &head->slots[place];
    lmtext_call call;

    lmtext_call_init(
        &call, AllocSetContextCreate(TopMemoryContext, "lmtext training", ALLOCSET_DEFAULT_SIZES));
    interrupted = call.ctx.cancelled;
    call.ctx.cancelled = is_over;
    lm_kernels_select(head->level);
    slot->process = MyProc;
    pg_memory_barrier();
    PG_TRY();
    {
        help(&call, slot, place);
    }
    PG_CATCH();
    {
        tell_error(slot);
    }
    PG_END_TRY();
}

/* Without a transaction: there is nothing that it reads. */
void
lmtext_team_worker(Datum handle)
{
    team_order order;
    dsm_segment *segment;

    memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof order);
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(order.database, InvalidOid, 0);
    CurTransactionContext = TopMemoryContext; /* where an error waits for the engine's return */
    CurrentResourceOwner = ResourceOwnerCreate(NULL, "lmtext training");
    segment = dsm_attach(DatumGetUInt32(handle));
    if (segment == NULL)
        return; /* the leader has gone */
    head = dsm_segment_address(segment);
    on_dsm_detach(segment, worker_left, Int32GetDatum(order.place));
    pgstat_report_activity(STATE_RUNNING, psprintf("training of model \"%s\"", head->model));
    work(order.place);
}
