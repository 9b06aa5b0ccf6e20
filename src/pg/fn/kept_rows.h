/*
 * kept_rows.h - rows of a training that are read again and again, batch by batch (private to fn/).
 *
 * Batches are in memory up to a limit, and those that come behind it in a temporary file.
 */
#ifndef LMTEXT_FN_KEPT_ROWS_H
#define LMTEXT_FN_KEPT_ROWS_H

#include "postgres.h"

#include "storage/buffile.h"

#include "train/methods.h"

/* A batch in one piece. */
typedef struct lmtext_kept_batch {
    struct lmtext_kept_batch *next;
    char *bytes;
    size_t size;
} lmtext_kept_batch;

typedef struct lmtext_kept_rows {
    /* The caller's: */
    MemoryContext memory;
    size_t limit;                   /* bytes of batches in memory */
    size_t width;                   /* of a vector; 0: there are none */
    const lm_train_column *columns; /* what is kept of a column follows from its kind */
    /* Zeroed at first: */
    size_t used;
    lmtext_kept_batch *first, *last; /* in memory */
    BufFile *file;                   /* NULL: there are no others */
    int64 in_file, left;             /* batches, and those that are not read yet */
    const lmtext_kept_batch *next;   /* to be read */
    MemoryContext batch;             /* of the one that was read last */
} lmtext_kept_rows;

/* A batch behind the others: all of it is copied. */
void lmtext_kept_rows_add(lmtext_kept_rows *kept, const lm_train_rows *rows);
/* Begin again with the first one. */
void lmtext_kept_rows_rewind(lmtext_kept_rows *kept);
/* The next one, valid until the one after it is asked for; false at the end. */
bool lmtext_kept_rows_next(lmtext_kept_rows *kept, lm_train_rows *rows);
/* The file goes; memory is that of its context. */
void lmtext_kept_rows_close(lmtext_kept_rows *kept);

#endif
