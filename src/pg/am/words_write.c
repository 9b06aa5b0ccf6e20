/*
 * words_write.c - a segment being written: documents, words, postings, and directories of the
 * pages of the first two.
 *
 * Pages fill in memory and are written once, each when it is known where the next one will be.
 * Nobody reads them until the root names the segment.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/indexfsm.h"

#include "pg/am/words.h"

static BlockNumber
new_block(lmtext_words_writer *w)
{
    BlockNumber block = InvalidBlockNumber;
    Buffer buffer;

    w->segment.pages++;
    while (!w->building && (block = GetFreeIndexPage(w->index)) != InvalidBlockNumber)
        if (lmtext_words_is_free(w->index, &w->root, block) ||
            lmtext_words_is_left(w->index, block))
            return block;
    buffer = lmtext_page_extend(w->index, MAIN_FORKNUM);
    block = BufferGetBlockNumber(buffer);
    UnlockReleaseBuffer(buffer);
    return block;
}

/* ---- Streams of pages ---- */

static void
stream_page(lmtext_words_writer *w, lmtext_stream *stream, lmtext_words_part part,
            BlockNumber block)
{
    lmtext_words_page_init((Page)stream->page.data, part, w->segment.generation);
    stream->block = block;
}

static void
stream_begin(lmtext_words_writer *w, lmtext_stream *stream, lmtext_words_part part)
{
    stream_page(w, stream, part, new_block(w));
    stream->first = stream->block;
}

static void
stream_write(lmtext_words_writer *w, lmtext_stream *stream, BlockNumber next)
{
    Buffer buffer = ReadBuffer(w->index, stream->block);
    lmtext_change change;

    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    lmtext_page_tail_of((Page)stream->page.data)->next = next;
    change = lmtext_change_begin(w->index, w->building);
    memcpy(lmtext_change_page(&change, buffer, true), stream->page.data, BLCKSZ);
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

/* Where so many bytes go; *fresh: into a page of their own. */
static char *
stream_place(lmtext_words_writer *w, lmtext_stream *stream, size_t bytes, bool *fresh)
{
    lmtext_words_head *head = lmtext_words_head_of((Page)stream->page.data);
    lmtext_words_part part = head->part;
    char *place;

    if (head->used + bytes > LMTEXT_WORDS_ROOM) {
        BlockNumber next = new_block(w);

        stream_write(w, stream, next);
        stream_page(w, stream, part, next);
        CHECK_FOR_INTERRUPTS();
    }
    *fresh = head->used == 0;
    place = lmtext_words_body((Page)stream->page.data) + head->used;
    head->used += (uint16)bytes;
    return place;
}

static void
stream_enter(lmtext_words_writer *w, lmtext_stream *directory, uint64 key, BlockNumber block)
{
    const lmtext_directory_entry entry = {.key = key, .block = block};
    bool fresh;

    memcpy(stream_place(w, directory, sizeof entry, &fresh), &entry, sizeof entry);
}

/* ---- The parts ---- */

/* That it is under way is logged first: none of its pages is free. */
static void
begin_generation(lmtext_words_writer *w, BlockNumber block)
{
    Buffer buffer;
    lmtext_change change;
    lmtext_words_root *root;

    (void)lmtext_words_lock(w->index, block, BUFFER_LOCK_EXCLUSIVE, &buffer);
    change = lmtext_change_begin(w->index, w->building);
    root = (lmtext_words_root *)lmtext_page_body(lmtext_change_page(&change, buffer, false));
    root->building = ++root->generations;
    w->root = *root;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

void
lmtext_writer_begin(lmtext_words_writer *w, Relation index, BlockNumber root, bool building)
{
    memset(w, 0, sizeof(*w));
    w->index = index;
    w->building = building;
    begin_generation(w, root);
    w->segment.generation = w->root.building;
    stream_begin(w, &w->dictionary, LMTEXT_WORDS_DICTIONARY);
    stream_begin(w, &w->documents, LMTEXT_WORDS_DOCUMENTS);
    stream_begin(w, &w->postings, LMTEXT_WORDS_POSTINGS);
    stream_begin(w, &w->dictionary_directory, LMTEXT_WORDS_DIRECTORY);
    stream_begin(w, &w->documents_directory, LMTEXT_WORDS_DIRECTORY);
}

uint32
lmtext_writer_document(lmtext_words_writer *w, const lmtext_document *document)
{
    bool fresh;

    if (w->segment.documents == PG_UINT32_MAX - 1)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("an index of words has too many rows")));
    memcpy(stream_place(w, &w->documents, sizeof(*document), &fresh), document, sizeof(*document));
    if (fresh)
        stream_enter(w, &w->documents_directory, w->segment.documents, w->documents.block);
    w->segment.length += document->length;
    return w->segment.documents++;
}

/* The block goes as one into a page. */
static void
write_block(lmtext_words_writer *w)
{
    uint8 block[LM_POSTINGS_MOST + LM_POSTINGS_PADDING];
    size_t bytes = lm_postings_encode(&w->rows, w->count, block);
    bool fresh;
    char *place = stream_place(w, &w->postings, bytes, &fresh);

    memcpy(place, block, bytes);
    if (w->word.documents == (uint32)w->count) {
        w->word.block = w->postings.block;
        w->word.offset = (uint16)(place - lmtext_words_body((Page)w->postings.page.data));
    }
    w->count = 0;
}

static void
end_word(lmtext_words_writer *w)
{
    bool fresh;

    if (w->word.documents == 0)
        return;
    if (w->count > 0)
        write_block(w);
    memcpy(stream_place(w, &w->dictionary, sizeof(w->word), &fresh), &w->word, sizeof(w->word));
    if (fresh)
        stream_enter(w, &w->dictionary_directory, w->word.hash, w->dictionary.block);
    w->segment.words++;
}

void
lmtext_writer_word(lmtext_words_writer *w, uint64 hash)
{
    end_word(w);
    w->word = (lmtext_word){.hash = hash, .shortest = PG_UINT32_MAX};
}

/* A full block is written when another posting comes. */
void
lmtext_writer_posting(lmtext_words_writer *w, uint32 document, uint32 frequency, uint32 length)
{
    if (w->count == LM_POSTINGS_BLOCK)
        write_block(w);
    w->rows.documents[w->count] = document;
    w->rows.frequencies[w->count] = frequency;
    w->rows.lengths[w->count++] = length;
    w->word.documents++;
    w->word.most = (uint16)Max(w->word.most, frequency);
    w->word.shortest = Min(w->word.shortest, length);
}

void
lmtext_writer_end(lmtext_words_writer *w)
{
    end_word(w);
    stream_write(w, &w->dictionary, InvalidBlockNumber);
    stream_write(w, &w->documents, InvalidBlockNumber);
    stream_write(w, &w->postings, InvalidBlockNumber);
    stream_write(w, &w->dictionary_directory, InvalidBlockNumber);
    stream_write(w, &w->documents_directory, InvalidBlockNumber);
    w->segment.dictionary = w->dictionary_directory.first;
    w->segment.documents_at = w->documents_directory.first;
}
