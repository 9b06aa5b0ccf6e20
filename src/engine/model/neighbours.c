/*
 * neighbours.c - the vote of the nearest examples. Allocates nothing.
 */
#include "model/neighbours.h"

#include <math.h>
#include <string.h>

/* Nearer than this is the same place: what is left of the cosine's rounding. */
#define SAME_PLACE (1.0f / (1 << 20))

typedef struct neighbour {
    float distance;
    uint32_t example;
} neighbour;

/* Nearest first; of equals the one that came first. */
static void
insert(neighbour *list, int *count, int most, neighbour next)
{
    int at = *count < most ? (*count)++ : most - 1;

    for (; at > 0 && list[at - 1].distance > next.distance; at--)
        list[at] = list[at - 1];
    list[at] = next;
}

static int
find_nearest(const lm_kernels *kernels, const lm_neighbours *n, const float *x, size_t without,
             neighbour *list)
{
    const float length = sqrtf(kernels->dot_f32(n->width, x, x));
    const float factor = length > 0 ? 1 / length : 0;
    int count = 0;

    for (size_t i = 0; i < n->count; i++) {
        float distance = 1 - factor * kernels->dot_f32(n->width, n->examples + i * n->width, x);

        if (i != without && (count < n->k || distance < list[count - 1].distance))
            insert(list, &count, n->k, (neighbour){distance, (uint32_t)i});
    }
    return count;
}

/* By the distance, those at the same place outvote all others. */
static double
weight_of(const lm_neighbours *n, const neighbour *list, int i)
{
    if (!n->by_distance)
        return 1;
    if (list[0].distance <= SAME_PLACE)
        return list[i].distance <= SAME_PLACE;
    return 1 / (double)list[i].distance;
}

void
lm_neighbours_vote(const lm_kernels *kernels, const lm_neighbours *neighbours, const float *x,
                   size_t labels, size_t without, float *shares)
{
    neighbour list[LM_NEIGHBOURS_K_MAX];
    int count = find_nearest(kernels, neighbours, x, without, list);
    double sum = 0;

    memset(shares, 0, labels * sizeof *shares);
    for (int i = 0; i < count; i++)
        sum += weight_of(neighbours, list, i);
    for (int i = 0; i < count; i++)
        shares[neighbours->label[list[i].example]] += (float)(weight_of(neighbours, list, i) / sum);
}
