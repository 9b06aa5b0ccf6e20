/*
 * rows.h - kernels over vectors and rows: sums and distances, softmax, LayerNorm, activations,
 * pooling. Every sum is kept in four vectors and added up in a fixed order: its bits depend on the
 * width alone.
 */
#include "kernels/generic/functions.h"
#include "kernels/levels.h"

/* What is summed over one or two vectors. */
typedef enum term {
    TERM_VALUE,      /* a */
    TERM_DEVIATION,  /* (a − mean)² */
    TERM_PRODUCT,    /* a·b */
    TERM_DIFFERENCE, /* (a − b)² */
} term;

/* sum + term(a, b). a and b may be parts: lanes from n on add nothing. */
LM_INLINE vf
add_term(term what, vf sum, const float *a, const float *b, vf mean, size_t n)
{
    vf x = v_load_some(a, n), y = what >= TERM_PRODUCT ? v_load_some(b, n) : mean;

    switch (what) {
    case TERM_VALUE:
        return v_add(sum, x);
    case TERM_PRODUCT:
        return v_fma(x, y, sum);
    default:
        x = v_sub(x, y);
        if (n < VW)
            x = v_keep(x, n, v_zero());
        return v_fma(x, x, sum);
    }
}

LM_INLINE float
total(term what, size_t width, const float *a, const float *b, float mean)
{
    vf s0 = v_zero(), s1 = v_zero(), s2 = v_zero(), s3 = v_zero(), m = v_set(mean);
    size_t j = 0;

    for (; j + 4 * VW <= width; j += 4 * VW) {
        s0 = add_term(what, s0, a + j, b + j, m, VW);
        s1 = add_term(what, s1, a + j + VW, b + j + VW, m, VW);
        s2 = add_term(what, s2, a + j + 2 * VW, b + j + 2 * VW, m, VW);
        s3 = add_term(what, s3, a + j + 3 * VW, b + j + 3 * VW, m, VW);
    }
    for (; j < width; j += VW)
        s0 = add_term(what, s0, a + j, b + j, m, width - j);
    return v_sum(v_add(v_add(s0, s1), v_add(s2, s3)));
}

LM_TARGET float
LM_NAME(dot_f32)(size_t width, const float *a, const float *b)
{
    return total(TERM_PRODUCT, width, a, b, 0);
}

LM_TARGET float
LM_NAME(l2_squared_f32)(size_t width, const float *a, const float *b)
{
    return total(TERM_DIFFERENCE, width, a, b, 0);
}

LM_TARGET void
LM_NAME(cosine_parts_f32)(size_t width, const float *a, const float *b, float parts[3])
{
    vf ab[2] = {v_zero(), v_zero()}, aa[2] = {v_zero(), v_zero()}, bb[2] = {v_zero(), v_zero()};
    size_t j = 0;

    for (; j + 2 * VW <= width; j += 2 * VW) {
        vf x0 = v_load(a + j), y0 = v_load(b + j);
        vf x1 = v_load(a + j + VW), y1 = v_load(b + j + VW);

        ab[0] = v_fma(x0, y0, ab[0]);
        aa[0] = v_fma(x0, x0, aa[0]);
        bb[0] = v_fma(y0, y0, bb[0]);
        ab[1] = v_fma(x1, y1, ab[1]);
        aa[1] = v_fma(x1, x1, aa[1]);
        bb[1] = v_fma(y1, y1, bb[1]);
    }
    for (; j < width; j += VW) {
        vf x = v_load_some(a + j, width - j), y = v_load_some(b + j, width - j);

        ab[0] = v_fma(x, y, ab[0]);
        aa[0] = v_fma(x, x, aa[0]);
        bb[0] = v_fma(y, y, bb[0]);
    }
    parts[0] = v_sum(v_add(ab[0], ab[1]));
    parts[1] = v_sum(v_add(aa[0], aa[1]));
    parts[2] = v_sum(v_add(bb[0], bb[1]));
}

LM_TARGET float
LM_NAME(exponentials_f32)(size_t count, float *x)
{
    return exponentials(POWER_OF_2, store_floats, count, x);
}

LM_TARGET float
LM_NAME(exponentials_rough)(size_t count, float *x)
{
    return exponentials(POWER_OF_2_ROUGH, store_floats, count, x);
}

LM_INLINE void
divide(size_t count, float *x, float divisor)
{
    vf d = v_set(divisor);

    for (size_t j = 0; j < count; j += VW)
        v_store_some(x + j, count - j, v_div(v_load_some(x + j, count - j), d));
}

LM_TARGET void
LM_NAME(softmax_f32)(size_t count, float *x)
{
    divide(count, x, exponentials(POWER_OF_E, store_floats, count, x));
}

LM_TARGET void
LM_NAME(l2_normalize_f32)(size_t width, float *x, float eps)
{
    float norm = sqrtf(total(TERM_PRODUCT, width, x, x, 0));

    divide(width, x, norm < eps ? eps : norm);
}

/* Two passes, mean first: a variance by E[x²] − E[x]² would cancel. The row stays in the cache. */
LM_INLINE void
layer_norm_row(size_t width, const float *x, const float *gain, const float *bias, float eps,
               float *out)
{
    float mean = total(TERM_VALUE, width, x, x, 0) / (float)width;
    float variance = total(TERM_DEVIATION, width, x, x, mean) / (float)width;
    vf m = v_set(mean), scale = v_set(1 / sqrtf(variance + eps));

    for (size_t j = 0; j < width; j += VW) {
        size_t n = width - j;
        vf y = v_mul(v_sub(v_load_some(x + j, n), m), scale);

        y = v_fma(y, v_load_some(gain + j, n), v_load_some(bias + j, n));
        v_store_some(out + j, n, y);
    }
}

LM_TARGET void
LM_NAME(layer_norm_f32)(size_t rows, size_t width, const float *x, const float *gain,
                        const float *bias, float eps, float *out)
{
    for (size_t i = 0; i < rows; i++)
        layer_norm_row(width, x + i * width, gain, bias, eps, out + i * width);
}

#define DEFINE_ACTIVATE(act, name)                                                   \
    static LM_TARGET void activate_##name(size_t count, float *x)                    \
    {                                                                                \
        size_t j = 0;                                                                \
                                                                                     \
        for (; j + QUAD <= count; j += QUAD)                                         \
            q_store(x + j, q_##name(q_load(x + j)));                                 \
        for (; j < count; j += VW)                                                   \
            v_store_some(x + j, count - j, v_##name(v_load_some(x + j, count - j))); \
    }
LM_EACH_ACTIVATION(DEFINE_ACTIVATE)
DEFINE_ACTIVATE(LM_ACT_GELU, gelu_rough)

#define ACTIVATE_ENTRY(act, name) [act] = activate_##name,
static void (*const activations[LM_ACT_COUNT])(size_t count,
                                               float *x) = {LM_EACH_ACTIVATION(ACTIVATE_ENTRY)};

void
LM_NAME(activate_f32)(lm_activation act, size_t count, float *x)
{
    activations[act](count, x);
}

void
LM_NAME(activate_rough)(lm_activation act, size_t count, float *x)
{
    if (act == LM_ACT_GELU)
        activate_gelu_rough(count, x);
    else
        activations[act](count, x);
}

LM_TARGET void
LM_NAME(add_f32)(size_t width, const float *a, const float *b, const float *c, float *out)
{
    for (size_t j = 0; j < width; j += VW) {
        size_t n = width - j;
        vf sum = v_add(v_load_some(a + j, n), v_load_some(b + j, n));

        if (c)
            sum = v_add(sum, v_load_some(c + j, n));
        v_store_some(out + j, n, sum);
    }
}

LM_INLINE vf
load_bf16_some(const uint16_t *p, size_t n)
{
    return n >= VW ? v_load_bf16(p) : v_load_bf16_part(p, n);
}

LM_TARGET void
LM_NAME(add_bf16)(size_t width, const uint16_t *a, const uint16_t *b, const uint16_t *c, float *out)
{
    for (size_t j = 0; j < width; j += VW) {
        size_t n = width - j;
        vf sum = v_add(load_bf16_some(a + j, n), load_bf16_some(b + j, n));

        if (c)
            sum = v_add(sum, load_bf16_some(c + j, n));
        v_store_some(out + j, n, sum);
    }
}

/* Four columns of vectors at a time: each is one chain of adds down the rows. */
LM_TARGET void
LM_NAME(mean_rows_f32)(size_t rows, size_t width, const float *x, float *out)
{
    vf count = v_set((float)rows);
    size_t j = 0;

    for (; j + 4 * VW <= width; j += 4 * VW) {
        vf s0 = v_zero(), s1 = v_zero(), s2 = v_zero(), s3 = v_zero();

        for (size_t i = 0; i < rows; i++) {
            const float *row = x + i * width + j;

            s0 = v_add(s0, v_load(row));
            s1 = v_add(s1, v_load(row + VW));
            s2 = v_add(s2, v_load(row + 2 * VW));
            s3 = v_add(s3, v_load(row + 3 * VW));
        }
        v_store(out + j, v_div(s0, count));
        v_store(out + j + VW, v_div(s1, count));
        v_store(out + j + 2 * VW, v_div(s2, count));
        v_store(out + j + 3 * VW, v_div(s3, count));
    }
    for (; j < width; j += VW) {
        vf sum = v_zero();

        for (size_t i = 0; i < rows; i++)
            sum = v_add(sum, v_load_some(x + i * width + j, width - j));
        v_store_some(out + j, width - j, v_div(sum, count));
    }
}
