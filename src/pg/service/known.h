/*
 * known.h - distances that an index scan has computed, for the operator that PostgreSQL evaluates
 * again for each row that the scan returns: `ORDER BY body <=> 'words'` is a column of its own.
 *
 * A scan that is open says model and words; for each row that it returns, a hash of the row's text
 * under the index's key, and the distance. The operator asks before it embeds. A scan's last rows
 * are kept, more than are read ahead of the operator. Only calls of the statement that the scan is
 * part of are answered, and a scan whose user may not see all rows of the table says nothing:
 * whether a text has been met tells that it is there.
 */
#ifndef LMTEXT_KNOWN_H
#define LMTEXT_KNOWN_H

#include "base/siphash.h"

#include "pg/cache/cache.h"

#define LMTEXT_KNOWN_ROWS 512

typedef struct lmtext_known {
    struct lmtext_known *next;
    MemoryContext query; /* of the executor that the scan is run by */
    lmtext_digest model;
    lm_text words; /* in UTF-8; lives as long as this */
    unsigned char key[LM_SIPHASH_KEY_BYTES];
    int count; /* rows so far; the last ones are there */
    struct lmtext_known_row {
        lm_hash128 text;
        double distance;
    } rows[LMTEXT_KNOWN_ROWS];
} lmtext_known;

/* `known` is filled in but for its rows; it is in `memory`, with which it goes. */
void lmtext_known_open(lmtext_known *known, MemoryContext memory);
void lmtext_known_add(lmtext_known *known, lm_hash128 text, double distance);

/* Is there an open scan of the executor with this memory, as of a call's FmgrInfo? */
bool lmtext_known_any(MemoryContext query);
/* By texts that are cut at the model's window, where the digest is a model's; counted as a hit. */
bool lmtext_known_find(MemoryContext query, const lmtext_digest *model, lm_text words, lm_text text,
                       double *distance);

#endif
