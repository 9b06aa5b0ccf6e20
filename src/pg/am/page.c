/*
 * page.c - pages of an index, checked when they are read.
 *
 * What a page says is never trusted: its kind and version are compared, chains end after as many
 * steps as there are blocks, and block numbers are those of the relation. A damaged page is an
 * error, whatever it has.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "access/xlog.h"
#include "pgstat.h"
#include "storage/buf_internals.h"
#include "storage/bufpage.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"

#include "pg/am/index.h"

#define PAGE_MAGIC 0x4C4D5458 /* "LMTX" */
#define LINE 64               /* bytes of the processor's cache */
#define FIRST_LINES 8

static const char *const names[] = {
    [LMTEXT_PAGE_META] = "the meta page",
    [LMTEXT_PAGE_LISTS] = "a page of lists",
    [LMTEXT_PAGE_CODES] = "a page of codes",
    [LMTEXT_PAGE_VECTORS] = "a page of vectors",
    [LMTEXT_PAGE_STRIP] = "a strip of codes",
    [LMTEXT_PAGE_FLOATS] = "a page of numbers",
    [LMTEXT_PAGE_BUCKETS] = "a page of buckets",
    [LMTEXT_PAGE_HASHES] = "a page of hashes",
    [LMTEXT_PAGE_WAITING] = "a page of rows that wait",
    [LMTEXT_PAGE_ROOT] = "the root of words",
    [LMTEXT_PAGE_WORDS] = "a page of words",
    [LMTEXT_PAGE_FREE] = "a free page",
};

void
lmtext_index_damaged(Relation index, BlockNumber block, const char *what)
{
    ereport(ERROR,
            (errcode(ERRCODE_INDEX_CORRUPTED),
             errmsg("index \"%s\" is damaged at block %u", RelationGetRelationName(index), block),
             errdetail_internal("%s", what), errhint("Please REINDEX it.")));
}

/* What is wrong with a page that ought to be of this kind; NULL: nothing. */
static const char *
fault_of(Page page, lmtext_page_kind kind)
{
    const PageHeaderData *header = (const PageHeaderData *)page;
    const lmtext_page_tail *tail;

    if (PageIsNew(page))
        return psprintf("It is empty; it should be %s.", names[kind]);
    if (PageGetPageSize(page) != BLCKSZ ||
        PageGetSpecialSize(page) != MAXALIGN(sizeof(lmtext_page_tail)) ||
        header->pd_lower != header->pd_special || header->pd_upper != header->pd_special)
        return "Its header is not that of a page of this access method.";
    tail = lmtext_page_tail_of(page);
    if (tail->magic != PAGE_MAGIC)
        return "It is no page of this access method.";
    if (tail->kind != kind)
        return psprintf("Its kind is %d; it should be %s.", tail->kind, names[kind]);
    if (tail->version != LMTEXT_PAGE_VERSION)
        return psprintf("Its version is %d; this library reads version %d.", tail->version,
                        LMTEXT_PAGE_VERSION);
    return NULL;
}

/*
 * Does the index have this block? Asking the operating system for each would take as long as
 * scanning it, and an index only grows as long as it has its file.
 */
static bool
has_block(Relation index, BlockNumber block)
{
    static struct {
        Oid index, file;
        BlockNumber blocks; /* at least */
    } known;

    if (known.index == RelationGetRelid(index) && known.file == index->rd_rel->relfilenode &&
        block < known.blocks)
        return true;
    known.index = RelationGetRelid(index);
    known.file = index->rd_rel->relfilenode;
    known.blocks = RelationGetNumberOfBlocks(index);
    return block < known.blocks;
}

static bool
is_free(Page page)
{
    return fault_of(page, LMTEXT_PAGE_FREE) == NULL;
}

/* On a standby nothing keeps what a scan reads from being given back and used again. */
static bool
is_used_again(Page page)
{
    return is_free(page) || fault_of(page, LMTEXT_PAGE_CODES) == NULL ||
           fault_of(page, LMTEXT_PAGE_VECTORS) == NULL || fault_of(page, LMTEXT_PAGE_STRIP) == NULL;
}

void
lmtext_index_replaced(Relation index)
{
    ereport(ERROR,
            (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
             errmsg("canceling statement due to conflict with recovery"),
             errdetail("The lists of index \"%s\" were made anew.", RelationGetRelationName(index)),
             errhint("Run it again.")));
}

/* ---- Reading ---- */

/*
 * Buffers that pages were found in last, by block: a hint. Looking one up in PostgreSQL's table
 * takes longer than scanning its codes. What another index or block left here is noticed when the
 * buffer's tag is compared; temporary indexes, whose buffers 15 compares wrongly, leave nothing.
 */
#define RECENT ((uint32)1 << 16)
static Buffer recent[RECENT];

static Buffer *
recent_of(Relation index, BlockNumber block)
{
    return &recent[(block + RelationGetRelid(index) * 0x9E3779B1u) % RECENT];
}

/* Of so many reads one is made by the table, which alone tells PostgreSQL that a page is used. */
#define READS_NOTED 16

static bool
read_recent(Relation index, BlockNumber block, Buffer buffer)
{
    static uint32 reads = 0;

    if (buffer == InvalidBuffer || ++reads % READS_NOTED == 0 ||
        !ReadRecentBuffer(LMTEXT_LOCATOR(index), MAIN_FORKNUM, block, buffer))
        return false;
    pgstat_count_buffer_read(index);
    pgstat_count_buffer_hit(index);
    return true;
}

static Buffer
read_buffer(Relation index, BlockNumber block)
{
    Buffer *known = recent_of(index, block), buffer;

    if (read_recent(index, block, *known))
        return *known;
    buffer = ReadBuffer(index, block);
    *known = BufferIsLocal(buffer) ? InvalidBuffer : buffer;
    return buffer;
}

/*
 * The tag is read without a lock: of another page the processor fetches some lines for nothing.
 * What lies behind the first lines it sees coming by itself.
 */
void
lmtext_page_expect(Relation index, BlockNumber block)
{
    Buffer buffer = *recent_of(index, block);
    const char *page;

    if (buffer == InvalidBuffer || GetBufferDescriptor(buffer - 1)->tag.blockNum != block) {
        (void)PrefetchBuffer(index, MAIN_FORKNUM, block);
        return;
    }
    page = BufferGetBlock(buffer);
    for (int line = 0; line < FIRST_LINES; line++)
        __builtin_prefetch(page + line * LINE);
    __builtin_prefetch(page + BLCKSZ - LINE); /* the tail */
}

Buffer
lmtext_page_read(Relation index, BlockNumber block, lmtext_page_kind kind, int mode)
{
    Buffer buffer;
    const char *fault;

    if (!has_block(index, block))
        lmtext_index_damaged(index, block,
                             psprintf("The index ends before it; it should be %s.", names[kind]));
    buffer = read_buffer(index, block);
    LockBuffer(buffer, mode);
    fault = fault_of(BufferGetPage(buffer), kind);
    if (fault != NULL && RecoveryInProgress() && is_used_again(BufferGetPage(buffer)))
        lmtext_index_replaced(index);
    if (fault != NULL)
        lmtext_index_damaged(index, block, fault);
    return buffer;
}

/* A page that names itself would be locked twice. */
Buffer
lmtext_page_read_beside(Relation index, BlockNumber block, lmtext_page_kind kind,
                        BlockNumber beside, int mode)
{
    if (block == beside)
        lmtext_index_damaged(index, block, "It names itself as a page beside it.");
    return lmtext_page_read(index, block, kind, mode);
}

Buffer
lmtext_page_read_owned(Relation index, BlockNumber block, lmtext_page_kind kind, BlockNumber owner,
                       int mode)
{
    Buffer buffer = lmtext_page_read_beside(index, block, kind, owner, mode);

    if (lmtext_page_tail_of(BufferGetPage(buffer))->owner == owner)
        return buffer;
    if (RecoveryInProgress())
        lmtext_index_replaced(index);
    lmtext_index_damaged(index, block, "It belongs to another page of codes.");
}

BlockNumber
lmtext_page_next(Relation index, Buffer buffer, uint32 *steps)
{
    BlockNumber next = lmtext_page_tail_of(BufferGetPage(buffer))->next;

    if (next == InvalidBlockNumber)
        return next;
    if (!has_block(index, next))
        lmtext_index_damaged(index, BufferGetBlockNumber(buffer),
                             "The page behind it is not in the index.");
    if (!has_block(index, ++*steps))
        lmtext_index_damaged(index, BufferGetBlockNumber(buffer),
                             "The chain of pages that it is in is a circle.");
    return next;
}

/* All of the page counts as used, so that WAL leaves nothing of it out. */
void
lmtext_page_init(Page page, lmtext_page_kind kind, BlockNumber owner)
{
    lmtext_page_tail *tail;

    PageInit(page, BLCKSZ, sizeof(lmtext_page_tail));
    memset(lmtext_page_body(page), 0, LMTEXT_PAGE_BYTES);
    ((PageHeader)page)->pd_lower = ((PageHeader)page)->pd_upper;
    tail = lmtext_page_tail_of(page);
    tail->magic = PAGE_MAGIC;
    tail->kind = (uint16)kind;
    tail->version = LMTEXT_PAGE_VERSION;
    tail->next = InvalidBlockNumber;
    tail->owner = owner;
}

Buffer
lmtext_page_extend(Relation index, ForkNumber fork)
{
    bool shared = !RELATION_IS_LOCAL(index);
    Buffer buffer;

    if (shared)
        LockRelationForExtension(index, ExclusiveLock);
    buffer = ReadBufferExtended(index, fork, P_NEW, RBM_NORMAL, NULL);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    if (shared)
        UnlockRelationForExtension(index, ExclusiveLock);
    return buffer;
}

/* What the map of free space says is a hint: the kind decides, under the page's lock. */
static Buffer
free_page(Relation index)
{
    BlockNumber block;

    while ((block = GetFreeIndexPage(index)) != InvalidBlockNumber) {
        Buffer buffer;

        if (!has_block(index, block))
            continue;
        buffer = ReadBuffer(index, block);
        if (ConditionalLockBuffer(buffer)) {
            if (is_free(BufferGetPage(buffer)))
                return buffer;
            LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
        }
        ReleaseBuffer(buffer);
    }
    return InvalidBuffer;
}

Buffer
lmtext_page_take(Relation index)
{
    Buffer buffer = free_page(index);

    return BufferIsValid(buffer) ? buffer : lmtext_page_extend(index, MAIN_FORKNUM);
}

void
lmtext_page_give(Relation index, BlockNumber block, lmtext_page_kind kind, BlockNumber owner)
{
    Buffer buffer = lmtext_page_read(index, block, kind, BUFFER_LOCK_EXCLUSIVE);
    lmtext_change change;

    if (lmtext_page_tail_of(BufferGetPage(buffer))->owner != owner)
        lmtext_index_damaged(index, block, "It belongs to something else.");
    change = lmtext_change_begin(index, false);
    lmtext_page_init(lmtext_change_page(&change, buffer, true), LMTEXT_PAGE_FREE, 0);
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
    RecordFreeIndexPage(index, block);
}
