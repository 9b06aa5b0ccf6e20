/*
 * functions_body.h - the functions by lane over the type T, with operations F(op). Included by
 * functions.h once for a vector and once for four; both give a lane the same bits.
 */

/* 2^x for x ≤ 127, within 1.4 ulp; below 2^-126 the result is 0. */
LM_INLINE T
F(exp2)(T x)
{
    T n, f, p;

    x = F(max)(F(set)(-127), x);
    n = F(round)(x);
    f = F(sub)(x, n);
    p = F(fma)(F(set)(0.00015353362f), f, F(set)(0.0013398875f));
    p = F(fma)(p, f, F(set)(0.00961843692f));
    p = F(fma)(p, f, F(set)(0.0555033237f));
    p = F(fma)(p, f, F(set)(0.240226477f));
    p = F(fma)(p, f, F(set)(0.693147182f));
    p = F(fma)(p, f, F(set)(1));
    return F(scale)(p, n);
}

/* The same within 1e-4 of the result, for −127 < x: for numbers that are rounded afterwards. */
LM_INLINE T
F(exp2_approx)(T x)
{
    T n = F(round)(x), f = F(sub)(x, n), p;

    p = F(fma)(F(set)(0.0550089329f), f, F(set)(0.242210969f));
    p = F(fma)(p, f, F(set)(0.693282902f));
    p = F(fma)(p, f, F(set)(1));
    return F(scale)(p, n);
}

/*
 * e^x for x ≤ 0: argument reduced by ln 2 in two pieces (Cody and Waite 1980), the first of so few
 * bits that n times it is exact. Unlike exp2 of x·log₂e it stays within 2 ulp for every x.
 */
LM_INLINE T
F(exp)(T x)
{
    T n, r, p;

    x = F(max)(F(set)(-88.5f), x);
    n = F(max)(F(set)(-127), F(round)(F(mul)(x, F(set)((float)M_LOG2E))));
    r = F(fnma)(n, F(set)(-2.12194440e-4f), F(fnma)(n, F(set)(0.693359375f), x));
    p = F(fma)(F(set)(0.00138146023f), r, F(set)(0.00836871564f));
    p = F(fma)(p, r, F(set)(0.041668389f));
    p = F(fma)(p, r, F(set)(0.166665211f));
    p = F(fma)(p, r, F(set)(0.49999994f));
    p = F(fma)(F(mul)(p, r), r, r);
    return F(scale)(F(add)(p, F(set)(1)), n);
}

/*
 * x·Φ(x) = max(x, 0) − |x|·Φ(−|x|), and log₂Φ(−a) is so near to a parabola that degree 8 brings
 * the product within 4e-8 of the truth, rounding included. Beyond a = 16 the product is 0.
 */
LM_INLINE T
F(gelu)(T x)
{
    T a = F(min)(F(set)(16), F(abs)(x)), q;

    q = F(fma)(F(set)(-1.90205935e-06f), a, F(set)(2.80568765e-05f));
    q = F(fma)(q, a, F(set)(-0.000131473003f));
    q = F(fma)(q, a, F(set)(-0.000272075995f));
    q = F(fma)(q, a, F(set)(0.00724542094f));
    q = F(fma)(q, a, F(set)(-0.0526276119f));
    q = F(fma)(q, a, F(set)(-0.459162146f));
    q = F(fma)(q, a, F(set)(-1.15111101f));
    q = F(fma)(q, a, F(set)(-1));
    return F(fnma)(a, F(exp2)(q), F(max)(F(zero)(), x));
}

/* The same within 3e-5, by degree 4, whose value stays above −60: for what is rounded afterwards.
 */
LM_INLINE T
F(gelu_approx)(T x)
{
    T a = F(min)(F(set)(16), F(abs)(x)), q;

    q = F(fma)(F(set)(0.00416167267f), a, F(set)(-0.0457354747f));
    q = F(fma)(q, a, F(set)(-0.464930445f));
    q = F(fma)(q, a, F(set)(-1.14956701f));
    q = F(fma)(q, a, F(set)(-1));
    return F(fnma)(a, F(exp2_approx)(q), F(max)(F(zero)(), x));
}

/* x / (1 + 2^y): a sigmoid by its exponent in bits. */
LM_INLINE T
F(gate)(T x, T y)
{
    return F(div)(x, F(add)(F(set)(1), F(exp2)(F(min)(F(set)(127), y))));
}

/* ½·(1 + tanh u) is the sigmoid of 2u; the constants are −2·√(2/π)·log₂e and .044715 times that. */
LM_INLINE T
F(gelu_tanh)(T x)
{
    T slope = F(fma)(F(mul)(x, x), F(set)(-0.102943241f), F(set)(-2.30220820f));

    return F(gate)(x, F(mul)(x, slope));
}

LM_INLINE T
F(silu)(T x)
{
    return F(gate)(x, F(mul)(x, F(set)((float)-M_LOG2E)));
}

/* An odd polynomial below ⅝, where 1 − 2/(1 + e^2x) would cancel; that formula above. */
LM_INLINE T
F(tanh)(T x)
{
    T a = F(abs)(x), t = F(mul)(x, x), small, large;

    small = F(fma)(F(set)(-0.0056669754f), t, F(set)(0.0206061751f));
    small = F(fma)(small, t, F(set)(-0.0537300073f));
    small = F(fma)(small, t, F(set)(0.133313313f));
    small = F(fma)(small, t, F(set)(-0.333332777f));
    small = F(fma)(F(mul)(small, t), x, x);
    large = F(sub)(F(set)(1), F(gate)(F(set)(2), F(mul)(a, F(set)((float)(2 * M_LOG2E)))));
    return F(where_less)(a, F(set)(0.625f), small, F(with_sign)(large, x));
}

LM_INLINE T
F(relu)(T x)
{
    return F(max)(F(zero)(), x);
}

LM_INLINE T
F(none)(T x)
{
    return x;
}
