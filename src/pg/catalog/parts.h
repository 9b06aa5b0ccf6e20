/*
 * parts.h - for those who read and make versions: the rows of a version's table, visited in heap
 * order.
 *
 * The heap of a version is small (its bytes are TOASTed), so one scan of it finds every row without
 * an index: a restore computes generated columns and indexes before it makes primary keys.
 */
#ifndef LMTEXT_PARTS_H
#define LMTEXT_PARTS_H

#include "utils/rel.h"
#include "utils/snapshot.h"

#include "pg/catalog/catalog.h"

#define LMTEXT_MANIFEST_FILE "manifest.json"
#define LMTEXT_GOLDEN_FILE "golden.json"

/* One row; pointers are valid during the visit. */
typedef struct lmtext_part {
    const char *file; /* in the database's encoding, not terminated */
    size_t file_length;
    int32 part;
    Datum data; /* as stored: usually a pointer into the TOAST table */
} lmtext_part;

/* Visit rows without nulls until the visitor returns false. */
typedef bool (*lmtext_part_visitor)(void *opaque, const lmtext_part *part);
void lmtext_parts_visit(Relation table, Snapshot snapshot, lmtext_part_visitor visit, void *opaque);

#endif
