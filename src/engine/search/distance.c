/*
 * distance.c - distances from the kernels' float sums, finished in double as pgvector does. Where a
 * float sum of squares has left its safe range, it is computed again in double, which no finite
 * vector can leave.
 */
#include "search/distance.h"

#include <math.h>
#include <stdbool.h>

#include "kernels/kernels.h"

/*
 * Sums of squares that are as exact as float allows: above, a sum may have overflowed; below,
 * squares may have been lost in the smallest floats.
 */
#define SAFE_LOW 1e-30f
#define SAFE_HIGH 1e30f

static inline bool
is_safe(float sum)
{
    return sum >= SAFE_LOW && sum <= SAFE_HIGH; /* not NaN */
}

static double
dot_in_double(size_t width, const float *a, const float *b)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static double
l2_squared_in_double(size_t width, const float *a, const float *b)
{
    double sum = 0;

    for (size_t i = 0; i < width; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

static double
similarity_in_double(size_t width, const float *a, const float *b)
{
    return dot_in_double(width, a, b) /
           sqrt(dot_in_double(width, a, a) * dot_in_double(width, b, b));
}

double
lm_cosine_distance(size_t width, const float *a, const float *b)
{
    float parts[3];
    double similarity;

    lm_kernels_active()->cosine_parts_f32(width, a, b, parts);
    /* One square root of the product: the product of two floats is exact in double. */
    similarity = is_safe(parts[1]) && is_safe(parts[2])
                     ? parts[0] / sqrt((double)parts[1] * (double)parts[2])
                     : similarity_in_double(width, a, b);
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
    float squared = lm_kernels_active()->l2_squared_f32(width, a, b);

    return sqrt(is_safe(squared) ? squared : l2_squared_in_double(width, a, b));
}

double
lm_inner_product(size_t width, const float *a, const float *b)
{
    float product = lm_kernels_active()->dot_f32(width, a, b);

    return isfinite(product) ? product : dot_in_double(width, a, b);
}
