/*
 * kernels.h - the table of compute kernels, and its block sizes. One table per instruction level,
 * filled scalar first, then level by level up to what the CPU has (CPUID) and lmtext.isa allows.
 *
 * Laws: a row of a result depends on that row of the input only, never on how many rows there are
 * or where it stands (same bits alone and in any batch). No kernel allocates, changes the rounding
 * mode or flushes denormals. Pointers may be unaligned unless said otherwise; packed weights and
 * scratch are 64-byte aligned. Dimensions may be any positive number; tails are handled inside.
 */
#ifndef LM_KERNELS_H
#define LM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/context.h"

typedef enum lm_level {
    LM_LEVEL_SCALAR,
    LM_LEVEL_AVX2,   /* AVX2 and FMA */
    LM_LEVEL_AVX512, /* F, BW, DQ, VL */
    LM_LEVEL_COUNT
} lm_level;

typedef enum lm_activation {
    LM_ACT_NONE,
    LM_ACT_GELU,      /* x·Φ(x), by erf */
    LM_ACT_GELU_TANH, /* the tanh form */
    LM_ACT_RELU,
    LM_ACT_SILU,
    LM_ACT_TANH,
    LM_ACT_COUNT
} lm_activation;

/* C (M, N) = act(A (M, K) · Wᵀ + bias) + residual, with W (N, K) packed by pack_f32. */
typedef struct lm_gemm_f32 {
    size_t m, n, k;
    const float *a; /* (M, K), row stride lda */
    size_t lda;
    const float *packed;
    const float *bias;     /* (N) or NULL */
    const float *residual; /* (M, N), row stride ldr, or NULL; may be c itself */
    size_t ldr;
    lm_activation act;
    float *c; /* (M, N), row stride ldc */
    size_t ldc;
} lm_gemm_f32;

/*
 * Self-attention of one text over all heads: out = softmax(scale · Q Kᵀ) V for each head.
 * Head h is columns h·head_dim … of q, k, v and out. q, k, v share one row stride.
 */
typedef struct lm_attention_f32 {
    size_t tokens, heads, head_dim;
    const float *q, *k, *v; /* (tokens, heads·head_dim), row stride ld */
    size_t ld;
    float scale;
    float *out; /* (tokens, heads·head_dim), row stride ldo */
    size_t ldo;
    void *scratch; /* attention_scratch(tokens, head_dim) bytes, 64-byte aligned */
} lm_attention_f32;

typedef struct lm_kernels {
    lm_level level;
    const char *name;
    uint32_t pack_format; /* levels with equal numbers read each other's packed weights */
    /*
     * What the level computes in about 10 ms on a machine of today, in floating-point operations:
     * the work that may lie between two polls of cancel. Not a time: reading a clock costs more
     * than a small product.
     */
    double poll_flops;

    /* Floats that W (N, K) takes when packed (a multiple of 16). */
    size_t (*packed_size_f32)(size_t n, size_t k);
    void (*pack_f32)(const float *w, size_t n, size_t k, float *packed);
    void (*gemm_f32)(const lm_gemm_f32 *args);

    /* out = (x − mean) / √(var + eps) · gain + bias, per row of `width`. out may be x. */
    void (*layer_norm_f32)(size_t rows, size_t width, const float *x, const float *gain,
                           const float *bias, float eps, float *out);
    size_t (*attention_scratch)(size_t tokens, size_t head_dim);
    void (*attention_f32)(const lm_attention_f32 *args);
    void (*activate_f32)(lm_activation act, size_t count, float *x);
    void (*softmax_f32)(size_t count, float *x); /* in place, one row */

    /* out = a + b + c by element; c may be NULL. Sum of embeddings. */
    void (*add_f32)(size_t width, const float *a, const float *b, const float *c, float *out);
    /* out (width) = mean over rows of x (rows, width); rows > 0. Sum in row order. */
    void (*mean_rows_f32)(size_t rows, size_t width, const float *x, float *out);
    /* x / max(‖x‖₂, eps) in place, as torch.nn.functional.normalize. */
    void (*l2_normalize_f32)(size_t width, float *x, float eps);

    /* Distances; sums are kept in several float accumulators and added in a fixed order. */
    float (*dot_f32)(size_t width, const float *a, const float *b);
    float (*l2_squared_f32)(size_t width, const float *a, const float *b);
    /* a·b, a·a and b·b in one pass. */
    void (*cosine_parts_f32)(size_t width, const float *a, const float *b, float parts[3]);
} lm_kernels;

/* The table in use. Never NULL: chosen at the first call, or by lm_kernels_select. */
const lm_kernels *lm_kernels_active(void);
/* Table of one level, or NULL when the CPU has it not. For tests and benchmarks. */
const lm_kernels *lm_kernels_at(lm_level level);
/* Use the best level that the CPU has and that is at most `cap`. */
void lm_kernels_select(lm_level cap);
lm_level lm_kernels_best(void);
const char *lm_level_name(lm_level level); /* "scalar", "avx2", "avx512" */

/* blas.c: the only user of OpenBLAS; C (m, n) = alpha · op(A) · op(B) + beta · C, row-major. */
typedef struct lm_sgemm {
    bool transpose_a, transpose_b;
    size_t m, n, k;
    float alpha;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb;
    float beta;
    float *c;
    size_t ldc;
    lm_context *ctx; /* polled between pieces of about 1 GFLOP; NULL: never */
} lm_sgemm;
/* LM_OK, or LM_CANCELLED with C half done. */
lm_status lm_blas_sgemm(const lm_sgemm *args);
const char *lm_blas_config(void); /* build and core type, for lmtext.device */
int lm_blas_threads(void);        /* 1, or something is wrong */
const char *lm_cpu_name(void);    /* brand string */

#endif
