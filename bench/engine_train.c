/*
 * engine_train.c - what a classifier of the engine learns from stored vectors, without a server:
 *
 *   engine_train METHOD TEXTS LABELS VECTORS TRAIN [OPTION=VALUE …]
 *
 * METHOD is linear, ngram, combined or auto; TEXTS and LABELS are files of texts, each after its
 * length as a little-endian 32-bit number; VECTORS are their float32 vectors (engine_embed …
 * vectors=FILE). The first TRAIN rows teach, the others test. Prints the figures of the training,
 * what was tried, the test's accuracy and rows a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/size.h"
#include "lang/ngram_head.h"
#include "model/plan.h"
#include "task/score.h"
#include "train/methods.h"

#include "read_file.h"

typedef struct set {
    lm_text *texts, *labels;
    float *vectors; /* (count, width) */
    size_t count, width, train;
} set;

static lm_text *
read_texts(const char *path, size_t *count)
{
    size_t size = 0, at = 0;
    const char *bytes = read_file(path, &size);
    lm_text *texts = bytes ? malloc((size / 4 + 1) * sizeof *texts) : NULL;

    *count = 0;
    while (texts && size - at >= 4) {
        uint32_t length;

        memcpy(&length, bytes + at, 4);
        at += 4;
        if (size - at < length)
            break;
        texts[(*count)++] = (lm_text){bytes + at, length};
        at += length;
    }
    return texts;
}

static bool
read_set(set *s, char **paths)
{
    size_t labels, bytes = 0;

    s->texts = read_texts(paths[0], &s->count);
    s->labels = read_texts(paths[1], &labels);
    s->vectors = read_file(paths[2], &bytes);
    s->train = strtoul(paths[3], NULL, 10);
    if (!s->texts || !s->labels || !s->vectors || labels != s->count || s->train > s->count ||
        s->count == 0)
        return false;
    s->width = bytes / sizeof(float) / s->count;
    return true;
}

/* "name=value" */
static bool
set_option(const lm_method *method, char *options, const char *word)
{
    const char *value = strchr(word, '=');

    for (int i = 0; value && i < method->option_count; i++) {
        const lm_option *o = &method->options[i];
        const size_t length = (size_t)(value - word);

        if (strlen(o->key) != length || memcmp(o->key, word, length) != 0)
            continue;
        if (o->type == LM_OPTION_FLOAT)
            *(double *)(options + o->offset) = strtod(value + 1, NULL);
        else if (o->type == LM_OPTION_INT)
            *(int64_t *)(options + o->offset) = strtoll(value + 1, NULL, 10);
        else if (o->type == LM_OPTION_BOOL)
            *(bool *)(options + o->offset) = strcmp(value + 1, "true") == 0;
        else
            *(const char **)(options + o->offset) = value + 1;
        return true;
    }
    return false;
}

static void
ignore(void *opaque, const lm_train_progress *progress)
{
}

static lm_status
train(lm_context *ctx, const lm_method *method, const char *options, const set *s, void **training,
      lm_train_outcome *outcome)
{
    const lm_train_rows rows = {.count = s->train,
                                .columns = method->column_count,
                                .vectors = s->vectors,
                                .texts = {s->texts, s->labels}};

    LM_TRY(method->open(ctx, options, method->needs_base ? s->width : 0, training));
    LM_TRY(method->add_rows(*training, &rows));
    LM_TRY(method->fit(*training, &(lm_train_watch){.report = ignore}));
    return method->write(*training, outcome);
}

/* ---- The model that came of it ---- */

static const lm_train_outcome *
files_of(void *opaque)
{
    return opaque;
}

static lm_status
find_file(lm_context *ctx, void *opaque, const char *name, bool *found, uint64_t *size)
{
    const lm_train_outcome *outcome = files_of(opaque);

    *found = false;
    for (int i = 0; i < outcome->file_count && !*found; i++)
        if ((*found = strcmp(outcome->files[i].name, name) == 0))
            *size = outcome->files[i].bytes.size;
    return LM_OK;
}

static lm_status
read_part(lm_context *ctx, void *opaque, const char *name, uint64_t offset, void *dest,
          size_t length)
{
    const lm_train_outcome *outcome = files_of(opaque);

    for (int i = 0; i < outcome->file_count; i++)
        if (strcmp(outcome->files[i].name, name) == 0) {
            memcpy(dest, outcome->files[i].bytes.data + offset, length);
            return LM_OK;
        }
    return lm_raise(ctx, LM_NO_FILE, "there is no such file");
}

static lm_status
load(lm_context *ctx, lm_arena *arena, lm_train_outcome *outcome, lm_model *model)
{
    const lm_source source = {outcome, find_file, read_part};
    const lm_model_options options = {.precision = LM_PRECISION_F32};
    lm_model_plan *plan;
    size_t size;
    void *image;

    LM_TRY(
        lm_model_plan_make(ctx, arena, &source, &options, lm_kernels_active(), &plan, NULL, NULL));
    size = lm_model_plan_size(plan);
    if (!(image = aligned_alloc(LM_ALIGNMENT, size)))
        return lm_raise(ctx, LM_NO_MEMORY, "out of memory");
    LM_TRY(lm_model_fill(ctx, plan, image));
    return lm_model_bind(ctx, image, size, model);
}

static lm_status
test(lm_context *ctx, const lm_model *model, const set *s, size_t *right)
{
    const lm_ngram_head *ngrams = lm_model_ngram_head(model);
    const lm_head *head = lm_model_head(model);
    const size_t labels = (size_t)(ngrams ? ngrams->labels : head->labels);
    float *scores = malloc((2 * labels + s->width) * sizeof *scores);
    lm_ngram_head_room room;

    lm_ngram_head_room_init(&room, ctx);
    for (size_t i = s->train; i < s->count; i++) {
        const float *vector = s->vectors + i * s->width;
        const char *name;
        size_t best = 0;

        if (ngrams)
            LM_TRY(
                lm_ngram_head_run(lm_kernels_active(), ngrams, &room, s->texts[i], vector, scores));
        else
            lm_head_logits(lm_kernels_active(), head, vector, scores + labels, scores);
        for (size_t label = 1; label < labels; label++)
            if (scores[label] > scores[best])
                best = label;
        name = model->info.labels[best];
        *right += strlen(name) == s->labels[i].length &&
                  memcmp(name, s->labels[i].bytes, s->labels[i].length) == 0;
    }
    lm_ngram_head_room_free(&room);
    free(scores);
    return LM_OK;
}

/* ---- Report ---- */

static void
print_trial(const lm_train_trial *trial)
{
    printf("%c %-8s %.4f %7.2f s", trial->chosen ? '*' : ' ', trial->name, trial->accuracy,
           trial->seconds);
    for (int i = 0; i < trial->setting_count; i++)
        if (trial->settings[i].word)
            printf(" %s=%s", trial->settings[i].name, trial->settings[i].word);
        else
            printf(" %s=%.4g", trial->settings[i].name, trial->settings[i].number);
    putchar('\n');
}

/* Sizes in bytes, and accuracies before and after a model was made smaller. */
static void
print_sizes(const lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->value_count; i++)
        if (strncmp(outcome->values[i].name, "bytes", 5) == 0 ||
            strncmp(outcome->values[i].name, "held_out_accuracy", 17) == 0)
            printf("%s %.10g\n", outcome->values[i].name, outcome->values[i].value);
}

static int
run(const lm_method *method, const char *options, const set *s)
{
    static lm_train_outcome outcome;
    lm_context ctx;
    lm_arena arena;
    lm_model model = {0};
    void *training = NULL;
    size_t right = 0;
    clock_t start = clock();
    lm_status status;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    status = train(&ctx, method, options, s, &training, &outcome);
    printf("%s, %.1f s of processor\n", outcome.summary,
           (double)(clock() - start) / CLOCKS_PER_SEC);
    for (int i = 0; i < outcome.trial_count; i++)
        print_trial(&outcome.trials[i]);
    print_sizes(&outcome);
    if (status == LM_OK)
        status = load(&ctx, &arena, &outcome, &model);
    start = clock();
    if (status == LM_OK)
        status = test(&ctx, &model, s, &right);
    if (status != LM_OK) {
        fprintf(stderr, "engine_train: %s %s\n", ctx.error.message, ctx.error.key);
        return EXIT_FAILURE;
    }
    if (s->count > s->train)
        printf("test accuracy %.4f of %zu rows, %.0f a second of processor\n",
               (double)right / (double)(s->count - s->train), s->count - s->train,
               (double)(s->count - s->train) * CLOCKS_PER_SEC / (double)(clock() - start));
    return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    static set s;
    const lm_method *method = argc > 5 ? lm_method_find("classification", argv[1]) : NULL;
    char *options = method ? calloc(1, method->options_size) : NULL;

    if (!options || !read_set(&s, argv + 2)) {
        fprintf(stderr, "usage: engine_train METHOD TEXTS LABELS VECTORS TRAIN [OPTION=VALUE …]\n");
        return EXIT_FAILURE;
    }
    method->defaults(options);
    for (int i = 6; i < argc; i++)
        if (!set_option(method, options, argv[i])) {
            fprintf(stderr, "engine_train: %s is no option of %s\n", argv[i], argv[1]);
            return EXIT_FAILURE;
        }
    return run(method, options, &s);
}
