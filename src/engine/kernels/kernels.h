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
    LM_LEVEL_AVX2,        /* AVX2 and FMA */
    LM_LEVEL_AVX512,      /* F, BW, DQ, VL */
    LM_LEVEL_AVX512_VNNI, /* and VNNI */
    LM_LEVEL_AVX512_BF16, /* and BF16 */
    LM_LEVEL_COUNT
} lm_level;

/* What the weights of matrix products are kept in. Inputs, sums and results are float32. */
typedef enum lm_precision {
    LM_PRECISION_F32,
    LM_PRECISION_BF16, /* weights rounded to the nearest, ties to even; inputs as the level can */
    LM_PRECISION_INT8, /* s8 weights, one scale a row of W; u8 inputs, quantised row by row */
    LM_PRECISION_COUNT
} lm_precision;

/* What follows from a precision, so that no code compares enumerators. */
typedef struct lm_precision_info {
    const char *name; /* "fp32", "bf16", "int8" */
    bool exact;       /* the weights are those of the files, and not rounded */
    bool bf16_tables; /* embedding tables are bfloat16, else float32 */
    bool coded;       /* matrices are codes, which a file of quantized weights may hold */
} lm_precision_info;

extern const lm_precision_info lm_precisions[LM_PRECISION_COUNT];

typedef enum lm_activation {
    LM_ACT_NONE,
    LM_ACT_GELU,      /* x·Φ(x), by erf */
    LM_ACT_GELU_TANH, /* the tanh form */
    LM_ACT_RELU,
    LM_ACT_SILU,
    LM_ACT_TANH,
    LM_ACT_COUNT
} lm_activation;

/* C (M, N) = act(A (M, K) · Wᵀ + bias) + residual, with W (N, K) packed by the same product. */
typedef struct lm_gemm {
    size_t m, n, k;
    const float *a; /* (M, K), row stride lda */
    size_t lda;
    const void *packed;
    const float *bias;     /* (N) or NULL */
    const float *residual; /* (M, N), row stride ldr, or NULL; may be c itself */
    size_t ldr;
    lm_activation act;
    float *c; /* (M, N), row stride ldc */
    size_t ldc;
    void *scratch; /* product->scratch_size(m, k) bytes, 64-byte aligned; NULL where that is 0 */
} lm_gemm;

/*
 * W (N, K), row-major, for packing: values, or for int8 what stands below them. An int8 product is
 * that of A · smooth_scale by column, and ends in + bias_correction: a calibrated matrix has these,
 * so that columns of A that differ in size share one scale a row, and errors that are always there
 * are taken off.
 */
typedef struct lm_matrix {
    size_t n, k;
    const float *values;
    const int8_t *codes;          /* W = codes · scales by row */
    const float *scales;          /* (N) */
    const float *smooth_scale;    /* (K); NULL: ones */
    const float *bias_correction; /* (N); NULL: zeros */
} lm_matrix;

/* Codes of weights are within ± this, and the root of a row's mean square is at most so much. */
#define LM_INT8_GREATEST 127
#define LM_INT8_SPREAD 34

/* Beyond this, sums of int8 products may not fit 32 bits: 255 · 127 · K < 2³¹. */
#define LM_INT8_MAX_K ((size_t)1 << 16)

/* Whole panels at every level. */
#define LM_PACK_ROWS ((size_t)192)

/* Is shown every call of a product that has it, before it runs: quantising collects inputs so. */
typedef struct lm_observer {
    lm_status (*observe)(void *opaque, lm_context *ctx, const lm_gemm *args);
    void *opaque;
} lm_observer;

/*
 * Matrix products of one precision. Int8 products have the same integers at every level, and the
 * same floats up to the activation. A row with a NaN or an infinity gives NaN in all of the row.
 */
typedef struct lm_product {
    uint32_t pack_format; /* levels with equal numbers read each other's packed weights */
    double poll_flops;    /* as lm_kernels.poll_flops */
    size_t (*packed_size)(size_t n, size_t k); /* bytes, a multiple of 64 */
    /* Rows first … end − 1 of W: all, or by LM_PACK_ROWS from the first on. */
    void (*pack)(const lm_matrix *w, size_t first, size_t end, void *packed);
    size_t (*scratch_size)(size_t m, size_t k);
    void (*gemm)(const lm_gemm *args);
    const lm_observer *observer; /* of lm_nn_linear; NULL in the tables */
} lm_product;

/* Which keys a query sees. Positions are those of keys; first_query is that of the first query. */
typedef enum lm_mask {
    LM_MASK_FULL,   /* all */
    LM_MASK_CAUSAL, /* up to its own position; where window > 0, none more than `window` before it
                     */
    LM_MASK_WINDOW, /* those at most `window` before or after it */
    LM_MASK_COUNT
} lm_mask;

/*
 * Attention of one text: out = softmax(scale · Q Kᵀ + bias) V for each head. Head h is columns
 * h·head_dim … of q and of out; consecutive heads share a head of k and v, as many as there are to
 * one. Where keys are masked, each query sees one at least, and hidden values are finite numbers.
 */
typedef struct lm_attention {
    size_t queries, keys;
    size_t heads, kv_heads, head_dim; /* heads is a multiple of kv_heads */
    const float *q;                   /* (queries, heads·head_dim), row stride ldq */
    size_t ldq;
    const float *k, *v; /* (keys, kv_heads·head_dim), row stride ldkv */
    size_t ldkv;
    lm_mask mask;
    size_t window;
    size_t first_query;
    /*
     * NULL, or what is added to scores: that of query i and key j in head h is bias[h·bias_head +
     * i·bias_ld + j]. With a bias_ld of −1 one row a head says it by the distance j − i.
     */
    const float *bias;
    ptrdiff_t bias_head, bias_ld;
    float scale;
    float *out; /* (queries, heads·head_dim), row stride ldo; same bits however many queries */
    size_t ldo;
    void *scratch; /* the kernel's scratch_size(keys, head_dim) bytes, 64-byte aligned */
} lm_attention;

/*
 * Attention for models of one precision. That of fp32 is float32 throughout; the others' softmax
 * takes 2^x within 1e-4, and may round query, key, value and its numbers to bfloat16, where the
 * level multiplies these faster.
 */
typedef struct lm_attention_kernel {
    size_t (*scratch_size)(size_t keys, size_t head_dim);
    void (*run)(const lm_attention *args);
} lm_attention_kernel;

/*
 * Rotary positions (Su et al. 2021) in place: in each head of a row, pairs of numbers are turned by
 * angles, one a pair. The numbers behind the first `turned` of a head stay.
 */
typedef struct lm_rope {
    size_t rows, heads, head_dim;
    size_t turned;                /* even, at most head_dim */
    bool interleaved;             /* pairs are (2 j, 2 j + 1); else (j, j + turned / 2) */
    const float *cosines, *sines; /* of the angles (rows, turned / 2) */
    float *x;                     /* (rows, heads·head_dim), row stride ld */
    size_t ld;
} lm_rope;

/*
 * What becomes of sums of table entries: base + add − scale · (sum · step + offset) by row, scale
 * and add in bfloat16.
 */
typedef struct lm_code_estimate {
    float step, offset;
    float base;
    float bound; /* rows below it are reported */
} lm_code_estimate;

typedef struct lm_kernels {
    lm_level level;
    const char *name;
    /*
     * What the level computes in about 10 ms on a machine of today, in floating-point operations:
     * the work that may lie between two polls of cancel. Not a time: reading a clock costs more
     * than a small product.
     */
    double poll_flops;

    lm_product products[LM_PRECISION_COUNT];
    lm_attention_kernel attention[LM_PRECISION_COUNT];

    /* out = (x − mean) / √(var + eps) · gain + bias, per row of `width`. out may be x; bias may be
     * NULL. */
    void (*layer_norm_f32)(size_t rows, size_t width, const float *x, const float *gain,
                           const float *bias, float eps, float *out);
    /* out = x / √(mean of x² + eps) · gain, likewise. */
    void (*rms_norm_f32)(size_t rows, size_t width, const float *x, const float *gain, float eps,
                         float *out);
    void (*rope_f32)(const lm_rope *args);
    void (*activate_f32)(lm_activation act, size_t count, float *x);
    /* out = act(a) · b by element; out may be a or b. */
    void (*gate_f32)(lm_activation act, size_t count, const float *a, const float *b, float *out);
    void (*softmax_f32)(size_t count, float *x); /* in place, one row */

    /* out = a + b + c by element; c may be NULL. Sum of embeddings. */
    void (*add_f32)(size_t width, const float *a, const float *b, const float *c, float *out);
    void (*add_bf16)(size_t width, const uint16_t *a, const uint16_t *b, const uint16_t *c,
                     float *out); /* of rows in bfloat16 */
    /* out (width) = mean over rows of x (rows, width); rows > 0. Sum in row order. */
    void (*mean_rows_f32)(size_t rows, size_t width, const float *x, float *out);
    /* x / max(‖x‖₂, eps) in place, as torch.nn.functional.normalize. */
    void (*l2_normalize_f32)(size_t width, float *x, float eps);

    /* Distances; sums are kept in several float accumulators and added in a fixed order. */
    float (*dot_f32)(size_t width, const float *a, const float *b);
    float (*l2_squared_f32)(size_t width, const float *a, const float *b);
    /* a·b, a·a and b·b in one pass. */
    void (*cosine_parts_f32)(size_t width, const float *a, const float *b, float parts[3]);

    /*
     * Codes of an index (search/codes.h): the same bits at every level.
     *
     * x (n) = H x in place, n a power of two and at least 64, H the Hadamard matrix of ±1.
     */
    void (*hadamard_f32)(size_t n, float *x);
    /*
     * sums[row] += Σ over groups of tables[16 · group + code of the row]; groups is a multiple of
     * 16. Of each 16 bytes of codes, byte j has the codes of rows j (lower half) and 16 + j.
     */
    void (*scan_codes)(size_t groups, const uint8_t *codes, const uint8_t *tables,
                       uint32_t sums[32]);
    /* Distances of 32 rows; returns those below the bound, row i as bit i. */
    uint32_t (*estimate_codes)(const lm_code_estimate *args, const uint32_t sums[32],
                               const uint16_t scale[32], const uint16_t add[32],
                               float distances[32]);
    /* Σ a·b; width is a multiple of 64, and |a| at most 16383. */
    int64_t (*dot_s16_s8)(size_t width, const int16_t *a, const int8_t *b);
} lm_kernels;

/* The table in use. Never NULL: chosen at the first call, or by lm_kernels_select. */
const lm_kernels *lm_kernels_active(void);
/* Table of one level, or NULL when the CPU lacks it. For tests and benchmarks. */
const lm_kernels *lm_kernels_at(lm_level level);
/* Use the best level that the CPU has and that is at most `cap`. */
void lm_kernels_select(lm_level cap);
lm_level lm_kernels_best(void);
const char *lm_level_name(lm_level level); /* "scalar", "avx2", "avx512", "avx512_bf16" */
const char *lm_precision_name(lm_precision precision);             /* "fp32", "bf16", "int8" */
bool lm_precision_find(const char *name, lm_precision *precision); /* false: it names none */

/* quantize.c: to bfloat16, to the nearest, ties to even; NaN stays NaN. */
void lm_round_bf16(size_t count, const float *x, uint16_t *out);
/* The scale of a row of weights (K), by LM_INT8_GREATEST and LM_INT8_SPREAD; 0 for zeros. */
float lm_int8_scale(const float *w, size_t k);
/* W (N, K) to the nearest codes. */
void lm_quantize_rows(const float *w, size_t n, size_t k, int8_t *codes, float *scales);
/* A row of inputs (K) as an int8 product reads it: the numbers that its codes stand for. */
void lm_int8_read(const float *x, size_t k, float *out);
/* W (N, K) to codes, and packing, of a matrix that may be large: with polls. */
lm_status lm_quantize_matrix(lm_context *ctx, const float *w, size_t n, size_t k, int8_t *codes,
                             float *scales);
lm_status lm_pack(lm_context *ctx, const lm_product *product, const lm_matrix *w, void *packed);
/* unpack.c: the values (N, K) of weights that the table's product of a precision has packed.
 * LM_UNSUPPORTED for codes. */
lm_status lm_unpack(lm_context *ctx, const lm_kernels *kernels, lm_precision precision,
                    const void *packed, size_t n, size_t k, float *values);

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
/* For an m × m result that is symmetric: its lower half, and some above it. */
lm_status lm_blas_lower(const lm_sgemm *args);
const char *lm_blas_config(void); /* build and core type, for lmtext.device */
int lm_blas_threads(void);        /* 1, or something is wrong */
const char *lm_cpu_name(void);    /* brand string */

#endif
