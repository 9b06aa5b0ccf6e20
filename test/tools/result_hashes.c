/*
 * result_hashes.c - what a change of structure must leave alone, as hashes: token ids, embeddings
 * of golden models and of the real one at every level and precision, and the bytes of its int8
 * file.
 *
 *   result_hashes MODEL TEXTS [STRIDE] >FILE
 *
 * MODEL is the real model's folder, TEXTS a file of lines {"text": …}. Prints "NAME HASH" lines.
 * Two states of the tree that print the same on one machine compute the same bits. At levels below
 * the best one each STRIDE-th text is embedded (all of them at the scalar level take minutes).
 */
#include <dirent.h>
#include <stdio.h>

#include "base/hash.h"
#include "golden.h"
#include "loaded.h"
#include "quant/quantize.h"

#define MAX_TEXTS 1024

typedef struct hashes {
    lm_context ctx;
    golden_folder files;
    lm_text texts[MAX_TEXTS], some[MAX_TEXTS]; /* all, and each stride-th */
    size_t count, some_count, stride;
} hashes;

static void
die(const hashes *h, const char *what)
{
    fprintf(stderr, "%s: %s [%s %s]\n", what, h->ctx.error.message, h->ctx.error.file,
            h->ctx.error.key);
    exit(EXIT_FAILURE);
}

static void
read_texts(hashes *h, const char *path)
{
    const char *line, *end;

    golden_add_file(&h->files, path, "texts.jsonl");
    line = fake_find(&h->files.files, "texts.jsonl")->data;
    for (; (end = strchr(line, '\n')) && h->count < MAX_TEXTS; line = end + 1) {
        const lm_json *json = NULL, *text = NULL;

        if (lm_json_parse(&h->ctx, &h->files.arena, line, (size_t)(end - line), path, &json) !=
                LM_OK ||
            !(text = lm_json_get(json, "text")))
            die(h, path);
        if (h->count % h->stride == 0)
            h->some[h->some_count++] = (lm_text){text->as.string.bytes, text->as.string.length};
        h->texts[h->count++] = (lm_text){text->as.string.bytes, text->as.string.length};
    }
}

static void
print_ids(hashes *h, const char *name, const lm_model *model)
{
    const lm_token_options options = {.add_special = true, .parse_special = true, .offsets = true};
    lm_token_scratch *scratch = NULL;
    lm_encoding encoding;
    uint64_t hash = 0;

    if (lm_token_scratch_create(&h->ctx, &scratch) != LM_OK)
        die(h, name);
    lm_encoding_init(&encoding, &h->ctx);
    for (size_t i = 0; i < h->count; i++) {
        if (lm_tokenize(&h->ctx, lm_model_tokenizer(model), scratch, h->texts[i].bytes,
                        h->texts[i].length, &options, &encoding) != LM_OK)
            die(h, name);
        hash = lm_hash_bytes(encoding.ids, encoding.count * sizeof *encoding.ids, hash);
    }
    printf("%s ids %016llx\n", name, (unsigned long long)hash);
    lm_encoding_free(&encoding);
    lm_token_scratch_free(scratch);
}

static void
print_embeddings(hashes *h, const char *name, lm_session *session, const lm_model *model)
{
    const lm_embed_options options = {.on_long = LM_LONG_MEAN};
    bool best = model->kernels->level == lm_kernels_best();
    size_t count = best ? h->count : h->some_count;
    size_t bytes = count * (size_t)model->info.dimensions * sizeof(float);
    float *out = malloc(bytes);

    if (!out || lm_embed(&h->ctx, session, model, best ? h->texts : h->some, count, &options, out,
                         NULL) != LM_OK)
        die(h, name);
    printf("%s %s %s %016llx\n", name, model->kernels->name,
           lm_precision_name(model->info.precision),
           (unsigned long long)lm_hash_bytes(out, bytes, 0));
    free(out);
}

/* The calibrated int8 file of the real model, into `file`. */
static void
print_quantized(hashes *h, const char *name, lm_session *session, const lm_source *source,
                lm_buffer *file)
{
    lm_quantize_report report;
    loaded_model loaded;

    if (loaded_open(&h->ctx, source, lm_kernels_active(), &loaded) != LM_OK ||
        lm_quantize(&h->ctx, session, &loaded.model, source, NULL, file, &report) != LM_OK)
        die(h, name);
    printf("%s int8 file %016llx\n", name,
           (unsigned long long)lm_hash_bytes(file->data, file->size, 0));
    loaded_close(&h->ctx, &loaded);
}

static void
print_model(hashes *h, const char *path, bool quantize)
{
    const char *slash = strrchr(path, '/'), *name = quantize ? "minilm" : slash + 1;
    lm_source_with_file joined;
    lm_source folder, source;
    lm_source_dir *dir;
    lm_session *session;
    lm_buffer file;

    lm_buffer_init(&file, &h->ctx);
    if (lm_source_dir_open(&h->ctx, path, false, &dir, &folder) != LM_OK ||
        lm_session_create(&h->ctx, &session) != LM_OK)
        die(h, path);
    source = folder;
    if (quantize) {
        print_quantized(h, name, session, &folder, &file);
        joined = (lm_source_with_file){&folder, LM_QUANTIZED_FILE, file.data, file.size};
        source = lm_source_with(&joined);
    }
    for (int level = 0; level < LM_LEVEL_COUNT; level++)
        for (int precision = 0; precision < LM_PRECISION_COUNT; precision++) {
            const lm_kernels *kernels = lm_kernels_at((lm_level)level);
            loaded_model loaded;

            if (!kernels)
                continue;
            if (loaded_open_as(&h->ctx, &source, kernels, (lm_precision)precision, &loaded) !=
                LM_OK)
                die(h, path);
            if (level == 0 && precision == 0)
                print_ids(h, name, &loaded.model);
            print_embeddings(h, name, session, &loaded.model);
            loaded_close(&h->ctx, &loaded);
        }
    lm_session_free(session);
    lm_source_dir_close(&h->ctx, dir);
    lm_buffer_free(&file);
}

int
main(int argc, char **argv)
{
    static hashes h;
    struct dirent **entries;
    int count = scandir(GOLDEN_ROOT, &entries, NULL, alphasort);

    h.stride = argc == 4 ? strtoul(argv[3], NULL, 10) : 1;
    if (argc < 3 || argc > 4 || h.stride == 0) {
        fprintf(stderr, "usage: result_hashes MODEL TEXTS [STRIDE]\n");
        return EXIT_FAILURE;
    }
    lm_context_init(&h.ctx);
    lm_arena_init(&h.files.arena, &h.ctx);
    h.files.ctx = &h.ctx;
    read_texts(&h, argv[2]);
    for (int i = 0; i < count; i++) {
        char path[512];

        if (entries[i]->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", GOLDEN_ROOT, entries[i]->d_name);
        print_model(&h, path, false);
    }
    print_model(&h, argv[1], true);
    return EXIT_SUCCESS;
}
