/*
 * kmeans.c - Lloyd's algorithm from k-means++ or given starts; the contract is in clusters.h.
 *
 * Rows are taken relative to their mean, so that products do not cancel; products are float, sums
 * of a cluster are double and taken in the order of the rows.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "kernels/kernels.h"
#include "search/clusters.h"

#define BLOCK ((size_t)256) /* rows that are compared at once */

typedef struct kmeans {
    lm_context *ctx;
    const lm_vector_rows *vectors;
    const lm_kmeans_options *options;
    size_t tries;     /* candidates for a centre of k-means++ */
    size_t columns;   /* centres that rows are compared with at once, at most */
    double *mean;     /* (width) */
    float *block;     /* (BLOCK, width) of rows less their mean */
    float *products;  /* (BLOCK, columns) */
    double *norms;    /* (rows) squares */
    float *centres;   /* (columns, width) */
    double *squares;  /* (columns) of centres */
    double *sums;     /* (clusters, width) */
    size_t *counts;   /* (clusters) */
    double *distance; /* (rows) to the nearest centre, squared */
    double *tried;    /* (rows, tries): the same with a candidate for the next centre */
    int32_t *labels, *before;
} kmeans;

static void
release(kmeans *k)
{
    void *const all[] = {k->mean, k->block,  k->products, k->norms, k->centres, k->squares,
                         k->sums, k->counts, k->distance, k->tried, k->before};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        lm_free(k->ctx, all[i]);
}

static lm_status
allocate(kmeans *k)
{
    const size_t rows = k->vectors->rows, width = k->vectors->width;
    const size_t clusters = k->options->clusters;

    k->mean = lm_alloc_array(k->ctx, width, sizeof(double));
    k->block = lm_alloc_array(k->ctx, width, BLOCK * sizeof(float));
    k->products = lm_alloc_array(k->ctx, k->columns, BLOCK * sizeof(float));
    k->norms = lm_alloc_array(k->ctx, rows, sizeof(double));
    k->centres = lm_alloc_array(k->ctx, k->columns, width * sizeof(float));
    k->squares = lm_alloc_array(k->ctx, k->columns, sizeof(double));
    k->sums = lm_alloc_array(k->ctx, clusters, width * sizeof(double));
    k->counts = lm_alloc_array(k->ctx, clusters, sizeof(size_t));
    k->distance = lm_alloc_array(k->ctx, rows, sizeof(double));
    k->before = lm_alloc_array(k->ctx, rows, sizeof(int32_t));
    k->tried = lm_alloc_array(k->ctx, rows, k->tries * sizeof(double));
    return k->mean && k->block && k->products && k->norms && k->centres && k->squares && k->sums &&
                   k->counts && k->distance && k->before && k->tried
               ? LM_OK
               : LM_NO_MEMORY;
}

/* ---- Rows ---- */

/* A row less the mean. */
static void
take_row(const kmeans *k, size_t row, float *out)
{
    const float *x = k->vectors->values + row * k->vectors->width;

    for (size_t i = 0; i < k->vectors->width; i++)
        out[i] = (float)(x[i] - k->mean[i]);
}

static double
square_of(size_t width, const float *x)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * x[i];
    return sum;
}

static lm_status
measure_rows(kmeans *k)
{
    const size_t rows = k->vectors->rows, width = k->vectors->width;

    memset(k->mean, 0, width * sizeof(double));
    for (size_t i = 0; i < rows; i++) {
        if (i % BLOCK == 0)
            LM_TRY(lm_poll(k->ctx));
        for (size_t j = 0; j < width; j++)
            k->mean[j] += k->vectors->values[i * width + j];
    }
    for (size_t j = 0; j < width; j++)
        k->mean[j] /= (double)rows;
    for (size_t i = 0; i < rows; i++) {
        if (i % BLOCK == 0)
            LM_TRY(lm_poll(k->ctx));
        take_row(k, i, k->block);
        k->norms[i] = square_of(width, k->block);
    }
    return LM_OK;
}

/* Is told the squares of a row's distances from `count` centres. */
typedef void compare_row(kmeans *k, size_t row, size_t count, const float *products);

static double
distance_of(const kmeans *k, size_t row, size_t centre, const float *products)
{
    return fmax(0, k->norms[row] - 2 * (double)products[centre] + k->squares[centre]);
}

/* All rows with the first `count` of k->centres. */
static lm_status
compare_all(kmeans *k, size_t count, compare_row *compare)
{
    const size_t rows = k->vectors->rows, width = k->vectors->width;

    for (size_t c = 0; c < count; c++)
        k->squares[c] = square_of(width, k->centres + c * width);
    for (size_t first = 0; first < rows; first += BLOCK) {
        const size_t some = rows - first < BLOCK ? rows - first : BLOCK;

        LM_TRY(lm_poll(k->ctx));
        for (size_t i = 0; i < some; i++)
            take_row(k, first + i, k->block + i * width);
        LM_TRY(lm_blas_sgemm(&(lm_sgemm){.transpose_b = true,
                                         .m = some,
                                         .n = count,
                                         .k = width,
                                         .alpha = 1,
                                         .a = k->block,
                                         .lda = width,
                                         .b = k->centres,
                                         .ldb = width,
                                         .c = k->products,
                                         .ldc = count,
                                         .ctx = k->ctx}));
        for (size_t i = 0; i < some; i++)
            compare(k, first + i, count, k->products + i * count);
    }
    return LM_OK;
}

static void
take_nearest(kmeans *k, size_t row, size_t count, const float *products)
{
    size_t nearest = 0;

    for (size_t c = 1; c < count; c++)
        if (k->squares[c] - 2 * (double)products[c] <
            k->squares[nearest] - 2 * (double)products[nearest])
            nearest = c;
    k->labels[row] = (int32_t)nearest;
    k->distance[row] = distance_of(k, row, nearest, products);
}

static lm_status
assign(kmeans *k)
{
    return compare_all(k, k->options->clusters, take_nearest);
}

/* ---- Starts ---- */

static void
take_tried(kmeans *k, size_t row, size_t count, const float *products)
{
    for (size_t c = 0; c < count; c++)
        k->tried[row * k->tries + c] = fmin(k->distance[row], distance_of(k, row, c, products));
}

/* A row, drawn by its distance from the centres that there are; by the last one where all are 0. */
static size_t
draw_row(const kmeans *k, lm_rng *rng, double total)
{
    double left = lm_rng_uniform(rng) * total;
    size_t row = 0;

    for (; row + 1 < k->vectors->rows; row++) {
        left -= k->distance[row];
        if (left < 0)
            break;
    }
    return row;
}

/* Of the candidates, the one with which rows are nearest to centres: it becomes number `at`. */
static void
take_best(kmeans *k, size_t at, const size_t *candidates)
{
    const size_t rows = k->vectors->rows;
    double least = INFINITY;
    size_t best = 0;

    for (size_t c = 0; c < k->tries; c++) {
        double sum = 0;

        for (size_t i = 0; i < rows; i++)
            sum += k->tried[i * k->tries + c];
        if (sum < least) {
            least = sum;
            best = c;
        }
    }
    for (size_t i = 0; i < rows; i++)
        k->distance[i] = k->tried[i * k->tries + best];
    k->before[at] = (int32_t)candidates[best];
}

/* Rows that become centres, into k->before: no more than rows are needed. */
static lm_status
choose_starts(kmeans *k)
{
    const size_t width = k->vectors->width, rows = k->vectors->rows;
    size_t candidates[64];
    lm_rng rng;

    lm_rng_seed(&rng, k->options->seed);
    for (size_t i = 0; i < rows; i++)
        k->distance[i] = INFINITY;
    for (size_t at = 0; at < k->options->clusters; at++) {
        double total = 0;

        for (size_t i = 0; at > 0 && i < rows; i++)
            total += k->distance[i];
        for (size_t c = 0; c < k->tries; c++) {
            candidates[c] = at > 0 ? draw_row(k, &rng, total) : (size_t)lm_rng_below(&rng, rows);
            take_row(k, candidates[c], k->centres + c * width);
        }
        LM_TRY(compare_all(k, k->tries, take_tried));
        take_best(k, at, candidates);
    }
    for (size_t at = 0; at < k->options->clusters; at++)
        take_row(k, (size_t)k->before[at], k->centres + at * width);
    return LM_OK;
}

static lm_status
set_starts(kmeans *k)
{
    const size_t width = k->vectors->width;

    if (!k->options->starts)
        return choose_starts(k);
    for (size_t c = 0; c < k->options->clusters; c++)
        for (size_t j = 0; j < width; j++)
            k->centres[c * width + j] = (float)(k->options->starts[c * width + j] - k->mean[j]);
    return LM_OK;
}

/* ---- Iterations ---- */

static void
add_row(kmeans *k, size_t cluster, double sign, const float *x)
{
    for (size_t j = 0; j < k->vectors->width; j++)
        k->sums[cluster * k->vectors->width + j] += sign * x[j];
}

static lm_status
add_rows(kmeans *k)
{
    memset(k->counts, 0, k->options->clusters * sizeof *k->counts);
    memset(k->sums, 0, k->options->clusters * k->vectors->width * sizeof *k->sums);
    for (size_t i = 0; i < k->vectors->rows; i++) {
        if (i % BLOCK == 0)
            LM_TRY(lm_poll(k->ctx));
        take_row(k, i, k->block);
        add_row(k, (size_t)k->labels[i], 1, k->block);
        k->counts[k->labels[i]]++;
    }
    return LM_OK;
}

/* The row that is farthest from its centre moves to a cluster without rows. */
static void
fill_cluster(kmeans *k, size_t cluster)
{
    size_t farthest = 0, old;

    for (size_t i = 1; i < k->vectors->rows; i++)
        if (k->distance[i] > k->distance[farthest])
            farthest = i;
    old = (size_t)k->labels[farthest];
    take_row(k, farthest, k->block);
    add_row(k, old, -1, k->block);
    k->counts[old]--;
    add_row(k, cluster, 1, k->block);
    k->counts[cluster] = 1;
    k->distance[farthest] = -1;
}

static lm_status
fill_clusters(kmeans *k)
{
    bool empty[64];
    size_t first = 0;

    /* Which were empty before rows moved, some at a time. */
    for (; first < k->options->clusters; first += 64) {
        const size_t left = k->options->clusters - first, some = left < 64 ? left : 64;

        for (size_t c = 0; c < some; c++)
            empty[c] = k->counts[first + c] == 0;
        for (size_t c = 0; c < some; c++)
            if (empty[c]) {
                LM_TRY(lm_poll(k->ctx));
                fill_cluster(k, first + c);
            }
    }
    return LM_OK;
}

/* Means become the centres; the sum of squares of how far these move. */
static double
move_centres(kmeans *k)
{
    const size_t width = k->vectors->width;
    double moved = 0;

    for (size_t c = 0; c < k->options->clusters; c++)
        for (size_t j = 0; k->counts[c] > 0 && j < width; j++) {
            float *centre = &k->centres[c * width + j];
            const float mean = (float)(k->sums[c * width + j] / (double)k->counts[c]);

            moved += ((double)mean - *centre) * ((double)mean - *centre);
            *centre = mean;
        }
    return moved;
}

static double
mean_variance(const kmeans *k)
{
    double sum = 0;

    for (size_t i = 0; i < k->vectors->rows; i++)
        sum += k->norms[i];
    return sum / (double)k->vectors->rows / (double)k->vectors->width;
}

static lm_status
iterate(kmeans *k)
{
    const double enough = k->options->tolerance * mean_variance(k);
    const size_t bytes = k->vectors->rows * sizeof *k->labels;

    memset(k->before, -1, bytes);
    for (size_t turn = 0; turn < k->options->iterations; turn++) {
        LM_TRY(assign(k));
        LM_TRY(add_rows(k));
        LM_TRY(fill_clusters(k));
        if (move_centres(k) <= enough && memcmp(k->labels, k->before, bytes) != 0)
            break;
        if (memcmp(k->labels, k->before, bytes) == 0)
            return LM_OK;
        memcpy(k->before, k->labels, bytes);
    }
    return assign(k);
}

lm_status
lm_kmeans(lm_context *ctx, const lm_vector_rows *vectors, const lm_kmeans_options *options,
          int32_t *labels)
{
    const size_t tries = 2 + (size_t)log((double)options->clusters);
    kmeans k = {.ctx = ctx,
                .vectors = vectors,
                .options = options,
                .tries = tries,
                .columns = tries > options->clusters ? tries : options->clusters,
                .labels = labels};
    lm_status status = allocate(&k);

    if (status == LM_OK)
        status = measure_rows(&k);
    if (status == LM_OK)
        status = set_starts(&k);
    if (status == LM_OK)
        status = iterate(&k);
    release(&k);
    return status == LM_OK ? lm_clusters_order(ctx, vectors->rows, options->clusters, labels)
                           : status;
}
