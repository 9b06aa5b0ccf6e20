/*
 * fused_loop.h - runs the table of the fast path: one body for every model, compiled into each.
 *
 * The file of a model includes this once, behind its walk over the bytes of a word:
 *   struct walk     with `at` (places of the word's characters, where offsets count), `chars` (how
 *                   many there are), `mark` (tokens before the word), `bad` (the word is unknown)
 *   walk_init       once for a stretch;  walk_begin  at each word
 *   walk_has_room   whether one more character may follow
 *   walk_byte       takes a byte; false: the word is unknown
 *   walk_end        emits what is left; [start, stop) is the place of the whole word
 * It gets two functions for its row: walk_text (`walk`) and walk_word (`run`).
 */
#ifndef LM_FUSED_LOOP_H
#define LM_FUSED_LOOP_H

#include "base/unicode.h"
#include "base/utf8.h"
#include "token/fused_table.h"
#include "token/staged.h"

/* A cancel is looked for after this many bytes of text. */
#define POLL_BYTES ((size_t)1 << 16)

/* A place in the stretch, as lm_place. */
typedef struct cursor {
    const unsigned char *p;
    int32_t at; /* the character's place in the text; follows only when offsets are asked for */
} cursor;

typedef struct reader {
    lm_encode_state *state;
    walk walk;
    const lm_fused *fused;
    const uint16_t *block;
    const uint32_t *value, *lists;
    const unsigned char *end;
    cursor now;
    cursor word;   /* where the current word starts */
    cursor resume; /* after the last character that was not dropped, when no word is open */
    bool in_word;
    int32_t last_at; /* of the current word */
} reader;

#define ALWAYS_INLINE static inline __attribute__((always_inline))

static lm_status read_stretch(reader *r, bool offsets);
static void take_other(reader *r, bool offsets);
static lm_status take_slow(reader *r);

/* Two copies of the loop: the one without offsets carries no places along. */
static lm_status
walk_text(lm_encode_state *state, const char *text, size_t stop, lm_place *place)
{
    const lm_token_image *image = state->image;
    reader r = {.state = state,
                .fused = &image->fused,
                .block = lm_image_at(image, image->fused.block),
                .value = lm_image_at(image, image->fused.value),
                .lists = lm_image_at(image, image->fused.lists),
                .end = (const unsigned char *)text + stop,
                .now = {(const unsigned char *)text + place->byte, place->at}};

    r.resume = r.now;
    walk_init(&r.walk, image);
    LM_TRY(state->offsets ? read_stretch(&r, true) : read_stretch(&r, false));
    place->byte = (size_t)(r.resume.p - (const unsigned char *)text);
    place->at = r.resume.at;
    return LM_OK;
}

/*
 * The walk reads places from the scratch, which may move when it grows. Without room for a place
 * the word is given up: its tokens would read places that are not there.
 */
static void
remember_place(reader *r)
{
    lm_buffer *at = &r->state->scratch->at;

    if (lm_buffer_append(at, &r->now.at, sizeof r->now.at) != LM_OK) {
        r->state->status = LM_NO_MEMORY;
        r->walk.bad = true;
    }
    r->walk.at = (const int32_t *)at->data;
    r->last_at = r->now.at;
}

/* A word opens at the current character. */
ALWAYS_INLINE void
begin_word(reader *r, bool offsets)
{
    walk_begin(&r->walk, r->state);
    r->word = r->now;
    r->in_word = true;
    if (offsets)
        r->state->scratch->at.size = 0;
}

/* A word closes before the current character; nothing happens when none is open. */
ALWAYS_INLINE void
end_word(reader *r, bool offsets)
{
    if (!r->in_word)
        return;
    walk_end(&r->walk, r->state, r->word.at, r->last_at + 1, offsets);
    r->in_word = false;
    r->resume = r->now;
}

/* Count one character of the word, whose bytes follow; false: the word is unknown. */
ALWAYS_INLINE bool
open_char(reader *r, bool offsets)
{
    if (offsets)
        r->last_at = r->now.at;
    if (r->walk.bad)
        return false;
    r->walk.bad = !walk_has_room(&r->walk);
    if (offsets && !r->walk.bad)
        remember_place(r);
    return !r->walk.bad;
}

/* One byte is one character here: the shortest way through. */
ALWAYS_INLINE void
put_ascii(reader *r, unsigned char byte, bool offsets)
{
    if (!r->in_word)
        begin_word(r, offsets);
    if (!open_char(r, offsets))
        return;
    r->walk.bad = !walk_byte(&r->walk, r->state, byte, offsets);
    r->walk.chars++;
}

/* A letter of any script, fed to the walk as UTF-8. */
static inline void
put_letter(reader *r, uint32_t c, bool offsets)
{
    char bytes[4];
    int length = lm_utf8_encode(c, bytes);

    if (!r->in_word)
        begin_word(r, offsets);
    if (!open_char(r, offsets))
        return;
    for (int i = 0; i < length && !r->walk.bad; i++)
        r->walk.bad = !walk_byte(&r->walk, r->state, (unsigned char)bytes[i], offsets);
    r->walk.chars++;
}

/* A character that is a word of its own. */
static inline void
put_alone(reader *r, uint32_t c, bool offsets)
{
    end_word(r, offsets);
    put_letter(r, c, offsets);
    end_word(r, offsets);
}

/*
 * ASCII goes by a table of its own. Limits and failures are looked at between words, a cancel
 * also within them.
 */
static lm_status
read_stretch(reader *r, bool offsets)
{
    const unsigned char *poll = r->now.p + POLL_BYTES;

    while (r->now.p < r->end) {
        unsigned entry;

        if (*r->now.p >= 0x80) {
            take_other(r, offsets);
        } else {
            entry = r->fused->ascii[*r->now.p];
            if (entry >> 8 == LETTER)
                put_ascii(r, (unsigned char)entry, offsets);
            else if (entry >> 8 == SPACE)
                end_word(r, offsets);
            else if (entry >> 8 == ALONE)
                put_alone(r, entry & 0xff, offsets);
            r->now.p++;
            r->now.at++;
            if (!r->in_word && entry >> 8 != DROP)
                r->resume = r->now;
        }
        if (r->in_word && r->now.p < poll)
            continue;
        LM_TRY(r->state->status);
        if (!r->in_word && lm_encode_pauses(r->state))
            return LM_OK;
        if (r->now.p >= poll) {
            LM_TRY(lm_poll(r->state->ctx));
            poll = r->now.p + POLL_BYTES;
        }
    }
    end_word(r, offsets);
    r->resume = r->now;
    return r->state->status;
}

/* Letter, alone or space. */
static void
put_entry(reader *r, uint32_t c, uint32_t entry, bool offsets)
{
    if (KIND(entry) == LETTER)
        put_letter(r, MOVED(entry, c), offsets);
    else if (KIND(entry) == ALONE)
        put_alone(r, MOVED(entry, c), offsets);
    else
        end_word(r, offsets);
}

/* The jamo of a syllable all take its place. */
static void
put_hangul(reader *r, uint32_t c, bool offsets)
{
    uint32_t jamo[LM_UNICODE_MAX_MAPPING];
    size_t count = lm_unicode_nfd(c, jamo);

    for (size_t i = 0; i < count; i++)
        put_letter(r, jamo[i], offsets);
}

/* Every letter of the list takes the place of the one character. */
static void
put_list(reader *r, const uint32_t *list, uint32_t c, bool offsets)
{
    for (uint32_t i = 0; i < list[0]; i++)
        put_letter(r, list[1 + i] == ITSELF ? c : list[1 + i], offsets);
}

/* Scalar values beyond the table are rare; the stages know what becomes of them. */
static uint32_t
look_up(const reader *r, uint32_t c)
{
    if (c >= LM_FUSED_LIMIT)
        return ENTRY(SLOW, 0);
    return r->value[(uint32_t)r->block[c >> LM_FUSED_SHIFT] << LM_FUSED_SHIFT | (c & (BLOCK - 1))];
}

/* One character that is not ASCII. */
static void
take_other(reader *r, bool offsets)
{
    int bytes;
    uint32_t c = lm_utf8_decode((const char *)r->now.p, &bytes);
    uint32_t entry = look_up(r, c);

    if (KIND(entry) == SLOW) {
        lm_status status = take_slow(r);

        if (r->state->status == LM_OK)
            r->state->status = status;
        return;
    }
    if (KIND(entry) == LIST)
        put_list(r, r->lists + VALUE(entry), c, offsets);
    else if (KIND(entry) == HANGUL)
        put_hangul(r, c, offsets);
    else if (KIND(entry) != DROP)
        put_entry(r, c, entry, offsets);
    r->now.p += bytes;
    r->now.at++;
    if (!r->in_word && KIND(entry) != DROP)
        r->resume = r->now;
}

/* Move the place to the next white space, or to the end. */
static lm_status
find_space(const reader *r, cursor *place)
{
    while (place->p < r->end) {
        int bytes;
        uint32_t c = lm_utf8_decode((const char *)place->p, &bytes);

        if (KIND(look_up(r, c)) == SPACE)
            break;
        LM_TRY(lm_poll_step(r->state->ctx, (size_t)place->at));
        place->p += bytes;
        place->at++;
    }
    return LM_OK;
}

/* Take back the current word, and send all up to the next white space through the stages. */
static lm_status
take_slow(reader *r)
{
    cursor from = r->in_word ? r->word : r->resume;

    if (r->in_word)
        r->state->out->count = r->walk.mark;
    r->in_word = false;
    r->now = from;
    LM_TRY(find_space(r, &r->now));
    r->resume = r->now;
    return lm_staged_run(r->state, (const char *)from.p, (size_t)(r->now.p - from.p), from.at);
}

/* One word that was cut before: the staged way. */
static lm_status
walk_word(lm_encode_state *state, const uint32_t *c, const int32_t *at, size_t count)
{
    walk walk;

    walk_init(&walk, state->image);
    walk_begin(&walk, state);
    walk.at = at;
    for (size_t i = 0; i < count && !walk.bad; i++) {
        char bytes[4];
        int length = lm_utf8_encode(c[i], bytes);

        walk.bad = !walk_has_room(&walk);
        for (int k = 0; k < length && !walk.bad; k++)
            walk.bad = !walk_byte(&walk, state, (unsigned char)bytes[k], state->offsets);
        walk.chars++;
    }
    walk_end(&walk, state, at[0], at[count - 1] + 1, state->offsets);
    return state->status;
}

#endif
