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

typedef enum lm_norm_kind {
    LM_NORM_LAYER, /* Ba, Kiros and Hinton 2016 */
    LM_NORM_RMS,   /* Zhang and Sennrich 2019: without the mean, and without a bias */
    LM_NORM_SCALE, /* none: gain · x + bias */
} lm_norm_kind;

/* A norm over rows of `width`. */
typedef struct lm_norm {
    lm_norm_kind kind;
    const float *gain; /* (width) */
    const float *bias; /* (width), or NULL */
    float eps;
} lm_norm;

/* out may be x. */
void lm_nn_norm(const lm_kernels *kernels, const lm_norm *norm, size_t rows, size_t width,
                const float *x, float *out);

/* Word, token type and position embeddings of packed texts, summed in this order. */
typedef struct lm_nn_embedding {
    size_t width;            /* D */
    bool bf16;               /* the tables are bfloat16, not float */
    const void *words;       /* (V, D); NULL: `out` has it, and the others are added */
    const void *types;       /* (types, D), or NULL */
    const void *position;    /* (positions, D), or NULL */
    const void *common;      /* (any, D), whose first row every token has, or NULL */
    size_t first_position;   /* row of a text's first token */
    bool skip_padding;       /* the id before it is not counted, and has the row before it */
    const int32_t *ids;      /* (T) */
    const int32_t *type_ids; /* (T), or NULL for zeros */
    size_t texts;
    const size_t *offsets; /* (texts + 1) */
} lm_nn_embedding;

/*
 * The row of a token's position, of which `counted` stand before it. A padding token that a text
 * spells out is no padding to the reference's attention, but its position is that of padding.
 */
static inline size_t
lm_nn_position_of(const lm_nn_embedding *args, size_t token, size_t *counted)
{
    if (args->skip_padding && (size_t)args->ids[token] + 1 == args->first_position)
        return args->first_position - 1;
    return args->first_position + (*counted)++;
}

lm_status lm_nn_embed(lm_context *ctx, const lm_kernels *kernels, const lm_nn_embedding *args,
                      float *out); /* (T, D) */

/* The word embeddings of the next token, the token and the one before, side by side: (T, 3 D). What
 * is beyond a text is 0. */
lm_status lm_nn_trigrams(lm_context *ctx, const lm_nn_embedding *args, float *out);

/*
 * Angles of rotary positions 0 … positions − 1, as lm_rope takes them: pair j turns by theta^(−2 j
 * / turned) / slower a position. Polls cancel.
 */
lm_status lm_nn_rope_table(lm_context *ctx, double theta, float slower, size_t turned,
                           size_t positions, float *cosines, float *sines);
/* The same, not slower, with angles in double, as RoFormer's tables have them. */
lm_status lm_nn_exact_rope_table(lm_context *ctx, double theta, size_t turned, size_t positions,
                                 float *cosines, float *sines);

/*
 * Relative positions in buckets (Raffel et al. 2020): half of the buckets for keys behind the
 * query, in each half one a distance up to half of them, then by the logarithm up to `farthest`.
 */
typedef struct lm_nn_buckets {
    size_t count, farthest;
    size_t heads;
    const float *table; /* (count, heads) */
} lm_nn_buckets;

/* Biases of the distances key − query from −(positions − 1) to positions − 1: (heads, those). */
void lm_nn_bucket_bias(const lm_nn_buckets *args, size_t positions, float *bias);

/*
 * Biases that fall with the distance (Press et al. 2022), the same on both sides: −distance · slope
 * of the head. In the form of lm_nn_bucket_bias.
 */
void lm_nn_linear_bias(size_t heads, size_t positions, float *bias);

/* Places: distances of a query from its key, in buckets; each has an embedding. */
typedef struct lm_nn_places {
    size_t span;     /* buckets of either side */
    size_t farthest; /* half are one to a distance, the others by the logarithm up to this; 0: all
                        are one to a distance */
    const float *table; /* (2 span, D): row span is that of distance 0, those before it have the key
                           behind the query */
} lm_nn_places;

/* Rows of the table that texts of up to so many positions need. */
size_t lm_nn_places_rows(const lm_nn_places *places, size_t positions);

/*
 * Copies these rows (…, width), and says which of them is the place of each distance query − key
 * from −(positions − 1) to positions − 1. Polls cancel.
 */
lm_status lm_nn_places_fill(lm_context *ctx, const lm_nn_places *places, size_t positions,
                            size_t width, int32_t *index, float *rows);

/* What places add to scores: their queries and keys, and which of them count. */
typedef struct lm_nn_disentangled {
    size_t positions;
    const int32_t *index; /* of lm_nn_places_fill */
    const float *rows;    /* query of a place, and its key from this column on; row stride ld */
    size_t key_column, ld;
    bool content_to_place,
        place_to_content; /* query · key of the place, key · query of the place */
    float *bias;          /* room for (queries, keys) of one head */
} lm_nn_disentangled;

/* Makes a bias of it for a call of one head; the text is of `positions` at most. */
void lm_nn_disentangle(const lm_kernels *kernels, const lm_nn_disentangled *args, size_t head,
                       lm_attention *call);

/*
 * Self-attention of packed texts first … end − 1, each among its own tokens only. qkv holds query,
 * key and value of a token side by side, from the first one of those texts on.
 */
typedef struct lm_nn_attention {
    const lm_attention_kernel *kernel;
    size_t first, end;
    const size_t *offsets; /* (end + 1) */
    size_t heads, kv_heads, head_dim;
    lm_mask mask;
    size_t window;
    float scale;
    const float *qkv;      /* (tokens of these texts, (heads + 2 kv_heads)·head_dim) */
    float *out;            /* of all texts: (T, heads·head_dim), or (texts, …) of the outputs */
    void *scratch;         /* kernel->scratch_size(longest text, head_dim) bytes */
    const size_t *outputs; /* of all texts: the only row of each, in T; NULL: all rows */
    const size_t *keys;    /* of all texts: first tokens that are attended to; NULL: all */
    const float *bias;     /* NULL, or lm_nn_bucket_bias's for `positions`: */
    size_t bias_positions;
    const lm_nn_disentangled *places; /* NULL, or what distances add; without a bias then */
} lm_nn_attention;

lm_status lm_nn_attend(lm_context *ctx, const lm_kernels *kernels, const lm_nn_attention *args);

/*
 * out = act(x · upᵀ + up_bias) · downᵀ + down_bias + residual. Gated: up has 2 F rows, and what its
 * first half gives is activated and multiplied by what the second gives.
 */
typedef struct lm_nn_ffn {
    const lm_kernels *kernels;
    const lm_product *product;
    size_t width; /* D */
    size_t inner; /* F */
    bool gated;
    const void *up; /* (F, D) or (2 F, D), packed */
    const float *up_bias;
    const void *down; /* (D, F), packed */
    const float *down_bias;
    lm_activation act;
    const float *x;        /* (rows, D) */
    const float *residual; /* (rows, D), or NULL */
    float *out;            /* (rows, D); may be x or the residual */
    float *buffer;         /* (rows, F) or (rows, 2 F) */
    void *scratch;         /* what product->scratch_size asks for both matrices */
} lm_nn_ffn;

lm_status lm_nn_feed_forward(lm_context *ctx, const lm_nn_ffn *args, size_t rows);

#endif
