/*
 * portable_vector.h - the vector operations in GNU C, four lanes: what every CPU of the compiler's
 * baseline can do (SSE2, NEON). No fused multiply-add is assumed.
 */
#ifndef LM_PORTABLE_VECTOR_H
#define LM_PORTABLE_VECTOR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LM_TARGET
#define LM_INLINE static inline __attribute__((always_inline))
#define LM_NAME(op) lm_##op##_scalar

/*
 * Lanes of a vector; the GEMM's tile in rows and in vectors, its panels in vectors, and the rows
 * that a tile of one panel can have.
 */
enum { VW = 4, TILE_ROWS = 4, TILE_COLS = 2, PANEL_COLS = 2, TALL_ROWS = 4 };

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

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
v_set(float x)
{
    return (vf){x, x, x, x};
}

LM_INLINE vf
v_zero(void)
{
    return v_set(0);
}

/* The first n lanes (1 to VW − 1), zeros behind. */
LM_INLINE vf
v_load_part(const float *p, size_t n)
{
    vf v = v_zero();

    memcpy(&v, p, n * sizeof(float));
    return v;
}

LM_INLINE void
v_store_part(float *p, size_t n, vf v)
{
    memcpy(p, &v, n * sizeof(float));
}

LM_INLINE vf
v_choose(vi mask, vf yes, vf no)
{
    return (vf)((mask & (vi)yes) | (~mask & (vi)no));
}

/* Lanes below n from v, the others from fill. */
LM_INLINE vf
v_keep(vf v, size_t n, vf fill)
{
    return v_choose((vi){0, 1, 2, 3} < (int32_t)n, v, fill);
}

LM_INLINE vf
v_add(vf a, vf b)
{
    return a + b;
}

LM_INLINE vf
v_sub(vf a, vf b)
{
    return a - b;
}

LM_INLINE vf
v_mul(vf a, vf b)
{
    return a * b;
}

LM_INLINE vf
v_div(vf a, vf b)
{
    return a / b;
}

/* a·b + c */
LM_INLINE vf
v_fma(vf a, vf b, vf c)
{
    return a * b + c;
}

/* c − a·b */
LM_INLINE vf
v_fnma(vf a, vf b, vf c)
{
    return c - a * b;
}

/* b where either is a NaN, as x86 has it. */
LM_INLINE vf
v_max(vf a, vf b)
{
    return v_choose(a > b, a, b);
}

LM_INLINE vf
v_min(vf a, vf b)
{
    return v_choose(a < b, a, b);
}

LM_INLINE vf
v_abs(vf a)
{
    return (vf)((vi)a & 0x7fffffff);
}

/* |a| with the sign of b. */
LM_INLINE vf
v_with_sign(vf a, vf b)
{
    return (vf)((vi)v_abs(a) | ((vi)b & INT32_MIN));
}

/* yes where a < b, else no. */
LM_INLINE vf
v_where_less(vf a, vf b, vf yes, vf no)
{
    return v_choose(a < b, yes, no);
}

/* Nearest integer, for |x| below 2^22: the sum with 1.5·2^23 has no fraction bits left. */
LM_INLINE vf
v_round(vf x)
{
    vf shift = v_set(12582912.0f);

    return (x + shift) - shift;
}

/* p·2^n for integers n from −127 (where the result is 0) to 127. */
LM_INLINE vf
v_scale(vf p, vf n)
{
    return p * (vf)((__builtin_convertvector(n, vi) + 127) << 23);
}

/* Four vectors as rows of a square: its columns. */
LM_INLINE void
v_transpose(vf x[VW])
{
    vf t0 = __builtin_shufflevector(x[0], x[1], 0, 4, 1, 5);
    vf t1 = __builtin_shufflevector(x[0], x[1], 2, 6, 3, 7);
    vf t2 = __builtin_shufflevector(x[2], x[3], 0, 4, 1, 5);
    vf t3 = __builtin_shufflevector(x[2], x[3], 2, 6, 3, 7);

    x[0] = __builtin_shufflevector(t0, t2, 0, 1, 4, 5);
    x[1] = __builtin_shufflevector(t0, t2, 2, 3, 6, 7);
    x[2] = __builtin_shufflevector(t1, t3, 0, 1, 4, 5);
    x[3] = __builtin_shufflevector(t1, t3, 2, 3, 6, 7);
}

LM_INLINE float
v_sum(vf v)
{
    return (v[0] + v[2]) + (v[1] + v[3]);
}

LM_INLINE float
v_maximum(vf v)
{
    float a = v[0] > v[2] ? v[0] : v[2], b = v[1] > v[3] ? v[1] : v[3];

    return a > b ? a : b;
}

typedef uint32_t vu __attribute__((vector_size(16)));
typedef uint16_t vu16 __attribute__((vector_size(8)));
typedef int16_t vi16 __attribute__((vector_size(8)));

/* The first n lanes (to VW) of bfloat16, which are the upper halves of floats; zeros behind. */
LM_INLINE vf
v_load_bf16_part(const uint16_t *p, size_t n)
{
    vu bits = {0};

    for (size_t i = 0; i < n; i++)
        bits[i] = (uint32_t)p[i] << 16;
    return (vf)bits;
}

LM_INLINE vf
v_load_bf16(const uint16_t *p)
{
    vu16 half;

    memcpy(&half, p, sizeof(half));
    return (vf)(__builtin_convertvector(half, vu) << 16);
}

/* A vector as codes of 16 bits: the nearest integers, plus zero, cut to 0 … 255. */
enum { CODE_VECTORS = 1 };

LM_INLINE void
v_store_codes(int16_t *p, const vf *y, int32_t zero)
{
    vf code = v_min(v_max(v_add(v_round(y[0]), v_set((float)zero)), v_zero()), v_set(255));
    vi16 codes = __builtin_convertvector(__builtin_convertvector(code, vi), vi16);

    memcpy(p, &codes, sizeof(codes));
}

/* sums − zero · columns */
LM_INLINE vf
v_centred(const void *sums, const int32_t *columns, int32_t zero)
{
    vi s, c;

    memcpy(&s, sums, sizeof(s));
    memcpy(&c, columns, sizeof(c));
    return __builtin_convertvector(s - c * zero, vf);
}

#endif
