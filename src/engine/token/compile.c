/*
 * compile.c - tokenizer.json to image: each stage compiles its part in turn. The header is filled
 * as they go, at the place where it will stay; appending may move the buffer, so it is found anew.
 */
#include "token/tokenizer.h"

#include "token/added.h"
#include "token/byte_words.h"
#include "token/decode.h"
#include "token/fused.h"
#include "token/models.h"
#include "token/older_files.h"
#include "token/normalize.h"
#include "token/postprocess.h"
#include "token/pretokenize.h"
#include "token/reference.h"
#include "token/words.h"

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

static bool lists_types(const lm_json *config);
static void drop_pair_types(compiler *c);
static lm_status compile_all(compiler *c);
static lm_status compile_parts(compiler *c);
static lm_status compile_model(compiler *c);
static lm_status compile_side(compiler *c);

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
        c.vocab.nearest_scores = files->older || (c.class.name[0] != '\0' && !c.class.obeys);
        status = compile_all(&c);
    }
    if (status == LM_OK && !lists_types(files->config))
        drop_pair_types(&c);
    if (status == LM_OK)
        status = lm_token_check_reference(ctx, files, &c.class, &c.override, header_of(&c),
                                          &c.vocab, notes);
    lm_token_scratch_free(c.scratch);
    lm_arena_free(&c.arena);
    return status != LM_OK && files->older ? lm_older_blame(ctx, files) : status;
}

/* Whether the model is given types, as far as tokenizer_config.json says. */
static bool
lists_types(const lm_json *config)
{
    const lm_json *names = config ? lm_json_get(config, "model_input_names") : NULL;

    if (!names || names->type != LM_JSON_ARRAY)
        return true;
    for (const lm_json *name = names->as.items.first; name; name = name->next)
        if (lm_json_is_string(name, "token_type_ids"))
            return true;
    return false;
}

/* The reference's model then takes all types for 0. (Those of one text are refused: reference.c.)
 */
static void
drop_pair_types(compiler *c)
{
    lm_token_image *image = header_of(c);
    lm_piece *pieces = (lm_piece *)((char *)image + image->pair.offset);

    for (uint64_t i = 0; i < image->pair.count; i++)
        pieces[i].type = 0;
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
    LM_TRY(compile_side(c));
    LM_TRY(lm_buffer_align(c->image));
    header_of(c)->size = c->image->size - c->start;
    return LM_OK;
}

static lm_status
compile_side(compiler *c)
{
    bool left;

    LM_TRY(lm_token_cuts_left(c->ctx, c->files, &left));
    header_of(c)->cuts_left = left;
    return LM_OK;
}

/* The stages around the model. Spans are set in the header when it has stopped moving. */
static lm_status
compile_stages(compiler *c)
{
    lm_stage_compiler stages = {.ctx = c->ctx,
                                .image = c->image,
                                .start = c->start,
                                .notes = c->notes,
                                .override = &c->override};
    lm_span list;

    LM_TRY(lm_normalizer_compile(&stages, lm_json_get(c->root, "normalizer"), &list));
    header_of(c)->normalizer = list;
    LM_TRY(lm_pretokenizer_compile(&stages, lm_json_get(c->root, "pre_tokenizer"), &list));
    header_of(c)->pretokenizer = list;
    LM_TRY(lm_decoder_compile(&stages, lm_json_get(c->root, "decoder"), &list));
    header_of(c)->decoder = list;
    return LM_OK;
}

static const lm_token_model *
model_of(const compiler *c)
{
    return lm_token_model_of(header_of(c)->model);
}

static lm_status
refuse_trim(const compiler *c, const lm_json *stage)
{
    lm_field_wrong(c->ctx, (lm_field){stage, "post_processor"}, "trim_offsets", NULL, "false");
    lm_detail_found(c->ctx, "true with the model %s", model_of(c)->name);
    c->ctx->error.status = LM_UNSUPPORTED;
    return LM_UNSUPPORTED;
}

/* Special tokens are looked up: the vocabulary is there. */
static lm_status
compile_templates(compiler *c)
{
    lm_stage_compiler stages = {
        .ctx = c->ctx, .image = c->image, .start = c->start, .vocab = &c->vocab};
    const lm_json *stage = lm_json_get(c->root, "post_processor");
    lm_span single, pair, trims;

    LM_TRY(lm_postprocess_compile(&stages, stage, &single, &pair, &trims));
    if (trims.count > 0 && model_of(c)->unknown_is_word)
        return refuse_trim(c, stage);
    header_of(c)->single = single;
    header_of(c)->pair = pair;
    header_of(c)->postprocessor = trims;
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

    LM_TRY(lm_field_items(c->ctx, field, "model", LM_JSON_OBJECT, &c->model));
    c->added = lm_json_get(c->root, "added_tokens");
    if (c->added && c->added->type != LM_JSON_ARRAY)
        return lm_field_wrong(c->ctx, field, "added_tokens", c->added, "an array");
    LM_TRY(compile_stages(c));
    LM_TRY(compile_model(c));
    LM_TRY(lm_added_compile(c->ctx, c->added, &c->vocab, c->start, c->image));
    LM_TRY(compile_templates(c));
    LM_TRY(lm_byte_words_compile(c->ctx, c->root, model_of(c), c->start, c->image));
    if (model_of(c)->walk)
        return lm_fused_compile(c->ctx, c->scratch, c->start, c->image);
    if (header_of(c)->byte_words.rule != 0)
        return LM_OK;
    return lm_words_compile(c->ctx, c->scratch, c->start, c->image);
}

/* The vocabulary is read before the model, which looks its pieces up there. */
static lm_status
compile_model(compiler *c)
{
    size_t added = c->added ? c->added->as.items.count : 0;
    const lm_token_model *model;
    uint32_t row;

    LM_TRY(lm_token_model_find(c->ctx, c->model, &row));
    model = lm_token_model_of(row);
    header_of(c)->model = row;
    LM_TRY(model->read_vocab(c->ctx, &c->arena, c->model, added, &c->vocab));
    LM_TRY(lm_added_read(c->ctx, c->added, header_of(c), c->scratch, &c->arena, &c->vocab));
    LM_TRY(model->compile(c->ctx, c->model, &c->vocab, c->start, c->image));
    return lm_vocab_write(c->ctx, &c->vocab, c->start, c->image);
}
