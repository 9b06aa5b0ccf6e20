/*
 * calls.c - calls of this backend: those under way, and what is to be added to the sums of stats.c.
 *
 * A call costs two looks at the clock, or a part of them, and some additions. Tallies lie in a
 * fixed array, so that nothing is allocated where a call fails. They are merged when a resource
 * owner is released, that is at the end of a statement and of a (sub)transaction, well or not; at
 * the end of the process; and in long statements every half second.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "pg/glue/backend.h"
#include "pg/glue/init_once.h"
#include "pg/watch/stats.h"

#define TALLIES 32
#define FLUSH_NS (UINT64CONST(500) * 1000 * 1000)
#define BRIEF_NS 10000 /* a call below this may stand for the next ones: */
#define UNREAD_CALLS 7

typedef struct open_call {
    int32 function;
    Oid role;
    bool counted;
    bool remembered, computed; /* what it has done so far */
    int nest_level;            /* of the transaction that it began in */
    lmtext_tally *tally;       /* NULL: its model is not known yet */
    bool brief;
    lmtext_stats_pace *pace; /* NULL: it stands for no others */
    uint64 started;          /* 0: the clock was not read, and it counts as: */
    uint64 elapsed;
} open_call;

static bool track = true;
static open_call *open_calls; /* innermost last */
static int open_count, open_limit;
static lmtext_tally tallies[TALLIES];
static int tally_count, next_victim;
static bool dirty;
static uint64 flushed_at;
static lm_embed_counts session;

static void make_room(void);
static lmtext_tally *current(void);
static bool tally_is(const lmtext_tally *tally, const open_call *call,
                     const lmtext_identity *version);
static lmtext_tally *find_tally(const open_call *call, const lmtext_identity *version);
static lmtext_tally *take_tally(void);
static void finish(open_call *call, bool failed, uint64 elapsed);
static void fail_calls(int from);
static void flush(void);
static void process_exits(void);
static void transaction_ends(XactEvent event, void *argument);
static void subtransaction_ends(SubXactEvent event, SubTransactionId child, SubTransactionId parent,
                                void *argument);

/* A call that is not counted has its place too, so that what it computes counts for no other call.
 */
static open_call *
begin(int32 function)
{
    open_call *call;

    if (open_count == open_limit)
        make_room();
    call = &open_calls[open_count];
    call->function = function;
    call->counted = track && lmtext_stats_attached();
    call->remembered = call->computed = false;
    call->nest_level = GetCurrentTransactionNestLevel();
    call->tally = NULL;
    call->pace = NULL;
    call->brief = false;
    if (call->counted)
        call->role = GetUserId();
    open_count++;
    return call;
}

int
lmtext_stats_begin(int32 function)
{
    open_call *call = begin(function);

    if (call->counted)
        call->started = lmtext_stats_now();
    return open_count - 1;
}

int
lmtext_stats_begin_brief(int32 function, lmtext_stats_pace *pace)
{
    open_call *call = begin(function);

    if (!call->counted)
        return open_count - 1;
    call->brief = true;
    if (pace->left > 0) {
        pace->left--;
        call->started = 0;
        call->elapsed = pace->elapsed;
    } else {
        call->pace = pace;
        call->started = lmtext_stats_now();
    }
    return open_count - 1;
}

static void
make_room(void)
{
    int limit = Max(8, 2 * open_limit);

    lmtext_at_exit(process_exits);
    if (open_calls == NULL)
        open_calls = MemoryContextAlloc(lmtext_memory(), limit * sizeof *open_calls);
    else
        open_calls = repalloc(open_calls, limit * sizeof *open_calls);
    open_limit = limit;
}

static void
set_pace(const open_call *call, uint64 now)
{
    if (call->pace == NULL)
        return;
    call->pace->elapsed = now - call->started;
    call->pace->left = call->pace->elapsed < BRIEF_NS ? UNREAD_CALLS : 0;
}

/* Calls inside this one whose error was caught without an abort have failed. */
void
lmtext_stats_end(int call)
{
    uint64 now;

    if (call >= open_count)
        return;
    if (open_count > call + 1)
        fail_calls(call + 1);
    open_count--;
    if (open_calls[call].tally == NULL)
        return;
    if (open_calls[call].started == 0) {
        finish(&open_calls[call], false, open_calls[call].elapsed);
        return;
    }
    now = lmtext_stats_now();
    set_pace(&open_calls[call], now);
    finish(&open_calls[call], false, now - open_calls[call].started);
    if (now - flushed_at > FLUSH_NS)
        flush();
}

/* The call that was begun last and goes on, or NULL. */
static open_call *
innermost(void)
{
    return open_count > 0 ? &open_calls[open_count - 1] : NULL;
}

/* The hint is where the last call from the same place counted. */
void
lmtext_stats_version(const lmtext_identity *version, void **hint)
{
    open_call *call = innermost();
    lmtext_tally *tally = *hint;

    if (call == NULL || !call->counted || call->tally != NULL)
        return;
    if (tally == NULL || !tally_is(tally, call, version))
        *hint = tally = find_tally(call, version);
    if (tally == NULL)
        return;
    tally->open++;
    call->tally = tally;
}

static bool
tally_is(const lmtext_tally *tally, const open_call *call, const lmtext_identity *version)
{
    const lmtext_stats_key *key = &tally->key;

    return key->role == call->role && key->function == call->function &&
           key->relid == (version == NULL ? InvalidOid : version->relid) &&
           (version == NULL || memcmp(&key->digest, &version->digest, sizeof key->digest) == 0);
}

/* NULL when every tally is held by a call under way, some of which then go uncounted. */
static lmtext_tally *
find_tally(const open_call *call, const lmtext_identity *version)
{
    lmtext_tally *tally;

    for (int i = 0; i < tally_count; i++)
        if (tally_is(&tallies[i], call, version))
            return &tallies[i];
    tally = take_tally();
    if (tally == NULL)
        return NULL;
    memset(tally, 0, sizeof *tally);
    tally->key.database = MyDatabaseId;
    tally->key.role = call->role;
    tally->key.function = call->function;
    if (version != NULL) {
        tally->key.relid = version->relid;
        tally->key.digest = version->digest;
        strlcpy(tally->version, version->name, sizeof tally->version);
    }
    tally->hash = lmtext_stats_hash(&tally->key);
    tally->index = -1;
    tally->lowest = LMTEXT_STATS_BUCKETS;
    tally->highest = -1;
    return tally;
}

/* One that was not used, else in turn one that no call holds, after all have been merged. */
static lmtext_tally *
take_tally(void)
{
    if (tally_count < TALLIES)
        return &tallies[tally_count++];
    flush();
    for (int i = 0; i < TALLIES; i++) {
        lmtext_tally *tally = &tallies[next_victim];

        next_victim = (next_victim + 1) % TALLIES;
        if (tally->open == 0)
            return tally;
    }
    return NULL;
}

/* Where the innermost call counts what it computes, or NULL. */
static lmtext_tally *
current(void)
{
    open_call *call = innermost();

    if (call == NULL || call->tally == NULL)
        return NULL;
    call->computed = true;
    call->tally->dirty = dirty = true;
    return call->tally;
}

/* A training is one long call: others see how far it is. */
void
lmtext_stats_add(const lm_embed_counts *counts)
{
    lmtext_tally *tally = current();

    session.texts += counts->texts;
    session.tokens += counts->tokens;
    session.truncated += counts->truncated;
    session.forwards += counts->forwards;
    if (tally == NULL)
        return;
    tally->counts.rows += counts->texts;
    tally->counts.tokens += counts->tokens;
    tally->counts.truncated += counts->truncated;
    if (!innermost()->brief && lmtext_stats_now() - flushed_at > FLUSH_NS)
        flush();
}

const lm_embed_counts *
lmtext_stats_session(void)
{
    return &session;
}

void
lmtext_stats_tokenized(uint64 texts, uint64 tokens)
{
    lmtext_tally *tally = current();

    if (tally == NULL)
        return;
    tally->counts.rows += texts;
    tally->counts.tokens += tokens;
}

void
lmtext_stats_hit(void)
{
    open_call *call = innermost();

    if (call != NULL)
        call->remembered = true;
}

void
lmtext_stats_recalled(uint64 texts)
{
    open_call *call = innermost();

    if (call == NULL || call->tally == NULL)
        return;
    call->remembered = true;
    call->tally->counts.rows += texts;
    call->tally->dirty = dirty = true;
}

void
lmtext_stats_computed(void)
{
    (void)current();
}

/* Failed calls count with their time; those that only remembered count apart, and without. */
static void
finish(open_call *call, bool failed, uint64 elapsed)
{
    lmtext_tally *tally = call->tally;
    int bucket = lmtext_stats_bucket(elapsed);

    tally->open--;
    tally->dirty = dirty = true;
    if (call->remembered && !call->computed && !failed) {
        tally->counts.cached++;
        return;
    }
    tally->counts.calls++;
    tally->counts.errors += failed;
    tally->counts.total_ns += elapsed;
    tally->buckets[bucket]++;
    tally->lowest = Min(tally->lowest, bucket);
    tally->highest = Max(tally->highest, bucket);
}

/* Calls from this one on are not under way any more, and did not end: innermost first. */
static void
fail_calls(int from)
{
    uint64 now = lmtext_stats_now();

    while (open_count > from) {
        open_call *call = &open_calls[--open_count];

        if (!call->counted)
            continue;
        if (call->tally == NULL && (call->tally = find_tally(call, NULL)) != NULL)
            call->tally->open++;
        if (call->tally != NULL)
            finish(call, true, call->started == 0 ? call->elapsed : now - call->started);
    }
}

/* Never fails: called on abort. */
static void
flush(void)
{
    if (!dirty)
        return;
    dirty = false;
    lmtext_stats_merge(tallies, tally_count);
    flushed_at = lmtext_stats_now();
}

static void
process_exits(void)
{
    if (open_count > 0)
        fail_calls(0);
    flush();
}

/* Resource owners are released after these, and with them all is merged. */
static void
transaction_ends(XactEvent event, void *argument)
{
    if (open_count > 0 && (event == XACT_EVENT_ABORT || event == XACT_EVENT_PARALLEL_ABORT))
        fail_calls(0);
}

/* A call that began outside goes on: its query may have caught the error. */
static void
subtransaction_ends(SubXactEvent event, SubTransactionId child, SubTransactionId parent,
                    void *argument)
{
    int level, from = open_count;

    if (open_count == 0 || event != SUBXACT_EVENT_ABORT_SUB)
        return;
    level = GetCurrentTransactionNestLevel();
    while (from > 0 && open_calls[from - 1].nest_level >= level)
        from--;
    if (from < open_count)
        fail_calls(from);
}

lmtext_stats_entry *
lmtext_stats_snapshot(lmtext_stats_info *info, const char **why)
{
    flush();
    return lmtext_sums_snapshot(info, why);
}

/* What other backends have not merged yet counts afterwards. */
void
lmtext_stats_reset(void)
{
    flush();
    lmtext_sums_reset();
}

/* Users must not switch off the counting of their own calls: superusers only. */
void
lmtext_stats_init(void)
{
    LMTEXT_SETTING(Bool, "lmtext.track", "Collects statistics of calls, shown by lmtext.stats.",
                   NULL, &track, true, PGC_SUSET, 0, NULL, NULL, NULL);
    lmtext_at_xact_end(transaction_ends, subtransaction_ends);
    lmtext_at_release(flush);
}
