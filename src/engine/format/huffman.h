/*
 * huffman.h - bytes as canonical Huffman codes of at most 12 bits, in four streams that are read
 * side by side. Lossless. docs/internals/compress.md has the format.
 */
#ifndef LM_HUFFMAN_H
#define LM_HUFFMAN_H

#include "base/buffer.h"

#define LM_HUFFMAN_MOST ((size_t)65536) /* bytes of a plane, at most */
#define LM_HUFFMAN_BITS 12

/* Room of a decoder: what each number of 12 bits begins with, length << 8 | byte. */
typedef struct lm_huffman_table {
    uint16_t entries[1 << LM_HUFFMAN_BITS];
} lm_huffman_table;

/* Append `count` bytes, every `stride`-th from `from` on: coded, or as they are where that is less.
 */
lm_status lm_huffman_encode(lm_buffer *out, const unsigned char *from, size_t count, size_t stride);

/*
 * The reverse, from at most `size` bytes, of which *used were the plane's. False where they are not
 * what the encoder writes; nothing is read or written outside.
 */
bool lm_huffman_decode(lm_huffman_table *table, const unsigned char *bytes, size_t size,
                       size_t *used, unsigned char *to, size_t count, size_t stride);

#endif
