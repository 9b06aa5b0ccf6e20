/*
 * embedders.c - texts embedded by several processes; the contract is in embedders.h.
 *
 * Workers are PostgreSQL's own for parallel operations: they have the caller's role, settings and
 * snapshot, and what the transaction has not committed; an error of theirs is thrown here, and an
 * error here ends them. They live as long as one portion of texts: the rows themselves are read
 * between portions, outside of parallel mode, so that the query may do what a query may.
 *
 * A portion lies in shared memory, texts end to end, cut into slices. This process and the workers
 * each take the next slice until there is none left, and put its vectors where those rows' are to
 * be: who takes which decides nothing, since a text's vector does not depend on its neighbours.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"

#include "pg/fn/embedders.h"
#include "pg/watch/stats.h"

/* A slice takes some 10 ms: so long this process waits at most for the last of them. */
#define SLICE_TEXTS 32
#define SLICE_BYTES 4096
#define WORKER_SLICES 4                  /* of a portion, for which a worker is worth its start */
#define PORTION_BYTES (16 * 1024 * 1024) /* of texts, but one at least */

enum {
    KEY_PORTION = 1,
    KEY_ENDS,    /* size_t (count): where each text ends */
    KEY_SLICES,  /* uint32 (slices + 1): the first text of each */
    KEY_BYTES,   /* of texts */
    KEY_VECTORS, /* float (count, width) */
    KEY_QUERY
};

typedef struct shared_portion {
    Oid relid;
    lm_on_long on_long;
    int width;
    uint32 slices;
    pg_atomic_uint32 next; /* slice that nobody has taken */
    slock_t mutex;
    lm_embed_counts counts; /* of workers that are done */
} shared_portion;

/* A portion, as a process sees it. */
typedef struct portion {
    shared_portion *shared;
    const size_t *ends;
    const uint32 *slices;
    const char *bytes;
    float *vectors;
} portion;

PGDLLEXPORT void lmtext_embed_worker(dsm_segment *segment, shm_toc *toc);

/* ---- Slices ---- */

static void
embed_slice(const portion *p, lmtext_model *model, const lm_embed_options *options, uint32 slice)
{
    const uint32 first = p->slices[slice], count = p->slices[slice + 1] - first;
    lm_text texts[SLICE_TEXTS];

    for (uint32 i = 0; i < count; i++) {
        const size_t start = first + i > 0 ? p->ends[first + i - 1] : 0;

        texts[i] = (lm_text){p->bytes + start, p->ends[first + i] - start};
    }
    lmtext_embed_texts(model, texts, count, options, p->vectors + (size_t)first * p->shared->width);
}

/* This process's part of a portion, until there is none left. */
static void
take_part(const portion *p, lmtext_model *model, const lm_embed_options *options)
{
    uint32 slice;

    while ((slice = pg_atomic_fetch_add_u32(&p->shared->next, 1)) < p->shared->slices)
        embed_slice(p, model, options, slice);
}

static void
add_counts(shared_portion *shared, const lm_embed_counts *before)
{
    const lm_embed_counts *now = lmtext_stats_session();
    const lm_embed_counts made = {now->texts - before->texts, now->tokens - before->tokens,
                                  now->truncated - before->truncated,
                                  now->forwards - before->forwards};

    SpinLockAcquire(&shared->mutex);
    lm_embed_counts_add(&shared->counts, &made);
    SpinLockRelease(&shared->mutex);
}

/* What it counts is the leader's, whose call this is. */
void
lmtext_embed_worker(dsm_segment *segment, shm_toc *toc)
{
    portion p = {.shared = shm_toc_lookup(toc, KEY_PORTION, false),
                 .ends = shm_toc_lookup(toc, KEY_ENDS, false),
                 .slices = shm_toc_lookup(toc, KEY_SLICES, false),
                 .bytes = shm_toc_lookup(toc, KEY_BYTES, false),
                 .vectors = shm_toc_lookup(toc, KEY_VECTORS, false)};
    const lm_embed_counts before = *lmtext_stats_session();
    lm_embed_options options;

    debug_query_string = shm_toc_lookup(toc, KEY_QUERY, true);
    pgstat_report_activity(STATE_RUNNING, debug_query_string);
    lmtext_embed_defaults(&options, p.shared->on_long);
    take_part(&p, lmtext_model_use(p.shared->relid), &options);
    add_counts(p.shared, &before);
}

/* ---- A portion ---- */

/* Texts of which there are so many and not more, with their bytes and slices. */
typedef struct portion_plan {
    const lm_text *texts;
    uint32 count, slices;
    size_t bytes;
    uint32 *starts; /* (count + 1) of slices */
} portion_plan;

/* The next texts, at most `left`. */
static void
plan_portion(portion_plan *plan, const lm_text *texts, size_t left)
{
    size_t in_slice = 0;

    plan->texts = texts;
    plan->count = plan->slices = 0;
    plan->bytes = 0;
    while (plan->count < left && (plan->count == 0 || plan->bytes < PORTION_BYTES)) {
        const uint32 of_slice =
            plan->slices > 0 ? plan->count - plan->starts[plan->slices - 1] : SLICE_TEXTS;

        if (of_slice == SLICE_TEXTS || in_slice >= SLICE_BYTES) {
            plan->starts[plan->slices++] = plan->count;
            in_slice = 0;
        }
        in_slice += texts[plan->count].length;
        plan->bytes += texts[plan->count++].length;
    }
    plan->starts[plan->slices] = plan->count;
}

static void
estimate(ParallelContext *context, const portion_plan *plan, int width)
{
    shm_toc_estimator *room = &context->estimator;

    shm_toc_estimate_chunk(room, sizeof(shared_portion));
    shm_toc_estimate_chunk(room, mul_size(plan->count, sizeof(size_t)));
    shm_toc_estimate_chunk(room, mul_size(plan->slices + 1, sizeof(uint32)));
    shm_toc_estimate_chunk(room, plan->bytes + 1);
    shm_toc_estimate_chunk(room, mul_size(mul_size(plan->count, width), sizeof(float)));
    shm_toc_estimate_keys(room, 5);
    if (debug_query_string != NULL) {
        shm_toc_estimate_chunk(room, strlen(debug_query_string) + 1);
        shm_toc_estimate_keys(room, 1);
    }
}

static void *
give(ParallelContext *context, uint64 key, Size size)
{
    void *place = shm_toc_allocate(context->toc, size);

    shm_toc_insert(context->toc, key, place);
    return place;
}

static void
lay_texts(const portion_plan *plan, size_t *ends, char *bytes)
{
    size_t end = 0;

    for (uint32 i = 0; i < plan->count; i++) {
        memcpy(bytes + end, plan->texts[i].bytes, plan->texts[i].length);
        end += plan->texts[i].length;
        ends[i] = end;
    }
}

static portion
share(ParallelContext *context, const portion_plan *plan, const lmtext_model *model,
      const lm_embed_options *options, int width)
{
    shared_portion *shared = give(context, KEY_PORTION, sizeof *shared);
    size_t *ends = give(context, KEY_ENDS, mul_size(plan->count, sizeof *ends));
    uint32 *slices = give(context, KEY_SLICES, mul_size(plan->slices + 1, sizeof *slices));
    char *bytes = give(context, KEY_BYTES, plan->bytes + 1);
    float *vectors =
        give(context, KEY_VECTORS, mul_size(mul_size(plan->count, width), sizeof *vectors));

    memset(shared, 0, sizeof *shared);
    shared->relid = model->relid;
    shared->on_long = options->on_long;
    shared->width = width;
    shared->slices = plan->slices;
    pg_atomic_init_u32(&shared->next, 0);
    SpinLockInit(&shared->mutex);
    memcpy(slices, plan->starts, (plan->slices + 1) * sizeof *slices);
    lay_texts(plan, ends, bytes);
    if (debug_query_string != NULL)
        strcpy(give(context, KEY_QUERY, strlen(debug_query_string) + 1), debug_query_string);
    return (portion){shared, ends, slices, bytes, vectors};
}

/* False: there was no shared memory. */
static bool
embed_portion(const portion_plan *plan, lmtext_model *model, const lm_embed_options *options,
              int workers, float *out)
{
    const int width = lmtext_embed_width(model, options);
    ParallelContext *context = CreateParallelContext("lmtext", "lmtext_embed_worker", workers);
    bool shared;

    estimate(context, plan, width);
    InitializeParallelDSM(context);
    shared = context->seg != NULL;
    if (shared) {
        const portion p = share(context, plan, model, options, width);

        LaunchParallelWorkers(context);
        take_part(&p, model, options);
        WaitForParallelWorkersToFinish(context);
        lmtext_stats_add(&p.shared->counts);
        memcpy(out, p.vectors, (size_t)plan->count * width * sizeof *out);
    }
    DestroyParallelContext(context);
    return shared;
}

/* In a worker, or where a parallel operation is under way, there are no others to be had. */
static bool
may_share(void)
{
    return IsUnderPostmaster && !IsInParallelMode();
}

static void
embed_next(const portion_plan *plan, lmtext_model *model, const lm_embed_options *options,
           int workers, float *out)
{
    bool done = false;

    workers = Min(workers, (int)(plan->slices / WORKER_SLICES));
    if (workers > 0 && may_share()) {
        EnterParallelMode();
        done = embed_portion(plan, model, options, workers, out);
        ExitParallelMode();
    }
    if (!done)
        lmtext_embed_texts(model, plan->texts, plan->count, options, out);
}

void
lmtext_embed_together(lmtext_model *model, const lm_text *texts, size_t count,
                      const lm_embed_options *options, int workers, float *out)
{
    const size_t width = (size_t)lmtext_embed_width(model, options);
    portion_plan plan;

    if (workers == 0) {
        lmtext_embed_texts(model, texts, count, options, out);
        return;
    }
    plan.starts = palloc((count + 1) * sizeof *plan.starts);
    for (size_t done = 0; done < count; done += plan.count) {
        plan_portion(&plan, texts + done, count - done);
        embed_next(&plan, model, options, workers, out + done * width);
    }
    pfree(plan.starts);
}
