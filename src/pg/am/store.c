/*
 * store.c - an index opened for work: its meta page, and what is made of that.
 *
 * Space and centroids are made once a process and index, and kept: they change only when an index
 * is made anew, which gives it another build number. What is in use is not thrown away: whoever
 * opens a store uses it until the memory context that it was opened in goes.
 */
#include "postgres.h"

#include <math.h>

#include "access/transam.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/am/index.h"

#define META_MAGIC 0x6C6D7478
#define FLOATS_PER_PAGE ((size_t)(LMTEXT_PAGE_BYTES / sizeof(float)))
#define KEPT_UNUSED 4

typedef struct meta_body {
    uint32 magic;
    uint32 padding;
    lmtext_meta meta;
} meta_body;

/* Space and centroids of one index. */
typedef struct kept_space {
    struct kept_space *next;
    Oid index;
    uint64 build;
    int uses;
    MemoryContext memory;
    lmtext_call call;
    lm_space *space;
    lm_lists *lists;
    float *centroids, *rotated;
    lm_query *asking;
} kept_space;

static kept_space *kept_spaces = NULL;

/* ---- Meta page ---- */

static void
check_meta(Relation index, const meta_body *body)
{
    const lmtext_meta *meta = &body->meta;
    lmtext_kind kind = lmtext_index_kind(index);

    if (body->magic != META_MAGIC || meta->width < 0 || meta->width > (int)LM_SPACE_WIDEST ||
        meta->lists < 1 || meta->lists > LM_LISTS_MOST)
        lmtext_index_damaged(index, 0, "The meta page has numbers out of range.");
    if (meta->metric != (int32)kind.metric || (meta->text != 0) != kind.text)
        lmtext_index_damaged(index, 0, "The meta page is that of another operator class.");
    if (meta->words != InvalidBlockNumber && (meta->words != LMTEXT_WORDS_ROOT || !kind.text))
        lmtext_index_damaged(index, 0, "The meta page has its words elsewhere.");
    if ((meta->lists > 1) != (meta->centroids != InvalidBlockNumber))
        lmtext_index_damaged(index, 0, "The meta page has lists without centroids.");
}

void
lmtext_meta_read(Relation index, lmtext_meta *meta)
{
    Buffer buffer = lmtext_page_read(index, 0, LMTEXT_PAGE_META, BUFFER_LOCK_SHARE);
    meta_body body;

    memcpy(&body, lmtext_page_body(BufferGetPage(buffer)), sizeof body);
    UnlockReleaseBuffer(buffer);
    check_meta(index, &body);
    *meta = body.meta;
}

static void
random_bytes(void *bytes, size_t length)
{
    if (!pg_strong_random(bytes, length))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not get random bytes")));
}

/* The init fork is logged even though its index is not: a restart, or a standby that is promoted,
 * begins with it. */
void
lmtext_meta_write_new(Relation index, ForkNumber fork)
{
    lmtext_kind kind = lmtext_index_kind(index);
    meta_body body = {.magic = META_MAGIC};
    Buffer buffer = lmtext_page_extend(index, fork);
    Page page = BufferGetPage(buffer);

    body.meta.metric = (int32)kind.metric;
    body.meta.text = kind.text;
    body.meta.lists = 1;
    body.meta.origin = body.meta.centroids = InvalidBlockNumber;
    body.meta.directory = body.meta.buckets = body.meta.waiting = InvalidBlockNumber;
    body.meta.words = lmtext_index_words_option(index) ? LMTEXT_WORDS_ROOT : InvalidBlockNumber;
    random_bytes(&body.meta.build, sizeof body.meta.build);
    random_bytes(body.meta.hash_key, sizeof body.meta.hash_key);
    START_CRIT_SECTION();
    lmtext_page_init(page, LMTEXT_PAGE_META, 0);
    memcpy(lmtext_page_body(page), &body, sizeof body);
    MarkBufferDirty(buffer);
    if (fork == INIT_FORKNUM)
        log_newpage_buffer(buffer, true);
    END_CRIT_SECTION();
    UnlockReleaseBuffer(buffer);
}

/* ---- Chains of floats ---- */

/* From behind: each page is whole when another points to it. */
static BlockNumber
write_floats(Relation index, const float *values, size_t count, bool building)
{
    size_t pages = (count + FLOATS_PER_PAGE - 1) / FLOATS_PER_PAGE;
    BlockNumber next = InvalidBlockNumber;

    while (pages-- > 0) {
        size_t first = pages * FLOATS_PER_PAGE, some = Min(count - first, FLOATS_PER_PAGE);
        Buffer buffer = lmtext_page_extend(index, MAIN_FORKNUM);
        lmtext_change change = lmtext_change_begin(index, building);
        Page page = lmtext_change_page(&change, buffer, true);

        lmtext_page_init(page, LMTEXT_PAGE_FLOATS, 0);
        memcpy(lmtext_page_body(page), values + first, some * sizeof(float));
        lmtext_page_tail_of(page)->next = next;
        lmtext_change_end(&change);
        next = BufferGetBlockNumber(buffer);
        UnlockReleaseBuffer(buffer);
        CHECK_FOR_INTERRUPTS();
    }
    return next;
}

static void
read_floats(Relation index, BlockNumber block, float *values, size_t count)
{
    for (size_t first = 0; first < count; first += FLOATS_PER_PAGE) {
        Buffer buffer = lmtext_page_read(index, block, LMTEXT_PAGE_FLOATS, BUFFER_LOCK_SHARE);

        memcpy(values + first, lmtext_page_body(BufferGetPage(buffer)),
               Min(count - first, FLOATS_PER_PAGE) * sizeof(float));
        block = lmtext_page_tail_of(BufferGetPage(buffer))->next;
        UnlockReleaseBuffer(buffer);
        CHECK_FOR_INTERRUPTS();
    }
}

/* A number that is none would be in every distance. */
static void
read_finite(Relation index, BlockNumber block, float *values, size_t count)
{
    read_floats(index, block, values, count);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            lmtext_index_damaged(index, block, "The numbers that begin there are not all finite.");
}

/* ---- Lists ---- */

static BlockNumber
write_lists(Relation index, uint32 lists, bool building)
{
    int pages = (int)((lists + LMTEXT_LISTS_PER_PAGE - 1) / LMTEXT_LISTS_PER_PAGE);
    BlockNumber next = InvalidBlockNumber;

    while (pages-- > 0) {
        Buffer buffer = lmtext_page_extend(index, MAIN_FORKNUM);
        lmtext_change change = lmtext_change_begin(index, building);
        Page page = lmtext_change_page(&change, buffer, true);

        lmtext_page_init(page, LMTEXT_PAGE_LISTS, 0);
        memset(lmtext_page_body(page), 0xFF, LMTEXT_LISTS_PER_PAGE * sizeof(lmtext_list));
        lmtext_page_tail_of(page)->next = next;
        lmtext_change_end(&change);
        next = BufferGetBlockNumber(buffer);
        UnlockReleaseBuffer(buffer);
    }
    return next;
}

/* The page that says where a list begins, locked. */
static Buffer
list_page(const lmtext_store *store, uint32 list, int mode)
{
    BlockNumber block = store->meta.directory;

    for (uint32 pages = list / LMTEXT_LISTS_PER_PAGE;; pages--) {
        Buffer buffer = lmtext_page_read(store->index, block, LMTEXT_PAGE_LISTS, mode);

        if (pages == 0)
            return buffer;
        block = lmtext_page_tail_of(BufferGetPage(buffer))->next;
        UnlockReleaseBuffer(buffer);
    }
}

static lmtext_list *
lists_of(Page page)
{
    return (lmtext_list *)lmtext_page_body(page);
}

lmtext_list
lmtext_list_read(const lmtext_store *store, uint32 list)
{
    Buffer buffer = list_page(store, list, BUFFER_LOCK_SHARE);
    lmtext_list found = lists_of(BufferGetPage(buffer))[list % LMTEXT_LISTS_PER_PAGE];

    UnlockReleaseBuffer(buffer);
    return found;
}

lmtext_list *
lmtext_lists_read(const lmtext_store *store)
{
    uint32 count = store->meta.lists;
    lmtext_list *all = palloc(count * sizeof(*all));
    BlockNumber block = store->meta.directory;

    for (uint32 first = 0; first < count; first += LMTEXT_LISTS_PER_PAGE) {
        Buffer buffer = lmtext_page_read(store->index, block, LMTEXT_PAGE_LISTS, BUFFER_LOCK_SHARE);

        memcpy(all + first, lists_of(BufferGetPage(buffer)),
               Min(count - first, LMTEXT_LISTS_PER_PAGE) * sizeof(*all));
        block = lmtext_page_tail_of(BufferGetPage(buffer))->next;
        UnlockReleaseBuffer(buffer);
    }
    return all;
}

bool
lmtext_list_set(const lmtext_store *store, uint32 list, lmtext_list value)
{
    Buffer buffer = list_page(store, list, BUFFER_LOCK_EXCLUSIVE);
    const lmtext_list *was = &lists_of(BufferGetPage(buffer))[list % LMTEXT_LISTS_PER_PAGE];
    bool free = value.first == InvalidBlockNumber || was->first == InvalidBlockNumber;

    if (free) {
        lmtext_change change = lmtext_change_begin(store->index, store->building);
        Page page = lmtext_change_page(&change, buffer, false);
        lmtext_list *now = &lists_of(page)[list % LMTEXT_LISTS_PER_PAGE];

        if (value.first != InvalidBlockNumber)
            now->first = value.first;
        now->insert = value.insert;
        lmtext_change_end(&change);
    }
    UnlockReleaseBuffer(buffer);
    return free;
}

/* It begins nowhere. */
void
lmtext_list_clear(const lmtext_store *store, uint32 list)
{
    Buffer buffer = list_page(store, list, BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = lmtext_change_page(&change, buffer, false);

    lists_of(page)[list % LMTEXT_LISTS_PER_PAGE] =
        (lmtext_list){InvalidBlockNumber, InvalidBlockNumber};
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

/* ---- The first row ---- */

static void
fill_meta(Relation index, lmtext_meta *meta, const lmtext_begin *begin, bool building)
{
    meta->width = begin->width;
    meta->lists = Max(begin->lists, 1);
    meta->rows = begin->rows;
    meta->seed = LMTEXT_INDEX_SEED;
    random_bytes(&meta->build, sizeof meta->build);
    if (begin->digest != NULL)
        meta->digest = *begin->digest;
    if (begin->origin != NULL)
        meta->origin = write_floats(index, begin->origin, begin->width, building);
    if (begin->lists > 1)
        meta->centroids =
            write_floats(index, begin->centroids, (size_t)begin->width * begin->lists, building);
    meta->directory = write_lists(index, meta->lists, building);
}

void
lmtext_store_begin(Relation index, const lmtext_begin *begin, bool building)
{
    Buffer buffer = lmtext_page_read(index, 0, LMTEXT_PAGE_META, BUFFER_LOCK_EXCLUSIVE);
    meta_body body;

    memcpy(&body, lmtext_page_body(BufferGetPage(buffer)), sizeof body);
    if (body.meta.width == 0) {
        lmtext_change change;

        fill_meta(index, &body.meta, begin, building);
        change = lmtext_change_begin(index, building);
        memcpy(lmtext_page_body(lmtext_change_page(&change, buffer, false)), &body, sizeof body);
        lmtext_change_end(&change);
    }
    UnlockReleaseBuffer(buffer);
}

void
lmtext_meta_set_buckets(lmtext_store *store, BlockNumber buckets)
{
    Buffer buffer = lmtext_page_read(store->index, 0, LMTEXT_PAGE_META, BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change = lmtext_change_begin(store->index, store->building);
    Page page = lmtext_change_page(&change, buffer, false);

    ((meta_body *)lmtext_page_body(page))->meta.buckets = buckets;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
    store->meta.buckets = buckets;
}

/* Where two sessions make one, the second one uses that of the first. */
void
lmtext_meta_make_waiting(lmtext_store *store)
{
    Buffer buffer = lmtext_page_read(store->index, 0, LMTEXT_PAGE_META, BUFFER_LOCK_EXCLUSIVE);
    BlockNumber block = ((meta_body *)lmtext_page_body(BufferGetPage(buffer)))->meta.waiting;

    if (block == InvalidBlockNumber) {
        Buffer fresh = lmtext_page_extend(store->index, MAIN_FORKNUM);
        lmtext_change change = lmtext_change_begin(store->index, store->building);

        block = BufferGetBlockNumber(fresh);
        lmtext_page_init(lmtext_change_page(&change, fresh, true), LMTEXT_PAGE_WAITING, 0);
        ((meta_body *)lmtext_page_body(lmtext_change_page(&change, buffer, false)))->meta.waiting =
            block;
        lmtext_change_end(&change);
        UnlockReleaseBuffer(fresh);
    }
    UnlockReleaseBuffer(buffer);
    store->meta.waiting = block;
}

/* ---- Space and centroids ---- */

static void
make_lists(kept_space *kept, Relation index, const lmtext_meta *meta)
{
    lm_context *ctx = &kept->call.ctx;
    size_t width = (size_t)meta->width, padded = kept->space->padded;

    kept->centroids = MemoryContextAllocHuge(kept->memory, width * meta->lists * sizeof(float));
    kept->rotated = MemoryContextAllocHuge(kept->memory, padded * meta->lists * sizeof(float));
    read_finite(index, meta->centroids, kept->centroids, width * meta->lists);
    lmtext_check(&kept->call,
                 lm_lists_create(ctx, kept->space, meta->lists, kept->centroids, &kept->lists),
                 NULL);
    lmtext_check(&kept->call, lm_query_create(ctx, kept->space, &kept->asking), NULL);
    for (uint32 i = 0; i < meta->lists; i++)
        lm_centroid_rotate(kept->space, kept->centroids + i * width, kept->rotated + i * padded);
}

static void
make_space(kept_space *kept, Relation index, const lmtext_meta *meta)
{
    float *origin = NULL;

    lmtext_call_init(&kept->call, kept->memory);
    if (meta->origin != InvalidBlockNumber) {
        origin = palloc(meta->width * sizeof(float));
        read_finite(index, meta->origin, origin, meta->width);
    }
    lmtext_check(&kept->call,
                 lm_space_create(&kept->call.ctx, (lm_distance_kind)meta->metric, meta->width,
                                 meta->seed, origin, &kept->space),
                 NULL);
    if (meta->lists > 1)
        make_lists(kept, index, meta);
}

/* In a context of its own, which an error takes with it. */
static kept_space *
keep_space(Relation index, const lmtext_meta *meta)
{
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext index", ALLOCSET_DEFAULT_SIZES);
    kept_space *kept = MemoryContextAllocZero(memory, sizeof(*kept));

    kept->memory = memory;
    kept->index = RelationGetRelid(index);
    kept->build = meta->build;
    make_space(kept, index, meta);
    MemoryContextSetParent(memory, CacheMemoryContext);
    kept->next = kept_spaces;
    kept_spaces = kept;
    return kept;
}

/* The latest stand in front; of those that nobody uses a few are kept. */
static void
forget_unused(void)
{
    int unused = 0;

    for (kept_space **at = &kept_spaces; *at != NULL;) {
        kept_space *kept = *at;

        if (kept->uses > 0 || ++unused <= KEPT_UNUSED) {
            at = &kept->next;
            continue;
        }
        *at = kept->next;
        MemoryContextDelete(kept->memory);
    }
}

static kept_space *
find_space(Relation index, const lmtext_meta *meta)
{
    for (kept_space **at = &kept_spaces; *at != NULL; at = &(*at)->next)
        if ((*at)->index == RelationGetRelid(index) && (*at)->build == meta->build) {
            kept_space *kept = *at;

            *at = kept->next;
            kept->next = kept_spaces;
            kept_spaces = kept;
            return kept;
        }
    return NULL;
}

static void
release(void *argument)
{
    ((kept_space *)argument)->uses--;
}

static void
use_space(kept_space *kept)
{
    MemoryContextCallback *callback = palloc0(sizeof(*callback));

    callback->func = release;
    callback->arg = kept;
    kept->uses++;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
}

/* By what the meta page says, or will say. */
static void
open_meta(Relation index, const lmtext_meta *meta, lmtext_store *store)
{
    kept_space *kept;

    memset(store, 0, sizeof(*store));
    store->index = index;
    store->memory = CurrentMemoryContext;
    store->meta = *meta;
    if (meta->width == 0)
        return;
    kept = find_space(index, &store->meta);
    if (kept == NULL)
        kept = keep_space(index, &store->meta);
    use_space(kept);
    forget_unused();
    store->call = &kept->call;
    store->space = kept->space;
    store->lists = kept->lists;
    store->centroids = kept->centroids;
    store->rotated = kept->rotated;
    store->asking = kept->asking;
    if (!lmtext_layout_make(kept->space, &store->layout))
        lmtext_index_damaged(index, 0, "Its vectors are too wide.");
}

void
lmtext_store_open(Relation index, lmtext_store *store)
{
    lmtext_meta meta;

    lmtext_meta_read(index, &meta);
    open_meta(index, &meta, store);
}

uint64
lmtext_meta_build(Relation index)
{
    Buffer buffer = lmtext_page_read(index, 0, LMTEXT_PAGE_META, BUFFER_LOCK_SHARE);
    uint64 build = ((meta_body *)lmtext_page_body(BufferGetPage(buffer)))->meta.build;

    UnlockReleaseBuffer(buffer);
    return build;
}

void
lmtext_store_reopen(lmtext_store *store)
{
    MemoryContext caller = MemoryContextSwitchTo(store->memory);
    bool building = store->building;

    lmtext_store_open(store->index, store);
    store->building = building;
    MemoryContextSwitchTo(caller);
}

void
lmtext_store_refresh(lmtext_store *store)
{
    lmtext_meta meta;

    lmtext_meta_read(store->index, &meta);
    if (meta.build == store->meta.build)
        store->meta = meta;
    else
        lmtext_store_reopen(store);
}

/* ---- Lists made anew ---- */

void
lmtext_store_prepare(const lmtext_store *was, uint32 lists, const float *centroids, double rows,
                     lmtext_store *store)
{
    Relation index = was->index;
    lmtext_meta meta = was->meta;

    meta.lists = lists;
    meta.rows = rows;
    meta.generation++;
    random_bytes(&meta.build, sizeof meta.build);
    meta.centroids = lists > 1 ? write_floats(index, centroids, (size_t)meta.width * lists, false)
                               : InvalidBlockNumber;
    meta.directory = write_lists(index, lists, false);
    open_meta(index, &meta, store);
}

/* What others have changed meanwhile, rows that wait and hashes, stays as it is. */
void
lmtext_store_switch(lmtext_store *store, double imbalance)
{
    Buffer buffer = lmtext_page_read(store->index, 0, LMTEXT_PAGE_META, BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change = lmtext_change_begin(store->index, false);
    Page page = lmtext_change_page(&change, buffer, false);
    lmtext_meta *meta = &((meta_body *)lmtext_page_body(page))->meta, made = store->meta;

    meta->retired = meta->directory;
    meta->retired_lists = meta->lists;
    meta->retired_floats = meta->centroids;
    meta->retired_at = U64FromFullTransactionId(ReadNextFullTransactionId());
    meta->directory = made.directory;
    meta->lists = made.lists;
    meta->centroids = made.centroids;
    meta->rows = made.rows;
    meta->generation = made.generation;
    meta->build = made.build;
    meta->imbalance = imbalance;
    store->meta = *meta;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

/* Without its space: who gives pages back needs their layout alone. */
bool
lmtext_store_retired(const lmtext_store *store, lmtext_store *retired)
{
    const lmtext_meta *meta = &store->meta;

    if (meta->width == 0 || meta->retired == 0)
        return false;
    if (meta->retired_lists < 1 || meta->retired_lists > LM_LISTS_MOST || meta->generation < 1)
        lmtext_index_damaged(store->index, 0, "The meta page has numbers out of range.");
    *retired = *store;
    retired->lists = NULL;
    retired->centroids = retired->rotated = NULL;
    retired->meta.directory = meta->retired;
    retired->meta.lists = meta->retired_lists;
    retired->meta.centroids = meta->retired_floats;
    retired->meta.generation--;
    return true;
}

/* A chain of pages becomes free, each when it is known which is next. */
static void
give_chain(Relation index, BlockNumber block, lmtext_page_kind kind)
{
    uint32 steps = 0;

    while (block != InvalidBlockNumber) {
        Buffer buffer = lmtext_page_read(index, block, kind, BUFFER_LOCK_SHARE);
        BlockNumber next = lmtext_page_next(index, buffer, &steps);

        UnlockReleaseBuffer(buffer);
        lmtext_page_give(index, block, kind, 0);
        block = next;
    }
}

/* The meta page first: what breaks off leaves some pages unused, and none in two places. */
void
lmtext_store_forget(lmtext_store *retired)
{
    Relation index = retired->index;
    Buffer buffer = lmtext_page_read(index, 0, LMTEXT_PAGE_META, BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change = lmtext_change_begin(index, false);

    ((meta_body *)lmtext_page_body(lmtext_change_page(&change, buffer, false)))->meta.retired = 0;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
    give_chain(index, retired->meta.directory, LMTEXT_PAGE_LISTS);
    give_chain(index, retired->meta.centroids, LMTEXT_PAGE_FLOATS);
}

double
lmtext_store_rows(const lmtext_store *store)
{
    const lmtext_layout *layout = &store->layout;
    double blocks = RelationGetNumberOfBlocks(store->index);

    return layout->rows * Max(blocks / (1 + layout->strips + layout->vector_pages), 1);
}
