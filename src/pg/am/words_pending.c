/*
 * words_pending.c - documents that wait until they are made a segment of: appended by inserts, a
 * document after the other, under the lock of the root.
 *
 * A document whose words do not fit into the page goes on in the next one. Its numbers are counted
 * with its first part; a scan that meets a half of it does not see its row.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/am/words.h"

#define PAGES_MOST 64 /* that wait; then a segment is made */
#define WORD_BYTES (sizeof(uint64) + 1)

typedef struct part_head {
    lmtext_document document; /* .unused: it goes on what was before */
    uint32 count;
} part_head;

#define PART_BYTES MAXALIGN(sizeof(part_head))

static int
room_of(Page page)
{
    return LMTEXT_WORDS_ROOM - lmtext_words_head_of(page)->used;
}

/* As many words as fit; returns how many are done. */
static int
put_part(Page page, const lmtext_document *document, const lmtext_text_words *words, int done)
{
    part_head head = {.document = *document};
    char *place = lmtext_words_body(page) + lmtext_words_head_of(page)->used;
    int most = (room_of(page) - (int)PART_BYTES) / (int)WORD_BYTES;
    int count = Min(words->count - done, most);

    head.document.unused = done > 0;
    head.count = (uint32)count;
    memcpy(place, &head, sizeof head);
    place += PART_BYTES;
    for (int i = done; i < done + count; i++, place += WORD_BYTES) {
        memcpy(place, &words->words[i].hash, sizeof(uint64));
        place[sizeof(uint64)] = (char)(words->words[i].frequency - 1);
    }
    lmtext_words_head_of(page)->used += (uint16)MAXALIGN(PART_BYTES + count * WORD_BYTES);
    return done + count;
}

/* A spare page, or a new one; locked. One that is in use is not overwritten, nor locked twice. */
static Buffer
new_page(Relation index, lmtext_words_root *root)
{
    BlockNumber block;
    Buffer buffer;

    if (root->spares == 0)
        return lmtext_page_extend(index, MAIN_FORKNUM);
    block = root->spare[--root->spares];
    if (block == root->pending.last)
        lmtext_words_damaged(index, "A spare page of it has documents that wait.");
    buffer = lmtext_page_read_beside(index, block, LMTEXT_PAGE_WORDS, LMTEXT_WORDS_ROOT,
                                     BUFFER_LOCK_EXCLUSIVE);
    if (lmtext_words_is_named(root, lmtext_page_tail_of(BufferGetPage(buffer))->owner))
        lmtext_index_damaged(index, block, "It is in use, and the root of words has it as spare.");
    return buffer;
}

/* A page of documents that wait, with room for at least one word. */
static Buffer
last_page(Relation index, const lmtext_words_waiting *waiting)
{
    Buffer buffer;

    if (waiting->last == InvalidBlockNumber)
        return InvalidBuffer;
    buffer = lmtext_page_read_beside(index, waiting->last, LMTEXT_PAGE_WORDS, LMTEXT_WORDS_ROOT,
                                     BUFFER_LOCK_EXCLUSIVE);
    if (lmtext_page_tail_of(BufferGetPage(buffer))->owner != waiting->generation ||
        lmtext_words_head_of(BufferGetPage(buffer))->part != LMTEXT_WORDS_WAITING ||
        lmtext_words_head_of(BufferGetPage(buffer))->used > LMTEXT_WORDS_ROOM)
        lmtext_index_damaged(index, waiting->last, "It is no page of documents that wait.");
    return buffer;
}

static void
link_page(lmtext_change *change, Buffer last, lmtext_words_waiting *waiting, Buffer fresh)
{
    if (BufferIsValid(last))
        lmtext_page_tail_of(lmtext_change_page(change, last, false))->next =
            BufferGetBlockNumber(fresh);
    else
        waiting->first = BufferGetBlockNumber(fresh);
    waiting->last = BufferGetBlockNumber(fresh);
    waiting->pages++;
}

/* One change: root, the last page, and a new one where it is full. Returns how many words are done.
 */
static int
append_part(Relation index, Buffer root_buffer, const lmtext_document *document,
            const lmtext_text_words *words, int done)
{
    lmtext_change change = lmtext_change_begin(index, false);
    lmtext_words_root *root =
        (lmtext_words_root *)lmtext_page_body(lmtext_change_page(&change, root_buffer, false));
    Buffer last = last_page(index, &root->pending), fresh = InvalidBuffer;
    Page page;

    if (!BufferIsValid(last) || room_of(BufferGetPage(last)) < (int)(PART_BYTES + 64)) {
        fresh = new_page(index, root);
        link_page(&change, last, &root->pending, fresh);
        page = lmtext_change_page(&change, fresh, true);
        lmtext_words_page_init(page, LMTEXT_WORDS_WAITING, root->pending.generation);
    } else
        page = lmtext_change_page(&change, last, false);
    root->pending.documents += done == 0;
    root->pending.length += done == 0 ? document->length : 0;
    done = put_part(page, document, words, done);
    lmtext_change_end(&change);
    if (BufferIsValid(last))
        UnlockReleaseBuffer(last);
    if (BufferIsValid(fresh))
        UnlockReleaseBuffer(fresh);
    return done;
}

void
lmtext_words_append(Relation index, BlockNumber block, const lmtext_document *document,
                    const lmtext_text_words *words, bool *full)
{
    Buffer buffer;
    const lmtext_words_root *root = lmtext_words_lock(index, block, BUFFER_LOCK_EXCLUSIVE, &buffer);
    int done = 0;

    do
        done = append_part(index, buffer, document, words, done);
    while (done < words->count);
    *full = root->pending.pages >= PAGES_MOST;
    UnlockReleaseBuffer(buffer);
}

/* ---- Reading ---- */

bool
lmtext_words_waiting_next(Relation index, Page page, int *at, lmtext_words_waiting_part *part)
{
    int left = lmtext_words_head_of(page)->used - *at;
    part_head head;

    if (left == 0)
        return false;
    if (left < (int)PART_BYTES)
        lmtext_words_damaged(index, "A document that waits is cut.");
    memcpy(&head, lmtext_words_body(page) + *at, sizeof head);
    if (head.count > (left - PART_BYTES) / WORD_BYTES)
        lmtext_words_damaged(index, "A document that waits has too many words.");
    part->document = head.document;
    part->continues = head.document.unused != 0;
    part->count = (int)head.count;
    part->words = lmtext_words_body(page) + *at + PART_BYTES;
    *at += (int)Min(MAXALIGN(PART_BYTES + head.count * WORD_BYTES), (size_t)left);
    return true;
}

lmtext_counted
lmtext_words_waiting_word(const lmtext_words_waiting_part *part, int number)
{
    const char *place = part->words + number * WORD_BYTES;
    lmtext_counted word = {.frequency = (uint32)(uint8)place[sizeof(uint64)] + 1};

    memcpy(&word.hash, place, sizeof word.hash);
    return word;
}
