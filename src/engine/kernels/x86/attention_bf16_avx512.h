/*
 * attention_bf16_avx512.h - attention over pairs of bfloat16 in AVX-512: query, key, value and the
 * softmax's numbers are rounded to bfloat16, sums stay float32.
 *
 * A level says how it rounds (v_store_bf16, v_pair_bf16) and includes this.
 */
#define TILE_VECTOR vi
#define TILE_LOAD LOAD
#define TILE_DOT DOT_BF16
#define TILE_FETCH(p)
#define ELEMENT_TILES LM_NAME(tiles_pairs)

#include "kernels/x86/tiles_elements_avx512.h"

static const lm_tile_function LM_NAME(tiles_pairs)[4][12] = TILE_TABLE;

#include "kernels/generic/functions.h"
#include "kernels/generic/tiles.h"

#define ATTENTION_PAIRS
#define ATTENTION(op) LM_NAME(attention_bf16##op)

enum { ATTENTION_GROUP = 2 };

/* A row of elements, zeros behind k up to whole vectors. */
static LM_TARGET void
round_elements(const float *x, size_t k, float factor, float *out)
{
    for (size_t j = 0; j < k; j += 2 * VW, out += VW) {
        v_store_bf16((uint16_t *)out, v_mul(v_load_some(x + j, k - j), v_set(factor)));
        v_store_bf16((uint16_t *)out + VW,
                     j + VW < k ? v_mul(v_load_some(x + j + VW, k - j - VW), v_set(factor))
                                : v_zero());
    }
}

/* Squares of sixteen tokens by sixteen elements, as rows of a panel. */
static LM_TARGET void
pack_keys(const float *k, size_t ld, size_t tokens, size_t head_dim, float factor, float *out)
{
    size_t depth = round_up(head_dim, 2) / 2;

    for (size_t j = 0; j < round_up(tokens, PANEL); j += VW)
        for (size_t i = 0; i < depth; i += VW) {
            float *to = out + j / PANEL * PANEL * depth + i * PANEL + j % PANEL;
            vf x[VW];

            for (size_t r = 0; r < VW; r++) {
                float elements[VW] __attribute__((aligned(64)));

                if (j + r < tokens)
                    round_elements(k + (j + r) * ld + 2 * i, at_most(2 * VW, head_dim - 2 * i),
                                   factor, elements);
                x[r] = j + r < tokens ? v_load(elements) : v_zero();
            }
            v_transpose(x);
            for (size_t r = 0; r < at_most(VW, depth - i); r++)
                v_store(to + r * PANEL, x[r]);
        }
}

/* Pairs of tokens; the last one of an odd number is paired with zeros. */
static LM_TARGET void
pack_values(const float *v, size_t ld, size_t tokens, size_t head_dim, size_t stride, float *out)
{
    for (size_t i = 0; i < tokens; i += 2, v += 2 * ld, out += stride)
        for (size_t d = 0; d < head_dim; d += VW)
            v_store(out + d,
                    v_pair_bf16(v_load_some(v + d, head_dim - d),
                                i + 1 < tokens ? v_load_some(v + ld + d, head_dim - d) : v_zero()));
}

static size_t
query_stride(size_t head_dim)
{
    return round_up(head_dim, 2 * VW) / 2;
}

static const float *
take_queries(const float *q, size_t *ld, size_t rows, size_t head_dim, float *out)
{
    for (size_t r = 0; r < rows; r++)
        round_elements(q + r * *ld, head_dim, 1, out + r * query_stride(head_dim));
    *ld = query_stride(head_dim);
    return out;
}

LM_INLINE void
store_halves(float *row, size_t j, size_t n, vf x)
{
    v_store_bf16((uint16_t *)row + j, x);
}

/*
 * Scores from `first` on to weights, in place. Always by the approximate 2^x, since they are
 * rounded; their sum is of the numbers before that.
 */
static LM_TARGET float
weights_of(bool approx, size_t first, size_t count, float *scores)
{
    float *halves = (float *)((uint16_t *)scores + first);

    return exponentials(POWER_OF_2_APPROX, store_halves, count, scores + first, halves);
}

#include "kernels/generic/attention.h"
