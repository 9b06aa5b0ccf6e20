/*
 * levels.h - what the files of one level show to each other and to dispatch.c. Every level defines
 * the same names with its own suffix.
 */
#ifndef LM_KERNELS_LEVELS_H
#define LM_KERNELS_LEVELS_H

#include "kernels/kernels.h"

/* What the CPU says of itself, as far as levels ask for it. */
typedef struct lm_cpu_flags {
    uint32_t features;               /* CPUID leaf 1, ecx */
    uint32_t saved;                  /* XCR0: registers that the operating system saves */
    uint32_t extended_b, extended_c; /* CPUID leaf 7, ebx and ecx */
    uint32_t more;                   /* its subleaf 1, eax */
} lm_cpu_flags;

/* The best level that these allow. On x86-64 only. */
lm_level lm_level_of(const lm_cpu_flags *cpu);

/*
 * A tile of a product, whole K in one pass: C (rows, columns) = bias + A (rows, K) · B (K,
 * columns). Its columns are vectors: those of a first panel, and, where a tile is wider than a
 * panel, those of the next one, `wide` floats behind. C is written in full vectors. Each element is
 * one chain of multiply-adds in the order of k, so that its bits are the same in a tile of any
 * size. Tiles of pairs take two k's of bfloat16 where a float stands here.
 */
typedef struct lm_tile_f32 {
    size_t k;
    const float *a;
    size_t lda;
    const float *b;
    size_t ldb, wide;
    const float *bias; /* whole vectors */
    float *c;
    size_t ldc;
    /* At every step of k the lines here, and at fetch + fetch_wide, are fetched ahead. */
    const float *fetch;
    size_t fetch_stride, fetch_wide;
} lm_tile_f32;

typedef void (*lm_tile_function)(const lm_tile_f32 *tile);

/*
 * The same for products of 16- and 8-bit weights: a whole panel of columns, of which the caller
 * takes those that are there. `steps` are the groups of k that the level reads at once.
 */
typedef struct lm_tile {
    size_t steps;
    bool odd;      /* bf16 in pairs, A in float32: half a step more */
    const void *a; /* converted rows, or A itself */
    size_t lda;    /* bytes */
    const void *b;
    const float *bias; /* bf16: sums start here */
    void *c;           /* float sums, or int32 sums */
    size_t ldc;        /* elements */
    /* int8 in an order of its own: where in A each step is. */
    const uint16_t *at;
    size_t interleaved; /* bytes from A's row to its codes for `steps` */
    size_t wide_steps;  /* after these, and in A's row itself */
} lm_tile;

typedef void (*lm_tile_reduced)(const lm_tile *tile);

#define LM_DECLARE_PRODUCT(precision, level)                                         \
    size_t lm_packed_size_##precision##_##level(size_t n, size_t k);                 \
    void lm_pack_##precision##_##level(const lm_matrix *w, size_t first, size_t end, \
                                       void *packed);                                \
    size_t lm_scratch_size_##precision##_##level(size_t m, size_t k);                \
    void lm_gemm_##precision##_##level(const lm_gemm *args);

/*
 * A product as a level declares it. The pack format names the panel's width, and for 16 and 8 bits
 * these and the k's of a group before it, so that formats of two precisions differ too.
 */
#define LM_PRODUCT(precision, level, format, flops)            \
    ((lm_product){                                             \
        .pack_format = format,                                 \
        .poll_flops = flops,                                   \
        .packed_size = lm_packed_size_##precision##_##level,   \
        .pack = lm_pack_##precision##_##level,                 \
        .scratch_size = lm_scratch_size_##precision##_##level, \
        .gemm = lm_gemm_##precision##_##level,                 \
    })

/* `approx`, within 1e-4, has weights no better than those of 16 or 8 bits, and the scratch of f32.
 */
#define LM_DECLARE_ATTENTION(precision, level)                                       \
    size_t lm_attention_##precision##_scratch_##level(size_t keys, size_t head_dim); \
    void lm_attention_##precision##_##level(const lm_attention *args);

#define LM_ATTENTION(precision, kind, level)                           \
    ((lm_attention_kernel){lm_attention_##precision##_scratch_##level, \
                           lm_attention_##kind##_##level})

#define LM_DECLARE_LEVEL(level)                                                                 \
    LM_DECLARE_PRODUCT(f32, level)                                                              \
    LM_DECLARE_PRODUCT(bf16, level)                                                             \
    LM_DECLARE_PRODUCT(int8, level)                                                             \
    LM_DECLARE_ATTENTION(f32, level)                                                            \
    void lm_attention_approx_##level(const lm_attention *args);                                 \
    /* Kernels over rows, all of them. */                                                       \
    void lm_fill_rows_##level(lm_kernels *table);                                               \
    /* Inside the level: as in the table; the same, but GELU within 3e-5. */                    \
    void lm_activate_f32_##level(lm_activation act, size_t count, float *x);                    \
    void lm_activate_approx_##level(lm_activation act, size_t count, float *x);                 \
    /* Inside the level: W (N, K) of row stride ldw, times factor, into panels. */              \
    void lm_pack_rows_f32_##level(const float *w, size_t ldw, size_t n, size_t k, float factor, \
                                  float *packed);                                               \
    /* Inside the level: x = 2^(x − max x) in place; returns the sum. */                      \
    float lm_exponentials_f32_##level(size_t count, float *x);                                  \
    /* The same with 2^x within 1e-4. */                                                        \
    float lm_exponentials_approx_##level(size_t count, float *x);

LM_DECLARE_LEVEL(scalar)
LM_DECLARE_LEVEL(avx2)
LM_DECLARE_LEVEL(avx512)

/* What differs from AVX-512, each beside the level below. */
LM_DECLARE_PRODUCT(int8, avx512_vnni)
LM_DECLARE_PRODUCT(bf16, avx512_bf16)
LM_DECLARE_ATTENTION(bf16, avx512_bf16)

/* Kernels over codes of an index, all but the transform, which is one over rows. */
void lm_fill_codes_scalar(lm_kernels *table);
void lm_fill_codes_avx2(lm_kernels *table);
void lm_fill_codes_avx512(lm_kernels *table);

/* Each gets the table of the level below, and puts in what its own level does better. */
void lm_fill_scalar(lm_kernels *table);
void lm_fill_avx2(lm_kernels *table);
void lm_fill_avx512(lm_kernels *table);
void lm_fill_avx512_vnni(lm_kernels *table);
void lm_fill_avx512_bf16(lm_kernels *table);

/* By columns in vectors less one, then rows less one; NULL where a level has no such tile. */
extern const lm_tile_function lm_tiles_f32_scalar[2][4];
extern const lm_tile_function lm_tiles_f32_avx2[3][4];
extern const lm_tile_function lm_tiles_f32_avx512[4][12];

#endif
