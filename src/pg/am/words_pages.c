/*
 * words_pages.c - the root of an index's words, and pages of words.
 *
 * A page is free when its generation is none that the root names. What the map of free space says
 * is a hint, and only who holds the lock of merges takes pages by it; documents that wait get
 * theirs from the root's spare ones.
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/lmgr.h"

#include "pg/am/words.h"

#define ROOT_MAGIC 0x57524454

StaticAssertDecl(sizeof(lmtext_words_root) <= LMTEXT_PAGE_BYTES, "the root is one page");

void
lmtext_words_damaged(Relation index, const char *what)
{
    lmtext_index_damaged(index, lmtext_words_block(index), what);
}

BlockNumber
lmtext_words_block(Relation index)
{
    lmtext_meta meta;

    lmtext_meta_read(index, &meta);
    return meta.words;
}

void
lmtext_words_meta(Relation index, lmtext_meta *meta)
{
    lmtext_meta_read(index, meta);
    if (meta->words == InvalidBlockNumber)
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("index \"%s\" was made without words", RelationGetRelationName(index)),
                 errhint("REINDEX INDEX %s.", RelationGetRelationName(index))));
}

void
lmtext_words_create(Relation index, ForkNumber fork)
{
    lmtext_words_root root = {.magic = ROOT_MAGIC, .generations = 1};
    Buffer buffer = lmtext_page_extend(index, fork);
    Page page = BufferGetPage(buffer);

    if (BufferGetBlockNumber(buffer) != LMTEXT_WORDS_ROOT)
        elog(ERROR, "the root of words is not at its place");
    root.pending = root.sealed =
        (lmtext_words_waiting){.first = InvalidBlockNumber, .last = InvalidBlockNumber};
    root.pending.generation = 1;
    START_CRIT_SECTION();
    lmtext_page_init(page, LMTEXT_PAGE_ROOT, 0);
    memcpy(lmtext_page_body(page), &root, sizeof root);
    MarkBufferDirty(buffer);
    if (fork == INIT_FORKNUM)
        log_newpage_buffer(buffer, true);
    END_CRIT_SECTION();
    UnlockReleaseBuffer(buffer);
}

lmtext_words_root *
lmtext_words_lock(Relation index, BlockNumber block, int mode, Buffer *buffer)
{
    lmtext_words_root *root;

    *buffer = lmtext_page_read(index, block, LMTEXT_PAGE_ROOT, mode);
    root = (lmtext_words_root *)lmtext_page_body(BufferGetPage(*buffer));
    if (root->magic != ROOT_MAGIC || root->segments > LMTEXT_SEGMENTS_MOST ||
        root->spares > LMTEXT_SPARE_MOST)
        lmtext_index_damaged(index, block, "The root of words has numbers out of range.");
    return root;
}

void
lmtext_words_copy_root(Relation index, BlockNumber block, lmtext_words_root *root)
{
    Buffer buffer;

    memcpy(root, lmtext_words_lock(index, block, BUFFER_LOCK_SHARE, &buffer), sizeof *root);
    UnlockReleaseBuffer(buffer);
}

bool
lmtext_words_fetch(Relation index, BlockNumber block, lmtext_words_part part, uint32 generation,
                   char *page)
{
    Buffer buffer = lmtext_page_read(index, block, LMTEXT_PAGE_WORDS, BUFFER_LOCK_SHARE);
    const lmtext_words_head *head = lmtext_words_head_of((Page)page);

    memcpy(page, BufferGetPage(buffer), BLCKSZ);
    UnlockReleaseBuffer(buffer);
    if (lmtext_page_tail_of((Page)page)->owner != generation)
        return false;
    if (head->part != part || head->used > LMTEXT_WORDS_ROOM)
        lmtext_index_damaged(index, block, "It is another part of the words than it should be.");
    return true;
}

void
lmtext_words_page_init(Page page, lmtext_words_part part, uint32 generation)
{
    lmtext_page_init(page, LMTEXT_PAGE_WORDS, generation);
    lmtext_words_head_of(page)->part = (uint16)part;
}

void
lmtext_words_lock_merge(Relation index, BlockNumber block)
{
    LockPage(index, block, ExclusiveLock);
}

bool
lmtext_words_try_merge(Relation index, BlockNumber block)
{
    return ConditionalLockPage(index, block, ExclusiveLock);
}

void
lmtext_words_unlock_merge(Relation index, BlockNumber block)
{
    UnlockPage(index, block, ExclusiveLock);
}

lm_ranking_corpus
lmtext_words_corpus(const lmtext_words_root *root)
{
    lm_ranking_corpus corpus = {(uint64)root->pending.documents + root->sealed.documents,
                                root->pending.length + root->sealed.length};

    for (uint32 i = 0; i < root->segments; i++) {
        corpus.documents += root->segment[i].documents;
        corpus.words += root->segment[i].length;
    }
    return corpus;
}

bool
lmtext_words_is_named(const lmtext_words_root *root, uint32 generation)
{
    bool named = generation == root->building || generation == root->pending.generation ||
                 generation == root->sealed.generation;

    for (uint32 i = 0; i < root->segments; i++)
        named |= generation == root->segment[i].generation;
    return named;
}

uint32
lmtext_words_changes(Relation index)
{
    BlockNumber block = lmtext_words_block(index);
    lmtext_words_root root = {0};

    if (block != InvalidBlockNumber)
        lmtext_words_copy_root(index, block, &root);
    return root.changes;
}

static bool
is_spare(const lmtext_words_root *root, BlockNumber block)
{
    for (uint32 i = 0; i < root->spares; i++)
        if (root->spare[i] == block)
            return true;
    return false;
}

bool
lmtext_words_is_free(Relation index, const lmtext_words_root *root, BlockNumber block)
{
    Buffer buffer;
    Page page;
    bool is;

    if (block >= RelationGetNumberOfBlocks(index) || is_spare(root, block))
        return false;
    buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    page = BufferGetPage(buffer);
    is = !PageIsNew(page) && PageGetSpecialSize(page) == MAXALIGN(sizeof(lmtext_page_tail)) &&
         lmtext_page_tail_of(page)->kind == LMTEXT_PAGE_WORDS &&
         !lmtext_words_is_named(root, lmtext_page_tail_of(page)->owner);
    UnlockReleaseBuffer(buffer);
    return is;
}

static bool
is_new(Relation index, Buffer buffer)
{
    bool is = false;

    if (ConditionalLockBuffer(buffer)) {
        is = PageIsNew(BufferGetPage(buffer));
        LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
    }
    return is;
}

/* Who extends has the page's lock before another may extend: a page that is new under both locks is
 * nobody's. */
bool
lmtext_words_is_left(Relation index, BlockNumber block)
{
    Buffer buffer;
    bool is;

    if (block >= RelationGetNumberOfBlocks(index))
        return false;
    buffer = ReadBuffer(index, block);
    is = is_new(index, buffer);
    if (is && !RELATION_IS_LOCAL(index)) {
        LockRelationForExtension(index, ExclusiveLock);
        is = is_new(index, buffer);
        UnlockRelationForExtension(index, ExclusiveLock);
    }
    ReleaseBuffer(buffer);
    return is;
}
