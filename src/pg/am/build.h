/*
 * build.h - what the files that build an index share: rows on their way from a table to pages.
 */
#ifndef LMTEXT_BUILD_H
#define LMTEXT_BUILD_H

#include "postgres.h"

#include "commands/progress.h"
#include "storage/dsm.h"
#include "storage/shm_toc.h"

#include "pg/am/words.h"

/* What is known of a row beside its vector. */
typedef struct lmtext_build_row {
    ItemPointerData tid;
    uint16 coded; /* the width of a vector that comes as the int8 row which it was; else 0 */
    lm_hash128 hash;
} lmtext_build_row;

/* A vector as the user, or the model, has it; or the bytes of an int8 row, width numbers long. */
typedef void (*lmtext_build_vector)(void *argument, const lmtext_build_row *row,
                                    const float *vector, int width);
typedef void (*lmtext_build_document)(void *argument, const lmtext_document *document,
                                      const lmtext_text_words *words);

/* ---- build_phase.c: progress ---- */

enum {
    LMTEXT_PHASE_EMBED = PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE + 1,
    LMTEXT_PHASE_COLLECT,
    LMTEXT_PHASE_TRAIN,
    LMTEXT_PHASE_ASSIGN,
    LMTEXT_PHASE_WRITE,
};
/* It begins, with so many rows before it. */
void lmtext_build_phase(int64 phase, int64 total);

/* ---- reuse.c: vectors that another file or index has ---- */

typedef struct lmtext_reuse lmtext_reuse;

/* `embedder` has the model. NULL: there is nothing to take from. */
lmtext_reuse *lmtext_reuse_begin(Relation index, const lmtext_embedder *embedder);
/* Each text's int8 row, palloc'd, or NULL. False: what is taken from turned out damaged. */
bool lmtext_reuse_take(lmtext_reuse *reuse, const lm_text *texts, int count, uint8 **rows);
size_t lmtext_reuse_row_bytes(const lmtext_reuse *reuse);
void lmtext_reuse_end(lmtext_reuse *reuse);

/* ---- build_texts.c: texts that are embedded in batches ---- */

typedef struct lmtext_build_texts {
    Relation index;
    const lmtext_meta *meta;
    lmtext_embedder embedder;
    lmtext_build_vector done; /* for each text that has a vector, in order */
    void *argument;
    MemoryContext batch; /* `done` is called in it */
    lm_text texts[LMTEXT_BATCH_ROWS];
    ItemPointerData tids[LMTEXT_BATCH_ROWS];
    int waiting;
    size_t bytes;
    bool begun; /* it is known what there is to take from */
    lmtext_reuse *reuse;
    uint8 *known[LMTEXT_BATCH_ROWS];  /* rows that are taken over; NULL: to be embedded */
    lm_text asked[LMTEXT_BATCH_ROWS]; /* the texts of the others */
    int numbers[LMTEXT_BATCH_ROWS];   /* and which they are */
    int given;
} lmtext_build_texts;

/* `meta` is the caller's, and stays. */
void lmtext_build_texts_init(lmtext_build_texts *texts, Relation index, const lmtext_meta *meta,
                             MemoryContext memory);
void lmtext_build_texts_add(lmtext_build_texts *texts, Datum value, ItemPointer tid);
void lmtext_build_texts_end(lmtext_build_texts *texts);

/* ---- build.c: other lists for rows that are there ---- */

typedef struct lmtext_build lmtext_build;
lmtext_build *lmtext_build_of_store(const lmtext_store *store);
void lmtext_build_spool(lmtext_build *build, const lmtext_row *row);
/* So many lists of the rows that were spooled, as a store that nobody sees. Returns how uneven they
 * are. */
double lmtext_build_relist(lmtext_build *build, uint32 lists, lmtext_store *fresh);
void lmtext_build_drop(lmtext_build *build);

/* ---- build_parallel.c: rows of a table, read and embedded by several processes ---- */

/* What takes them, in the order of their TIDs. */
typedef struct lmtext_build_sink {
    lmtext_build_vector vector;     /* NULL: an index of words alone */
    lmtext_build_document document; /* NULL: an index without words */
    void *argument;
} lmtext_build_sink;

/* False: by one process, as nothing has been read. */
bool lmtext_build_parallel(Relation heap, Relation index, IndexInfo *info, const lmtext_meta *meta,
                           const lmtext_build_sink *sink, double *heap_tuples);
/* A worker begins here. */
extern PGDLLEXPORT void lmtext_build_worker(dsm_segment *segment, shm_toc *toc);

#endif
