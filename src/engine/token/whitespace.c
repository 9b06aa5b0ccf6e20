/*
 * whitespace.c - the model WhitespaceTokenizer. Of a word that is not in the vocabulary nothing is
 * left; a stop word, in any of its forms, is none. As the library has it, forms are tried in this
 * order: the word as it is, without punctuation of ASCII around it, and that in lower case.
 */
#include "token/whitespace.h"

#include <string.h>

#include "base/lower.h"
#include "base/utf8.h"
#include "token/word_tries.h"

#define NO_WORD (-1)
#define STOP_WORD (-2)

typedef struct whitespace_settings {
    lm_span stop;          /* lm_cell: a trie of the words that count for nothing */
    int32_t empty;         /* what a word is of which nothing is left: id, NO_WORD or STOP_WORD */
    uint32_t is_lowercase; /* texts are in lower case before all else */
} whitespace_settings;

/* ---------------------------------------------------------------- compiling */

/* The trie of stop words; an empty one is told in the settings. */
static lm_status
write_stop_words(lm_context *ctx, const lm_json *words, size_t start, lm_buffer *out,
                 whitespace_settings *settings)
{
    lm_trie_key *keys = lm_alloc_array(ctx, words->as.items.count + 1, sizeof *keys);
    lm_trie trie;
    size_t count = 0;
    lm_status status;

    if (!keys)
        return LM_NO_MEMORY;
    for (const lm_json *word = words->as.items.first; word; word = word->next)
        if (word->as.string.length > 0)
            keys[count++] =
                (lm_trie_key){word->as.string.bytes, word->as.string.length, LM_WORD_ROOT, 0};
        else
            settings->empty = STOP_WORD;
    status = lm_trie_build(ctx, keys, count, LM_WORD_ROOT, &trie);
    if (status == LM_OK)
        status = lm_image_append(out, start, trie.cells, trie.count, sizeof *trie.cells,
                                 &settings->stop);
    lm_trie_free(&trie);
    lm_free(ctx, keys);
    return status;
}

static lm_status
read_stop_words(lm_context *ctx, const lm_json *model, const lm_json **words)
{
    const lm_field field = {model, "model"};

    LM_TRY(lm_field_items(ctx, field, "stop_words", LM_JSON_ARRAY, words));
    for (const lm_json *word = (*words)->as.items.first; word; word = word->next)
        if (word->type != LM_JSON_STRING)
            return lm_field_wrong(ctx, field, "stop_words", word, "strings");
    return LM_OK;
}

static lm_status
compile_whitespace(lm_context *ctx, const lm_json *model, lm_vocab *vocab, size_t start,
                   lm_buffer *out)
{
    whitespace_settings settings = {.empty = lm_vocab_find(vocab, "", 0)};
    lm_span cells, own;
    const lm_json *stop_words;
    bool lower;

    LM_TRY(lm_field_bool(ctx, (lm_field){model, "model"}, "do_lower_case", false, &lower));
    LM_TRY(read_stop_words(ctx, model, &stop_words));
    settings.is_lowercase = lower;
    LM_TRY(lm_word_tries_write(ctx, vocab, start, out, &cells));
    LM_TRY(write_stop_words(ctx, stop_words, start, out, &settings));
    LM_TRY(lm_image_append(out, start, &settings, 1, sizeof settings, &own));
    lm_image_set_model(out, start, own, cells, LM_WORD_ROOT);
    return LM_OK;
}

/* ---------------------------------------------------------------- looking words up */

typedef struct lookup {
    const lm_cell *stop;
    lm_word_walk walk;
    int32_t empty;
    const uint32_t *c; /* the word, and its characters to look at, in their context */
    size_t count;
} lookup;

/* A word goes down the trie of stop words, too. */
typedef struct descent {
    uint32_t stop;
    bool goes_on;
} descent;

static void
go_down(lookup *l, descent *d, uint32_t c)
{
    char bytes[4];
    int count = lm_utf8_encode(c, bytes);

    for (int i = 0; i < count && (d->goes_on || d->stop != 0); i++) {
        const unsigned char byte = (unsigned char)bytes[i];

        d->stop = d->stop != 0 ? lm_trie_child(l->stop, d->stop, byte) : 0;
        d->goes_on = d->goes_on && lm_word_walk_byte(&l->walk, byte);
    }
}

/* What characters first … stop − 1 of the word are: an id, NO_WORD, or STOP_WORD. */
static int32_t
find_form(lookup *l, size_t first, size_t stop, bool lower)
{
    descent d = {LM_WORD_ROOT, true};

    if (first == stop)
        return l->empty;
    lm_word_walk_begin(&l->walk);
    for (size_t i = first; i < stop && (d.goes_on || d.stop != 0); i++) {
        uint32_t out[LM_UNICODE_MAX_MAPPING] = {l->c[i]};
        size_t mapped = lower ? lm_lower_at(l->c + first, stop - first, i - first, out) : 1;

        for (size_t k = 0; k < mapped; k++)
            go_down(l, &d, out[k]);
    }
    if (d.stop != 0 && lm_trie_value(l->stop, d.stop) >= 0)
        return STOP_WORD;
    return d.goes_on ? lm_word_walk_end(&l->walk) : NO_WORD;
}

/* string.punctuation of Python. */
static bool
is_punctuation(uint32_t c)
{
    return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
           (c > 'z' && c < 0x7f);
}

/* The first form that is a word or a stop word. The forms of a text in lower case are so, too. */
static int32_t
find_word(lookup *l, bool lower)
{
    size_t first = 0, stop = l->count;
    int32_t id = find_form(l, first, stop, lower);

    if (id != NO_WORD)
        return id;
    while (first < stop && is_punctuation(l->c[first]))
        first++;
    while (first < stop && is_punctuation(l->c[stop - 1]))
        stop--;
    if (first < stop)
        id = find_form(l, first, stop, lower);
    return id != NO_WORD ? id : find_form(l, first, stop, true);
}

/* Beside white space Python splits at these. */
static bool
is_separator(uint32_t c)
{
    return c >= 0x1c && c <= 0x1f;
}

static lm_status
run_whitespace(lm_encode_state *state, const uint32_t *c, const int32_t *at, size_t count)
{
    const whitespace_settings *settings = lm_image_at(state->image, state->image->settings);
    lookup l = {.stop = lm_image_at(state->image, settings->stop), .empty = settings->empty};

    lm_word_walk_init(&l.walk, state->image);
    for (size_t start = 0, stop; start < count; start = stop + 1) {
        int32_t id;

        stop = start;
        while (stop < count && !is_separator(c[stop]))
            stop++;
        l.c = c + start;
        l.count = stop - start;
        id = stop > start ? find_word(&l, settings->is_lowercase) : NO_WORD;
        if (id >= 0)
            lm_encode_token(state, id, at, start, stop, state->offsets);
    }
    return state->status;
}

static int32_t
unknown_of(const void *settings)
{
    return NO_WORD;
}

const lm_token_model lm_whitespace_model = {.name = "WhitespaceTokenizer",
                                            .read_vocab = lm_vocab_read,
                                            .compile = compile_whitespace,
                                            .run = run_whitespace,
                                            .unknown = unknown_of};
