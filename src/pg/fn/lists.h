/*
 * lists.h - entries whose result is some rows for each text: how they are computed, remembered and
 * put out, for a text and for an array of texts alike.
 *
 * A text's result is a list, which `run` of the entry's lmtext_infer_kind makes in the current
 * memory context, one after the other.
 */
#ifndef LMTEXT_LISTS_H
#define LMTEXT_LISTS_H

#include "pg/fn/args.h"

/* What was computed of one text. */
typedef struct lmtext_list {
    size_t size;  /* bytes of all of it */
    size_t count; /* of items, as their entry counts */
    char items[FLEXIBLE_ARRAY_MEMBER];
} lmtext_list;

/* With room for bytes of items; NULL without memory: no error may be thrown through the engine. */
lmtext_list *lmtext_list_new(size_t bytes);
/* A copy of items, or LM_NO_MEMORY. */
lm_status lmtext_list_keep(const void *items, size_t count, size_t item_size, lmtext_list **kept);

/* For lmtext_infer_kind: its `length`. */
size_t lmtext_list_length(const void *list);

/* Where rows go. */
typedef struct lmtext_row_sink {
    FunctionCallInfo fcinfo;
    const lmtext_inference *inference;
    int64 ordinality; /* of the text: the first column; 0: there is no such */
} lmtext_row_sink;

/* Rows of a text's list, by lmtext_list_put. */
typedef void (*lmtext_list_rows)(const lmtext_row_sink *out, lm_text text, const lmtext_list *list);

#define LMTEXT_LIST_COLUMNS 8

/* One row: its columns behind the ordinality, none of them null. */
void lmtext_list_put(const lmtext_row_sink *out, const Datum *values, int count);

/*
 * The whole of an entry: `begin` says how texts are computed. A null text has no rows; nor has a
 * null in an array, of which so many texts are computed as one.
 */
#define LMTEXT_LIST_BLOCK 256 /* at most */
typedef void (*lmtext_list_begin)(FunctionCallInfo fcinfo, lmtext_inference *inference);
Datum lmtext_list_of_text(FunctionCallInfo fcinfo, lmtext_list_begin begin, lmtext_list_rows rows);
Datum lmtext_list_of_array(FunctionCallInfo fcinfo, lmtext_list_begin begin, lmtext_list_rows rows,
                           int block);

#endif
