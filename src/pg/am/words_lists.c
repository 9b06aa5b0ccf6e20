/*
 * words_lists.c - a segment being read: a word, a document, a list, or all pages of a part. False
 * everywhere: the segment was replaced meanwhile.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "pg/am/words.h"

/* ---- Directories ---- */

/* The last entry of a sorted array whose key, its first member, is not above this one; -1: none. */
static int
find_key(const char *entries, int count, size_t size, uint64 key)
{
    int low = 0, high = count;

    while (low < high) {
        int middle = low + (high - low) / 2;
        uint64 there;

        memcpy(&there, entries + middle * size, sizeof there);
        if (there <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/*
 * The block of the page that would have the key; InvalidBlockNumber: it is before the first.
 * *first: the key that page begins with.
 */
static bool
find_page(Relation index, uint32 generation, BlockNumber directory, uint64 key, BlockNumber *found,
          uint64 *first)
{
    PGAlignedBlock page;
    BlockNumber block = directory;

    *found = InvalidBlockNumber;
    for (uint32 steps = 0; block != InvalidBlockNumber; steps++) {
        lmtext_directory_entry entry;
        int count, at;

        if (!lmtext_words_fetch(index, block, LMTEXT_WORDS_DIRECTORY, generation, page.data))
            return false;
        if (steps > RelationGetNumberOfBlocks(index))
            lmtext_words_damaged(index, "A directory of its words is a circle.");
        count = lmtext_words_head_of((Page)page.data)->used / (int)sizeof entry;
        at = find_key(lmtext_words_body((Page)page.data), count, sizeof entry, key);
        if (at >= 0) {
            memcpy(&entry, lmtext_words_body((Page)page.data) + at * sizeof entry, sizeof entry);
            *found = entry.block;
            *first = entry.key;
        }
        if (at < count - 1)
            return true;
        block = lmtext_page_tail_of((Page)page.data)->next;
        CHECK_FOR_INTERRUPTS();
    }
    return true;
}

bool
lmtext_words_find(Relation index, const lmtext_segment *segment, uint64 hash, lmtext_word *word,
                  bool *found)
{
    PGAlignedBlock page;
    BlockNumber block;
    uint64 first;
    int at;

    *found = false;
    if (!find_page(index, segment->generation, segment->dictionary, hash, &block, &first))
        return false;
    if (block == InvalidBlockNumber)
        return true;
    if (!lmtext_words_fetch(index, block, LMTEXT_WORDS_DICTIONARY, segment->generation, page.data))
        return false;
    at = find_key(lmtext_words_body((Page)page.data),
                  lmtext_words_head_of((Page)page.data)->used / (int)sizeof(*word), sizeof(*word),
                  hash);
    if (at >= 0) {
        memcpy(word, lmtext_words_body((Page)page.data) + at * sizeof(*word), sizeof(*word));
        *found = word->hash == hash;
    }
    if (*found && (word->documents == 0 || word->documents > segment->documents ||
                   word->most == 0 || word->most > LM_POSTINGS_FREQUENCY))
        lmtext_index_damaged(index, block, "A word of it has numbers out of range.");
    return true;
}

bool
lmtext_words_document(Relation index, const lmtext_segment *segment, uint32 number,
                      lmtext_document *document)
{
    PGAlignedBlock page;
    BlockNumber block;
    uint64 first = 0;

    if (!find_page(index, segment->generation, segment->documents_at, number, &block, &first))
        return false;
    if (block == InvalidBlockNumber)
        lmtext_words_damaged(index, "It has no page of a document that a word names.");
    if (!lmtext_words_fetch(index, block, LMTEXT_WORDS_DOCUMENTS, segment->generation, page.data))
        return false;
    if ((number - first + 1) * sizeof(*document) > lmtext_words_head_of((Page)page.data)->used)
        lmtext_index_damaged(index, block, "It lacks a document that a word names.");
    memcpy(document, lmtext_words_body((Page)page.data) + (number - first) * sizeof(*document),
           sizeof(*document));
    return true;
}

/* ---- Lists ---- */

void
lmtext_words_list_open(lmtext_words_list *list, Relation index, uint32 generation,
                       const lmtext_word *word)
{
    list->index = index;
    list->generation = generation;
    list->next = word->block;
    list->offset = word->offset;
    list->left = word->documents;
    lmtext_words_head_of((Page)list->page.data)->used = 0;
}

/* Only the page where a list begins does not begin with it. */
static bool
list_page(lmtext_words_list *list, bool first)
{
    BlockNumber block = list->next;

    if (block == InvalidBlockNumber)
        lmtext_words_damaged(list->index, "A list of postings ends too early.");
    if (!lmtext_words_fetch(list->index, block, LMTEXT_WORDS_POSTINGS, list->generation,
                            list->page.data))
        return false;
    list->next = lmtext_page_tail_of((Page)list->page.data)->next;
    if (!first)
        list->offset = 0;
    return true;
}

bool
lmtext_words_list_next(lmtext_words_list *list, const uint8 **bytes, size_t *available)
{
    const lmtext_words_head *page = lmtext_words_head_of((Page)list->page.data);
    lm_postings_head head;

    *bytes = NULL;
    if (list->left == 0)
        return true;
    if (list->offset >= page->used && !list_page(list, page->used == 0))
        return false;
    if (list->offset >= page->used)
        lmtext_words_damaged(list->index, "A list of postings begins behind the end of a page.");
    *bytes = (const uint8 *)lmtext_words_body((Page)list->page.data) + list->offset;
    *available = (size_t)(page->used - list->offset);
    if (!lm_postings_read_head(*bytes, *available, &head) || (uint32)head.count > list->left)
        lmtext_words_damaged(list->index, "A block of postings is none.");
    list->offset += (int)head.bytes;
    list->left -= (uint32)head.count;
    return true;
}

/* ---- All pages of a part ---- */

bool
lmtext_words_walk_segment(lmtext_words_walk *walk, Relation index, const lmtext_segment *segment,
                          lmtext_words_part part)
{
    BlockNumber directory =
        part == LMTEXT_WORDS_DICTIONARY ? segment->dictionary : segment->documents_at;
    lmtext_directory_entry entry;

    walk->index = index;
    walk->generation = segment->generation;
    walk->part = part;
    walk->steps = 0;
    if (!lmtext_words_fetch(index, directory, LMTEXT_WORDS_DIRECTORY, segment->generation,
                            walk->page.data))
        return false;
    memcpy(&entry, lmtext_words_body((Page)walk->page.data), sizeof entry);
    walk->next =
        lmtext_words_head_of((Page)walk->page.data)->used == 0 ? InvalidBlockNumber : entry.block;
    return true;
}

void
lmtext_words_walk_waiting(lmtext_words_walk *walk, Relation index,
                          const lmtext_words_waiting *waiting)
{
    walk->index = index;
    walk->generation = waiting->generation;
    walk->part = LMTEXT_WORDS_WAITING;
    walk->steps = 0;
    walk->next = waiting->first;
}

bool
lmtext_words_walk_next(lmtext_words_walk *walk, bool *more)
{
    CHECK_FOR_INTERRUPTS();
    *more = walk->next != InvalidBlockNumber;
    if (!*more)
        return true;
    walk->block = walk->next;
    if (++walk->steps > RelationGetNumberOfBlocks(walk->index))
        lmtext_words_damaged(walk->index, "A chain of its words is a circle.");
    if (!lmtext_words_fetch(walk->index, walk->block, walk->part, walk->generation,
                            walk->page.data))
        return false;
    walk->next = lmtext_page_tail_of((Page)walk->page.data)->next;
    return true;
}
