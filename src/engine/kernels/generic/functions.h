/*
 * functions.h - exponentials and activations by lane, over the vector operations of one level.
 * Include after a vector header. Coefficients are minimax fits (scripts/fit-kernels.py prints
 * them).
 *
 * NaN passes through every function. v_max and v_min return their second operand where either is a
 * NaN: that operand is always the argument.
 */
#ifndef LM_GENERIC_FUNCTIONS_H
#define LM_GENERIC_FUNCTIONS_H

#include "kernels/kernels.h"

/* 2^x for x ≤ 127, within 1.4 ulp; below 2^-126 the result is 0. */
LM_INLINE vf
v_exp2(vf x)
{
    vf n, f, p;

    x = v_max(v_set(-127), x);
    n = v_round(x);
    f = v_sub(x, n);
    p = v_fma(v_set(0.00015353362f), f, v_set(0.0013398875f));
    p = v_fma(p, f, v_set(0.00961843692f));
    p = v_fma(p, f, v_set(0.0555033237f));
    p = v_fma(p, f, v_set(0.240226477f));
    p = v_fma(p, f, v_set(0.693147182f));
    p = v_fma(p, f, v_set(1));
    return v_scale(p, n);
}

/*
 * e^x for x ≤ 0: argument reduced by ln 2 in two pieces (Cody and Waite 1980), the first of so few
 * bits that n times it is exact. Unlike v_exp2 of x·log₂e it stays within 2 ulp for every x.
 */
LM_INLINE vf
v_exp(vf x)
{
    vf n, r, p;

    x = v_max(v_set(-88.5f), x);
    n = v_max(v_set(-127), v_round(v_mul(x, v_set((float)M_LOG2E))));
    r = v_fnma(n, v_set(-2.12194440e-4f), v_fnma(n, v_set(0.693359375f), x));
    p = v_fma(v_set(0.00138146104f), r, v_set(0.00836871099f));
    p = v_fma(p, r, v_set(0.041668389f));
    p = v_fma(p, r, v_set(0.166665211f));
    p = v_fma(p, r, v_set(0.49999994f));
    p = v_fma(v_mul(p, r), r, r);
    return v_scale(v_add(p, v_set(1)), n);
}

/*
 * x·Φ(x) = max(x, 0) − |x|·Φ(−|x|), and log₂Φ(−a) is so near to a parabola that degree 8 brings
 * the product within 4e-8 of the truth, rounding included. Beyond a = 16 the product is 0.
 */
LM_INLINE vf
v_gelu(vf x)
{
    vf a = v_min(v_set(16), v_abs(x)), q;

    q = v_fma(v_set(-1.90205935e-06f), a, v_set(2.80568765e-05f));
    q = v_fma(q, a, v_set(-0.000131473003f));
    q = v_fma(q, a, v_set(-0.000272075995f));
    q = v_fma(q, a, v_set(0.00724542094f));
    q = v_fma(q, a, v_set(-0.0526276119f));
    q = v_fma(q, a, v_set(-0.459162146f));
    q = v_fma(q, a, v_set(-1.15111101f));
    q = v_fma(q, a, v_set(-1));
    return v_fnma(a, v_exp2(q), v_max(v_zero(), x));
}

/* x / (1 + 2^y): a sigmoid by its exponent in bits. */
LM_INLINE vf
v_gate(vf x, vf y)
{
    return v_div(x, v_add(v_set(1), v_exp2(v_min(v_set(127), y))));
}

/* ½·(1 + tanh u) is the sigmoid of 2u; the constants are −2·√(2/π)·log₂e and .044715 times that. */
LM_INLINE vf
v_gelu_tanh(vf x)
{
    vf slope = v_fma(v_mul(x, x), v_set(-0.102943241f), v_set(-2.30220820f));

    return v_gate(x, v_mul(x, slope));
}

LM_INLINE vf
v_silu(vf x)
{
    return v_gate(x, v_mul(x, v_set((float)-M_LOG2E)));
}

/* An odd polynomial below ⅝, where 1 − 2/(1 + e^2x) would cancel; that formula above. */
LM_INLINE vf
v_tanh(vf x)
{
    vf a = v_abs(x), t = v_mul(x, x), small, large;

    small = v_fma(v_set(-0.00566697493f), t, v_set(0.0206061751f));
    small = v_fma(small, t, v_set(-0.0537300073f));
    small = v_fma(small, t, v_set(0.133313313f));
    small = v_fma(small, t, v_set(-0.333332777f));
    small = v_fma(v_mul(small, t), x, x);
    large = v_sub(v_set(1), v_gate(v_set(2), v_mul(a, v_set((float)(2 * M_LOG2E)))));
    return v_where_less(a, v_set(0.625f), small, v_with_sign(large, x));
}

/* `act` is a constant wherever this is inlined. */
LM_INLINE vf
v_activate(lm_activation act, vf x)
{
    switch (act) {
    case LM_ACT_GELU:
        return v_gelu(x);
    case LM_ACT_GELU_TANH:
        return v_gelu_tanh(x);
    case LM_ACT_RELU:
        return v_max(v_zero(), x);
    case LM_ACT_SILU:
        return v_silu(x);
    case LM_ACT_TANH:
        return v_tanh(x);
    default:
        return x;
    }
}

/* One function for every activation but NONE: f is a macro of (constant, suffix). */
#define LM_EACH_ACTIVATION(f)                                                                     \
    f(LM_ACT_NONE, none) f(LM_ACT_GELU, gelu) f(LM_ACT_GELU_TANH, gelu_tanh) f(LM_ACT_RELU, relu) \
        f(LM_ACT_SILU, silu) f(LM_ACT_TANH, tanh)

/* Whole vectors and parts of them by one call: n is VW or less. */
LM_INLINE vf
v_load_some(const float *p, size_t n)
{
    return n >= VW ? v_load(p) : v_load_part(p, n);
}

LM_INLINE void
v_store_some(float *p, size_t n, vf v)
{
    if (n >= VW)
        v_store(p, v);
    else
        v_store_part(p, n, v);
}

#endif
