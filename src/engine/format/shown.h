/*
 * shown.h - files that a source shows in place of those that are there: a header from memory, and
 * runs of bytes of another file behind it (private to format/).
 */
#ifndef LM_SHOWN_H
#define LM_SHOWN_H

#include "format/source.h"

/* A run of bytes of the file that is there. */
typedef struct lm_shown_part {
    uint64_t begin;  /* in the file that is shown, behind its header */
    uint64_t offset; /* in the file that is there */
} lm_shown_part;

/* A file that is shown. */
typedef struct lm_shown_file {
    const char *name;
    const char *real;   /* the file that is there */
    uint64_t real_size; /* when it was read */
    const char *header; /* the first bytes that are shown */
    size_t header_size;
    const lm_shown_part *parts; /* one behind the other, up to size */
    size_t part_count;
    uint64_t size;
    struct lm_shown_file *next;
} lm_shown_file;

/* The file of that name in a list, or NULL. */
lm_shown_file *lm_shown_find(lm_shown_file *first, const char *name);

/* Its size; LM_IO_ERROR where the file that is there has another size than when it was read. */
lm_status lm_shown_stat(lm_context *ctx, const lm_source *below, const lm_shown_file *file,
                        bool *found, uint64_t *size);

/* Readers ask for what stat promised; what does not is refused as a short file is. */
lm_status lm_shown_read(lm_context *ctx, const lm_source *below, const lm_shown_file *file,
                        uint64_t offset, void *dest, size_t length);

#endif
