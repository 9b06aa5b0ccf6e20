/*
 * stage.h - the stages of tokenizer.json around the model. Each has a table of kinds, by the names
 * that the file uses; a kind compiles to operations, and a stage is a list of these in the image.
 *
 * A kind is one row. A Sequence appends what its members append: lists are flat.
 */
#ifndef LM_TOKEN_STAGE_H
#define LM_TOKEN_STAGE_H

#include "base/notes.h"
#include "token/encode_state.h"
#include "token/fields.h"
#include "token/vocab.h"

#define LM_MAX_STAGE_OPS 16

/* What is known of an operation. Nothing is a safe answer: then texts take the slower way. */
enum {
    LM_OP_LOCAL = 1,    /* of a normalizer: it maps each character by itself … */
    LM_OP_REORDERS = 2, /* … except marks that are kept, which it puts into canonical order */
    /*
     * White space of ASCII stays where it is, and what stands before it changes nothing of what
     * comes after it, nor the other way round.
     */
    LM_OP_KEEPS_SPACE = 4,
    LM_OP_ENDS_AT_SPACE = 8, /* of a pre-tokenizer: white space of ASCII ends a word */
    /* A space behind a letter or digit of ASCII ends a word; so it is safe to stop before it. */
    LM_OP_ENDS_BEFORE_SPACE = 16,
    /* As LM_OP_KEEPS_SPACE, but for characters that form grapheme clusters with it. */
    LM_OP_KEEPS_WORDS = 32
};

/* The texts of tokens while they are decoded: one behind the other, each with its end. */
typedef struct lm_token_texts {
    lm_buffer bytes;
    lm_buffer ends; /* size_t */
} lm_token_texts;

/* A normalizer reads `from` and writes `to`, which has room for more than from->count. */
typedef lm_status lm_normalize_op(lm_context *ctx, const lm_token_image *image,
                                  const lm_stage_op *op, const lm_chars *from, lm_chars *to);
/* A pre-tokenizer appends the words of one range of characters. */
typedef lm_status lm_cut_op(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                            const uint32_t *c, lm_range range, lm_ranges *words);
/*
 * One that changes characters: it appends what becomes of a range of `from` to `to`, each with its
 * place in the text, and the words as ranges of `to`. It makes room itself.
 */
typedef lm_status lm_change_op(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                               const lm_chars *from, lm_range range, lm_chars *to,
                               lm_ranges *words);
/* A decoder reads all texts and appends as many as it leaves to `to`, which is empty. */
typedef lm_status lm_decode_op(lm_context *ctx, const lm_token_image *image, const lm_stage_op *op,
                               const lm_token_texts *from, lm_token_texts *to);

typedef struct lm_stage_compiler lm_stage_compiler;

/* What runs is one of the last five, by the stage; none where other rows' operations do it all. */
typedef struct lm_stage_kind {
    const char *name; /* its type in tokenizer.json; NULL: other rows append it */
    lm_status (*compile)(lm_stage_compiler *c, lm_field field); /* NULL: nothing is to be read */
    unsigned known;                                             /* LM_OP_… */
    lm_normalize_op *normalize;
    int (*role)(uint32_t c); /* cuts where each character has a role of its own (pretokenize.h) */
    lm_cut_op *cut;          /* in place of `role` */
    lm_change_op *change;    /* in place of `cut`, where characters change */
    lm_decode_op *decode;
} lm_stage_kind;

typedef struct lm_stage_table {
    const char *stage;        /* as tokenizer.json names it */
    const char *members;      /* the key of a Sequence's members … */
    const char *members_path; /* … and their path, for messages */
    const lm_stage_kind *kinds;
    size_t count;
} lm_stage_table;

/* What rows read and write while a stage is compiled. */
struct lm_stage_compiler {
    lm_context *ctx;
    lm_buffer *image; /* whose header lies at `start`; arguments are appended */
    size_t start;
    lm_notes *notes;                         /* may be NULL */
    const struct lm_bert_override *override; /* normalizer */
    const lm_vocab *vocab;                   /* post-processor */
    lm_buffer single, pair;                  /* lm_piece: its templates */
    bool has_template;                       /* a row filled them */
    const lm_stage_table *table;
    uint32_t count;
    lm_stage_op ops[LM_MAX_STAGE_OPS];
};

/* Start with an empty list, and add what a stage (NULL and JSON null: none) compiles to. */
lm_status lm_stage_compile(lm_stage_compiler *c, const lm_stage_table *table, const lm_json *stage);

/* Append the list to the image. */
lm_status lm_stage_write(lm_stage_compiler *c, lm_span *list);

/* For rows: the compile function of a Sequence. */
lm_status lm_stage_sequence(lm_stage_compiler *c, lm_field field);
/* For rows: append an operation of row `kind`, with flags, and with arguments of any type. */
lm_status lm_stage_add(lm_stage_compiler *c, unsigned kind);
lm_status lm_stage_add_flags(lm_stage_compiler *c, unsigned kind, unsigned flags);
lm_status lm_stage_add_args(lm_stage_compiler *c, unsigned kind, unsigned flags, const void *args,
                            size_t count, size_t size);

/* The same with a text as its argument, in characters (uint32_t). */
lm_status lm_stage_add_chars(lm_stage_compiler *c, unsigned kind, unsigned flags,
                             const lm_json *text);

/* Whether a list of the image is what was compiled, where no operation has arguments. */
bool lm_stage_equals(const lm_stage_compiler *c, const lm_token_image *image, lm_span list);

/* Whether every operation of a list has, and whether one has, what `known` says. */
bool lm_stage_all(const lm_stage_table *table, const lm_token_image *image, lm_span list,
                  unsigned known);
bool lm_stage_any(const lm_stage_table *table, const lm_token_image *image, lm_span list,
                  unsigned known);

#endif
