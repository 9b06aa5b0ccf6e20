/*
 * model.c - a model from files to image to view. Plan reads the settings and the tensors' headers,
 * checks all against all, and sizes the image; fill reads the weights; bind makes pointers of the
 * image's offsets. A refusal comes from plan, before memory for the image is asked for.
 */
#include "task/model.h"

#include <string.h>

#include "base/buffer.h"
#include "base/size.h"
#include "task/head.h"
#include "task/image.h"
#include "task/left_out.h"

struct lm_model_plan {
    lm_source source;
    lm_bundle bundle;
    lm_weights_plan weights; /* of a model with an encoder */
    lm_head_plan head;       /* of a head */
    lm_model_info info;
    const char *settings, *tokenizer; /* sections that are ready to be copied */
    lm_image_header header;
};

/* What the functions of planning share. */
typedef struct planner {
    lm_context *ctx;
    lm_arena *arena;
    const lm_model_options *options;
    const lm_kernels *kernels;
    lm_notes *notes;
    lm_model_plan *plan;
} planner;

/* ---- Plan ---- */

/* Move a finished section into the arena, so that only the arena need be freed. */
static lm_status
keep_section(planner *p, lm_buffer *buffer, lm_image_part part, const char **kept)
{
    char *copy = lm_arena_alloc(p->arena, buffer->size + LM_ALIGNMENT);

    if (!copy)
        return LM_NO_MEMORY;
    copy = (char *)lm_align_up((uintptr_t)copy);
    memcpy(copy, buffer->data, buffer->size);
    *kept = copy;
    p->plan->header.parts[part].size = buffer->size;
    return LM_OK;
}

/* Lower and upper case have the same ids: the tokenizer itself makes lower case. */
static lm_status
makes_lower_case(planner *p, const lm_tokenizer *tokenizer, bool *lower)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const lm_token_options options = {.add_special = false};
    lm_token_scratch *scratch;
    lm_encoding small, big;
    lm_status status;

    LM_TRY(lm_token_scratch_create(p->ctx, &scratch));
    lm_encoding_init(&small, p->ctx);
    lm_encoding_init(&big, p->ctx);
    status = lm_tokenize(p->ctx, tokenizer, scratch, text, 26, &options, &small);
    if (status == LM_OK)
        status = lm_tokenize(p->ctx, tokenizer, scratch, text + 26, 26, &options, &big);
    *lower =
        status == LM_OK && small.count == big.count &&
        (small.count == 0 || memcmp(small.ids, big.ids, small.count * sizeof small.ids[0]) == 0);
    lm_encoding_free(&small);
    lm_encoding_free(&big);
    lm_token_scratch_free(scratch);
    return status;
}

/* sentence_bert_config.json may ask for lower case where the tokenizer keeps case. */
static lm_status
check_lower_case(planner *p, const lm_tokenizer *tokenizer)
{
    bool lower = true;

    if (p->plan->bundle.sentence.lower_case)
        LM_TRY(makes_lower_case(p, tokenizer, &lower));
    if (lower)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED,
             "converting text to lower case before the tokenizer is not supported");
    lm_detail_file(p->ctx, "sentence_bert_config.json");
    lm_detail_key(p->ctx, "do_lower_case");
    lm_detail_found(p->ctx, "true");
    return lm_detail_allowed(p->ctx, "false, or a tokenizer that converts to lower case");
}

static int
least_window(const lm_tokenizer *tokenizer)
{
    return lm_tokenizer_special_count(tokenizer, false) + 1;
}

/* A window that somebody asks for. */
static lm_status
check_window(lm_context *ctx, int asked, int least, int most)
{
    if (asked >= least && asked <= most)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "the window is out of range");
    lm_detail_key(ctx, "max_tokens");
    lm_detail_found(ctx, "%d", asked);
    return lm_detail_allowed(ctx, "%d to %d", least, most);
}

/* The window must have room for a token besides the special ones, and a position for each. */
static lm_status
choose_window(planner *p, const lm_tokenizer *tokenizer, const lm_dims *dims)
{
    int least = least_window(tokenizer);
    int window = lm_bundle_window(&p->plan->bundle, dims->positions);
    int asked = p->options ? p->options->max_tokens : 0;

    if (asked != 0) {
        LM_TRY(check_window(p->ctx, asked, least, dims->positions));
        window = asked;
    }
    if (window < least || window > dims->positions) {
        lm_raise(p->ctx, LM_BAD_MODEL, "the model's window is too small for any text");
        lm_detail_found(p->ctx, "%d tokens", window);
        return lm_detail_allowed(p->ctx, "%d to %d", least, dims->positions);
    }
    p->plan->info.max_tokens = window;
    return LM_OK;
}

/* A token type without a row in the model would make every use of it an error. */
static lm_status
check_types(planner *p, const lm_tokenizer *tokenizer, const lm_dims *dims)
{
    int32_t highest = lm_tokenizer_highest_type(tokenizer);

    if (highest < dims->types)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "the tokenizer gives a token type that the model does not have");
    lm_detail_file(p->ctx, "tokenizer.json");
    lm_detail_key(p->ctx, "post_processor.single");
    lm_detail_found(p->ctx, "type_id %d", highest);
    return lm_detail_allowed(p->ctx, "0 to %d, from type_vocab_size in config.json",
                             dims->types - 1);
}

/* What can be known of the tokenizer only once it is compiled. */
static lm_status
check_tokenizer(planner *p, const lm_dims *dims)
{
    lm_tokenizer tokenizer;

    LM_TRY(lm_tokenizer_bind(p->ctx, p->plan->tokenizer,
                             p->plan->header.parts[LM_IMAGE_TOKENIZER].size, &tokenizer));
    LM_TRY(check_lower_case(p, &tokenizer));
    LM_TRY(check_types(p, &tokenizer, dims));
    return choose_window(p, &tokenizer, dims);
}

/* Ids are bound by the rows of the embedding: a tokenizer with more would read past them. */
static lm_status
plan_tokenizer(planner *p, const lm_dims *dims)
{
    const lm_bundle *bundle = &p->plan->bundle;
    bool plain = p->options && p->options->plain_class;
    const lm_tokenizer_files files = {bundle->tokenizer, bundle->tokenizer_config,
                                      bundle->special_map, bundle->added_tokens,
                                      plain ? NULL : bundle->config};
    lm_buffer image;
    lm_status status;

    if (!bundle->tokenizer)
        return lm_bundle_no_tokenizer(p->ctx, p->arena, &p->plan->source, bundle);
    p->plan->info.implied_class = lm_tokenizer_class_implied(&files);
    lm_buffer_init(&image, p->ctx);
    status = lm_tokenizer_compile_files(p->ctx, &files, dims->vocab, &image, p->notes);
    if (status == LM_OK)
        status = keep_section(p, &image, LM_IMAGE_TOKENIZER, &p->plan->tokenizer);
    lm_buffer_free(&image);
    return status == LM_OK ? check_tokenizer(p, dims) : status;
}

/* The pooling module says how wide the token embeddings are that it expects. */
static lm_status
check_sentence(planner *p, const lm_dims *dims)
{
    int width = p->plan->bundle.sentence.embedding_dimension;

    if (width == 0 || width == dims->hidden)
        return LM_OK;
    lm_raise(p->ctx, LM_BAD_MODEL, "the pooling module does not fit the encoder");
    lm_detail_key(p->ctx, "embedding_dimension");
    lm_detail_found(p->ctx, "%d", width);
    return lm_detail_allowed(p->ctx, "%d, the hidden_size of config.json", dims->hidden);
}

/*
 * How many numbers of the embedding count. truncate_dim cuts it behind all modules, so a normalised
 * one is shorter than 1, as in sentence-transformers, which reads it only beside modules.json.
 */
static lm_status
choose_dimensions(planner *p, int hidden)
{
    const lm_sentence_spec *sentence = &p->plan->bundle.sentence;
    const lm_json *truncate = sentence->present ? sentence->truncate_dim : NULL;
    int64_t most = p->options ? p->options->dimensions : 0;

    if (most == 0 && truncate) {
        if (truncate->type != LM_JSON_NUMBER || !truncate->is_integer || truncate->integer < 1) {
            char found[80];

            lm_json_show(truncate, found, sizeof found);
            lm_raise(p->ctx, LM_BAD_MODEL, "a setting of the model is not valid");
            lm_detail_file(p->ctx, "config_sentence_transformers.json");
            lm_detail_key(p->ctx, "truncate_dim");
            lm_detail_found(p->ctx, "%s", found);
            return lm_detail_allowed(p->ctx, "an integer of at least 1");
        }
        most = truncate->integer;
    }
    p->plan->info.cut = most > 0 && most < hidden;
    p->plan->info.dimensions = p->plan->info.cut ? (int)most : hidden;
    return LM_OK;
}

static lm_status
check_config_keys(planner *p, const lm_family *family)
{
    const lm_key_rule *const tables[] = {family->config_keys, lm_config_keys, NULL};

    return lm_keys_check_all(p->ctx, p->notes, p->plan->bundle.config_file, "",
                             p->plan->bundle.config, tables);
}

/* Family, weights, pooling, tokenizer: from what is cheap to check to what is dear. */
static lm_status
plan_encoder(planner *p)
{
    lm_model_plan *plan = p->plan;
    lm_precision precision = p->options ? p->options->precision : LM_PRECISION_F32;
    const lm_family *family;
    const lm_dims *dims;

    LM_TRY(lm_family_find(p->ctx, plan->bundle.config, &family));
    LM_TRY(check_config_keys(p, family));
    if (precision == LM_PRECISION_INT8)
        LM_TRY(lm_bundle_open_quantized(p->ctx, p->arena, &plan->source, &plan->bundle));
    LM_TRY(lm_weights_plan_make(p->ctx, p->arena, family, &plan->bundle, p->kernels, precision,
                                &plan->weights));
    dims = plan->weights.config;
    LM_TRY(lm_left_out_check(p->ctx, &plan->bundle, &plan->weights,
                             p->options && p->options->as_embedding, p->notes));
    LM_TRY(check_sentence(p, dims));
    LM_TRY(choose_dimensions(p, dims->hidden));
    LM_TRY(plan_tokenizer(p, dims));
    plan->header.parts[LM_IMAGE_WEIGHTS].size = plan->weights.size;
    plan->info.family = family->name;
    plan->info.task = "embedding";
    plan->info.parameters = plan->weights.parameters;
    plan->info.precision = precision;
    return LM_OK;
}

/*
 * A head has neither tokenizer nor weights of an encoder; its width is that of the base's
 * embedding.
 */
static lm_status
plan_head(planner *p)
{
    lm_model_plan *plan = p->plan;
    const lm_head *shape = &plan->head.shape;

    LM_TRY(lm_head_plan_make(p->ctx, p->arena, &plan->bundle, &plan->head));
    plan->header.parts[LM_IMAGE_HEAD].size = lm_head_size(shape);
    plan->info = (lm_model_info){
        .task = "classification",
        .dimensions = shape->width,
        .parameters = ((uint64_t)shape->width + 1) * (uint64_t)shape->labels,
        .label_count = shape->labels,
        .labels = shape->names,
    };
    return LM_OK;
}

/* Last, since it holds what the other parts found out. */
static lm_status
plan_settings(planner *p)
{
    lm_buffer buffer;
    lm_status status;

    lm_buffer_init(&buffer, p->ctx);
    status = lm_settings_write(&buffer, &p->plan->info, &p->plan->bundle.sentence);
    if (status == LM_OK)
        status = keep_section(p, &buffer, LM_IMAGE_SETTINGS, &p->plan->settings);
    lm_buffer_free(&buffer);
    return status;
}

/* Give the sections their offsets, now that all sizes are known. */
static lm_status
lay_out(planner *p)
{
    lm_image_header *header = &p->plan->header;
    size_t size = lm_align_up(sizeof *header);

    for (int part = 0; part < LM_IMAGE_PARTS; part++) {
        size_t bytes = header->parts[part].size;

        header->parts[part].offset = size;
        if (lm_add_overflows(size, bytes, &size) || size > SIZE_MAX - LM_ALIGNMENT)
            return lm_raise(p->ctx, LM_TOO_LARGE, "the model is too large");
        size = lm_align_up(size);
    }
    memcpy(header->magic, LM_IMAGE_MAGIC, sizeof header->magic);
    header->layout = LM_IMAGE_LAYOUT;
    header->level = (uint32_t)p->kernels->level;
    header->precision = (uint32_t)p->plan->info.precision;
    header->size = size;
    return LM_OK;
}

/*
 * Everything that the plan refers to lives in the arena; on failure the caller frees that and is
 * done.
 */
lm_status
lm_model_plan_make(lm_context *ctx, lm_arena *arena, const lm_source *source,
                   const lm_model_options *options, const lm_kernels *kernels, lm_model_plan **plan,
                   lm_model_info *info, lm_notes *notes)
{
    planner p = {ctx, arena, options, kernels, notes, lm_arena_zero(arena, sizeof **plan)};

    if (!p.plan)
        return LM_NO_MEMORY;
    p.plan->source = *source;
    LM_TRY(lm_bundle_open(ctx, arena, source, notes, &p.plan->bundle));
    LM_TRY(p.plan->bundle.head ? plan_head(&p) : plan_encoder(&p));
    LM_TRY(plan_settings(&p));
    LM_TRY(lay_out(&p));
    *plan = p.plan;
    if (info)
        *info = p.plan->info;
    return LM_OK;
}

/* A multiple of LM_ALIGNMENT. */
size_t
lm_model_plan_size(const lm_model_plan *plan)
{
    return (size_t)plan->header.size;
}

/* ---- Fill ---- */

/* Sections that were made at plan time; those that are absent have size 0. */
static void
copy_section(const lm_image_header *header, lm_image_part part, const char *bytes, char *image)
{
    if (header->parts[part].size > 0)
        memcpy(image + header->parts[part].offset, bytes, header->parts[part].size);
}

/* Settings files have been read; what is left of the source are the tensors' data. */
lm_status
lm_model_fill(lm_context *ctx, lm_model_plan *plan, void *image)
{
    const lm_image_header *header = &plan->header;
    char *base = image;

    memcpy(base, header, sizeof *header);
    copy_section(header, LM_IMAGE_SETTINGS, plan->settings, base);
    copy_section(header, LM_IMAGE_TOKENIZER, plan->tokenizer, base);
    if (header->parts[LM_IMAGE_HEAD].size > 0)
        return lm_head_fill(ctx, &plan->head, &plan->source,
                            base + header->parts[LM_IMAGE_HEAD].offset);
    return lm_weights_fill(ctx, &plan->weights, &plan->source,
                           base + header->parts[LM_IMAGE_WEIGHTS].offset);
}

/* ---- Bind ---- */

/* Magic and layout come first: an image of another version may have sections elsewhere. */
static lm_status
check_header(lm_context *ctx, const lm_image_header *header, size_t size)
{
    bool good = size >= sizeof *header &&
                memcmp(header->magic, LM_IMAGE_MAGIC, sizeof header->magic) == 0 &&
                header->layout == LM_IMAGE_LAYOUT && header->size <= size;

    for (int part = 0; good && part < LM_IMAGE_PARTS; part++)
        good = header->parts[part].offset % LM_ALIGNMENT == 0 &&
               header->parts[part].offset <= size &&
               header->parts[part].size <= size - header->parts[part].offset;
    return good ? LM_OK : lm_raise(ctx, LM_INTERNAL, "the image of the model is not valid");
}

/* Views of tokenizer and weights; both are small. */
static lm_status
bind_encoder(lm_context *ctx, const lm_image_header *header, lm_model *model)
{
    const char *base = (const char *)header;

    LM_TRY(lm_tokenizer_bind(ctx, base + header->parts[LM_IMAGE_TOKENIZER].offset,
                             header->parts[LM_IMAGE_TOKENIZER].size, &model->tokenizer));
    LM_TRY(lm_weights_bind(ctx, base + header->parts[LM_IMAGE_WEIGHTS].offset,
                           header->parts[LM_IMAGE_WEIGHTS].size, &model->weights));
    model->kernels = model->weights.kernels;
    model->info.precision = model->weights.precision;
    return LM_OK;
}

/* A head runs on its base's kernels; its own table serves where it is used alone. */
static lm_status
bind_head(lm_context *ctx, const lm_image_header *header, lm_model *model)
{
    const lm_kernels *kernels =
        header->level < LM_LEVEL_COUNT ? lm_kernels_at((lm_level)header->level) : NULL;

    model->has_head = true;
    model->kernels = kernels ? kernels : lm_kernels_active(); /* a head is not packed */
    model->head = (lm_head){
        .labels = model->info.label_count,
        .width = model->info.dimensions,
        .names = model->info.labels,
    };
    if (header->parts[LM_IMAGE_HEAD].size < lm_head_size(&model->head))
        return lm_raise(ctx, LM_INTERNAL, "the head in the image is truncated");
    lm_head_bind((const char *)header + header->parts[LM_IMAGE_HEAD].offset, &model->head);
    return LM_OK;
}

/* Leaves nothing behind when it fails. */
lm_status
lm_model_bind(lm_context *ctx, const void *image, size_t size, lm_model *model)
{
    const lm_image_header *header = image;
    const char *base = image;
    lm_status status;

    memset(model, 0, sizeof *model);
    LM_TRY(check_header(ctx, header, size));
    LM_TRY(lm_settings_read(ctx, base + header->parts[LM_IMAGE_SETTINGS].offset,
                            header->parts[LM_IMAGE_SETTINGS].size, model, &model->memory));
    if (header->parts[LM_IMAGE_HEAD].size > 0)
        status = bind_head(ctx, header, model);
    else
        status = bind_encoder(ctx, header, model);
    if (status != LM_OK)
        lm_model_unbind(ctx, model);
    return status;
}

lm_status
lm_model_set_window(lm_context *ctx, lm_model *model, int window)
{
    if (!model->has_head)
        LM_TRY(check_window(ctx, window, least_window(&model->tokenizer),
                            lm_weights_dims(&model->weights)->positions));
    model->info.max_tokens = window;
    return LM_OK;
}

void
lm_model_set_dimensions(lm_model *model, int dimensions)
{
    int hidden;

    if (model->has_head)
        return;
    hidden = lm_weights_dims(&model->weights)->hidden;
    model->info.cut = dimensions < hidden;
    model->info.dimensions = model->info.cut ? dimensions : hidden;
}

/* Safe on a model that was only partly bound. */
void
lm_model_unbind(lm_context *ctx, lm_model *model)
{
    if (model->weights.table)
        lm_weights_unbind(ctx, &model->weights);
    lm_free(ctx, model->memory);
    memset(model, 0, sizeof *model);
}
