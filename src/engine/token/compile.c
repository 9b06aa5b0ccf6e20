/*
 * compile.c - tokenizer.json to image: each stage compiles its part in turn. The header is filled
 * as they go, at the place where it will stay; appending may move the buffer, so it is found anew.
 */
#include "token/tokenizer.h"

#include <stdio.h>
#include <string.h>

#include "token/added.h"
#include "token/decode.h"
#include "token/fused.h"
#include "token/normalize.h"
#include "token/postprocess.h"
#include "token/pretokenize.h"
#include "token/reference.h"
#include "token/wordpiece.h"

/* What the stages share while they compile. */
typedef struct compiler {
    lm_context *ctx;
    const lm_tokenizer_files *files;
    const lm_json *root;
    const lm_json *model;
    const lm_json *added; /* NULL: none */
    lm_token_class class;
    lm_bert_override override;
    lm_notes *notes;
    lm_arena arena;
    lm_vocab vocab;
    lm_token_scratch *scratch;
    lm_buffer *image;
    size_t start;
} compiler;

typedef lm_status (*model_compile)(lm_context *ctx, const lm_json *model, lm_vocab *vocab,
                                   size_t start, lm_buffer *out);

static const struct {
    const char *name;
    model_compile compile;
} models[] = {
    {"WordPiece", lm_wordpiece_compile},
};

#define MODEL_COUNT (sizeof models / sizeof models[0])

/*
 * Files of before 2021 name no type of the model: its members tell. The first row that fits counts,
 * as in the library.
 */
static const struct {
    const char *type;
    lm_json_type vocab;
    const char *members[3];
} untyped_models[] = {
    {"BPE", LM_JSON_OBJECT, {"merges"}},
    {"WordPiece",
     LM_JSON_OBJECT,
     {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word"}},
    {"WordLevel", LM_JSON_OBJECT, {"unk_token"}},
    {"Unigram", LM_JSON_ARRAY, {0}},
};

static lm_status compile_all(compiler *c);
static lm_status compile_parts(compiler *c);
static lm_status compile_model(compiler *c);

/* The header where it lies now; any append may move it. */
static lm_token_image *
header_of(const compiler *c)
{
    return (lm_token_image *)(c->image->data + c->start);
}

lm_status
lm_tokenizer_compile(lm_context *ctx, const lm_json *tokenizer, const lm_json *tokenizer_config,
                     int32_t max_vocab, lm_buffer *image, lm_notes *notes)
{
    const lm_tokenizer_files files = {.tokenizer = tokenizer, .config = tokenizer_config};

    return lm_tokenizer_compile_files(ctx, &files, max_vocab, image, notes);
}

/* Scratch and arena live as long as the compilation; the image is all that stays. */
lm_status
lm_tokenizer_compile_files(lm_context *ctx, const lm_tokenizer_files *files, int32_t max_vocab,
                           lm_buffer *image, lm_notes *notes)
{
    compiler c = {.ctx = ctx,
                  .files = files,
                  .root = files->tokenizer,
                  .class = lm_token_class_of(files),
                  .image = image,
                  .notes = notes};
    lm_status status;

    lm_arena_init(&c.arena, ctx);
    status = lm_token_override(ctx, files, &c.class, &c.override);
    if (status != LM_OK)
        lm_detail_file(ctx, "tokenizer_config.json");
    if (status == LM_OK)
        status = lm_token_scratch_create(ctx, &c.scratch);
    if (status == LM_OK) {
        c.vocab.max_vocab = max_vocab;
        status = compile_all(&c);
    }
    if (status == LM_OK)
        status = lm_token_check_reference(ctx, files, &c.class, &c.override, header_of(&c),
                                          &c.vocab, notes);
    lm_token_scratch_free(c.scratch);
    lm_arena_free(&c.arena);
    return status;
}

/* The header first, so that every part knows where the image starts; its size last. */
static lm_status
compile_all(compiler *c)
{
    static const lm_token_image empty = {.magic = LM_TOKEN_MAGIC, .layout = LM_TOKEN_LAYOUT};

    LM_TRY(lm_buffer_align(c->image));
    c->start = c->image->size;
    LM_TRY(lm_buffer_append(c->image, &empty, sizeof empty));
    LM_TRY(compile_parts(c));
    LM_TRY(lm_buffer_align(c->image));
    header_of(c)->size = c->image->size - c->start;
    return LM_OK;
}

/*
 * The order matters: added tokens are normalized, the post-processor checks ids, the fast path
 * asks all.
 */
static lm_status
compile_parts(compiler *c)
{
    lm_field field = {c->root, ""};
    lm_stage_list list;

    LM_TRY(lm_field_items(c->ctx, field, "model", LM_JSON_OBJECT, &c->model));
    c->added = lm_json_get(c->root, "added_tokens");
    if (c->added && c->added->type != LM_JSON_ARRAY)
        return lm_field_wrong(c->ctx, field, "added_tokens", c->added, "an array");
    LM_TRY(lm_normalizer_compile(c->ctx, lm_json_get(c->root, "normalizer"), &c->override, &list,
                                 c->notes));
    header_of(c)->normalizer = list;
    LM_TRY(lm_pretokenizer_compile(c->ctx, lm_json_get(c->root, "pre_tokenizer"), &list));
    header_of(c)->pretokenizer = list;
    LM_TRY(lm_decoder_compile(c->ctx, lm_json_get(c->root, "decoder"), c->start, c->image));
    LM_TRY(compile_model(c));
    LM_TRY(lm_added_compile(c->ctx, c->added, &c->vocab, c->start, c->image));
    LM_TRY(lm_postprocess_compile(c->ctx, lm_json_get(c->root, "post_processor"), &c->vocab,
                                  c->start, c->image));
    return lm_fused_compile(c->ctx, c->scratch, c->start, c->image);
}

/* Whether a model without a type has all that a row of untyped_models asks for. */
static bool
fits_untyped(const lm_json *model, size_t row)
{
    const lm_json *vocab = lm_json_get(model, "vocab");
    bool fits = vocab && vocab->type == untyped_models[row].vocab;

    for (size_t i = 0; i < 3 && fits && untyped_models[row].members[i]; i++)
        fits = lm_json_get(model, untyped_models[row].members[i]) != NULL;
    return fits;
}

/* The type that the file gives, or that the members of the model tell. */
static lm_status
model_type(lm_context *ctx, const lm_json *model, const char **type)
{
    const lm_field field = {model, "model"};
    const lm_json *given = lm_json_get(model, "type");

    *type = NULL;
    if (given) {
        LM_TRY(lm_field_string(ctx, field, "type", &given));
        *type = given->as.string.bytes;
        return LM_OK;
    }
    for (size_t i = 0; i < sizeof untyped_models / sizeof untyped_models[0] && !*type; i++)
        if (fits_untyped(model, i))
            *type = untyped_models[i].type;
    return *type ? LM_OK
                 : lm_field_wrong(ctx, field, "type", NULL,
                                  "a type, or vocab, unk_token, continuing_subword_prefix and "
                                  "max_input_chars_per_word");
}

/* The vocabulary is read before the model, which looks its pieces up there. */
static lm_status
compile_model(compiler *c)
{
    const char *names[MODEL_COUNT], *type;
    size_t chosen = MODEL_COUNT;
    lm_stage_list normalizer;

    LM_TRY(model_type(c->ctx, c->model, &type));
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        names[i] = models[i].name;
        if (strcmp(type, names[i]) == 0)
            chosen = i;
    }
    if (chosen == MODEL_COUNT)
        return lm_field_no_stage(c->ctx, "model", type, names, MODEL_COUNT);
    LM_TRY(lm_vocab_read(c->ctx, &c->arena, c->model, c->vocab.max_vocab,
                         c->added ? c->added->as.items.count : 0, &c->vocab));
    normalizer = header_of(c)->normalizer;
    LM_TRY(lm_added_read(c->ctx, c->added, &normalizer, c->scratch, &c->arena, &c->vocab));
    LM_TRY(models[chosen].compile(c->ctx, c->model, &c->vocab, c->start, c->image));
    return lm_vocab_write(c->ctx, &c->vocab, c->start, c->image);
}
