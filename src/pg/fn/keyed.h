/*
 * keyed.h - the rows of a query of key and vector, or of key and text that becomes a vector: all of
 * them, for functions that compare each row with all others.
 *
 * Keys are kept in memory. Vectors are, too, up to a limit; beyond it they lie in a temporary file
 * and are read in blocks, or in one that is mapped (lm_keep).
 */
#ifndef LMTEXT_KEYED_H
#define LMTEXT_KEYED_H

#include "storage/buffile.h"

#include "pg/fn/args.h"
#include "pg/fn/query.h"

typedef struct lmtext_keyed {
    const char *function; /* named in messages */
    MemoryContext memory;
    size_t limit;      /* bytes of vectors in memory; 0: all are at one place: */
    lmtext_call *kept; /* by whose lm_keep; NULL: in the memory context */
    int64 count;
    int width; /* 0: no row yet */
    char **keys;
    lmtext_model *model; /* of texts; NULL: that of the call's arguments */
    int workers;         /* that embed beside this process */
    int64 room;          /* rows for which there is place, of keys */
    float *values;       /* (count, width), or the rows that are not in the file yet */
    int64 value_room, unwritten;
    BufFile *file; /* NULL: all is in memory */
} lmtext_keyed;

/*
 * Read all rows, in the query's order; rows with a null are left out. Text is embedded in batches
 * by the model of the call's arguments. The caller has called SPI_connect.
 */
void lmtext_keyed_read(lmtext_keyed *keyed, FunctionCallInfo fcinfo, const char *query);
/* The vectors of rows first …, in memory or copied into `buffer` (rows, width). */
const float *lmtext_keyed_rows(const lmtext_keyed *keyed, int64 first, int64 rows, float *buffer);
/* Files go; memory is that of its context. */
void lmtext_keyed_close(lmtext_keyed *keyed);

#endif
