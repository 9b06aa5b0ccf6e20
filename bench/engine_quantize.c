/*
 * engine_quantize.c - quantises a model and measures what that changes, without a server:
 *
 *   engine_quantize MODEL OUT [TEXTS …]
 *
 * MODEL and OUT are folders. Writes OUT/quantized.safetensors and prints the report: cosines of the
 * held-out texts, processor seconds. Each TEXTS is a file of texts, each after its length as a
 * little-endian 32-bit number: prints its name, the texts, and the cosine of int8 to fp32, least,
 * at the first hundredth, and mean; and writes both models' vectors to OUT/NAME.fp32 and .int8.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/size.h"
#include "quant/quantize.h"

#include "read_file.h"

typedef struct bench {
    lm_context ctx;
    lm_arena arena;
    lm_source folder;
    lm_buffer file; /* as if it stood in the folder */
    lm_model fp32, int8;
    lm_session *session;
    const char *out;
} bench;

static lm_status
load(bench *b, lm_precision precision, lm_model *model)
{
    const lm_model_options options = {.precision = precision};
    const lm_source_with_file joined = {&b->folder, LM_QUANTIZED_FILE, b->file.data, b->file.size};
    const lm_source source = lm_source_with(&joined);
    lm_model_plan *plan;
    void *image;

    LM_TRY(lm_model_plan_make(&b->ctx, &b->arena, &source, &options, lm_kernels_active(), &plan,
                              NULL, NULL));
    image = aligned_alloc(LM_ALIGNMENT, lm_model_plan_size(plan));
    if (!image)
        return lm_raise(&b->ctx, LM_NO_MEMORY, "out of memory");
    LM_TRY(lm_model_fill(&b->ctx, plan, image));
    return lm_model_bind(&b->ctx, image, lm_model_plan_size(plan), model);
}

/* OUT/NAME with a suffix. */
static void
write_file(const bench *b, const char *name, const char *suffix, const void *data, size_t size)
{
    char path[4096];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s%s", b->out, name, suffix);
    file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size)
        perror(path);
    if (file)
        fclose(file);
}

static lm_status
quantize(bench *b)
{
    struct timespec start, stop;
    lm_quantize_report report;
    double taken;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    LM_TRY(lm_quantize(&b->ctx, b->session, &b->fp32, &b->folder, NULL, &b->file, &report));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &stop);
    taken = (double)(stop.tv_sec - start.tv_sec) + 1e-9 * (double)(stop.tv_nsec - start.tv_nsec);
    printf("quantized %zu matrices on %zu texts, %llu tokens: %zu bytes, %.1f s\n", report.matrices,
           report.texts, (unsigned long long)report.tokens, b->file.size, taken);
    printf("held-out %zu min %.6f mean %.6f\n", report.fidelity.texts, report.fidelity.min_cosine,
           report.fidelity.mean_cosine);
    write_file(b, LM_QUANTIZED_FILE, "", b->file.data, b->file.size);
    return LM_OK;
}

static size_t
read_texts(const char *bytes, size_t size, lm_text *texts)
{
    size_t count = 0;

    for (size_t at = 0; size - at >= 4;) {
        uint32_t length;

        memcpy(&length, bytes + at, 4);
        at += 4;
        if (size - at < length)
            break;
        texts[count++] = (lm_text){bytes + at, length};
        at += length;
    }
    return count;
}

static int
by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Cosines of the rows of two arrays, sorted. */
static void
cosines(const float *a, const float *b, size_t count, size_t width, double *out)
{
    for (size_t i = 0; i < count; i++, a += width, b += width) {
        double ab = 0, aa = 0, bb = 0;

        for (size_t j = 0; j < width; j++) {
            ab += (double)a[j] * b[j];
            aa += (double)a[j] * a[j];
            bb += (double)b[j] * b[j];
        }
        out[i] = ab / sqrt(aa * bb);
    }
    qsort(out, count, sizeof *out, by_value);
}

static lm_status
measure(bench *b, const char *path)
{
    const lm_embed_options options = {.batch_tokens = 512};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t size = 0, width = (size_t)b->fp32.info.dimensions, count, bytes;
    char *content = read_file(path, &size);
    lm_text *texts = malloc((size / 4 + 1) * sizeof *texts);
    double *values, sum = 0;
    float *full, *reduced;

    if (!content || !texts)
        return lm_raise(&b->ctx, LM_IO_ERROR, "cannot read %s", path);
    count = read_texts(content, size, texts);
    bytes = count * width * sizeof *full;
    full = malloc(bytes);
    reduced = malloc(bytes);
    values = malloc(count * sizeof *values);
    LM_TRY(lm_embed(&b->ctx, b->session, &b->fp32, texts, count, &options, full, NULL));
    LM_TRY(lm_embed(&b->ctx, b->session, &b->int8, texts, count, &options, reduced, NULL));
    cosines(full, reduced, count, width, values);
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    printf("%s %zu min %.6f p1 %.6f mean %.6f\n", name, count, values[0], values[count / 100],
           sum / (double)count);
    write_file(b, name, ".fp32", full, bytes);
    write_file(b, name, ".int8", reduced, bytes);
    free(content);
    free(texts);
    free(full);
    free(reduced);
    free(values);
    return LM_OK;
}

static lm_status
run(bench *b, const char *folder, char **texts, int count)
{
    lm_source_dir *dir;

    LM_TRY(lm_source_dir_open(&b->ctx, folder, false, &dir, &b->folder));
    LM_TRY(load(b, LM_PRECISION_F32, &b->fp32));
    LM_TRY(lm_session_create(&b->ctx, &b->session));
    LM_TRY(quantize(b));
    LM_TRY(load(b, LM_PRECISION_INT8, &b->int8));
    for (int i = 0; i < count; i++)
        LM_TRY(measure(b, texts[i]));
    return LM_OK;
}

int
main(int argc, char **argv)
{
    static bench b;

    if (argc < 3) {
        fprintf(stderr, "usage: engine_quantize MODEL OUT [TEXTS …]\n");
        return EXIT_FAILURE;
    }
    lm_context_init(&b.ctx);
    lm_arena_init(&b.arena, &b.ctx);
    lm_buffer_init(&b.file, &b.ctx);
    b.out = argv[2];
    if (run(&b, argv[1], argv + 3, argc - 3) == LM_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "engine_quantize: %s [%s, %s]\n", b.ctx.error.message, b.ctx.error.file,
            b.ctx.error.key);
    return EXIT_FAILURE;
}
