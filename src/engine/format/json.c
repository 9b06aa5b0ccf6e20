/*
 * json.c - the reader of JSON: one pass over the text, no recursion, linear time.
 *
 * Laws: text is checked as UTF-8 before it is parsed. Nodes live in the caller's arena; all strings
 * share one pool there, which is as long as the text (a literal with its quotes is never shorter
 * than its value with a terminator), so that no string is measured or allocated by itself. Cancel
 * is polled every POLL_BYTES. Every failure carries file, offset, what was found and what was
 * expected.
 */
#include "format/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/size.h"
#include "base/utf8.h"

#define POLL_BYTES ((size_t)65536)
#define END_OF_TEXT (-1)

/* Objects of at most this many members are checked for duplicates pairwise, without a table. */
#define FEW_MEMBERS 8

/* An open array or object and its newest element. */
typedef struct json_frame {
    lm_json *container;
    lm_json *last;
} json_frame;

typedef struct json_parser {
    lm_context *ctx;
    lm_arena *arena;
    const char *text;
    size_t length;
    size_t at;
    size_t next_poll;
    const char *file;
    lm_json *root;
    char *pool; /* where the next string is written */
    uint64_t seed;
    const lm_json **buckets; /* table of keys, kept from object to object */
    size_t slot_capacity;
    size_t nodes;
    int depth;
    json_frame stack[LM_JSON_MAX_DEPTH];
} json_parser;

/* A string of the pool. */
typedef struct json_text {
    const char *bytes;
    size_t length;
} json_text;

static lm_status check_utf8(json_parser *p);
static lm_status parse_document(json_parser *p);
static lm_status read_value(json_parser *p, const json_text *key);

/*
 * Parse a document: first all of it as UTF-8, then its structure. The parser's state lives on the
 * stack; only the table of keys is allocated, and freed on every way out.
 */
lm_status
lm_json_parse(lm_context *ctx, lm_arena *arena, const char *text, size_t length, const char *file,
              const lm_json **root)
{
    json_parser p = {.ctx = ctx, .arena = arena, .text = text, .length = length, .file = file};
    lm_status status;

    if (length >= UINT32_MAX) {
        lm_raise(ctx, LM_TOO_LARGE, "JSON file is too large");
        return lm_detail_file(ctx, file);
    }
    p.pool = lm_arena_alloc(arena, length);
    if (!p.pool)
        return LM_NO_MEMORY;
    p.seed = lm_hash_seed();
    status = check_utf8(&p);
    if (status == LM_OK)
        status = parse_document(&p);
    lm_free(ctx, p.buckets);
    if (status == LM_OK)
        *root = p.root;
    return status;
}

/* --- errors and cancel ------------------------------------------------------------------------ */
/*
 * An error is described where the parser stands, so functions that look ahead first step back to
 * the byte that is wrong. A poll costs a comparison; it is made wherever a loop may run over bytes
 * that the file chooses the number of.
 */

/* The byte at the parser's position, or END_OF_TEXT. */
static int
peek(const json_parser *p)
{
    return p->at < p->length ? (unsigned char)p->text[p->at] : END_OF_TEXT;
}

/* Describe what stands at the parser's position, where `expected` should have been. */
static lm_status
syntax_error(json_parser *p, const char *expected)
{
    int c = peek(p);

    lm_raise(p->ctx, LM_BAD_JSON, "malformed JSON");
    lm_detail_file(p->ctx, p->file);
    lm_detail_offset(p->ctx, p->at);
    lm_detail_allowed(p->ctx, "%s", expected);
    if (c == END_OF_TEXT)
        return lm_detail_found(p->ctx, "the end of the text");
    if (c > 0x20 && c < 0x7f)
        return lm_detail_found(p->ctx, "character '%c'", c);
    return lm_detail_found(p->ctx, "byte 0x%02x", c);
}

/* Poll cancel when POLL_BYTES have passed since the last time. */
static inline lm_status
tick(json_parser *p)
{
    if (p->at < p->next_poll)
        return LM_OK;
    p->next_poll = p->at + POLL_BYTES;
    return lm_poll(p->ctx);
}

/* The whole text, in pieces: a piece may end inside a character, which the next one takes up. */
static lm_status
check_utf8(json_parser *p)
{
    while (p->at < p->length) {
        size_t left = p->length - p->at;
        size_t piece = left < POLL_BYTES ? left : POLL_BYTES;
        size_t valid = lm_utf8_valid_prefix(p->text + p->at, piece);

        p->at += valid;
        if (valid < piece && (piece == left || piece - valid > 3))
            return syntax_error(p, "valid UTF-8");
        LM_TRY(lm_poll(p->ctx));
    }
    p->at = 0;
    return LM_OK;
}

/* --- structure -------------------------------------------------------------------------------- */
/*
 * Nesting lies on an explicit stack, so that a hostile file spends levels of an array and not of
 * the machine's stack. The grammar needs one decision at a time: between two elements of the
 * innermost container stands its end or a comma, and behind a comma an element must follow.
 * An element is linked into its container before it is read, which keeps the order of the file.
 */

/* Pass over white space as JSON knows it: four characters, no others of Unicode. */
static lm_status
skip_space(json_parser *p)
{
    int c;

    while ((c = peek(p)) == ' ' || c == '\n' || c == '\r' || c == '\t') {
        p->at++;
        LM_TRY(tick(p));
    }
    return LM_OK;
}

/* Whether two members have the same key; keys may hold U+0000, so lengths count. */
static bool
same_key(const lm_json *a, const lm_json *b)
{
    return a->key_length == b->key_length && memcmp(a->key, b->key, a->key_length) == 0;
}

/* Refuse an object in which `member` repeats an earlier key. */
static lm_status
duplicate_key(json_parser *p, const lm_json *member)
{
    lm_raise(p->ctx, LM_BAD_JSON, "duplicate key in JSON object");
    lm_detail_file(p->ctx, p->file);
    lm_detail_key(p->ctx, "%s", member->key);
    lm_detail_allowed(p->ctx, "each key once");
    return lm_detail_offset(p->ctx, member->offset);
}

/* Empty buckets for count keys, at most half full; the table grows and is reused. */
static lm_status
clear_buckets(json_parser *p, size_t count, size_t *mask)
{
    size_t capacity = 64;

    while (capacity < 2 * count)
        capacity *= 2;
    if (capacity > p->slot_capacity) {
        lm_free(p->ctx, p->buckets);
        p->slot_capacity = 0;
        p->buckets = lm_alloc_array(p->ctx, capacity, sizeof *p->buckets);
        if (!p->buckets)
            return LM_NO_MEMORY;
        p->slot_capacity = capacity;
    }
    memset(p->buckets, 0, capacity * sizeof *p->buckets);
    *mask = capacity - 1;
    return LM_OK;
}

/*
 * Put one key into the table. Keys crafted to collide cannot aim at a seed that is drawn per
 * document; should a chain grow long all the same, it can be cancelled.
 */
static lm_status
insert_key(json_parser *p, size_t mask, const lm_json *member)
{
    size_t bucket = lm_hash_bytes(member->key, member->key_length, p->seed) & mask;
    size_t probes = 0;

    for (; p->buckets[bucket]; bucket = (bucket + 1) & mask) {
        if (same_key(p->buckets[bucket], member))
            return duplicate_key(p, member);
        if ((++probes & 1023) == 0)
            LM_TRY(lm_poll(p->ctx));
    }
    p->buckets[bucket] = member;
    return LM_OK;
}

/* Compare all pairs of a small object's keys: no table to clear, and most objects are small. */
static lm_status
check_few_keys(json_parser *p, const lm_json *object)
{
    for (const lm_json *a = object->as.items.first; a; a = a->next)
        for (const lm_json *b = a->next; b; b = b->next)
            if (same_key(a, b))
                return duplicate_key(p, b);
    return LM_OK;
}

/* Refuse duplicates in an object that is complete. */
static lm_status
check_keys(json_parser *p, const lm_json *object)
{
    size_t mask, n = 0;

    if (object->as.items.count <= FEW_MEMBERS)
        return check_few_keys(p, object);
    LM_TRY(clear_buckets(p, object->as.items.count, &mask));
    for (const lm_json *member = object->as.items.first; member; member = member->next) {
        LM_TRY(insert_key(p, mask, member));
        if ((++n & 4095) == 0)
            LM_TRY(lm_poll(p->ctx));
    }
    return LM_OK;
}

/* Make a node the innermost open container. */
static lm_status
open_container(json_parser *p, lm_json *node, lm_json_type type)
{
    if (p->depth == LM_JSON_MAX_DEPTH) {
        lm_raise(p->ctx, LM_TOO_DEEP, "JSON is nested too deeply");
        lm_detail_file(p->ctx, p->file);
        lm_detail_allowed(p->ctx, "%d levels", LM_JSON_MAX_DEPTH);
        return lm_detail_offset(p->ctx, p->at);
    }
    p->at++;
    node->type = (uint8_t)type;
    p->stack[p->depth].container = node;
    p->stack[p->depth].last = NULL;
    p->depth++;
    return LM_OK;
}

/* Leave the innermost container, whose keys are now all known. */
static lm_status
close_container(json_parser *p)
{
    const lm_json *container = p->stack[--p->depth].container;

    p->at++;
    return container->type == LM_JSON_OBJECT ? check_keys(p, container) : LM_OK;
}

/* Append a node to the innermost open container, or make it the root. */
static void
attach(json_parser *p, lm_json *node)
{
    json_frame *top;

    if (p->depth == 0) {
        p->root = node;
        return;
    }
    top = &p->stack[p->depth - 1];
    if (top->last)
        top->last->next = node;
    else
        top->container->as.items.first = node;
    top->last = node;
    top->container->as.items.count++;
}

static lm_status read_string(json_parser *p, json_text *out);

/* A member's key and its colon; the parser stands on the value afterwards. */
static lm_status
read_key(json_parser *p, json_text *key)
{
    if (peek(p) != '"')
        return syntax_error(p, "a key in double quotes");
    LM_TRY(read_string(p, key));
    LM_TRY(skip_space(p));
    if (peek(p) != ':')
        return syntax_error(p, "':'");
    p->at++;
    return skip_space(p);
}

/* One step inside the innermost container: its end, or its next element. */
static lm_status
read_step(json_parser *p)
{
    const json_frame *top = &p->stack[p->depth - 1];
    bool object = top->container->type == LM_JSON_OBJECT;
    json_text key;

    LM_TRY(tick(p));
    LM_TRY(skip_space(p));
    if (peek(p) == (object ? '}' : ']'))
        return close_container(p);
    if (top->last) {
        if (peek(p) != ',')
            return syntax_error(p, object ? "',' or '}'" : "',' or ']'");
        p->at++;
        LM_TRY(skip_space(p));
    }
    if (object)
        LM_TRY(read_key(p, &key));
    return read_value(p, object ? &key : NULL);
}

/* The root, then step by step whatever is open, then nothing more but white space. */
static lm_status
parse_document(json_parser *p)
{
    LM_TRY(skip_space(p));
    LM_TRY(read_value(p, NULL));
    while (p->depth > 0)
        LM_TRY(read_step(p));
    LM_TRY(skip_space(p));
    return p->at < p->length ? syntax_error(p, "the end of the text") : LM_OK;
}

/* --- strings ---------------------------------------------------------------------------------- */
/*
 * Most bytes of a vocabulary are plain: they are found eight at a time and copied in runs, at most
 * POLL_BYTES long so that one long string can be cancelled too. UTF-8 has been checked for the
 * whole text, so only escapes need thought here: they can write any character, U+0000 included,
 * and could write half a surrogate pair, which no valid text holds.
 */

#define REPEAT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Whether some byte of the word is zero; carries may only reach bytes above a true zero. */
static inline bool
has_zero(uint64_t word)
{
    return ((word - REPEAT(1)) & ~word & REPEAT(0x80)) != 0;
}

/* Bytes before the next quote, backslash or control character, at most length. */
static size_t
plain_run(const char *text, size_t length)
{
    size_t n = 0;

    for (; length - n >= 8; n += 8) {
        uint64_t word;

        memcpy(&word, text + n, 8);
        if (has_zero(word ^ REPEAT('"')) || has_zero(word ^ REPEAT('\\')) ||
            has_zero(word & REPEAT(0xe0)))
            break;
    }
    while (n < length && text[n] != '"' && text[n] != '\\' && (unsigned char)text[n] >= 0x20)
        n++;
    return n;
}

/* The value of a hexadecimal digit of either case, or -1. */
static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits at the parser's position. */
static lm_status
read_hex(json_parser *p, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        int digit = p->at < p->length ? hex_digit(p->text[p->at]) : -1;

        if (digit < 0)
            return syntax_error(p, "four hexadecimal digits");
        *code = *code << 4 | (uint32_t)digit;
    }
    return LM_OK;
}

/* The rest of \u and four digits, and of the second half where it opens a surrogate pair. */
static lm_status
read_unicode(json_parser *p)
{
    size_t start = p->at;
    uint32_t code, low;

    LM_TRY(read_hex(p, &code));
    if (code >= 0xdc00 && code <= 0xdfff) {
        p->at = start;
        return syntax_error(p, "no lone surrogate");
    }
    if (code >= 0xd800 && code <= 0xdbff) {
        if (p->length - p->at < 2 || p->text[p->at] != '\\' || p->text[p->at + 1] != 'u')
            return syntax_error(p, "the second half of a surrogate pair");
        p->at += 2;
        start = p->at;
        LM_TRY(read_hex(p, &low));
        if (low < 0xdc00 || low > 0xdfff) {
            p->at = start;
            return syntax_error(p, "the second half of a surrogate pair");
        }
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
    }
    p->pool += lm_utf8_encode(code, p->pool);
    return LM_OK;
}

static const char escape_values[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

/* An escape, the parser standing on its backslash; one character goes to the pool. */
static lm_status
read_escape(json_parser *p)
{
    int c;

    p->at++;
    c = peek(p);
    if (c == 'u') {
        p->at++;
        return read_unicode(p);
    }
    if (c == END_OF_TEXT || !escape_values[c])
        return syntax_error(p, "an escape: one of \"\\/bfnrtu");
    *p->pool++ = escape_values[c];
    p->at++;
    return LM_OK;
}

/* A literal, the parser standing on its opening quote, into the pool. */
static lm_status
read_string(json_parser *p, json_text *out)
{
    char *start = p->pool;
    int c;

    p->at++;
    while ((c = peek(p)) != '"') {
        size_t left = p->length - p->at;
        size_t run = plain_run(p->text + p->at, left < POLL_BYTES ? left : POLL_BYTES);

        memcpy(p->pool, p->text + p->at, run);
        p->pool += run;
        p->at += run;
        if (c == '\\')
            LM_TRY(read_escape(p));
        else if (run == 0)
            return syntax_error(p, "a character of a string, or its closing quote");
        LM_TRY(tick(p));
    }
    p->at++;
    out->bytes = start;
    out->length = (size_t)(p->pool - start);
    *p->pool++ = '\0';
    return LM_OK;
}

/* --- numbers ---------------------------------------------------------------------------------- */
/*
 * Settings such as layer_norm_eps must arrive as the very double that the reference reads, on any
 * server: reading is exact (nearest, ties to even) and knows no locale. Digits and exponent are
 * gathered first, in bounded space whatever the length of the number.
 */

/*
 * Digits that decide how a decimal rounds to double: a halfway case has at most 767 significant
 * digits, so what follows matters only by being zero or not.
 */
#define DECISIVE_DIGITS 800

/* Beyond these exponents the value is infinite or zero whatever its DECISIVE_DIGITS are. */
#define EXPONENT_LIMIT 100000

/* Exact powers of ten, and the integers that double holds exactly. */
#define EXACT_POWER 22
#define EXACT_INTEGER (UINT64_C(1) << 53)

static const double powers_of_ten[EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* A number as written: ± 0.digits × 10^exponent without the point, and its value while it fits. */
typedef struct json_decimal {
    bool negative;
    bool integral;     /* neither fraction nor exponent */
    bool fits;         /* mantissa holds all digits */
    bool sticky;       /* a digit other than 0 was left out of `digits` */
    uint64_t mantissa; /* all digits read so far, while they fit */
    int64_t exponent;  /* of ten, for the digits kept */
    int count;         /* significant digits kept */
    char digits[DECISIVE_DIGITS + 32];
} json_decimal;

/*
 * Take one digit into the mantissa while it fits and into the digits while they decide; a digit
 * left out only shifts the exponent.
 */
static void
add_digit(json_decimal *d, int digit, bool fraction)
{
    if (__builtin_mul_overflow(d->mantissa, 10, &d->mantissa) ||
        __builtin_add_overflow(d->mantissa, (uint64_t)digit, &d->mantissa))
        d->fits = false;
    d->exponent -= fraction;
    if (d->count == 0 && digit == 0)
        return;
    if (d->count < DECISIVE_DIGITS) {
        d->digits[d->count++] = (char)('0' + digit);
        return;
    }
    d->exponent++;
    d->sticky |= digit != 0;
}

/* ASCII digits only; isdigit would ask the locale. */
static bool
is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* At least one digit, and all that follow. */
static lm_status
read_digits(json_parser *p, json_decimal *d, bool fraction)
{
    int c;

    if (!is_digit(peek(p)))
        return syntax_error(p, "a digit");
    while (is_digit(c = peek(p))) {
        add_digit(d, c - '0', fraction);
        p->at++;
        LM_TRY(tick(p));
    }
    return LM_OK;
}

/* What follows the letter e, added to the exponent that the digits' places gave. */
static lm_status
read_exponent(json_parser *p, json_decimal *d)
{
    bool negative = false;
    int64_t exponent = 0;
    int c;

    p->at++;
    if ((c = peek(p)) == '+' || c == '-') {
        negative = c == '-';
        p->at++;
    }
    if (!is_digit(peek(p)))
        return syntax_error(p, "a digit of the exponent");
    while (is_digit(c = peek(p))) {
        /* Texts are shorter than 2^32 bytes, so no mantissa can bring back what is cut here. */
        if (exponent < INT64_C(1) << 40)
            exponent = exponent * 10 + (c - '0');
        p->at++;
        LM_TRY(tick(p));
    }
    d->exponent += negative ? -exponent : exponent;
    return LM_OK;
}

/* A number by the grammar of JSON, which is narrower than strtod's. */
static lm_status
scan_number(json_parser *p, json_decimal *d)
{
    d->integral = d->fits = true;
    if (peek(p) == '-') {
        d->negative = true;
        p->at++;
    }
    if (peek(p) == '0')
        p->at++; /* a leading zero stands alone: a digit behind it fails as "',' or …" */
    else
        LM_TRY(read_digits(p, d, false));
    if (peek(p) == '.') {
        d->integral = false;
        p->at++;
        LM_TRY(read_digits(p, d, true));
    }
    if (peek(p) == 'e' || peek(p) == 'E') {
        d->integral = false;
        LM_TRY(read_exponent(p, d));
    }
    return LM_OK;
}

/*
 * The nearest double. Where digits and power of ten are exact, one operation rounds once (Clinger
 * 1990). The rest is strtod's, which rounds correctly; it gets no decimal point, since that depends
 * on the process's locale.
 */
static double
decimal_value(json_decimal *d)
{
    int64_t exponent = d->exponent;
    double value;
    char *end;

    if (d->count == 0)
        return 0;
    if (d->fits && d->mantissa <= EXACT_INTEGER && exponent >= -EXACT_POWER &&
        exponent <= EXACT_POWER) {
        value = (double)d->mantissa;
        return exponent < 0 ? value / powers_of_ten[-exponent] : value * powers_of_ten[exponent];
    }
    if (exponent > EXPONENT_LIMIT)
        return HUGE_VAL;
    if (exponent < -EXPONENT_LIMIT)
        return 0;
    end = d->digits + d->count;
    if (d->sticky) {
        *end++ = '1';
        exponent--;
    }
    *end++ = 'e';
    *end++ = exponent < 0 ? '-' : '+';
    exponent = exponent < 0 ? -exponent : exponent;
    for (int64_t unit = EXPONENT_LIMIT * 10; unit > 0; unit /= 10)
        *end++ = (char)('0' + exponent / unit % 10);
    *end = '\0';
    return strtod(d->digits, NULL);
}

/*
 * The digits as a double, times or divided by a power of ten: two roundings. Beyond 64 bits of
 * digits nobody tells the difference.
 */
static double
two_step_value(const json_decimal *d, double nearest)
{
    int64_t exponent = d->exponent < 0 ? -d->exponent : d->exponent;
    double power = 1;
    char digits[8];

    if (!d->fits || exponent > 308)
        return nearest;
    if (exponent <= EXACT_POWER) {
        power = powers_of_ten[exponent];
    } else {
        snprintf(digits, sizeof digits, "1e%d", (int)exponent);
        power = strtod(digits, NULL);
    }
    return d->exponent < 0 ? (double)d->mantissa / power : (double)d->mantissa * power;
}

/* A number into a node: the nearest double, and the exact integer where there is one. */
static lm_status
read_number(json_parser *p, lm_json *node)
{
    json_decimal d;
    double value;

    /* All but the digits, which are written before they are read. */
    memset(&d, 0, offsetof(json_decimal, digits));
    LM_TRY(scan_number(p, &d));
    value = decimal_value(&d);
    if (isinf(value)) {
        p->at = node->offset;
        return syntax_error(p, "a number within the range of double");
    }
    node->type = LM_JSON_NUMBER;
    node->as.number = d.negative ? -value : value;
    node->as.numbers.two_steps = two_step_value(&d, value) * (d.negative ? -1 : 1);
    if (d.integral && d.fits && d.mantissa <= (uint64_t)INT64_MAX + d.negative) {
        node->is_integer = true;
        node->integer = (int64_t)(d.negative ? -d.mantissa : d.mantissa);
    }
    return LM_OK;
}

/* --- values ----------------------------------------------------------------------------------- */
/*
 * A value is known by its first byte.
 */

typedef struct json_literal {
    const char *word;
    lm_json_type type;
    bool boolean;
} json_literal;

static const json_literal literals[] = {
    {"true", LM_JSON_BOOL, true},
    {"false", LM_JSON_BOOL, false},
    {"null", LM_JSON_NULL, false},
};

/* true, false or null; anything else here is no value at all. */
static lm_status
read_literal(json_parser *p, lm_json *node)
{
    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
        size_t length = strlen(literals[i].word);

        if (p->length - p->at >= length && memcmp(p->text + p->at, literals[i].word, length) == 0) {
            node->type = (uint8_t)literals[i].type;
            node->boolean = literals[i].boolean;
            p->at += length;
            return LM_OK;
        }
    }
    return syntax_error(p, "a value");
}

/* A string into a node. */
static lm_status
read_string_value(json_parser *p, lm_json *node)
{
    json_text text;

    LM_TRY(read_string(p, &text));
    node->type = LM_JSON_STRING;
    node->as.string.bytes = text.bytes;
    node->as.string.length = text.length;
    return LM_OK;
}

/* An empty node; their number is limited because "1," costs a node's memory for two bytes. */
static lm_status
add_node(json_parser *p, const json_text *key, lm_json **node)
{
    if (++p->nodes > LM_JSON_MAX_NODES) {
        lm_raise(p->ctx, LM_TOO_LARGE, "JSON file has too many values");
        lm_detail_file(p->ctx, p->file);
        lm_detail_allowed(p->ctx, "%d", LM_JSON_MAX_NODES);
        return lm_detail_offset(p->ctx, p->at);
    }
    *node = lm_arena_zero(p->arena, sizeof **node);
    if (!*node)
        return LM_NO_MEMORY;
    (*node)->offset = p->at;
    if (key) {
        (*node)->key = key->bytes;
        (*node)->key_length = (uint32_t)key->length;
    }
    attach(p, *node);
    return LM_OK;
}

/* A scalar whole, or the opening of a container. */
static lm_status
read_value(json_parser *p, const json_text *key)
{
    lm_json *node = NULL;
    int c = peek(p);

    LM_TRY(add_node(p, key, &node));
    if (c == '{')
        return open_container(p, node, LM_JSON_OBJECT);
    if (c == '[')
        return open_container(p, node, LM_JSON_ARRAY);
    if (c == '"')
        return read_string_value(p, node);
    if (c == '-' || is_digit(c))
        return read_number(p, node);
    return read_literal(p, node);
}

/* --- use -------------------------------------------------------------------------------------- */
/*
 * Nodes are read only after parsing, and valid as long as the arena.
 */

/* A linear search: readers of big objects walk the list instead. */
const lm_json *
lm_json_get(const lm_json *json, const char *key)
{
    size_t length = strlen(key);

    if (!json || json->type != LM_JSON_OBJECT)
        return NULL;
    for (const lm_json *member = json->as.items.first; member; member = member->next)
        if (member->key_length == length && memcmp(member->key, key, length) == 0)
            return member;
    return NULL;
}

/* With its article, as messages want it. */
const char *
lm_json_type_name(const lm_json *json)
{
    static const char *const names[] = {
        [LM_JSON_NULL] = "null",       [LM_JSON_BOOL] = "a boolean", [LM_JSON_NUMBER] = "a number",
        [LM_JSON_STRING] = "a string", [LM_JSON_ARRAY] = "an array", [LM_JSON_OBJECT] = "an object",
    };

    return json ? names[json->type] : "nothing";
}

/* Text of limited length under construction. */
typedef struct shown_text {
    char *out;
    size_t size, used; /* used ≥ size: cut */
} shown_text;

static void
show_text(shown_text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (text->used < text->size)
        text->used +=
            (size_t)vsnprintf(text->out + text->used, text->size - text->used, format, args);
    va_end(args);
}

static void
show_scalar(shown_text *text, const lm_json *json)
{
    if (json->type == LM_JSON_NULL)
        show_text(text, "null");
    else if (json->type == LM_JSON_BOOL)
        show_text(text, "%s", json->boolean ? "true" : "false");
    else if (json->type == LM_JSON_STRING)
        show_text(text, "\"%s\"", json->as.string.bytes);
    else if (json->is_integer)
        show_text(text, "%lld", (long long)json->integer);
    else
        show_text(text, "%.17g", json->as.number);
}

/* Nesting is limited by the reader; nothing is walked once the text is full. */
static void
show_value(shown_text *text, const lm_json *json)
{
    bool object = json->type == LM_JSON_OBJECT;

    if (!object && json->type != LM_JSON_ARRAY) {
        show_scalar(text, json);
        return;
    }
    show_text(text, object ? "{" : "[");
    for (const lm_json *item = json->as.items.first; item && text->used < text->size;
         item = item->next) {
        if (item != json->as.items.first)
            show_text(text, ",");
        if (object)
            show_text(text, "\"%s\":", item->key);
        show_value(text, item);
    }
    show_text(text, object ? "}" : "]");
}

void
lm_json_show(const lm_json *json, char *out, size_t size)
{
    shown_text text = {out, size, 0};

    show_value(&text, json);
    if (text.used >= size)
        lm_copy_text(out + size - sizeof "...", sizeof "...", "...");
}

/* Equal in length too, so that a hidden U+0000 does not pass. */
bool
lm_json_is_string(const lm_json *json, const char *value)
{
    return json && json->type == LM_JSON_STRING && json->as.string.length == strlen(value) &&
           memcmp(json->as.string.bytes, value, json->as.string.length) == 0;
}

/* Append the escape of one byte that may not stand in a literal as it is. */
static lm_status
write_escape(lm_buffer *out, unsigned char c)
{
    for (int letter = '"'; letter <= 't'; letter++)
        if (letter != '/' && escape_values[letter] && (unsigned char)escape_values[letter] == c) {
            LM_TRY(lm_buffer_append_byte(out, '\\'));
            return lm_buffer_append_byte(out, (char)letter);
        }
    return lm_buffer_printf(out, "\\u%04x", c);
}

/*
 * Escapes what must be escaped and nothing else; text that is not UTF-8 would make a file that this
 * reader refuses.
 */
lm_status
lm_json_write_string(lm_buffer *out, const char *bytes, size_t length)
{
    size_t at = 0;

    if (lm_utf8_valid_prefix(bytes, length) != length)
        return lm_raise(out->ctx, LM_BAD_TEXT, "text is not valid UTF-8");
    LM_TRY(lm_buffer_append_byte(out, '"'));
    while (at < length) {
        size_t run = plain_run(bytes + at, length - at);

        LM_TRY(lm_buffer_append(out, bytes + at, run));
        at += run;
        if (at < length)
            LM_TRY(write_escape(out, (unsigned char)bytes[at++]));
    }
    return lm_buffer_append_byte(out, '"');
}
