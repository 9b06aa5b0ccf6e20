/*
 * index.h - what the files of this room share: options, pages, and an index opened for work.
 */
#ifndef LMTEXT_INDEX_H
#define LMTEXT_INDEX_H

#include "postgres.h"

#include "access/amapi.h"
#include "access/generic_xlog.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "base/siphash.h"
#include "pg/service/infer.h"
#include "pg/service/resolver.h"
#include "search/codes.h"
#include "search/int8_rows.h"
#include "search/lists.h"

/* ---- options.c ---- */

typedef struct lmtext_index_options {
    int32 vl_len_;
    int model; /* offset of the name; 0: none */
    int lists; /* 0: chosen by the number of rows */
    int pending_limit;
    int words;        /* offset of true, false or tokens; 0: false */
    int words_config; /* offset of the name; 0: the default */
} lmtext_index_options;

/* What an index's rows are made by; '' where an option is not set. */
typedef struct lmtext_makers {
    const char *model, *config;
    bool words, tokens; /* words are the tokens of the model */
} lmtext_makers;

lmtext_makers lmtext_options_makers(const bytea *options); /* NULL: none is set */
lmtext_makers lmtext_index_makers(Relation index);
const char *lmtext_index_model_option(Relation index); /* NULL: none */
int lmtext_index_lists_option(Relation index);
int lmtext_index_pending_option(Relation index); /* rows; 0: none waits */
bool lmtext_index_words_option(Relation index);
bytea *lmtext_am_options(Datum reloptions, bool validate);

extern double lmtext_search_effort;
extern bool lmtext_ordering_strict;
extern int lmtext_max_scan_tuples; /* 0: no limit */
extern bool lmtext_reuse_vectors;
void lmtext_am_settings(void);

/* ---- kind.c: what is indexed, and by which model ---- */

typedef struct lmtext_kind {
    lm_distance_kind metric;
    bool text;         /* else vectors */
    FmgrInfo *convert; /* vectors of another type to real[], a cast's function; NULL: they are */
} lmtext_kind;

#define LMTEXT_CONVERT 1 /* the number of that function in an operator class */

/* By the operator class of the index's one column. */
lmtext_kind lmtext_index_kind(Relation index);
/* Are the options what this kind takes, and is the name of the model one that a dump restores? */
void lmtext_index_check_makers(Relation index, const lmtext_makers *makers);
/* Are rows embedded, or vectors? Else there are words alone. */
bool lmtext_makers_have_vectors(Relation index, const lmtext_makers *makers);
/* The version that the option `model` means, whoever asks; 42704, or 55000 where it has none. */
Oid lmtext_index_version(Relation index, lmtext_resolver *resolver);
/* The version, where it is known without waiting or failing; else InvalidOid. For the planner. */
Oid lmtext_index_peek_version(Oid index);
/* The same of another name than the option's. */
Oid lmtext_index_peek_named(Relation index, const char *name);
/* DROP of the version is refused from now on; and that of others is not. */
void lmtext_index_depend(Relation index, Oid version);
void lmtext_index_depend_only(Relation index, Oid version);
/* Before a concurrent build: 55000 where an index of the table has got another model. */
void lmtext_index_refuse_changed(Relation heap, Relation index, Oid version);

/* ---- page.c: pages of all kinds, checked when they are read ---- */

typedef enum lmtext_page_kind {
    LMTEXT_PAGE_META = 1, /* block 0 */
    LMTEXT_PAGE_LISTS,    /* where each list begins */
    LMTEXT_PAGE_CODES,    /* rows of a list: their codes, TIDs, and pages of vectors */
    LMTEXT_PAGE_VECTORS,  /* int8 vectors and hashes of rows of one page of codes */
    LMTEXT_PAGE_STRIP,    /* a part of a wide block's codes */
    LMTEXT_PAGE_FLOATS,   /* origin or centroids */
    LMTEXT_PAGE_BUCKETS,  /* where each bucket of hashes begins */
    LMTEXT_PAGE_HASHES,   /* hashes of texts, and which rows have them */
    LMTEXT_PAGE_WAITING,  /* rows that wait for being embedded */
    LMTEXT_PAGE_ROOT,     /* of words: which segments there are (words.h) */
    LMTEXT_PAGE_WORDS,    /* a part of a segment; its owner is a generation */
    LMTEXT_PAGE_FREE,     /* of lists that were replaced, when nobody reads them any more */
} lmtext_page_kind;

/* The special space of every page. */
typedef struct lmtext_page_tail {
    uint32 magic;
    uint16 kind;
    uint16 version;
    BlockNumber next;  /* page of the same chain, or InvalidBlockNumber */
    BlockNumber owner; /* vectors and strips: the page of codes; codes: how often lists were made
                          anew before; else block 0 */
} lmtext_page_tail;

#define LMTEXT_PAGE_BYTES \
    (BLCKSZ - MAXALIGN(SizeOfPageHeaderData) - MAXALIGN(sizeof(lmtext_page_tail)))
#define LMTEXT_PAGE_VERSION 1

static inline lmtext_page_tail *
lmtext_page_tail_of(Page page)
{
    return (lmtext_page_tail *)PageGetSpecialPointer(page);
}

static inline char *
lmtext_page_body(Page page)
{
    return (char *)page + MAXALIGN(SizeOfPageHeaderData);
}

/* XX002, with the block and what is wrong with it. */
void lmtext_index_damaged(Relation index, BlockNumber block, const char *what)
    __attribute__((noreturn));
/* 40001: on a standby a scan met what replaced its lists. */
void lmtext_index_replaced(Relation index) __attribute__((noreturn));
/* A page of this kind, locked in this mode. */
Buffer lmtext_page_read(Relation index, BlockNumber block, lmtext_page_kind kind, int mode);
/* The same while another page is locked; and one that belongs to that page. */
Buffer lmtext_page_read_beside(Relation index, BlockNumber block, lmtext_page_kind kind,
                               BlockNumber beside, int mode);
Buffer lmtext_page_read_owned(Relation index, BlockNumber block, lmtext_page_kind kind,
                              BlockNumber owner, int mode);
/* Soon it will be read: it is fetched into the processor's cache, or asked for from the disk. */
void lmtext_page_expect(Relation index, BlockNumber block);
/* The next page of a chain, or InvalidBlockNumber. `steps`, 0 at first, ends a chain that is a
 * circle. */
BlockNumber lmtext_page_next(Relation index, Buffer buffer, uint32 *steps);
void lmtext_page_init(Page page, lmtext_page_kind kind, BlockNumber owner);
/* A new block at the end, locked exclusively, not initialised. */
Buffer lmtext_page_extend(Relation index, ForkNumber fork);
/* The same, or a free one. */
Buffer lmtext_page_take(Relation index);
/* A page is free from now on. */
void lmtext_page_give(Relation index, BlockNumber block, lmtext_page_kind kind, BlockNumber owner);

/* ---- change.c: one change of some pages, in WAL or in a new index that is logged at its end ----
 */

typedef struct lmtext_change {
    GenericXLogState *log; /* NULL: the whole index is logged at the end, or never */
} lmtext_change;

lmtext_change lmtext_change_begin(Relation index, bool building);
/* The page to be changed; `fresh`: all of it. At most MAX_GENERIC_XLOG_PAGES. */
Page lmtext_change_page(lmtext_change *change, Buffer buffer, bool fresh);
void lmtext_change_end(lmtext_change *change);
void lmtext_change_give_up(lmtext_change *change); /* not in a build */

/* ---- layout.c: where things lie in a page of codes and in pages of vectors ---- */

#define LMTEXT_HASH_BYTES 16
#define LMTEXT_CODE_BLOCKS 8 /* of 32 rows each, at most, in a page of codes */
/* A row of an index: the block of its page of codes, and its number there. */
#define LMTEXT_ITEM(block, row) (((uint64)(block) << 8) | (uint64)(row))
#define LMTEXT_ITEM_BLOCK(item) ((BlockNumber)((item) >> 8))
#define LMTEXT_ITEM_ROW(item) ((int)((item)&255))

typedef struct lmtext_layout {
    size_t block_bytes; /* of the codes of 32 rows */
    size_t row_bytes;   /* of an int8 vector */
    size_t head_bytes;  /* of it before its numbers */
    int blocks, rows;   /* of a page of codes */
    int strips;         /* pages of codes beside it; 0: they are in it */
    int row_pages;      /* that a vector takes */
    int page_rows;      /* vectors of a page; 1 where a vector takes several */
    int vector_pages;   /* that a page of codes may own */
    size_t vectors_at, strips_at, corrections_at, tids_at, codes_at; /* in the page's body */
} lmtext_layout;

#define LMTEXT_STRIP_WIDTH ((LMTEXT_PAGE_BYTES / 256) * 64) /* numbers of a strip's page */

/* False: vectors so wide cannot be stored. */
bool lmtext_layout_make(const lm_space *space, lmtext_layout *layout);

static inline uint32 *
lmtext_codes_mask(Page page)
{
    return (uint32 *)lmtext_page_body(page);
}

static inline BlockNumber *
lmtext_codes_vectors(const lmtext_layout *layout, Page page)
{
    return (BlockNumber *)(lmtext_page_body(page) + layout->vectors_at);
}

static inline BlockNumber *
lmtext_codes_strips(const lmtext_layout *layout, Page page)
{
    return (BlockNumber *)(lmtext_page_body(page) + layout->strips_at);
}

static inline lm_block_corrections *
lmtext_codes_corrections(const lmtext_layout *layout, Page page)
{
    return (lm_block_corrections *)(lmtext_page_body(page) + layout->corrections_at);
}

static inline ItemPointerData *
lmtext_codes_tids(const lmtext_layout *layout, Page page)
{
    return (ItemPointerData *)(lmtext_page_body(page) + layout->tids_at);
}

static inline uint8 *
lmtext_codes_codes(const lmtext_layout *layout, Page page)
{
    return (uint8 *)lmtext_page_body(page) + layout->codes_at;
}

#define LMTEXT_INDEX_SEED UINT64CONST(0x6C6D74657874) /* of rotations; any would do */

/* ---- store.c: an index opened for work ---- */

typedef struct lmtext_meta {
    int32 metric;
    int32 text;
    int32 width; /* 0: there has been no row yet */
    uint32 lists;
    uint64 seed;
    uint64 build; /* a random number: of one number, space and centroids are the same */
    unsigned char hash_key[LM_SIPHASH_KEY_BYTES];
    lmtext_digest digest; /* of the model; zeros for real[] */
    BlockNumber origin;   /* chain of floats, or InvalidBlockNumber: zeros */
    BlockNumber centroids;
    BlockNumber directory; /* chain of LISTS pages */
    BlockNumber buckets;   /* of hashes of texts; InvalidBlockNumber: none yet */
    double rows;           /* when it was built */
    BlockNumber waiting;   /* chain of rows that wait; InvalidBlockNumber: none yet */
    BlockNumber words;     /* their root; InvalidBlockNumber: none */

    /* Since 0.4; zeros in an index that is older. */
    uint32 generation;          /* how often its lists were made anew */
    uint32 retired_lists;       /* of those before, as long as somebody may read them */
    BlockNumber retired;        /* their directory; 0: there are none */
    BlockNumber retired_floats; /* their centroids, or InvalidBlockNumber */
    uint64 retired_at;          /* no transaction before this one reads the lists by now */
    double imbalance;           /* of the lists when they were made anew; 0: not known */
} lmtext_meta;

#define LMTEXT_WORDS_ROOT 1 /* the block of it */

/* What is made of meta page, origin and centroids: kept by the process from call to call. */
typedef struct lmtext_store {
    Relation index;
    MemoryContext memory; /* that it was opened in */
    lmtext_meta meta;
    bool building; /* nobody else sees the index yet, and it is logged at the end */
    lmtext_call *call;
    lm_space *space;
    lm_lists *lists;  /* NULL: one list */
    float *centroids; /* (lists, width) */
    float *rotated;   /* (lists, padded) */
    lm_query *asking; /* for the list of a row */
    lmtext_layout layout;
} lmtext_store;

/* An index of `width` 0 has no space: nothing but meta is set. */
void lmtext_store_open(Relation index, lmtext_store *store);
/* As many rows as would be there if all pages were full. */
double lmtext_store_rows(const lmtext_store *store);
void lmtext_meta_read(Relation index, lmtext_meta *meta);
/* Page 0 of a new index, in a fork. */
void lmtext_meta_write_new(Relation index, ForkNumber fork);
/*
 * The first row has come: `width` and the model are known. origin (width) and centroids
 * (lists, width) may be NULL. Does nothing where another session was faster.
 */
typedef struct lmtext_begin {
    int width;
    const lmtext_digest *digest;
    const float *origin;
    const float *centroids;
    uint32 lists;
    double rows;
} lmtext_begin;
void lmtext_store_begin(Relation index, const lmtext_begin *begin, bool building);

/* The build number by now: of another one, lists were made anew. */
uint64 lmtext_meta_build(Relation index);
/* Opened once more, in the memory that it was opened in. */
void lmtext_store_reopen(lmtext_store *store);
/* What the meta page says by now; with other lists it is opened once more. */
void lmtext_store_refresh(lmtext_store *store);
/* Other lists for the rows of a store, empty, which nobody sees before the switch. */
void lmtext_store_prepare(const lmtext_store *was, uint32 lists, const float *centroids,
                          double rows, lmtext_store *store);
/* They are the index's from now on; those before retire. */
void lmtext_store_switch(lmtext_store *store, double imbalance);
/* The lists that retired, as a store of their own; false: there are none. */
bool lmtext_store_retired(const lmtext_store *store, lmtext_store *retired);
/* Nobody reads them any more: pages of theirs that say where lists begin, and centroids. */
void lmtext_store_forget(lmtext_store *retired);

void lmtext_meta_set_buckets(lmtext_store *store, BlockNumber buckets);
/* There is a first page of rows that wait from now on. */
void lmtext_meta_make_waiting(lmtext_store *store);

/* Where a list begins, and where rows are put into it; InvalidBlockNumber: it is empty. */
typedef struct lmtext_list {
    BlockNumber first, insert;
} lmtext_list;
#define LMTEXT_LISTS_PER_PAGE ((int)(LMTEXT_PAGE_BYTES / sizeof(lmtext_list)))
/* All of them: (meta.lists). */
lmtext_list *lmtext_lists_read(const lmtext_store *store);
lmtext_list lmtext_list_read(const lmtext_store *store, uint32 list);
/* Set what is not InvalidBlockNumber; `first` only where there is none: false, another was there.
 */
bool lmtext_list_set(const lmtext_store *store, uint32 list, lmtext_list value);
void lmtext_list_clear(const lmtext_store *store, uint32 list);

/* ---- value.c: what is indexed as vectors ---- */

/* Embeds for one index; the model is pinned anew by lmtext_embedder_use. */
typedef struct lmtext_embedder {
    lmtext_resolver resolver; /* its memory is set by whoever makes this */
    lmtext_inference inference;
    lmtext_empty_texts empty;
} lmtext_embedder;

/* As the owner of the index, who was allowed to use the model when it was made. */
void lmtext_embedder_rows(lmtext_embedder *embedder, Relation index);
/* As the current user, for the words of a query. */
void lmtext_embedder_words(lmtext_embedder *embedder, Relation index);
/* The model must be the one that the index was made by. */
void lmtext_embedder_check(const lmtext_embedder *embedder, Relation index,
                           const lmtext_meta *meta);
#define LMTEXT_BATCH_ROWS 128 /* that are embedded at once */
/*
 * Each text that has a vector is given to `done`, in their order. One without a token has none; by
 * lmtext.on_empty it is an error, or with `left_out` never.
 */
typedef void (*lmtext_embedded)(void *argument, int number, const float *vector, int width);
void lmtext_embedder_texts(lmtext_embedder *embedder, const lm_text *texts, int count,
                           bool left_out, lmtext_embedded done, void *argument);
int lmtext_index_stats_begin(void); /* a call of "index", for lmtext_stats_end */

/* A value's hash under the index's key, over the bytes that it is made from. */
lm_hash128 lmtext_value_hash(const lmtext_meta *meta, const void *bytes, size_t length);
/* Floats of a vector as the user gave it; `width` 0: any. Errors name both widths. */
const float *lmtext_value_floats(const lmtext_kind *kind, Datum value, int width, int *found);

/* ---- waiting.c: rows that wait for being embedded ---- */

/* A row that waits; its page is pinned. */
typedef struct lmtext_waiting {
    Buffer buffer;
    int place;
} lmtext_waiting;

/* Held by whoever takes rows out: a lock by the name of a page. That of page 0 is held by whoever
 * makes the table of hashes anew, that of page 1, the root, by whoever merges words. */
#define LMTEXT_FLUSH_LOCK 2
/* Likewise: shared by who puts a row into its list, exclusive while lists are switched. */
#define LMTEXT_LISTS_LOCK 3

/* One more; `at`, InvalidBlockNumber at first, is where to look for room next time. Returns about
 * how many wait. */
uint32 lmtext_waiting_add(lmtext_store *store, BlockNumber *at, ItemPointer tid);
/* The places of a page; one that is not valid has been taken out. */
ItemPointerData *lmtext_waiting_read(const lmtext_store *store, BlockNumber block, int *count,
                                     BlockNumber *next, uint32 *steps);
/* All that wait. */
ItemPointerData *lmtext_waiting_all(const lmtext_store *store, int64 *count);
/* Take a row out as a part of a change; its page is locked from then on. */
void lmtext_waiting_take(lmtext_change *change, const lmtext_waiting *from);
/* The same as a change of its own. */
void lmtext_waiting_drop(const lmtext_store *store, const lmtext_waiting *from);
/* A page begins anew, where all has been taken out. */
void lmtext_waiting_tidy(const lmtext_store *store, BlockNumber block);
/* Take dead rows out of a page; returns how many. */
int64 lmtext_waiting_vacuum(const lmtext_store *store, BlockNumber block,
                            IndexBulkDeleteCallback callback, void *state, BlockNumber *next,
                            uint32 *steps);

/* ---- rows.c: rows in pages ---- */

/* One row, ready to be stored. */
typedef struct lmtext_row {
    ItemPointerData tid;
    lm_hash128 hash;
    uint8 *vector; /* (layout.row_bytes) */
} lmtext_row;

/* x (width) is the prepared vector that row->vector was made from. A row that waited until now
 * waits no more, by the same change. */
uint64 lmtext_rows_put(lmtext_store *store, const lmtext_row *row, const float *x,
                       const lmtext_waiting *from);
/* `count` rows of a list, into new pages at its end: for builds, one list after the other. `last`
 * is the page of codes before, or InvalidBlockNumber. */
BlockNumber lmtext_rows_write(lmtext_store *store, uint32 list, BlockNumber last,
                              const lmtext_row *rows, int count);

/* The same by who has lists that nobody else sees, or that nobody else adds to. */
uint64 lmtext_rows_add(lmtext_store *store, const lmtext_row *row, const float *x);

/* A page of codes of these lists. */
Buffer lmtext_codes_read(const lmtext_store *store, BlockNumber block, int mode);
/* The same by a hint; InvalidBuffer: it is none. */
Buffer lmtext_codes_peek(const lmtext_store *store, BlockNumber block);
/* Pages that a page of codes owns, those of vectors first; returns how many. */
int lmtext_codes_owned(const lmtext_store *store, Page page, BlockNumber *blocks, int *vectors);
/* The row's vector and hash, copied; the page of codes is locked by the caller. False: the row has
 * no page of vectors. */
bool lmtext_row_read(const lmtext_store *store, Page codes, BlockNumber block, int row,
                     lm_hash128 *hash, uint8 *vector);
/* The row's vector will be read soon: pages below `end`, where the relation ended, but for the one
 * that was asked for last. */
void lmtext_row_prefetch(const lmtext_store *store, Page codes, int row, BlockNumber end,
                         BlockNumber *last);
/* Is the row's code that of its vector, relative to its list? */
bool lmtext_row_belongs(const lmtext_store *store, uint32 list, Page codes, BlockNumber block,
                        int row, const uint8 *vector);

/* ---- hashes.c: which row has a text already ---- */

/* An int8 vector that was made of the same bytes, (layout.row_bytes); false: none is known. */
bool lmtext_hashes_find(const lmtext_store *store, lm_hash128 hash, uint8 *vector);
void lmtext_hashes_add(lmtext_store *store, lm_hash128 hash, uint64 item);
/* Are its chains much longer than so many rows need? */
bool lmtext_hashes_long(const lmtext_store *store, double rows);
/* Make the table anew, of all rows that the index has, about so many. */
void lmtext_hashes_build(lmtext_store *store, double rows);

/* ---- flush.c: rows that wait are embedded ---- */

typedef void (*lmtext_embedded_row)(void *argument, int number, const lmtext_row *row,
                                    const float *x);

/* Are the texts that it is of in a column of a heap, where they can be read by their places? */
bool lmtext_has_texts(Relation index, Relation heap);
/* May rows of this index wait? */
bool lmtext_may_wait(Relation index, Relation heap);
/* Move all that wait into their lists; not on a standby, and without `wait` not while another
 * session does so. Returns how many. */
int64 lmtext_flush(Relation index, Relation heap, bool wait);
/* The rows at these places that a snapshot sees are given to `row`: with the vector that the index
 * has of such a text, else it is embedded. */
void lmtext_texts_embed(const lmtext_store *store, Relation heap, Snapshot snapshot,
                        const ItemPointerData *tids, int64 count, lmtext_embedded_row row,
                        void *argument);
/* What waits and a snapshot sees is given to `row`, and goes on waiting; `wanted`, unless it is
 * NULL, says at which places. */
struct lmtext_place_set;
void lmtext_waiting_embed(const lmtext_store *store, Relation heap, Snapshot snapshot,
                          const struct lmtext_place_set *wanted, lmtext_embedded_row row,
                          void *argument);

void lmtext_alter_init(void); /* alter.c */

/* ---- lists_due.c: do the lists fit the rows? ---- */

/* How rows are spread over lists: 1 evenly, `lists` where all are in one. */
typedef struct lmtext_spread {
    double rows, squares;
} lmtext_spread;
void lmtext_spread_add(lmtext_spread *spread, double rows);
double lmtext_spread_imbalance(const lmtext_spread *spread, uint32 lists);
/* As many as an index that is made now would have. */
uint32 lmtext_lists_wanted(Relation index, double rows);
bool lmtext_lists_due(Relation index, const lmtext_meta *meta, const lmtext_spread *spread);

/* ---- relist.c: lists that do not fit the rows any more are made anew ---- */

/* By vacuum, the only one at a time: retired lists go, and where they are due there are others. */
void lmtext_relist(Relation index, Relation heap);

/* ---- The access method's functions ---- */

IndexBuildResult *lmtext_am_build(Relation heap, Relation index, IndexInfo *info);
void lmtext_am_buildempty(Relation index);
bool lmtext_am_insert(Relation index, Datum *values, bool *nulls, ItemPointer tid, Relation heap,
                      IndexUniqueCheck unique, bool unchanged, IndexInfo *info);
IndexBulkDeleteResult *lmtext_am_bulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
                                            IndexBulkDeleteCallback callback, void *state);
IndexBulkDeleteResult *lmtext_am_vacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats);
IndexScanDesc lmtext_am_beginscan(Relation index, int keys, int orders);
void lmtext_am_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orders, int norders);
bool lmtext_am_gettuple(IndexScanDesc scan, ScanDirection direction);
void lmtext_am_endscan(IndexScanDesc scan);
struct PlannerInfo;
struct IndexPath;
void lmtext_am_cost(struct PlannerInfo *root, struct IndexPath *path, double loops, Cost *startup,
                    Cost *total, Selectivity *selectivity, double *correlation, double *pages);
char *lmtext_am_phase(int64 phase);

/* ---- cost.c, for filter.c ---- */

struct Path;
/* Is a path one that scans an index of this method by a distance, where that is possible? */
bool lmtext_cost_is_by_distance(const struct Path *path);
/* The same rows as by `order`, but those only that `bitmap` gives, in `path`. */
void lmtext_cost_filter(struct PlannerInfo *root, const struct IndexPath *order,
                        struct Path *bitmap, struct Path *path);

void lmtext_filter_init(void); /* filter.c */

#endif
