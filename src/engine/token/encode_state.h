/*
 * encode_state.h - what the stages share while one text is tokenized: the image, the scratch, the
 * output.
 *
 * Tokens go straight to the encoding. A failure to grow it is kept in `status`, which callers look
 * at after each word; tokens that found no room are dropped until then.
 */
#ifndef LM_ENCODE_STATE_H
#define LM_ENCODE_STATE_H

#include "token/image.h"
#include "token/tokenizer.h"
#include "token/word_cache.h"

/* Characters of a text on their way through the normalizer, with their places in it. */
typedef struct lm_chars {
    uint32_t *c;
    int32_t *at; /* character of the text that each comes from; never falls */
    size_t count;
    size_t capacity;
} lm_chars;

/* Half-open ranges of characters: words. */
typedef struct lm_range {
    size_t start, stop;
} lm_range;

typedef struct lm_ranges {
    lm_range *items;
    size_t count;
    size_t capacity;
} lm_ranges;

struct lm_token_scratch {
    lm_context *ctx;
    lm_chars chars, spare; /* a stage reads the first, writes the second, and swaps them */
    lm_chars changed;      /* takes turns with `spare` while a pre-tokenizer changes characters */
    lm_ranges words, spare_words;
    lm_buffer utf8;                 /* normalized text as bytes, for the matcher */
    lm_buffer at;                   /* int32_t: places of the characters of one word (fused.c) */
    lm_buffer word;                 /* one word as bytes (bpe.c, unigram_model.c) … */
    lm_buffer symbols, links, heap; /* … what it is made of while it is merged … */
    lm_buffer nodes;                /* … and the best ways to its bytes */
    lm_word_cache cache;
    lm_word_cache texts; /* words as they stand in texts (words.c) */
    lm_encoding a, b;    /* the texts of a pair; a: one part of a text whose tokens are counted */
};

/* A place in a text, between two characters. */
typedef struct lm_place {
    size_t byte;
    int32_t at; /* characters before it; kept only when offsets are asked for */
} lm_place;

typedef struct lm_encode_state {
    lm_context *ctx;
    const lm_token_image *image;
    const struct lm_token_model *model;
    uint64_t serial; /* of the view */
    size_t stretch;  /* where the stretch of plain text starts that is under way */
    lm_token_scratch *scratch;
    lm_encoding *out;
    size_t limit; /* more tokens than this in `out` are certain to be cut */
    size_t pause; /* stops between two words once `out` has this many */
    size_t first; /* of the text's own tokens, in `out`; SIZE_MAX: an earlier part has it */
    bool offsets;
    bool words; /* the first token of each is marked */
    bool parse_special;
    bool trims; /* offsets leave white space out (trim.h) */
    lm_status status;
} lm_encode_state;

/* Steps of a loop over characters between two polls; short texts need none. */
#define LM_STEPS_PER_POLL ((size_t)1 << 16)

/* To be called at every step of such a loop. */
static inline lm_status
lm_poll_step(lm_context *ctx, size_t step)
{
    return (step + 1) % LM_STEPS_PER_POLL == 0 ? lm_poll(ctx) : LM_OK;
}

lm_status lm_encoding_reserve(lm_encoding *encoding, size_t capacity);
/* Take `count` tokens out, from number `at` on. */
void lm_encoding_drop(lm_encoding *encoding, size_t at, size_t count);
lm_status lm_chars_reserve(lm_context *ctx, lm_chars *chars, size_t capacity);
/* Valid UTF-8 to characters and back; `first` is the place of the first one. Each replaces `to`. */
lm_status lm_chars_decode(lm_context *ctx, lm_chars *to, const char *text, size_t length,
                          int32_t first);
/* Append valid UTF-8 as uint32_t. */
lm_status lm_buffer_append_chars(lm_buffer *to, const char *text, size_t length);
lm_status lm_chars_encode(lm_context *ctx, const lm_chars *from, lm_buffer *to);
lm_status lm_ranges_add(lm_context *ctx, lm_ranges *ranges, size_t start, size_t stop);

/* Callers have made room. */
static inline void
lm_chars_put(lm_chars *to, uint32_t c, int32_t at)
{
    to->c[to->count] = c;
    to->at[to->count++] = at;
}

static inline bool
lm_encode_full(const lm_encode_state *state)
{
    return state->out->count > state->limit;
}

/* The text itself may go on: what stands in `out` is final. */
static inline bool
lm_encode_pauses(const lm_encode_state *state)
{
    return state->out->count >= state->pause;
}

/* A token that stands at [start, stop) of the text. */
static inline void
lm_encode_span(lm_encode_state *state, int32_t id, int32_t start, int32_t stop, bool offsets)
{
    lm_encoding *out = state->out;

    if (__builtin_expect(out->count == out->capacity, 0)) {
        if (state->status == LM_OK)
            state->status = lm_encoding_reserve(out, out->count + 1);
        if (state->status != LM_OK)
            return;
    }
    out->ids[out->count] = id;
    if (offsets) {
        out->start[out->count] = start;
        out->stop[out->count] = stop;
        out->begins[out->count] = 1;
    }
    out->count++;
}

/* A token of the word's characters [from, to), which stand at at[…] in the text. */
static inline void
lm_encode_token(lm_encode_state *state, int32_t id, const int32_t *at, size_t from, size_t to,
                bool offsets)
{
    if (offsets)
        lm_encode_span(state, id, at[from], at[to - 1] + 1, true);
    else
        lm_encode_span(state, id, 0, 0, false);
}

#endif
