/*
 * word_files.h - which file of a folder holds word vectors: they have no name of their own.
 */
#ifndef LM_WORD_FILES_H
#define LM_WORD_FILES_H

#include "format/source.h"

/* Names that were looked at. */
typedef struct lm_word_find {
    char names[2][256]; /* of files that may hold word vectors, the first two by name */
    int count;          /* of these, at most 2 */
    bool other;         /* the folder has files of another model */
} lm_word_find;

/* Whether a file may hold word vectors by the end of its name: .txt, .vec, .bin, .w2v, .gz. */
bool lm_word_file_name(const char *name);

/* Looks at a name of the folder; an lm_source_take of an lm_word_find, which is zero at first. */
lm_status lm_word_find_take(lm_context *ctx, void *find, const char *name);

/*
 * The one file that may be word vectors, NULL where there is none or the folder is another model's.
 * Several are refused.
 */
lm_status lm_word_find_end(lm_context *ctx, const lm_word_find *find, const char **name);

#endif
