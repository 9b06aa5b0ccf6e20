/*
 * bleu_tokenizers.c - a tokenizer is a list of passes over the text, each of which writes another
 * text, as the substitutions of the reference do; words are what is left between white space.
 *
 * Passes that look for ASCII go over bytes: a byte of a longer character is no digit, stop, comma
 * or dash, and is copied.
 */
#include "metrics/bleu_tokenizers.h"

#include <string.h>

#include "base/lower.h"
#include "base/utf8.h"

typedef lm_status (*text_pass)(lm_text in, lm_buffer *out);

#define PASSES_MAX 16

/* A character as it lies in a text. */
typedef struct character {
    uint32_t c;
    const char *at;
    size_t bytes;
} character;

/* Whether a pass, at its n-th step, has to look for a cancel. */
static inline lm_status
step(lm_buffer *out, size_t n)
{
    return n % LM_TEXT_POLL_EVERY == LM_TEXT_POLL_EVERY - 1 ? lm_poll(out->ctx) : LM_OK;
}

static lm_status
append_spaced(lm_buffer *out, const char *bytes, size_t length)
{
    LM_TRY(lm_buffer_append_byte(out, ' '));
    LM_TRY(lm_buffer_append(out, bytes, length));
    return lm_buffer_append_byte(out, ' ');
}

static lm_status
append_text(lm_buffer *out, lm_text text)
{
    return lm_buffer_append(out, text.bytes, text.length);
}

/* ---- Passes over bytes ---- */

static lm_status
replace(lm_text in, lm_buffer *out, const char *from, const char *to)
{
    size_t length = strlen(from), at = 0;

    while (at < in.length) {
        const char *next = memchr(in.bytes + at, from[0], in.length - at);
        size_t stop = next ? (size_t)(next - in.bytes) : in.length;

        LM_TRY(lm_buffer_append(out, in.bytes + at, stop - at));
        at = stop;
        if (at == in.length)
            break;
        if (in.length - at >= length && memcmp(next, from, length) == 0) {
            LM_TRY(lm_buffer_append_string(out, to));
            at += length;
        } else
            LM_TRY(lm_buffer_append_byte(out, in.bytes[at++]));
        LM_TRY(step(out, at));
    }
    return LM_OK;
}

#define REPLACEMENT(name, from, to)                   \
    static lm_status name(lm_text in, lm_buffer *out) \
    {                                                 \
        return replace(in, out, from, to);            \
    }

REPLACEMENT(drop_skipped, "<skipped>", "")
REPLACEMENT(join_hyphenated, "-\n", "")
REPLACEMENT(join_hyphens_of_ter, "\n-", "")
REPLACEMENT(join_lines, "\n", " ")
REPLACEMENT(unescape_quot, "&quot;", "\"")
REPLACEMENT(unescape_amp, "&amp;", "&")
REPLACEMENT(unescape_lt, "&lt;", "<")
REPLACEMENT(unescape_gt, "&gt;", ">")
REPLACEMENT(split_possessive, "'s ", " 's ")

static lm_status
surround(lm_text in, lm_buffer *out)
{
    return append_spaced(out, in.bytes, in.length);
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_stop(char c)
{
    return c == '.' || c == ',';
}

/* Marks and symbols of ASCII but the apostrophe, stop, comma and dash. */
static bool
is_mark(char c)
{
    return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
           (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

static lm_status
split_marks(lm_text in, lm_buffer *out)
{
    for (size_t i = 0; i < in.length; i++) {
        LM_TRY(step(out, i));
        if (is_mark(in.bytes[i]))
            LM_TRY(append_spaced(out, in.bytes + i, 1));
        else
            LM_TRY(lm_buffer_append_byte(out, in.bytes[i]));
    }
    return LM_OK;
}

/* A substitution of two characters that fit one behind the other: spaces go between
 * them, and before the first or behind the second. */
static lm_status
split_pairs(lm_text in, lm_buffer *out, bool (*fits)(char first, char second), bool before)
{
    size_t n = 0;

    for (size_t i = 0; i < in.length; i++) {
        LM_TRY(step(out, n++));
        if (i + 1 == in.length || !fits(in.bytes[i], in.bytes[i + 1])) {
            LM_TRY(lm_buffer_append_byte(out, in.bytes[i]));
            continue;
        }
        if (before)
            LM_TRY(lm_buffer_append_byte(out, ' '));
        LM_TRY(lm_buffer_append_byte(out, in.bytes[i]));
        LM_TRY(lm_buffer_append_byte(out, ' '));
        LM_TRY(lm_buffer_append_byte(out, in.bytes[++i]));
        if (!before)
            LM_TRY(lm_buffer_append_byte(out, ' '));
    }
    return LM_OK;
}

static bool
stop_behind_other(char first, char second)
{
    return !is_digit(first) && is_stop(second);
}

static bool
stop_before_other(char first, char second)
{
    return is_stop(first) && !is_digit(second);
}

static bool
dash_behind_digit(char first, char second)
{
    return is_digit(first) && second == '-';
}

static lm_status
split_stops_behind(lm_text in, lm_buffer *out)
{
    return split_pairs(in, out, stop_behind_other, false);
}

static lm_status
split_stops_before(lm_text in, lm_buffer *out)
{
    return split_pairs(in, out, stop_before_other, true);
}

static lm_status
split_dashes(lm_text in, lm_buffer *out)
{
    return split_pairs(in, out, dash_behind_digit, false);
}

static lm_status
drop_marks(lm_text in, lm_buffer *out)
{
    for (size_t i = 0; i < in.length; i++) {
        LM_TRY(step(out, i));
        if (in.bytes[i] == '\0' || !strchr(".,?:;!\"()", in.bytes[i]))
            LM_TRY(lm_buffer_append_byte(out, in.bytes[i]));
    }
    return LM_OK;
}

/* ---- Passes over characters ---- */

static character
character_at(lm_text in, size_t at)
{
    character found = {.at = in.bytes + at};
    int bytes = 0;

    if (at < in.length)
        found.c = lm_utf8_decode(found.at, &bytes);
    found.bytes = (size_t)bytes;
    return found;
}

static lm_status
split_each(lm_text in, lm_buffer *out, bool (*alone)(uint32_t c))
{
    size_t n = 0;

    for (size_t at = 0; at < in.length;) {
        character here = character_at(in, at);

        LM_TRY(step(out, n++));
        if (alone(here.c))
            LM_TRY(append_spaced(out, here.at, here.bytes));
        else
            LM_TRY(lm_buffer_append(out, here.at, here.bytes));
        at += here.bytes;
    }
    return LM_OK;
}

static bool
is_any(uint32_t c)
{
    return true;
}

static lm_status
split_characters(lm_text in, lm_buffer *out)
{
    return split_each(in, out, is_any);
}

static bool
is_in(const uint32_t (*ranges)[2], size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

/*
 * What sacrebleu takes for Chinese. Two of its ranges were meant for planes beyond the first, and
 * are "\u2000" + "0" to "\u2a6d" + "6" and "\u2f80" + "0" to "\u2fa1" + "d": so they compare.
 */
static bool
is_chinese(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x2001, 0x2a6d}, {0x2e80, 0x2eff}, {0x2f00, 0x2fdf}, {0x2ff0, 0x2fff}, {0x3000, 0x303f},
        {0x3100, 0x312f}, {0x31a0, 0x31bf}, {0x31c0, 0x31ef}, {0x3200, 0x32ff}, {0x3300, 0x33ff},
        {0x3400, 0x4db5}, {0x4e00, 0x9fbb}, {0xf900, 0xfa2d}, {0xfa30, 0xfa6a}, {0xfa70, 0xfad9},
        {0xfe10, 0xfe1f}, {0xfe30, 0xfe4f}, {0xff00, 0xffef}};

    return is_in(ranges, sizeof ranges / sizeof ranges[0], c);
}

static lm_status
split_chinese(lm_text in, lm_buffer *out)
{
    LM_TRY(lm_text_strip(out->ctx, &in));
    return split_each(in, out, is_chinese);
}

static bool
is_symbol(uint32_t c)
{
    return lm_text_in_set("s", c);
}

static lm_status
split_symbols(lm_text in, lm_buffer *out)
{
    return split_each(in, out, is_symbol);
}

/* What is no number and a punctuation mark behind it, or the other way round. */
static lm_status
split_punctuation(lm_text in, lm_buffer *out, bool mark_first)
{
    size_t n = 0;

    for (size_t at = 0; at < in.length;) {
        character a = character_at(in, at), b = character_at(in, at + a.bytes);
        uint32_t mark = mark_first ? a.c : b.c, other = mark_first ? b.c : a.c;

        LM_TRY(step(out, n++));
        at += a.bytes;
        if (b.bytes == 0 || !lm_text_in_set("p", mark) || lm_text_in_set("n", other)) {
            LM_TRY(lm_buffer_append(out, a.at, a.bytes));
            continue;
        }
        at += b.bytes;
        if (mark_first) {
            LM_TRY(append_spaced(out, a.at, a.bytes));
            LM_TRY(lm_buffer_append(out, b.at, b.bytes));
        } else {
            LM_TRY(lm_buffer_append(out, a.at, a.bytes));
            LM_TRY(append_spaced(out, b.at, b.bytes));
        }
    }
    return LM_OK;
}

static lm_status
split_marks_behind(lm_text in, lm_buffer *out)
{
    return split_punctuation(in, out, false);
}

static lm_status
split_marks_before(lm_text in, lm_buffer *out)
{
    return split_punctuation(in, out, true);
}

static lm_status
lower(lm_text in, lm_buffer *out)
{
    return lm_lower_append(out, in.bytes, in.length);
}

/* ---- Tokenizers ---- */

#define MTEVAL split_marks, split_stops_behind, split_stops_before, split_dashes

const char *const lm_bleu_tokenizer_names[] = {"13a", "zh", "char", "intl", "none", NULL};

static const text_pass bleu_passes[][PASSES_MAX] = {
    {drop_skipped, join_hyphenated, join_lines, unescape_quot, unescape_amp, unescape_lt,
     unescape_gt, surround, MTEVAL},
    {split_chinese, MTEVAL},
    {split_characters},
    {split_marks_behind, split_marks_before, split_symbols},
    {NULL}};

/* Marks of Chinese and Japanese, and those of full width, that TER knows. */
static bool
is_asian_mark(uint32_t c)
{
    static const uint32_t ranges[][2] = {{0x3001, 0x3002}, {0x3008, 0x3011}, {0x3014, 0x301f},
                                         {0x30fb, 0x30fb}, {0xff01, 0xff02}, {0xff08, 0xff09},
                                         {0xff0c, 0xff0c}, {0xff0e, 0xff0e}, {0xff1a, 0xff1b},
                                         {0xff1f, 0xff1f}, {0xff61, 0xff65}};

    return is_in(ranges, sizeof ranges / sizeof ranges[0], c);
}

/* Kana stay together: the reference's expressions for them match nothing within spaces. */
static bool
is_asian(uint32_t c)
{
    static const uint32_t ranges[][2] = {{0x2e80, 0x2eff}, {0x31c0, 0x31ef}, {0x3200, 0x4dbf},
                                         {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0xfe30, 0xfe4f}};

    return is_in(ranges, sizeof ranges / sizeof ranges[0], c) || is_asian_mark(c);
}

static lm_status
split_asian(lm_text in, lm_buffer *out)
{
    return split_each(in, out, is_asian);
}

static lm_status
drop_asian_marks(lm_text in, lm_buffer *out)
{
    size_t n = 0;

    for (size_t at = 0; at < in.length;) {
        character here = character_at(in, at);

        LM_TRY(step(out, n++));
        if (!is_asian_mark(here.c))
            LM_TRY(lm_buffer_append(out, here.at, here.bytes));
        at += here.bytes;
    }
    return LM_OK;
}

static const text_pass lower_passes[] = {lower, NULL};
static const text_pass no_mark_passes[] = {drop_marks, NULL};
static const text_pass asian_passes[] = {split_asian, NULL};
static const text_pass no_asian_mark_passes[] = {drop_asian_marks, NULL};
static const text_pass ter_passes[] = {
    join_hyphens_of_ter, join_lines,   unescape_quot, unescape_amp,     unescape_lt,
    unescape_gt,         surround,     split_marks,   split_possessive, split_stops_behind,
    split_stops_before,  split_dashes, NULL};

/* The text between two passes; which of the two buffers it lies in changes. */
typedef struct passing {
    lm_text text;
    lm_buffer buffers[2];
    int next;
} passing;

static void
start(passing *p, lm_context *ctx, lm_text text)
{
    p->text = text;
    p->next = 0;
    lm_buffer_init(&p->buffers[0], ctx);
    lm_buffer_init(&p->buffers[1], ctx);
}

static lm_status
pass_all(passing *p, const text_pass *passes)
{
    for (int i = 0; passes[i]; i++) {
        lm_buffer *out = &p->buffers[p->next];

        out->size = 0;
        LM_TRY(passes[i](p->text, out));
        p->text = (lm_text){out->data, out->size};
        p->next = !p->next;
    }
    return LM_OK;
}

/* Cut what is left into words, unless a pass has failed. */
static lm_status
finish(passing *p, lm_status status, lm_intern *words, lm_tokens *to)
{
    if (status == LM_OK)
        status = lm_cut_words(NULL, p->text, words, to);
    lm_buffer_free(&p->buffers[0]);
    lm_buffer_free(&p->buffers[1]);
    return status;
}

lm_status
lm_cut_bleu(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    const lm_bleu_tokenizer *tokenizer = how;
    lm_status status = LM_OK;
    passing p;

    start(&p, words->ctx, text);
    if (tokenizer->lowercase)
        status = pass_all(&p, lower_passes);
    if (status == LM_OK)
        status = lm_text_strip_end(words->ctx, &p.text);
    if (status == LM_OK)
        status = pass_all(&p, bleu_passes[tokenizer->kind]);
    return finish(&p, status, words, to);
}

/* Words with a space between each two. */
static lm_status
join_words(lm_text in, lm_buffer *out)
{
    size_t at = 0;

    for (;;) {
        lm_text word;

        LM_TRY(lm_text_next_word(out->ctx, in, &at, &word));
        if (word.length == 0)
            return LM_OK;
        if (out->size > 0)
            LM_TRY(lm_buffer_append_byte(out, ' '));
        LM_TRY(append_text(out, word));
    }
}

static const text_pass join_passes[] = {join_words, NULL};

static lm_status
ter_text(passing *p, const lm_ter_tokenizer *tokenizer)
{
    LM_TRY(lm_text_strip_end(p->buffers[0].ctx, &p->text));
    if (!tokenizer->case_sensitive)
        LM_TRY(pass_all(p, lower_passes));
    if (tokenizer->normalized)
        LM_TRY(pass_all(p, ter_passes));
    if (tokenizer->normalized && tokenizer->asian_support)
        LM_TRY(pass_all(p, asian_passes));
    if (tokenizer->no_punct)
        LM_TRY(pass_all(p, no_mark_passes));
    if (tokenizer->no_punct && tokenizer->asian_support)
        LM_TRY(pass_all(p, no_asian_mark_passes));
    return LM_OK;
}

lm_status
lm_cut_ter(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    passing p;

    start(&p, words->ctx, text);
    return finish(&p, ter_text(&p, how), words, to);
}

static lm_status
ter_text_twice(passing *p, const lm_ter_tokenizer *tokenizer)
{
    LM_TRY(ter_text(p, tokenizer));
    LM_TRY(pass_all(p, join_passes));
    return ter_text(p, tokenizer);
}

lm_status
lm_cut_ter_reference(const void *how, lm_text text, lm_intern *words, lm_tokens *to)
{
    passing p;

    start(&p, words->ctx, text);
    return finish(&p, ter_text_twice(&p, how), words, to);
}
