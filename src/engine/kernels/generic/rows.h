/*
 * rows.h - kernels over vectors and rows: sums and distances, softmax, LayerNorm, activations,
 * pooling. Every sum is kept in four vectors and added up in a fixed order: its bits depend on the
 * width alone.
 */
#include <string.h>

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

static LM_TARGET float
dot_f32(size_t width, const float *a, const float *b)
{
    return total(TERM_PRODUCT, width, a, b, 0);
}

static LM_TARGET float
l2_squared_f32(size_t width, const float *a, const float *b)
{
    return total(TERM_DIFFERENCE, width, a, b, 0);
}

static LM_TARGET void
cosine_parts_f32(size_t width, const float *a, const float *b, float parts[3])
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
    return exponentials(POWER_OF_2, store_floats, count, x, x);
}

LM_TARGET float
LM_NAME(exponentials_approx)(size_t count, float *x)
{
    return exponentials(POWER_OF_2_APPROX, store_floats, count, x, x);
}

LM_INLINE void
divide(size_t count, float *x, float divisor)
{
    vf d = v_set(divisor);

    for (size_t j = 0; j < count; j += VW)
        v_store_some(x + j, count - j, v_div(v_load_some(x + j, count - j), d));
}

static LM_TARGET void
softmax_f32(size_t count, float *x)
{
    divide(count, x, exponentials(POWER_OF_E, store_floats, count, x, x));
}

static LM_TARGET void
l2_normalize_f32(size_t width, float *x, float eps)
{
    float norm = sqrtf(total(TERM_PRODUCT, width, x, x, 0));

    divide(width, x, norm < eps ? eps : norm);
}

/* Two passes, mean first: a variance by E[x²] − E[x]² would cancel. The row stays in the cache. */
LM_INLINE void
layer_norm_row(size_t width, const float *x, const float *gain, bool biased, const float *bias,
               float eps, float *out)
{
    float mean = total(TERM_VALUE, width, x, x, 0) / (float)width;
    float variance = total(TERM_DEVIATION, width, x, x, mean) / (float)width;
    vf m = v_set(mean), scale = v_set(1 / sqrtf(variance + eps));

    for (size_t j = 0; j < width; j += VW) {
        size_t n = width - j;
        vf y = v_mul(v_sub(v_load_some(x + j, n), m), scale);

        y = v_fma(y, v_load_some(gain + j, n), biased ? v_load_some(bias + j, n) : v_zero());
        v_store_some(out + j, n, y);
    }
}

static LM_TARGET void
layer_norm_f32(size_t rows, size_t width, const float *x, const float *gain, const float *bias,
               float eps, float *out)
{
    for (size_t i = 0; i < rows && bias; i++)
        layer_norm_row(width, x + i * width, gain, true, bias, eps, out + i * width);
    for (size_t i = 0; i < rows && !bias; i++)
        layer_norm_row(width, x + i * width, gain, false, NULL, eps, out + i * width);
}

static LM_TARGET void
rms_norm_f32(size_t rows, size_t width, const float *x, const float *gain, float eps, float *out)
{
    for (size_t i = 0; i < rows; i++, x += width, out += width) {
        float mean = total(TERM_PRODUCT, width, x, x, 0) / (float)width;
        vf scale = v_set(1 / sqrtf(mean + eps));

        for (size_t j = 0; j < width; j += VW) {
            size_t n = width - j;

            v_store_some(out + j, n,
                         v_mul(v_mul(v_load_some(x + j, n), scale), v_load_some(gain + j, n)));
        }
    }
}

/* The pairs (j, j + half) of one head. */
LM_INLINE void
rotate_halves(size_t half, const float *cosines, const float *sines, float *x)
{
    for (size_t j = 0; j < half; j += VW) {
        size_t n = half - j;
        vf a = v_load_some(x + j, n), b = v_load_some(x + half + j, n);
        vf c = v_load_some(cosines + j, n), s = v_load_some(sines + j, n);

        v_store_some(x + j, n, v_fnma(b, s, v_mul(a, c)));
        v_store_some(x + half + j, n, v_fma(a, s, v_mul(b, c)));
    }
}

/* The pairs (2 j, 2 j + 1) of one head. */
LM_INLINE void
rotate_interleaved(size_t half, const float *cosines, const float *sines, float *x)
{
    for (size_t j = 0; j < half; j++, x += 2) {
        float a = x[0], b = x[1];

        x[0] = a * cosines[j] - b * sines[j];
        x[1] = b * cosines[j] + a * sines[j];
    }
}

static LM_TARGET void
rope_f32(const lm_rope *args)
{
    size_t half = args->turned / 2;

    for (size_t i = 0; i < args->rows; i++) {
        const float *cosines = args->cosines + i * half, *sines = args->sines + i * half;
        float *x = args->x + i * args->ld;

        for (size_t h = 0; h < args->heads; h++, x += args->head_dim)
            if (args->interleaved)
                rotate_interleaved(half, cosines, sines, x);
            else
                rotate_halves(half, cosines, sines, x);
    }
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
DEFINE_ACTIVATE(LM_ACT_GELU, gelu_approx)

#define DEFINE_GATE(act, name)                                                                  \
    static LM_TARGET void gate_##name(size_t count, const float *a, const float *b, float *out) \
    {                                                                                           \
        size_t j = 0;                                                                           \
                                                                                                \
        for (; j + QUAD <= count; j += QUAD)                                                    \
            q_store(out + j, q_mul(q_##name(q_load(a + j)), q_load(b + j)));                    \
        for (; j < count; j += VW)                                                              \
            v_store_some(                                                                       \
                out + j, count - j,                                                             \
                v_mul(v_##name(v_load_some(a + j, count - j)), v_load_some(b + j, count - j))); \
    }
LM_EACH_ACTIVATION(DEFINE_GATE)

#define ACTIVATE_ENTRY(act, name) [act] = activate_##name,
static void (*const activations[LM_ACT_COUNT])(size_t count,
                                               float *x) = {LM_EACH_ACTIVATION(ACTIVATE_ENTRY)};

#define GATE_ENTRY(act, name) [act] = gate_##name,
static void (*const gates[LM_ACT_COUNT])(size_t count, const float *a, const float *b,
                                         float *out) = {LM_EACH_ACTIVATION(GATE_ENTRY)};

static void
gate_f32(lm_activation act, size_t count, const float *a, const float *b, float *out)
{
    gates[act](count, a, b, out);
}

void
LM_NAME(activate_f32)(lm_activation act, size_t count, float *x)
{
    activations[act](count, x);
}

void
LM_NAME(activate_approx)(lm_activation act, size_t count, float *x)
{
    if (act == LM_ACT_GELU)
        activate_gelu_approx(count, x);
    else
        activations[act](count, x);
}

static LM_TARGET void
add_f32(size_t width, const float *a, const float *b, const float *c, float *out)
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

static LM_TARGET void
add_bf16(size_t width, const uint16_t *a, const uint16_t *b, const uint16_t *c, float *out)
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
static LM_TARGET void
mean_rows_f32(size_t rows, size_t width, const float *x, float *out)
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

/*
 * Hadamard transform: of pairs (a, b) that are 1, 2, 4 … numbers apart, a + b and a − b. Those of
 * one vector of four lie side by side; where both come from one vector, b is turned round instead
 * of subtracted, which gives the same bits.
 */
typedef float vf4 __attribute__((vector_size(16)));

LM_INLINE void
pairs_within_four(float *x)
{
    vf4 v;

    memcpy(&v, x, sizeof(v));
    v = __builtin_shufflevector(v, v, 1, 0, 3, 2) + v * (vf4){1, -1, 1, -1};
    v = __builtin_shufflevector(v, v, 2, 3, 0, 1) + v * (vf4){1, 1, -1, -1};
    memcpy(x, &v, sizeof(v));
}

LM_INLINE void
pairs_of_fours(float *x, size_t apart)
{
    vf4 a, b, sum, difference;

    memcpy(&a, x, sizeof(a));
    memcpy(&b, x + apart, sizeof(b));
    sum = a + b;
    difference = a - b;
    memcpy(x, &sum, sizeof(sum));
    memcpy(x + apart, &difference, sizeof(difference));
}

LM_INLINE void
pairs_of_vectors(float *x, size_t apart)
{
    vf a = v_load(x), b = v_load(x + apart);

    v_store(x, v_add(a, b));
    v_store(x + apart, v_sub(a, b));
}

static LM_TARGET void
hadamard_f32(size_t n, float *x)
{
    for (size_t i = 0; i < n; i += 4)
        pairs_within_four(x + i);
    for (size_t apart = 4; apart < VW; apart *= 2)
        for (size_t i = 0; i < n; i += 2 * apart)
            for (size_t j = i; j < i + apart; j += 4)
                pairs_of_fours(x + j, apart);
    for (size_t apart = VW; apart < n; apart *= 2)
        for (size_t i = 0; i < n; i += 2 * apart)
            for (size_t j = i; j < i + apart; j += VW)
                pairs_of_vectors(x + j, apart);
}

void
LM_NAME(fill_rows)(lm_kernels *table)
{
    table->layer_norm_f32 = layer_norm_f32;
    table->rms_norm_f32 = rms_norm_f32;
    table->rope_f32 = rope_f32;
    table->activate_f32 = LM_NAME(activate_f32);
    table->gate_f32 = gate_f32;
    table->softmax_f32 = softmax_f32;
    table->add_f32 = add_f32;
    table->add_bf16 = add_bf16;
    table->mean_rows_f32 = mean_rows_f32;
    table->l2_normalize_f32 = l2_normalize_f32;
    table->dot_f32 = dot_f32;
    table->l2_squared_f32 = l2_squared_f32;
    table->cosine_parts_f32 = cosine_parts_f32;
    table->hadamard_f32 = hadamard_f32;
}
