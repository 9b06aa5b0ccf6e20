/*
 * spec.c - options of features to what lm_tfidf takes.
 */
#include "features/spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
lm_tfidf_spec_defaults(lm_tfidf_spec *spec)
{
    *spec = (lm_tfidf_spec){.ngrams = "word",
                            .words = "words",
                            .norm = "l2",
                            .also = "none",
                            .ngram_min = 1,
                            .ngram_max = 1,
                            .also_min = 2,
                            .also_max = 5,
                            .max_features = LM_FEATURES_COUNTED / 2,
                            .min_df = 1,
                            .max_df = 1,
                            .lowercase = true,
                            .idf = true,
                            .smooth_idf = true};
}

static lm_status
refuse(lm_context *ctx, const char *key, const char *found, const char *allowed)
{
    lm_raise(ctx, LM_BAD_ARGUMENT, "a value of an option is not valid");
    lm_detail_key(ctx, "%s", key);
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* Options that are words. */
static lm_status
read_words(lm_context *ctx, const lm_tfidf_spec *spec, lm_tfidf_options *o)
{
    int norm = 0;

    if (!(o->ngrams.kind = lm_ngram_kind_find(spec->ngrams)))
        return refuse(ctx, "ngrams", spec->ngrams, "word, char, char_wb");
    if (!(o->ngrams.words = lm_word_kind_find(spec->words)))
        return refuse(ctx, "words", spec->words, "words, unicode, whitespace, keras");
    while (norm < LM_ROW_NORM_COUNT && strcmp(lm_row_norm_names[norm], spec->norm) != 0)
        norm++;
    if (norm == LM_ROW_NORM_COUNT)
        return refuse(ctx, "norm", spec->norm, "none, l1, l2");
    o->norm = (lm_row_norm)norm;
    return LM_OK;
}

/* N-grams of another kind beside those; they are cut and counted alike. */
static lm_status
read_also(lm_context *ctx, const lm_tfidf_spec *spec, lm_tfidf_options *o)
{
    if (strcmp(spec->also, "none") == 0)
        return LM_OK;
    o->also = o->ngrams;
    o->also.low = (int)spec->also_min;
    o->also.high = (int)spec->also_max;
    if (!(o->also.kind = lm_ngram_kind_find(spec->also)))
        return refuse(ctx, "also", spec->also, "none, word, char, char_wb");
    return LM_OK;
}

/* What depends on two of them, or has a gap in its range. */
static lm_status
check_numbers(lm_context *ctx, const lm_tfidf_spec *spec)
{
    char found[32];

    snprintf(found, sizeof found, "%" PRId64, spec->ngram_max);
    if (spec->ngram_max < spec->ngram_min)
        return refuse(ctx, "ngram_max", found, "at least ngram_min");
    snprintf(found, sizeof found, "%" PRId64, spec->also_max);
    if (spec->also_max < spec->also_min)
        return refuse(ctx, "also_max", found, "at least also_min");
    snprintf(found, sizeof found, "%" PRId64, spec->hash_bits);
    if (spec->hash_bits > 0 && spec->hash_bits < LM_HASH_BITS_MIN)
        return refuse(ctx, "hash_bits", found, "0, or 8 to 24");
    return LM_OK;
}

lm_status
lm_tfidf_spec_read(lm_context *ctx, const lm_tfidf_spec *spec, lm_tfidf_options *options)
{
    lm_tfidf_defaults(options);
    LM_TRY(read_words(ctx, spec, options));
    LM_TRY(check_numbers(ctx, spec));
    options->ngrams.low = (int)spec->ngram_min;
    options->ngrams.high = (int)spec->ngram_max;
    options->ngrams.lowercase = spec->lowercase;
    LM_TRY(read_also(ctx, spec, options));
    options->hash_bits = (int)spec->hash_bits;
    options->binary = spec->binary;
    options->sublinear = spec->sublinear;
    options->idf = spec->idf;
    options->smooth = spec->smooth_idf;
    options->min_df = spec->min_df;
    options->max_df = spec->max_df;
    options->max_features = (uint32_t)spec->max_features;
    if (options->max_features > options->max_counted / 2)
        options->max_counted = 2 * options->max_features;
    return LM_OK;
}
