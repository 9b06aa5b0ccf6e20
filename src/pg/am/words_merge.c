/*
 * words_merge.c - segments made of others, of documents that wait, and of documents in memory.
 *
 * Sources are gone through word by word, all at once; their documents are numbered anew, one source
 * after the other, and dead ones are left out. Documents that wait are sealed first: inserts go on
 * into a new chain meanwhile. One at a time does this, under the lock of merges; the root is
 * changed last, and what it names no more is free.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/indexfsm.h"
#include "utils/memutils.h"

#include "base/sort.h"
#include "pg/am/words.h"

#define DEAD PG_UINT32_MAX

/* Documents by their numbers in a source, and where its words are read. */
typedef struct source {
    const lmtext_segment *segment; /* NULL: entries */
    uint32 *numbers, *lengths;     /* of its documents, in the new segment */
    uint32 documents;
    bool ended;
    uint64 hash; /* of its word at hand */

    lmtext_words_walk walk; /* of its dictionary */
    int at;                 /* in the page */
    lmtext_word word;
    lmtext_words_list list;

    lmtext_words_batch batch;
    size_t entry;
} source;

/* ---- Batches ---- */

static void *
grown(void *items, size_t *space, size_t size)
{
    *space = Max(*space * 2, 1024);
    return items == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, *space * size)
                         : repalloc_huge(items, *space * size);
}

void
lmtext_batch_document(lmtext_words_batch *batch, const lmtext_document *document)
{
    if (batch->document_count == batch->document_space)
        batch->documents =
            grown(batch->documents, &batch->document_space, sizeof(*batch->documents));
    batch->documents[batch->document_count++] = *document;
}

/* Of the document that was added last. */
void
lmtext_batch_word(lmtext_words_batch *batch, lmtext_counted word)
{
    if (batch->count == batch->space)
        batch->entries = grown(batch->entries, &batch->space, sizeof(*batch->entries));
    batch->entries[batch->count++] =
        (lmtext_words_entry){word.hash, (uint32)(batch->document_count - 1), word.frequency};
}

void
lmtext_batch_clear(lmtext_words_batch *batch)
{
    batch->document_count = batch->count = 0;
}

static int
by_word(const void *a, const void *b)
{
    const lmtext_words_entry *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash > y->hash ? 1 : -1;
    return (x->document > y->document) - (x->document < y->document);
}

static void
sort_batch(lmtext_words_batch *batch)
{
    lmtext_call call;

    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call,
                 lm_sort(&call.ctx, batch->entries, batch->count, sizeof(*batch->entries), by_word),
                 NULL);
}

/* ---- Sources ---- */

static void
replaced(Relation index)
{
    lmtext_words_damaged(index, "A page of its words is of another generation.");
}

/* The next word of a segment. */
static void
next_of_segment(source *s)
{
    while (s->at >= lmtext_words_walk_count(&s->walk, sizeof(s->word))) {
        bool more;

        if (!lmtext_words_walk_next(&s->walk, &more))
            replaced(s->walk.index);
        s->at = 0;
        s->ended = !more;
        if (!more)
            return;
    }
    memcpy(&s->word, lmtext_words_body((Page)s->walk.page.data) + s->at++ * sizeof(s->word),
           sizeof(s->word));
    if (s->word.documents == 0 || s->word.hash < s->hash)
        lmtext_words_damaged(s->walk.index, "A word is out of order.");
    s->hash = s->word.hash;
}

static void
next_word(source *s)
{
    if (s->segment != NULL) {
        next_of_segment(s);
        return;
    }
    s->ended = s->entry == s->batch.count;
    if (!s->ended)
        s->hash = s->batch.entries[s->entry].hash;
}

static void
pass_posting(const source *s, lmtext_words_writer *w, uint32 document, uint32 frequency)
{
    if (document >= s->documents)
        lmtext_words_damaged(w->index, "A posting names a document that there is not.");
    if (s->numbers[document] != DEAD)
        lmtext_writer_posting(w, s->numbers[document], frequency, s->lengths[document]);
}

static void
pass_list(source *s, lmtext_words_writer *w)
{
    lm_postings_head head;
    lm_postings rows;
    const uint8 *bytes;
    size_t available;

    lmtext_words_list_open(&s->list, w->index, s->segment->generation, &s->word);
    for (;;) {
        if (!lmtext_words_list_next(&s->list, &bytes, &available))
            replaced(w->index);
        if (bytes == NULL)
            return;
        if (!lm_postings_read_head(bytes, available, &head) ||
            !lm_postings_decode(bytes, &head, &rows))
            lmtext_words_damaged(w->index, "A block of postings is none.");
        for (int i = 0; i < head.count; i++)
            pass_posting(s, w, rows.documents[i], rows.frequencies[i]);
        CHECK_FOR_INTERRUPTS();
    }
}

/* The postings of the word at hand; then the next one is. */
static void
pass_word(source *s, lmtext_words_writer *w)
{
    if (s->segment != NULL)
        pass_list(s, w);
    else
        for (; s->entry < s->batch.count && s->batch.entries[s->entry].hash == s->hash; s->entry++)
            pass_posting(s, w, s->batch.entries[s->entry].document,
                         s->batch.entries[s->entry].frequency);
    next_word(s);
}

static void
pass_document(source *s, lmtext_words_writer *w, const lmtext_document *document,
              lmtext_words_vacuum *vacuum, uint32 number)
{
    ItemPointerData tid = document->tid;
    bool dead = vacuum->callback != NULL && vacuum->callback(&tid, vacuum->state);

    s->lengths[number] = document->length;
    s->numbers[number] = dead ? DEAD : lmtext_writer_document(w, document);
    vacuum->removed += dead;
}

static void
pass_documents(source *s, lmtext_words_writer *w, lmtext_words_vacuum *vacuum)
{
    uint32 number = 0;
    bool more = true;

    s->documents = s->segment->documents;
    s->numbers = MemoryContextAllocHuge(CurrentMemoryContext, (size_t)s->documents * 8 + 8);
    s->lengths = s->numbers + s->documents;
    if (!lmtext_words_walk_segment(&s->walk, w->index, s->segment, LMTEXT_WORDS_DOCUMENTS))
        replaced(w->index);
    while (lmtext_words_walk_next(&s->walk, &more) && more)
        for (int i = 0; i < lmtext_words_walk_count(&s->walk, sizeof(lmtext_document)); i++) {
            lmtext_document document;

            memcpy(&document, lmtext_words_body((Page)s->walk.page.data) + i * sizeof(document),
                   sizeof document);
            if (number >= s->documents)
                lmtext_words_damaged(w->index, "A segment has too many documents.");
            pass_document(s, w, &document, vacuum, number++);
        }
    if (more || number != s->documents)
        lmtext_words_damaged(w->index, "A segment has too few documents.");
}

static void
pass_batch_documents(source *s, lmtext_words_writer *w, lmtext_words_vacuum *vacuum)
{
    s->documents = (uint32)s->batch.document_count;
    s->numbers = MemoryContextAllocHuge(CurrentMemoryContext, (size_t)s->documents * 8 + 8);
    s->lengths = s->numbers + s->documents;
    for (uint32 i = 0; i < s->documents; i++)
        pass_document(s, w, &s->batch.documents[i], vacuum, i);
}

static void
begin_source(source *s, lmtext_words_writer *w, lmtext_words_vacuum *vacuum)
{
    if (s->segment == NULL)
        pass_batch_documents(s, w, vacuum);
    else {
        pass_documents(s, w, vacuum);
        if (!lmtext_words_walk_segment(&s->walk, w->index, s->segment, LMTEXT_WORDS_DICTIONARY))
            replaced(w->index);
        s->at = LMTEXT_WORDS_ROOM;
    }
    next_word(s);
}

/* Writes a segment of all sources, word by word. */
static void
pass_all(source *sources, int count, lmtext_words_writer *w, lmtext_words_vacuum *vacuum)
{
    for (int i = 0; i < count; i++)
        begin_source(&sources[i], w, vacuum);
    for (;;) {
        const source *least = NULL;
        uint64 hash;

        for (int i = 0; i < count; i++)
            if (!sources[i].ended && (least == NULL || sources[i].hash < least->hash))
                least = &sources[i];
        if (least == NULL)
            break;
        hash = least->hash;
        lmtext_writer_word(w, hash);
        for (int i = 0; i < count; i++)
            if (!sources[i].ended && sources[i].hash == hash)
                pass_word(&sources[i], w);
    }
    lmtext_writer_end(w);
}

/* ---- What the root says ---- */

/* A segment comes in place of those that are `taken`, and of the sealed documents. */
static void
change_root(lmtext_words_writer *w, BlockNumber block, const bool *taken, bool sealed)
{
    Buffer buffer;
    lmtext_change change;
    lmtext_words_root *root;
    uint32 kept = 0;

    (void)lmtext_words_lock(w->index, block, BUFFER_LOCK_EXCLUSIVE, &buffer);
    change = lmtext_change_begin(w->index, w->building);
    root = (lmtext_words_root *)lmtext_page_body(lmtext_change_page(&change, buffer, false));
    for (uint32 i = 0; i < root->segments; i++)
        if (!taken[i])
            root->segment[kept++] = root->segment[i];
    if (w->segment.documents > 0)
        root->segment[kept++] = w->segment;
    root->segments = kept;
    if (sealed)
        root->sealed =
            (lmtext_words_waiting){.first = InvalidBlockNumber, .last = InvalidBlockNumber};
    root->building = 0;
    root->changes++;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

/* Documents that wait are those of a merge that broke off, or what was inserted until now. */
static void
seal(Relation index, BlockNumber block, lmtext_words_root *copy)
{
    Buffer buffer;
    const lmtext_words_root *there =
        lmtext_words_lock(index, block, BUFFER_LOCK_EXCLUSIVE, &buffer);

    if (there->sealed.documents == 0 && there->pending.documents > 0) {
        lmtext_change change = lmtext_change_begin(index, false);
        lmtext_words_root *root =
            (lmtext_words_root *)lmtext_page_body(lmtext_change_page(&change, buffer, false));

        root->sealed = root->pending;
        root->pending = (lmtext_words_waiting){.generation = ++root->generations,
                                               .first = InvalidBlockNumber,
                                               .last = InvalidBlockNumber};
        lmtext_change_end(&change);
        there = (lmtext_words_root *)lmtext_page_body(BufferGetPage(buffer));
    }
    *copy = *there;
    UnlockReleaseBuffer(buffer);
}

static void
read_waiting(Relation index, const lmtext_words_waiting *waiting, lmtext_words_batch *batch)
{
    lmtext_words_walk *walk = palloc(sizeof(*walk));
    lmtext_words_waiting_part part;
    bool more;

    lmtext_words_walk_waiting(walk, index, waiting);
    for (;;) {
        int at = 0;

        if (!lmtext_words_walk_next(walk, &more))
            replaced(index);
        if (!more)
            break;
        while (lmtext_words_waiting_next(index, (Page)walk->page.data, &at, &part)) {
            if (!part.continues)
                lmtext_batch_document(batch, &part.document);
            else if (batch->document_count == 0)
                lmtext_words_damaged(index, "A document that waits has no beginning.");
            for (int i = 0; i < part.count; i++)
                lmtext_batch_word(batch, lmtext_words_waiting_word(&part, i));
        }
    }
    pfree(walk);
    sort_batch(batch);
}

/* ---- Free pages ---- */

#define SWEEP_PART 16 /* of the index; less does not pay */

/* Pages that the root names no more; some are kept for documents that will wait. */
static uint32
find_free(Relation index, const lmtext_words_root *root, BlockNumber *spare)
{
    BlockNumber blocks = RelationGetNumberOfBlocks(index);
    uint32 spares = 0;

    for (BlockNumber block = LMTEXT_WORDS_ROOT + 1; block < blocks; block++) {
        bool free = lmtext_words_is_free(index, root, block);

        CHECK_FOR_INTERRUPTS();
        if (free && root->spares + spares < LMTEXT_SPARE_MOST)
            spare[spares++] = block;
        else if (free || lmtext_words_is_left(index, block))
            RecordFreeIndexPage(index, block);
    }
    return spares;
}

/* Nobody else adds to the spare ones. */
static void
sweep(Relation index, BlockNumber block)
{
    BlockNumber spare[LMTEXT_SPARE_MOST];
    lmtext_words_root copy;
    lmtext_change change;
    lmtext_words_root *root;
    Buffer buffer;
    uint32 spares;

    lmtext_words_copy_root(index, block, &copy);
    spares = find_free(index, &copy, spare);
    IndexFreeSpaceMapVacuum(index);
    if (spares == 0)
        return;
    (void)lmtext_words_lock(index, block, BUFFER_LOCK_EXCLUSIVE, &buffer);
    change = lmtext_change_begin(index, false);
    root = (lmtext_words_root *)lmtext_page_body(lmtext_change_page(&change, buffer, false));
    memcpy(root->spare + root->spares, spare, spares * sizeof(*spare));
    root->spares += spares;
    lmtext_change_end(&change);
    UnlockReleaseBuffer(buffer);
}

/* ---- Merges ---- */

static source *
make_sources(Relation index, const lmtext_words_root *root, const bool *taken, int *count)
{
    source *sources =
        MemoryContextAllocExtended(CurrentMemoryContext, (root->segments + 1) * sizeof(*sources),
                                   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

    *count = 0;
    for (uint32 i = 0; i < root->segments; i++)
        if (taken[i])
            sources[(*count)++].segment = &root->segment[i];
    if (root->sealed.documents > 0)
        read_waiting(index, &root->sealed, &sources[(*count)++].batch);
    return sources;
}

/* What is taken, and documents that wait, as one segment. */
static void
merge_taken(Relation index, BlockNumber block, const lmtext_words_root *root, const bool *taken,
            bool building, lmtext_words_vacuum *vacuum)
{
    lmtext_words_writer *w = palloc(sizeof(*w));
    int count;
    source *sources = make_sources(index, root, taken, &count);

    lmtext_writer_begin(w, index, block, building);
    pass_all(sources, count, w, vacuum);
    change_root(w, block, taken, root->sealed.documents > 0);
}

void
lmtext_batch_write(Relation index, BlockNumber block, lmtext_words_batch *batch)
{
    const bool taken[LMTEXT_SEGMENTS_MOST] = {false};
    lmtext_words_vacuum vacuum = {NULL};
    lmtext_words_writer *w = palloc(sizeof(*w));
    source *from = palloc0(sizeof(*from));

    sort_batch(batch);
    from->batch = *batch;
    lmtext_writer_begin(w, index, block, true);
    pass_all(from, 1, w, &vacuum);
    change_root(w, block, taken, false);
    pfree(from->numbers);
    pfree(from);
    pfree(w);
}

/* Those that are there, but for a single one. */
void
lmtext_words_join(Relation index, BlockNumber block)
{
    lmtext_words_vacuum vacuum = {NULL};
    bool taken[LMTEXT_SEGMENTS_MOST];
    lmtext_words_root root;

    lmtext_words_copy_root(index, block, &root);
    memset(taken, true, sizeof taken);
    if (root.segments > 1)
        merge_taken(index, block, &root, taken, true, &vacuum);
}

/* Has the segment a dead row? */
static bool
has_dead(Relation index, const lmtext_segment *segment, const lmtext_words_vacuum *vacuum)
{
    lmtext_words_walk *walk = palloc(sizeof(*walk));
    bool more = true, dead = false;

    if (!lmtext_words_walk_segment(walk, index, segment, LMTEXT_WORDS_DOCUMENTS))
        replaced(index);
    while (!dead && lmtext_words_walk_next(walk, &more) && more)
        for (int i = 0; !dead && i < lmtext_words_walk_count(walk, sizeof(lmtext_document)); i++) {
            lmtext_document document;

            memcpy(&document, lmtext_words_body((Page)walk->page.data) + i * sizeof(document),
                   sizeof document);
            dead = vacuum->callback(&document.tid, vacuum->state);
        }
    pfree(walk);
    return dead;
}

static uint64
pages_from(const lmtext_words_root *root, uint32 first)
{
    uint64 pages = root->sealed.pages;

    for (uint32 i = first; i < root->segments; i++)
        pages += root->segment[i].pages;
    return pages;
}

/*
 * The first of the last segments that become one: it is not more than twice as large as all behind
 * it, so that a document is written anew a logarithm of times. Who may not work for long leaves the
 * large ones to who may, as long as there is room for their number.
 */
static uint32
first_small(const lmtext_words_root *root, const lmtext_words_vacuum *vacuum)
{
    uint64 behind = root->sealed.documents;
    uint32 first = root->segments;

    if (root->sealed.documents > 0 && root->segments >= LMTEXT_SEGMENTS_MOST - 1)
        return 0;
    for (uint32 i = root->segments; i-- > 0;) {
        if (root->segment[i].documents <= 2 * behind)
            first = i;
        behind += root->segment[i].documents;
    }
    while (vacuum->most > 0 && first < root->segments && pages_from(root, first) > vacuum->most)
        first++;
    return first;
}

/* Those, and segments with dead rows. */
static uint32
take(Relation index, const lmtext_words_root *root, const lmtext_words_vacuum *vacuum, bool *taken)
{
    uint32 first = first_small(root, vacuum), pages = root->sealed.pages;

    for (uint32 i = 0; i < root->segments; i++) {
        taken[i] =
            i >= first || (vacuum->callback != NULL && has_dead(index, &root->segment[i], vacuum));
        if (taken[i])
            pages += root->segment[i].pages;
    }
    return pages;
}

static void
merge_once(Relation index, BlockNumber block, lmtext_words_vacuum *vacuum)
{
    bool taken[LMTEXT_SEGMENTS_MOST] = {false};
    lmtext_words_root root;
    uint32 pages;

    seal(index, block, &root);
    pages = take(index, &root, vacuum, taken);
    if (pages == 0)
        return;
    merge_taken(index, block, &root, taken, false, vacuum);
    if (vacuum->callback != NULL || pages >= RelationGetNumberOfBlocks(index) / SWEEP_PART)
        sweep(index, block);
}

/* After a merge that broke off, what was sealed then comes first. */
void
lmtext_words_merge(Relation index, BlockNumber block, lmtext_words_vacuum *vacuum)
{
    MemoryContext memory =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext words", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(memory);
    lmtext_words_root root;

    lmtext_words_copy_root(index, block, &root);
    if (root.sealed.documents > 0)
        merge_once(index, block, vacuum);
    merge_once(index, block, vacuum);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(memory);
}

static void
merge_locked(Relation index, BlockNumber block, lmtext_words_vacuum *vacuum)
{
    lmtext_words_lock_merge(index, block);
    lmtext_words_merge(index, block, vacuum);
    lmtext_words_unlock_merge(index, block);
}

void
lmtext_words_flush(Relation index)
{
    lmtext_words_vacuum vacuum = {NULL};
    BlockNumber block = lmtext_words_block(index);

    if (block != InvalidBlockNumber)
        merge_locked(index, block, &vacuum);
}

void
lmtext_words_vacuum_all(Relation index, IndexBulkDeleteResult *stats,
                        IndexBulkDeleteCallback callback, void *state)
{
    lmtext_words_vacuum vacuum = {.callback = callback, .state = state};
    BlockNumber block = lmtext_words_block(index);
    lmtext_words_root root;

    if (block == InvalidBlockNumber)
        return;
    merge_locked(index, block, &vacuum);
    if (lmtext_index_has_vectors(index))
        return;
    lmtext_words_copy_root(index, block, &root);
    stats->tuples_removed += (double)vacuum.removed;
    stats->num_index_tuples = (double)lmtext_words_corpus(&root).documents;
}
