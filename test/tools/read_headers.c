/*
 * read_headers.c - drives the reader of safetensors for scripts/compare-headers.py.
 *
 * Reads files from standard input, each a 32-bit length and so many bytes. Writes for each one
 * line: "accepted", or the status and the message of the refusal.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fake.h"
#include "format/tensors.h"

static void
read_one(const char *bytes, size_t size)
{
    fake_source fake = {0};
    lm_source source = fake_open(&fake);
    lm_tensors tensors;
    lm_context ctx;
    lm_arena arena;

    fake_add_bytes(&fake, "model.safetensors", bytes, size);
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    if (lm_tensors_open(&ctx, &arena, &source, &tensors) == LM_OK)
        puts("accepted");
    else
        printf("%d %s\n", ctx.error.status, ctx.error.message);
    lm_arena_free(&arena);
}

int
main(void)
{
    uint32_t length;

    while (fread(&length, sizeof length, 1, stdin) == 1) {
        char *bytes = malloc((size_t)length + 1);

        if (!bytes || fread(bytes, 1, length, stdin) != length)
            return EXIT_FAILURE;
        read_one(bytes, length);
        free(bytes);
    }
    return EXIT_SUCCESS;
}
