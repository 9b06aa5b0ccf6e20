/*
 * model.h - what a model of tokenizer.json is: its row in the table (models.c). It turns a word of
 * normalized characters into tokens.
 */
#ifndef LM_TOKEN_MODEL_H
#define LM_TOKEN_MODEL_H

#include "token/encode_state.h"
#include "token/fields.h"
#include "token/vocab.h"

typedef struct lm_token_model {
    const char *name; /* its type in tokenizer.json */
    /* Reads model.vocab; `added` tokens will be added. */
    lm_status (*read_vocab)(lm_context *ctx, lm_arena *arena, const lm_json *model, size_t added,
                            lm_vocab *vocab);
    /*
     * Appends what the model needs to the image, and sets its header's settings, trie and
     * trie_root; marks the tokens that are keys of the trie.
     */
    lm_status (*compile)(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start,
                         lm_buffer *out);
    /* One word of normalized characters, with the place of each in the text. */
    lm_status (*run)(lm_encode_state *state, const uint32_t *c, const int32_t *at, size_t count);
    /*
     * A stretch of text by the table of the fast path: from `place` to byte `stop`, or until the
     * state pauses; `place` says where to go on. NULL: texts take the staged way.
     */
    lm_status (*walk)(lm_encode_state *state, const char *text, size_t stop, lm_place *place);
    /* The id of a word that has no token, by the image's settings of the model; -1: none. */
    int32_t (*unknown)(const void *settings);
    /* Whether a token goes on with a word that another one began. NULL: no token tells. */
    bool (*continues)(const lm_token_image *image, int32_t id);
    /* Whether pieces that go on with a word are written with a mark. NULL: they never are. */
    bool (*marks_pieces)(const void *settings);
    /* An unknown token has the text of its word: what would be trimmed of it (trim.h) is not known.
     */
    bool unknown_is_word;
} lm_token_model;

#endif
