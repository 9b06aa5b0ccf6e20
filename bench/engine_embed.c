/*
 * engine_embed.c - how fast the engine embeds, without a server:
 *
 *   engine_embed MODEL TEXTS [LEVEL [BATCH_TOKENS [PRECISION] [sorted] [vectors=FILE]]]
 *
 * MODEL is a folder; TEXTS is a file of texts, each after its length as a little-endian 32-bit
 * number; LEVEL is scalar, avx2, avx512, avx512_vnni, avx512_bf16 or best; BATCH_TOKENS 0 embeds
 * one text a call; PRECISION is fp32, bf16 or int8; FILE gets the vectors. Prints one line: level,
 * batch, processor seconds of one pass over all texts, tokens, tokens a second; for other
 * precisions than fp32 also the precision and the bytes of the image.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/size.h"
#include "task/embed.h"

#include "read_file.h"

typedef struct bench {
    lm_context ctx;
    lm_arena arena;
    lm_source source;
    lm_model model;
    size_t image_size;
    lm_session *session;
    lm_text *texts;
    size_t count;
    float *out;          /* (count, D) */
    const char *vectors; /* name of a file for them, or NULL */
} bench;

static int
by_length(const void *a, const void *b)
{
    size_t left = ((const lm_text *)a)->length, right = ((const lm_text *)b)->length;

    return (left > right) - (left < right);
}

static bool
read_texts(bench *b, const char *path)
{
    size_t size = 0, at = 0;
    const char *bytes = read_file(path, &size);

    b->texts = malloc((size / 4 + 1) * sizeof *b->texts);
    if (!bytes || !b->texts)
        return false;
    while (size - at >= 4) {
        uint32_t length;

        memcpy(&length, bytes + at, 4);
        at += 4;
        if (size - at < length)
            break;
        b->texts[b->count++] = (lm_text){bytes + at, length};
        at += length;
    }
    return b->count > 0;
}

static lm_status
load(bench *b, const char *folder, const lm_kernels *kernels, lm_precision precision)
{
    const lm_model_options options = {.precision = precision};
    lm_source_dir *dir;
    lm_model_plan *plan;
    size_t size;
    void *image;

    LM_TRY(lm_source_dir_open(&b->ctx, folder, false, &dir, &b->source));
    LM_TRY(
        lm_model_plan_make(&b->ctx, &b->arena, &b->source, &options, kernels, &plan, NULL, NULL));
    size = b->image_size = lm_model_plan_size(plan);
    image = aligned_alloc(LM_ALIGNMENT, size);
    if (!image)
        return lm_raise(&b->ctx, LM_NO_MEMORY, "out of memory");
    LM_TRY(lm_model_fill(&b->ctx, plan, image));
    LM_TRY(lm_model_bind(&b->ctx, image, size, &b->model));
    return lm_session_create(&b->ctx, &b->session);
}

/* One pass over all texts: as one call in batches, or one call a text. */
static lm_status
embed_all(bench *b, size_t batch_tokens, lm_embed_counts *counts)
{
    const lm_embed_options options = {.batch_tokens = batch_tokens > 0 ? batch_tokens : 1};
    size_t step = batch_tokens > 0 ? b->count : 1;

    for (size_t i = 0; i < b->count; i += step)
        LM_TRY(lm_embed(&b->ctx, b->session, &b->model, b->texts + i, step, &options,
                        b->out + i * (size_t)b->model.info.dimensions, counts));
    return LM_OK;
}

static bool
write_vectors(const bench *b)
{
    size_t numbers = b->count * (size_t)b->model.info.dimensions;
    FILE *file = fopen(b->vectors, "wb");
    bool written = file && fwrite(b->out, sizeof *b->out, numbers, file) == numbers;

    return file && fclose(file) == 0 && written;
}

static const lm_kernels *
level_named(const char *name)
{
    for (int level = 0; level < LM_LEVEL_COUNT; level++)
        if (strcmp(lm_level_name((lm_level)level), name) == 0)
            return lm_kernels_at((lm_level)level);
    return strcmp(name, "best") == 0 ? lm_kernels_active() : NULL;
}

static int
run(bench *b, const char *folder, const lm_kernels *kernels, size_t batch_tokens,
    lm_precision precision)
{
    lm_embed_counts counts = {0};
    struct timespec start, stop;
    lm_status status = load(b, folder, kernels, precision);
    double taken;

    b->out = status == LM_OK ? malloc(b->count * (size_t)b->model.info.dimensions * sizeof *b->out)
                             : NULL;
    if (b->out)
        status = lm_embed(&b->ctx, b->session, &b->model, b->texts, 1,
                          &(lm_embed_options){.batch_tokens = batch_tokens}, b->out, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    if (b->out && status == LM_OK)
        status = embed_all(b, batch_tokens, &counts);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &stop);
    if (status != LM_OK) {
        fprintf(stderr, "engine_embed: %s %s\n", b->ctx.error.message, b->ctx.error.key);
        return EXIT_FAILURE;
    }
    if (b->vectors && !write_vectors(b)) {
        perror(b->vectors);
        return EXIT_FAILURE;
    }
    taken = (double)(stop.tv_sec - start.tv_sec) + 1e-9 * (double)(stop.tv_nsec - start.tv_nsec);
    printf("%s %zu %.6f %llu %.0f", kernels->name, batch_tokens, taken,
           (unsigned long long)counts.tokens, (double)counts.tokens / taken);
    if (precision != LM_PRECISION_F32)
        printf(" %s %zu", lm_precision_name(precision), b->image_size);
    putchar('\n');
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    static bench b;
    const lm_kernels *kernels = level_named(argc > 3 ? argv[3] : "best");
    lm_precision precision = LM_PRECISION_F32;
    size_t batch_tokens = argc > 4 ? strtoul(argv[4], NULL, 10) : 512;

    if (argc < 3 || !kernels || !read_texts(&b, argv[2])) {
        fprintf(stderr, "usage: engine_embed MODEL TEXTS [LEVEL [BATCH_TOKENS [PRECISION] [sorted] "
                        "[vectors=FILE]]]\n");
        return EXIT_FAILURE;
    }
    for (int i = 5; i < argc; i++) {
        if (strcmp(argv[i], "sorted") == 0)
            qsort(b.texts, b.count, sizeof *b.texts, by_length);
        if (strncmp(argv[i], "vectors=", 8) == 0)
            b.vectors = argv[i] + 8;
        for (int p = 0; p < LM_PRECISION_COUNT; p++)
            if (strcmp(argv[i], lm_precision_name((lm_precision)p)) == 0)
                precision = (lm_precision)p;
    }
    lm_context_init(&b.ctx);
    lm_arena_init(&b.arena, &b.ctx);
    return run(&b, argv[1], kernels, batch_tokens, precision);
}
