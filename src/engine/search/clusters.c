/*
 * clusters.c - numbers of clusters; the contract is in clusters.h.
 */
#include "search/clusters.h"

#include "base/sort.h"

typedef struct cluster_size {
    size_t label, rows, first;
} cluster_size;

static int
compare_sizes(const void *a, const void *b)
{
    const cluster_size *x = a, *y = b;

    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static lm_status
order(lm_context *ctx, size_t rows, size_t count, cluster_size *sizes, int32_t *numbers,
      int32_t *labels)
{
    for (size_t k = 0; k < count; k++)
        sizes[k] = (cluster_size){k, 0, rows};
    for (size_t i = rows; i-- > 0;)
        if (labels[i] >= 0) {
            sizes[labels[i]].rows++;
            sizes[labels[i]].first = i;
        }
    LM_TRY(lm_sort(ctx, sizes, count, sizeof *sizes, compare_sizes));
    for (size_t k = 0; k < count; k++)
        numbers[sizes[k].label] = (int32_t)k;
    for (size_t i = 0; i < rows; i++)
        if (labels[i] >= 0)
            labels[i] = numbers[labels[i]];
    return LM_OK;
}

lm_status
lm_clusters_order(lm_context *ctx, size_t rows, size_t count, int32_t *labels)
{
    cluster_size *sizes = lm_alloc_array(ctx, count + 1, sizeof *sizes);
    int32_t *numbers = lm_alloc_array(ctx, count + 1, sizeof *numbers);
    lm_status status =
        sizes && numbers ? order(ctx, rows, count, sizes, numbers, labels) : LM_NO_MEMORY;

    lm_free(ctx, numbers);
    lm_free(ctx, sizes);
    return status;
}
