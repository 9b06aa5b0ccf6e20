/*
 * spec.h - how features are wanted, as options say it in words: rows of options, and what is made
 * of their values.
 */
#ifndef LM_FEATURE_SPEC_H
#define LM_FEATURE_SPEC_H

#include "base/option.h"
#include "features/tfidf.h"

typedef struct lm_tfidf_spec {
    char *ngrams, *words, *norm, *also;
    int64_t ngram_min, ngram_max, also_min, also_max, hash_bits, max_features;
    double min_df, max_df;
    bool lowercase, binary, sublinear, idf, smooth_idf;
} lm_tfidf_spec;

/* scikit-learn's TfidfVectorizer. */
void lm_tfidf_spec_defaults(lm_tfidf_spec *spec);
/* LM_BAD_ARGUMENT, with key and allowed values, for a word that means nothing. */
lm_status lm_tfidf_spec_read(lm_context *ctx, const lm_tfidf_spec *spec, lm_tfidf_options *options);

/* A row for a field of a spec that begins at `at` in the struct of options. */
#define LM_SPEC_OPTION(at, field, type, low, high, wanted)                                       \
    {                                                                                            \
#field, LM_OPTION_##type, (at) + offsetof(lm_tfidf_spec, field), (low), (high), (wanted) \
    }

#define LM_TFIDF_OPTIONS(at)                                                                    \
    LM_SPEC_OPTION(at, ngrams, TEXT, 0, 0, "word, char or char_wb"),                            \
        LM_SPEC_OPTION(at, words, TEXT, 0, 0, "words, unicode, whitespace or keras"),           \
        LM_SPEC_OPTION(at, ngram_min, INT, 1, LM_NGRAM_LONGEST, "a whole number from 1 to 32"), \
        LM_SPEC_OPTION(at, ngram_max, INT, 1, LM_NGRAM_LONGEST, "a whole number from 1 to 32"), \
        LM_SPEC_OPTION(at, lowercase, BOOL, 0, 0, "true or false"),                             \
        LM_SPEC_OPTION(at, also, TEXT, 0, 0, "none, word, char or char_wb"),                    \
        LM_SPEC_OPTION(at, also_min, INT, 1, LM_NGRAM_LONGEST, "a whole number from 1 to 32"),  \
        LM_SPEC_OPTION(at, also_max, INT, 1, LM_NGRAM_LONGEST, "a whole number from 1 to 32"),  \
        LM_SPEC_OPTION(at, hash_bits, INT, 0, LM_HASH_BITS_MAX,                                 \
                       "0, or a whole number from 8 to 24"),                                    \
        LM_SPEC_OPTION(at, min_df, FLOAT, 0, 1e9,                                               \
                       "a share of the texts below 1, or a number of texts"),                   \
        LM_SPEC_OPTION(at, max_df, FLOAT, 0, 1e9,                                               \
                       "a share of the texts up to 1, or a number of texts"),                   \
        LM_SPEC_OPTION(at, max_features, INT, 1, LM_FEATURES_MAX,                               \
                       "a whole number from 1 to 67108864"),                                    \
        LM_SPEC_OPTION(at, binary, BOOL, 0, 0, "true or false"),                                \
        LM_SPEC_OPTION(at, sublinear, BOOL, 0, 0, "true or false"),                             \
        LM_SPEC_OPTION(at, idf, BOOL, 0, 0, "true or false"),                                   \
        LM_SPEC_OPTION(at, smooth_idf, BOOL, 0, 0, "true or false"),                            \
        LM_SPEC_OPTION(at, norm, TEXT, 0, 0, "none, l1 or l2")

#endif
