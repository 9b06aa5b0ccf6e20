/*
 * check_headers.c - drives the reader of safetensors headers for scripts/compare-safetensors.py.
 *
 *   check_headers <FILES
 *
 * Reads files from standard input, each a 32-bit length and so many bytes. Writes a byte for each:
 * '1' when its directory of tensors is accepted, else '0'.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/tensors.h"

/* One file in memory as a source. */
typedef struct memory_file {
    const char *bytes;
    size_t size;
} memory_file;

static lm_status
memory_stat(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    *found = strcmp(name, "model.safetensors") == 0;
    *size = ((const memory_file *)opaque)->size;
    return LM_OK;
}

static lm_status
memory_read(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
            size_t length)
{
    const memory_file *file = opaque;

    if (offset > file->size || length > file->size - offset)
        return lm_raise(ctx, LM_BAD_MODEL, "truncated");
    memcpy(dest, file->bytes + offset, length);
    return LM_OK;
}

static bool
is_accepted(lm_context *ctx, memory_file *file)
{
    const lm_source source = {file, memory_stat, memory_read};
    lm_tensors tensors;
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, ctx);
    status = lm_tensors_open(ctx, &arena, &source, "", &tensors);
    lm_arena_free(&arena);
    return status == LM_OK;
}

int
main(void)
{
    lm_context ctx;
    uint32_t length;

    lm_context_init(&ctx);
    while (fread(&length, sizeof length, 1, stdin) == 1) {
        /* Exactly as long as the file, so that a sanitizer sees a read past its end. */
        char *bytes = malloc(length > 0 ? length : 1);
        memory_file file = {bytes, length};

        if (!bytes || fread(bytes, 1, length, stdin) != length)
            return 1;
        putchar(is_accepted(&ctx, &file) ? '1' : '0');
        free(bytes);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
