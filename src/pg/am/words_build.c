/*
 * words_build.c - the words of a table's rows, as an index is built: batches in memory, each a
 * segment. And of one row that is inserted.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/am/words.h"

#define SEGMENTS_KEPT \
    8 /* of a build; more are made one, which leaves the pages of the others free */

/* What an insert writes anew at most, in some 0.5 s: where a statement may take a second only, no
 * insert would ever end a merge of more, and each would try. */
#define INSERT_PAGES 1024

struct lmtext_words_build {
    Relation index;
    lmtext_cutter cutter;
    lmtext_meta meta;
    lmtext_words_batch batch;
    MemoryContext memory, row;
    int64 documents;
};

lmtext_words_build *
lmtext_words_build_begin(Relation index)
{
    lmtext_words_build *build;
    MemoryContext memory, caller;
    lmtext_meta meta;

    lmtext_meta_read(index, &meta);
    if (meta.words == InvalidBlockNumber)
        return NULL;
    memory = AllocSetContextCreate(CurrentMemoryContext, "lmtext words", ALLOCSET_DEFAULT_SIZES);
    caller = MemoryContextSwitchTo(memory);
    build = palloc0(sizeof(*build));
    build->index = index;
    build->cutter = lmtext_cutter_make(index, false);
    build->meta = meta;
    build->memory = memory;
    build->row = AllocSetContextCreate(memory, "lmtext row", ALLOCSET_DEFAULT_SIZES);
    MemoryContextSwitchTo(caller);
    return build;
}

static size_t
batch_bytes(const lmtext_words_batch *batch)
{
    return batch->count * 2 * sizeof(*batch->entries) + /* a second array, when it is sorted */
           batch->document_count * sizeof(*batch->documents);
}

static void
write_batch(lmtext_words_build *build)
{
    lmtext_words_root root;

    lmtext_batch_write(build->index, build->meta.words, &build->batch);
    lmtext_batch_clear(&build->batch);
    lmtext_words_copy_root(build->index, build->meta.words, &root);
    if (root.segments == LMTEXT_SEGMENTS_MOST)
        lmtext_words_join(build->index, build->meta.words);
}

lmtext_document
lmtext_words_of_row(lmtext_cutter *cutter, Relation index, const lmtext_meta *meta, Datum value,
                    ItemPointer tid, lmtext_text_words *words)
{
    text *body = DatumGetTextPP(value);
    lm_text bytes = lmtext_utf8_from_text(body);
    lmtext_document document = {.tid = *tid};

    document.hash = lmtext_value_hash(meta, bytes.bytes, bytes.length);
    lmtext_words_read(cutter, index, meta, body, words);
    document.length = words->length;
    return document;
}

void
lmtext_words_build_document(lmtext_words_build *build, const lmtext_document *document,
                            const lmtext_text_words *words)
{
    MemoryContext caller = MemoryContextSwitchTo(build->memory);

    lmtext_batch_document(&build->batch, document);
    for (int i = 0; i < words->count; i++)
        lmtext_batch_word(&build->batch, words->words[i]);
    build->documents++;
    if (batch_bytes(&build->batch) > (size_t)maintenance_work_mem * 1024)
        write_batch(build);
    MemoryContextSwitchTo(caller);
}

void
lmtext_words_build_add(lmtext_words_build *build, Datum value, ItemPointer tid)
{
    MemoryContext caller = MemoryContextSwitchTo(build->row);
    lmtext_text_words words;
    lmtext_document document =
        lmtext_words_of_row(&build->cutter, build->index, &build->meta, value, tid, &words);

    lmtext_words_build_document(build, &document, &words);
    MemoryContextSwitchTo(caller);
    MemoryContextReset(build->row);
}

int64
lmtext_words_build_end(lmtext_words_build *build)
{
    int64 documents = build->documents;
    lmtext_words_root root;
    MemoryContext caller = MemoryContextSwitchTo(build->memory);

    if (build->batch.document_count > 0)
        write_batch(build);
    lmtext_words_copy_root(build->index, build->meta.words, &root);
    if (root.segments > SEGMENTS_KEPT)
        lmtext_words_join(build->index, build->meta.words);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(build->memory);
    return documents;
}

/* ---- One row ---- */

/* Who inserts makes a segment of what waits, unless another does by now. */
static void
merge_if_free(Relation index, BlockNumber block)
{
    lmtext_words_vacuum vacuum = {.most = INSERT_PAGES};

    if (!lmtext_words_try_merge(index, block))
        return;
    lmtext_words_merge(index, block, &vacuum);
    lmtext_words_unlock_merge(index, block);
}

void
lmtext_words_insert(lmtext_cutter *cutter, Relation index, const lmtext_meta *meta, Datum value,
                    ItemPointer tid)
{
    lmtext_text_words words;
    lmtext_document document;
    bool full;

    document = lmtext_words_of_row(cutter, index, meta, value, tid, &words);
    lmtext_words_append(index, meta->words, &document, &words, &full);
    if (full)
        merge_if_free(index, meta->words);
}
