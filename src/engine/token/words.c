/*
 * words.c - cuts a stretch of text at white space of ASCII, and gives each word to the stages, or
 * repeats what they made of it before.
 *
 * A word stands for itself where no grapheme cluster reaches over its ends, and where its first
 * cluster and that cluster's first character stay: what a map (precompiled.c) drops goes with the
 * character before. Words of which this is not sure go to the stages together with what is beside
 * them.
 */
#include "token/words.h"

#include <string.h>

#include "base/grapheme.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "token/match.h"
#include "token/normalize.h"
#include "token/pretokenize.h"
#include "token/staged.h"

#define POLL_BYTES ((size_t)1 << 16)

/* Of a cached word's length: it stands at the start of the text, where Metaspace may differ. */
#define AT_START 0x80u

/* White space of ASCII; what a map drops of it does not cut. */
static const char spaces[] = "\t\n\v\f\r ";

/* By the header's `words`, which has a bit for each character that cuts. */
static inline bool
is_cut(uint64_t cuts, char c)
{
    return (unsigned char)c <= ' ' && cuts >> (unsigned char)c & 1;
}

/* ---------------------------------------------------------------- compilation */

/* Whether the normalizer leaves white space, and nothing else, of a text. */
static lm_status
stays_space(lm_context *ctx, const lm_token_image *image, lm_token_scratch *scratch,
            const char *text, size_t length, bool *stays)
{
    LM_TRY(lm_chars_decode(ctx, &scratch->chars, text, length, 0));
    LM_TRY(lm_normalizer_run(ctx, image, &scratch->chars, &scratch->spare));
    *stays = *stays && scratch->chars.count > 0;
    for (size_t i = 0; i < scratch->chars.count; i++)
        *stays = *stays && lm_unicode_flags(scratch->chars.c[i]) & LM_UNICODE_SPACE;
    return LM_OK;
}

lm_status
lm_words_compile(lm_context *ctx, lm_token_scratch *scratch, size_t start, lm_buffer *out)
{
    lm_token_image *image = (lm_token_image *)(out->data + start);
    bool words = lm_matcher_is_empty(&image->normalized) && lm_normalizer_keeps_words(image) &&
                 lm_pretokenizer_ends(image) == LM_OP_ENDS_AT_SPACE;
    uint64_t cuts = 0;

    for (size_t i = 0; words && spaces[i]; i++) {
        bool stays = true;

        LM_TRY(stays_space(ctx, image, scratch, &spaces[i], 1, &stays));
        LM_TRY(spaces[i] == '\r' || spaces[i] == '\n'
                   ? stays_space(ctx, image, scratch, "\r\n", 2, &stays)
                   : LM_OK);
        cuts |= (uint64_t)stays << spaces[i];
    }
    image->words = cuts;
    return LM_OK;
}

/* ---------------------------------------------------------------- where words end */

typedef struct walker {
    lm_encode_state *state;
    const char *text;
    size_t stop;
    uint64_t cuts;
    lm_place place; /* all before it is done */
} walker;

static inline size_t
skip_spaces(const walker *w, size_t byte)
{
    while (byte < w->stop && is_cut(w->cuts, w->text[byte]))
        byte++;
    return byte;
}

static inline size_t
word_end(const walker *w, size_t byte)
{
    while (byte < w->stop && !is_cut(w->cuts, w->text[byte]))
        byte++;
    return byte;
}

static bool
is_plain_at(const walker *w, size_t byte)
{
    int bytes;

    return !(w->text[byte] & 0x80) || lm_grapheme_is_plain(lm_utf8_decode(w->text + byte, &bytes));
}

/* The last character before a byte. */
static size_t
char_before(const walker *w, size_t byte)
{
    do
        byte--;
    while (((unsigned char)w->text[byte] & 0xc0) == 0x80);
    return byte;
}

/* Whether clusters end where the word does, which has a byte at least. */
static inline bool
is_closed(const walker *w, size_t start, size_t end)
{
    if (!((w->text[start] | w->text[end - 1]) & 0x80))
        return true;
    return is_plain_at(w, start) && is_plain_at(w, char_before(w, end));
}

/*
 * Where the stretch ends that a word which ends at `end` belongs to: behind the first word from
 * there on after which no cluster reaches over white space.
 */
static lm_status
find_end(const walker *w, size_t end, size_t *stop)
{
    for (size_t words = 0;; words++) {
        size_t next = skip_spaces(w, end);

        LM_TRY(lm_poll_step(w->state->ctx, words));
        *stop = next < w->stop ? end : w->stop;
        if (next == w->stop || (is_plain_at(w, char_before(w, end)) && is_plain_at(w, next)))
            return LM_OK;
        end = word_end(w, next);
    }
}

/* ---------------------------------------------------------------- words by the stages */

/* Whether nothing stays of a piece of the text. */
static lm_status
drops(const walker *w, size_t byte, size_t end, bool *dropped)
{
    lm_token_scratch *scratch = w->state->scratch;

    LM_TRY(lm_chars_decode(w->state->ctx, &scratch->chars, w->text + byte, end - byte, 0));
    LM_TRY(lm_normalizer_run(w->state->ctx, w->state->image, &scratch->chars, &scratch->spare));
    *dropped = scratch->chars.count == 0;
    return LM_OK;
}

/* Whether nothing stays of the first cluster from a byte on, or of that cluster's first character.
 */
static lm_status
drops_first(const walker *w, size_t byte, bool *dropped)
{
    lm_grapheme_state cluster = {0};
    size_t end = byte;
    int bytes, first;

    lm_utf8_decode(w->text + byte, &first);
    for (size_t steps = 0; end < w->stop; end += (size_t)bytes) {
        LM_TRY(lm_poll_step(w->state->ctx, steps++));
        if (lm_grapheme_next(&cluster, lm_utf8_decode(w->text + end, &bytes)))
            break;
    }
    LM_TRY(drops(w, byte, end, dropped));
    if (*dropped || end == byte + (size_t)first)
        return LM_OK;
    return drops(w, byte, byte + (size_t)first, dropped);
}

/*
 * The place of a byte that is not before the walker's; without offsets all that counts is whether
 * it is the first.
 */
static int32_t
place_of(const walker *w, size_t byte)
{
    if (!w->state->offsets)
        return (int32_t)byte;
    return w->place.at + (int32_t)lm_utf8_count(w->text + w->place.byte, byte - w->place.byte);
}

static void
move_to(walker *w, size_t byte)
{
    if (w->state->offsets)
        w->place.at = place_of(w, byte);
    w->place.byte = byte;
}

/* The stages take all up to `end`, from a byte on that is not before the place. */
static lm_status
run_stages(walker *w, size_t byte, size_t end)
{
    LM_TRY(lm_staged_run(w->state, w->text + byte, end - byte, place_of(w, byte)));
    move_to(w, end);
    return w->state->status;
}

/* ---------------------------------------------------------------- words that are remembered */

/*
 * A token's place in a word of at most 24 bytes: in five bits where it stops, in three how far its
 * start is from where the token before it stops.
 */
#define MIN_STEP (-5)

static bool
pack_place(int32_t start, int32_t stop, int32_t before, uint8_t *packed)
{
    int32_t step = start - before;

    if (step < MIN_STEP || step > MIN_STEP + 7 || stop < 0 || stop > 31)
        return false;
    *packed = (uint8_t)(stop | (step - MIN_STEP) << 5);
    return true;
}

/*
 * Keep the tokens from `mark` on, which stand at `first` and behind, in the second of the word's
 * places.
 */
static void
keep_tokens(const lm_encoding *out, size_t mark, int32_t first, const uint64_t key[3],
            unsigned length, lm_cached_word *set)
{
    lm_cached_word word = {.length = (uint8_t)length, .count = (uint8_t)(out->count - mark)};
    int32_t before = 0;

    memcpy(word.key, key, sizeof word.key);
    for (size_t i = 0; i < word.count; i++) {
        int32_t start = out->start[mark + i] - first, stop = out->stop[mark + i] - first;

        if (!pack_place(start, stop, before, &word.lengths[i]))
            return;
        word.ids[i] = out->ids[mark + i];
        before = stop;
    }
    set[0] = set[1];
    set[1] = word;
}

/* Tokens of a word, which stands at `first`. */
static inline void
repeat_tokens(lm_encode_state *state, const lm_cached_word *word, int32_t first)
{
    lm_encoding *out = state->out;
    int32_t before = first;

    if (__builtin_expect(out->capacity - out->count >= LM_CACHED_TOKENS, 1)) {
        memcpy(out->ids + out->count, word->ids, sizeof word->ids);
        for (size_t i = 0; state->offsets && i < word->count; i++) {
            out->start[out->count + i] = before + (word->lengths[i] >> 5) + MIN_STEP;
            before = out->stop[out->count + i] = first + (word->lengths[i] & 31);
        }
        out->count += word->count;
        return;
    }
    for (size_t i = 0; i < word->count; i++) {
        int32_t start = before + (word->lengths[i] >> 5) + MIN_STEP;

        before = first + (word->lengths[i] & 31);
        lm_encode_span(state, word->ids[i], start, before, state->offsets);
    }
}

/* The stages take a word, with offsets: these are remembered. */
static lm_status
learn_word(walker *w, size_t byte, size_t end, const uint64_t key[3], unsigned length,
           lm_cached_word *set)
{
    lm_encode_state *state = w->state;
    const size_t mark = state->out->count;
    const bool offsets = state->offsets;
    const int32_t first = place_of(w, byte);
    lm_status status;

    state->offsets = true;
    status = lm_staged_run(state, w->text + byte, end - byte, first);
    state->offsets = offsets;
    LM_TRY(status);
    LM_TRY(state->status);
    if (!lm_encode_full(state) && state->out->count - mark <= LM_CACHED_TOKENS) {
        keep_tokens(state->out, mark, first, key, length, set);
        state->scratch->texts.kept++;
    }
    move_to(w, end);
    return LM_OK;
}

/* A closed word that was not met before. */
static lm_status
take_new(walker *w, size_t byte, size_t end, const uint64_t key[3], unsigned length,
         lm_cached_word *set)
{
    bool dropped;

    LM_TRY(drops_first(w, byte, &dropped));
    if (dropped)
        return run_stages(w, w->place.byte, end);
    if (!set)
        return run_stages(w, byte, end);
    return learn_word(w, byte, end, key, length, set);
}

static inline lm_status
take_closed(walker *w, size_t byte, size_t end)
{
    const size_t length = end - byte;
    const lm_cached_word *known;
    lm_cached_word *set;
    unsigned marked = (unsigned)length | (byte == 0 ? AT_START : 0);
    uint64_t key[3];

    if (length > LM_CACHED_BYTES)
        return take_new(w, byte, end, NULL, 0, NULL);
    lm_cache_key(w->text + byte, length, w->stop - byte, key);
    set = lm_cache_set(&w->state->scratch->texts, key);
    known = lm_cache_find(set, key, marked);
    if (!known)
        return take_new(w, byte, end, key, marked, set);
    repeat_tokens(w->state, known, w->state->offsets ? place_of(w, byte) : 0);
    move_to(w, end);
    return w->state->status;
}

/* ---------------------------------------------------------------- a stretch */

/* The next word, with the white space before it; the place moves to the word's end. */
static lm_status
take_word(walker *w)
{
    size_t byte = skip_spaces(w, w->place.byte), end;

    if (byte == w->stop) {
        move_to(w, byte);
        return LM_OK;
    }
    end = word_end(w, byte);
    if (is_closed(w, byte, end))
        return take_closed(w, byte, end);
    LM_TRY(find_end(w, end, &end));
    return run_stages(w, w->place.byte, end);
}

/* What is dropped at the start of a stretch moves all places behind it. */
static lm_status
check_start(walker *w)
{
    bool dropped = false;

    if (!is_cut(w->cuts, w->text[w->place.byte]))
        LM_TRY(drops_first(w, w->place.byte, &dropped));
    return dropped ? run_stages(w, w->place.byte, w->stop) : LM_OK;
}

/* A stretch that goes on does so behind a word, at white space. */
lm_status
lm_words_run(lm_encode_state *state, const char *text, size_t stop, lm_place *place)
{
    walker w = {state, text, stop, state->image->words, *place};
    size_t poll = place->byte + POLL_BYTES;

    LM_TRY(lm_word_cache_open(state->ctx, &state->scratch->texts, state->serial));
    LM_TRY(check_start(&w));
    while (w.place.byte < stop && !lm_encode_pauses(state)) {
        LM_TRY(take_word(&w));
        if (w.place.byte >= poll) {
            LM_TRY(lm_poll(state->ctx));
            poll = w.place.byte + POLL_BYTES;
        }
    }
    *place = w.place;
    return LM_OK;
}
