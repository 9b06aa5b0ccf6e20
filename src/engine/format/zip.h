/*
 * zip.h - the directory of a zip archive whose entries are stored, as torch.save writes it. Entries
 * that are compressed or encrypted are LM_UNSUPPORTED.
 */
#ifndef LM_ZIP_H
#define LM_ZIP_H

#include "format/source.h"

/* Entries of longer names cannot be located. */
#define LM_ZIP_NAME_LIMIT 512

typedef struct lm_zip_entry {
    const char *name; /* in the archive's own bytes */
    size_t length;    /* of the name */
    uint64_t header;  /* offset of its local header */
    uint64_t size;
} lm_zip_entry;

typedef struct lm_zip {
    lm_context *ctx;
    const lm_source *source;
    const char *file;
    const lm_zip_entry *entries; /* sorted by name */
    size_t count;
    uint64_t end; /* of the entries: where the directory begins */
} lm_zip;

/* Everything of it is in the arena. */
lm_status lm_zip_open(lm_context *ctx, lm_arena *arena, const lm_source *source, const char *file,
                      lm_zip *zip);
/* NULL when absent. */
const lm_zip_entry *lm_zip_find(const lm_zip *zip, const char *name, size_t length);
/* Where the bytes of an entry begin in the file; all of them are there. */
lm_status lm_zip_locate(const lm_zip *zip, const lm_zip_entry *entry, uint64_t *offset);

#endif
