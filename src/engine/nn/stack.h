/*
 * stack.h - the layers of a transformer, described by data: what a family's layers are is said by a
 * lm_stack, and one forward pass serves them all.
 *
 *   attention:     x = after(x + inside(attention(before(x)) · Woᵀ + bo))
 *   feed-forward:  x = after(x + inside(act(before(x) · Wuᵀ + bu) · Wdᵀ + bd))
 *
 * Each of these norms may be lacking. Post-norm families (BERT) have `after` only, pre-norm ones
 * `before` only, and others `before` and `inside`.
 */
#ifndef LM_STACK_H
#define LM_STACK_H

#include "nn/batch.h"
#include "nn/nn.h"
#include "nn/weights.h"

/* Targets of a norm's weights, or LM_NO_WEIGHT; a norm whose gain the model lacks is not done. */
typedef struct lm_norm_targets {
    int gain, bias;
} lm_norm_targets;

#define LM_NO_NORM                 \
    {                              \
        LM_NO_WEIGHT, LM_NO_WEIGHT \
    }

typedef struct lm_block_norms {
    lm_norm_targets before, inside, after;
} lm_block_norms;

typedef enum lm_position_kind {
    LM_POSITION_NONE,  /* or in the embeddings */
    LM_POSITION_ROPE,  /* rotates queries and keys */
    LM_POSITION_BIAS,  /* the stack's bias of relative positions */
    LM_POSITION_PLACE, /* the stack's embeddings of distances; heads share no keys */
} lm_position_kind;

/* Targets of a linear layer and of the norm behind it. */
typedef struct lm_normed_linear {
    int weight, bias;
    lm_norm_targets norm;
} lm_normed_linear;

/* Targets of a net, one after the other: its linear layers' and its norm's. */
#define LM_NET_TARGETS 6

/*
 * Of a block that works in the width of its heads, d = heads·head_dim, between hidden states of D:
 *
 *   a = attended(x), r = entry(x)                                              (T, d)
 *   r = after(r + attention(queries and keys of a, values of x) · Woᵀ + bo)    (T, d)
 *   each net:  r = norm(r + act(r · Wuᵀ + bu) · Wdᵀ + bd)                      (T, d)
 *   x = norm(x + r · Weᵀ + be), of `leave`                                     (T, D)
 */
typedef struct lm_narrow {
    lm_normed_linear attended, entry; /* (d, D) */
    lm_normed_linear value;           /* (d, D), without a norm; qkv has two parts, (2 d, d) */
    lm_normed_linear leave;           /* (D, d) */
    int net; /* the first target of the first of the nets before the block's own */
} lm_narrow;

/* A layer. Targets are those of its group, LM_NO_WEIGHT where it has no such weight. */
typedef struct lm_block {
    lm_block_norms attention_norms, ffn_norms;
    lm_norm_kind norm;
    float eps;

    int qkv, qkv_bias;       /* ((heads + 2 kv_heads)·head_dim, D): query, key, value */
    int output, output_bias; /* (D, heads·head_dim) */
    size_t heads, kv_heads, head_dim;
    bool normed; /* queries and keys, head by head, by root mean square, before they are turned */
    int query_gain, key_gain; /* (head_dim), where they are */
    float scale;              /* of scores */
    lm_mask mask;
    size_t window;
    lm_position_kind position;
    double theta; /* the rest is for ROPE; see lm_rope */
    size_t turned;
    bool interleaved;
    bool exact_angles; /* lm_nn_exact_rope_table */
    float slower;      /* of lm_nn_rope_table; 0: not at all */

    int up, up_bias;     /* (F, D); gated: (2 F, D), first what is activated */
    int down, down_bias; /* (D, F) */
    size_t inner;        /* F */
    lm_activation act;
    bool gated;

    const lm_narrow *narrow; /* NULL: it works in the width of the hidden states */
    size_t nets;             /* of a narrow one: how many stand before its own */
} lm_block;

/* Numbers of a token in front of and behind attention, and inside the net. */
static inline size_t
lm_block_qkv_width(const lm_block *block)
{
    return (block->heads + 2 * block->kv_heads) * block->head_dim;
}

static inline size_t
lm_block_mixed_width(const lm_block *block)
{
    return block->heads * block->head_dim;
}

static inline size_t
lm_block_up_width(const lm_block *block)
{
    return block->gated ? 2 * block->inner : block->inner;
}

/*
 * Tokens that see all of a text and are seen by all of it, beside what the mask lets see (Beltagy
 * et al. 2020): the first ones. They see by a query, keys and values of their own, from the hidden
 * states; others see them by the keys and values that all tokens have. There is no norm before
 * attention and no position in it then, and each head has its own keys.
 */
typedef struct lm_global {
    bool any;
    int32_t until;     /* the first token with this id is the first that is none of them */
    int qkv, qkv_bias; /* (3 heads·head_dim, D): targets of each layer */
} lm_global;

#define LM_FIRST_ALONE (-1) /* of until: the first token of a text is the only one */

#define LM_BLOCK_KINDS 2

typedef struct lm_stack {
    size_t layers, width; /* L, D */
    bool shared;          /* all layers have the weights of layer 0 */
    lm_block blocks[LM_BLOCK_KINDS];
    size_t every, at;      /* layer l is blocks[1] where l % every == at; every = 0: no layer */
    lm_norm_targets final; /* behind the last layer, of blocks[0]'s kind; the model's targets */
    int bias;              /* for LM_POSITION_BIAS: (buckets, heads), the model's target */
    bool own_bias;         /* it is a target of each layer's instead */
    bool linear_bias;      /* for LM_POSITION_BIAS without a table: lm_nn_linear_bias */
    size_t buckets, farthest;
    /* For LM_POSITION_PLACE: (2 buckets, D), the model's target, and its norm, of blocks[0]'s kind.
     */
    bool places, content_to_place, place_to_content;
    int place;
    lm_norm_targets place_norm;
    lm_global global;
} lm_stack;

/* Bytes that lm_stack_run needs for at most `tokens`, the longest text of which has `longest`. */
size_t lm_stack_workspace(const lm_stack *stack, const lm_nn_weights *weights, size_t tokens,
                          size_t longest);

/*
 * Layers 0 … layers − 1 over the input (T, D), with which the workspace begins; there the result
 * stands too: (T, D), or (B, D) of the batch's outputs. The final norm is done behind all layers
 * only. The workspace is LM_ALIGNMENT-aligned. Polls cancel.
 */
lm_status lm_stack_run(lm_context *ctx, const lm_stack *stack, const lm_nn_weights *weights,
                       const lm_batch *batch, size_t layers, void *workspace);

/* Tokens of the longest text. */
size_t lm_batch_longest(const lm_batch *batch);

#endif
