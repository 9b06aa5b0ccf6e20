/*
 * memo.c - results that are remembered; the contract is in memo.h.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "pg/watch/stats.h"
#include "pg/service/memo.h"
#include "pg/service/resolver.h"

/* Where the argument may change from row to row, larger memos are not kept. */
#define MEMO_BYTES ((size_t)1024 * 1024)

/*
 * The statement's latest memos of this backend, for other calls of the same function: in
 * `ORDER BY v <=> lmtext.embed('words')` an index scan and the target list each have their own,
 * a function in SQL has new ones each time that it is called, and (lmtext.classify_scored(body)).*
 * is a call for each column. Texts of rows have places of their own, where nothing is pushed out by
 * them: of each function the last.
 */
#define SHARED_MEMOS 4
#define SHARED_ROW_MEMOS 2
#define SHARED_BYTES ((size_t)64 * 1024) /* larger ones are not shared */

typedef struct shared_memo {
    Oid function;
    int argno;
    uint64 used; /* the one with the lowest number makes room */
    lmtext_guard guard;
    lmtext_kept kept;
} shared_memo;

static shared_memo shared_memos[SHARED_MEMOS], shared_row_memos[SHARED_ROW_MEMOS];
static uint64 shared_uses = 0;

/* The parts lie in memory, so that their sum is no overflow. */
static size_t
key_size(const lm_text *parts, int count)
{
    size_t size = count * sizeof(size_t);

    for (int i = 0; i < count; i++)
        size += parts[i].length;
    return size;
}

static bool
key_equals(const lmtext_kept *kept, const lm_text *parts, int count)
{
    const char *at = kept->key.bytes;
    int i;

    for (i = 0; i < count; i++) {
        size_t length;

        memcpy(&length, at, sizeof(length));
        if (length != parts[i].length ||
            (length > 0 && memcmp(at + sizeof(length), parts[i].bytes, length) != 0))
            return false;
        at += sizeof(length) + length;
    }
    return true;
}

static bool
memo_matches(const lmtext_kept *kept, const lm_text *parts, int count)
{
    return kept->valid && kept->key.size == key_size(parts, count) &&
           key_equals(kept, parts, count);
}

/* Room for `size` bytes. Small buffers grow by doubling, large ones do not outlive their value. */
static void
reserve(lmtext_memo_buffer *buffer, MemoryContext memory, size_t size)
{
    buffer->size = size;
    if (size <= buffer->space && buffer->space <= MEMO_BYTES)
        return;
    if (buffer->bytes != NULL)
        pfree(buffer->bytes);
    buffer->bytes = NULL;
    buffer->space = 0;
    size = size < MEMO_BYTES ? pg_nextpower2_64(Max(size, 64)) : size;
    buffer->bytes = MemoryContextAllocHuge(memory, size);
    buffer->space = size;
}

static void
remember(lmtext_kept *kept, MemoryContext memory, const lm_text *parts, int count,
         const void *value, size_t size)
{
    char *at;
    int i;

    kept->valid = false; /* until it is whole */
    reserve(&kept->key, memory, key_size(parts, count));
    at = kept->key.bytes;
    for (i = 0; i < count; i++) {
        memcpy(at, &parts[i].length, sizeof(size_t));
        if (parts[i].length > 0)
            memcpy(at + sizeof(size_t), parts[i].bytes, parts[i].length);
        at += sizeof(size_t) + parts[i].length;
    }
    LMTEXT_FAULT_POINT("memo_half_kept");
    reserve(&kept->value, memory, size);
    memcpy(kept->value.bytes, value, size);
    kept->valid = true;
}

static bool
shared_for(const shared_memo *shared, const lmtext_memo *memo)
{
    return shared->function == memo->function && shared->argno == memo->argno;
}

/* What another call of this function has computed in this statement from the same bytes. */
static const lmtext_kept *
find_shared(const lmtext_memo *memo, const lm_text *parts, int count)
{
    shared_memo *memos = memo->steady ? shared_memos : shared_row_memos;
    int places = memo->steady ? SHARED_MEMOS : SHARED_ROW_MEMOS;

    for (int i = 0; i < places; i++)
        if (shared_for(&memos[i], memo) && memo_matches(&memos[i].kept, parts, count) &&
            lmtext_guard_holds(&memos[i].guard)) {
            memos[i].used = ++shared_uses;
            return &memos[i].kept;
        }
    return NULL;
}

static shared_memo *
least_recently_used(shared_memo *memos, int places)
{
    shared_memo *oldest = &memos[0];

    for (int i = 1; i < places; i++)
        if (memos[i].used < oldest->used)
            oldest = &memos[i];
    return oldest;
}

static shared_memo *
place_to_share(const lmtext_memo *memo)
{
    if (memo->steady)
        return least_recently_used(shared_memos, SHARED_MEMOS);
    for (int i = 0; i < SHARED_ROW_MEMOS; i++)
        if (shared_for(&shared_row_memos[i], memo))
            return &shared_row_memos[i];
    return least_recently_used(shared_row_memos, SHARED_ROW_MEMOS);
}

static void
share(const lmtext_memo *memo, const lm_text *parts, int count, const void *value, size_t size)
{
    shared_memo *shared = place_to_share(memo);

    remember(&shared->kept, TopMemoryContext, parts, count, value, size);
    shared->guard = lmtext_guard_now();
    shared->argno = memo->argno;
    shared->function = memo->function;
    shared->used = ++shared_uses;
}

const void *
lmtext_memo_find(lmtext_memo *memo, const lm_text *parts, int count)
{
    if (!memo_matches(&memo->kept, parts, count)) {
        const lmtext_kept *found = find_shared(memo, parts, count);

        if (found == NULL)
            return NULL;
        remember(&memo->kept, memo->memory, parts, count, found->value.bytes, found->value.size);
    }
    lmtext_stats_hit();
    return memo->kept.value.bytes;
}

const void *
lmtext_memo_keep(lmtext_memo *memo, const lm_text *parts, int count, const void *value, size_t size)
{
    size_t all = size + key_size(parts, count);

    if (all > MEMO_BYTES && !memo->stable)
        return value;
    remember(&memo->kept, memo->memory, parts, count, value, size);
    if (all <= SHARED_BYTES)
        share(memo, parts, count, value, size);
    return memo->kept.value.bytes;
}
