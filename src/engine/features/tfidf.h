/*
 * tfidf.h - texts to rows of weighted n-grams: counted, chosen, weighed as scikit-learn's
 * TfidfVectorizer does (and, without idf and norm, its CountVectorizer).
 *
 * A feature is an n-gram of the vocabulary that was learnt, or a bucket into which n-grams fall by
 * their hash. Features are numbered in the order of their bytes, or of their buckets, whatever the
 * order of the texts.
 */
#ifndef LM_TFIDF_H
#define LM_TFIDF_H

#include "base/hash.h"
#include "base/intern.h"
#include "features/ngrams.h"
#include "features/sparse_rows.h"

#define LM_FEATURES_MAX ((uint32_t)1 << 26)
#define LM_HASH_BITS_MIN 8
#define LM_HASH_BITS_MAX 24
#define LM_FEATURES_COUNTED ((uint32_t)1 << 22) /* twice what is kept, or so many */
#define LM_FEATURE_BYTES_MAX ((size_t)1 << 30)  /* of all n-grams of a vocabulary */

typedef enum lm_row_norm {
    LM_ROW_NORM_NONE,
    LM_ROW_NORM_L1,
    LM_ROW_NORM_L2,
    LM_ROW_NORM_COUNT
} lm_row_norm;
extern const char *const lm_row_norm_names[LM_ROW_NORM_COUNT]; /* "none", "l1", "l2" */

typedef struct lm_tfidf_options {
    lm_ngram_options ngrams;
    lm_ngram_options also; /* n-grams of another kind beside these; kind NULL: none. Equal bytes are
                            * one feature */
    int hash_bits;         /* of a bucket; 0: a vocabulary */
    uint64_t hash_seed;
    bool binary;    /* counts are 0 or 1 */
    bool sublinear; /* 1 + ln(count) */
    bool idf;       /* times ln((1 + n) / (1 + df)) + 1; not smooth: ln(n / df) + 1 */
    bool smooth;
    lm_row_norm norm;
    double min_df, max_df; /* texts: a share where below 1, and max_df at 1; else their number */
    uint32_t max_features; /* the most frequent ones are kept */
    uint32_t max_counted;  /* different n-grams, before the choice */
} lm_tfidf_options;

/* scikit-learn's, with single words, a vocabulary of at most 2²¹, and 2²² n-grams to choose from.
 */
void lm_tfidf_defaults(lm_tfidf_options *options);

/* Learning: texts one by one, then the choice. */
typedef struct lm_tfidf {
    lm_context *ctx;
    lm_tfidf_options options;
    lm_ngram_room room;
    lm_numbers numbers;
    lm_intern names;     /* n-grams by number; empty with buckets */
    size_t name_bytes;   /* of all */
    uint32_t *df;        /* by number: texts */
    uint64_t *total;     /* by number: times */
    size_t counted;      /* room of both */
    lm_sparse_rows rows; /* by number, and counts; once chosen: by feature, and weights */
    uint32_t *order;     /* (count): the number of a feature; NULL before the choice */
    float *idf;          /* (count): 1 without idf */
    uint32_t count;      /* features */
} lm_tfidf;

void lm_tfidf_init(lm_tfidf *tfidf, lm_context *ctx, const lm_tfidf_options *options);
void lm_tfidf_free(lm_tfidf *tfidf);
/* LM_TOO_LARGE where more than max_counted different n-grams come. */
lm_status lm_tfidf_add(lm_tfidf *tfidf, lm_text text);
/* Choose, number and weigh. LM_BAD_ARGUMENT where no feature is left. */
lm_status lm_tfidf_finish(lm_tfidf *tfidf);

/* Once chosen: keep the features that are marked, at least one, and number them anew. Rows get
 * their norm again. Polls cancel. */
lm_status lm_tfidf_keep(lm_tfidf *tfidf, const bool *kept);

/* Every n-gram of a text that may be a feature, as lm_ngrams_each. */
lm_status lm_tfidf_each(const lm_tfidf_options *options, lm_ngram_room *room, lm_text text,
                        lm_ngram_sink take, void *opaque);

/* The bucket of an n-gram: the first bits of its hash. */
static inline uint32_t
lm_tfidf_bucket(const lm_tfidf_options *options, const char *bytes, size_t length)
{
    return (uint32_t)(lm_hash_bytes(bytes, length, options->hash_seed) >>
                      (64 - options->hash_bits));
}

/* Counts to weights, in place. */
void lm_tfidf_weigh(const lm_tfidf_options *options, const float *idf, const uint32_t *index,
                    float *value, size_t count);

#endif
