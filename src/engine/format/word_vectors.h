/*
 * word_vectors.h - a file of word vectors as if it were a folder of a static embedding: a tokenizer
 * that knows its words, and a table of their vectors. What is stored and loaded later is such a
 * folder, as model2vec has them: word vectors are read at import alone.
 */
#ifndef LM_WORD_VECTORS_H
#define LM_WORD_VECTORS_H

#include "base/buffer.h"
#include "format/word_records.h"

/* More words are not read: the reader of a tokenizer has its own limit. */
#define LM_WORDS_MOST 4000000

/* Texts are lower-cased where all words of the file are in lower case. */
#define LM_LOWERCASE_AS_FILE 2

/* What an import may say of them. */
typedef struct lm_word_options {
    uint64_t limit;          /* of the file's words the first so many; 0: all */
    bool whitespace;         /* words of texts end at white space alone, not at punctuation */
    unsigned char lowercase; /* false, true, LM_LOWERCASE_AS_FILE */
} lm_word_options;

/* A file that is shown, as far as it is in memory. */
typedef struct lm_word_file {
    const char *bytes;
    size_t size;
} lm_word_file;

enum { LM_WORDS_CONFIG, LM_WORDS_TOKENIZER, LM_WORDS_TENSORS, LM_WORDS_FILES };

/* The source's state; see lm_word_vectors_source. */
typedef struct lm_word_vectors {
    lm_arena *arena;
    lm_word_options options;
    lm_word_records records;
    lm_word_file files[LM_WORDS_FILES]; /* of the tensors, the header */
    uint64_t repeated_count;
    const uint32_t *repeated; /* records whose word an earlier one has, ascending */
    uint64_t rows, kept;      /* of the table; of these, what the file has */
    bool is_read;             /* the words are known */
    /* Where the values are read. */
    uint64_t row;      /* rows that were read */
    uint64_t skipped;  /* of the repeated */
    float *values;     /* of the last row */
    size_t value_left; /* bytes of them that were not asked for yet */
} lm_word_vectors;

/*
 * config.json, tokenizer.json and model.safetensors made of `file` of the source below, and no
 * other file. The words are read when a file is first asked for; values are read from where they
 * are, front to back. `vectors` and arena live as long as the source.
 */
lm_source lm_word_vectors_source(lm_word_vectors *vectors, lm_arena *arena, const lm_source *below,
                                 const char *file, const lm_word_options *options);

#endif
