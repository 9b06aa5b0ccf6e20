/*
 * words.h - the words of an index WITH (words = …): what the files words_*.c share.
 *
 * One page is the root. It says which segments there are, and where documents wait that are in none
 * yet. A segment is written once and never changed; another one replaces it. A page of words names
 * the generation that it is of; whoever reads one of another generation looks at the root again.
 */
#ifndef LMTEXT_WORDS_H
#define LMTEXT_WORDS_H

#include "pg/am/search.h"
#include "search/postings.h"

/* ---- words_pages.c ---- */
#define LMTEXT_SEGMENTS_MOST 48
#define LMTEXT_SPARE_MOST 64

typedef struct lmtext_segment {
    uint32 generation;
    uint32 documents;
    uint64 length; /* of all documents, in words */
    uint32 words;  /* different ones */
    uint32 pages;
    BlockNumber dictionary;   /* directory of its pages of words */
    BlockNumber documents_at; /* and of its pages of documents */
} lmtext_segment;

/* Documents in the order in which they came. */
typedef struct lmtext_words_waiting {
    uint32 generation;
    uint32 documents;
    uint64 length;
    BlockNumber first, last; /* or InvalidBlockNumber */
    uint32 pages;
    uint32 unused;
} lmtext_words_waiting;

typedef struct lmtext_words_root {
    uint32 magic;
    uint32 generations;           /* given out so far */
    uint32 building;              /* generation of the segment that is being written; 0: none */
    uint32 changes;               /* times that a segment or the sealed documents were replaced */
    lmtext_words_waiting pending; /* inserts go there */
    lmtext_words_waiting sealed;  /* they are being made a segment of */
    uint32 segments, spares;
    lmtext_segment segment[LMTEXT_SEGMENTS_MOST];
    BlockNumber spare[LMTEXT_SPARE_MOST]; /* pages for documents that wait */
} lmtext_words_root;

typedef enum lmtext_words_part {
    LMTEXT_WORDS_DIRECTORY = 1,
    LMTEXT_WORDS_DICTIONARY,
    LMTEXT_WORDS_DOCUMENTS,
    LMTEXT_WORDS_POSTINGS,
    LMTEXT_WORDS_WAITING,
} lmtext_words_part;

/* What a page of words begins with. */
typedef struct lmtext_words_head {
    uint16 part;
    uint16 used; /* bytes behind this */
    uint32 unused;
} lmtext_words_head;

#define LMTEXT_WORDS_ROOM ((int)(LMTEXT_PAGE_BYTES - sizeof(lmtext_words_head)))

typedef struct lmtext_directory_entry {
    uint64 key; /* the first of its page: hash, or number of a document */
    BlockNumber block;
    uint32 unused;
} lmtext_directory_entry;

typedef struct lmtext_word {
    uint64 hash;
    uint32 documents;  /* that have it */
    BlockNumber block; /* where its postings begin */
    uint32 shortest;
    uint16 offset;
    uint16 most;
} lmtext_word;

typedef struct lmtext_document {
    lm_hash128 hash; /* of the text */
    uint32 length;
    ItemPointerData tid;
    uint16 unused;
} lmtext_document;

#define LMTEXT_DIRECTORY_ROOM (LMTEXT_WORDS_ROOM / (int)sizeof(lmtext_directory_entry))
#define LMTEXT_DICTIONARY_ROOM (LMTEXT_WORDS_ROOM / (int)sizeof(lmtext_word))
#define LMTEXT_DOCUMENTS_ROOM (LMTEXT_WORDS_ROOM / (int)sizeof(lmtext_document))

static inline lmtext_words_head *
lmtext_words_head_of(Page page)
{
    return (lmtext_words_head *)lmtext_page_body(page);
}

static inline char *
lmtext_words_body(Page page)
{
    return lmtext_page_body(page) + sizeof(lmtext_words_head);
}

/* Its root; InvalidBlockNumber: the index has no words. */
BlockNumber lmtext_words_block(Relation index);
/* Of an index that has words; 55000 where it was made without. */
void lmtext_words_meta(Relation index, lmtext_meta *meta);
/* Makes the root, which comes behind the meta page of a new index. */
void lmtext_words_create(Relation index, ForkNumber fork);
/* The root, locked and checked. */
lmtext_words_root *lmtext_words_lock(Relation index, BlockNumber block, int mode, Buffer *buffer);
void lmtext_words_copy_root(Relation index, BlockNumber block, lmtext_words_root *root);
/* Copies a page of words; false: by now it is of another generation. */
bool lmtext_words_fetch(Relation index, BlockNumber block, lmtext_words_part part,
                        uint32 generation, char *page);
void lmtext_words_page_init(Page page, lmtext_words_part part, uint32 generation);
void lmtext_words_damaged(Relation index, const char *what) __attribute__((noreturn));
bool lmtext_words_is_named(const lmtext_words_root *root, uint32 generation);
/* Of no generation that the root names; for who holds the lock of merges. */
bool lmtext_words_is_free(Relation index, const lmtext_words_root *root, BlockNumber block);
/* As it was extended by a merge that broke off, or before a crash; likewise. */
bool lmtext_words_is_left(Relation index, BlockNumber block);
/* One segment is written at a time. */
void lmtext_words_lock_merge(Relation index, BlockNumber block);
bool lmtext_words_try_merge(Relation index, BlockNumber block);
void lmtext_words_unlock_merge(Relation index, BlockNumber block);
lm_ranking_corpus lmtext_words_corpus(const lmtext_words_root *root);
/* How often what the root names was replaced; 0 where the index has no words. */
uint32 lmtext_words_changes(Relation index);

/* ---- words_config.c ---- */

Oid lmtext_words_config(Relation index);         /* InvalidOid: its words are tokens */
Oid lmtext_words_config_named(const char *name); /* '': the default */
void lmtext_words_depend(Relation index, Oid config);

/* ---- words_text.c: a text as words ---- */

typedef struct lmtext_counted {
    uint64 hash;
    uint32 frequency;
} lmtext_counted;

typedef struct lmtext_text_words {
    uint32 length;
    int count;             /* different ones */
    lmtext_counted *words; /* ascending by hash; palloced */
} lmtext_text_words;

/* What cuts texts into words. */
typedef struct lmtext_cutter {
    Oid config; /* InvalidOid: the tokenizer of the index's model */
    bool query; /* as the current user; else as the owner of the index */
    lmtext_embedder embedder;
} lmtext_cutter;

/* Lives as long as the current context. No model is read before the first text. */
lmtext_cutter lmtext_cutter_make(Relation index, bool query);
void lmtext_words_read(lmtext_cutter *cutter, Relation index, const lmtext_meta *meta, text *value,
                       lmtext_text_words *words);

/* ---- words_write.c: a segment being written ---- */

typedef struct lmtext_stream {
    PGAlignedBlock page;
    BlockNumber block, first;
} lmtext_stream;

typedef struct lmtext_words_writer {
    Relation index;
    bool building; /* nobody else sees the index, which is logged at the end */
    lmtext_words_root root;
    lmtext_segment segment;
    lmtext_stream dictionary, documents, postings;
    lmtext_stream dictionary_directory, documents_directory;
    lmtext_word word;
    lm_postings rows;
    int count;
} lmtext_words_writer;

/* A new generation: the caller holds the lock of merges, or is the one who builds. */
void lmtext_writer_begin(lmtext_words_writer *w, Relation index, BlockNumber root, bool building);
/* Returns its number. */
uint32 lmtext_writer_document(lmtext_words_writer *w, const lmtext_document *document);
/* Words come in ascending order of hashes, their postings in that of documents; then the next
 * one's. */
void lmtext_writer_word(lmtext_words_writer *w, uint64 hash);
void lmtext_writer_posting(lmtext_words_writer *w, uint32 document, uint32 frequency,
                           uint32 length);
void lmtext_writer_end(lmtext_words_writer *w);

/* ---- words_lists.c: a segment being read ---- */

/* One word's list, block after block. */
typedef struct lmtext_words_list {
    PGAlignedBlock page;
    Relation index;
    uint32 generation;
    BlockNumber next; /* to be fetched */
    int offset;
    uint32 left; /* postings */
} lmtext_words_list;

/* False: replaced. *found: it has the word. */
bool lmtext_words_find(Relation index, const lmtext_segment *segment, uint64 hash,
                       lmtext_word *word, bool *found);
bool lmtext_words_document(Relation index, const lmtext_segment *segment, uint32 number,
                           lmtext_document *document);
void lmtext_words_list_open(lmtext_words_list *list, Relation index, uint32 generation,
                            const lmtext_word *word);
/* The next block; *bytes NULL: there is none. False: replaced. */
bool lmtext_words_list_next(lmtext_words_list *list, const uint8 **bytes, size_t *available);

/* Pages of a segment or of documents that wait, in order. */
typedef struct lmtext_words_walk {
    PGAlignedBlock page;
    Relation index;
    uint32 generation;
    lmtext_words_part part;
    BlockNumber block, next;
    uint32 steps;
} lmtext_words_walk;

/* False: replaced. */
bool lmtext_words_walk_segment(lmtext_words_walk *walk, Relation index,
                               const lmtext_segment *segment, lmtext_words_part part);
void lmtext_words_walk_waiting(lmtext_words_walk *walk, Relation index,
                               const lmtext_words_waiting *waiting);
/* *more false: at the end. */
bool lmtext_words_walk_next(lmtext_words_walk *walk, bool *more);
static inline int
lmtext_words_walk_count(lmtext_words_walk *walk, size_t size)
{
    return (int)(lmtext_words_head_of((Page)walk->page.data)->used / size);
}

/* ---- words_pending.c: documents that wait ---- */

void lmtext_words_append(Relation index, BlockNumber root, const lmtext_document *document,
                         const lmtext_text_words *words, bool *full);
/* A part of a document, in a page that was fetched. */
typedef struct lmtext_words_waiting_part {
    lmtext_document document;
    bool continues; /* the document of the part before */
    int count;
    const char *words; /* packed */
} lmtext_words_waiting_part;
/* At *at of the page; false: there is none. */
bool lmtext_words_waiting_next(Relation index, Page page, int *at, lmtext_words_waiting_part *part);
lmtext_counted lmtext_words_waiting_word(const lmtext_words_waiting_part *part, int number);

/* ---- words_merge.c ---- */

/* Documents and their words in memory. */
typedef struct lmtext_words_entry {
    uint64 hash;
    uint32 document, frequency;
} lmtext_words_entry;

typedef struct lmtext_words_batch {
    lmtext_document *documents;
    lmtext_words_entry *entries;
    size_t document_count, document_space, count, space;
} lmtext_words_batch;

void lmtext_batch_document(lmtext_words_batch *batch, const lmtext_document *document);
void lmtext_batch_word(lmtext_words_batch *batch, lmtext_counted word);
void lmtext_batch_clear(lmtext_words_batch *batch);
/* A segment more, in an index that nobody else sees. */
void lmtext_batch_write(Relation index, BlockNumber root, lmtext_words_batch *batch);
/* All segments as one, likewise. */
void lmtext_words_join(Relation index, BlockNumber root);
/*
 * Documents that wait become a segment, and small segments one; dead rows go. `callback` NULL:
 * none is dead. Under the lock of merges.
 */
typedef struct lmtext_words_vacuum {
    IndexBulkDeleteCallback callback;
    void *state;
    uint32 most; /* pages that are written anew; 0: as many as there are */
    int64 removed;
} lmtext_words_vacuum;
void lmtext_words_merge(Relation index, BlockNumber root, lmtext_words_vacuum *vacuum);

/* ---- Of other files of this room ---- */

/* Are rows embedded, or vectors? Else it is of words alone. */
bool lmtext_index_has_vectors(Relation index);

/* words_build.c */
typedef struct lmtext_words_build lmtext_words_build;
lmtext_words_build *lmtext_words_build_begin(Relation index); /* NULL: no words */
void lmtext_words_build_add(lmtext_words_build *build, Datum value, ItemPointer tid);
/* A row that was read elsewhere. */
void lmtext_words_build_document(lmtext_words_build *build, const lmtext_document *document,
                                 const lmtext_text_words *words);
/* A row, read as a document; the words are palloced. */
lmtext_document lmtext_words_of_row(lmtext_cutter *cutter, Relation index, const lmtext_meta *meta,
                                    Datum value, ItemPointer tid, lmtext_text_words *words);
int64 lmtext_words_build_end(lmtext_words_build *build); /* documents */
/* Of a row that is inserted; memory is the caller's, to be reset. */
void lmtext_words_insert(lmtext_cutter *cutter, Relation index, const lmtext_meta *meta,
                         Datum value, ItemPointer tid);

/* words_merge.c: what waits becomes a segment */
void lmtext_words_flush(Relation index);
/* bulkdelete and cleanup; rows that are left are counted in stats */
void lmtext_words_vacuum_all(Relation index, IndexBulkDeleteResult *stats,
                             IndexBulkDeleteCallback callback, void *state);

/* words_query.c: words of a query against all of an index */
typedef struct lmtext_words_term {
    uint64 hash;
    uint64 documents; /* that have it */
    double idf;
    lmtext_word *found; /* (segments); .documents 0: a segment has it not */
} lmtext_words_term;

typedef struct lmtext_words_query {
    Relation index;
    BlockNumber block;
    lmtext_words_root root;
    lm_ranking_corpus corpus;
    int count;
    lmtext_words_term *terms;
    /* Documents that wait and have one of them. */
    struct lmtext_words_match {
        lmtext_document document;
        float distance;
    } * waiting;
    size_t waiting_count, waiting_space;
    uint32 *frequencies; /* (waiting_count, count) */
    size_t frequency_space;
    int64 postings, skipped; /* that were read of lists; and blocks that were not */
} lmtext_words_query;

/* What lies in memory is the current context's. */
void lmtext_words_query_begin(lmtext_words_query *query, Relation index, const lmtext_meta *meta,
                              text *words);
/* The k best into `top`, whose items lmtext_words_query_document reads. False: replaced. */
bool lmtext_words_query_run(lmtext_words_query *query, lm_top *top);
/* All that have a word, segment by segment. False: replaced. */
typedef void (*lmtext_words_scored)(void *argument, uint64 item, float distance);
bool lmtext_words_query_all(lmtext_words_query *query, lmtext_words_scored scored, void *argument);
bool lmtext_words_query_document(lmtext_words_query *query, uint64 item, lmtext_document *document);
/* The root has changed: words and statistics stay, lists are looked up anew. Else it is damaged. */
void lmtext_words_query_again(lmtext_words_query *query);
/* BM25 of a text's words, as if it were a document. */
double lmtext_words_query_score(const lmtext_words_query *query, const lmtext_text_words *words);

/* words_operator.c */
/* The index that the planner put beside the words of <@>. */
Oid lmtext_words_bound(const Node *words);
bool lmtext_words_bound_to(const Node *words, Oid index); /* or to what it is a part of */
lmtext_digest lmtext_words_digest(Oid index);             /* for known.h */
Oid lmtext_words_top(Relation index); /* itself, or the partitioned one that it is a part of */

/* words_scan.c */
typedef struct lmtext_words_scan lmtext_words_scan;
/* words NULL: all rows come in any order. */
lmtext_words_scan *lmtext_words_scan_begin(Relation index, const lmtext_meta *meta, text *words);
bool lmtext_words_scan_next(lmtext_words_scan *scan, lmtext_document *document, double *distance);
void lmtext_words_scan_end(lmtext_words_scan *scan); /* NULL is allowed */
lmtext_effort lmtext_words_scan_effort(const lmtext_words_scan *scan);

/* words_check.c */
typedef struct lmtext_words_faults {
    int64 documents, words; /* of the index */
    int64 twice;            /* places of rows that are there more than once */
    int64 missing, stale;   /* rows of the table: none, or with other words */
} lmtext_words_faults;

typedef struct lmtext_words_check lmtext_words_check;
/* Reads all pages; an error is what is wrong with them. */
lmtext_words_check *lmtext_words_check_begin(Relation index, const lmtext_meta *meta,
                                             lmtext_words_faults *faults);
void lmtext_words_check_row(lmtext_words_check *check, ItemPointer tid, Datum value);

/* words_recall.c */
typedef struct lmtext_words_recall {
    int k, samples; /* texts with a word */
    int64 found, wanted;
} lmtext_words_recall;
/* What a search finds of the k best rows for these words; what lies in memory is the current
 * context's. */
void lmtext_words_recall_add(lmtext_words_recall *recall, Relation index, const lmtext_meta *meta,
                             text *words);

#define LMTEXT_WORDS_STRATEGY (LM_DISTANCE_COUNT + 1)

#endif
