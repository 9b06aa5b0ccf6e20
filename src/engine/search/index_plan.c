/*
 * index_plan.c - parameters of an index and of a search; the contract is in index_plan.h.
 */
#include "search/index_plan.h"

#include <math.h>

#include "search/lists.h"

/* Lists to look at, by how many rows there are: interpolated in the logarithm of rows. */
static const struct {
    double rows, probes;
} probes[] = {{1e4, 64}, {1e5, 64}, {1e6, 80}, {1e7, 128}, {1e8, 256}};

#define PROBE_ROWS (sizeof probes / sizeof *probes)

/* Candidates that int8 decides on at an effort of 1, for the ten results that most ask for: so many
 * and so many more for each result beyond. */
#define RERANK_LEAST 200
#define RERANK_EACH 4
#define RERANK_KNEE 10

size_t
lm_plan_lists(uint64_t rows)
{
    const double lists = 4 * sqrt((double)rows);

    if (rows <= LM_FLAT_ROWS)
        return 1;
    return lists < (double)LM_LISTS_MOST ? (size_t)lists : LM_LISTS_MOST;
}

static double
probes_at(uint64_t rows)
{
    size_t i = 1;
    double part;

    while (i + 1 < PROBE_ROWS && (double)rows > probes[i].rows)
        i++;
    part = log((double)rows / probes[i - 1].rows) / log(probes[i].rows / probes[i - 1].rows);
    part = fmin(fmax(part, 0), 1);
    return probes[i - 1].probes + part * (probes[i].probes - probes[i - 1].probes);
}

static size_t
clamp(double value, size_t low, size_t high)
{
    if (!(value > (double)low))
        return low;
    return value < (double)high ? (size_t)ceil(value) : high;
}

lm_search_plan
lm_plan_search(uint64_t rows, size_t lists, size_t k, double effort)
{
    const double by = fmin(fmax(effort, LM_EFFORT_LEAST), LM_EFFORT_MOST);
    const double more = k > RERANK_KNEE ? (double)(k - RERANK_KNEE) : 0;
    lm_search_plan plan;

    plan.probes = clamp(by * probes_at(rows), 1, lists);
    plan.rerank = clamp(by * (RERANK_LEAST + RERANK_EACH * more), k, SIZE_MAX);
    return plan;
}

size_t
lm_plan_sample(uint64_t rows, size_t lists, size_t width, size_t bytes)
{
    const uint64_t wanted = (uint64_t)lists * LM_KMEANS_SAMPLE;
    const uint64_t fitting = bytes / (width * sizeof(float) + 2 * sizeof(uint32_t));
    const uint64_t most = fitting < rows ? fitting : rows;

    return (size_t)(wanted < most ? wanted : most);
}
