/*
 * reference.h - the plain scalar references of every kernel: what the kernels are checked against.
 * Sums and functions are taken in double and rounded once, so that a reference has no error of its
 * own to speak of; nothing in the product's fast path calls them.
 */
#ifndef LM_KERNELS_REFERENCE_H
#define LM_KERNELS_REFERENCE_H

#include "kernels/kernels.h"

/* args->packed is ignored; w is (N, K), not packed. */
void lm_gemm_f32_ref(const lm_gemm *args, const float *w);
/*
 * The int8 product by its definition: u8 codes of A by row, integer sums. In float from there on,
 * operation by operation as the kernels do, so that all but the activation must match exactly.
 */
void lm_gemm_int8_ref(const lm_gemm *args, const lm_matrix *w);
void lm_layer_norm_f32_ref(size_t rows, size_t width, const float *x, const float *gain,
                           const float *bias, float eps, float *out);
void lm_rms_norm_f32_ref(size_t rows, size_t width, const float *x, const float *gain, float eps,
                         float *out);
void lm_rope_f32_ref(const lm_rope *args);
/* args->scratch: a row of `keys` doubles. */
void lm_attention_f32_ref(const lm_attention *args);
double lm_activation_ref(lm_activation act, double x);
void lm_activate_f32_ref(lm_activation act, size_t count, float *x);
void lm_gate_f32_ref(lm_activation act, size_t count, const float *a, const float *b, float *out);
void lm_softmax_f32_ref(size_t count, float *x);
void lm_add_f32_ref(size_t width, const float *a, const float *b, const float *c, float *out);
void lm_mean_rows_f32_ref(size_t rows, size_t width, const float *x, float *out);
void lm_l2_normalize_f32_ref(size_t width, float *x, float eps);
float lm_dot_f32_ref(size_t width, const float *a, const float *b);
float lm_l2_squared_f32_ref(size_t width, const float *a, const float *b);
/* n at most 4096. */
void lm_hadamard_f32_ref(size_t n, float *x);
void lm_cosine_parts_f32_ref(size_t width, const float *a, const float *b, float parts[3]);

#endif
