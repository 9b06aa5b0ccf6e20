/*
 * words.c - the table of ways to cut a text into words.
 */
#include "features/words.h"

#include <string.h>

#include "base/unicode.h"
#include "base/utf8.h"

#define POLL_EVERY 8192 /* characters */

/* ---- Lists ---- */

void
lm_stretches_init(lm_stretches *spans, lm_context *ctx)
{
    *spans = (lm_stretches){.ctx = ctx};
}

void
lm_stretches_free(lm_stretches *spans)
{
    lm_free(spans->ctx, spans->items);
    lm_stretches_init(spans, spans->ctx);
}

lm_status
lm_stretches_add(lm_stretches *spans, size_t start, size_t stop)
{
    if (spans->count == spans->room) {
        size_t room = spans->room > 0 ? 2 * spans->room : 64;
        lm_stretch *items;

        if (spans->count >= LM_STRETCHES_MAX) {
            lm_raise(spans->ctx, LM_TOO_LARGE, "a text is too long for n-grams");
            return lm_detail_allowed(spans->ctx, "%zu words or characters", LM_STRETCHES_MAX);
        }
        if (!(items = lm_realloc(spans->ctx, spans->items, room * sizeof *items)))
            return LM_NO_MEMORY;
        spans->items = items;
        spans->room = room;
    }
    spans->items[spans->count++] = (lm_stretch){start, stop};
    return LM_OK;
}

/* ---- Kinds ---- */

static bool
is_ascii_word(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static lm_word_place
place_of_words(uint32_t c)
{
    if (c < 0x80)
        return is_ascii_word(c) ? LM_WORD_IN : LM_WORD_OUT;
    return lm_unicode_flags(c) & (LM_UNICODE_LETTER | LM_UNICODE_NUMBER) ? LM_WORD_IN : LM_WORD_OUT;
}

static lm_word_place
place_of_unicode(uint32_t c)
{
    unsigned flags;

    if (c < 0x80)
        return is_ascii_word(c) ? LM_WORD_IN : LM_WORD_OUT;
    flags = lm_unicode_flags(c);
    if (flags & LM_UNICODE_CJK)
        return LM_WORD_ALONE;
    return flags & LM_UNICODE_WORD ? LM_WORD_IN : LM_WORD_OUT;
}

static lm_word_place
place_of_whitespace(uint32_t c)
{
    return lm_is_space(c) ? LM_WORD_OUT : LM_WORD_IN;
}

/* What Keras' Tokenizer leaves out, and the space at which it splits; other white space is kept. */
static lm_word_place
place_of_keras(uint32_t c)
{
    static const char out[] = " !\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";

    return c > 0 && c < 0x80 && strchr(out, (int)c) ? LM_WORD_OUT : LM_WORD_IN;
}

const lm_word_kind lm_word_kinds[LM_WORD_KIND_COUNT + 1] = {
    {"words", place_of_words, 2},
    {"unicode", place_of_unicode, 1},
    {"whitespace", place_of_whitespace, 1},
    {"keras", place_of_keras, 1},
    {NULL, NULL, 0},
};

const lm_word_kind *
lm_word_kind_find(const char *name)
{
    for (const lm_word_kind *kind = lm_word_kinds; kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

/* ---- Cutting ---- */

lm_status
lm_words_cut(const lm_word_kind *kind, lm_text text, lm_stretches *spans)
{
    size_t start = 0, length = 0, seen = 0; /* of the word under way, in bytes and characters */
    int bytes;

    for (size_t at = 0; at < text.length; at += (size_t)bytes) {
        lm_word_place place = kind->place(lm_utf8_decode(text.bytes + at, &bytes));

        if (++seen % POLL_EVERY == 0)
            LM_TRY(lm_poll(spans->ctx));
        if (place == LM_WORD_IN) {
            if (length++ == 0)
                start = at;
            continue;
        }
        if (length >= kind->shortest)
            LM_TRY(lm_stretches_add(spans, start, at));
        length = 0;
        if (place == LM_WORD_ALONE)
            LM_TRY(lm_stretches_add(spans, at, at + (size_t)bytes));
    }
    return length >= kind->shortest ? lm_stretches_add(spans, start, text.length) : LM_OK;
}
