/*
 * mapped.c - memory in temporary files; the contract is in mapped.h.
 *
 * On an abort the resource owner closes the file, and the call's memory context, which goes later,
 * the mapping: so a callback of that context never touches the file.
 */
#include "postgres.h"

#include "pg/glue/fault.h"

#include <sys/mman.h>

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "pg/glue/mapped.h"

#define PIECE_BYTES (256 * 1024) /* between two looks at whether it is cancelled */

struct lmtext_mapped {
    File file;
    void *bytes; /* NULL: it is closed, and may be used again */
    size_t size;
    MemoryContextCallback forget;
    struct lmtext_mapped *next;
};

static void
unmap(void *argument)
{
    lmtext_mapped *mapped = argument;

    if (mapped->bytes != NULL)
        munmap(mapped->bytes, mapped->size);
    mapped->bytes = NULL;
}

/* One that is closed, or a new one: a context's callbacks stay as long as it does. */
static lmtext_mapped *
find_place(lmtext_call *call)
{
    lmtext_mapped *mapped = call->mapped;

    while (mapped != NULL && mapped->bytes != NULL)
        mapped = mapped->next;
    if (mapped != NULL || LMTEXT_FAULT_ALLOC())
        return mapped;
    mapped = (MemoryContextAllocExtended)(call->memory, sizeof *mapped,
                                          MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
    if (mapped == NULL)
        return NULL;
    mapped->forget.func = unmap;
    mapped->forget.arg = mapped;
    MemoryContextRegisterResetCallback(call->memory, &mapped->forget);
    mapped->next = call->mapped;
    call->mapped = mapped;
    return mapped;
}

static void
write_piece(File file, size_t at, size_t size)
{
    static char zeros[PIECE_BYTES];

    errno = 0;
    if ((size_t)FileWrite(file, zeros, size, (off_t)at, WAIT_EVENT_BUFFILE_WRITE) == size)
        return;
    if (errno == 0)
        errno = ENOSPC;
    ereport(ERROR, (errcode_for_file_access(),
                    errmsg("could not write to a temporary file of a training: %m")));
}

static void
write_zeros(File file, size_t from, size_t to)
{
    for (size_t at = from; at < to; at += PIECE_BYTES) {
        CHECK_FOR_INTERRUPTS();
        write_piece(file, at, Min(to - at, PIECE_BYTES));
    }
}

/* Right after a write, so that PostgreSQL has the file open. NULL: there are no addresses. */
static void *
map(File file, size_t size)
{
    void *bytes = LMTEXT_FAULT_ALLOC() ? MAP_FAILED
                                       : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
                                              FileGetRawDesc(file), 0);

    return bytes != MAP_FAILED ? bytes : NULL;
}

lmtext_mapped *
lmtext_mapped_open(lmtext_call *call, size_t size)
{
    lmtext_mapped *mapped = find_place(call);

    if (mapped == NULL)
        return NULL;
    PrepareTempTablespaces();
    mapped->file = OpenTemporaryFile(false);
    write_zeros(mapped->file, 0, size);
    mapped->size = size;
    if ((mapped->bytes = map(mapped->file, size)) != NULL)
        return mapped;
    FileClose(mapped->file);
    return NULL;
}

/* The new mapping is made first: if it cannot be, the old one stays. */
bool
lmtext_mapped_grow(lmtext_mapped *mapped, size_t size)
{
    void *bytes;

    if (size <= mapped->size)
        return true;
    write_zeros(mapped->file, mapped->size, size);
    if ((bytes = map(mapped->file, size)) == NULL)
        return false;
    munmap(mapped->bytes, mapped->size);
    mapped->bytes = bytes;
    mapped->size = size;
    return true;
}

void *
lmtext_mapped_bytes(const lmtext_mapped *mapped)
{
    return mapped->bytes;
}

void
lmtext_mapped_close(lmtext_mapped *mapped)
{
    FileClose(mapped->file);
    unmap(mapped);
}
