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
#define LM_TOKEN_LAYOUT UINT32_C(7)

typedef struct lm_span {
    uint64_t offset;
    uint64_t count;
} lm_span;

/* One operation of a stage; what flags and arguments mean is up to the row of its kind. */
typedef struct lm_stage_op {
    uint16_t kind; /* row of the stage's table (stage.h) */
    uint16_t flags;
    uint32_t unused; /* 0 */
    lm_span args;
} lm_stage_op;

/*
 * A cell of a double array trie (Aoe 1989): payload, flag and label. A node's label is 1 + the byte
 * that leads to it; roots, which stand below cell 256, and cells that are no node have label 0.
 *
 * Where a key ends and none goes on (a leaf), the flag is set and the payload is the key's value.
 * Any other node's payload is a place p: its child by byte b is cell p + b, if that has label b
 * + 1. Cell p - 1 is the node's own: with the flag, its payload is the value of the key that ends
 * there. A node without a value owns p - 2 too. What these two hold is up to the trie's user.
 */
typedef uint32_t lm_cell;

#define LM_CELL_LABEL UINT32_C(0x1ff)
#define LM_CELL_FLAG UINT32_C(0x200)
#define LM_CELL_SHIFT 10
#define LM_CELL_LIMIT ((size_t)1 << (32 - LM_CELL_SHIFT)) /* payloads are below it */

static inline uint32_t
lm_cell_payload(lm_cell cell)
{
    return cell >> LM_CELL_SHIFT;
}

static inline lm_cell
lm_cell_make(uint32_t payload, bool flag)
{
    return payload << LM_CELL_SHIFT | (flag ? LM_CELL_FLAG : 0);
}

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
#define LM_FUSED_SHIFT 6

typedef struct lm_fused {
    uint32_t present;
    uint16_t ascii[128]; /* kind << 8 | byte */
    lm_span block;       /* uint16_t, by c >> LM_FUSED_SHIFT */
    lm_span value;       /* uint32_t, what becomes of the scalar value; equal blocks once */
    lm_span lists;       /* uint32_t, a length, then letters */
} lm_fused;

/* How byte-level BPE reads texts as bytes (byte_words.c). */
typedef struct lm_byte_words {
    uint32_t rule;   /* of word_rules.c; 0: it does not */
    uint16_t prefix; /* a stretch begins with a space, if it has none */
    uint16_t nfc;    /* the normalizer is NFC: where it changes a text, that goes the staged way */
    lm_span ids;     /* int32_t: the tokens of the 256 bytes */
} lm_byte_words;

enum { LM_TOKEN_PRESENT = 1, LM_TOKEN_SPECIAL = 2, LM_TOKEN_FLAG_BITS = 2 };

#define LM_TEXT_RUN 16

typedef struct lm_renamed {
    int32_t id;
    uint32_t start, length; /* in written */
} lm_renamed;

typedef struct lm_token_image {
    uint32_t magic;
    uint32_t layout;
    uint64_t size;
    int32_t vocab_size;
    uint32_t cuts_left; /* texts that are too long lose their beginning, not their end */
    lm_span text_start; /* uint32_t, in text, of every LM_TEXT_RUN-th id */
    lm_span text; /* by id: length and flags (vocab.c), then the text as the reference shows it */
    lm_span renamed; /* lm_renamed, by id: how such tokens are written */
    lm_span written; /* char */
    lm_span trie;    /* lm_cell: tokens as they are written, from cell trie_root on */
    lm_span tries;   /* uint32_t, cells of `trie` where further tries begin (wordlevel.c) */
    uint32_t trie_root;
    uint32_t model;     /* row of the table of models (models.c) */
    lm_span settings;   /* of the model, which knows what they are */
    lm_span others;     /* int32_t, ids of tokens that are no keys of the trie, by text */
    lm_span normalizer; /* lm_stage_op, as the next three */
    lm_span pretokenizer;
    lm_span postprocessor; /* what it does to offsets (trim.h); its templates are below */
    lm_span decoder;
    lm_fused fused;
    uint64_t words; /* characters of ASCII that cut words, by bit (words.c) */
    lm_byte_words byte_words;
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

/* What a model sets in the header when its arrays are in place. */
static inline void
lm_image_set_model(lm_buffer *out, size_t start, lm_span settings, lm_span trie, uint32_t root)
{
    lm_token_image *image = (lm_token_image *)(out->data + start);

    image->settings = settings;
    image->trie = trie;
    image->trie_root = root;
}

#endif
