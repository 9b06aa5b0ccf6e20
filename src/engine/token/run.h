/*
 * run.h - what the stages share while one text is tokenized: the image, the scratch, the output.
 *
 * Tokens go straight to the encoding. A failure to grow it is kept in `status`, which callers look
 * at after each word; tokens that found no room are dropped until then.
 */
#ifndef LM_TOKEN_RUN_H
#define LM_TOKEN_RUN_H

#include "token/image.h"
#include "token/tokenizer.h"

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
    lm_ranges words, spare_words;
    lm_buffer utf8;   /* normalized text as bytes, for the matcher */
    lm_buffer at;     /* int32_t: places of the characters of one word (fused.c) */
    lm_encoding a, b; /* the texts of a pair; a: one part of a text whose tokens are counted */
};

/* A place in a text, between two characters. */
typedef struct lm_place {
    size_t byte;
    int32_t at; /* characters before it; kept only when offsets are asked for */
} lm_place;

typedef struct lm_run {
    lm_context *ctx;
    const lm_token_image *image;
    lm_token_scratch *scratch;
    lm_encoding *out;
    size_t limit; /* more tokens than this in `out` are certain to be cut */
    size_t pause; /* with so many in `out` the run stops between two words */
    bool offsets;
    bool parse_special;
    lm_status status;
} lm_run;

/* Steps of a loop over characters between two polls; short texts need none. */
#define LM_STEPS_PER_POLL ((size_t)1 << 16)

/* To be called at every step of such a loop. */
static inline lm_status
lm_run_poll(lm_context *ctx, size_t step)
{
    return (step + 1) % LM_STEPS_PER_POLL == 0 ? lm_poll(ctx) : LM_OK;
}

lm_status lm_encoding_reserve(lm_encoding *encoding, size_t capacity);
lm_status lm_chars_reserve(lm_context *ctx, lm_chars *chars, size_t capacity);
/* Valid UTF-8 to characters and back; `first` is the place of the first one. Each replaces `to`. */
lm_status lm_chars_decode(lm_context *ctx, lm_chars *to, const char *text, size_t length,
                          int32_t first);
lm_status lm_chars_encode(lm_context *ctx, const lm_chars *from, lm_buffer *to);
lm_status lm_ranges_add(lm_context *ctx, lm_ranges *ranges, size_t start, size_t stop);

static inline bool
lm_run_full(const lm_run *run)
{
    return run->out->count > run->limit;
}

/* The text itself may go on: what stands in `out` is final. */
static inline bool
lm_run_pauses(const lm_run *run)
{
    return run->out->count >= run->pause;
}

/* A token that stands at [start, stop) of the text. */
static inline void
lm_run_emit_span(lm_run *run, int32_t id, int32_t start, int32_t stop, bool offsets)
{
    lm_encoding *out = run->out;

    if (__builtin_expect(out->count == out->capacity, 0)) {
        if (run->status == LM_OK)
            run->status = lm_encoding_reserve(out, out->count + 1);
        if (run->status != LM_OK)
            return;
    }
    out->ids[out->count] = id;
    if (offsets) {
        out->start[out->count] = start;
        out->stop[out->count] = stop;
    }
    out->count++;
}

/* A token of the word's characters [from, to), which stand at at[…] in the text. */
static inline void
lm_run_emit(lm_run *run, int32_t id, const int32_t *at, size_t from, size_t to, bool offsets)
{
    if (offsets)
        lm_run_emit_span(run, id, at[from], at[to - 1] + 1, true);
    else
        lm_run_emit_span(run, id, 0, 0, false);
}

#endif
