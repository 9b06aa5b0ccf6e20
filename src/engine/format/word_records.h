/*
 * word_records.h - the words of a file of word vectors and their vectors, one after the other, in
 * the order of the file: GloVe's text, word2vec's text (and fastText's .vec) and word2vec's binary
 * form (private to format/).
 *
 *     text    [COUNT WIDTH '\n'] (WORD ' ' NUMBER … '\n')…         a header in all but GloVe's
 *     binary  COUNT WIDTH '\n' (WORD ' ' WIDTH × float32 ['\n'])…  little-endian
 *
 * The file is read through a window of fixed size, front to back; a line or a binary record must
 * fit it. Columns of text are separated by spaces or tabs. What the header says allocates nothing.
 */
#ifndef LM_WORD_RECORDS_H
#define LM_WORD_RECORDS_H

#include "format/source.h"

#define LM_WORD_LONGEST 65535 /* bytes */
#define LM_WORD_WIDTH 65536   /* numbers of a vector */

typedef struct lm_word_records {
    const lm_source *source;
    const char *file;
    uint64_t size; /* of the file, when it was opened */
    bool binary, has_header;
    uint64_t count; /* of the header */
    int width;
    uint64_t first; /* where the first record begins */
    /* Where reading is. */
    char *window;
    size_t begin, end; /* what of the window is not yet taken */
    uint64_t next;     /* of the file, behind the window */
    uint64_t line;     /* of text: lines that were taken */
    uint64_t taken;    /* records that were taken */
} lm_word_records;

/* A record; its bytes are in the window until the next is taken. */
typedef struct lm_word_record {
    const char *word; /* UTF-8, without U+0000 */
    size_t length;
    const char *values; /* columns of text, or float32 */
    size_t values_length;
} lm_word_record;

/* Find out the form and the width; the window is the arena's. */
lm_status lm_word_records_open(lm_context *ctx, lm_arena *arena, const lm_source *source,
                               const char *file, lm_word_records *records);

/* To before the first record. */
void lm_word_records_rewind(lm_word_records *records);

/* *found is false at the end, which must be where the header says. */
lm_status lm_word_records_next(lm_context *ctx, lm_word_records *records, lm_word_record *record,
                               bool *found);

/* The vector of the record that was taken last: `width` numbers, all of them finite. */
lm_status lm_word_records_values(lm_context *ctx, const lm_word_records *records,
                                 const lm_word_record *record, float *values);

#endif
