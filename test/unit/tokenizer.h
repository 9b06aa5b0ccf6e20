/*
 * tokenizer.h - a tokenizer with all that its use needs, for the tests of tokenizers.
 */
#ifndef TEST_TOKENIZER_H
#define TEST_TOKENIZER_H

#include "unit.h"
#include "base/arena.h"
#include "token/stream.h"

#define FOLDER "test/golden/tokenizer/"
#define MAX_VOCAB 40000

typedef struct fixture {
    lm_context ctx;
    lm_arena arena;
    lm_buffer image;
    lm_tokenizer tokenizer;
    lm_token_scratch *scratch;
    lm_encoding out;
    lm_notes notes;
} fixture;

static const lm_token_options everything = {
    .add_special = true, .parse_special = true, .offsets = true};

static inline char *
read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *data;
    long length;

    *size = 0;
    if (!file) {
        UNIT_FAIL("cannot read %s", path);
        return NULL;
    }
    fseek(file, 0, SEEK_END);
    length = ftell(file);
    rewind(file);
    data = malloc((size_t)length + 1);
    *size = fread(data, 1, (size_t)length, file);
    data[*size] = '\0';
    fclose(file);
    return data;
}

static inline lm_status
compile_json(fixture *f, const char *json, size_t length, const char *config, int32_t max_vocab)
{
    const lm_json *root = NULL, *config_root = NULL;

    LM_TRY(lm_json_parse(&f->ctx, &f->arena, json, length, "tokenizer.json", &root));
    if (config)
        LM_TRY(lm_json_parse(&f->ctx, &f->arena, config, strlen(config), "tokenizer_config.json",
                             &config_root));
    return lm_tokenizer_compile(&f->ctx, root, config_root, max_vocab, &f->image, &f->notes);
}

static inline void
open_empty(fixture *f)
{
    memset(f, 0, sizeof *f);
    lm_context_init(&f->ctx);
    lm_arena_init(&f->arena, &f->ctx);
    lm_buffer_init(&f->image, &f->ctx);
    lm_encoding_init(&f->out, &f->ctx);
    CHECK_OK(&f->ctx, lm_token_scratch_create(&f->ctx, &f->scratch));
}

static inline void
close_fixture(fixture *f)
{
    lm_arena_free(&f->arena);
    lm_buffer_free(&f->image);
    lm_encoding_free(&f->out);
    lm_token_scratch_free(f->scratch);
}

static inline bool
open_path(fixture *f, const char *path, const char *config)
{
    size_t size;
    char *json = read_file(path, &size);
    bool good = false;

    open_empty(f);
    if (json && compile_json(f, json, size, config, MAX_VOCAB) == LM_OK)
        good = lm_tokenizer_bind(&f->ctx, f->image.data, f->image.size, &f->tokenizer) == LM_OK;
    if (!good)
        UNIT_FAIL("%s: %s [%s]", path, f->ctx.error.message, f->ctx.error.key);
    free(json);
    return good;
}

static inline void
encode(fixture *f, const char *text, size_t length, const lm_token_options *options)
{
    CHECK_OK(&f->ctx,
             lm_tokenize(&f->ctx, &f->tokenizer, f->scratch, text, length, options, &f->out));
}

#endif
