/*
 * memo.h - a result is not computed again while its argument stays the same, wherever that comes
 * from: a constant, a parameter, a subquery, a join with one row, a column whose neighbours are
 * equal.
 *
 * The last result of each memo is kept, and memos of one function in one statement share the
 * latest. A remembered result is used only where all bytes that it was made from are the same, so
 * no guard is needed. A comparison of lengths most often tells texts apart, and keeping a vector
 * takes less than a thousandth of computing it.
 */
#ifndef LMTEXT_MEMO_H
#define LMTEXT_MEMO_H

#include "pg/glue/glue.h"

/* Space that is used again for the next value. */
typedef struct lmtext_memo_buffer {
    char *bytes;
    size_t size, space;
} lmtext_memo_buffer;

/* What is kept: the key is, for each part, its length, then its bytes. */
typedef struct lmtext_kept {
    bool valid;
    lmtext_memo_buffer key, value;
} lmtext_kept;

/* Whose results; fill in all but `kept`, which is zeroed. */
typedef struct lmtext_memo {
    MemoryContext memory;
    Oid function;
    int argno;   /* which of the function's texts */
    bool stable; /* the text is the same while the statement runs */
    bool steady; /* it reads no column */
    lmtext_kept kept;
} lmtext_memo;

/*
 *     lm_text parts[] = { { (char *) &key, sizeof key }, text };
 *     value = lmtext_memo_find(memo, parts, 2);
 *     if (value == NULL)
 *         value = lmtext_memo_keep(memo, parts, 2, computed, size);
 *
 * The first part is a struct with the model's build and options, zeroed before it is filled
 * (padding is compared as well). A found value lives until the memo keeps another: where all that
 * the result depends on stays the same, it may be returned, else a copy of it. What is kept may be
 * `computed` itself, where it is too large.
 */
const void *lmtext_memo_find(lmtext_memo *memo, const lm_text *parts, int count);
const void *lmtext_memo_keep(lmtext_memo *memo, const lm_text *parts, int count, const void *value,
                             size_t size);

#endif
