/*
 * codes.c - kernels over codes of an index for any CPU: also what the other levels' are checked
 * against, since all give the same bits.
 */
#include <string.h>

#include "kernels/levels.h"

static void
scan_codes(size_t groups, const uint8_t *codes, const uint8_t *tables, uint32_t sums[32])
{
    for (size_t g = 0; g < groups; g++, codes += 16, tables += 16)
        for (size_t j = 0; j < 16; j++) {
            sums[j] += tables[codes[j] & 15];
            sums[16 + j] += tables[codes[j] >> 4];
        }
}

static float
from_bf16(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float x;

    memcpy(&x, &wide, sizeof(x));
    return x;
}

static uint32_t
estimate_codes(const lm_code_estimate *args, const uint32_t sums[32], const uint16_t scale[32],
               const uint16_t add[32], float distances[32])
{
    uint32_t below = 0;

    for (size_t i = 0; i < 32; i++) {
        float product = (float)(int32_t)sums[i] * args->step + args->offset;

        distances[i] = args->base + from_bf16(add[i]) - from_bf16(scale[i]) * product;
        below |= (uint32_t)(distances[i] < args->bound) << i;
    }
    return below;
}

static int64_t
dot_s16_s8(size_t width, const int16_t *a, const int8_t *b)
{
    int64_t total = 0;

    for (size_t i = 0; i < width; i += 64) {
        int32_t sum = 0;

        for (size_t j = i; j < i + 64; j++)
            sum += a[j] * b[j];
        total += sum;
    }
    return total;
}

void
lm_fill_codes_scalar(lm_kernels *table)
{
    table->scan_codes = scan_codes;
    table->estimate_codes = estimate_codes;
    table->dot_s16_s8 = dot_s16_s8;
}
