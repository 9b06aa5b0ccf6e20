/*
 * fasttext.c - embeddings of n-grams and a layer of labels, by stochastic gradient descent.
 *
 * One row is one step, in an order that a seed draws for each pass; the rate falls to 0 along a
 * line, as in the fastText library. A text is the mean of its n-grams' embeddings (features/tfidf.h
 * counts them: norm l1, no idf), so that what is learnt is a classifier on n-grams whose weights
 * have the rank `dim` (lang/ngram_head.h). Nodes of a tree learn in place of labels with `loss` hs.
 *
 * Smaller on request: with `cutoff` only the features with the longest embeddings stay, and are
 * learnt anew, as in fastText.zip (Joulin et al. 2016); with `quantize` rows are int8 with a step
 * each. Products of pairs of dimensions, as there, take half of int8's bytes again, but are looked
 * up number by number, where int8 rows are added faster than floats.
 */
#include "train/fasttext.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "base/sort.h"
#include "features/tfidf.h"
#include "kernels/kernels.h"
#include "lang/label_tree.h"
#include "lang/ngram_head.h"
#include "train/calibrate.h"
#include "train/outcome.h"
#include "train/split.h"

#define LANES 16
#define POLL_EVERY 4096u     /* features */
#define SMALLEST_SHARE 1e-5f /* of a wrong label: less teaches nothing that can be measured */
#define MOST_CALIBRATED 16384
#define MOST_SCORES ((size_t)1 << 25)

typedef struct fasttext_options {
    int64_t dim, epochs, buckets, word_ngrams, min_n, max_n, cutoff, seed;
    double lr, min_count, hold_out;
    char *loss, *words;
    bool lowercase, quantize, refit;
} fasttext_options;

typedef struct fasttext {
    lm_context *ctx;
    fasttext_options options;
    const lm_kernels *kernels;
    lm_tfidf tfidf;
    lm_train_labels labels;
    size_t *order;                    /* (rows): rows trained on, then rows held out */
    size_t *walk;                     /* (rows): an order of these */
    size_t trained, held_out, padded; /* padded: of the dimensions */
    float *input;                     /* (features, padded) */
    float *output;                    /* (labels, padded); of a tree, of nodes and an empty row */
    float *mean, *slope, *numbers;    /* (padded) twice, then (2 labels) */
    uint32_t *tree;                   /* NULL: none */
    uint32_t *parents;                /* (2 labels): of labels and nodes */
    int8_t *codes;                    /* (features, dim), as `input` then is; NULL: floats stay */
    float *quanta;                    /* (features): their steps */
    double accuracy, loss, error, scale, mean_loss, seconds;
    double accuracy_before; /* of all features as floats; and bytes of the tensors */
    size_t bytes_before;
    size_t steps;        /* rows learnt from, in all passes */
    bool cuts;           /* more features than the cutoff */
    int64_t epochs_done; /* of all fits */
    const lm_train_watch *watch;
} fasttext;

static void
fasttext_defaults(void *options)
{
    *(fasttext_options *)options = (fasttext_options){.dim = 100,
                                                      .epochs = 25,
                                                      .buckets = 1 << 20,
                                                      .word_ngrams = 2,
                                                      .seed = 42,
                                                      .lr = 0.5,
                                                      .min_count = 1,
                                                      .hold_out = 0.1,
                                                      .loss = "softmax",
                                                      .words = "unicode",
                                                      .lowercase = true,
                                                      .refit = true};
}

/* ---- Options ---- */

static lm_status
refuse(lm_context *ctx, const char *key, const char *found, const char *allowed)
{
    lm_raise(ctx, LM_BAD_ARGUMENT, "a value of an option is not valid");
    lm_detail_key(ctx, "%s", key);
    lm_detail_found(ctx, "%s", found);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* The bits of a power of two; −1: it is none. */
static int
bits_of(int64_t buckets)
{
    int bits = 0;

    while (bits < LM_HASH_BITS_MAX && (int64_t)1 << bits < buckets)
        bits++;
    return buckets == 0 ? 0 : (int64_t)1 << bits == buckets && bits >= LM_HASH_BITS_MIN ? bits : -1;
}

static lm_status
read_features(lm_context *ctx, const fasttext_options *o, lm_tfidf_options *features)
{
    const lm_word_kind *words = lm_word_kind_find(o->words);
    char found[32];

    lm_tfidf_defaults(features);
    features->idf = false;
    features->norm = LM_ROW_NORM_L1;
    features->min_df = o->min_count;
    features->max_df = 1;
    features->hash_bits = bits_of(o->buckets);
    snprintf(found, sizeof found, "%" PRId64, o->buckets);
    if (features->hash_bits < 0)
        return refuse(ctx, "buckets", found, "0, or a power of two from 256 to 16777216");
    if (!words)
        return refuse(ctx, "words", o->words, "words, unicode, whitespace");
    features->ngrams =
        (lm_ngram_options){lm_ngram_kind_find("word"), words, 1, (int)o->word_ngrams, o->lowercase};
    if (o->max_n == 0)
        return LM_OK;
    snprintf(found, sizeof found, "%" PRId64, o->min_n);
    if (o->min_n < 1 || o->min_n > o->max_n)
        return refuse(ctx, "min_n", found, "1 to max_n");
    features->also = features->ngrams;
    features->also.kind = lm_ngram_kind_find("char_wb");
    features->also.low = (int)o->min_n;
    features->also.high = (int)o->max_n;
    return LM_OK;
}

static bool
has_tree(const fasttext *f)
{
    return strcmp(f->options.loss, "hs") == 0;
}

static lm_status
fasttext_open(lm_context *ctx, const void *options, size_t width, void **training)
{
    fasttext *f = lm_alloc_zero(ctx, sizeof *f);
    lm_tfidf_options features;
    lm_status status;

    *training = f;
    if (!f)
        return LM_NO_MEMORY;
    f->ctx = ctx;
    f->options = *(const fasttext_options *)options;
    f->kernels = lm_kernels_active();
    f->padded = lm_ngram_head_padded((size_t)f->options.dim);
    lm_tfidf_defaults(&features);
    status = read_features(ctx, &f->options, &features);
    lm_tfidf_init(&f->tfidf, ctx, &features);
    lm_train_labels_init(&f->labels, ctx);
    if (status == LM_OK && !has_tree(f) && strcmp(f->options.loss, "softmax") != 0)
        status = refuse(ctx, "loss", f->options.loss, "softmax, hs");
    return status;
}

static void
fasttext_close(void *training)
{
    fasttext *f = training;

    if (!f)
        return;
    lm_tfidf_free(&f->tfidf);
    lm_train_labels_free(&f->labels);
    lm_free(f->ctx, f->order);
    lm_free(f->ctx, f->walk);
    lm_free(f->ctx, f->input);
    lm_free(f->ctx, f->output);
    lm_free(f->ctx, f->mean);
    lm_free(f->ctx, f->codes);
    lm_free(f->ctx, f->quanta);
    lm_free(f->ctx, f->tree);
    lm_free(f->ctx, f->parents);
    lm_free(f->ctx, f);
}

static lm_status
fasttext_add_rows(void *training, const lm_train_rows *rows)
{
    fasttext *f = training;

    for (size_t i = 0; i < rows->count; i++)
        LM_TRY(lm_tfidf_add(&f->tfidf, rows->texts[0][i]));
    return lm_train_labels_add(&f->labels, rows->texts[1], rows->count);
}

static const char *
fasttext_lacking(const void *training, const char **hint)
{
    if (((const fasttext *)training)->labels.names.count > 1)
        return NULL;
    *hint = "A classifier needs at least two labels.";
    return "returned only one label";
}

/* ---- Getting ready ---- */

static lm_status
make_tree(fasttext *f)
{
    const size_t labels = f->labels.names.count;
    uint64_t *counts = lm_alloc_zero(f->ctx, labels * sizeof *counts);
    lm_status status = LM_NO_MEMORY;

    f->tree = lm_alloc_array(f->ctx, 2 * labels, sizeof *f->tree);
    f->parents = lm_alloc_array(f->ctx, 2 * labels, sizeof *f->parents);
    if (counts && f->tree && f->parents) {
        for (size_t i = 0; i < f->labels.rows; i++)
            counts[f->labels.y[i]]++;
        status = lm_label_tree_build(f->ctx, counts, labels, f->tree);
    }
    for (size_t i = 0; status == LM_OK && i < 2 * (labels - 1); i++)
        f->parents[f->tree[i]] = (uint32_t)i; /* and its side, the lowest bit */
    lm_free(f->ctx, counts);
    return status;
}

static lm_status
check_size(const fasttext *f)
{
    const size_t most = LM_NGRAM_HEAD_WEIGHTS_MAX / f->padded;
    const size_t larger =
        f->tfidf.count > f->labels.names.count ? f->tfidf.count : f->labels.names.count;

    if (larger <= most)
        return LM_OK;
    lm_raise(f->ctx, LM_TOO_LARGE, "the classifier would have too many weights");
    lm_detail_found(f->ctx, "%" PRIu32 " features and %" PRIu32 " labels", f->tfidf.count,
                    f->labels.names.count);
    lm_detail_allowed(f->ctx, "%zu of either", most);
    return lm_detail_hint(f->ctx, "Lower dim or buckets, or raise min_count.");
}

static lm_status
get_ready(fasttext *f)
{
    const size_t rows = f->labels.rows, padded = f->padded;
    size_t labels;

    LM_TRY(lm_train_labels_sort(&f->labels));
    LM_TRY(lm_tfidf_finish(&f->tfidf));
    LM_TRY(check_size(f));
    f->cuts = f->options.cutoff > 0 && (uint64_t)f->options.cutoff < f->tfidf.count;
    labels = f->labels.names.count;
    f->order = lm_alloc_array(f->ctx, rows, sizeof *f->order);
    f->walk = lm_alloc_array(f->ctx, rows, sizeof *f->walk);
    f->input = lm_alloc_array(f->ctx, f->tfidf.count * padded, sizeof *f->input);
    f->output = lm_alloc_array(f->ctx, labels * padded, sizeof *f->output);
    f->mean = lm_alloc_array(f->ctx, 2 * padded + 2 * labels, sizeof *f->mean);
    if (!f->order || !f->walk || !f->input || !f->output || !f->mean)
        return LM_NO_MEMORY;
    f->slope = f->mean + padded;
    f->numbers = f->slope + padded;
    LM_TRY(lm_split_rows(f->ctx, f->labels.y, rows, labels, f->options.hold_out,
                         (uint64_t)f->options.seed, f->order, &f->trained));
    f->held_out = rows - f->trained;
    return has_tree(f) ? make_tree(f) : LM_OK;
}

/* ---- A step ---- */

static void
add_scaled(size_t padded, float factor, const float *from, float *to)
{
    for (size_t block = 0; block < padded; block += LANES)
        for (size_t i = 0; i < LANES; i++)
            to[block + i] += factor * from[block + i];
}

static void
average(fasttext *f, size_t row)
{
    const lm_sparse_rows *rows = &f->tfidf.rows;

    memset(f->mean, 0, f->padded * sizeof *f->mean);
    for (size_t i = rows->starts[row]; i < rows->starts[row + 1]; i++)
        add_scaled(f->padded, rows->value[i], f->input + rows->index[i] * f->padded, f->mean);
}

static float
number_of(const fasttext *f, size_t i)
{
    return f->kernels->dot_f32(f->padded, f->output + i * f->padded, f->mean);
}

/* What a label's or node's number has to do with the loss, times the rate. */
static void
learn(fasttext *f, size_t i, float step)
{
    float *restrict output = f->output + i * f->padded, *restrict slope = f->slope;
    const float *restrict mean = f->mean;

    for (size_t block = 0; block < f->padded; block += LANES)
        for (size_t j = block; j < block + LANES; j++) {
            slope[j] += step * output[j];
            output[j] += step * mean[j];
        }
}

static double
step_softmax(fasttext *f, size_t label, float rate)
{
    const size_t labels = f->labels.names.count;
    double share;

    for (size_t i = 0; i < labels; i++)
        f->numbers[i] = number_of(f, i);
    f->kernels->softmax_f32(labels, f->numbers);
    share = f->numbers[label];
    for (size_t i = 0; i < labels; i++)
        if (i == label || f->numbers[i] > SMALLEST_SHARE)
            learn(f, i, rate * ((i == label) - f->numbers[i]));
    return -log(share > 1e-30 ? share : 1e-30);
}

static double
step_tree(fasttext *f, size_t label, float rate)
{
    const size_t labels = f->labels.names.count, root = 2 * labels - 2;
    double loss = 0;

    for (size_t at = label; at != root;) {
        const size_t node = f->parents[at] / 2;
        const bool left = f->parents[at] % 2 == 0;
        const float share = 1 / (1 + expf(-number_of(f, node)));

        loss -= log(fmax(left ? share : 1 - share, 1e-30));
        learn(f, node, rate * ((float)left - share));
        at = labels + node;
    }
    return loss;
}

static void
learn_row(fasttext *f, size_t row, float rate)
{
    const lm_sparse_rows *rows = &f->tfidf.rows;
    const size_t label = (size_t)f->labels.y[row];

    average(f, row);
    memset(f->slope, 0, f->padded * sizeof *f->slope);
    f->mean_loss += f->tree ? step_tree(f, label, rate) : step_softmax(f, label, rate);
    for (size_t i = rows->starts[row]; i < rows->starts[row + 1]; i++)
        add_scaled(f->padded, rows->value[i], f->slope, f->input + rows->index[i] * f->padded);
}

/* ---- Passes ---- */

static lm_status
draw_start(fasttext *f, lm_rng *rng)
{
    const size_t dim = (size_t)f->options.dim, padded = f->padded;

    memset(f->output, 0, f->labels.names.count * padded * sizeof *f->output);
    for (size_t i = 0; i < f->tfidf.count; i++) {
        if (i % 1024 == 0)
            LM_TRY(lm_poll(f->ctx));
        for (size_t j = 0; j < padded; j++)
            f->input[i * padded + j] =
                j < dim ? (float)((2 * lm_rng_uniform(rng) - 1) / (double)dim) : 0;
    }
    return LM_OK;
}

static void
shuffle(lm_rng *rng, size_t *list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)lm_rng_below(rng, i), kept = list[i - 1];

        list[i - 1] = list[other];
        list[other] = kept;
    }
}

static bool
fits_again(const fasttext *f)
{
    return f->options.refit && f->held_out > 0;
}

static void
report_epoch(fasttext *f, size_t count)
{
    const int64_t fits = 1 + f->cuts + fits_again(f);

    f->mean_loss /= (double)count;
    f->watch->report(f->watch->opaque,
                     &(lm_train_progress){(int)++f->epochs_done, (int)(fits * f->options.epochs),
                                          &(lm_train_value){"loss", f->mean_loss, false}, 1});
}

/* Learn from the first `count` rows of the order, from the start. */
static lm_status
learn_epochs(fasttext *f, size_t count)
{
    const int64_t epochs = f->options.epochs;
    const double steps = (double)count * (double)epochs;
    double step = 0;
    lm_rng rng;

    lm_rng_seed(&rng, (uint64_t)f->options.seed);
    LM_TRY(draw_start(f, &rng));
    memcpy(f->walk, f->order, count * sizeof *f->walk);
    for (int64_t epoch = 0; epoch < epochs; epoch++) {
        f->mean_loss = 0;
        shuffle(&rng, f->walk, count);
        for (size_t i = 0; i < count; i++, step++) {
            LM_TRY(lm_poll(f->ctx)); /* thousands of labels are milliseconds a row */
            learn_row(f, f->walk[i], (float)(f->options.lr * (1 - step / steps)));
        }
        report_epoch(f, count);
    }
    f->steps += count * (size_t)epochs;
    return LM_OK;
}

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static lm_status
learn_rows(fasttext *f, size_t count)
{
    const double start = now();

    LM_TRY(learn_epochs(f, count));
    f->seconds += now() - start;
    return LM_OK;
}

/* ---- Held-out rows ---- */

static void
score(fasttext *f, size_t row, float *scores)
{
    const size_t labels = f->labels.names.count;
    float *numbers = f->tree ? f->numbers : scores;

    average(f, row);
    for (size_t i = 0; i < labels; i++)
        numbers[i] = number_of(f, i);
    if (f->tree)
        lm_label_tree_spread(f->tree, labels, numbers, numbers + labels, scores);
}

/* A tree's shares stay as they are; the factor is of a softmax. */
static lm_status
calibrate(fasttext *f, lm_held_out *h)
{
    double slope;

    for (size_t i = 0; i < h->count; i++) {
        LM_TRY(lm_poll(f->ctx));
        score(f, h->rows[i], h->scores + i * h->labels);
    }
    f->accuracy = lm_held_out_accuracy(h);
    if (!f->tree)
        LM_TRY(lm_calibrate_scale(f->ctx, h, &f->scale));
    LM_TRY(lm_calibration_error(f->ctx, h, f->scale, &f->error));
    return lm_held_out_loss(f->ctx, h, f->scale, &f->loss, &slope);
}

static lm_status
measure(fasttext *f)
{
    lm_held_out h = {
        .rows = f->order + f->trained, .labels = f->labels.names.count, .y = f->labels.y};
    size_t most = MOST_SCORES / h.labels + 1;
    lm_status status;

    f->accuracy = f->loss = f->error = NAN;
    f->scale = 1;
    if (f->held_out == 0)
        return LM_OK;
    most = most < MOST_CALIBRATED ? most : MOST_CALIBRATED;
    h.count = f->held_out < most ? f->held_out : most;
    if (!(h.scores = lm_alloc_array(f->ctx, h.count * h.labels, sizeof *h.scores)))
        return LM_NO_MEMORY;
    status = calibrate(f, &h);
    lm_free(f->ctx, h.scores);
    return status;
}

/* ---- Smaller ---- */

/* A feature and what its embedding moves texts by. */
typedef struct weighed {
    double length;
    uint32_t feature;
} weighed;

/* The longest first; of equals the first feature. */
static int
compare_lengths(const void *a, const void *b)
{
    const weighed *x = a, *y = b;

    if (x->length != y->length)
        return x->length < y->length ? 1 : -1;
    return (x->feature > y->feature) - (x->feature < y->feature);
}

static lm_status
weigh(fasttext *f, weighed *list)
{
    for (uint32_t i = 0; i < f->tfidf.count; i++) {
        const float *row = f->input + i * f->padded;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        list[i] = (weighed){f->kernels->dot_f32(f->padded, row, row), i};
    }
    return lm_sort(f->ctx, list, f->tfidf.count, sizeof *list, compare_lengths);
}

/* The features with the longest embeddings stay. */
static lm_status
cut(fasttext *f)
{
    const size_t cutoff = (size_t)f->options.cutoff;
    weighed *list = lm_alloc_array(f->ctx, f->tfidf.count, sizeof *list);
    bool *kept = list ? lm_alloc_zero(f->ctx, f->tfidf.count) : NULL;
    lm_status status = kept ? weigh(f, list) : LM_NO_MEMORY;

    for (size_t i = 0; status == LM_OK && i < cutoff; i++)
        kept[list[i].feature] = true;
    if (status == LM_OK)
        status = lm_tfidf_keep(&f->tfidf, kept);
    lm_free(f->ctx, kept);
    lm_free(f->ctx, list);
    return status;
}

static lm_status
open_codes(fasttext *f)
{
    f->codes = lm_alloc_array(f->ctx, f->tfidf.count * (size_t)f->options.dim, sizeof *f->codes);
    f->quanta = lm_alloc_array(f->ctx, f->tfidf.count, sizeof *f->quanta);
    return f->codes && f->quanta ? LM_OK : LM_NO_MEMORY;
}

/* Embeddings become what their codes say, so that what is measured is what is stored. */
static lm_status
narrow(fasttext *f)
{
    const size_t dim = (size_t)f->options.dim;

    if (!f->options.quantize)
        return LM_OK;
    if (!f->codes)
        LM_TRY(open_codes(f));
    for (size_t i = 0; i < f->tfidf.count; i++) {
        float *row = f->input + i * f->padded;
        int8_t *codes = f->codes + i * dim;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(f->ctx));
        lm_quantize_rows(row, 1, dim, codes, f->quanta + i);
        for (size_t j = 0; j < dim; j++)
            row[j] = (float)codes[j] * f->quanta[i];
    }
    return LM_OK;
}

static lm_ngram_head_parts
parts_of(const fasttext *f)
{
    return (lm_ngram_head_parts){.tfidf = &f->tfidf,
                                 .label_count = (int)f->labels.names.count,
                                 .rank = (int)f->options.dim,
                                 .weight = f->input,
                                 .codes = f->codes,
                                 .step = f->quanta,
                                 .output = f->output,
                                 .tree = f->tree};
}

/* What it is before anything is taken away, then that. */
static lm_status
shrink(fasttext *f)
{
    const lm_ngram_head_parts parts = parts_of(f);

    if (!f->cuts && !f->options.quantize)
        return LM_OK;
    LM_TRY(measure(f));
    f->accuracy_before = f->accuracy;
    f->bytes_before = lm_ngram_head_tensor_bytes(&parts);
    if (f->cuts) {
        LM_TRY(cut(f));
        LM_TRY(learn_rows(f, f->trained));
    }
    return narrow(f);
}

static lm_status
fasttext_fit(void *training, const lm_train_watch *watch)
{
    fasttext *f = training;

    f->watch = watch;
    LM_TRY(get_ready(f));
    LM_TRY(learn_rows(f, f->trained));
    LM_TRY(shrink(f));
    LM_TRY(measure(f));
    if (!fits_again(f))
        return LM_OK;
    LM_TRY(learn_rows(f, f->labels.rows));
    return narrow(f);
}

/* ---- Outcome ---- */

/* Rows without their padding, in place. */
static void
pack(float *rows, size_t count, size_t padded, size_t width, float factor)
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < width; j++)
            rows[i * width + j] = factor * rows[i * padded + j];
}

static lm_status
write_files(fasttext *f, lm_arena *arena, const float *bias, lm_train_outcome *outcome)
{
    const size_t dim = (size_t)f->options.dim, labels = f->labels.names.count;
    lm_ngram_head_parts parts = parts_of(f);

    parts.bias = bias;
    pack(f->input, f->tfidf.count, f->padded, dim, 1);
    pack(f->output, labels, f->padded, dim, (float)f->scale);
    LM_TRY(lm_train_labels_names(&f->labels, arena, &parts.labels));
    lm_outcome_open_files(f->ctx, outcome, LM_NGRAM_HEAD_JSON, LM_NGRAM_HEAD_TENSORS);
    return lm_ngram_head_write(f->ctx, &parts, &outcome->files[0].bytes, &outcome->files[1].bytes);
}

static void
tell_sizes(const fasttext *f, lm_train_outcome *outcome)
{
    const lm_ngram_head_parts parts = parts_of(f);

    if (f->bytes_before == 0)
        return;
    lm_outcome_add(outcome, "bytes_before", (double)f->bytes_before);
    lm_outcome_add(outcome, "bytes", (double)lm_ngram_head_tensor_bytes(&parts));
    lm_outcome_add(outcome, "held_out_accuracy_before", f->accuracy_before);
}

static lm_status
fasttext_write(void *training, lm_train_outcome *outcome)
{
    fasttext *f = training;
    lm_status status = LM_NO_MEMORY;
    lm_arena arena;
    float *bias;

    memset(outcome, 0, sizeof *outcome);
    lm_arena_init(&arena, f->ctx);
    if ((bias = lm_arena_zero(&arena, f->labels.names.count * sizeof *bias)))
        status = write_files(f, &arena, bias, outcome);
    lm_arena_free(&arena);
    lm_outcome_add(outcome, "labels", f->labels.names.count);
    lm_outcome_add(outcome, "features", f->tfidf.count);
    lm_outcome_add(outcome, "held_out", (double)f->held_out);
    lm_outcome_add(outcome, "held_out_accuracy", f->accuracy);
    lm_outcome_add(outcome, "held_out_loss", f->loss);
    lm_outcome_add(outcome, "held_out_ece", f->error);
    lm_outcome_add(outcome, "loss", f->mean_loss);
    lm_outcome_add(outcome, "scale", f->scale);
    lm_outcome_add(outcome, "rows_per_second", floor((double)f->steps / f->seconds));
    lm_outcome_add(outcome, "seed", (double)f->options.seed);
    lm_outcome_add_bool(outcome, "refit", f->options.refit);
    tell_sizes(f, outcome);
    lm_outcome_summarize(outcome, f->labels.names.count, f->accuracy, f->held_out);
    return status;
}

static const lm_train_column columns[] = {{"text", LM_TRAIN_TEXT, false},
                                          {"label", LM_TRAIN_LABEL, false}};

static const lm_option options[] = {
    LM_OPTION(fasttext_options, dim, INT, 1, 1024, "a whole number from 1 to 1024"),
    LM_OPTION(fasttext_options, epochs, INT, 1, 1000, "a whole number from 1 to 1000"),
    LM_OPTION(fasttext_options, lr, FLOAT, 1e-6, 100, "a number from 0.000001 to 100"),
    LM_OPTION(fasttext_options, loss, TEXT, 0, 0, "softmax or hs"),
    LM_OPTION(fasttext_options, word_ngrams, INT, 1, LM_NGRAM_LONGEST,
              "a whole number from 1 to 32"),
    LM_OPTION(fasttext_options, min_n, INT, 0, LM_NGRAM_LONGEST, "a whole number from 0 to 32"),
    LM_OPTION(fasttext_options, max_n, INT, 0, LM_NGRAM_LONGEST, "a whole number from 0 to 32"),
    LM_OPTION(fasttext_options, min_count, FLOAT, 1, 1e9, "a number of texts"),
    LM_OPTION(fasttext_options, buckets, INT, 0, 1 << LM_HASH_BITS_MAX,
              "0, or a power of two from 256 to 16777216"),
    LM_OPTION(fasttext_options, quantize, BOOL, 0, 0, "true or false"),
    LM_OPTION(fasttext_options, cutoff, INT, 0, 1 << LM_HASH_BITS_MAX,
              "a number of n-grams from 0 to 16777216"),
    LM_OPTION(fasttext_options, words, TEXT, 0, 0, "words, unicode or whitespace"),
    LM_OPTION(fasttext_options, lowercase, BOOL, 0, 0, "true or false"),
    LM_OPTION(fasttext_options, hold_out, FLOAT, 0, 0.5, "a number from 0 to 0.5"),
    LM_OPTION(fasttext_options, seed, INT, 0, LM_SEED_MAX,
              "a whole number from 0 to 9007199254740991"),
    LM_OPTION(fasttext_options, refit, BOOL, 0, 0, "true or false"),
};

const lm_method lm_method_fasttext = {.name = "fasttext",
                                      .task = "classification",
                                      .columns = columns,
                                      .column_count = 2,
                                      .options = options,
                                      .option_count = sizeof options / sizeof options[0],
                                      .options_size = sizeof(fasttext_options),
                                      .defaults = fasttext_defaults,
                                      .open = fasttext_open,
                                      .add_rows = fasttext_add_rows,
                                      .lacking = fasttext_lacking,
                                      .fit = fasttext_fit,
                                      .write = fasttext_write,
                                      .close = fasttext_close};
