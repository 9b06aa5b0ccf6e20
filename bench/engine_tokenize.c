/*
 * engine_tokenize.c - how fast the engine tokenizes: engine_tokenize TOKENIZER.JSON TEXTS, where
 * TEXTS is a file of texts, each after its length as a little-endian 32-bit number. Prints the
 * processor seconds of one pass over all texts, ids only, and the number of tokens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/tokenizer.h"

#include "read_file.h"

static int
fail(const lm_context *ctx, const char *what)
{
    fprintf(stderr, "%s: %s %s\n", what, ctx->error.message, ctx->error.key);
    return EXIT_FAILURE;
}

static lm_status
tokenize_all(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
             const char *texts, size_t size, lm_encoding *encoding, size_t *tokens)
{
    static const lm_token_options options = {.add_special = true, .parse_special = true};
    size_t at = 0;

    *tokens = 0;
    while (size - at >= 4) {
        uint32_t length;

        memcpy(&length, texts + at, 4);
        at += 4;
        if (size - at < length)
            break;
        LM_TRY(lm_tokenize(ctx, tokenizer, scratch, texts + at, length, &options, encoding));
        *tokens += encoding->count;
        at += length;
    }
    return LM_OK;
}

int
main(int argc, char **argv)
{
    lm_context ctx;
    lm_arena arena;
    lm_buffer image;
    lm_tokenizer tokenizer;
    lm_token_scratch *scratch;
    lm_encoding encoding;
    const lm_json *json;
    size_t size = 0, texts_size = 0, tokens;
    char *text = argc > 2 ? read_file(argv[1], &size) : NULL;
    char *texts = argc > 2 ? read_file(argv[2], &texts_size) : NULL;
    struct timespec start, stop;

    if (!text || !texts) {
        fprintf(stderr, "usage: engine_tokenize TOKENIZER.JSON TEXTS\n");
        return EXIT_FAILURE;
    }
    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&image, &ctx);
    lm_encoding_init(&encoding, &ctx);
    if (lm_json_parse(&ctx, &arena, text, size, argv[1], &json) != LM_OK ||
        lm_tokenizer_compile(&ctx, json, NULL, 1 << 24, &image, NULL) != LM_OK ||
        lm_tokenizer_bind(&ctx, image.data, image.size, &tokenizer) != LM_OK ||
        lm_token_scratch_create(&ctx, &scratch) != LM_OK)
        return fail(&ctx, argv[1]);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    if (tokenize_all(&ctx, &tokenizer, scratch, texts, texts_size, &encoding, &tokens) != LM_OK)
        return fail(&ctx, argv[2]);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &stop);
    printf("%.6f %zu\n",
           (double)(stop.tv_sec - start.tv_sec) + (double)(stop.tv_nsec - start.tv_nsec) * 1e-9,
           tokens);
    return EXIT_SUCCESS;
}
