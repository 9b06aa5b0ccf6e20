/*
 * intern.h - bytes to numbers: equal bytes have one number, given in the order of first sight. The
 * table behind everything that is found by its name: labels, words, pairs of numbers.
 *
 * An empty table takes no memory but itself, a small one some hundred bytes; an entry takes 16
 * bytes, its buckets 8 to 16, and bytes beyond LM_INTERN_SHORT their room in an arena. Adding polls
 * cancel where it is long: while the table grows, and along a chain of bytes whose hashes collide
 * (the hash has no secret, unless it is given one).
 */
#ifndef LM_INTERN_H
#define LM_INTERN_H

#include "base/arena.h"

#define LM_INTERN_SHORT 8                 /* bytes that lie in the entry itself */
#define LM_INTERN_MAX ((uint32_t)1 << 30) /* entries */

typedef struct lm_intern_entry {
    union {
        const char *far;
        char near[LM_INTERN_SHORT];
    } bytes;
    uint32_t length;
    uint32_t hash;
} lm_intern_entry;

typedef struct lm_intern {
    lm_context *ctx;
    const char *what; /* is counted, for messages: "labels" */
    lm_arena far;     /* of bytes that are not short */
    lm_intern_entry *entries;
    uint32_t count, room;
    uint32_t *buckets; /* a number + 1; 0: free. Linear probing, at most half full */
    uint32_t bucket_mask;
    uint32_t seed; /* of the hash; 0: none */
} lm_intern;

void lm_intern_init(lm_intern *intern, lm_context *ctx, const char *what);
void lm_intern_free(lm_intern *intern);
/* Give an empty table's hash a secret: for bytes of files, which may have been made to collide. */
void lm_intern_hide(lm_intern *intern);

/* The number of some bytes, which are copied on first sight. LM_TOO_LARGE beyond LM_INTERN_MAX. */
lm_status lm_intern_add(lm_intern *intern, const char *bytes, size_t length, uint32_t *number);
/* Whether the bytes have a number, and which. */
lm_status lm_intern_find(const lm_intern *intern, const char *bytes, size_t length, bool *found,
                         uint32_t *number);
/* The bytes of a number; valid until the next one is added. */
const char *lm_intern_bytes(const lm_intern *intern, uint32_t number, size_t *length);
/*
 * All numbers in the order of their bytes, a prefix before what it begins; allocated from the
 * table's context; NULL where it fails.
 */
lm_status lm_intern_sort(const lm_intern *intern, uint32_t **order);

#endif
