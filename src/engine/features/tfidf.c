/*
 * tfidf.c - learning which n-grams are features and what they weigh.
 *
 * While texts come, n-grams have numbers in the order of first sight (or of their buckets), and
 * rows hold these and counts. The choice gives features their own numbers, and rewrites the rows in
 * place.
 */
#include "features/tfidf.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/sort.h"

#define POLL_EVERY 8192u /* features, rows */
#define NO_FEATURE UINT32_MAX

const char *const lm_row_norm_names[LM_ROW_NORM_COUNT] = {
    [LM_ROW_NORM_NONE] = "none", [LM_ROW_NORM_L1] = "l1", [LM_ROW_NORM_L2] = "l2"};

void
lm_tfidf_defaults(lm_tfidf_options *options)
{
    *options = (lm_tfidf_options){
        .ngrams = {lm_ngram_kind_find("word"), lm_word_kind_find("words"), 1, 1, true},
        .idf = true,
        .smooth = true,
        .norm = LM_ROW_NORM_L2,
        .min_df = 1,
        .max_df = 1,
        .max_features = LM_FEATURES_COUNTED / 2,
        .max_counted = LM_FEATURES_COUNTED};
}

void
lm_tfidf_init(lm_tfidf *tfidf, lm_context *ctx, const lm_tfidf_options *options)
{
    *tfidf = (lm_tfidf){.ctx = ctx, .options = *options};
    lm_ngram_room_init(&tfidf->room, ctx);
    lm_numbers_init(&tfidf->numbers, ctx);
    lm_intern_init(&tfidf->names, ctx, "n-grams");
    lm_sparse_rows_init(&tfidf->rows, ctx);
}

void
lm_tfidf_free(lm_tfidf *tfidf)
{
    lm_ngram_room_free(&tfidf->room);
    lm_numbers_free(&tfidf->numbers);
    lm_intern_free(&tfidf->names);
    lm_sparse_rows_free(&tfidf->rows);
    lm_free(tfidf->ctx, tfidf->df);
    lm_free(tfidf->ctx, tfidf->total);
    lm_free(tfidf->ctx, tfidf->order);
    lm_free(tfidf->ctx, tfidf->idf);
}

/* ---- Texts ---- */

static lm_status
too_many(lm_tfidf *t)
{
    lm_raise(t->ctx, LM_TOO_LARGE, "the texts have too many different n-grams");
    lm_detail_allowed(t->ctx, "%" PRIu32 " n-grams of %zu bytes in all", t->options.max_counted,
                      LM_FEATURE_BYTES_MAX);
    return lm_detail_hint(t->ctx, "Use shorter n-grams, set hash_bits, or raise max_features: "
                                  "twice as many are counted.");
}

static lm_status
take_name(void *opaque, const char *bytes, size_t length)
{
    lm_tfidf *t = opaque;
    uint32_t number, before = t->names.count;

    LM_TRY(lm_intern_add(&t->names, bytes, length, &number));
    if (t->names.count > before)
        t->name_bytes += length;
    if (number >= t->options.max_counted || t->name_bytes > LM_FEATURE_BYTES_MAX)
        return too_many(t);
    return lm_numbers_add(&t->numbers, number);
}

static lm_status
take_bucket(void *opaque, const char *bytes, size_t length)
{
    lm_tfidf *t = opaque;

    return lm_numbers_add(&t->numbers, lm_tfidf_bucket(&t->options, bytes, length));
}

/* Counts for numbers below `need`; new ones are 0. */
static lm_status
grow_counts(lm_tfidf *t, size_t need)
{
    size_t room = 2 * t->counted > need ? 2 * t->counted : need;
    uint32_t *df;
    uint64_t *total;

    if (need <= t->counted)
        return LM_OK;
    if (!(df = lm_realloc(t->ctx, t->df, room * sizeof *df)))
        return LM_NO_MEMORY;
    t->df = df;
    if (!(total = lm_realloc(t->ctx, t->total, room * sizeof *total)))
        return LM_NO_MEMORY;
    t->total = total;
    memset(df + t->counted, 0, (room - t->counted) * sizeof *df);
    memset(total + t->counted, 0, (room - t->counted) * sizeof *total);
    t->counted = room;
    return LM_OK;
}

lm_status
lm_tfidf_each(const lm_tfidf_options *options, lm_ngram_room *room, lm_text text,
              lm_ngram_sink take, void *opaque)
{
    LM_TRY(lm_ngrams_each(&options->ngrams, room, text, take, opaque));
    return options->also.kind ? lm_ngrams_each(&options->also, room, text, take, opaque) : LM_OK;
}

lm_status
lm_tfidf_add(lm_tfidf *tfidf, lm_text text)
{
    bool hashed = tfidf->options.hash_bits > 0;
    lm_numbers *numbers = &tfidf->numbers;

    lm_numbers_clear(numbers);
    LM_TRY(lm_tfidf_each(&tfidf->options, &tfidf->room, text, hashed ? take_bucket : take_name,
                         tfidf));
    LM_TRY(lm_numbers_count(numbers));
    LM_TRY(grow_counts(tfidf, hashed ? (size_t)1 << tfidf->options.hash_bits : tfidf->names.count));
    for (size_t i = 0; i < numbers->count; i++) {
        tfidf->df[numbers->items[i]]++;
        tfidf->total[numbers->items[i]] += (uint64_t)numbers->counts[i];
    }
    return lm_sparse_rows_add(&tfidf->rows, numbers->items, numbers->counts, numbers->count);
}

/* ---- Choice ---- */

/* A candidate, in the order of bytes or buckets. */
typedef struct candidate {
    uint64_t total;
    uint32_t number, rank;
} candidate;

/* The most frequent first; of equals, the earlier bytes. */
static int
compare_totals(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

static int
compare_ranks(const void *a, const void *b)
{
    const candidate *x = a, *y = b;

    return (x->rank > y->rank) - (x->rank < y->rank);
}

/* Those that are in enough texts, and in not too many; *count receives how many. */
static lm_status
gather(lm_tfidf *t, const uint32_t *order, uint32_t numbers, candidate *list, uint32_t *count)
{
    double texts = (double)t->rows.rows;
    double least = t->options.min_df < 1 ? t->options.min_df * texts : t->options.min_df;
    double most = t->options.max_df <= 1 ? t->options.max_df * texts : t->options.max_df;

    *count = 0;
    for (uint32_t i = 0; i < numbers; i++) {
        uint32_t number = order ? order[i] : i;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(t->ctx));
        if (t->df[number] > 0 && t->df[number] >= least && t->df[number] <= most)
            list[(*count)++] = (candidate){t->total[number], number, i};
    }
    return LM_OK;
}

static lm_status
choose(lm_tfidf *t, const uint32_t *order, uint32_t numbers, candidate *list)
{
    LM_TRY(gather(t, order, numbers, list, &t->count));
    if (t->count > t->options.max_features) {
        LM_TRY(lm_sort(t->ctx, list, t->count, sizeof *list, compare_totals));
        t->count = t->options.max_features;
        LM_TRY(lm_sort(t->ctx, list, t->count, sizeof *list, compare_ranks));
    }
    if (t->count == 0) {
        lm_raise(t->ctx, LM_BAD_ARGUMENT, "no n-gram of the texts is left as a feature");
        return lm_detail_hint(t->ctx, "The texts have no words, or min_df and max_df leave none.");
    }
    if (!(t->order = lm_alloc_array(t->ctx, t->count, sizeof *t->order)))
        return LM_NO_MEMORY;
    for (uint32_t i = 0; i < t->count; i++)
        t->order[i] = list[i].number;
    return LM_OK;
}

static lm_status
choose_features(lm_tfidf *t)
{
    bool hashed = t->options.hash_bits > 0;
    uint32_t numbers = hashed ? (uint32_t)t->counted : t->names.count;
    candidate *list = lm_alloc_array(t->ctx, (size_t)numbers + 1, sizeof *list);
    uint32_t *order = NULL;
    lm_status status = list ? LM_OK : LM_NO_MEMORY;

    if (status == LM_OK && !hashed)
        status = lm_intern_sort(&t->names, &order);
    if (status == LM_OK)
        status = choose(t, order, numbers, list);
    lm_free(t->ctx, order);
    lm_free(t->ctx, list);
    return status;
}

static lm_status
weigh_features(lm_tfidf *t)
{
    double more = t->options.smooth ? 1 : 0, texts = (double)t->rows.rows + more;

    if (!(t->idf = lm_alloc_array(t->ctx, t->count, sizeof *t->idf)))
        return LM_NO_MEMORY;
    for (uint32_t i = 0; i < t->count; i++)
        t->idf[i] = t->options.idf ? (float)(log(texts / (t->df[t->order[i]] + more)) + 1) : 1;
    return LM_OK;
}

/* ---- Rows by feature ---- */

/* What rows are rewritten by. */
typedef struct renumbering {
    uint32_t *features; /* by number; NO_FEATURE: it is none */
    float *counts;      /* by feature, of the row under way */
} renumbering;

/* The entries of a row that are features, in the order of these. */
static lm_status
gather_row(lm_tfidf *t, const renumbering *by, size_t start, size_t stop)
{
    lm_numbers *numbers = &t->numbers;

    lm_numbers_clear(numbers);
    for (size_t i = start; i < stop; i++) {
        uint32_t feature = by->features[t->rows.index[i]];

        if (feature == NO_FEATURE)
            continue;
        by->counts[feature] = t->rows.value[i];
        LM_TRY(lm_numbers_add(numbers, feature));
    }
    LM_TRY(lm_numbers_count(numbers));
    for (size_t i = 0; i < numbers->count; i++)
        numbers->counts[i] = by->counts[numbers->items[i]];
    return LM_OK;
}

/* A row gets no longer, so it is written where it was read, or before. */
static lm_status
rewrite_rows(lm_tfidf *t, const renumbering *by)
{
    lm_sparse_rows *rows = &t->rows;
    size_t start = 0, to = 0;

    for (size_t row = 0; row < rows->rows; row++) {
        size_t stop = rows->starts[row + 1], count;

        if (row % POLL_EVERY == 0)
            LM_TRY(lm_poll(t->ctx));
        LM_TRY(gather_row(t, by, start, stop));
        count = t->numbers.count;
        lm_tfidf_weigh(&t->options, t->idf, t->numbers.items, t->numbers.counts, count);
        if (count > 0) {
            memcpy(rows->index + to, t->numbers.items, count * sizeof *rows->index);
            memcpy(rows->value + to, t->numbers.counts, count * sizeof *rows->value);
        }
        start = stop;
        rows->starts[row + 1] = to += count;
    }
    rows->used = to;
    return LM_OK;
}

static lm_status
renumber(lm_tfidf *t)
{
    renumbering by = {.features = lm_alloc_array(t->ctx, t->counted + 1, sizeof *by.features)};
    lm_status status = LM_NO_MEMORY;

    if (by.features)
        by.counts = lm_alloc_array(t->ctx, t->count, sizeof *by.counts);
    if (by.counts) {
        for (size_t i = 0; i < t->counted; i++)
            by.features[i] = NO_FEATURE;
        for (uint32_t i = 0; i < t->count; i++)
            by.features[t->order[i]] = i;
        status = rewrite_rows(t, &by);
    }
    lm_free(t->ctx, by.counts);
    lm_free(t->ctx, by.features);
    return status;
}

lm_status
lm_tfidf_finish(lm_tfidf *tfidf)
{
    LM_TRY(choose_features(tfidf));
    LM_TRY(weigh_features(tfidf));
    return renumber(tfidf);
}

/* ---- Weights ---- */

static float
length_of(lm_row_norm norm, const float *value, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += norm == LM_ROW_NORM_L1 ? fabs(value[i]) : (double)value[i] * value[i];
    return (float)(norm == LM_ROW_NORM_L1 ? sum : sqrt(sum));
}

/* A row without length stays. */
static void
divide_by_length(lm_row_norm norm, float *value, size_t count)
{
    float length = norm == LM_ROW_NORM_NONE ? 0 : length_of(norm, value, count);

    for (size_t i = 0; i < count && length > 0; i++)
        value[i] /= length;
}

void
lm_tfidf_weigh(const lm_tfidf_options *options, const float *idf, const uint32_t *index,
               float *value, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float times = options->binary ? 1 : value[i];

        if (options->sublinear && times > 1)
            times = 1 + logf(times);
        value[i] = times * idf[index[i]];
    }
    divide_by_length(options->norm, value, count);
}

/* ---- Fewer features ---- */

/* Row by row, in place. */
static lm_status
keep_entries(lm_tfidf *t, const uint32_t *numbers)
{
    lm_sparse_rows *rows = &t->rows;
    size_t start = 0, to = 0;

    for (size_t row = 0; row < rows->rows; row++) {
        const size_t stop = rows->starts[row + 1], first = to;

        if (row % POLL_EVERY == 0)
            LM_TRY(lm_poll(t->ctx));
        for (size_t i = start; i < stop; i++)
            if (numbers[rows->index[i]] != NO_FEATURE) {
                rows->index[to] = numbers[rows->index[i]];
                rows->value[to++] = rows->value[i];
            }
        divide_by_length(t->options.norm, rows->value + first, to - first);
        start = stop;
        rows->starts[row + 1] = to;
    }
    rows->used = to;
    return LM_OK;
}

lm_status
lm_tfidf_keep(lm_tfidf *tfidf, const bool *kept)
{
    uint32_t *numbers = lm_alloc_array(tfidf->ctx, tfidf->count, sizeof *numbers);
    uint32_t count = 0;
    lm_status status;

    if (!numbers)
        return LM_NO_MEMORY;
    for (uint32_t i = 0; i < tfidf->count; i++) {
        numbers[i] = kept[i] ? count : NO_FEATURE;
        if (!kept[i])
            continue;
        tfidf->order[count] = tfidf->order[i];
        tfidf->idf[count++] = tfidf->idf[i];
    }
    tfidf->count = count;
    status = keep_entries(tfidf, numbers);
    lm_free(tfidf->ctx, numbers);
    return status;
}
