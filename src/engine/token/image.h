/*
 * image.h - the relocatable image of a tokenizer, private to this room.
 *
 * One header, then arrays, each aligned to LM_ALIGNMENT. Every reference is a lm_span: an offset in
 * bytes from the header and a number of elements. Nothing in it is written after compilation, so it
 * may be shared. The image is made by lm_tokenizer_compile from checked input and is trusted.
 */
#ifndef LM_TOKEN_IMAGE_H
#define LM_TOKEN_IMAGE_H

#include "base/buffer.h"
#include "base/size.h"

#define LM_TOKEN_MAGIC UINT32_C(0x4b544d4c) /* "LMTK" */
#define LM_TOKEN_LAYOUT UINT32_C(1)
#define LM_MAX_STAGES 16

typedef struct lm_span {
    uint64_t offset;
    uint64_t count;
} lm_span;

/* One operation of the normalizer or the pre-tokenizer: an index into that stage's table. */
typedef struct lm_stage_list {
    uint32_t count;
    uint8_t op[LM_MAX_STAGES];
} lm_stage_list;

/*
 * A node of a double array trie (Aoe 1989): child of node n by byte b is cell base + b, if that
 * cell's check is n. Cell 0 is no node; cells below 256 hold only roots.
 */
typedef struct lm_cell {
    uint32_t base;
    uint32_t check;
} lm_cell;

/*
 * WordPiece by failure links (wordpiece.c): what to do at a node that has no child for a byte.
 * pops: 0, the word cannot be split; LM_POP_SELF | id, the node itself is token id; else the place
 * of a list of lm_pop.
 */
typedef struct lm_wordpiece_link {
    uint32_t fail;
    uint32_t pops;
} lm_wordpiece_link;

#define LM_POP_SELF UINT32_C(0x80000000)

/* One token of a list of pops: its id, and its length in characters × 2, + 1 at the list's end. */
typedef struct lm_pop {
    int32_t id;
    uint32_t span;
} lm_pop;

typedef struct lm_wordpiece {
    lm_span cells; /* lm_cell */
    lm_span links; /* lm_wordpiece_link, by cell */
    lm_span pops;  /* lm_pop */
    uint32_t word_root;
    uint32_t suffix_root;
    int32_t unk;
    uint32_t max_chars;
} lm_wordpiece;

/* A node of an Aho-Corasick automaton (match.c). */
typedef struct lm_match_node {
    uint32_t fail;
    uint32_t out;   /* nearest node by failure links that ends a pattern; 0: none */
    uint32_t depth; /* bytes */
    int32_t value;  /* pattern that ends here; -1: none */
} lm_match_node;

typedef struct lm_matcher {
    lm_span cells; /* lm_cell */
    lm_span nodes; /* lm_match_node, by cell; count 0: no pattern */
    uint32_t root;
    int32_t only_first; /* the one byte that starts every pattern; -1: there are several */
    uint8_t first[256]; /* 1 for bytes that start a pattern */
} lm_matcher;

enum { LM_ADDED_SPECIAL = 1, LM_ADDED_SINGLE_WORD = 2, LM_ADDED_LSTRIP = 4, LM_ADDED_RSTRIP = 8 };

typedef struct lm_added {
    int32_t id;
    uint32_t flags;
} lm_added;

/* One piece of a post-processor's template: a special token's id, or one of the texts. */
enum { LM_PIECE_A = -1, LM_PIECE_B = -2 };

typedef struct lm_piece {
    int32_t id;
    int32_t type;
} lm_piece;

/*
 * Normalizer and pre-tokenizer fused into one table by scalar value (fused.c). Building it takes
 * most of the time of compilation, so fuzzing makes it smaller.
 */
#ifndef LM_FUSED_LIMIT
#define LM_FUSED_LIMIT 0x30000u
#endif
#define LM_FUSED_SHIFT 7

typedef struct lm_fused {
    uint32_t present;
    uint16_t ascii[128]; /* kind << 8 | byte */
    lm_span block;       /* uint16_t, by c >> LM_FUSED_SHIFT */
    lm_span value;       /* uint32_t, what becomes of the scalar value */
    lm_span lists;       /* uint32_t, a length, then letters */
} lm_fused;

enum { LM_TOKEN_PRESENT = 1, LM_TOKEN_SPECIAL = 2 };

typedef struct lm_renamed {
    int32_t id;
    uint32_t start, length; /* in written */
} lm_renamed;

typedef struct lm_token_image {
    uint32_t magic;
    uint32_t layout;
    uint64_t size;
    int32_t vocab_size;
    uint32_t decoder;
    uint32_t cleanup;
    lm_span prefix;     /* char, of the decoder */
    lm_span text_start; /* uint32_t, vocab_size + 1 */
    lm_span text;    /* char; of normalized added tokens the normalized form, as in the reference */
    lm_span renamed; /* lm_renamed, by id: how such tokens are written */
    lm_span written; /* char */
    lm_span flags;   /* uint8_t, vocab_size */
    lm_span slots;   /* int32_t, open addressing by lm_hash_bytes of the text; id, or -1 */
    lm_stage_list normalizer;
    lm_stage_list pretokenizer;
    lm_fused fused;
    lm_wordpiece wordpiece;
    lm_span added;         /* lm_added */
    lm_matcher raw;        /* added tokens found in the text; values index `added` */
    lm_matcher normalized; /* added tokens found in the normalized text */
    lm_span single;        /* lm_piece */
    lm_span pair;          /* lm_piece */
} lm_token_image;

static inline const void *
lm_image_at(const lm_token_image *image, lm_span span)
{
    return (const char *)image + span.offset;
}

/* Append an aligned array to an image whose header lies at `start` of the buffer. */
static inline lm_status
lm_image_append(lm_buffer *out, size_t start, const void *items, size_t count, size_t size,
                lm_span *span)
{
    size_t bytes;

    if (lm_mul_overflows(count, size, &bytes))
        return lm_raise(out->ctx, LM_TOO_LARGE, "the tokenizer is too large");
    LM_TRY(lm_poll(out->ctx)); /* the largest arrays take some 10 ms each to copy */
    LM_TRY(lm_buffer_align(out));
    span->offset = out->size - start;
    span->count = count;
    return lm_buffer_append(out, items, bytes);
}

#endif
