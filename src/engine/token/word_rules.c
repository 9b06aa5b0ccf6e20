/*
 * word_rules.c - words of GPT-2, of cl100k (Llama 3) and of Qwen 2, by hand. The regular
 * expressions are what test_word_rules compares them with.
 */
#include "token/word_rules.h"

#include <string.h>

#include "base/unicode.h"
#include "base/utf8.h"

/* A cancel is looked for after so many bytes of one word. */
#define POLL_BYTES ((size_t)1 << 20)

enum { OTHER, LETTER, NUMBER, SPACE };

#define O OTHER
#define L LETTER
#define N NUMBER
#define S SPACE
static const uint8_t ascii[128] = {
    O, O, O, O, O, O, O, O, O, S, S, S, S, S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
    S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, N, N, N, N, N, N, N, N, N, N, O, O, O, O, O, O,
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O};
#undef O
#undef L
#undef N
#undef S

static unsigned
class_of(uint32_t c)
{
    const unsigned flags = lm_unicode_flags(c);

    if (flags & LM_UNICODE_LETTER)
        return LETTER;
    if (flags & LM_UNICODE_NUMBER)
        return NUMBER;
    return flags & LM_UNICODE_SPACE ? SPACE : OTHER;
}

/* The class of the character at p, and its bytes. */
static inline unsigned
class_at(const unsigned char *p, int *length)
{
    *length = 1;
    if (*p < 0x80)
        return ascii[*p];
    return class_of(lm_utf8_decode((const char *)p, length));
}

static inline bool
is_class(const lm_word_scan *scan, const unsigned char *p, unsigned class)
{
    int length;

    return p < scan->end && class_at(p, &length) == class;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

static inline uint64_t
load_8_bytes(const unsigned char *p)
{
    uint64_t bytes;

    memcpy(&bytes, p, sizeof bytes);
    return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(bytes) : bytes;
}

/* How many of 8 bytes, the first in the lowest bits, are letters of ASCII before another one. */
static inline size_t
ascii_letters(uint64_t bytes)
{
    const uint64_t low = (bytes | EACH_BYTE(0x20)) & EACH_BYTE(0x7f);
    const uint64_t letter = (low + EACH_BYTE(0x80 - 'a')) & ~(low + EACH_BYTE(0x7f - 'z')) & ~bytes;
    const uint64_t other = ~letter & EACH_BYTE(0x80);

    return other == 0 ? 8 : (size_t)__builtin_ctzll(other) / 8;
}

/* The end of the characters of one class from p on. A cancel ends them too. */
static inline const unsigned char *
skip(lm_word_scan *scan, const unsigned char *p, unsigned class)
{
    const unsigned char *poll = p + POLL_BYTES;
    int length;

    while (p < scan->end && class_at(p, &length) == class) {
        p += length;
        if (__builtin_expect(p >= poll, 0)) {
            scan->status = lm_poll(scan->ctx);
            if (scan->status != LM_OK)
                return p;
            poll = p + POLL_BYTES;
        }
    }
    return p;
}

/* The end of letters from p on: mostly a few of ASCII, and then a space. `skip` polls. */
static inline const unsigned char *
word_end(lm_word_scan *scan, const unsigned char *p)
{
    const unsigned char *far = p + POLL_BYTES;

    while (scan->end - p >= 8 && p < far) {
        const size_t letters = ascii_letters(load_8_bytes(p));

        p += letters;
        if (letters < 8 && *p < 0x80)
            return p;
        if (letters < 8)
            break;
    }
    return skip(scan, p, LETTER);
}

/* In loops that have no such place: whether to stop, since there was a cancel. */
static inline bool
stops(lm_word_scan *scan, size_t step)
{
    if (step % POLL_BYTES == POLL_BYTES - 1)
        scan->status = lm_poll(scan->ctx);
    return scan->status != LM_OK;
}

static const unsigned char *
last_start(const unsigned char *start, const unsigned char *end)
{
    for (end--; end > start && (*end & 0xc0) == 0x80;)
        end--;
    return end;
}

/* \s+(?!\S)|\s+ : the last one of several spaces goes with what follows. */
static const unsigned char *
space_end(lm_word_scan *scan, const unsigned char *p)
{
    const unsigned char *end = skip(scan, p, SPACE), *last = last_start(p, end);

    return end == scan->end || last == p ? end : last;
}

/* The letters after an apostrophe, from p on: s, t, m, d, re, ve, ll; NULL: none. */
static const unsigned char *
contraction_end(const lm_word_scan *scan, const unsigned char *p, unsigned char fold)
{
    static const char pairs[3][2] = {{'r', 'e'}, {'v', 'e'}, {'l', 'l'}};
    const size_t left = (size_t)(scan->end - p);

    if (left > 0 && memchr("stmd", *p | fold, 4))
        return p + 1;
    for (int i = 0; i < 3 && left > 1; i++)
        if ((p[0] | fold) == pairs[i][0] && (p[1] | fold) == pairs[i][1])
            return p + 2;
    /* The long s is an s but for its case. */
    return fold && left > 1 && p[0] == 0xc5 && p[1] == 0xbf ? p + 2 : NULL;
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
static const unsigned char *
next_gpt2(lm_word_scan *scan, const unsigned char *p)
{
    const unsigned char *end = *p == '\'' ? contraction_end(scan, p + 1, 0) : NULL;
    const unsigned char *start = *p == ' ' && p + 1 < scan->end ? p + 1 : p;
    int length;
    unsigned class;

    if (end)
        return end;
    class = class_at(start, &length);
    if (class == LETTER)
        return word_end(scan, start + length);
    return class == SPACE ? space_end(scan, p) : skip(scan, start + length, class);
}

const unsigned char *
lm_word_after_space(lm_word_scan *scan, const unsigned char *p)
{
    const unsigned char *end;
    int length;
    const unsigned class = class_at(p, &length);

    end = skip(scan, p + length, class);
    return class == SPACE && end != scan->end ? last_start(p, end) : end;
}

/* \s*[\r\n]+ : up to the last end of a line among spaces; NULL: there is none. */
static const unsigned char *
lines_end(lm_word_scan *scan, const unsigned char *start, const unsigned char *end)
{
    for (size_t step = 0; end > start && end[-1] != '\r' && end[-1] != '\n' && !stops(scan, step);
         step++)
        end--;
    return end > start ? end : NULL;
}

/*  ?[^\s\p{L}\p{N}]+[\r\n]* */
static const unsigned char *
others_end(lm_word_scan *scan, const unsigned char *p)
{
    const unsigned char *end = skip(scan, p, OTHER);

    for (size_t step = 0; end < scan->end && (*end == '\r' || *end == '\n'); step++, end++)
        if (stops(scan, step))
            break;
    return end;
}

/* At most `most` numbers. */
static const unsigned char *
numbers_end(const lm_word_scan *scan, const unsigned char *p, int most)
{
    int length;

    for (; most > 0 && p < scan->end && class_at(p, &length) == NUMBER; most--)
        p += length;
    return p;
}

static const unsigned char *
spaces_end(lm_word_scan *scan, const unsigned char *p)
{
    const unsigned char *end = skip(scan, p, SPACE), *lines = lines_end(scan, p, end);

    return lines ? lines : space_end(scan, p);
}

/*
 * (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,most}| ?[^\s\p{L}\p{N}]+[\r\n]*|
 * \s*[\r\n]+|\s+(?!\S)|\s+
 */
static inline const unsigned char *
next_folded(lm_word_scan *scan, const unsigned char *p, int most)
{
    const unsigned char *end = *p == '\'' ? contraction_end(scan, p + 1, 0x20) : NULL;
    int length;
    unsigned class = class_at(p, &length);

    if (end)
        return end;
    if (class == LETTER)
        return word_end(scan, p + length);
    if (class == NUMBER)
        return numbers_end(scan, p, most);
    if (*p != '\r' && *p != '\n' && is_class(scan, p + length, LETTER))
        return word_end(scan, p + length);
    if (class == OTHER || (*p == ' ' && is_class(scan, p + 1, OTHER)))
        return others_end(scan, p + (class == SPACE));
    return spaces_end(scan, p);
}

static const unsigned char *
next_cl100k(lm_word_scan *scan, const unsigned char *p)
{
    return next_folded(scan, p, 3);
}

static const unsigned char *
next_qwen2(lm_word_scan *scan, const unsigned char *p)
{
    return next_folded(scan, p, 1);
}

#define FOLDED "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const struct {
    const char *pattern;
    lm_word_rule *next;
} rules[] = {
    {"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     next_gpt2},
    {FOLDED "\\p{N}{1,3}" REST, next_cl100k},
    {FOLDED "\\p{N}" REST, next_qwen2},
};

uint32_t
lm_word_rule_find(const char *pattern, size_t length)
{
    for (uint32_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strlen(rules[i].pattern) == length && memcmp(rules[i].pattern, pattern, length) == 0)
            return i + 1;
    return 0;
}

lm_word_rule *
lm_word_rule_of(uint32_t number)
{
    return rules[number - 1].next;
}
