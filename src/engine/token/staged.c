/*
 * staged.c - normalize, look for normalized added tokens, cut into words, split words into pieces.
 */
#include "token/staged.h"

#include <string.h>

#include "base/utf8.h"
#include "token/match.h"
#include "token/model.h"
#include "token/normalize.h"
#include "token/pretokenize.h"
#include "token/split.h"
#include "token/trim.h"

#define WORDS_PER_POLL 4096

/* All tokens from `first` on are a word's; of them the first begins it. */
static void
mark_word(lm_encode_state *state, size_t first)
{
    const lm_encoding *out = state->out;

    if (state->words && out->count > first + 1)
        memset(out->begins + first + 1, 0, out->count - first - 1);
}

/* The words of scratch->chars.c[start, stop). */
static lm_status
run_words(lm_encode_state *state, size_t start, size_t stop)
{
    lm_token_scratch *scratch = state->scratch;
    const lm_chars *chars;
    size_t before = state->out->count;

    LM_TRY(lm_pretokenizer_run(state->ctx, state->image, start, stop, scratch, &chars));
    for (size_t i = 0; i < scratch->words.count && !lm_encode_full(state); i++) {
        lm_range word = scratch->words.items[i];
        size_t first = state->out->count;

        if (i % WORDS_PER_POLL == 0)
            LM_TRY(lm_poll(state->ctx));
        LM_TRY(state->model->run(state, chars->c + word.start, chars->at + word.start,
                                 word.stop - word.start));
        mark_word(state, first);
    }
    return lm_trim_tokens(state, before);
}

/* Stretches between added tokens, found in bytes; `c` follows them in characters. */
static lm_status
run_splits(lm_encode_state *state)
{
    lm_token_scratch *scratch = state->scratch;
    lm_split split;
    size_t byte = 0, c = 0;

    LM_TRY(lm_chars_encode(state->ctx, &scratch->chars, &scratch->utf8));
    lm_split_init(&split, state->ctx, state->image, &state->image->normalized, scratch->utf8.data,
                  scratch->utf8.size, state->parse_special);
    while (!lm_encode_full(state) && lm_split_next(&split)) {
        size_t start, stop;

        LM_TRY(lm_poll(state->ctx));
        if (split.start >= byte)
            start = c + lm_utf8_count(scratch->utf8.data + byte, split.start - byte);
        else
            start = c - lm_utf8_count(scratch->utf8.data + split.start, byte - split.start);
        stop = start + lm_utf8_count(scratch->utf8.data + split.start, split.stop - split.start);
        byte = split.stop;
        c = stop;
        if (split.id < 0)
            LM_TRY(run_words(state, start, stop));
        else if (start < stop) {
            lm_encode_token(state, split.id, scratch->chars.at, start, stop, state->offsets);
            LM_TRY(
                lm_trim_added(state, scratch->utf8.data + split.start, split.stop - split.start));
        }
    }
    return split.status == LM_OK ? state->status : split.status;
}

static bool
is_word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
may_stop(const char *text, size_t at, unsigned ends)
{
    if (ends == LM_OP_ENDS_BEFORE_SPACE)
        return text[at] == ' ' && at > 0 && is_word_byte(text[at - 1]);
    return text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r';
}

/*
 * White space of ASCII is a place to stop where every operation says so (LM_OP_KEEPS_SPACE): it is
 * never dropped, composes with nothing and stands between marks that are put into order. Normalized
 * added tokens may hold it, or look at what is beside them. Where words begin with their space, the
 * place is before a single one (LM_OP_ENDS_BEFORE_SPACE).
 */
lm_status
lm_staged_stop(lm_encode_state *state, const char *text, size_t byte, size_t stop, size_t wanted,
               size_t *end)
{
    const lm_token_image *image = state->image;
    const unsigned ends = lm_pretokenizer_ends(image);

    *end = stop;
    if (stop - byte <= wanted || !lm_matcher_is_empty(&image->normalized) ||
        !lm_normalizer_all(image, LM_OP_KEEPS_SPACE) || ends == 0)
        return LM_OK;
    for (size_t at = byte + wanted; at < stop; at++) {
        if (may_stop(text, at, ends)) {
            *end = at;
            return LM_OK;
        }
        LM_TRY(lm_poll_step(state->ctx, at));
    }
    return LM_OK;
}

/* All arrays are the scratch's: nothing is allocated once they have grown. */
lm_status
lm_staged_run(lm_encode_state *state, const char *text, size_t length, int32_t first)
{
    lm_token_scratch *scratch = state->scratch;

    LM_TRY(lm_chars_decode(state->ctx, &scratch->chars, text, length, first));
    LM_TRY(lm_normalizer_run(state->ctx, state->image, &scratch->chars, &scratch->spare));
    if (lm_matcher_is_empty(&state->image->normalized))
        return run_words(state, 0, scratch->chars.count);
    return run_splits(state);
}
