/*
 * tokenize_lines.c - drives the tokenizer for scripts/compare-tokenizers.py.
 *
 *   tokenize_lines [OPTION …] TOKENIZER_JSON [TOKENIZER_CONFIG_JSON]
 *
 * Reads texts from standard input, each a 32-bit length and so many bytes (--pair: two of them make
 * one call). Writes for each call a 32-bit count and as many ids, starts, stops and type ids, all
 * 32-bit. With --time ROUNDS nothing is written but the seconds that the fastest round took, with
 * --cpu ROUNDS those that the processor spent on it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/tokenizer.h"

typedef struct settings {
    lm_token_options options;
    bool pair;
    int rounds;
    clockid_t clock;
    const char *files[2];
} settings;

typedef struct texts {
    char *bytes;
    size_t *starts; /* count + 1 */
    size_t count;
} texts;

static void
fail(const lm_context *ctx, const char *what)
{
    fprintf(stderr, "%s: %s [key %s, found %s, allowed %s]\n", what, ctx->error.message,
            ctx->error.key, ctx->error.found, ctx->error.allowed);
    exit(1);
}

static char *
read_all(FILE *file, size_t *size)
{
    size_t capacity = 1 << 20;
    char *data = malloc(capacity);

    *size = 0;
    for (;;) {
        size_t got = data ? fread(data + *size, 1, capacity - *size, file) : 0;

        *size += got;
        if (got == 0)
            return data;
        if (*size == capacity)
            data = realloc(data, capacity *= 2);
    }
}

static void
parse_arguments(int argc, char **argv, settings *set)
{
    int files = 0;

    *set = (settings){.options = {true, true, true, 0}, .clock = CLOCK_MONOTONIC};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-special") == 0)
            set->options.add_special = false;
        else if (strcmp(argv[i], "--plain") == 0)
            set->options.parse_special = false;
        else if (strcmp(argv[i], "--ids-only") == 0)
            set->options.offsets = false;
        else if (strcmp(argv[i], "--pair") == 0)
            set->pair = true;
        else if (strcmp(argv[i], "--max-tokens") == 0 && i + 1 < argc)
            set->options.max_tokens = atoi(argv[++i]);
        else if (strcmp(argv[i], "--time") == 0 && i + 1 < argc)
            set->rounds = atoi(argv[++i]);
        else if (strcmp(argv[i], "--cpu") == 0 && i + 1 < argc) {
            set->rounds = atoi(argv[++i]);
            set->clock = CLOCK_PROCESS_CPUTIME_ID;
        } else if (files < 2)
            set->files[files++] = argv[i];
    }
}

static const lm_json *
parse_file(lm_context *ctx, lm_arena *arena, const char *name)
{
    FILE *file = fopen(name, "rb");
    const lm_json *root;
    size_t size;
    char *data;

    if (!file) {
        perror(name);
        exit(1);
    }
    data = read_all(file, &size);
    fclose(file);
    if (lm_json_parse(ctx, arena, data, size, name, &root) != LM_OK)
        fail(ctx, name);
    free(data);
    return root;
}

static void
load(lm_context *ctx, const settings *set, lm_buffer *image, lm_tokenizer *tokenizer)
{
    const lm_json *json, *config = NULL;
    lm_arena arena;

    lm_arena_init(&arena, ctx);
    json = parse_file(ctx, &arena, set->files[0]);
    if (set->files[1])
        config = parse_file(ctx, &arena, set->files[1]);
    lm_buffer_init(image, ctx);
    if (lm_tokenizer_compile(ctx, json, config, 1 << 24, image, NULL) != LM_OK ||
        lm_tokenizer_bind(ctx, image->data, image->size, tokenizer) != LM_OK)
        fail(ctx, set->files[0]);
    lm_arena_free(&arena);
}

static texts
read_texts(void)
{
    texts all = {0};
    size_t size, at = 0;

    all.bytes = read_all(stdin, &size);
    all.starts = malloc((size / 4 + 2) * sizeof *all.starts);
    while (at + 4 <= size) {
        uint32_t length;

        memcpy(&length, all.bytes + at, 4);
        at += 4;
        all.starts[all.count++] = at;
        at += length;
    }
    all.starts[all.count] = at + 4;
    return all;
}

static size_t
length_of(const texts *all, size_t i)
{
    return all->starts[i + 1] - 4 - all->starts[i];
}

static void
tokenize(lm_context *ctx, const lm_tokenizer *tokenizer, lm_token_scratch *scratch,
         const settings *set, const texts *all, size_t i, lm_encoding *out)
{
    const char *text = all->bytes + all->starts[i];
    lm_status status;

    if (set->pair)
        status = lm_tokenize_pair(ctx, tokenizer, scratch, text, length_of(all, i),
                                  all->bytes + all->starts[i + 1], length_of(all, i + 1),
                                  &set->options, out);
    else
        status = lm_tokenize(ctx, tokenizer, scratch, text, length_of(all, i), &set->options, out);
    if (status != LM_OK)
        fail(ctx, "tokenize");
}

static void
write_encoding(const lm_encoding *out, bool offsets)
{
    uint32_t count = (uint32_t)out->count;

    fwrite(&count, 4, 1, stdout);
    fwrite(out->ids, 4, count, stdout);
    if (offsets) {
        fwrite(out->start, 4, count, stdout);
        fwrite(out->stop, 4, count, stdout);
    }
    fwrite(out->type_ids, 4, count, stdout);
}

static double
seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int
main(int argc, char **argv)
{
    settings set;
    lm_context ctx;
    lm_buffer image;
    lm_tokenizer tokenizer;
    lm_token_scratch *scratch;
    lm_encoding out;
    texts all;
    double best = 1e9;

    parse_arguments(argc, argv, &set);
    if (!set.files[0]) {
        fprintf(stderr, "usage: tokenize_lines [OPTION ...] TOKENIZER_JSON [CONFIG_JSON]\n");
        return 2;
    }
    lm_context_init(&ctx);
    load(&ctx, &set, &image, &tokenizer);
    if (lm_token_scratch_create(&ctx, &scratch) != LM_OK)
        fail(&ctx, "scratch");
    lm_encoding_init(&out, &ctx);
    all = read_texts();
    for (int round = 0; round < (set.rounds ? set.rounds : 1); round++) {
        double start = seconds(set.clock);

        for (size_t i = 0; i < all.count; i += set.pair ? 2 : 1) {
            tokenize(&ctx, &tokenizer, scratch, &set, &all, i, &out);
            if (!set.rounds)
                write_encoding(&out, set.options.offsets);
        }
        if (seconds(set.clock) - start < best)
            best = seconds(set.clock) - start;
    }
    if (set.rounds)
        printf("%.6f\n", best);
    lm_encoding_free(&out);
    lm_token_scratch_free(scratch);
    lm_buffer_free(&image);
    free(all.bytes);
    free(all.starts);
    return 0;
}
