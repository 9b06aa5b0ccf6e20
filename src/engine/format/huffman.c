/*
 * huffman.c - a plane of bytes: a mode, then the bytes, the one byte that all are, or the lengths
 * of 256 codes (four bits each), the sizes of four streams and these. Each stream has a quarter of
 * the plane; four of them, since a decoder waits for one code before it sees where the next begins.
 */
#include "format/huffman.h"

#include <string.h>

#define SYMBOLS 256
#define STREAMS 4
#define LENGTH_BYTES (SYMBOLS / 2)
#define CODED_HEAD (1 + LENGTH_BYTES + 2 * STREAMS)
#define STEP 4 /* codes that fit what a refill leaves: 4 · 12 of 56 bits */

enum { MODE_RAW, MODE_ONE, MODE_CODED };

/* Bytes of a plane that one stream has. */
static size_t
share(size_t count, int stream)
{
    return count / STREAMS + ((size_t)stream < count % STREAMS);
}

/* ---- Lengths of codes ---- */

/* A tree under construction: leaves by rising count, then the nodes above them. */
typedef struct tree {
    uint64_t weights[2 * SYMBOLS];
    int parents[2 * SYMBOLS];
    int symbols[SYMBOLS];
    int leaves;
} tree;

static void
sort_leaves(tree *t, const uint32_t *counts)
{
    t->leaves = 0;
    for (int symbol = 0; symbol < SYMBOLS; symbol++) {
        int at = t->leaves;

        if (counts[symbol] == 0)
            continue;
        for (; at > 0 && t->weights[at - 1] > counts[symbol]; at--) {
            t->weights[at] = t->weights[at - 1];
            t->symbols[at] = t->symbols[at - 1];
        }
        t->weights[at] = counts[symbol];
        t->symbols[at] = symbol;
        t->leaves++;
    }
}

/* The lighter one of the next leaf and the next node; nodes come in rising order too. */
static int
take_lighter(const tree *t, int *leaf, int *node, int end)
{
    if (*leaf < t->leaves && (*node == end || t->weights[*leaf] <= t->weights[*node]))
        return (*leaf)++;
    return (*node)++;
}

/* Depths of leaves; returns the greatest. There are two leaves at least. */
static int
grow_tree(tree *t, const uint32_t *counts, unsigned char *lengths)
{
    int leaf = 0, node, end, depths[2 * SYMBOLS], deepest = 0;

    sort_leaves(t, counts);
    node = end = t->leaves;
    for (; end < 2 * t->leaves - 1; end++) {
        const int a = take_lighter(t, &leaf, &node, end), b = take_lighter(t, &leaf, &node, end);

        t->weights[end] = t->weights[a] + t->weights[b];
        t->parents[a] = t->parents[b] = end;
    }
    depths[end - 1] = 0;
    for (int i = end - 2; i >= 0; i--) {
        depths[i] = depths[t->parents[i]] + 1;
        if (i < t->leaves) {
            lengths[t->symbols[i]] = (unsigned char)depths[i];
            deepest = depths[i] > deepest ? depths[i] : deepest;
        }
    }
    return deepest;
}

/* Counts are flattened until the deepest leaf is within the limit. */
static void
choose_lengths(uint32_t *counts, unsigned char *lengths)
{
    tree t;

    memset(lengths, 0, SYMBOLS);
    while (grow_tree(&t, counts, lengths) > LM_HUFFMAN_BITS)
        for (int i = 0; i < SYMBOLS; i++)
            counts[i] = counts[i] > 0 ? counts[i] / 2 + 1 : 0;
}

/* ---- Writing ---- */

/* Codes by length, then by byte. */
static void
number_codes(const unsigned char *lengths, uint32_t *codes)
{
    uint32_t next = 0;

    for (int length = 1; length <= LM_HUFFMAN_BITS; length++, next <<= 1)
        for (int symbol = 0; symbol < SYMBOLS; symbol++)
            if (lengths[symbol] == length)
                codes[symbol] = next++;
}

/* One stream, from the highest bit of each byte on; the last byte is filled with zeros. */
static size_t
write_stream(const unsigned char *from, size_t count, size_t stride, const unsigned char *lengths,
             const uint32_t *codes, unsigned char *to)
{
    uint64_t bits = 0;
    int have = 0;
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        const unsigned char symbol = from[i * stride];

        bits = bits << lengths[symbol] | codes[symbol];
        have += lengths[symbol];
        for (; have >= 8; have -= 8)
            to[size++] = (unsigned char)(bits >> (have - 8));
    }
    if (have > 0)
        to[size++] = (unsigned char)(bits << (8 - have));
    return size;
}

/* Behind what is there; the caller has reserved the room. */
static void
write_coded(lm_buffer *out, const unsigned char *from, size_t count, size_t stride,
            const unsigned char *lengths)
{
    unsigned char *head = (unsigned char *)out->data + out->size, *body = head + CODED_HEAD;
    uint32_t codes[SYMBOLS] = {0};

    number_codes(lengths, codes);
    *head++ = MODE_CODED;
    for (int i = 0; i < LENGTH_BYTES; i++)
        *head++ = (unsigned char)(lengths[2 * i] | lengths[2 * i + 1] << 4);
    for (int s = 0; s < STREAMS; s++) {
        const size_t size = write_stream(from, share(count, s), stride, lengths, codes, body);

        *head++ = (unsigned char)size;
        *head++ = (unsigned char)(size >> 8);
        body += size;
        from += share(count, s) * stride;
    }
    out->size = (size_t)(body - (unsigned char *)out->data);
}

static size_t
coded_size(const uint32_t *counts, const unsigned char *lengths)
{
    uint64_t bits = 0;

    for (int i = 0; i < SYMBOLS; i++)
        bits += (uint64_t)counts[i] * lengths[i];
    return CODED_HEAD + STREAMS + (size_t)(bits / 8);
}

static void
write_raw(lm_buffer *out, const unsigned char *from, size_t count, size_t stride)
{
    out->data[out->size++] = MODE_RAW;
    for (size_t i = 0; i < count; i++)
        out->data[out->size++] = (char)from[i * stride];
}

lm_status
lm_huffman_encode(lm_buffer *out, const unsigned char *from, size_t count, size_t stride)
{
    uint32_t counts[SYMBOLS] = {0}, flat[SYMBOLS];
    unsigned char lengths[SYMBOLS];

    for (size_t i = 0; i < count; i++)
        counts[from[i * stride]]++;
    /* Streams of 12 bits a byte are the most that a coded plane can have. */
    LM_TRY(lm_buffer_reserve(out, CODED_HEAD + STREAMS + 2 * count));
    if (counts[from[0]] == count) {
        out->data[out->size++] = MODE_ONE;
        out->data[out->size++] = (char)from[0];
        return LM_OK;
    }
    memcpy(flat, counts, sizeof flat);
    choose_lengths(flat, lengths);
    if (coded_size(counts, lengths) < count)
        write_coded(out, from, count, stride, lengths);
    else
        write_raw(out, from, count, stride);
    return LM_OK;
}

/* ---- Reading ---- */

typedef struct stream {
    const unsigned char *at, *end;
    uint64_t bits; /* the next ones, from the highest on */
    int have;      /* of them; zeros behind the end count */
    size_t beyond; /* bytes of zeros that were added behind the end */
    unsigned char *to;
    size_t count;
} stream;

/* At least 56 bits. What is loaded twice is the same both times. */
static inline void
refill(stream *s)
{
    if (s->end - s->at >= 8) {
        uint64_t word;
        const int bytes = (63 - s->have) >> 3;

        memcpy(&word, s->at, sizeof word);
        s->bits |= __builtin_bswap64(word) >> s->have;
        s->at += bytes;
        s->have += 8 * bytes;
        return;
    }
    for (; s->have <= 56; s->have += 8)
        if (s->at < s->end)
            s->bits |= (uint64_t)*s->at++ << (56 - s->have);
        else
            s->beyond++;
}

static inline void
take_code(stream *s, const lm_huffman_table *table, size_t stride)
{
    const uint16_t entry = table->entries[s->bits >> (64 - LM_HUFFMAN_BITS)];

    *s->to = (unsigned char)entry;
    s->to += stride;
    s->bits <<= entry >> 8;
    s->have -= entry >> 8;
}

/* Every number of 12 bits begins with one code, or else this is no encoder's work. */
static bool
fill_table(lm_huffman_table *table, const unsigned char *packed)
{
    size_t at = 0;

    for (int length = 1; length <= LM_HUFFMAN_BITS; length++)
        for (int symbol = 0; symbol < SYMBOLS; symbol++) {
            const size_t room = (size_t)1 << (LM_HUFFMAN_BITS - length);

            if ((packed[symbol / 2] >> (symbol % 2 * 4) & 15) != length)
                continue;
            if (room > ((size_t)1 << LM_HUFFMAN_BITS) - at)
                return false;
            for (size_t i = 0; i < room; i++)
                table->entries[at++] = (uint16_t)(length << 8 | symbol);
        }
    for (int i = 0; i < LENGTH_BYTES; i++)
        if ((packed[i] & 15) > LM_HUFFMAN_BITS || packed[i] >> 4 > LM_HUFFMAN_BITS)
            return false;
    return at == (size_t)1 << LM_HUFFMAN_BITS;
}

/* All bits are used but those that fill the last byte. */
static bool
is_at_end(const stream *s)
{
    const int64_t left = 8 * (int64_t)(s->end - s->at) + s->have - 8 * (int64_t)s->beyond;

    return left >= 0 && left < 8;
}

static bool
open_streams(stream *streams, const unsigned char *bytes, size_t size, size_t *used,
             unsigned char *to, size_t count, size_t stride)
{
    const unsigned char *at = bytes + CODED_HEAD, *sizes = bytes + CODED_HEAD - 2 * STREAMS;

    for (int s = 0; s < STREAMS; s++) {
        const size_t length = sizes[2 * s] | (size_t)sizes[2 * s + 1] << 8;

        if (length > size - (size_t)(at - bytes))
            return false;
        streams[s] = (stream){at, at + length, 0, 0, 0, to, share(count, s)};
        at += length;
        to += share(count, s) * stride;
    }
    *used = (size_t)(at - bytes);
    return true;
}

static bool
decode_coded(lm_huffman_table *table, const unsigned char *bytes, size_t size, size_t *used,
             unsigned char *to, size_t count, size_t stride)
{
    stream streams[STREAMS];
    bool whole = true;

    if (size < CODED_HEAD || !fill_table(table, bytes + 1) ||
        !open_streams(streams, bytes, size, used, to, count, stride))
        return false;
    for (size_t left = count / STREAMS / STEP; left > 0; left--)
        for (int s = 0; s < STREAMS; s++) {
            refill(&streams[s]);
            for (int i = 0; i < STEP; i++)
                take_code(&streams[s], table, stride);
        }
    for (int s = 0; s < STREAMS; s++) {
        for (size_t i = count / STREAMS / STEP * STEP; i < streams[s].count; i++) {
            refill(&streams[s]);
            take_code(&streams[s], table, stride);
        }
        whole &= is_at_end(&streams[s]);
    }
    return whole;
}

bool
lm_huffman_decode(lm_huffman_table *table, const unsigned char *bytes, size_t size, size_t *used,
                  unsigned char *to, size_t count, size_t stride)
{
    if (size < 2)
        return false;
    if (bytes[0] == MODE_CODED)
        return decode_coded(table, bytes, size, used, to, count, stride);
    *used = bytes[0] == MODE_ONE ? 2 : 1 + count;
    if (bytes[0] > MODE_ONE || *used > size)
        return false;
    for (size_t i = 0; i < count; i++)
        to[i * stride] = bytes[0] == MODE_ONE ? bytes[1] : bytes[1 + i];
    return true;
}
