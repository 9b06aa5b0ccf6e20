/*
 * postings.c - blocks of postings: their bytes; the contract is in postings.h.
 *
 * A block is a head of 16 bytes, then three columns of bits: gaps between documents less 1 (but
 * for the first document), frequencies less 1, lengths less the shortest; each as wide as its
 * greatest number needs, one behind the other.
 */
#include "search/postings.h"

#include <string.h>

typedef struct stored_head {
    uint32_t first, last, shortest;
    uint8_t count_less_1, most_less_1, document_bits, length_bits;
} stored_head;

_Static_assert(sizeof(stored_head) == LM_POSTINGS_HEAD, "a head has no holes");

/* ---- Bits ---- */

static int
bits_for(uint32_t value)
{
    return value == 0 ? 0 : 32 - __builtin_clz(value);
}

static void
put_bits(uint8_t *out, size_t at, uint32_t value)
{
    uint64_t word;

    memcpy(&word, out + at / 8, sizeof word);
    word |= (uint64_t)value << at % 8;
    memcpy(out + at / 8, &word, sizeof word);
}

static uint32_t
get_bits(const uint8_t *bytes, size_t at, int width)
{
    uint64_t word;

    memcpy(&word, bytes + at / 8, sizeof word);
    return (uint32_t)(word >> at % 8 & ((UINT64_C(1) << width) - 1));
}

/* ---- Blocks ---- */

static size_t
block_bytes(const lm_postings_head *head)
{
    size_t bits = (size_t)(head->count - 1) * (size_t)head->document_bits +
                  (size_t)head->count * (size_t)(head->length_bits + head->frequency_bits);

    return LM_POSTINGS_HEAD + (bits + 7) / 8;
}

static lm_postings_head
head_of(const lm_postings *rows, int count)
{
    lm_postings_head head = {.first = rows->documents[0],
                             .last = rows->documents[count - 1],
                             .shortest = UINT32_MAX,
                             .count = count};
    uint32_t gap = 0, longest = 0;

    for (int i = 0; i < count; i++) {
        if (i > 0 && rows->documents[i] - rows->documents[i - 1] - 1 > gap)
            gap = rows->documents[i] - rows->documents[i - 1] - 1;
        head.shortest = rows->lengths[i] < head.shortest ? rows->lengths[i] : head.shortest;
        longest = rows->lengths[i] > longest ? rows->lengths[i] : longest;
        head.most = rows->frequencies[i] > head.most ? rows->frequencies[i] : head.most;
    }
    head.document_bits = bits_for(gap);
    head.length_bits = bits_for(longest - head.shortest);
    head.frequency_bits = bits_for(head.most - 1);
    head.bytes = block_bytes(&head);
    return head;
}

size_t
lm_postings_encode(const lm_postings *rows, int count, uint8_t *out)
{
    const lm_postings_head head = head_of(rows, count);
    const stored_head stored = {head.first,
                                head.last,
                                head.shortest,
                                (uint8_t)(count - 1),
                                (uint8_t)(head.most - 1),
                                (uint8_t)head.document_bits,
                                (uint8_t)head.length_bits};
    uint8_t *bits = out + LM_POSTINGS_HEAD;
    size_t at = 0;

    memcpy(out, &stored, sizeof stored);
    memset(bits, 0, head.bytes - LM_POSTINGS_HEAD + LM_POSTINGS_PADDING);
    for (int i = 1; i < count; i++, at += (size_t)head.document_bits)
        put_bits(bits, at, rows->documents[i] - rows->documents[i - 1] - 1);
    for (int i = 0; i < count; i++, at += (size_t)head.frequency_bits)
        put_bits(bits, at, rows->frequencies[i] - 1);
    for (int i = 0; i < count; i++, at += (size_t)head.length_bits)
        put_bits(bits, at, rows->lengths[i] - head.shortest);
    return head.bytes;
}

bool
lm_postings_read_head(const uint8_t *bytes, size_t available, lm_postings_head *head)
{
    stored_head stored;

    if (available < LM_POSTINGS_HEAD)
        return false;
    memcpy(&stored, bytes, sizeof stored);
    head->first = stored.first;
    head->last = stored.last;
    head->shortest = stored.shortest;
    head->most = (uint32_t)stored.most_less_1 + 1;
    head->count = stored.count_less_1 + 1;
    head->document_bits = stored.document_bits;
    head->length_bits = stored.length_bits;
    head->frequency_bits = bits_for(stored.most_less_1);
    if (head->count > LM_POSTINGS_BLOCK || head->document_bits > 32 || head->length_bits > 32 ||
        head->last < head->first || head->last - head->first < (uint32_t)head->count - 1)
        return false;
    head->bytes = block_bytes(head);
    return head->bytes <= available;
}

bool
lm_postings_decode(const uint8_t *bytes, const lm_postings_head *head, lm_postings *rows)
{
    const uint8_t *bits = bytes + LM_POSTINGS_HEAD;
    uint64_t document = head->first, longest = 0;
    size_t at = 0;

    rows->documents[0] = head->first;
    for (int i = 1; i < head->count; i++, at += (size_t)head->document_bits) {
        document += (uint64_t)get_bits(bits, at, head->document_bits) + 1;
        rows->documents[i] = (uint32_t)document;
    }
    for (int i = 0; i < head->count; i++, at += (size_t)head->frequency_bits)
        rows->frequencies[i] = get_bits(bits, at, head->frequency_bits) + 1;
    for (int i = 0; i < head->count; i++, at += (size_t)head->length_bits) {
        uint64_t length = (uint64_t)head->shortest + get_bits(bits, at, head->length_bits);

        longest = length > longest ? length : longest;
        rows->lengths[i] = (uint32_t)length;
    }
    return document == head->last && longest <= UINT32_MAX;
}
