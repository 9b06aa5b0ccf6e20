/*
 * density.c - groups of rows by density, over all pairs of similar rows (pairs.h), which are gone
 * through twice: to count neighbours, and to link core rows. No pair is kept.
 */
#include "search/clusters.h"
#include "search/pairs.h"

typedef struct density {
    lm_context *ctx;
    const lm_vector_rows *vectors;
    size_t least;
    size_t *neighbours; /* (rows), the row itself among them */
    size_t *linked;     /* (rows) of core rows: towards the first one of the group */
    double *nearest;    /* (rows) of others: the similarity of the core row in `linked` */
} density;

static bool
is_core(const density *d, size_t row)
{
    return d->neighbours[row] >= d->least;
}

static lm_status
count_pair(void *opaque, size_t left, size_t right, double similarity)
{
    density *d = opaque;

    d->neighbours[left]++;
    d->neighbours[right]++;
    return LM_OK;
}

/* The first row of a group; the way there is halved for those to come. */
static size_t
root_of(size_t *linked, size_t row)
{
    while (linked[row] != row) {
        linked[row] = linked[linked[row]];
        row = linked[row];
    }
    return row;
}

static void
link_core(density *d, size_t a, size_t b)
{
    a = root_of(d->linked, a);
    b = root_of(d->linked, b);
    d->linked[a > b ? a : b] = a < b ? a : b;
}

/* Of core rows that are as similar, the first is taken, in whatever order pairs come. */
static void
link_other(density *d, size_t row, size_t core, double similarity)
{
    if (similarity < d->nearest[row] || (similarity == d->nearest[row] && d->linked[row] < core))
        return;
    d->nearest[row] = similarity;
    d->linked[row] = core;
}

static lm_status
link_pair(void *opaque, size_t left, size_t right, double similarity)
{
    density *d = opaque;
    const bool core_left = is_core(d, left), core_right = is_core(d, right);

    if (core_left && core_right)
        link_core(d, left, right);
    else if (core_left)
        link_other(d, right, left, similarity);
    else if (core_right)
        link_other(d, left, right, similarity);
    return LM_OK;
}

static lm_status
pass(density *d, double similarity, lm_pairs_sink sink)
{
    const lm_vector_rows *v = d->vectors;
    const lm_pairs_options options = {.width = v->width,
                                      .threshold = similarity,
                                      .same = true,
                                      .sample = v->values,
                                      .sample_rows = v->rows,
                                      .sink = sink,
                                      .opaque = d};
    lm_pairs *pairs;
    lm_status status = lm_pairs_open(d->ctx, &options, &pairs);

    if (status == LM_OK)
        status = lm_pairs_left(pairs, 0, v->rows, v->values);
    if (status == LM_OK)
        status = lm_pairs_right(pairs, 0, v->rows, v->values);
    lm_pairs_close(pairs);
    return status;
}

/* Groups are numbered as they come, a core row's by its root. */
static size_t
label_rows(density *d, int32_t *labels)
{
    const size_t rows = d->vectors->rows;
    size_t count = 0;

    for (size_t i = 0; i < rows; i++)
        if (is_core(d, i)) {
            const size_t root = root_of(d->linked, i);

            labels[i] = root == i ? (int32_t)count++ : labels[root];
        }
    for (size_t i = 0; i < rows; i++)
        if (!is_core(d, i))
            labels[i] = d->nearest[i] > -2 ? labels[d->linked[i]] : LM_NO_CLUSTER;
    return count;
}

static lm_status
find_groups(density *d, double similarity, int32_t *labels)
{
    const size_t rows = d->vectors->rows;

    for (size_t i = 0; i < rows; i++) {
        d->neighbours[i] = 1;
        d->linked[i] = i;
        d->nearest[i] = -2;
    }
    LM_TRY(pass(d, similarity, count_pair));
    LM_TRY(pass(d, similarity, link_pair));
    return lm_clusters_order(d->ctx, rows, label_rows(d, labels), labels);
}

lm_status
lm_dense_clusters(lm_context *ctx, const lm_vector_rows *vectors, double similarity, size_t least,
                  int32_t *labels)
{
    density d = {.ctx = ctx, .vectors = vectors, .least = least};
    lm_status status = LM_NO_MEMORY;

    d.neighbours = lm_alloc_array(ctx, vectors->rows, sizeof(size_t));
    d.linked = lm_alloc_array(ctx, vectors->rows, sizeof(size_t));
    d.nearest = lm_alloc_array(ctx, vectors->rows, sizeof(double));
    if (d.neighbours && d.linked && d.nearest)
        status = find_groups(&d, similarity, labels);
    lm_free(ctx, d.nearest);
    lm_free(ctx, d.linked);
    lm_free(ctx, d.neighbours);
    return status;
}
