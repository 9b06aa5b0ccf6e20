/*
 * fault.h - failures on purpose, in a debug build (make LMTEXT_DEBUG=1) only.
 *
 *     SET lmtext.debug_fail = 'KIND:N[:once|:forever]'      superusers; the setting starts counting
 * anew
 *
 * KIND is alloc (the engine's allocator has no memory), palloc (lmtext's own calls of palloc and
 * its relations throw 53200), read (a directory, a large object or a table's chunk cannot be read,
 * 58030) or error (a fault point throws LM000). N is the number of the one that fails, or for error
 * the name of a point; forever fails all that follow too. wait:NAME waits at that point for the
 * advisory lock LMTEXT_FAULT_LOCK. SHOW lmtext.debug_passed tells how many of each kind were passed
 * since, so that a loop over N ends for certain.
 *
 * In other builds every macro here is nothing. A point stands where an error could really come
 * from: never in a callback of the engine, in unpin, or in the few lines that must not fail.
 */
#ifndef LMTEXT_FAULT_H
#define LMTEXT_FAULT_H

#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/context.h"

#ifndef LMTEXT_DEBUG

#define lmtext_fault_init() ((void)0)
#define LMTEXT_FAULT_POINT(name) ((void)0)
#define LMTEXT_FAULT_ALLOC() false
#define LMTEXT_FAULT_READ(ctx, file) LM_OK
#define LMTEXT_FAULT_FETCH() ((void)0)

#else

#define LMTEXT_FAULT_LOCK 7105908 /* pg_advisory_lock */

void lmtext_fault_init(void); /* from _PG_init: settings */

void lmtext_fault_point(const char *name);
bool lmtext_fault_alloc(void);
bool lmtext_fault_palloc(bool throws);
lm_status lmtext_fault_read(lm_context *ctx, const char *file);
void lmtext_fault_fetch(void);

#define LMTEXT_FAULT_POINT(name) lmtext_fault_point(name)
#define LMTEXT_FAULT_ALLOC() lmtext_fault_alloc()
#define LMTEXT_FAULT_READ(ctx, file) lmtext_fault_read(ctx, file)
#define LMTEXT_FAULT_FETCH() lmtext_fault_fetch()

/* A macro is not expanded within itself: each calls the function of its name, once that may be. */
#define LMTEXT_FAULT_BEFORE(call) (lmtext_fault_palloc(true), call)
#define palloc(size) LMTEXT_FAULT_BEFORE(palloc(size))
#define palloc0(size) LMTEXT_FAULT_BEFORE(palloc0(size))
#define repalloc(pointer, size) LMTEXT_FAULT_BEFORE(repalloc(pointer, size))
#define repalloc_huge(pointer, size) LMTEXT_FAULT_BEFORE(repalloc_huge(pointer, size))
#define pstrdup(string) LMTEXT_FAULT_BEFORE(pstrdup(string))
#define pnstrdup(string, length) LMTEXT_FAULT_BEFORE(pnstrdup(string, length))
#define psprintf(...) LMTEXT_FAULT_BEFORE(psprintf(__VA_ARGS__))
#define MemoryContextAlloc(memory, size) LMTEXT_FAULT_BEFORE(MemoryContextAlloc(memory, size))
#define MemoryContextAllocZero(memory, size) \
    LMTEXT_FAULT_BEFORE(MemoryContextAllocZero(memory, size))
#define MemoryContextAllocHuge(memory, size) \
    LMTEXT_FAULT_BEFORE(MemoryContextAllocHuge(memory, size))
#define MemoryContextStrdup(memory, string) LMTEXT_FAULT_BEFORE(MemoryContextStrdup(memory, string))
#define MemoryContextAllocExtended(memory, size, flags)    \
    (lmtext_fault_palloc(((flags)&MCXT_ALLOC_NO_OOM) == 0) \
         ? NULL                                            \
         : MemoryContextAllocExtended(memory, size, flags))
#define palloc_extended(size, flags) MemoryContextAllocExtended(CurrentMemoryContext, size, flags)
#define AllocSetContextCreateInternal(parent, name, ...) \
    LMTEXT_FAULT_BEFORE(AllocSetContextCreateInternal(parent, name, __VA_ARGS__))
#define hash_create(...) LMTEXT_FAULT_BEFORE(hash_create(__VA_ARGS__))
#define hash_search(table, key, action, found)                                                \
    ((action) == HASH_ENTER ? LMTEXT_FAULT_BEFORE(hash_search(table, key, HASH_ENTER, found)) \
                            : hash_search(table, key, action, found))
#define CopyErrorData() LMTEXT_FAULT_BEFORE(CopyErrorData())

#endif

#endif
