/*
 * vocab.h - the vocabulary: ids and texts of tokens, added tokens included.
 */
#ifndef LM_VOCAB_H
#define LM_VOCAB_H

#include "token/fields.h"
#include "token/image.h"

/* One token while the tokenizer is compiled; text lies in the parsed JSON. */
/* Beside LM_ADDED_*: the token is looked for in normalized text. */
#define LM_VOCAB_NORMALIZED 16

typedef struct lm_vocab_token {
    const char *text; /* NULL: no token has this id */
    size_t length;
    const char *shown; /* the form to show, where it is another than text; else NULL */
    size_t shown_length;
    bool added;    /* by added_tokens only: the model does not know it */
    bool listed;   /* in added_tokens */
    bool named;    /* by another file than tokenizer.json (reference.c) */
    uint8_t flags; /* where listed: LM_ADDED_SINGLE_WORD, _LSTRIP, _RSTRIP, LM_VOCAB_NORMALIZED */
    bool special;
    bool is_key; /* of the model's trie, by its text */
} lm_vocab_token;

typedef struct lm_vocab {
    lm_vocab_token *tokens; /* by id */
    int32_t max_vocab;
    int32_t size;       /* highest id + 1 */
    size_t model_count; /* tokens of the model */
    int32_t *slots;     /* open addressing by text: id, or -1 */
    size_t slot_count;  /* a power of two */
} lm_vocab;

/* The members of model.vocab. */
lm_status lm_vocab_read(lm_context *ctx, lm_arena *arena, const lm_json *model, int32_t max_vocab,
                        size_t added_count, lm_vocab *vocab);

/* One token more, by added_tokens. The text must not be there yet. */
lm_status lm_vocab_add(lm_context *ctx, lm_vocab *vocab, const char *path, const char *text,
                       size_t length, int64_t id);

/* -1 when absent. */
int32_t lm_vocab_find(const lm_vocab *vocab, const char *text, size_t length);

/* After the model is compiled. */
lm_status lm_vocab_write(lm_context *ctx, const lm_vocab *vocab, size_t start, lm_buffer *out);

/* A token as it is written in a text, which is how it is looked up; NULL when there is none. */
const char *lm_token_written(const lm_token_image *image, int32_t id, size_t *length);

#endif
