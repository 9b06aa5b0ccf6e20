/*
 * unicode_data.h - the generated tables as base/unicode.c sees them. A property of scalar value c
 * is value[block[c >> shift] << shift | (c & mask)]; mappings are places in the pool, where the
 * length comes first, and 0 means that c maps to itself.
 */
#ifndef LM_UNICODE_DATA_H
#define LM_UNICODE_DATA_H

#include <stddef.h>
#include <stdint.h>

typedef struct lm_unicode_pair {
    uint32_t first, second, composed;
} lm_unicode_pair;

extern const uint8_t lm_unicode_flags_block[], lm_unicode_class_block[];
extern const uint16_t lm_unicode_flags_value[];
extern const uint8_t lm_unicode_class_value[];
extern const uint8_t lm_unicode_nfd_block[], lm_unicode_nfkd_block[], lm_unicode_lower_block[];
extern const uint16_t lm_unicode_nfd_value[], lm_unicode_nfkd_value[], lm_unicode_lower_value[];
extern const unsigned lm_unicode_flags_shift, lm_unicode_class_shift, lm_unicode_nfd_shift,
    lm_unicode_nfkd_shift, lm_unicode_lower_shift;

extern const uint32_t lm_unicode_pool[];

extern const lm_unicode_pair lm_unicode_pairs[]; /* by first, then second */
extern const size_t lm_unicode_pair_count;

#endif
