/*
 * words_check.c - do the words of an index agree with the rows of its table?
 *
 * Every posting is added up under its document, as a number that is made of word and frequency; the
 * sum of a text's own words must be the same.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/sort.h"
#include "pg/am/words.h"

typedef struct entry {
    lmtext_document document;
    uint64 sum;
} entry;

struct lmtext_words_check {
    Relation index;
    lmtext_cutter cutter;
    const lmtext_meta *meta;
    lmtext_words_faults *faults;
    entry *entries; /* by TID, in the end */
    size_t count, space;
    size_t base; /* of the segment's documents */
};

static uint64
number_of(uint64 hash, uint32 frequency)
{
    return hash_combine64(hash, murmurhash32(frequency)) | 1;
}

static void
add_entry(lmtext_words_check *c, const lmtext_document *document)
{
    if (c->count == c->space) {
        c->space = Max(c->space * 2, 1024);
        c->entries = c->entries == NULL
                         ? MemoryContextAllocHuge(CurrentMemoryContext, c->space * sizeof(entry))
                         : repalloc_huge(c->entries, c->space * sizeof(entry));
    }
    if (!ItemPointerIsValid(&document->tid))
        lmtext_words_damaged(c->index, "A document has no place.");
    c->entries[c->count++] = (entry){*document, 0};
}

static void
replaced(const lmtext_words_check *c)
{
    lmtext_words_damaged(c->index, "A page of its words is of another generation.");
}

/* ---- Segments ---- */

static void
add_documents(lmtext_words_check *c, const lmtext_segment *segment, lmtext_words_walk *walk)
{
    bool more;

    c->base = c->count;
    if (!lmtext_words_walk_segment(walk, c->index, segment, LMTEXT_WORDS_DOCUMENTS))
        replaced(c);
    for (;;) {
        if (!lmtext_words_walk_next(walk, &more))
            replaced(c);
        if (!more)
            break;
        for (int i = 0; i < lmtext_words_walk_count(walk, sizeof(lmtext_document)); i++) {
            lmtext_document document;

            memcpy(&document, lmtext_words_body((Page)walk->page.data) + i * sizeof(document),
                   sizeof document);
            add_entry(c, &document);
        }
    }
    if (c->count - c->base != segment->documents)
        lmtext_words_damaged(c->index, "A segment has another number of documents than it says.");
}

static void
add_postings(lmtext_words_check *c, const lmtext_word *word, const lm_postings *rows, int count)
{
    for (int i = 0; i < count; i++) {
        entry *one = &c->entries[c->base + rows->documents[i]];

        if (c->base + rows->documents[i] >= c->count)
            lmtext_words_damaged(c->index, "A posting names a document that there is not.");
        if (rows->lengths[i] != one->document.length || rows->frequencies[i] > word->most ||
            rows->lengths[i] < word->shortest)
            lmtext_words_damaged(c->index, "A posting has another length than its document.");
        one->sum += number_of(word->hash, rows->frequencies[i]);
    }
}

static void
add_list(lmtext_words_check *c, const lmtext_segment *segment, const lmtext_word *word,
         lmtext_words_list *list)
{
    lm_postings_head head;
    lm_postings rows;
    const uint8 *bytes;
    size_t available;

    lmtext_words_list_open(list, c->index, segment->generation, word);
    for (;;) {
        if (!lmtext_words_list_next(list, &bytes, &available))
            replaced(c);
        if (bytes == NULL)
            return;
        if (!lm_postings_read_head(bytes, available, &head) ||
            !lm_postings_decode(bytes, &head, &rows))
            lmtext_words_damaged(c->index, "A block of postings is none.");
        add_postings(c, word, &rows, head.count);
        CHECK_FOR_INTERRUPTS();
    }
}

/* Each word must be found by its hash as well. */
static void
add_word(lmtext_words_check *c, const lmtext_segment *segment, const lmtext_word *word,
         lmtext_words_list *list)
{
    lmtext_word again;
    bool found;

    if (!lmtext_words_find(c->index, segment, word->hash, &again, &found))
        replaced(c);
    if (!found || memcmp(&again, word, sizeof again) != 0)
        lmtext_words_damaged(c->index, "A word is not found where its directory says.");
    add_list(c, segment, word, list);
    c->faults->words++;
}

static void
add_segment(lmtext_words_check *c, const lmtext_segment *segment, lmtext_words_walk *walk,
            lmtext_words_list *list)
{
    bool more;

    add_documents(c, segment, walk);
    if (!lmtext_words_walk_segment(walk, c->index, segment, LMTEXT_WORDS_DICTIONARY))
        replaced(c);
    for (;;) {
        if (!lmtext_words_walk_next(walk, &more))
            replaced(c);
        if (!more)
            return;
        for (int i = 0; i < lmtext_words_walk_count(walk, sizeof(lmtext_word)); i++) {
            lmtext_word word;

            memcpy(&word, lmtext_words_body((Page)walk->page.data) + i * sizeof(word), sizeof word);
            add_word(c, segment, &word, list);
        }
    }
}

/* On a standby more come while they are read. */
static bool
are_all(size_t found, uint32 documents)
{
    return found == documents || (found > documents && RecoveryInProgress());
}

static void
add_waiting(lmtext_words_check *c, const lmtext_words_waiting *waiting, lmtext_words_walk *walk)
{
    lmtext_words_waiting_part part;
    size_t before = c->count;
    bool more;

    lmtext_words_walk_waiting(walk, c->index, waiting);
    for (;;) {
        int at = 0;

        if (!lmtext_words_walk_next(walk, &more))
            replaced(c);
        if (!more)
            break;
        while (lmtext_words_waiting_next(c->index, (Page)walk->page.data, &at, &part)) {
            if (!part.continues)
                add_entry(c, &part.document);
            for (int i = 0; i < part.count && c->count > before; i++) {
                lmtext_counted word = lmtext_words_waiting_word(&part, i);

                c->entries[c->count - 1].sum += number_of(word.hash, word.frequency);
            }
        }
    }
    if (!are_all(c->count - before, waiting->documents))
        lmtext_words_damaged(c->index, "Other documents wait than the root says.");
}

/* ---- Rows ---- */

static int
by_tid(const void *a, const void *b)
{
    return ItemPointerCompare((ItemPointer) & ((const entry *)a)->document.tid,
                              (ItemPointer) & ((const entry *)b)->document.tid);
}

static void
sort_entries(lmtext_words_check *c)
{
    lmtext_call call;

    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call, lm_sort(&call.ctx, c->entries, c->count, sizeof(entry), by_tid), NULL);
    for (size_t i = 1; i < c->count; i++)
        c->faults->twice += by_tid(&c->entries[i - 1], &c->entries[i]) == 0;
}

lmtext_words_check *
lmtext_words_check_begin(Relation index, const lmtext_meta *meta, lmtext_words_faults *faults)
{
    lmtext_words_check *c = palloc0(sizeof(*c));
    lmtext_words_walk *walk = palloc(sizeof(*walk));
    lmtext_words_list *list = palloc(sizeof(*list));
    lmtext_words_root root;

    *c = (lmtext_words_check){.index = index, .meta = meta, .faults = faults};
    c->cutter = lmtext_cutter_make(index, false);
    lmtext_words_copy_root(index, meta->words, &root);
    for (uint32 i = 0; i < root.segments; i++)
        add_segment(c, &root.segment[i], walk, list);
    add_waiting(c, &root.sealed, walk);
    add_waiting(c, &root.pending, walk);
    sort_entries(c);
    faults->documents = (int64)c->count;
    return c;
}

static uint64
sum_of(const lmtext_text_words *words)
{
    uint64 sum = 0;

    for (int i = 0; i < words->count; i++)
        sum += number_of(words->words[i].hash, words->words[i].frequency);
    return sum;
}

void
lmtext_words_check_row(lmtext_words_check *c, ItemPointer tid, Datum value)
{
    entry key = {.document.tid = *tid};
    const entry *one =
        c->count > 0 ? bsearch(&key, c->entries, c->count, sizeof(key), by_tid) : NULL;
    text *body = DatumGetTextPP(value);
    lm_text bytes = lmtext_utf8_from_text(body);
    lm_hash128 hash = lmtext_value_hash(c->meta, bytes.bytes, bytes.length);
    lmtext_text_words words;

    lmtext_words_read(&c->cutter, c->index, c->meta, body, &words);
    c->faults->missing += one == NULL;
    c->faults->stale +=
        one != NULL &&
        (one->document.length != words.length || one->document.hash.low != hash.low ||
         one->document.hash.high != hash.high || one->sum != sum_of(&words));
}
