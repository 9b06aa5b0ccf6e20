/*
 * nn.h - the parts that encoders are built of, as small functions over the kernel table.
 *
 * Laws: no part allocates; each is given its buffers. Each polls cancel between pieces of at most
 * about kernels->poll_flops of work, so that a caller hears of a cancel within some
 * 20 ms. Pieces are cut between rows or heads only, which the kernels' law (a row of a result
 * depends on that row alone) makes invisible in the bits.
 */
#ifndef LM_NN_H
#define LM_NN_H

#include "base/context.h"
#include "kernels/kernels.h"

/*
 * product->gemm on all rows, in pieces; the scratch is for all rows, or for a piece at least. An
 * observer of the product is shown the whole call.
 */
lm_status lm_nn_linear(lm_context *ctx, const lm_product *product, const lm_gemm *args);

/* LayerNorm (Ba, Kiros and Hinton 2016) over rows of `width`, in place. */
typedef struct lm_norm {
    const float *gain; /* (width) */
    const float *bias; /* (width) */
    float eps;
} lm_norm;

void lm_nn_norm(const lm_kernels *kernels, const lm_norm *norm, size_t rows, size_t width,
                float *x);

/* Word, token type and position embeddings of packed texts, summed in this order. */
typedef struct lm_nn_embedding {
    size_t width;            /* D */
    bool bf16;               /* the tables are bfloat16, not float */
    const void *words;       /* (V, D) */
    const void *types;       /* (types, D) */
    const void *position;    /* (positions, D) */
    const int32_t *ids;      /* (T) */
    const int32_t *type_ids; /* (T), or NULL for zeros */
    size_t texts;
    const size_t *offsets; /* (texts + 1) */
} lm_nn_embedding;

lm_status lm_nn_embed(lm_context *ctx, const lm_kernels *kernels, const lm_nn_embedding *args,
                      float *out); /* (T, D) */

/*
 * Self-attention of packed texts first … end − 1, each among its own tokens only. qkv holds query,
 * key and value of a token side by side, from the first one of those texts on.
 */
typedef struct lm_nn_attention {
    const lm_attention_kernel *kernel;
    size_t first, end;
    const size_t *offsets; /* (end + 1) */
    size_t heads, head_dim;
    float scale;
    const float *qkv;     /* (tokens of these texts, 3 D) */
    float *out;           /* of all texts: (T, D), or (texts, D) of the wanted rows */
    void *scratch;        /* kernel->scratch_size(longest text, head_dim) bytes */
    const size_t *wanted; /* of all texts: the only row of each, in T; NULL: all rows */
} lm_nn_attention;

lm_status lm_nn_attend(lm_context *ctx, const lm_kernels *kernels, const lm_nn_attention *args);

/* x ← x + act(x · upᵀ + up_bias) · downᵀ + down_bias: the feed-forward net with its residual. */
typedef struct lm_nn_ffn {
    const lm_product *product;
    size_t width;   /* D */
    size_t inner;   /* F */
    const void *up; /* (F, D), packed */
    const float *up_bias;
    const void *down; /* (D, F), packed */
    const float *down_bias;
    lm_activation act;
    float *buffer; /* (rows, F) */
    void *scratch; /* what product->scratch_size asks for both matrices */
} lm_nn_ffn;

lm_status lm_nn_feed_forward(lm_context *ctx, const lm_nn_ffn *args, size_t rows, float *x);

#endif
