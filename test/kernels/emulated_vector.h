/*
 * emulated_vector.h - the operations of x86/vector_avx512.h and the instructions of
 * x86/steps_avx512.h in plain C, so that the tiles of product_*_avx512.h and all around them
 * (packing, quantising, tails, epilogues) run on a CPU without AVX-512. This is an emulation: it
 * shows that the tiles are right if the instructions do what is written here. That they do is shown
 * by `check` on a CPU that has them.
 *
 * Written from Intel's SDM volume 2: VPMADDWD, VPDPBUSD (first source unsigned, second signed, no
 * saturation), VDPBF16PS (odd element first, denormals are zeros), VCVTNEPS2BF16.
 */
#ifndef EMULATED_VECTOR_H
#define EMULATED_VECTOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/bf16.h"

#define LM_TARGET
#define LM_INLINE static inline __attribute__((unused))

enum { VW = 16, TILE_ROWS = 6, TILE_COLS = 4, PANEL_COLS = 2, TALL_ROWS = 12 };

typedef struct vf {
    float x[VW];
} vf;
typedef union vi {
    int32_t d[VW];
    uint32_t u[VW];
    int16_t w[2 * VW];
    uint16_t h[2 * VW];
    int8_t s[4 * VW];
    uint8_t b[4 * VW];
} vi;

#define EACH_LANE for (int i = 0; i < VW; i++)
#define OPERATION_2(name, expression)  \
    LM_INLINE vf v_##name(vf a, vf b)  \
    {                                  \
        vf r;                          \
                                       \
        EACH_LANE r.x[i] = expression; \
        return r;                      \
    }
OPERATION_2(add, a.x[i] + b.x[i])
OPERATION_2(sub, a.x[i] - b.x[i])
OPERATION_2(mul, a.x[i] * b.x[i])
OPERATION_2(with_sign, copysignf(a.x[i], b.x[i]))
OPERATION_2(div, a.x[i] / b.x[i])
OPERATION_2(max, a.x[i] > b.x[i] ? a.x[i] : b.x[i])
OPERATION_2(min, a.x[i] < b.x[i] ? a.x[i] : b.x[i])

LM_INLINE vf
v_load(const float *p)
{
    vf v;

    memcpy(&v, p, sizeof(v));
    return v;
}

LM_INLINE void
v_store(float *p, vf v)
{
    memcpy(p, &v, sizeof(v));
}

LM_INLINE vf
v_load_part(const float *p, size_t n)
{
    vf v = {{0}};

    memcpy(&v, p, n * sizeof(float));
    return v;
}

LM_INLINE void
v_store_part(float *p, size_t n, vf v)
{
    memcpy(p, &v, n * sizeof(float));
}

LM_INLINE vf
v_set(float x)
{
    vf v;

    EACH_LANE v.x[i] = x;
    return v;
}

LM_INLINE vf
v_zero(void)
{
    return v_set(0);
}

LM_INLINE vf
v_fma(vf a, vf b, vf c)
{
    EACH_LANE c.x[i] = fmaf(a.x[i], b.x[i], c.x[i]);
    return c;
}

LM_INLINE vf
v_fnma(vf a, vf b, vf c)
{
    EACH_LANE c.x[i] = fmaf(-a.x[i], b.x[i], c.x[i]);
    return c;
}

LM_INLINE vf
v_abs(vf v)
{
    EACH_LANE v.x[i] = fabsf(v.x[i]);
    return v;
}

LM_INLINE vf
v_where_less(vf a, vf b, vf yes, vf no)
{
    EACH_LANE no.x[i] = a.x[i] < b.x[i] ? yes.x[i] : no.x[i];
    return no;
}

/* The nearest integer, plus zero, cut to 0 … 255. */
LM_INLINE int
code_lane(float y, int32_t zero)
{
    float code = nearbyintf(y) + (float)zero;

    return code > 0 ? code < 255 ? (int)code : 255 : 0;
}

LM_INLINE vf
v_round(vf v)
{
    EACH_LANE v.x[i] = nearbyintf(v.x[i]);
    return v;
}

/* p·2^n; 0 for n = −127, as on a CPU. */
LM_INLINE vf
v_scale(vf p, vf n)
{
    EACH_LANE p.x[i] = n.x[i] == -127 ? 0 : ldexpf(p.x[i], isnan(n.x[i]) ? 0 : (int)n.x[i]);
    return p;
}

LM_INLINE vf
v_keep(vf v, size_t n, vf fill)
{
    EACH_LANE v.x[i] = (size_t)i < n ? v.x[i] : fill.x[i];
    return v;
}

LM_INLINE void
v_transpose(vf x[VW])
{
    for (int r = 0; r < VW; r++)
        for (int c = 0; c < r; c++) {
            float swapped = x[r].x[c];

            x[r].x[c] = x[c].x[r];
            x[c].x[r] = swapped;
        }
}

LM_INLINE float
v_sum(vf v)
{
    float sum = 0;

    EACH_LANE sum += v.x[i];
    return sum;
}

LM_INLINE float
v_maximum(vf v)
{
    float most = v.x[0];

    EACH_LANE most = v.x[i] > most ? v.x[i] : most;
    return most;
}

LM_INLINE vf
v_centred(const void *sums, const int32_t *columns, int32_t zero)
{
    const int32_t *s = sums;
    vf v;

    EACH_LANE v.x[i] = (float)(s[i] - columns[i] * zero);
    return v;
}

LM_INLINE void
i_store(int32_t *p, vi v)
{
    memcpy(p, &v, sizeof(v));
}

LM_INLINE vi
i_zero(void)
{
    return (vi){{0}};
}

LM_INLINE vi
i_load(const void *p)
{
    vi v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* ---- rounding_avx512_bf16.h: denormals are zeros ---- */

LM_INLINE uint16_t
rounded(float x)
{
    return lm_bf16_from(fpclassify(x) == FP_SUBNORMAL ? 0 : x);
}

LM_INLINE void
v_store_bf16(uint16_t *p, vf v)
{
    EACH_LANE p[i] = rounded(v.x[i]);
}

LM_INLINE vf
v_pair_bf16(vf a, vf b)
{
    EACH_LANE
    {
        uint32_t pair = rounded(a.x[i]) | (uint32_t)rounded(b.x[i]) << 16;

        memcpy(&a.x[i], &pair, sizeof(pair));
    }
    return a;
}

/* ---- steps_avx512.h ---- */

/* Four bytes in every lane, of either type of vector. */
#define BROADCAST(x, p, at, rows)            \
    for (size_t lane = 0; lane < VW; lane++) \
        memcpy((char *)&(x) + 4 * lane, (p) + (size_t)(at) + (size_t)(rows)*lda, 4);
#define HIDE(p, q)
#define LOAD(b, p) b = i_load(p);
#define UPPER_MASK(name)
#define SHIFT(b, p) b = bf16_lanes(p, 0);
#define MASK(b, p) b = bf16_lanes(p, 1);
#define FMA(c, x, b) c = v_fma(x, b, c);

/* The even or the odd bfloat16 of each lane, as a float. */
LM_INLINE vf
bf16_lanes(const void *p, int odd)
{
    const vi halves = i_load(p);
    uint32_t bits[VW];
    vf v;

    EACH_LANE bits[i] = (uint32_t)halves.h[2 * i + odd] << 16;
    memcpy(&v, bits, sizeof(v));
    return v;
}

LM_INLINE float
bf16_or_zero(uint16_t half)
{
    uint32_t bits = half & 0x7f80 ? (uint32_t)half << 16 : 0;
    float x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

LM_INLINE vf
dot_bf16(vf c, vi a, vi b)
{
    EACH_LANE for (int j = 2 * i + 1; j >= 2 * i; j--) c.x[i] +=
        bf16_or_zero(a.h[j]) * bf16_or_zero(b.h[j]);
    return c;
}

#define DOT_BF16(c, x, b) c = dot_bf16(c, x, b);

#ifdef LM_HAVE_VNNI

LM_INLINE vi
dot_u8s8(vi c, vi a, vi b)
{
    EACH_LANE for (int j = 4 * i; j < 4 * i + 4; j++) c.d[i] += a.b[j] * b.s[j];
    return c;
}

#define LOAD_INT8 LOAD
#define DOT_INT8(c, x, b) c = dot_u8s8(c, x, b);

#else

LM_INLINE vi
widen(const void *p)
{
    int8_t bytes[2 * VW];
    vi v;

    memcpy(bytes, p, sizeof(bytes));
    for (int i = 0; i < 2 * VW; i++)
        v.w[i] = bytes[i];
    return v;
}

LM_INLINE vi
madd(vi c, vi a, vi b)
{
    EACH_LANE c.d[i] += a.w[2 * i] * b.w[2 * i] + a.w[2 * i + 1] * b.w[2 * i + 1];
    return c;
}

#define LOAD_INT8(b, p) b = widen(p);
#define DOT_INT8(c, x, b) c = madd(c, x, b);

#endif

#endif
