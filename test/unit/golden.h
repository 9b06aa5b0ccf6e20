/*
 * golden.h - golden models for tests: a folder in memory, its weights as an image, and how far
 * hidden states are from the reference's.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/size.h"
#include "family/family.h"
#include "format/colbert.h"
#include "format/pytorch.h"
#include "fake.h"
#include "unit.h"

#define GOLDEN_ROOT "models/tiny"

/* A folder's files, as a source that notices reads that go backwards. */
typedef struct golden_folder {
    lm_context *ctx;
    lm_arena arena;
    fake_source files;
    lm_source source;
    const lm_json *golden;
} golden_folder;

static inline void
golden_add_file(golden_folder *folder, const char *path, const char *name)
{
    FILE *file = fopen(path, "rb");
    long size = 0;
    char *data;

    if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        UNIT_FAIL("cannot read %s", path);
        return;
    }
    rewind(file);
    data = lm_arena_alloc(&folder->arena, (size_t)size + 1);
    if (fread(data, 1, (size_t)size, file) != (size_t)size)
        UNIT_FAIL("cannot read %s", path);
    data[size] = '\0';
    fclose(file);
    fake_add_bytes(&folder->files, lm_arena_copy(&folder->arena, name, strlen(name)), data,
                   (size_t)size);
}

/* a + between + b, in the folder's arena. */
static inline char *
golden_join(golden_folder *folder, const char *a, const char *between, const char *b)
{
    size_t size = strlen(a) + strlen(between) + strlen(b) + 1;
    char *joined = lm_arena_alloc(&folder->arena, size);

    snprintf(joined, size, "%s%s%s", a, between, b);
    return joined;
}

static inline void
golden_add_folder(golden_folder *folder, const char *path, const char *prefix)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir) {
        UNIT_FAIL("cannot open %s", path);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        char *below, *name;
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        below = golden_join(folder, path, "/", entry->d_name);
        name = golden_join(folder, prefix, "", entry->d_name);
        if (stat(below, &st) == 0 && S_ISDIR(st.st_mode))
            golden_add_folder(folder, below, golden_join(folder, name, "/", ""));
        else
            golden_add_file(folder, below, name);
    }
    closedir(dir);
}

/* Weights of torch.save as an import takes them over: safetensors beside what was read. */
static inline void
golden_convert(golden_folder *folder)
{
    static const char *const shown[] = {
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model-00001-of-00002.safetensors",
        "pytorch_model-00002-of-00002.safetensors",
    };
    lm_source below = fake_open(&folder->files), source;
    lm_pytorch_files files;

    source = lm_pytorch_source(&files, &folder->arena, &below);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        bool found = false;
        uint64_t size;
        char *data;

        CHECK_OK(folder->ctx, source.stat(folder->ctx, source.opaque, shown[i], &found, &size));
        if (!found || fake_find(&folder->files, shown[i]))
            continue;
        data = lm_arena_alloc(&folder->arena, (size_t)size);
        CHECK_OK(folder->ctx, source.read(folder->ctx, source.opaque, shown[i], 0, data, size));
        fake_add_bytes(&folder->files, shown[i], data, (size_t)size);
    }
    folder->files.went_back = false;
}

/* A file of the folder from now on, in the place of one of its name. */
static inline void
golden_put(golden_folder *folder, fake_file file)
{
    fake_file *there = fake_find(&folder->files, file.name);

    if (there)
        *there = file;
    else
        fake_add_bytes(&folder->files, file.name, file.data, file.size);
}

/* A folder of ColBERT's authors as an import takes it over. */
static inline void
golden_convert_colbert(golden_folder *folder)
{
    static const char *const shown[] = {
        "modules.json",        "config_sentence_transformers.json",
        "1_Dense/config.json", "1_Dense/model.safetensors",
        "model.safetensors",
    };
    enum { SHOWN = sizeof shown / sizeof shown[0] };
    lm_source below = fake_open(&folder->files), source;
    fake_file made[SHOWN];
    lm_colbert_files files;

    source = lm_colbert_source(&files, &folder->arena, &below);
    for (size_t i = 0; i < SHOWN; i++) {
        uint64_t size = 0;
        bool found;
        char *data;

        CHECK_OK(folder->ctx, source.stat(folder->ctx, source.opaque, shown[i], &found, &size));
        if (!files.first)
            break;
        data = lm_arena_alloc(&folder->arena, (size_t)size);
        CHECK_OK(folder->ctx, source.read(folder->ctx, source.opaque, shown[i], 0, data, size));
        made[i] = (fake_file){shown[i], data, (size_t)size, 0};
    }
    for (size_t i = 0; i < SHOWN && files.first; i++)
        golden_put(folder, made[i]);
    for (int i = 0; i < folder->files.count; i++)
        folder->files.files[i].read_to = 0;
    folder->files.went_back = false;
}

/* Read models/tiny/NAME; golden.json is parsed and no part of the source. */
static inline void
golden_open(lm_context *ctx, const char *name, golden_folder *folder)
{
    fake_file *golden;

    memset(folder, 0, sizeof *folder);
    folder->ctx = ctx;
    lm_arena_init(&folder->arena, ctx);
    golden_add_folder(folder, golden_join(folder, GOLDEN_ROOT, "/", name), "");
    golden = fake_find(&folder->files, "golden.json");
    if (!golden) {
        UNIT_FAIL("%s has no golden.json", name);
        return;
    }
    CHECK_OK(ctx, lm_json_parse(ctx, &folder->arena, golden->data, golden->size, "golden.json",
                                &folder->golden));
    golden->name = "";
    golden_convert(folder);
    golden_convert_colbert(folder);
    folder->source = fake_open(&folder->files);
}

static inline void
golden_close(golden_folder *folder)
{
    lm_arena_free(&folder->arena);
}

/* Names of the folders of models/tiny, sorted; returns their number. */
static inline int
golden_list(char names[][256], int room)
{
    struct dirent **entries;
    int found = scandir(GOLDEN_ROOT, &entries, NULL, alphasort), count = 0;

    for (int i = 0; i < found; i++) {
        if (entries[i]->d_name[0] != '.' && count < room)
            snprintf(names[count++], 256, "%s", entries[i]->d_name);
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
    return count;
}

/* The weights of a source alone, packed for `kernels`. */
typedef struct golden_weights {
    lm_weights_plan plan;
    void *image;
    lm_weights weights;
} golden_weights;

/* With the head that config.json names, if `headed`. */
static inline lm_status
golden_load_headed(golden_folder *folder, const lm_source *source, const lm_kernels *kernels,
                   lm_precision precision, bool headed, golden_weights *loaded)
{
    lm_context *ctx = folder->ctx;
    const lm_head_kind *head;
    const lm_family *family;
    lm_checkpoint checkpoint;
    lm_status status;

    memset(loaded, 0, sizeof *loaded);
    LM_TRY(lm_checkpoint_open(ctx, &folder->arena, source, NULL, &checkpoint));
    LM_TRY(lm_family_find(ctx, checkpoint.config, &family));
    head = headed ? lm_family_head(family, checkpoint.config) : NULL;
    LM_TRY(lm_weights_plan_make(ctx, &folder->arena, family, head, &checkpoint, kernels, precision,
                                &loaded->plan));
    loaded->image = aligned_alloc(LM_ALIGNMENT, loaded->plan.size);
    status = lm_weights_fill(ctx, &loaded->plan, source, loaded->image);
    if (status == LM_OK)
        status = lm_weights_bind(ctx, loaded->image, loaded->plan.size, &loaded->weights);
    if (status != LM_OK) {
        free(loaded->image);
        loaded->image = NULL;
    }
    return status;
}

static inline lm_status
golden_load_as(golden_folder *folder, const lm_source *source, const lm_kernels *kernels,
               lm_precision precision, golden_weights *loaded)
{
    return golden_load_headed(folder, source, kernels, precision, false, loaded);
}

static inline lm_status
golden_load(golden_folder *folder, const lm_source *source, const lm_kernels *kernels,
            golden_weights *loaded)
{
    return golden_load_as(folder, source, kernels, LM_PRECISION_F32, loaded);
}

static inline void
golden_unload(golden_folder *folder, golden_weights *loaded)
{
    lm_weights_unbind(folder->ctx, &loaded->weights);
    free(loaded->image);
}

static inline double
golden_number(const lm_json *object, const char *key)
{
    const lm_json *member = lm_json_get(object, key);

    return member ? member->as.number : NAN;
}

/* An array of integers; returns its length. */
static inline size_t
golden_ints(const lm_json *array, int32_t *out, size_t room)
{
    size_t count = 0;

    for (const lm_json *item = array->as.items.first; item && count < room; item = item->next)
        out[count++] = (int32_t)item->integer;
    return count;
}

/* Largest difference between floats and an array of numbers of the same length. */
static inline double
golden_distance(const lm_json *array, const float *values, size_t count)
{
    double worst = 0;
    size_t i = 0;

    if (!array || array->as.items.count != count)
        return INFINITY;
    for (const lm_json *item = array->as.items.first; item; item = item->next, i++) {
        double error = fabs(item->as.number - values[i]);

        if (!(error <= worst))
            worst = error;
    }
    return worst;
}

/* max(1e-5, 10 × noise): the reference's own float32 run is allowed ten times over. */
static inline double
golden_tolerance(const lm_json *section)
{
    return fmax(1e-5, 10 * golden_number(section, "noise"));
}

/* Largest error over all cases and layers; without type ids when `types` is false. */
static inline double
golden_hidden_error(golden_folder *folder, const lm_weights *weights, bool types)
{
    const lm_json *cases = lm_json_get(lm_json_get(folder->golden, "hidden"), "cases");
    size_t width = (size_t)lm_weights_dims(weights)->hidden;
    double worst = 0;

    for (const lm_json *each = cases->as.items.first; each; each = each->next) {
        int32_t ids[64], type_ids[64];
        size_t tokens = golden_ints(lm_json_get(each, "ids"), ids, 64);
        size_t offsets[2] = {0, tokens};
        size_t bytes = lm_align_up(lm_forward_workspace(weights, tokens, tokens));
        void *workspace = aligned_alloc(LM_ALIGNMENT, bytes);
        const lm_batch batch = {.tokens = tokens,
                                .texts = 1,
                                .ids = ids,
                                .type_ids = types ? type_ids : NULL,
                                .offsets = offsets};
        int layer = 0;

        golden_ints(lm_json_get(each, "type_ids"), type_ids, 64);
        for (const lm_json *wanted = lm_json_get(each, "layers")->as.items.first; wanted;
             wanted = wanted->next, layer++) {
            const float *hidden = NULL;
            double error;

            CHECK_OK(folder->ctx,
                     lm_forward(folder->ctx, weights, &batch, layer, workspace, &hidden));
            error = hidden ? golden_distance(wanted, hidden, tokens * width) : INFINITY;
            if (!(error <= worst))
                worst = error;
        }
        CHECK_EQ_INT(layer, lm_weights_layers(weights) + 1);
        free(workspace);
    }
    return worst;
}

#endif
