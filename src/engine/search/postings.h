/*
 * postings.h - the documents that have a word, in blocks: encoded, read back, and searched for the
 * best by BM25 without reading what cannot be among them.
 *
 * A block has up to LM_POSTINGS_BLOCK postings in ascending order of documents, and says in its
 * head how often the word stands in one of them at most and how long the shortest is, so that no
 * posting of it scores above what these two give. Search is document at a time by block-max WAND
 * (Ding and Suel, 2011). Blocks come from pages that may be damaged: what is read is checked.
 */
#ifndef LM_POSTINGS_H
#define LM_POSTINGS_H

#include "base/context.h"
#include "search/top.h"

#define LM_POSTINGS_BLOCK 128
#define LM_POSTINGS_HEAD 16                                         /* bytes */
#define LM_POSTINGS_MOST (LM_POSTINGS_HEAD + LM_POSTINGS_BLOCK * 9) /* bytes of a block */
#define LM_POSTINGS_PADDING 8      /* bytes behind a block that can be read, whatever they hold */
#define LM_POSTINGS_FREQUENCY 256u /* at most */

/* Column by column. Documents ascend; frequency 1 … LM_POSTINGS_FREQUENCY. */
typedef struct lm_postings {
    uint32_t documents[LM_POSTINGS_BLOCK];
    uint32_t lengths[LM_POSTINGS_BLOCK]; /* of the documents, in words */
    uint32_t frequencies[LM_POSTINGS_BLOCK];
} lm_postings;

typedef struct lm_postings_head {
    uint32_t first, last; /* documents */
    uint32_t shortest;    /* length */
    uint32_t most;        /* frequency */
    int count;
    int document_bits, length_bits, frequency_bits; /* of a posting */
    size_t bytes;                                   /* of the whole block */
} lm_postings_head;

/* Into (LM_POSTINGS_MOST + LM_POSTINGS_PADDING) bytes; count 1 … LM_POSTINGS_BLOCK. Returns the
 * block's bytes. */
size_t lm_postings_encode(const lm_postings *rows, int count, uint8_t *out);
/* False: the bytes are no block, or it does not end within `available`. */
bool lm_postings_read_head(const uint8_t *bytes, size_t available, lm_postings_head *head);
/* Of a head that was read from the same bytes. False: documents do not end where the head says. */
bool lm_postings_decode(const uint8_t *bytes, const lm_postings_head *head, lm_postings *rows);

/* What BM25 needs of all documents. */
typedef struct lm_ranking_corpus {
    uint64_t documents, words;
} lm_ranking_corpus;

/* Of one word in one document. */
double lm_ranking_part(const lm_ranking_corpus *corpus, double idf, uint32_t frequency,
                       uint32_t length);

/* A word's list on its way through a search. */
typedef struct lm_ranking_cursor {
    double idf;
    double bound;       /* of a score in the whole list */
    double block_bound; /* and in the block at hand */
    uint32_t target;    /* documents before it matter no more */
    uint32_t place;     /* the first document that it may have */
    bool there, decoded, ended;
    int at; /* of the rows, if decoded */
    const uint8_t *bytes;
    lm_postings_head head;
    lm_postings rows;
} lm_ranking_cursor;

typedef struct lm_ranking_search {
    lm_context *ctx;
    lm_ranking_corpus corpus;
    uint32_t documents; /* of the segment: what a block names is below */
    uint64_t base;      /* added to a document for its item in `top` */
    size_t count;       /* cursors */
    lm_ranking_cursor *cursors;
    lm_ranking_cursor **order; /* (count) by place */
    lm_top *top;               /* distance is minus the score */
    uint64_t steps;
    uint64_t decoded, postings; /* blocks that were read, and what they have */
} lm_ranking_search;

/*
 * A word of the query in this segment: idf, and its list's greatest frequency and shortest length.
 * The cursor is the caller's memory.
 */
void lm_ranking_cursor_set(lm_ranking_cursor *cursor, const lm_ranking_corpus *corpus, double idf,
                           uint32_t most, uint32_t shortest);

/*
 * Goes on until it needs the next block of a list, *wanted, or is at the end, *wanted = count. The
 * caller gives the block and calls again, so that no error of a page passes through here. Needs
 * all other members set. LM_CANCELLED, LM_CORRUPT.
 */
lm_status lm_ranking_run(lm_ranking_search *search, size_t *wanted);
/* The next block of a list: it stays readable, with its padding, until the list's next. LM_CORRUPT.
 */
lm_status lm_ranking_give(lm_ranking_search *search, size_t cursor, const uint8_t *bytes,
                          size_t available);
void lm_ranking_end(lm_ranking_search *search, size_t cursor);

#endif
