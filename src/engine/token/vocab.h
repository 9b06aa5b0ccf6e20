/*
 * vocab.h - the vocabulary: ids and texts of tokens, added tokens included.
 */
#ifndef LM_VOCAB_H
#define LM_VOCAB_H

#include "base/arena.h"
#include "token/fields.h"
#include "token/image.h"
#include "token/tokenizer.h"
#include "token/trie.h"

/* Beside LM_ADDED_*: the token is looked for in normalized text. */
#define LM_VOCAB_NORMALIZED 16

/* One token while the tokenizer is compiled; text lies in the parsed JSON. */
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
    bool is_key; /* of the trie, by its text */
} lm_vocab_token;

typedef struct lm_vocab {
    lm_vocab_token *tokens; /* by id */
    int32_t max_vocab;
    int32_t size;        /* highest id + 1 */
    size_t model_count;  /* tokens of the model */
    int32_t *buckets;    /* open addressing by text: id, or -1 */
    size_t bucket_count; /* a power of two */
    bool nearest_scores; /* the class reads scores by Python; the library rounds them twice */
} lm_vocab;

/* For rows of models: the members of model.vocab are ids by text. max_vocab is set. */
lm_status lm_vocab_read(lm_context *ctx, lm_arena *arena, const lm_json *model, size_t added,
                        lm_vocab *vocab);

/*
 * The same where model.vocab is a list of pieces, each with its score; ids are places in it. Of
 * equal texts the last one is found.
 */
lm_status lm_vocab_read_list(lm_context *ctx, lm_arena *arena, const lm_json *model, size_t added,
                             lm_vocab *vocab);

/* One token more, by added_tokens. The text must not be there yet. */
lm_status lm_vocab_add(lm_context *ctx, lm_vocab *vocab, const char *path, const char *text,
                       size_t length, int64_t id);

/* -1 when absent. */
int32_t lm_vocab_find(const lm_vocab *vocab, const char *text, size_t length);

/* The keys of such a trie, `*count` of them; they are marked. NULL after a failure; else free it.
 */
lm_status lm_vocab_keys(lm_context *ctx, lm_vocab *vocab, uint32_t root, lm_trie_key **keys,
                        size_t *count);

/*
 * For rows of models: a trie of all tokens of the model but an empty one, as they are written; they
 * are marked as keys. Free it also after a failure.
 */
lm_status lm_vocab_trie(lm_context *ctx, lm_vocab *vocab, uint32_t root, lm_trie *trie);

/* After the model is compiled. */
lm_status lm_vocab_write(lm_context *ctx, const lm_vocab *vocab, size_t start, lm_buffer *out);

/* lm_token_text and lm_token_is_special at once. */
const char *lm_token_find(const lm_tokenizer *tokenizer, int32_t id, size_t *length, bool *special);

/* A token as it is written in a text, which is how it is looked up; NULL when there is none. */
const char *lm_token_written(const lm_token_image *image, int32_t id, size_t *length);

#endif
