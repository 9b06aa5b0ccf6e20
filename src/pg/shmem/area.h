/*
 * area.h - areas of shared memory: each has a name, a layout of its own and one owner among the
 * rooms, and all processes of the server find the same one. None needs the library to be preloaded.
 */
#ifndef LMTEXT_AREA_H
#define LMTEXT_AREA_H

#include "postgres.h"

#define LMTEXT_AREAS 32     /* of all names and layouts, as long as the server lives */
#define LMTEXT_AREA_NAME 24 /* bytes, the end included */

typedef struct lmtext_area {
    const char *name;
    int layout; /* changes with every change of its structs: two libraries may run at once */
    size_t size;
    bool main; /* in the server's main shared memory, which has little room: small ones */
    /* Fill what is all zero; cannot fail, for locks are held. Locks of it are of the tranche. */
    void (*make)(void *memory, int tranche);
    void *address; /* in this process; NULL: not yet */
} lmtext_area;

/*
 * The area, made by the first caller, or NULL where memory for it could not be had; *why, which may
 * be NULL, then says why. As long as there is none each call tries again: memory may have become
 * free.
 */
void *lmtext_area_get(lmtext_area *area, const char **why);

/*
 * From a room's init: a preloaded library has memory set aside for this area of main shared memory.
 * lmtext_shmem_init comes first of all.
 */
void lmtext_area_reserve(lmtext_area *area);
void lmtext_shmem_init(void);

#endif
