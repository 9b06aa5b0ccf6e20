/*
 * umap.c - the fuzzy graph of nearest rows, and its layout by stochastic gradient descent with
 * negative samples.
 *
 * Both gradients depend on the square of a distance alone: they are tables by the leading bits of
 * that float, 128 entries an octave, since a power a sample would be most of the time.
 */
#include "search/umap.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"
#include "search/neighbours.h"
#include "search/principal.h"

#define POLL_EVERY 2048
#define POLL_EDGES 128 /* rows whose edges are looked for among those of their neighbours */
#define BISECTIONS 64
#define NEGATIVES 5
#define MOST_STEP 4.0f /* of a gradient's component */
#define EXTENT 10.0f   /* of the points it begins with */
#define MANY_ROWS 10000

/* Leading bits of floats from 2^-24 to 2^12. */
#define OCTAVES 36
#define LEAST_EXPONENT (127 - 24)
#define STEP_BITS 7
#define TABLE (OCTAVES << STEP_BITS)

/* Edges of a row, of which each is seen from both ends. */
typedef struct graph {
    size_t rows, count;
    size_t *starts;    /* (rows + 1) */
    uint32_t *ends;    /* (count) */
    float *weights;    /* (count), at most 1 */
    size_t neighbours; /* of a row, itself not among them */
} graph;

typedef struct layout {
    lm_context *ctx;
    const graph *g;
    float *points; /* (rows, 2) */
    float *every;  /* (count): an edge is drawn each so many epochs; 0: never */
    float *next;   /* (count) epochs of the next draw, and of the next negative sample */
    float *next_negative;
    float attract[TABLE], repel[TABLE];
    lm_rng rng;
    uint64_t bits; /* of the generator, not used yet */
    bool has_bits;
} layout;

/* ---- The graph ---- */

/*
 * How far a row's surroundings reach: the width at which memberships sum up to the logarithm of
 * their number; not below a thousandth of the mean distance.
 */
static double
find_width(const float *distances, size_t count, double nearest, double mean)
{
    const double wanted = log2((double)count + 1);
    double low = 0, high = INFINITY, width = 1;

    for (int step = 0; step < BISECTIONS; step++) {
        double sum = 0;

        for (size_t i = 0; i < count; i++) {
            const double beyond = distances[i] - nearest;

            sum += beyond > 0 ? exp(-beyond / width) : 1;
        }
        if (fabs(sum - wanted) < 1e-5)
            break;
        *(sum > wanted ? &high : &low) = width;
        width = isinf(high) ? width * 2 : (low + high) / 2;
    }
    return fmax(width, 1e-3 * mean);
}

static double
mean_of(const float *numbers, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += numbers[i];
    return count > 0 ? sum / (double)count : 0;
}

/* Distances to memberships, in place. The nearest row that is not the same has all of it. */
static void
weigh_row(float *distances, size_t count, double mean_of_all)
{
    double nearest = 0, width, mean = mean_of(distances, count);

    for (size_t i = count; i-- > 0;)
        if (distances[i] > 0)
            nearest = distances[i];
    width = find_width(distances, count, nearest, nearest > 0 ? mean : mean_of_all);
    for (size_t i = 0; i < count; i++) {
        const double beyond = distances[i] - nearest;

        distances[i] = (float)(beyond <= 0 || width == 0 ? 1 : exp(-beyond / width));
    }
}

static lm_status
weigh_rows(lm_context *ctx, size_t rows, size_t count, float *distances)
{
    const double mean = mean_of(distances, rows * count);

    for (size_t i = 0; i < rows; i++) {
        if (i % (POLL_EVERY / 8) == 0)
            LM_TRY(lm_poll(ctx));
        weigh_row(distances + i * count, count, mean);
    }
    return LM_OK;
}

/* The membership of one row among another's neighbours; 0: it is none. */
static float
weight_from(const graph *g, const uint32_t *numbers, const float *weights, size_t row,
            uint32_t other)
{
    for (size_t i = row * g->neighbours; i < (row + 1) * g->neighbours; i++)
        if (numbers[i] == other)
            return weights[i];
    return 0;
}

static void
put_edge(graph *g, size_t *at, size_t row, uint32_t end, float weight)
{
    g->ends[at[row]] = end;
    g->weights[at[row]++] = weight;
}

/* An edge that only one end has is put at both; one that both have, by each. */
static void
put_edges(graph *g, size_t *at, size_t row, const uint32_t *numbers, const float *weights)
{
    for (size_t i = row * g->neighbours; i < (row + 1) * g->neighbours; i++) {
        const float back = weight_from(g, numbers, weights, numbers[i], (uint32_t)row);

        put_edge(g, at, row, numbers[i], weights[i] + back - weights[i] * back);
        if (back == 0)
            put_edge(g, at, numbers[i], (uint32_t)row, weights[i]);
    }
}

static lm_status
count_edges(lm_context *ctx, graph *g, const uint32_t *numbers, const float *weights,
            size_t *counts)
{
    for (size_t row = 0; row < g->rows; row++) {
        if (row % POLL_EDGES == 0)
            LM_TRY(lm_poll(ctx));
        for (size_t i = row * g->neighbours; i < (row + 1) * g->neighbours; i++) {
            counts[row]++;
            if (weight_from(g, numbers, weights, numbers[i], (uint32_t)row) == 0)
                counts[numbers[i]]++;
        }
    }
    return LM_OK;
}

/* The union of what both ends say: a + b − a · b. */
static lm_status
join_edges(lm_context *ctx, graph *g, const uint32_t *numbers, const float *weights, size_t *at)
{
    memset(at, 0, g->rows * sizeof *at);
    LM_TRY(count_edges(ctx, g, numbers, weights, at));
    for (size_t row = 0; row < g->rows; row++) {
        const size_t here = at[row];

        g->starts[row] = g->count;
        at[row] = g->count;
        g->count += here;
    }
    g->starts[g->rows] = g->count;
    g->ends = lm_alloc_array(ctx, g->count, sizeof *g->ends);
    g->weights = lm_alloc_array(ctx, g->count, sizeof *g->weights);
    if (!g->ends || !g->weights)
        return LM_NO_MEMORY;
    for (size_t row = 0; row < g->rows; row++) {
        if (row % POLL_EDGES == 0)
            LM_TRY(lm_poll(ctx));
        put_edges(g, at, row, numbers, weights);
    }
    return LM_OK;
}

static lm_status
fill_graph(lm_context *ctx, const lm_vector_rows *v, uint64_t seed, graph *g, uint32_t *numbers,
           float *weights, size_t *at)
{
    LM_TRY(lm_neighbour_lists(ctx, v, g->neighbours, seed, numbers, weights));
    LM_TRY(weigh_rows(ctx, g->rows, g->neighbours, weights));
    return join_edges(ctx, g, numbers, weights, at);
}

static lm_status
make_graph(lm_context *ctx, const lm_vector_rows *v, const lm_umap_options *options, graph *g)
{
    uint32_t *numbers;
    float *weights;
    size_t *at, edges;
    lm_status status = LM_NO_MEMORY;

    g->rows = v->rows;
    g->neighbours = options->neighbours - 1 < v->rows ? options->neighbours - 1 : v->rows - 1;
    if (lm_mul_overflows(v->rows, g->neighbours, &edges) || v->rows > UINT32_MAX)
        return lm_raise(ctx, LM_TOO_LARGE, "too many rows for a plane");
    numbers = lm_alloc_array(ctx, edges, sizeof *numbers);
    weights = lm_alloc_array(ctx, edges, sizeof *weights);
    at = lm_alloc_array(ctx, v->rows, sizeof *at);
    g->starts = lm_alloc_array(ctx, v->rows + 1, sizeof *g->starts);
    if (numbers && weights && at && g->starts)
        status = fill_graph(ctx, v, options->seed, g, numbers, weights, at);
    lm_free(ctx, at);
    lm_free(ctx, weights);
    lm_free(ctx, numbers);
    return status;
}

static void
free_graph(lm_context *ctx, graph *g)
{
    lm_free(ctx, g->starts);
    lm_free(ctx, g->ends);
    lm_free(ctx, g->weights);
}

/* ---- Gradients ---- */

/* One step of Gauss and Newton for 1 / (1 + a x^2b) against the curve that min_distance asks for.
 */
static void
fit_step(double min_distance, double *a, double *b)
{
    double aa = 0, ab = 0, bb = 0, ra = 0, rb = 0;

    for (int i = 1; i < 300; i++) {
        const double x = 3.0 * i / 299, p = pow(x, 2 * *b), f = 1 / (1 + *a * p);
        const double wanted = x < min_distance ? 1 : exp(-(x - min_distance));
        const double da = -p * f * f, db = -*a * p * 2 * log(x) * f * f, r = wanted - f;

        aa += da * da;
        ab += da * db;
        bb += db * db;
        ra += da * r;
        rb += db * r;
    }
    *a += (ra * bb - rb * ab) / (aa * bb - ab * ab);
    *b += (rb * aa - ra * ab) / (aa * bb - ab * ab);
}

/* The middle of an entry's floats. */
static double
entry_value(size_t entry)
{
    const int octave = (int)(entry >> STEP_BITS) + LEAST_EXPONENT - 127;
    const double step = (double)(entry & ((1 << STEP_BITS) - 1)) + 0.5;

    return ldexp(1 + step / (1 << STEP_BITS), octave);
}

static void
make_tables(layout *l, double min_distance)
{
    double a = 1.5, b = 0.9;

    for (int i = 0; i < 50; i++)
        fit_step(min_distance, &a, &b);
    for (size_t i = 0; i < TABLE; i++) {
        const double square = entry_value(i), power = pow(square, b);

        l->attract[i] = (float)(-2 * a * b * power / square / (a * power + 1));
        l->repel[i] = (float)(2 * b / ((0.001 + square) * (a * power + 1)));
    }
}

static size_t
entry_of(float square)
{
    uint32_t bits;

    memcpy(&bits, &square, sizeof bits);
    bits >>= 23 - STEP_BITS;
    if (bits < (uint32_t)LEAST_EXPONENT << STEP_BITS)
        return 0;
    bits -= (uint32_t)LEAST_EXPONENT << STEP_BITS;
    return bits < TABLE ? bits : TABLE - 1;
}

/* ---- The layout ---- */

static float
clip(float x)
{
    return x > MOST_STEP ? MOST_STEP : x < -MOST_STEP ? -MOST_STEP : x;
}

/* A row by chance: 32 bits a draw. */
static size_t
draw_row(layout *l)
{
    uint32_t half;

    if (!l->has_bits)
        l->bits = lm_rng_next(&l->rng);
    half = (uint32_t)(l->has_bits ? l->bits >> 32 : l->bits);
    l->has_bits = !l->has_bits;
    return (size_t)(((uint64_t)half * l->g->rows) >> 32);
}

static void
pull(float *p, float *q, float coefficient, float rate)
{
    for (int i = 0; i < 2; i++) {
        const float step = clip(coefficient * (p[i] - q[i])) * rate;

        p[i] += step;
        q[i] -= step;
    }
}

static void
push(float *p, const float *q, float coefficient, float rate)
{
    for (int i = 0; i < 2; i++)
        p[i] += clip(coefficient * (p[i] - q[i])) * rate;
}

static float
square_between(const float *p, const float *q)
{
    const float x = p[0] - q[0], y = p[1] - q[1];

    return x * x + y * y;
}

/* An edge's turn, and as many negative samples as are due. */
static void
draw_edge(layout *l, size_t row, size_t edge, float epoch, float rate)
{
    const float each = l->every[edge] / NEGATIVES;
    const int due = (int)((epoch - l->next_negative[edge]) / each);
    float *p = l->points + 2 * row, *q = l->points + 2 * (size_t)l->g->ends[edge];
    float square = square_between(p, q);

    if (square > 0)
        pull(p, q, l->attract[entry_of(square)], rate);
    l->next[edge] += l->every[edge];
    for (int i = 0; i < due; i++) {
        const float *other = l->points + 2 * draw_row(l);

        square = square_between(p, other);
        if (square > 0)
            push(p, other, l->repel[entry_of(square)], rate);
    }
    l->next_negative[edge] += (float)due * each;
}

static lm_status
run_epoch(layout *l, float epoch, float rate)
{
    for (size_t row = 0; row < l->g->rows; row++) {
        if (row % POLL_EVERY == 0)
            LM_TRY(lm_poll(l->ctx));
        for (size_t edge = l->g->starts[row]; edge < l->g->starts[row + 1]; edge++)
            if (l->every[edge] > 0 && l->next[edge] <= epoch)
                draw_edge(l, row, edge, epoch, rate);
    }
    return LM_OK;
}

/* The heaviest edge is drawn each epoch; one that would never be drawn is left out. */
static void
plan_edges(layout *l, size_t epochs)
{
    float most = 0;

    for (size_t i = 0; i < l->g->count; i++)
        most = fmaxf(most, l->g->weights[i]);
    for (size_t i = 0; i < l->g->count; i++) {
        const float weight = l->g->weights[i];

        l->every[i] = weight > 0 && weight >= most / (float)epochs ? most / weight : 0;
        l->next[i] = l->every[i];
        l->next_negative[i] = l->every[i] / NEGATIVES;
    }
}

/* Each axis from 0 to EXTENT, a little shaken: rows that are the same must be able to part. */
static void
place_points(layout *l, const double *start)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};

    for (size_t i = 0; i < 2 * l->g->rows; i++) {
        low[i % 2] = fmin(low[i % 2], start[i]);
        high[i % 2] = fmax(high[i % 2], start[i]);
    }
    for (size_t i = 0; i < 2 * l->g->rows; i++) {
        const double extent = high[i % 2] - low[i % 2];
        const double place = extent > 0 ? (start[i] - low[i % 2]) / extent : 0.5;

        l->points[i] = (float)(EXTENT * place + 1e-3 * (lm_rng_uniform(&l->rng) - 0.5));
    }
}

static lm_status
run_layout(layout *l, const lm_umap_options *options, double *points)
{
    const size_t epochs = options->epochs > 0       ? options->epochs
                          : l->g->rows <= MANY_ROWS ? 500
                                                    : 200;

    make_tables(l, options->min_distance);
    plan_edges(l, epochs);
    place_points(l, points);
    for (size_t epoch = 0; epoch < epochs; epoch++)
        LM_TRY(run_epoch(l, (float)epoch, 1 - (float)epoch / (float)epochs));
    for (size_t i = 0; i < 2 * l->g->rows; i++)
        points[i] = l->points[i];
    return LM_OK;
}

static lm_status
lay_out(lm_context *ctx, const graph *g, const lm_umap_options *options, double *points)
{
    layout *l = lm_alloc_zero(ctx, sizeof *l);
    lm_status status = LM_NO_MEMORY;

    if (!l)
        return LM_NO_MEMORY;
    l->ctx = ctx;
    l->g = g;
    lm_rng_seed(&l->rng, options->seed);
    l->points = lm_alloc_array(ctx, 2 * g->rows, sizeof *l->points);
    l->every = lm_alloc_array(ctx, g->count, sizeof *l->every);
    l->next = lm_alloc_array(ctx, g->count, sizeof *l->next);
    l->next_negative = lm_alloc_array(ctx, g->count, sizeof *l->next_negative);
    if (l->points && l->every && l->next && l->next_negative)
        status = run_layout(l, options, points);
    lm_free(ctx, l->next_negative);
    lm_free(ctx, l->next);
    lm_free(ctx, l->every);
    lm_free(ctx, l->points);
    lm_free(ctx, l);
    return status;
}

lm_status
lm_umap(lm_context *ctx, const lm_vector_rows *vectors, const lm_umap_options *options,
        double *points)
{
    graph g = {0};
    lm_status status;

    LM_TRY(lm_principal(ctx, vectors, 2, points));
    if (vectors->rows < 3)
        return LM_OK;
    status = make_graph(ctx, vectors, options, &g);
    if (status == LM_OK)
        status = lay_out(ctx, &g, options, points);
    free_graph(ctx, &g);
    return status;
}
