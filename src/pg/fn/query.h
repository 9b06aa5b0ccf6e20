/*
 * query.h - a query of some columns, read through a cursor in batches: what lmtext.train and the
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

#define LMTEXT_COLUMNS_MAX 6

/* What a column may hold: each has a row in query.c. */
typedef enum lmtext_column_kind {
    LMTEXT_COLUMN_INPUT,  /* text, varchar, char and domains over them; or what becomes a real[] */
    LMTEXT_COLUMN_LABEL,  /* text and its like, enums, whole numbers and booleans */
    LMTEXT_COLUMN_TEXT,   /* text and its like */
    LMTEXT_COLUMN_VECTOR, /* what becomes a real[]; as the last column it may be missing */
    LMTEXT_COLUMN_KEY,    /* any type, as text: what a row is called */
    LMTEXT_COLUMN_ANY,    /* any type, of which all of these have one in common, as in `a = b` */
    /* What an INSERT would take for a column of such a type: */
    LMTEXT_COLUMN_NUMBER,  /* double precision */
    LMTEXT_COLUMN_WHOLE,   /* bigint */
    LMTEXT_COLUMN_BOOL,    /* boolean */
    LMTEXT_COLUMN_NUMBERS, /* double precision[] */
    LMTEXT_COLUMN_TEXTS    /* text[] */
} lmtext_column_kind;

typedef struct lmtext_column {
    const char *role; /* for messages: "text", "label" */
    lmtext_column_kind kind;
    bool optional; /* with all that follow it may be missing */
} lmtext_column;

/* A column as it is read. */
typedef struct lmtext_column_reader {
    lmtext_column_kind kind;
    bool is_vector;     /* an INPUT that is one */
    ExprState *convert; /* to real[], the common type or the kind's; NULL: is of it */
    FmgrInfo output;    /* of texts */
    bool padded;        /* char(n), whose trailing blanks mean nothing */
} lmtext_column_reader;

typedef struct lmtext_query {
    Portal portal;
    double expected; /* rows, by the planner's estimate */
    int column_count;
    lmtext_column_reader columns[LMTEXT_COLUMNS_MAX];
    Oid type, collation;  /* of ANY columns */
    int16 length;         /* of that type */
    bool by_value;        /* is that type passed */
    ExprContext *scratch; /* of conversions */
} lmtext_query;

/* A column of a row, by its kind; all are NULL where the column is. */
typedef struct lmtext_query_field {
    char *text;          /* in the database's encoding */
    ArrayType *vector;   /* an INPUT that is one */
    NullableDatum value; /* of ANY and the kinds after it */
} lmtext_query_field;

typedef struct lmtext_query_row {
    lmtext_query_field fields[LMTEXT_COLUMNS_MAX];
} lmtext_query_row;

/*
 * Check and start a query of `count` columns, of which it then has column_count; `function` is
 * named in messages.
 */
void lmtext_query_open(lmtext_query *rows, const char *function, const char *query,
                       const lmtext_column *columns, int count);
/*
 * The same in two steps, for whom the columns depend on their number: start returns it.
 */
int lmtext_query_start(lmtext_query *rows, const char *function, const char *query);
void lmtext_query_bind(lmtext_query *rows, const char *function, const lmtext_column *columns,
                       int count);
/* The next rows, at most `limit`; their number, 0 at the end. batch has room for `limit`. */
int lmtext_query_fetch(lmtext_query *rows, int limit, lmtext_query_row *batch);
void lmtext_query_close(lmtext_query *rows);

#endif
