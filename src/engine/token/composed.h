/*
 * composed.h - which texts the normal form C leaves as they are, by a look at each character.
 */
#ifndef LM_COMPOSED_H
#define LM_COMPOSED_H

#include "base/context.h"

/*
 * Whether NFC changes nothing in a stretch of valid UTF-8. False where it is not certain: the
 * stretch has a character of a block in which marks or characters that decompose are.
 */
lm_status lm_is_composed(lm_context *ctx, const char *text, size_t length, bool *composed);

/* Ranges of scalar values that NFC leaves alone beside each other: the first and last of each. */
extern const uint32_t lm_composed_ranges[][2];
extern const size_t lm_composed_range_count;

#endif
