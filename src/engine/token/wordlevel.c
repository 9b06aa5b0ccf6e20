/*
 * wordlevel.c - the model WordLevel: a word is a token of the vocabulary as a whole, or unknown.
 */
#include "token/wordlevel.h"

#include "token/word_tries.h"

static lm_status read_unk(lm_context *ctx, const lm_json *model, const lm_vocab *vocab,
                          int32_t *unk);

static lm_status
compile_wordlevel(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start,
                  lm_buffer *out)
{
    lm_span cells, settings;
    int32_t unk;

    LM_TRY(read_unk(ctx, model, vocab, &unk));
    LM_TRY(lm_word_tries_write(ctx, vocab, start, out, &cells));
    LM_TRY(lm_image_append(out, start, &unk, 1, sizeof unk, &settings));
    lm_image_set_model(out, start, settings, cells, LM_WORD_ROOT);
    return LM_OK;
}

/* The reference fails at the first word that needs an unknown token which is not there. */
static lm_status
read_unk(lm_context *ctx, const lm_json *model, const lm_vocab *vocab, int32_t *unk)
{
    lm_field field = {model, "model"};
    const lm_json *text;

    LM_TRY(lm_field_string(ctx, field, "unk_token", &text));
    *unk = lm_vocab_find(vocab, text->as.string.bytes, text->as.string.length);
    if (*unk < 0 || vocab->tokens[*unk].added)
        return lm_field_wrong(ctx, field, "unk_token", text, "a token of model.vocab");
    return LM_OK;
}

/* ---------------------------------------------------------------- the walk */

typedef struct walk {
    lm_word_walk word;
    const int32_t *at; /* not needed: the one token has the place of the word */
    uint32_t chars;
    int32_t unk;
    size_t mark;
    bool bad;
} walk;

static inline void
walk_init(walk *walk, const lm_token_image *image)
{
    lm_word_walk_init(&walk->word, image);
    walk->unk = *(const int32_t *)lm_image_at(image, image->settings);
}

static inline void
walk_begin(walk *walk, const lm_encode_state *state)
{
    lm_word_walk_begin(&walk->word);
    walk->chars = 0;
    walk->mark = state->out->count;
    walk->bad = false;
}

/* Words may be of any length. */
static inline bool
walk_has_room(const walk *walk)
{
    return true;
}

static inline bool
walk_byte(walk *walk, lm_encode_state *state, unsigned char byte, bool offsets)
{
    return lm_word_walk_byte(&walk->word, byte);
}

static inline void
walk_end(walk *walk, lm_encode_state *state, int32_t start, int32_t stop, bool offsets)
{
    int32_t id = walk->bad ? -1 : lm_word_walk_end(&walk->word);

    lm_encode_span(state, id >= 0 ? id : walk->unk, start, stop, offsets);
}

#include "token/fused_loop.h"

static int32_t
unknown_of(const void *settings)
{
    return *(const int32_t *)settings;
}

const lm_token_model lm_wordlevel_model = {.name = "WordLevel",
                                           .read_vocab = lm_vocab_read,
                                           .compile = compile_wordlevel,
                                           .run = walk_word,
                                           .walk = walk_text,
                                           .unknown = unknown_of};
