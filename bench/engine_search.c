/*
 * engine_search.c - how fast and how well the engine's index finds, without a server:
 *
 *   engine_search VECTORS WIDTH [queries=FILE] [rows=N] [lists=N] [metric=cosine|l2|product]
 *                 [ask=N] [level=NAME]
 *
 * VECTORS and FILE are float32 numbers, WIDTH a row. With rows=N as many rows are made by mixing
 * two vectors and adding noise, in place of those of the file. Without a FILE queries are rows with
 * noise. `lists` is 1 for a flat index, and by default what lm_plan_lists says. Prints processor
 * seconds of each part of the build, then for several numbers of lists looked at and candidates
 * decided by int8: recall@10 (a row counts when it is not farther than 1e-6 behind the true tenth)
 * and milliseconds a query.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "kernels/kernels.h"
#include "search/codes.h"
#include "search/index_plan.h"
#include "search/int8_rows.h"
#include "search/lists.h"
#include "search/top.h"

#include "read_file.h"

#define WANTED ((size_t)10)
#define MOST_PROBES ((size_t)1024)

typedef struct bench {
    lm_context ctx;
    lm_metric metric;
    size_t width, rows, lists, asked;
    const char *queries_file;
    float *x, *queries; /* (rows, width), (asked, width): prepared */
    float *tenth;       /* (asked): the true tenth distance */
    lm_space *space;
    lm_query *query;
    lm_lists *tree;
    lm_centroid *centroids;   /* (lists) */
    uint32_t *item;           /* rows by list */
    size_t *start, *block;    /* (lists + 1): of items, of blocks */
    uint8_t *codes, *vectors; /* blocks; int8 rows by row */
    lm_block_corrections *corrections;
} bench;

static double
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void *
take(size_t count, size_t size)
{
    void *memory = aligned_alloc(64, (count * size + 64) / 64 * 64 + 64);

    if (memory == NULL) {
        fputs("engine_search: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

static void
must(bench *b, lm_status status)
{
    if (status == LM_OK)
        return;
    fprintf(stderr, "engine_search: %s %s\n", b->ctx.error.message, b->ctx.error.found);
    exit(EXIT_FAILURE);
}

/* ---- Vectors ---- */

/* About normal, of deviation 1. */
static float
draw(lm_rng *rng)
{
    double sum = -2;

    for (int i = 0; i < 4; i++)
        sum += lm_rng_uniform(rng);
    return (float)(sum * 1.7320508);
}

static const float *
read_vectors(const char *path, size_t width, size_t *rows)
{
    size_t size = 0;
    const void *bytes = read_file(path, &size);

    *rows = bytes ? size / sizeof(float) / width : 0;
    return bytes;
}

/* out = x + part · other + noise of so much of x's length. */
static void
mix(lm_rng *rng, size_t width, const float *x, const float *other, float part, float noise,
    float *out)
{
    const float length = sqrtf(lm_kernels_active()->dot_f32(width, x, x) / (float)width) * noise;

    for (size_t i = 0; i < width; i++)
        out[i] = x[i] + part * other[i] + length * draw(rng);
}

static void
make_rows(bench *b, const float *from, size_t count)
{
    lm_rng rng;

    lm_rng_seed(&rng, 1);
    for (size_t i = 0; i < b->rows; i++) {
        const float *x = from + (b->rows == count ? i : lm_rng_below(&rng, count)) * b->width;
        const float *other = from + lm_rng_below(&rng, count) * b->width;
        float *out = b->x + i * b->width;

        if (b->rows == count)
            memcpy(out, x, b->width * sizeof(float));
        else
            mix(&rng, b->width, x, other, (float)lm_rng_uniform(&rng) * .7f, .4f, out);
        must(b, lm_space_prepare(&b->ctx, b->metric, b->width, out, out, NULL));
    }
}

static void
make_queries(bench *b)
{
    size_t count = 0;
    const float *from = b->queries_file ? read_vectors(b->queries_file, b->width, &count) : NULL;
    lm_rng rng;

    lm_rng_seed(&rng, 2);
    if (from && count < b->asked)
        b->asked = count;
    for (size_t i = 0; i < b->asked; i++) {
        const float *x = b->x + lm_rng_below(&rng, b->rows) * b->width;
        float *out = b->queries + i * b->width;

        if (from)
            memcpy(out, from + i * b->width, b->width * sizeof(float));
        else
            mix(&rng, b->width, x, x, 0, .4f, out);
        must(b, lm_space_prepare(&b->ctx, b->metric, b->width, out, out, NULL));
    }
}

static void
find_truth(bench *b)
{
    for (size_t i = 0; i < b->asked; i++) {
        lm_top top;

        must(b, lm_top_init(&b->ctx, &top, WANTED));
        must(b, lm_query_set(&b->ctx, b->query, b->queries + i * b->width));
        for (size_t row = 0; row < b->rows; row++)
            lm_top_offer(&top, lm_query_exact(b->query, b->x + row * b->width), row);
        b->tenth[i] = top.bound;
        lm_top_free(&b->ctx, &top);
    }
}

/* ---- Build ---- */

static void
train(bench *b)
{
    const lm_kmeans options = {b->metric, b->width, b->lists, LM_KMEANS_ROUNDS, 3};
    const size_t sample = lm_plan_sample(b->rows, b->lists, b->width, (size_t)1 << 32);
    float *centroids = take(b->lists * b->width, sizeof(float));
    float *x = take(sample * b->width, sizeof(float));
    double begun = seconds();

    for (size_t i = 0; i < sample; i++)
        memcpy(x + i * b->width, b->x + i * b->rows / sample * b->width, b->width * sizeof(float));
    must(b, lm_kmeans_run(&b->ctx, &options, x, sample, centroids));
    printf("k-means of %zu lists on %zu rows: %.2f s\n", b->lists, sample, seconds() - begun);
    begun = seconds();
    must(b, lm_lists_create(&b->ctx, b->space, b->lists, centroids, &b->tree));
    for (size_t i = 0; i < b->lists; i++) {
        float *rotated = take(b->space->padded, sizeof(float));

        lm_centroid_rotate(b->space, centroids + i * b->width, rotated);
        b->centroids[i] = (lm_centroid){centroids + i * b->width, rotated};
    }
    printf("lists made: %.2f s\n", seconds() - begun);
    free(x);
}

/* Rows by list, and where the items and blocks of each list begin. */
static void
sort_rows(bench *b)
{
    uint32_t *list = calloc(b->rows, sizeof *list);
    double begun = seconds();

    if (b->lists > 1)
        must(b, lm_lists_assign(&b->ctx, b->tree, b->x, b->rows, list));
    printf("assigned: %.2f s\n", seconds() - begun);
    memset(b->start, 0, (b->lists + 1) * sizeof *b->start);
    for (size_t i = 0; i < b->rows; i++)
        b->start[list[i] + 1]++;
    b->block[0] = 0;
    for (size_t i = 0; i < b->lists; i++) {
        b->block[i + 1] = b->block[i] + (b->start[i + 1] + LM_BLOCK_ROWS - 1) / LM_BLOCK_ROWS;
        b->start[i + 1] += b->start[i];
    }
    for (size_t i = 0; i < b->rows; i++)
        b->item[b->start[list[i]]++] = (uint32_t)i;
    memmove(b->start + 1, b->start, b->lists * sizeof *b->start);
    b->start[0] = 0;
    free(list);
}

static void
encode(bench *b)
{
    const size_t bytes = lm_block_bytes(b->space), row = lm_int8_row_bytes(b->space);
    double begun = seconds();
    float *rotated = take(b->space->padded, sizeof(float));
    uint8_t code[LM_SPACE_WIDEST / 8 + 8];

    b->codes = take(b->block[b->lists], bytes);
    b->corrections = take(b->block[b->lists], sizeof *b->corrections);
    memset(b->corrections, 0, b->block[b->lists] * sizeof *b->corrections);
    b->vectors = take(b->rows, row);
    for (size_t list = 0; list < b->lists; list++)
        for (size_t i = b->start[list]; i < b->start[list + 1]; i++) {
            const size_t place = i - b->start[list], at = b->block[list] + place / LM_BLOCK_ROWS;
            lm_correction correction;

            lm_space_rotate(b->space, b->x + b->item[i] * b->width, rotated);
            lm_code_encode_rotated(b->space, b->tree ? &b->centroids[list] : NULL, rotated, code,
                                   &correction);
            lm_block_put(b->space, b->codes + at * bytes, b->corrections + at,
                         place % LM_BLOCK_ROWS, code, correction);
            lm_int8_row_encode_rotated(b->space, rotated, b->vectors + b->item[i] * row);
        }
    printf("codes and int8 rows: %.2f s\n", seconds() - begun);
    free(rotated);
}

/* ---- Search ---- */

static void
scan_list(bench *b, size_t list, float base, lm_top *top)
{
    const size_t bytes = lm_block_bytes(b->space), rows = b->start[list + 1] - b->start[list];

    for (size_t i = 0; i < rows; i += LM_BLOCK_ROWS) {
        const size_t at = b->block[list] + i / LM_BLOCK_ROWS;
        float distances[LM_BLOCK_ROWS];
        uint32_t mask = lm_block_scan_below(b->query, base, top->bound, b->codes + at * bytes,
                                            b->corrections + at, distances);

        if (rows - i < LM_BLOCK_ROWS)
            mask &= (1u << (rows - i)) - 1;
        lm_top_offer_block(top, mask, distances, NULL, b->start[list] + i);
    }
}

/* How many of the ten nearest rows of a query are found. */
static size_t
search(bench *b, size_t asked, size_t probes, lm_top *candidates, lm_top *found)
{
    const size_t row = lm_int8_row_bytes(b->space);
    static uint32_t lists[MOST_PROBES];
    static float bases[MOST_PROBES];
    size_t count = 1, right = 0;

    must(b, lm_query_set(&b->ctx, b->query, b->queries + asked * b->width));
    bases[0] = lm_query_base(b->query, NULL);
    if (b->tree)
        must(b, lm_lists_nearest(&b->ctx, b->tree, b->query, probes, lists, bases, &count));
    lm_top_clear(candidates);
    lm_top_clear(found);
    for (size_t i = 0; i < count; i++)
        scan_list(b, lists[i], bases[i], candidates);
    for (size_t i = 0; i < candidates->count; i++) {
        const size_t item = b->item[candidates->entries[i].item];

        lm_top_offer(found, lm_int8_row_distance(b->query, b->vectors + item * row), item);
    }
    for (size_t i = 0; i < found->count; i++)
        right += lm_query_exact(b->query, b->x + found->entries[i].item * b->width) <=
                 b->tenth[asked] + 1e-6f;
    return right;
}

static void
measure(bench *b, size_t probes, size_t rerank)
{
    lm_top candidates, found;
    size_t right = 0;
    double begun;

    must(b, lm_top_init(&b->ctx, &candidates, rerank));
    must(b, lm_top_init(&b->ctx, &found, WANTED));
    begun = seconds();
    for (size_t i = 0; i < b->asked; i++)
        right += search(b, i, probes, &candidates, &found);
    printf("probes %4zu  rerank %4zu  recall@10 %.4f  %.3f ms\n", probes, rerank,
           (double)right / (double)(WANTED * b->asked),
           1e3 * (seconds() - begun) / (double)b->asked);
    fflush(stdout);
    lm_top_free(&b->ctx, &candidates);
    lm_top_free(&b->ctx, &found);
}

static void
measure_all(bench *b)
{
    static const size_t reranks[] = {25, 50, 100, 200, 400};
    const lm_search_plan plan = lm_plan_search(b->rows, b->lists, WANTED, 1);

    for (size_t i = 0; i < 5 && b->lists == 1; i++)
        measure(b, 1, reranks[i]);
    for (size_t probes = 8; probes <= MOST_PROBES / 2 && b->lists > 1; probes *= 2)
        for (size_t i = 1; i < 5; i++)
            measure(b, probes < b->lists ? probes : b->lists, reranks[i]);
    fputs("by plan: ", stdout);
    measure(b, plan.probes, plan.rerank);
}

static void
run(bench *b, const char *path)
{
    const lm_kmeans mean = {LM_METRIC_L2, b->width, 1, 1, 0};
    float *origin = take(b->width, sizeof(float));
    size_t count;
    const float *from = read_vectors(path, b->width, &count);

    if (count == 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    b->rows = b->rows ? b->rows : count;
    b->lists = b->lists ? b->lists : lm_plan_lists(b->rows);
    b->x = take(b->rows * b->width, sizeof(float));
    b->queries = take(b->asked * b->width, sizeof(float));
    b->tenth = take(b->asked, sizeof(float));
    b->centroids = take(b->lists, sizeof *b->centroids);
    b->item = take(b->rows, sizeof *b->item);
    b->start = take(b->lists + 1, sizeof *b->start);
    b->block = take(b->lists + 1, sizeof *b->block);
    make_rows(b, from, count);
    make_queries(b);
    must(b, lm_kmeans_run(&b->ctx, &mean, b->x, b->rows, origin));
    must(b, lm_space_create(&b->ctx, b->metric, b->width, 7, origin, &b->space));
    must(b, lm_query_create(&b->ctx, b->space, &b->query));
    find_truth(b);
    printf("%s: %zu rows of %zu numbers, %zu lists, %zu queries\n", lm_kernels_active()->name,
           b->rows, b->width, b->lists, b->asked);
    if (b->lists > 1)
        train(b);
    sort_rows(b);
    encode(b);
    measure_all(b);
}

static void
read_option(bench *b, const char *option)
{
    static const char *const metrics[] = {"cosine", "l2", "product"};

    if (strncmp(option, "queries=", 8) == 0)
        b->queries_file = option + 8;
    if (strncmp(option, "rows=", 5) == 0)
        b->rows = strtoul(option + 5, NULL, 10);
    if (strncmp(option, "lists=", 6) == 0)
        b->lists = strtoul(option + 6, NULL, 10);
    if (strncmp(option, "ask=", 4) == 0)
        b->asked = strtoul(option + 4, NULL, 10);
    for (int i = 0; i < LM_METRIC_COUNT; i++)
        if (strncmp(option, "metric=", 7) == 0 && strcmp(option + 7, metrics[i]) == 0)
            b->metric = (lm_metric)i;
    for (int i = 0; i < LM_LEVEL_COUNT; i++)
        if (strncmp(option, "level=", 6) == 0 && strcmp(option + 6, lm_level_name(i)) == 0)
            lm_kernels_select(i);
}

int
main(int argc, char **argv)
{
    static bench b = {.asked = 500};

    if (argc < 3 || strtoul(argv[2], NULL, 10) == 0) {
        fputs("usage: engine_search VECTORS WIDTH [queries=FILE] [rows=N] [lists=N]\n"
              "                     [metric=cosine|l2|product] [ask=N] [level=NAME]\n",
              stderr);
        return EXIT_FAILURE;
    }
    b.width = strtoul(argv[2], NULL, 10);
    for (int i = 3; i < argc; i++)
        read_option(&b, argv[i]);
    lm_context_init(&b.ctx);
    run(&b, argv[1]);
    return EXIT_SUCCESS;
}
