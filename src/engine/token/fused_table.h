/*
 * fused_table.h - the entries of the fast path's table, for those who build (fused.c) and run it.
 */
#ifndef LM_FUSED_TABLE_H
#define LM_FUSED_TABLE_H

#include "token/image.h"

enum { DROP, LETTER, ALONE, SPACE, LIST, HANGUL, SLOW };

#define KIND_BITS 3
#define KIND(entry) ((entry) & ((1u << KIND_BITS) - 1))
#define VALUE(entry) ((entry) >> KIND_BITS)
#define ENTRY(kind, value) ((uint32_t)(kind) | (uint32_t)(value) << KIND_BITS)

/*
 * The value of a letter or a word of its own is how far it is from the character it comes from, so
 * that scripts without case are equal blocks.
 */
#define MOVED(entry, c) (((c) + VALUE(entry)) & UINT32_MAX >> KIND_BITS)

/*
 * What stands in a list for the character that it comes from, so that characters which are alike
 * have one list as well: no scalar value.
 */
#define ITSELF UINT32_MAX

#define BLOCK (1u << LM_FUSED_SHIFT)

#endif
