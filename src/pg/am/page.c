/*
 * page.c - pages of an index, checked when they are read.
 *
 * What a page says is never trusted: its kind and version are compared, chains end after as many
 * steps as there are blocks, and block numbers are those of the relation. A damaged page is an
 * error, whatever it has.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufpage.h"
#include "storage/lmgr.h"

#include "pg/am/index.h"

#define PAGE_MAGIC 0x4C4D5458 /* "LMTX" */

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

Buffer
lmtext_page_read(Relation index, BlockNumber block, lmtext_page_kind kind, int mode)
{
    Buffer buffer;
    const char *fault;

    if (!has_block(index, block))
        lmtext_index_damaged(index, block,
                             psprintf("The index ends before it; it should be %s.", names[kind]));
    buffer = ReadBuffer(index, block);
    LockBuffer(buffer, mode);
    fault = fault_of(BufferGetPage(buffer), kind);
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

    if (lmtext_page_tail_of(BufferGetPage(buffer))->owner != owner)
        lmtext_index_damaged(index, block, "It belongs to another page of codes.");
    return buffer;
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
