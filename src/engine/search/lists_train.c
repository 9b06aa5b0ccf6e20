/*
 * lists_train.c - centroids by Lloyd's iteration from rows drawn at random; the contract is in
 * lists.h.
 *
 * Rows are assigned by int8 products (nearest.c), means are sums of floats in the order of rows. A
 * list that has become empty takes a row of the largest one as its centroid, and so a part of it in
 * the next round.
 */
#include "search/lists.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"
#include "search/nearest.h"

/* Rows between two polls, in numbers. */
#define POLL_NUMBERS ((size_t)1 << 20)
/* Of so many rows less than one in a round has moved: the next rounds would gain nothing. */
#define STILL ((size_t)500)

typedef struct kmeans {
    lm_context *ctx;
    const lm_lists_training *options;
    const float *x;
    size_t rows;
    lm_rng rng;
    float *centroids; /* (lists, width), the caller's */
    float *origin;    /* (width): the mean of all */
    uint32_t *list;   /* (rows) */
    uint32_t *before; /* (rows) */
    uint32_t *count;  /* (lists) */
    void *memory;
    lm_nearest nearest;
} kmeans;

static size_t
lay_out(kmeans *k, char *base)
{
    const size_t lists = k->options->lists, width = k->options->width;
    size_t size = 0, bytes, origin, list, before, count;

    if (lm_mul_overflows(k->rows, 2 * sizeof(uint32_t), &bytes) ||
        lm_add_overflows(bytes, (size_t)1 << 40, &bytes))
        return 0;
    origin = lm_lay_bytes(&size, width * sizeof(float));
    list = lm_lay_bytes(&size, k->rows * sizeof(uint32_t));
    before = lm_lay_bytes(&size, k->rows * sizeof(uint32_t));
    count = lm_lay_bytes(&size, lists * sizeof(uint32_t));
    if (base == NULL)
        return size;
    k->origin = (float *)(base + origin);
    k->list = (uint32_t *)(base + list);
    k->before = (uint32_t *)(base + before);
    k->count = (uint32_t *)(base + count);
    return size;
}

size_t
lm_lists_train_memory(const lm_lists_training *options, size_t rows)
{
    kmeans k = {.options = options, .rows = rows};
    const size_t own = lay_out(&k, NULL),
                 nearest = lm_nearest_memory(options->width, options->lists);

    return own > 0 ? own + nearest : 0;
}

/* ---- Before the first round ---- */

static lm_status
poll_rows(kmeans *k, size_t row)
{
    const size_t every = POLL_NUMBERS / k->options->width + 1;

    return row % every == 0 ? lm_poll(k->ctx) : LM_OK;
}

/* The mean of all rows, by sums in double. */
static lm_status
find_origin(kmeans *k)
{
    const size_t width = k->options->width;
    double *sums = lm_alloc_zero(k->ctx, width * sizeof(double));
    lm_status status = sums != NULL ? LM_OK : LM_NO_MEMORY;

    for (size_t i = 0; i < k->rows && status == LM_OK; i++) {
        status = poll_rows(k, i);
        for (size_t j = 0; j < width; j++)
            sums[j] += k->x[i * width + j];
    }
    for (size_t j = 0; j < width && status == LM_OK; j++)
        k->origin[j] = (float)(sums[j] / (double)k->rows);
    lm_free(k->ctx, sums);
    return status;
}

/* Different rows, each as likely: the first places of a shuffle, in `before`. */
static void
draw_rows(kmeans *k)
{
    const size_t width = k->options->width;

    for (size_t i = 0; i < k->rows; i++)
        k->before[i] = (uint32_t)i;
    for (size_t i = 0; i < k->options->lists; i++) {
        const size_t other = i + (size_t)lm_rng_below(&k->rng, k->rows - i);
        const uint32_t row = k->before[other];

        k->before[other] = k->before[i];
        k->before[i] = row;
        memcpy(k->centroids + i * width, k->x + row * width, width * sizeof(float));
    }
}

/* ---- A round ---- */

static void
to_length_one(size_t width, float *x)
{
    double square = 0, factor;

    for (size_t i = 0; i < width; i++)
        square += (double)x[i] * x[i];
    factor = square > 0 ? 1 / sqrt(square) : 1;
    for (size_t i = 0; i < width; i++)
        x[i] = (float)(x[i] * factor);
}

/* The row of the largest list at which a search from a random place comes first. */
static void
take_part(kmeans *k, size_t empty)
{
    const size_t lists = k->options->lists, width = k->options->width;
    size_t largest = 0, row = (size_t)lm_rng_below(&k->rng, k->rows);

    for (size_t i = 1; i < lists; i++)
        if (k->count[i] > k->count[largest])
            largest = i;
    while (k->list[row] != largest)
        row = row + 1 < k->rows ? row + 1 : 0;
    k->count[largest] = (k->count[largest] + 1) / 2; /* the rest is promised; it stays above 0 */
    memcpy(k->centroids + empty * width, k->x + row * width, width * sizeof(float));
}

static void
divide_sums(kmeans *k)
{
    const size_t width = k->options->width;

    for (size_t i = 0; i < k->options->lists; i++) {
        float *centroid = k->centroids + i * width;

        if (k->count[i] == 0)
            continue;
        for (size_t j = 0; j < width; j++)
            centroid[j] /= (float)k->count[i];
        if (k->options->metric == LM_DISTANCE_COSINE)
            to_length_one(width, centroid);
    }
}

static lm_status
take_means(kmeans *k)
{
    const size_t lists = k->options->lists, width = k->options->width;

    memset(k->centroids, 0, lists * width * sizeof(float));
    memset(k->count, 0, lists * sizeof(uint32_t));
    for (size_t i = 0; i < k->rows; i++) {
        float *sum = k->centroids + k->list[i] * width;

        LM_TRY(poll_rows(k, i));
        k->count[k->list[i]]++;
        for (size_t j = 0; j < width; j++)
            sum[j] += k->x[i * width + j];
    }
    divide_sums(k);
    for (size_t i = 0; i < lists; i++) {
        LM_TRY(lm_poll(k->ctx));
        if (k->count[i] == 0)
            take_part(k, i);
    }
    return LM_OK;
}

static size_t
count_moved(const kmeans *k)
{
    size_t moved = 0;

    for (size_t i = 0; i < k->rows; i++)
        moved += k->list[i] != k->before[i];
    return moved;
}

static lm_status
run_rounds(kmeans *k)
{
    const int rounds = k->options->rounds;

    LM_TRY(find_origin(k));
    draw_rows(k);
    for (int round = 0; round < rounds; round++) {
        lm_progress(k->ctx, (uint64_t)round, (uint64_t)rounds);
        LM_TRY(lm_nearest_set(k->ctx, &k->nearest, k->centroids));
        LM_TRY(lm_nearest_find(k->ctx, &k->nearest, k->x, k->rows, k->list));
        LM_TRY(take_means(k));
        if (round > 0 && count_moved(k) * STILL < k->rows)
            break;
        memcpy(k->before, k->list, k->rows * sizeof(uint32_t));
    }
    return LM_OK;
}

static lm_status
check_options(lm_context *ctx, const lm_lists_training *options, size_t rows)
{
    const size_t most = rows < LM_LISTS_MOST ? rows : LM_LISTS_MOST;

    if (options->width < 1 || options->width > LM_SPACE_WIDEST)
        return lm_raise(ctx, LM_BAD_ARGUMENT, "vectors of %zu numbers have no lists",
                        options->width);
    if (rows == 0 || rows > UINT32_MAX)
        return lm_raise(ctx, LM_BAD_ARGUMENT, "centroids need between 1 and 2^32 - 1 rows");
    if (options->lists >= 1 && options->lists <= most)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "so many lists cannot be made");
    lm_detail_found(ctx, "%zu lists", options->lists);
    return lm_detail_allowed(ctx, "1 to %zu", most);
}

lm_status
lm_lists_train(lm_context *ctx, const lm_lists_training *options, const float *x, size_t rows,
               float *centroids)
{
    kmeans k = {.ctx = ctx, .options = options, .x = x, .rows = rows, .centroids = centroids};
    lm_status status;
    size_t size;

    LM_TRY(check_options(ctx, options, rows));
    size = lay_out(&k, NULL);
    k.memory = lm_alloc(ctx, size);
    if (k.memory == NULL)
        return LM_NO_MEMORY;
    lay_out(&k, k.memory);
    lm_rng_seed(&k.rng, options->seed);
    status = lm_nearest_open(ctx, options->width, options->lists, k.origin, &k.nearest);
    if (status == LM_OK)
        status = run_rounds(&k);
    lm_nearest_close(ctx, &k.nearest);
    lm_free(ctx, k.memory);
    return status;
}
