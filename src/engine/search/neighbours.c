/*
 * neighbours.c - nearest rows by matrix products of blocks.
 *
 * Many rows are put into lists first; a list's rows meet those of the lists whose centroids are
 * nearest to its own. Squares of distances come from products, so chosen neighbours, which may be
 * very near, are measured once more and put in order by that.
 */
#include "search/neighbours.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernels/kernels.h"
#include "search/distance.h"
#include "search/lists.h"

#define LEFT ((size_t)256)   /* rows of a block */
#define RIGHT ((size_t)1024) /* rows that it meets at once */
#define LIST_ROWS 256        /* about */
#define PROBES 16            /* lists that a list meets, itself among them */
#define POLL_EVERY 256       /* rows */
#define MOST_SQUARE 1e37 /* of a length: what comes of such is finite, and each pair is offered */

typedef struct search {
    lm_context *ctx;
    const lm_vector_rows *v;
    size_t count; /* of neighbours */
    uint64_t seed;
    uint32_t *numbers;
    float *distances; /* squares less the row's own, until all have met */
    size_t lists;
    uint32_t *list;   /* (rows) of each row */
    uint32_t *order;  /* (rows) by lists */
    size_t *starts;   /* (lists + 1) in `order` */
    float *centroids; /* (lists, width) */
    float *squares;   /* (rows) */
    float *left, *right, *products;
} search;

/* ---- Lists ---- */

static lm_status
make_centroids(search *s)
{
    const lm_lists_training options = {.metric = LM_DISTANCE_L2,
                                       .width = s->v->width,
                                       .lists = s->lists,
                                       .rounds = LM_LISTS_ROUNDS,
                                       .seed = s->seed};

    return lm_lists_train(s->ctx, &options, s->v->values, s->v->rows, s->centroids);
}

static lm_status
assign_rows(search *s)
{
    float *origin = lm_alloc_zero(s->ctx, s->v->width * sizeof *origin);
    lm_nearest nearest = {0};
    lm_status status = origin ? LM_OK : LM_NO_MEMORY;

    if (status == LM_OK)
        status = lm_nearest_open(s->ctx, s->v->width, s->lists, origin, &nearest);
    if (status == LM_OK)
        status = lm_nearest_set(s->ctx, &nearest, s->centroids);
    if (status == LM_OK)
        status = lm_nearest_find(s->ctx, &nearest, s->v->values, s->v->rows, s->list);
    lm_nearest_close(s->ctx, &nearest);
    lm_free(s->ctx, origin);
    return status;
}

/* Rows of a list stand together, in their order. */
static void
order_rows(search *s)
{
    size_t sum = 0;

    memset(s->starts, 0, (s->lists + 1) * sizeof *s->starts);
    for (size_t i = 0; i < s->v->rows; i++)
        s->starts[s->list[i]]++;
    for (size_t i = 0; i <= s->lists; i++) {
        const size_t here = i < s->lists ? s->starts[i] : 0;

        s->starts[i] = sum;
        sum += here;
    }
    for (size_t i = 0; i < s->v->rows; i++)
        s->order[s->starts[s->list[i]]++] = (uint32_t)i;
    for (size_t i = s->lists; i > 0; i--)
        s->starts[i] = s->starts[i - 1];
    s->starts[0] = 0;
}

static lm_status
make_lists(search *s)
{
    if (s->lists == 1)
        memset(s->list, 0, s->v->rows * sizeof *s->list);
    else {
        LM_TRY(make_centroids(s));
        LM_TRY(assign_rows(s));
    }
    order_rows(s);
    return LM_OK;
}

/* ---- Meetings ---- */

/* Into its place among the nearest so far; of equal ones the first stays. */
static void
offer(search *s, size_t row, uint32_t other, float distance)
{
    float *distances = s->distances + row * s->count;
    uint32_t *numbers = s->numbers + row * s->count;
    size_t at = s->count - 1;

    for (; at > 0 && distances[at - 1] > distance; at--) {
        distances[at] = distances[at - 1];
        numbers[at] = numbers[at - 1];
    }
    distances[at] = distance;
    numbers[at] = other;
}

static void
gather(const search *s, const uint32_t *rows, size_t count, float *out)
{
    const size_t width = s->v->width;

    for (size_t i = 0; i < count; i++)
        memcpy(out + i * width, s->v->values + (size_t)rows[i] * width, width * sizeof *out);
}

static lm_status
meet(search *s, const uint32_t *left, size_t rows, const uint32_t *right, size_t others)
{
    const size_t width = s->v->width;

    gather(s, right, others, s->right);
    LM_TRY(lm_blas_sgemm(&(lm_sgemm){.transpose_b = true,
                                     .m = rows,
                                     .n = others,
                                     .k = width,
                                     .alpha = -2,
                                     .a = s->left,
                                     .lda = width,
                                     .b = s->right,
                                     .ldb = width,
                                     .c = s->products,
                                     .ldc = others,
                                     .ctx = s->ctx}));
    for (size_t i = 0; i < rows; i++) {
        const float *products = s->products + i * others;
        const float *worst = s->distances + ((size_t)left[i] + 1) * s->count - 1;

        for (size_t j = 0; j < others; j++)
            if (products[j] + s->squares[right[j]] < *worst && right[j] != left[i])
                offer(s, left[i], right[j], products[j] + s->squares[right[j]]);
    }
    return lm_poll(s->ctx);
}

/* A block of a list with all of another one. */
static lm_status
meet_list(search *s, const uint32_t *left, size_t rows, size_t other)
{
    for (size_t at = s->starts[other]; at < s->starts[other + 1]; at += RIGHT) {
        const size_t rest = s->starts[other + 1] - at;

        LM_TRY(meet(s, left, rows, s->order + at, rest < RIGHT ? rest : RIGHT));
    }
    return LM_OK;
}

/* The lists by the distance of their centroids, the list itself first: the next one. */
static size_t
next_list(const search *s, size_t list, bool *met)
{
    double best = INFINITY;
    size_t next = SIZE_MAX;

    for (size_t i = 0; i < s->lists; i++) {
        const double distance = i == list
                                    ? -1
                                    : lm_l2_distance(s->v->width, s->centroids + list * s->v->width,
                                                     s->centroids + i * s->v->width);

        if (!met[i] && distance < best) {
            best = distance;
            next = i;
        }
    }
    if (next != SIZE_MAX)
        met[next] = true;
    return next;
}

/* So many lists that there are neighbours enough. */
static size_t
choose_lists(const search *s, size_t list, bool *met, size_t *chosen)
{
    size_t count = 0, rows = 0, next;

    memset(met, 0, s->lists);
    while ((count < PROBES || rows <= s->count) && (next = next_list(s, list, met)) != SIZE_MAX) {
        chosen[count++] = next;
        rows += s->starts[next + 1] - s->starts[next];
    }
    return count;
}

static lm_status
run_list(search *s, size_t list, const size_t *chosen, size_t count)
{
    for (size_t at = s->starts[list]; at < s->starts[list + 1]; at += LEFT) {
        const size_t rest = s->starts[list + 1] - at, rows = rest < LEFT ? rest : LEFT;

        gather(s, s->order + at, rows, s->left);
        for (size_t i = 0; i < count; i++)
            LM_TRY(meet_list(s, s->order + at, rows, chosen[i]));
    }
    return LM_OK;
}

static lm_status
run_lists(search *s, bool *met, size_t *chosen)
{
    for (size_t list = 0; list < s->lists; list++)
        if (s->starts[list] < s->starts[list + 1])
            LM_TRY(run_list(s, list, chosen, choose_lists(s, list, met, chosen)));
    return LM_OK;
}

/* ---- Distances ---- */

static lm_status
measure_rows(search *s)
{
    const size_t width = s->v->width, count = s->count;

    for (size_t i = 0; i < s->v->rows; i++) {
        const float *row = s->v->values + i * width;
        uint32_t numbers[LM_NEIGHBOURS_MOST];

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(s->ctx));
        memcpy(numbers, s->numbers + i * count, count * sizeof *numbers);
        for (size_t k = 0; k < count; k++)
            s->distances[i * count + k] = INFINITY;
        for (size_t k = 0; k < count; k++)
            offer(s, i, numbers[k],
                  (float)lm_l2_distance(width, row, s->v->values + (size_t)numbers[k] * width));
    }
    return LM_OK;
}

static lm_status
measure_squares(search *s)
{
    for (size_t i = 0; i < s->v->rows; i++) {
        double sum = 0;

        if (i % POLL_EVERY == 0)
            LM_TRY(lm_poll(s->ctx));
        for (size_t j = 0; j < s->v->width; j++) {
            const double value = s->v->values[i * s->v->width + j];

            sum += value * value;
        }
        if (!(sum < MOST_SQUARE))
            return lm_raise(s->ctx, LM_BAD_ARGUMENT, "a vector is too long to be compared");
        s->squares[i] = (float)sum;
        for (size_t k = 0; k < s->count; k++)
            s->distances[i * s->count + k] = INFINITY;
    }
    return LM_OK;
}

static lm_status
run(search *s)
{
    const size_t width = s->v->width;
    bool *met = lm_alloc_array(s->ctx, s->lists, sizeof *met);
    size_t *chosen = lm_alloc_array(s->ctx, s->lists, sizeof *chosen);
    lm_status status = LM_NO_MEMORY;

    s->left = lm_alloc_array(s->ctx, LEFT * width, sizeof *s->left);
    s->right = lm_alloc_array(s->ctx, RIGHT * width, sizeof *s->right);
    s->products = lm_alloc_array(s->ctx, LEFT * RIGHT, sizeof *s->products);
    if (met && chosen && s->left && s->right && s->products)
        status = measure_squares(s);
    if (status == LM_OK)
        status = make_lists(s);
    if (status == LM_OK)
        status = run_lists(s, met, chosen);
    if (status == LM_OK)
        status = measure_rows(s);
    lm_free(s->ctx, s->products);
    lm_free(s->ctx, s->right);
    lm_free(s->ctx, s->left);
    lm_free(s->ctx, chosen);
    lm_free(s->ctx, met);
    return status;
}

lm_status
lm_neighbour_lists(lm_context *ctx, const lm_vector_rows *vectors, size_t count, uint64_t seed,
                   uint32_t *numbers, float *distances)
{
    search s = {.ctx = ctx,
                .v = vectors,
                .count = count,
                .seed = seed,
                .numbers = numbers,
                .distances = distances,
                .lists = vectors->rows > LM_NEIGHBOURS_EXACT ? vectors->rows / LIST_ROWS : 1};
    lm_status status = LM_NO_MEMORY;

    if (count == 0)
        return LM_OK;
    s.lists = s.lists < LM_LISTS_MOST ? s.lists : LM_LISTS_MOST;
    s.list = lm_alloc_array(ctx, vectors->rows, sizeof *s.list);
    s.order = lm_alloc_array(ctx, vectors->rows, sizeof *s.order);
    s.starts = lm_alloc_array(ctx, s.lists + 1, sizeof *s.starts);
    s.centroids = lm_alloc_array(ctx, s.lists * vectors->width, sizeof *s.centroids);
    s.squares = lm_alloc_array(ctx, vectors->rows, sizeof *s.squares);
    if (s.list && s.order && s.starts && s.centroids && s.squares)
        status = run(&s);
    lm_free(ctx, s.squares);
    lm_free(ctx, s.centroids);
    lm_free(ctx, s.starts);
    lm_free(ctx, s.order);
    lm_free(ctx, s.list);
    return status;
}
