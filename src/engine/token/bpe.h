/*
 * bpe.h - the model BPE: a word starts as its characters, and the pair of neighbours that comes
 * first in the list of merges is merged, over and over (Sennrich, Haddow, Birch 2016).
 */
#ifndef LM_BPE_H
#define LM_BPE_H

#include "token/model.h"

extern const lm_token_model lm_bpe_model;

/*
 * A merge in the table of merges: left and right token, and its rank, the place in the list. Ids
 * are below LM_CELL_LIMIT, so all three share 64 bits.
 */
#define LM_BPE_RANK_BITS 20
#define LM_BPE_MAX_MERGES (((size_t)1 << LM_BPE_RANK_BITS) - 1)
#define LM_BPE_NO_RANK UINT32_MAX
#define LM_BPE_FREE UINT64_MAX /* the highest rank is never given */

enum {
    LM_BPE_FUSE_UNK = 1,
    LM_BPE_BYTE_FALLBACK = 2,
    LM_BPE_IGNORE_MERGES = 4,
    LM_BPE_EMPTY_RIGHT = 8, /* a merge adds no text: two pairs may make the same token */
    LM_BPE_LACKS_UNK = 16   /* an unknown character is an error */
};

/* The model's settings in the image; a node is a cell of the vocabulary's trie, 0: there is none.
 */
typedef struct lm_bpe {
    lm_span table;  /* uint64_t: merges by the hash of their pair, linear probing */
    lm_span made;   /* int32_t: what each rank makes */
    lm_span suffix; /* char: end_of_word_suffix */
    uint64_t seed;  /* of the hash */
    uint64_t mask;
    uint32_t first; /* node where the first character of a word starts */
    uint32_t next;  /* node where the others start: behind continuing_subword_prefix */
    int32_t unk;    /* -1: unknown characters are left out */
    uint32_t flags;
    int32_t bytes[256]; /* of byte_fallback; -1: there is no such token */
} lm_bpe;

static inline uint64_t
lm_bpe_pair(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << (32 - LM_CELL_SHIFT) | (uint32_t)right;
}

/* Where a pair's merge stands, or where it would. The seed comes from all pairs (bpe_compile.c). */
static inline uint64_t
lm_bpe_home(const lm_bpe *bpe, uint64_t pair)
{
    unsigned __int128 product =
        (unsigned __int128)(pair ^ bpe->seed) * UINT64_C(0x9e3779b97f4a7c15);

    return ((uint64_t)product ^ (uint64_t)(product >> 64)) & bpe->mask;
}

/* The rank of a pair, or LM_BPE_NO_RANK. */
static inline uint32_t
lm_bpe_rank(const lm_bpe *bpe, const uint64_t *table, int32_t left, int32_t right)
{
    const uint64_t pair = lm_bpe_pair(left, right);
    uint64_t at = lm_bpe_home(bpe, pair);

    for (; table[at] != LM_BPE_FREE; at = (at + 1) & bpe->mask)
        if (table[at] >> LM_BPE_RANK_BITS == pair)
            return (uint32_t)(table[at] & LM_BPE_MAX_MERGES);
    return LM_BPE_NO_RANK;
}

/* For the row: append all that the model needs. */
lm_status lm_bpe_compile(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start,
                         lm_buffer *out);

/* Merge the word's symbols in place, in the reference's order; *count becomes what is left. */
lm_status lm_bpe_merge(lm_encode_state *state, const lm_bpe *bpe, lm_symbol *symbols,
                       size_t *count);

#endif
