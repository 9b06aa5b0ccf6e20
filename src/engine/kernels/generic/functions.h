/*
 * functions.h - exponentials and activations by lane, over the vector operations of one level.
 * Include after a vector header. Coefficients are minimax fits (scripts/fit-kernels.py).
 *
 * Each function exists for one vector (v_) and for four at once (q_). One is a chain of some twenty
 * dependent operations of four cycles each; four in step keep the units busy meanwhile.
 *
 * NaN passes through every function. max and min return their second operand where either is a
 * NaN: that operand is always the argument.
 */
#ifndef LM_GENERIC_FUNCTIONS_H
#define LM_GENERIC_FUNCTIONS_H

#include "kernels/generic/blocking.h"
#include "kernels/generic/partial.h"
#include "kernels/kernels.h"

typedef struct quad {
    vf a, b, c, d;
} quad;

enum { QUAD = 4 * VW };

#define QUAD_1(op)                                                         \
    LM_INLINE quad q_##op(quad x)                                          \
    {                                                                      \
        return (quad){v_##op(x.a), v_##op(x.b), v_##op(x.c), v_##op(x.d)}; \
    }
#define QUAD_2(op)                                                                             \
    LM_INLINE quad q_##op(quad x, quad y)                                                      \
    {                                                                                          \
        return (quad){v_##op(x.a, y.a), v_##op(x.b, y.b), v_##op(x.c, y.c), v_##op(x.d, y.d)}; \
    }
#define QUAD_3(op)                                                                         \
    LM_INLINE quad q_##op(quad x, quad y, quad z)                                          \
    {                                                                                      \
        return (quad){v_##op(x.a, y.a, z.a), v_##op(x.b, y.b, z.b), v_##op(x.c, y.c, z.c), \
                      v_##op(x.d, y.d, z.d)};                                              \
    }
QUAD_1(abs)
QUAD_1(round)
QUAD_2(add)
QUAD_2(sub)
QUAD_2(mul)
QUAD_2(div)
QUAD_2(max)
QUAD_2(min)
QUAD_2(scale)
QUAD_2(with_sign)
QUAD_3(fma)
QUAD_3(fnma)

LM_INLINE quad
q_set(float x)
{
    vf v = v_set(x);

    return (quad){v, v, v, v};
}

LM_INLINE quad
q_zero(void)
{
    return q_set(0);
}

LM_INLINE quad
q_where_less(quad x, quad y, quad yes, quad no)
{
    return (quad){v_where_less(x.a, y.a, yes.a, no.a), v_where_less(x.b, y.b, yes.b, no.b),
                  v_where_less(x.c, y.c, yes.c, no.c), v_where_less(x.d, y.d, yes.d, no.d)};
}

LM_INLINE quad
q_load(const float *p)
{
    return (quad){v_load(p), v_load(p + VW), v_load(p + 2 * VW), v_load(p + 3 * VW)};
}

LM_INLINE void
q_store(float *p, quad x)
{
    v_store(p, x.a);
    v_store(p + VW, x.b);
    v_store(p + 2 * VW, x.c);
    v_store(p + 3 * VW, x.d);
}

#define T vf
#define F(op) v_##op
#include "kernels/generic/functions_body.h"
#undef T
#undef F
#define T quad
#define F(op) q_##op
#include "kernels/generic/functions_body.h"
#undef T
#undef F

/* The greatest of x, NaNs aside; −∞ when there is no other. */
LM_INLINE float
greatest(size_t count, const float *x)
{
    vf low = v_set(-INFINITY), m0 = low, m1 = low;
    size_t j = 0;

    for (; j + 2 * VW <= count; j += 2 * VW) {
        m0 = v_max(v_load(x + j), m0);
        m1 = v_max(v_load(x + j + VW), m1);
    }
    for (; j + VW <= count; j += VW)
        m0 = v_max(v_load(x + j), m0);
    if (j < count)
        m1 = v_max(v_keep(v_load_part(x + j, count - j), count - j, low), m1);
    return v_maximum(v_max(m0, m1));
}

/* To lanes j … of a row, n of which are there. */
typedef void (*store_lanes)(float *row, size_t j, size_t n, vf x);

LM_INLINE void
store_floats(float *row, size_t j, size_t n, vf x)
{
    v_store_some(row + j, n, x);
}

typedef enum power {
    POWER_OF_E,
    POWER_OF_2,
    POWER_OF_2_APPROX,
} power;

/*
 * out = f(x − max x) for f = 2^ or e^; returns the sum. No number may be stored behind the place
 * that it came from. Lanes behind the last number are zeros. A NaN, or a row of nothing but −∞,
 * makes the sum NaN.
 */
LM_INLINE float
exponentials(power what, store_lanes store, size_t count, const float *x, float *out)
{
    float max = greatest(count, x);
    vf m = v_set(max), sum = v_zero();
    quad ms = q_set(max), sums = q_zero(), lowest = q_set(-127);
    size_t j = 0;

    for (; j + QUAD <= count; j += QUAD) {
        quad y = q_sub(q_load(x + j), ms);

        y = what == POWER_OF_E   ? q_exp(y)
            : what == POWER_OF_2 ? q_exp2(y)
                                 : q_exp2_approx(q_max(lowest, y));
        sums = q_add(sums, y);
        store(out, j, VW, y.a);
        store(out, j + VW, VW, y.b);
        store(out, j + 2 * VW, VW, y.c);
        store(out, j + 3 * VW, VW, y.d);
    }
    for (; j < count; j += VW) {
        size_t n = at_most(VW, count - j);
        vf y = v_sub(v_load_some(x + j, n), m);

        y = what == POWER_OF_E   ? v_exp(y)
            : what == POWER_OF_2 ? v_exp2(y)
                                 : v_exp2_approx(v_max(lowest.a, y));
        if (n < VW)
            y = v_keep(y, n, v_zero());
        sum = v_add(sum, y);
        store(out, j, n, y);
    }
    return v_sum(v_add(sum, v_add(v_add(sums.a, sums.b), v_add(sums.c, sums.d))));
}

/* f is a macro of (constant, suffix). */
#define LM_EACH_ACTIVATION(f)                                                                     \
    f(LM_ACT_NONE, none) f(LM_ACT_GELU, gelu) f(LM_ACT_GELU_TANH, gelu_tanh) f(LM_ACT_RELU, relu) \
        f(LM_ACT_SILU, silu) f(LM_ACT_TANH, tanh)

#endif
