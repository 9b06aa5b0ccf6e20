/*
 * scalar.c - the references: each kernel once, as its definition reads. In double, one rounding at
 * the end, no blocking, no tricks; the order of the sums is that of the formula.
 */
#include "kernels/reference.h"

#include <math.h>
#include <string.h>

void
lm_gemm_f32_ref(const lm_gemm *args, const float *w)
{
    for (size_t i = 0; i < args->m; i++)
        for (size_t j = 0; j < args->n; j++) {
            double sum = args->bias ? args->bias[j] : 0;

            for (size_t k = 0; k < args->k; k++)
                sum += (double)args->a[i * args->lda + k] * w[j * args->k + k];
            sum = lm_activation_ref(args->act, sum);
            if (args->residual)
                sum += args->residual[i * args->ldr + j];
            args->c[i * args->ldc + j] = (float)sum;
        }
}

/* A row's number as an int8 product takes it. */
static float
int8_input(const lm_matrix *w, const float *a, size_t k)
{
    return a[k] * (w->smooth_scale ? w->smooth_scale[k] : 1);
}

/* One row of C, from the scale and the code of 0 of its row of A. */
static void
multiply_int8(const lm_gemm *args, const lm_matrix *w, size_t i, float scale, float inverse,
              float zero)
{
    const float *a = args->a + i * args->lda;

    for (size_t j = 0; j < args->n; j++) {
        float value, bias = (args->bias ? args->bias[j] : 0) +
                            (w->bias_correction ? w->bias_correction[j] : 0);
        int64_t sum = 0;

        for (size_t k = 0; k < args->k && inverse > 0; k++) {
            float code = fminf(fmaxf(nearbyintf(int8_input(w, a, k) * inverse) + zero, 0), 255);

            sum += (int64_t)(code - zero) * w->codes[j * args->k + k];
        }
        value = (float)sum * (scale * w->scales[j]) + bias;
        value = (float)lm_activation_ref(args->act, value);
        if (args->residual)
            value += args->residual[i * args->ldr + j];
        args->c[i * args->ldc + j] = value;
    }
}

void
lm_gemm_int8_ref(const lm_gemm *args, const lm_matrix *w)
{
    for (size_t i = 0; i < args->m; i++) {
        float low = 0, high = 0, scale = 0, inverse = 0;
        bool finite = true;

        for (size_t k = 0; k < args->k; k++) {
            float x = int8_input(w, args->a + i * args->lda, k);

            low = x < low ? x : low;
            high = x > high ? x : high;
            finite = finite && isfinite(x);
        }
        if (!finite || !isfinite(high - low))
            scale = NAN;
        else if (high - low > 1e-30f) {
            scale = (high - low) / 255;
            inverse = 255 / (high - low);
        }
        multiply_int8(args, w, i, scale, inverse, nearbyintf(-low * inverse));
    }
}

static void
layer_norm_row(size_t width, const float *x, const float *gain, const float *bias, float eps,
               float *out)
{
    double mean = 0, variance = 0;

    for (size_t j = 0; j < width; j++)
        mean += x[j];
    mean /= (double)width;
    for (size_t j = 0; j < width; j++)
        variance += (x[j] - mean) * (x[j] - mean);
    variance /= (double)width;
    for (size_t j = 0; j < width; j++)
        out[j] = (float)((x[j] - mean) / sqrt(variance + eps) * gain[j] + (bias ? bias[j] : 0));
}

void
lm_layer_norm_f32_ref(size_t rows, size_t width, const float *x, const float *gain,
                      const float *bias, float eps, float *out)
{
    for (size_t i = 0; i < rows; i++)
        layer_norm_row(width, x + i * width, gain, bias, eps, out + i * width);
}

void
lm_rms_norm_f32_ref(size_t rows, size_t width, const float *x, const float *gain, float eps,
                    float *out)
{
    for (size_t i = 0; i < rows; i++, x += width, out += width) {
        double squares = 0;

        for (size_t j = 0; j < width; j++)
            squares += (double)x[j] * x[j];
        for (size_t j = 0; j < width; j++)
            out[j] = (float)(x[j] / sqrt(squares / (double)width + eps) * gain[j]);
    }
}

void
lm_rope_f32_ref(const lm_rope *args)
{
    size_t half = args->turned / 2;

    for (size_t i = 0; i < args->rows; i++)
        for (size_t h = 0; h < args->heads; h++)
            for (size_t j = 0; j < half; j++) {
                float *x = args->x + i * args->ld + h * args->head_dim;
                float *a = x + (args->interleaved ? 2 * j : j);
                float *b = a + (args->interleaved ? 1 : half);
                double cosine = args->cosines[i * half + j], sine = args->sines[i * half + j];
                double before = *a;

                *a = (float)(before * cosine - *b * sine);
                *b = (float)(*b * cosine + before * sine);
            }
}

/* exp(x − max) in place; returns the sum. A NaN anywhere makes the sum NaN. */
static double
exponentials(size_t count, double *x)
{
    double max = -INFINITY, sum = 0;

    for (size_t j = 0; j < count; j++)
        max = x[j] > max ? x[j] : max;
    for (size_t j = 0; j < count; j++)
        sum += x[j] = exp(x[j] - max);
    return sum;
}

/* Whether the mask lets query i see key j. */
static bool
sees(const lm_attention *args, size_t i, size_t j)
{
    size_t position = args->first_query + i;

    switch (args->mask) {
    case LM_MASK_CAUSAL:
        return j <= position && (args->window == 0 || position - j <= args->window);
    case LM_MASK_WINDOW:
        return j <= position + args->window && position <= j + args->window;
    default:
        return true;
    }
}

/* Score of key j; q, k and bias point at the head's. */
static double
score(const lm_attention *args, const float *q, const float *k, const float *bias, size_t j)
{
    double sum = 0;

    for (size_t d = 0; d < args->head_dim; d++)
        sum += (double)q[d] * k[j * args->ldkv + d];
    return sum * args->scale + (bias ? bias[j] : 0);
}

/* Query i of head h. A key that is not seen counts for nothing, whatever stands in it. */
static void
attend(const lm_attention *args, size_t h, size_t i)
{
    size_t kv_column = h / (args->heads / args->kv_heads) * args->head_dim;
    const float *q = args->q + i * args->ldq + h * args->head_dim;
    const float *bias =
        args->bias ? args->bias + (ptrdiff_t)h * args->bias_head + (ptrdiff_t)i * args->bias_ld
                   : NULL;
    float *out = args->out + i * args->ldo + h * args->head_dim;
    double *p = args->scratch, sum;

    for (size_t j = 0; j < args->keys; j++)
        p[j] = sees(args, i, j) ? score(args, q, args->k + kv_column, bias, j) : -INFINITY;
    sum = exponentials(args->keys, p);
    for (size_t d = 0; d < args->head_dim; d++) {
        double value = 0;

        for (size_t j = 0; j < args->keys; j++)
            value += sees(args, i, j) ? p[j] * args->v[j * args->ldkv + kv_column + d] : 0;
        out[d] = (float)(value / sum);
    }
}

void
lm_attention_f32_ref(const lm_attention *args)
{
    for (size_t h = 0; h < args->heads; h++)
        for (size_t i = 0; i < args->queries; i++)
            attend(args, h, i);
}

/* GELU and its tanh form: Hendrycks and Gimpel 2016; SiLU: x·σ(x). */
double
lm_activation_ref(lm_activation act, double x)
{
    switch (act) {
    case LM_ACT_GELU:
        return x * 0.5 * erfc(-x * M_SQRT1_2);
    case LM_ACT_GELU_TANH:
        return x / (1 + exp(-2 * M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x)));
    case LM_ACT_RELU:
        return x < 0 ? 0 : x;
    case LM_ACT_SILU:
        return x / (1 + exp(-x));
    case LM_ACT_TANH:
        return tanh(x);
    default:
        return x;
    }
}

void
lm_activate_f32_ref(lm_activation act, size_t count, float *x)
{
    for (size_t j = 0; j < count; j++)
        x[j] = (float)lm_activation_ref(act, x[j]);
}

void
lm_gate_f32_ref(lm_activation act, size_t count, const float *a, const float *b, float *out)
{
    for (size_t j = 0; j < count; j++)
        out[j] = (float)(lm_activation_ref(act, a[j]) * b[j]);
}

void
lm_softmax_f32_ref(size_t count, float *x)
{
    double max = -INFINITY, sum = 0;

    for (size_t j = 0; j < count; j++)
        max = x[j] > max ? x[j] : max;
    for (size_t j = 0; j < count; j++)
        sum += exp(x[j] - max);
    for (size_t j = 0; j < count; j++)
        x[j] = (float)(exp(x[j] - max) / sum);
}

void
lm_add_f32_ref(size_t width, const float *a, const float *b, const float *c, float *out)
{
    for (size_t j = 0; j < width; j++)
        out[j] = c ? a[j] + b[j] + c[j] : a[j] + b[j];
}

void
lm_mean_rows_f32_ref(size_t rows, size_t width, const float *x, float *out)
{
    for (size_t j = 0; j < width; j++) {
        double sum = 0;

        for (size_t i = 0; i < rows; i++)
            sum += x[i * width + j];
        out[j] = (float)(sum / (double)rows);
    }
}

void
lm_l2_normalize_f32_ref(size_t width, float *x, float eps)
{
    double sum = 0, norm;

    for (size_t j = 0; j < width; j++)
        sum += (double)x[j] * x[j];
    norm = sqrt(sum);
    if (norm < eps)
        norm = eps;
    for (size_t j = 0; j < width; j++)
        x[j] = (float)(x[j] / norm);
}

float
lm_dot_f32_ref(size_t width, const float *a, const float *b)
{
    double sum = 0;

    for (size_t j = 0; j < width; j++)
        sum += (double)a[j] * b[j];
    return (float)sum;
}

float
lm_l2_squared_f32_ref(size_t width, const float *a, const float *b)
{
    double sum = 0;

    for (size_t j = 0; j < width; j++)
        sum += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
    return (float)sum;
}

void
lm_cosine_parts_f32_ref(size_t width, const float *a, const float *b, float parts[3])
{
    parts[0] = lm_dot_f32_ref(width, a, b);
    parts[1] = lm_dot_f32_ref(width, a, a);
    parts[2] = lm_dot_f32_ref(width, b, b);
}

/* Entry (i, j) of the matrix is −1 to the number of ones that i and j share. */
void
lm_hadamard_f32_ref(size_t n, float *x)
{
    float from[4096];

    memcpy(from, x, n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (size_t j = 0; j < n; j++)
            sum += __builtin_parityll(i & j) ? -(double)from[j] : (double)from[j];
        x[i] = (float)sum;
    }
}
