/*
 * context.c - the engine's context over a memory context of PostgreSQL.
 *
 * Laws: the allocator never throws, and an error that is thrown below the engine (by
 * CHECK_FOR_INTERRUPTS, or by a source that reads tables) is kept here until the engine has
 * returned, so that no longjmp crosses its frames. Whoever calls the engine must hand its status to
 * lmtext_check: only there is the kept error thrown on.
 */
#include "postgres.h"

#include "pg/glue/fault.h" /* before compat.h, whose palloc is to fail as well */

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/pmsignal.h"
#include "utils/memutils.h"

#include "pg/glue/glue.h"
#include "pg/glue/mapped.h"
#include "pg/glue/tell.h"

/* From this size on a block stands alone in its context, and its pages can move. */
#define MOVED_BYTES ((size_t)1024 * 1024)

/* Up to this size a block that is kept is not worth a file. */
#define FILE_BYTES ((size_t)64 * 1024)

/* What the engine asks of its allocator; palloc promises 8 bytes only. */
#define BLOCK_ALIGNMENT 16

typedef enum block_kind {
    BLOCK_PLAIN,
    BLOCK_KEPT,   /* in memory, and counted against what the call may keep there */
    BLOCK_IN_FILE /* kept too */
} block_kind;

/* Stands before every block; small, since states of aggregates are blocks of a few bytes. */
typedef struct block_header {
    union {
        void *base; /* what palloc returned */
        lmtext_mapped *file;
    } of;
    uint64 size : 62, kind : 2;
} block_header;

#define BLOCK_OVERHEAD (sizeof(block_header) + BLOCK_ALIGNMENT)
#define BLOCK_MOST (((size_t)1 << 62) - 1 - BLOCK_OVERHEAD) /* less than palloc's most */

StaticAssertDecl(sizeof(block_header) % BLOCK_ALIGNMENT == 0, "a header keeps the alignment");

static void *block_alloc(void *opaque, size_t size);
static void *block_realloc(void *opaque, void *pointer, size_t size);
static void *block_keep(void *opaque, void *pointer, size_t size);
static void block_free(void *opaque, void *pointer);
static bool call_cancelled(void *opaque);
static void call_progress(void *opaque, uint64_t done, uint64_t total);

/* A call costs nothing to make: one lives on the stack of whoever calls the engine. */
void
lmtext_call_init(lmtext_call *call, MemoryContext memory)
{
    memset(call, 0, sizeof(*call));
    call->memory = memory;
    call->ctx.alloc = block_alloc;
    call->ctx.realloc = block_realloc;
    call->ctx.free = block_free;
    call->ctx.cancelled = call_cancelled;
    call->ctx.progress = call_progress;
    call->ctx.opaque = call;
}

void
lmtext_call_keep_within(lmtext_call *call, int kilobytes)
{
    call->kept_limit = (size_t)kilobytes * 1024;
    call->ctx.keep = block_keep;
}

/* The header of a block that block_alloc returned. */
static block_header *
header_of(void *pointer)
{
    return (block_header *)pointer - 1;
}

/* Bytes by which the call counts a block as kept in memory. */
static size_t
counted(const block_header *header)
{
    return header->kind == BLOCK_KEPT ? header->size : 0;
}

static void
count_kept(lmtext_call *call, block_header *header, block_kind kind)
{
    call->kept -= counted(header);
    header->kind = kind;
    call->kept += counted(header);
}

/*
 * palloc without its promises: never throws, may exceed 1 GB. A size beyond MaxAllocHugeSize is an
 * elog inside palloc even so, and is therefore refused before.
 */
static void *
block_alloc(void *opaque, size_t size)
{
    lmtext_call *call = opaque;
    char *base;
    void *pointer;

    if (size > BLOCK_MOST || LMTEXT_FAULT_ALLOC())
        return NULL;
    /* In parentheses it is no macro: a debug build counts this as alloc, not as palloc too. */
    base = (MemoryContextAllocExtended)(call->memory, size + BLOCK_OVERHEAD,
                                        MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
    if (base == NULL)
        return NULL;
    pointer = (void *)TYPEALIGN(BLOCK_ALIGNMENT, base + sizeof(block_header));
    *header_of(pointer) = (block_header){.of.base = base, .size = size};
    return pointer;
}

/*
 * Without a copy, during which no cancel is seen. The block stands on another alignment only where
 * malloc's is less than the engine's. NULL: no memory, and the block stays.
 */
static void *
move_block(void *pointer, size_t size)
{
    char *base = header_of(pointer)->of.base;
    size_t place = (char *)pointer - base, kept = Min(size, header_of(pointer)->size);
    void *moved;

    if (size > BLOCK_MOST || LMTEXT_FAULT_ALLOC())
        return NULL;
    base = lmtext_repalloc(base, size + BLOCK_OVERHEAD);
    if (base == NULL)
        return NULL;
    moved = (void *)TYPEALIGN(BLOCK_ALIGNMENT, base + sizeof(block_header));
    if (moved != base + place)
        memmove(moved, base + place, kept);
    *header_of(moved) = (block_header){.of.base = base, .size = size};
    return moved;
}

/* A small block may move to another offset from its palloc'd base, so it is copied by hand. */
static void *
block_realloc(void *opaque, void *pointer, size_t size)
{
    void *grown;

    if (header_of(pointer)->kind != BLOCK_PLAIN)
        return block_keep(opaque, pointer, size);
    if (Min(size, header_of(pointer)->size) >= MOVED_BYTES)
        return move_block(pointer, size);
    grown = block_alloc(opaque, size);
    if (grown == NULL)
        return NULL;
    memcpy(grown, pointer, Min(size, header_of(pointer)->size));
    block_free(opaque, pointer);
    return grown;
}

/* The base is kept in the header, so the memory context need not be the current one. */
static void
block_free(void *opaque, void *pointer)
{
    lmtext_call *call = opaque;
    const block_header *header = header_of(pointer);

    call->kept -= counted(header);
    if (header->kind == BLOCK_IN_FILE)
        lmtext_mapped_close(header->of.file);
    else
        pfree(header->of.base);
}

/* ---- What is kept of rows ---- */

/* What it counts for is not counted while it moves. */
static void *
keep_in_memory(lmtext_call *call, void *pointer, size_t size)
{
    void *kept;

    if (pointer == NULL) {
        kept = block_alloc(call, size);
    } else {
        count_kept(call, header_of(pointer), BLOCK_PLAIN);
        kept = block_realloc(call, pointer, size);
    }
    if (kept != NULL)
        count_kept(call, header_of(kept), BLOCK_KEPT);
    else if (pointer != NULL)
        count_kept(call, header_of(pointer), BLOCK_KEPT);
    return kept;
}

/* The block of a file; its header stands at the file's beginning. */
static void *
block_of(lmtext_mapped *file, size_t size)
{
    block_header *header = lmtext_mapped_bytes(file);

    *header = (block_header){.of.file = file, .size = size, .kind = BLOCK_IN_FILE};
    return header + 1;
}

/* A new file, or a longer one. The engine is below: what is thrown waits until it has returned. */
static lmtext_mapped *
make_file(lmtext_call *call, lmtext_mapped *file, size_t size)
{
    MemoryContext caller = CurrentMemoryContext;
    lmtext_mapped *volatile made = NULL;

    PG_TRY();
    {
        if (file == NULL)
            made = lmtext_mapped_open(call, size);
        else if (lmtext_mapped_grow(file, size))
            made = file;
    }
    PG_CATCH();
    {
        (void)lmtext_call_keep_error(call);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    return made;
}

/* In pieces, between which a cancel is seen. */
static bool
copy_block(lmtext_call *call, char *to, const char *from, size_t size)
{
    for (size_t done = 0; done < size; done += MOVED_BYTES) {
        if (call_cancelled(call))
            return false;
        memcpy(to + done, from + done, Min(size - done, MOVED_BYTES));
    }
    return true;
}

static void *
keep_in_file(lmtext_call *call, void *pointer, size_t size)
{
    lmtext_mapped *file = make_file(call, NULL, sizeof(block_header) + size);
    void *kept;

    if (file == NULL)
        return NULL;
    kept = block_of(file, size);
    if (pointer == NULL)
        return kept;
    if (!copy_block(call, kept, pointer, Min(size, header_of(pointer)->size))) {
        lmtext_mapped_close(file);
        return NULL;
    }
    block_free(call, pointer);
    return kept;
}

static void *
grow_in_file(lmtext_call *call, lmtext_mapped *file, size_t size)
{
    return make_file(call, file, sizeof(block_header) + size) != NULL ? block_of(file, size) : NULL;
}

/* A block that has come to lie in a file stays there. */
static void *
block_keep(void *opaque, void *pointer, size_t size)
{
    lmtext_call *call = opaque;
    const block_header *header = pointer != NULL ? header_of(pointer) : NULL;
    const size_t others = call->kept - (header != NULL ? counted(header) : 0);
    const size_t free = others < call->kept_limit ? call->kept_limit - others : 0;

    if (size > BLOCK_MOST)
        return NULL;
    if (header == NULL || header->kind != BLOCK_IN_FILE)
        return size <= Max(free, FILE_BYTES) ? keep_in_memory(call, pointer, size)
                                             : keep_in_file(call, pointer, size);
    return grow_in_file(call, header->of.file, size);
}

/*
 * A process that computes waits for nothing, and so would not meet the postmaster's end; as long as
 * it runs, the next postmaster cannot start. Where the system tells by a signal, asking costs a
 * load; elsewhere a system call, and such a process ends with its statement, as PostgreSQL's own.
 */
static bool
postmaster_gone(void)
{
#ifdef USE_POSTMASTER_DEATH_SIGNAL
    return IsUnderPostmaster && !PostmasterIsAlive();
#else
    return false;
#endif
}

/* Polled by the engine between pieces of work; costs two loads while nothing is pending. */
static bool
call_cancelled(void *opaque)
{
    lmtext_call *call = opaque;
    MemoryContext caller = CurrentMemoryContext;
    volatile bool thrown = false;

    if (call->interrupt != NULL)
        return true;
    if (postmaster_gone())
        proc_exit(1);
    if (!INTERRUPTS_PENDING_CONDITION() && !lmtext_tell_is_due())
        return false;
    PG_TRY();
    {
        CHECK_FOR_INTERRUPTS();
        lmtext_tell_now();
    }
    PG_CATCH();
    {
        lmtext_call_keep_error(call);
        thrown = true;
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    return thrown;
}

static void
call_progress(void *opaque, uint64_t done, uint64_t total)
{
    lmtext_tell_by_engine((double)done, (double)total);
}

/*
 * The first error wins: what follows it on the way out is its consequence. The copy goes with the
 * transaction, since a call's memory may live as long as the session. Where there is no memory for
 * it the engine's own status must do: nothing may be thrown here.
 */
lm_status
lmtext_call_keep_error(lmtext_call *call)
{
    MemoryContextSwitchTo(CurTransactionContext);
    if (call->interrupt == NULL) {
        PG_TRY();
        {
            call->interrupt = CopyErrorData();
        }
        PG_CATCH();
        {
        }
        PG_END_TRY();
    }
    FlushErrorState();
    if (call->interrupt == NULL)
        return lm_raise(&call->ctx, LM_NO_MEMORY, "out of memory for an error that was thrown");
    return lm_raise(&call->ctx, LM_CANCELLED, "interrupted");
}
