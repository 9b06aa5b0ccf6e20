/*
 * fake.h - stand-ins for tests: a source over files in memory, and a context whose n-th allocation
 * fails and which counts what was not freed.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "format/source.h"

#define FAKE_FILES 64

typedef struct fake_file {
    const char *name;
    const char *data;
    size_t size;
    uint64_t read_to; /* every read begins here or later: files are read front to back */
} fake_file;

typedef struct fake_source {
    fake_file files[FAKE_FILES];
    int count;
    bool went_back; /* a read began before the end of an earlier one */
    int calls;      /* of stat and read */
    int fail_at;    /* the call that fails with LM_IO_ERROR, counted from 1; 0: none */
    bool fail_on;   /* and all that follow */
} fake_source;

static inline void
fake_add_bytes(fake_source *fake, const char *name, const void *data, size_t size)
{
    fake->files[fake->count++] = (fake_file){name, data, size, 0};
}

static inline void
fake_add(fake_source *fake, const char *name, const char *text)
{
    fake_add_bytes(fake, name, text, strlen(text));
}

static inline fake_file *
fake_find(fake_source *fake, const char *name)
{
    for (int i = 0; i < fake->count; i++)
        if (strcmp(fake->files[i].name, name) == 0)
            return &fake->files[i];
    return NULL;
}

static inline bool
fake_fails(fake_source *fake)
{
    fake->calls++;
    return fake->fail_at > 0 &&
           (fake->calls == fake->fail_at || (fake->fail_on && fake->calls > fake->fail_at));
}

static inline lm_status
fake_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    fake_file *file = fake_find(opaque, name);

    if (fake_fails(opaque))
        return lm_raise(ctx, LM_IO_ERROR, "a fault of the test");
    *found = file != NULL;
    *size = file ? file->size : 0;
    return LM_OK;
}

static inline lm_status
fake_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    fake_source *fake = opaque;
    fake_file *file = fake_find(fake, name);

    if (fake_fails(fake))
        return lm_raise(ctx, LM_IO_ERROR, "a fault of the test");
    if (!file)
        return lm_raise(ctx, LM_NO_FILE, "no such file");
    if (offset > file->size || length > file->size - offset)
        return lm_raise(ctx, LM_BAD_MODEL, "truncated");
    fake->went_back |= offset < file->read_to;
    file->read_to = offset + length;
    memcpy(dest, file->data + offset, length);
    return LM_OK;
}

static inline lm_source
fake_open(fake_source *fake)
{
    return (lm_source){fake, fake_stat, fake_read};
}

typedef struct fake_memory {
    long live;    /* blocks not freed */
    int calls;    /* allocations so far */
    int fail_at;  /* the call that fails, counted from 1; 0: none */
    bool fail_on; /* and all that follow */
    int polls;    /* calls of cancelled() */
    int stop_at;  /* the poll that cancels, counted from 1; 0: none */
} fake_memory;

static inline bool
fake_starved(fake_memory *memory)
{
    memory->calls++;
    return memory->fail_at > 0 && (memory->calls == memory->fail_at ||
                                   (memory->fail_on && memory->calls > memory->fail_at));
}

static inline void *
fake_alloc(void *opaque, size_t size)
{
    fake_memory *memory = opaque;
    void *pointer = fake_starved(memory) ? NULL : malloc(size);

    memory->live += pointer != NULL;
    return pointer;
}

static inline void *
fake_realloc(void *opaque, void *pointer, size_t size)
{
    return fake_starved(opaque) ? NULL : realloc(pointer, size);
}

static inline void
fake_free(void *opaque, void *pointer)
{
    ((fake_memory *)opaque)->live--;
    free(pointer);
}

static inline bool
fake_cancelled(void *opaque)
{
    fake_memory *memory = opaque;

    memory->polls++;
    return memory->stop_at > 0 && memory->polls >= memory->stop_at;
}

static inline void
fake_context(lm_context *ctx, fake_memory *memory)
{
    memset(ctx, 0, sizeof *ctx);
    ctx->alloc = fake_alloc;
    ctx->realloc = fake_realloc;
    ctx->free = fake_free;
    ctx->cancelled = fake_cancelled;
    ctx->opaque = memory;
}

/*
 * Take all but about `room` bytes of an arena's first block, so that allocations from it, and not
 * the first one alone, come to the context. Returns false when the block is smaller than that.
 */
static inline bool
fake_fill_arena(lm_arena *arena, size_t room)
{
    size_t first, used;

    if (!lm_arena_alloc(arena, 1))
        return false;
    used = arena->used;
    first = arena->total & ~(size_t)1023; /* of the block, without its head */
    return first > used + room && lm_arena_alloc(arena, first - used - room) != NULL;
}

/* What writes itself to the end of a buffer. */
typedef lm_status (*fake_writer)(const void *what, lm_buffer *out);

/* Into a buffer with so much room and no memory beyond it; LM_INTERNAL: a block was left. */
static inline lm_status
fake_write_into(fake_writer write, const void *what, size_t room)
{
    fake_memory memory = {.fail_at = 2};
    lm_context ctx;
    lm_buffer out;
    lm_status status;

    fake_context(&ctx, &memory);
    lm_buffer_init(&out, &ctx);
    status = lm_buffer_reserve(&out, 2048);
    out.size = out.capacity - room;
    if (status == LM_OK)
        status = write(what, &out);
    lm_buffer_free(&out);
    return memory.live == 0 ? status : LM_INTERNAL;
}

/*
 * Whichever of the pieces of which something is written meets the end of the memory, the call
 * fails. Returns the least room that was enough; SIZE_MAX: it went wrong.
 */
static inline size_t
fake_least_room(fake_writer write, const void *what)
{
    lm_status status = LM_NO_MEMORY;
    size_t room = 0;

    while (room < 2048 && (status = fake_write_into(write, what, room)) == LM_NO_MEMORY)
        room++;
    return status == LM_OK ? room : SIZE_MAX;
}

#endif
