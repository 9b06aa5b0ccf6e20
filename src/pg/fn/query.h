/*
 * query.h - a query of two columns, read through a cursor in batches: what lmtext.train and the
 * reports take as an argument.
 *
 * The query runs as the current user, in the snapshot of the calling statement, and must only read.
 * The caller has called SPI_connect; values live in the memory context that is current when they
 * are fetched.
 */
#ifndef LMTEXT_QUERY_H
#define LMTEXT_QUERY_H

#include "utils/portal.h"

#include "pg/glue/glue.h"

/* What a column may hold. */
typedef enum lmtext_column_kind {
    LMTEXT_COLUMN_INPUT, /* text, varchar, char and domains over them; or real[] */
    LMTEXT_COLUMN_LABEL, /* those, and enums */
    LMTEXT_COLUMN_ANY    /* anything: its text form */
} lmtext_column_kind;

typedef struct lmtext_column {
    const char *role; /* for messages: "text", "label" */
    lmtext_column_kind kind;
} lmtext_column;

typedef struct lmtext_pairs {
    Portal portal;
    bool vectors; /* the first column is real[] */
    FmgrInfo output[2];
    bool padded[2]; /* char(n), whose trailing blanks mean nothing */
} lmtext_pairs;

/* One row; in the database's encoding. */
typedef struct lmtext_pair {
    char *values[2];   /* NULL: null, or given as a vector */
    ArrayType *vector; /* the first column where it is real[]; NULL: null */
} lmtext_pair;

/* Check and start a query; `function` is named in messages. */
void lmtext_pairs_open(lmtext_pairs *pairs, const char *function, const char *query,
                       const lmtext_column columns[2]);
/* The next rows, at most `limit`; their number, 0 at the end. rows has room for `limit`. */
int lmtext_pairs_fetch(lmtext_pairs *pairs, int limit, lmtext_pair *rows);
void lmtext_pairs_close(lmtext_pairs *pairs);

#endif
