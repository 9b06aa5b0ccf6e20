/*
 * rowtext.h - the text that a trigger reads of a row: one column, or an expression over the row.
 */
#ifndef LMTEXT_ROWTEXT_H
#define LMTEXT_ROWTEXT_H

#include "access/htup.h"
#include "utils/relcache.h"

#include "pg/glue/glue.h"

typedef struct lmtext_row_text lmtext_row_text;

/*
 * From a trigger's argument: the name of a column, an expression, or several of either, separated
 * by commas, whose texts are joined by line ends and left out where they are null. An expression
 * finds what it names in pg_catalog only, whatever search_path is. Lives in `memory`.
 */
lmtext_row_text *lmtext_row_text_make(Relation relation, const char *trigger, const char *argument,
                                      MemoryContext memory);

/* The text of a row, as it is stored or as it was computed; false: null. */
bool lmtext_row_text_get(lmtext_row_text *source, Relation relation, HeapTuple row, Datum *text);

bool lmtext_row_text_equal(const lmtext_row_text *source, Datum a, Datum b);

/* Does it read this column? */
bool lmtext_row_text_reads(const lmtext_row_text *source, int number);

/* Number of a column that a BEFORE trigger can read and write; 42703, or 0A000 if it is generated.
 */
int lmtext_row_column(Relation relation, const char *name);

#endif
