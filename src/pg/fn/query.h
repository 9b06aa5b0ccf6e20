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

#include "nodes/execnodes.h"
#include "utils/portal.h"

#include "pg/glue/glue.h"

/* What a column may hold. */
typedef enum lmtext_column_kind {
    LMTEXT_COLUMN_INPUT, /* text, varchar, char and domains over them; or what becomes a real[] */
    LMTEXT_COLUMN_LABEL, /* text and its like, and enums */
    LMTEXT_COLUMN_ANY    /* any type, of which both columns have one in common, as in `a = b` */
} lmtext_column_kind;

typedef struct lmtext_column {
    const char *role; /* for messages: "text", "label" */
    lmtext_column_kind kind;
} lmtext_column;

typedef struct lmtext_pairs {
    Portal portal;
    double expected;       /* rows, by the planner's estimate */
    bool vectors;          /* the first column is a vector */
    bool values;           /* both columns are ANY */
    Oid type, collation;   /* of both, where they are ANY */
    int16 length;          /* of that type */
    bool by_value;         /* is that type passed */
    ExprState *convert[2]; /* to real[] or the common type; NULL: is of it */
    ExprContext *scratch;  /* of conversions */
    FmgrInfo output[2];
    bool padded[2]; /* char(n), whose trailing blanks mean nothing */
} lmtext_pairs;

/* One row. */
typedef struct lmtext_pair {
    char *texts[2];          /* in the database's encoding. NULL: null, or given as below */
    ArrayType *vector;       /* the first column where it is one; NULL: null */
    NullableDatum values[2]; /* where the columns are ANY */
} lmtext_pair;

/* Check and start a query; `function` is named in messages. */
void lmtext_pairs_open(lmtext_pairs *pairs, const char *function, const char *query,
                       const lmtext_column columns[2]);
/* The next rows, at most `limit`; their number, 0 at the end. rows has room for `limit`. */
int lmtext_pairs_fetch(lmtext_pairs *pairs, int limit, lmtext_pair *rows);
void lmtext_pairs_close(lmtext_pairs *pairs);

#endif
