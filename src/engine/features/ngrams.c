/*
 * ngrams.c - the kinds of n-grams. A text is made into one string and a list of units that lie in
 * it one behind the other, so that every n-gram is a stretch of that string.
 */
#include "features/ngrams.h"

#include <string.h>

#include "base/lower.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "base/words.h"

#define POLL_EVERY 8192 /* n-grams, characters, words */
#define BYTES_OF_ONE 64 /* of a long n-gram, so many are the work of a short one */

/* ---- Room ---- */

void
lm_ngram_room_init(lm_ngram_room *room, lm_context *ctx)
{
    lm_buffer_init(&room->lower, ctx);
    lm_buffer_init(&room->joined, ctx);
    lm_stretches_init(&room->words, ctx);
    lm_stretches_init(&room->units, ctx);
    lm_stretches_init(&room->runs, ctx);
}

void
lm_ngram_room_free(lm_ngram_room *room)
{
    lm_buffer_free(&room->lower);
    lm_buffer_free(&room->joined);
    lm_stretches_free(&room->words);
    lm_stretches_free(&room->units);
    lm_stretches_free(&room->runs);
}

size_t
lm_ngram_room_bytes(const lm_ngram_room *room)
{
    return room->lower.capacity + room->joined.capacity +
           (room->words.room + room->units.room + room->runs.room) * sizeof(lm_stretch);
}

/* ---- Lower case ---- */

static bool
is_ascii(lm_text text)
{
    unsigned char all = 0;

    for (size_t i = 0; i < text.length; i++)
        all |= (unsigned char)text.bytes[i];
    return all < 0x80;
}

static lm_status
lower_text(lm_buffer *lower, lm_text *text)
{
    lower->size = 0;
    if (!is_ascii(*text))
        LM_TRY(lm_lower_append(lower, text->bytes, text->length));
    else {
        LM_TRY(lm_buffer_reserve(lower, text->length));
        for (size_t i = 0; i < text->length; i++) {
            char c = text->bytes[i];

            lower->data[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }
        lower->size = text->length;
    }
    *text = (lm_text){lower->data, lower->size};
    return LM_OK;
}

/* ---- Kinds ---- */

/* Appends a unit, one of `room->joined`. */
static lm_status
add_unit(lm_ngram_room *room, const char *bytes, size_t length)
{
    size_t start = room->joined.size;

    LM_TRY(lm_buffer_append(&room->joined, bytes, length));
    return lm_stretches_add(&room->units, start, start + length);
}

static lm_status
cut_words(const lm_ngram_options *options, lm_ngram_room *room, lm_text text)
{
    const lm_stretches *words = &room->words;

    LM_TRY(lm_words_cut(options->words, text, &room->words));
    for (size_t i = 0; i < words->count; i++) {
        const lm_stretch *word = &words->items[i];

        if (i % POLL_EVERY == POLL_EVERY - 1)
            LM_TRY(lm_poll(words->ctx));
        if (i > 0)
            LM_TRY(lm_buffer_append_byte(&room->joined, ' '));
        LM_TRY(add_unit(room, text.bytes + word->start, word->stop - word->start));
    }
    return lm_stretches_add(&room->runs, 0, words->count);
}

/* Characters of a stretch of the text, each a unit. */
static lm_status
add_characters(lm_ngram_room *room, lm_text text)
{
    int bytes;
    size_t seen = 0;

    for (size_t at = 0; at < text.length; at += (size_t)bytes) {
        lm_utf8_decode(text.bytes + at, &bytes);
        if (++seen % POLL_EVERY == 0)
            LM_TRY(lm_poll(room->units.ctx));
        LM_TRY(add_unit(room, text.bytes + at, (size_t)bytes));
    }
    return LM_OK;
}

/* One character of white space stays what it is. */
static lm_status
cut_characters(const lm_ngram_options *options, lm_ngram_room *room, lm_text text)
{
    size_t seen = 0;
    int bytes, next;

    for (size_t at = 0; at < text.length; at += (size_t)bytes) {
        const char *here = text.bytes + at;
        size_t spaces = 0, behind = at;

        lm_utf8_decode(here, &bytes);
        for (; behind < text.length && lm_is_space(lm_utf8_decode(text.bytes + behind, &next));
             spaces++) {
            behind += (size_t)next;
            if (++seen % POLL_EVERY == 0)
                LM_TRY(lm_poll(room->units.ctx));
        }
        if (++seen % POLL_EVERY == 0)
            LM_TRY(lm_poll(room->units.ctx));
        if (spaces < 2)
            LM_TRY(add_unit(room, here, (size_t)bytes));
        else {
            LM_TRY(add_unit(room, " ", 1));
            at = behind - (size_t)bytes;
        }
    }
    return lm_stretches_add(&room->runs, 0, room->units.count);
}

static lm_status
cut_in_words(const lm_ngram_options *options, lm_ngram_room *room, lm_text text)
{
    const lm_stretches *words = &room->words;

    LM_TRY(lm_words_cut(lm_word_kind_find("whitespace"), text, &room->words));
    for (size_t i = 0; i < words->count; i++) {
        const lm_stretch *word = &words->items[i];
        size_t first = room->units.count;

        LM_TRY(add_unit(room, " ", 1));
        LM_TRY(add_characters(room, (lm_text){text.bytes + word->start, word->stop - word->start}));
        LM_TRY(add_unit(room, " ", 1));
        LM_TRY(lm_stretches_add(&room->runs, first, room->units.count));
    }
    return LM_OK;
}

const lm_ngram_kind lm_ngram_kinds[] = {
    {"word", cut_words, false},
    {"char", cut_characters, false},
    {"char_wb", cut_in_words, true},
    {NULL, NULL, false},
};

const lm_ngram_kind *
lm_ngram_kind_find(const char *name)
{
    for (const lm_ngram_kind *kind = lm_ngram_kinds; kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

/* ---- n-grams ---- */

/* Those of one length; `seen` counts work for polling. */
static lm_status
take_length(lm_ngram_room *room, lm_stretch run, size_t n, size_t *seen, lm_ngram_sink take,
            void *opaque)
{
    const lm_stretch *units = room->units.items;

    for (size_t i = run.start; i + n <= run.stop; i++) {
        size_t start = units[i].start, length = units[i + n - 1].stop - start;

        *seen += 1 + length / BYTES_OF_ONE;
        if (*seen >= POLL_EVERY) {
            *seen = 0;
            LM_TRY(lm_poll(room->units.ctx));
        }
        LM_TRY(take(opaque, room->joined.data + start, length));
    }
    return LM_OK;
}

static lm_status
take_run(const lm_ngram_options *options, lm_ngram_room *room, lm_stretch run, size_t *seen,
         lm_ngram_sink take, void *opaque)
{
    size_t count = run.stop - run.start;

    for (size_t n = (size_t)options->low; n <= (size_t)options->high; n++) {
        if (n >= count && options->kind->whole)
            return take_length(room, run, count, seen, take, opaque);
        if (n > count)
            return LM_OK;
        LM_TRY(take_length(room, run, n, seen, take, opaque));
    }
    return LM_OK;
}

lm_status
lm_ngrams_each(const lm_ngram_options *options, lm_ngram_room *room, lm_text text,
               lm_ngram_sink take, void *opaque)
{
    size_t seen = 0;

    LM_TRY(lm_words_check(room->joined.ctx, text));
    room->joined.size = 0;
    room->words.count = room->units.count = room->runs.count = 0;
    if (options->lowercase)
        LM_TRY(lower_text(&room->lower, &text));
    LM_TRY(options->kind->cut(options, room, text));
    for (size_t i = 0; i < room->runs.count; i++)
        LM_TRY(take_run(options, room, room->runs.items[i], &seen, take, opaque));
    return LM_OK;
}
