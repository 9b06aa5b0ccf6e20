/*
 * mutate.c - changes of JSON texts for libFuzzer that keep them JSON: values replaced by values at
 * the limits of their types, or by others of the same input, members removed, repeated, swapped,
 * nested. Every second change is left to libFuzzer, which knows bytes only. What is around the
 * JSON, the marks of a folder, does not matter here: whatever looks like a value is one.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"

#define MAX_SPANS 8192
#define MAX_OPEN 256

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* A value, or the key of a member. */
typedef struct span {
    size_t start, stop;
    bool key;
} span;

typedef struct mutation {
    const char *data;
    size_t size;
    span spans[MAX_SPANS];
    size_t count;
    lm_rng rng;
    char *out; /* max_size bytes */
    size_t used, room;
} mutation;

static const char *const limits[] = {
    "0",
    "-0",
    "1",
    "-1",
    "2",
    "127",
    "128",
    "255",
    "256",
    "512",
    "513",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1.5",
    "1.0",
    "1e0",
    "1e-45",
    "1e-320",
    "1e30",
    "1e308",
    "1e400",
    "-1e400",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "\"\"",
    "\"\\u0000\"",
    "\"a\\u0000b\"",
    "\"\\ud800\"",
    "\"##\"",
    "\" \"",
    "\"../x\"",
    "\"/\"",
    "\"[UNK]\"",
    "[[]]",
    "{\"\":{}}",
    "[0,0]",
    "[0,18446744073709551615]",
    "[1,0]",
};

static size_t
below(mutation *m, size_t bound)
{
    return (size_t)lm_rng_below(&m->rng, bound);
}

/* ---- Finding values. ---- */

static size_t
string_end(const mutation *m, size_t at)
{
    for (at++; at < m->size && m->data[at] != '"'; at++)
        at += m->data[at] == '\\';
    return at < m->size ? at + 1 : m->size;
}

static size_t
word_end(const mutation *m, size_t at)
{
    while (at < m->size && m->data[at] != '\0' &&
           strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", m->data[at]))
        at++;
    return at;
}

static bool
is_key(const mutation *m, size_t at)
{
    while (at < m->size && m->data[at] != '\0' && strchr(" \t\r\n", m->data[at]))
        at++;
    return at < m->size && m->data[at] == ':';
}

static void
add_span(mutation *m, size_t start, size_t stop, bool key)
{
    if (m->count < MAX_SPANS)
        m->spans[m->count++] = (span){start, stop, key};
}

/* Strings, words and numbers as they come; containers when they close. */
static void
find_spans(mutation *m)
{
    size_t open[MAX_OPEN], depth = 0;

    for (size_t at = 0; at < m->size;) {
        char c = m->data[at];
        size_t stop = c == '"' ? string_end(m, at) : word_end(m, at);

        if (stop > at) {
            add_span(m, at, stop, c == '"' && is_key(m, stop));
            at = stop;
            continue;
        }
        if ((c == '{' || c == '[') && depth < MAX_OPEN)
            open[depth++] = at;
        if ((c == '}' || c == ']') && depth > 0)
            add_span(m, open[--depth], at + 1, false);
        at++;
    }
}

/* ---- Putting together. ---- */

/* What has no room is cut off. */
static void
put(mutation *m, const char *bytes, size_t length)
{
    if (length > m->room - m->used)
        length = m->room - m->used;
    memcpy(m->out + m->used, bytes, length);
    m->used += length;
}

static void
put_range(mutation *m, size_t start, size_t stop)
{
    put(m, m->data + start, stop - start);
}

static void
put_string(mutation *m, const char *string)
{
    put(m, string, strlen(string));
}

static void
put_span(mutation *m, span s)
{
    put_range(m, s.start, s.stop);
}

/* A value that is no key, or any key. */
static span
pick(mutation *m, bool key)
{
    size_t first = below(m, m->count);

    for (size_t i = 0; i < m->count; i++) {
        span s = m->spans[(first + i) % m->count];

        if (s.key == key)
            return s;
    }
    return m->spans[first];
}

/* ---- The changes. ---- */

static void
replace_by_limit(mutation *m, span s)
{
    put_range(m, 0, s.start);
    put_string(m, limits[below(m, sizeof limits / sizeof limits[0])]);
    put_range(m, s.stop, m->size);
}

static void
replace_by_other(mutation *m, span s)
{
    put_range(m, 0, s.start);
    put_span(m, pick(m, s.key));
    put_range(m, s.stop, m->size);
}

/* A number near the one that is there. */
static void
nudge(mutation *m, span s)
{
    char text[32] = "";
    long long value = 0;

    put_range(m, 0, s.start);
    if (s.stop - s.start < 18)
        memcpy(text, m->data + s.start, s.stop - s.start);
    if (sscanf(text, "%lld", &value) == 1) {
        static const int steps[] = {-1, 1, 2, -2, 8, 64};

        value = below(m, 3) == 0 ? value * 2 : value + steps[below(m, 6)];
        snprintf(text, sizeof text, "%lld", value);
        put_string(m, text);
    } else
        put_span(m, s);
    put_range(m, s.stop, m->size);
}

/* An element or member with the comma behind it, or else before it. */
static void
remove_element(mutation *m, span s)
{
    size_t start = s.start, stop = s.stop;

    while (stop < m->size && m->data[stop] != ',' && m->data[stop] != ']' && m->data[stop] != '}')
        stop++;
    while (start > 0 && m->data[start - 1] != ',' && m->data[start - 1] != '[' &&
           m->data[start - 1] != '{')
        start--;
    if (stop < m->size && m->data[stop] == ',')
        stop++;
    else if (start > 0 && m->data[start - 1] == ',')
        start--;
    put_range(m, 0, start);
    put_range(m, stop, m->size);
}

/* An element again, or a member with a key of its own; sometimes many times. */
static void
repeat_element(mutation *m, span s)
{
    size_t start = s.start, times = below(m, 8) == 0 ? below(m, 64) : 1;

    while (start > 0 && m->data[start - 1] != ',' && m->data[start - 1] != '[' &&
           m->data[start - 1] != '{')
        start--;
    put_range(m, 0, s.stop);
    for (size_t i = 0; i < times; i++) {
        size_t colon = start;

        put_string(m, ",");
        while (colon < s.start && m->data[colon] != ':')
            colon++;
        if (colon < s.start && below(m, 8) != 0) {
            char key[32];

            snprintf(key, sizeof key, "\"%x\"", (unsigned)below(m, 1 << 20));
            put_string(m, key);
            put_range(m, colon, s.stop);
        } else
            put_range(m, start, s.stop);
    }
    put_range(m, s.stop, m->size);
}

static void
nest(mutation *m, span s)
{
    size_t levels = below(m, 16) == 0 ? 1 + below(m, 140) : 1;
    bool object = below(m, 2);

    put_range(m, 0, s.start);
    for (size_t i = 0; i < levels; i++)
        put_string(m, object ? "{\"a\":" : "[");
    put_span(m, s);
    for (size_t i = 0; i < levels; i++)
        put_string(m, object ? "}" : "]");
    put_range(m, s.stop, m->size);
}

/* Two values change places; one inside the other becomes it. */
static void
swap(mutation *m, span a)
{
    span b = pick(m, a.key);

    if (b.start < a.start) {
        span first = b;

        b = a;
        a = first;
    }
    put_range(m, 0, a.start);
    put_span(m, b);
    if (b.start >= a.stop) {
        put_range(m, a.stop, b.start);
        put_span(m, a);
        put_range(m, b.stop, m->size);
    } else
        put_range(m, a.stop, m->size);
}

static void (*const changes[])(mutation *m, span s) = {
    replace_by_limit, replace_by_other, nudge, remove_element, repeat_element, nest, swap,
};

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static mutation m;
    static char out[1 << 20];

    m.data = (const char *)data;
    m.size = size;
    m.count = m.used = 0;
    m.out = out;
    m.room = max_size < sizeof out ? max_size : sizeof out;
    lm_rng_seed(&m.rng, seed);
    find_spans(&m);
    if (m.count == 0 || below(&m, 2) == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    changes[below(&m, sizeof changes / sizeof changes[0])](&m, pick(&m, below(&m, 4) == 0));
    memcpy(data, out, m.used);
    return m.used;
}
