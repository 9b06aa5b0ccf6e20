/*
 * distance.c - distances from the kernels' float sums, finished in double as pgvector does.
 */
#include "search/distance.h"

#include <math.h>

#include "kernels/kernels.h"

double
lm_cosine_distance(size_t width, const float *a, const float *b)
{
    float parts[3];
    double similarity;

    lm_kernels_active()->cosine_parts_f32(width, a, b, parts);
    /* One square root of the product: the product of two floats is exact in double. */
    similarity = parts[0] / sqrt((double)parts[1] * (double)parts[2]);
    /* Comparisons that a NaN fails, so that it passes through. */
    if (similarity > 1)
        similarity = 1;
    else if (similarity < -1)
        similarity = -1;
    return 1 - similarity;
}

double
lm_l2_distance(size_t width, const float *a, const float *b)
{
    return sqrt((double)lm_kernels_active()->l2_squared_f32(width, a, b));
}

double
lm_inner_product(size_t width, const float *a, const float *b)
{
    return lm_kernels_active()->dot_f32(width, a, b);
}
