/*
 * model.c - a model from files to image to view. Plan reads the settings and the tensors' headers,
 * checks all against all, and sizes the image; fill reads the weights; bind makes pointers of the
 * image's offsets. A refusal comes from plan, before memory for the image is asked for. All three
 * walk the sections of the model's kind.
 */
#include "model/model.h"

#include <string.h>

#include "base/size.h"
#include "model/head.h"
#include "model/kinds.h"
#include "model/layers.h"
#include "model/vectors.h"
#include "model/window.h"

/* ---- Plan ---- */

static lm_status plan_routes(lm_planner *p);

static lm_status
plan_section(lm_planner *p, const lm_kind_section *part)
{
    LM_TRY(part->section->plan(p, &p->plan->sections[part->section->id]));
    return part->check ? part->check(p) : LM_OK;
}

/* The kind's own part of the info, which the settings are to hold. */
static lm_status
describe(lm_planner *p)
{
    const lm_model_kind *kind = p->plan->kind;
    lm_buffer details;
    lm_status status;

    lm_buffer_init(&details, p->ctx);
    status = kind->describe(p, &details);
    p->plan->info.kind = kind->name;
    if (status == LM_OK) {
        p->plan->info.details = lm_arena_copy(p->arena, details.data, details.size);
        status = p->plan->info.details ? LM_OK : LM_NO_MEMORY;
    }
    lm_buffer_free(&details);
    return status;
}

/* Options that only an encoder's weights obey are refused where there are none. */
static lm_status
check_options(const lm_planner *p, bool has_weights)
{
    if (has_weights || lm_precisions[p->options->precision].exact)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "only an encoder's weights can have another precision");
    lm_detail_key(p->ctx, "precision");
    lm_detail_found(p->ctx, "%s", lm_precision_name(p->options->precision));
    return lm_detail_allowed(p->ctx, "%s", lm_precision_name(LM_PRECISION_F32));
}

/* A model that is imported for a task must be for that one. */
static lm_status
check_task(const lm_planner *p)
{
    const char *asked = p->options->task;

    if (!asked || strcmp(asked, p->plan->info.task) == 0)
        return LM_OK;
    lm_raise(p->ctx, LM_UNSUPPORTED, "the model is for another task");
    lm_detail_key(p->ctx, "task");
    lm_detail_found(p->ctx, "%s", asked);
    return lm_detail_allowed(p->ctx, "%s", p->plan->info.task);
}

/* Sections last to first, as lm_model_kind says; the ways of a Router before them. */
static lm_status
plan_sections(lm_planner *p)
{
    const lm_kind_section *first = p->plan->kind->sections, *last = first;
    bool has_weights = p->plan->checkpoint.route_count > 0;

    for (; last[1].section; last++)
        has_weights |= last[1].section == &lm_section_weights;
    LM_TRY(check_options(p, has_weights));
    if (p->plan->kind->begin)
        LM_TRY(p->plan->kind->begin(p));
    LM_TRY(plan_routes(p));
    for (const lm_kind_section *part = last; part > first; part--)
        LM_TRY(plan_section(p, part));
    LM_TRY(describe(p));
    LM_TRY(check_task(p));
    return plan_section(p, first);
}

static lm_status
lay_out_section(lm_planner *p, lm_image_section section, size_t *size)
{
    lm_image_header *header = &p->plan->header;

    section.offset = *size;
    header->sections[header->count++] = section;
    if (lm_add_overflows(*size, (size_t)section.size, size) || *size > SIZE_MAX - LM_ALIGNMENT)
        return lm_raise(p->ctx, LM_TOO_LARGE, "the model is too large");
    *size = lm_align_up(*size);
    return LM_OK;
}

/* What ways that have one encoder have in common. */
static bool
is_shared(const lm_model_plan *plan, uint32_t id)
{
    return plan->shared > 0 && (id == LM_SECTION_TOKENIZER || id == LM_SECTION_WEIGHTS);
}

/* Give the sections their offsets, now that all sizes are known. */
static lm_status
lay_out(lm_planner *p)
{
    lm_image_header *header = &p->plan->header;
    size_t size = lm_align_up(sizeof *header);

    for (const lm_kind_section *part = p->plan->kind->sections; part->section; part++) {
        const uint32_t id = (uint32_t)part->section->id;
        const bool shared = is_shared(p->plan, id);

        LM_TRY(lay_out_section(p,
                               (lm_image_section){
                                   .id = id,
                                   .layout = part->section->layout,
                                   .size = shared ? 0 : p->plan->sections[id].size,
                                   .shared = shared ? (uint64_t)p->plan->shared : 0,
                               },
                               &size));
    }
    for (int i = 0; i < p->plan->checkpoint.route_count; i++)
        LM_TRY(lay_out_section(p,
                               (lm_image_section){
                                   .id = LM_IMAGE_ROUTE,
                                   .layout = LM_IMAGE_LAYOUT,
                                   .size = lm_model_plan_size(p->plan->routes[i]),
                               },
                               &size));
    memcpy(header->magic, LM_IMAGE_MAGIC, sizeof header->magic);
    header->layout = LM_IMAGE_LAYOUT;
    header->level = (uint32_t)p->kernels->level;
    header->precision = (uint32_t)p->plan->info.precision;
    header->size = size;
    return LM_OK;
}

/* A model whose checkpoint is read. */
static lm_status
plan_model(lm_planner *p)
{
    p->plan->kind = lm_model_kind_of(&p->plan->checkpoint);
    LM_TRY(plan_sections(p));
    return lay_out(p);
}

/* The way before one, from 1, that has the same encoder; 0: none. For another task it would have
 * other weights: such ways are refused. */
static int
find_shared(const lm_checkpoint *routes, int way)
{
    for (int i = 0; i < way; i++)
        if (strcmp(routes[i].folder, routes[way].folder) == 0 &&
            !lm_checkpoint_is_static(&routes[i]))
            return i + 1;
    return 0;
}

/* Each way of a Router is a model of its own; one without an encoder is exact at any precision. */
static lm_status
plan_routes(lm_planner *p)
{
    for (int i = 0; i < p->plan->checkpoint.route_count; i++) {
        lm_model_options options = *p->options;
        lm_planner way = *p;

        way.options = &options;
        way.routed = true;
        way.plan = p->plan->routes[i] = lm_arena_zero(p->arena, sizeof *way.plan);
        if (!way.plan)
            return LM_NO_MEMORY;
        way.plan->source = p->plan->source;
        way.plan->checkpoint = p->plan->checkpoint.routes[i];
        way.plan->shared = find_shared(p->plan->checkpoint.routes, i);
        if (lm_checkpoint_is_static(&way.plan->checkpoint))
            options.precision = LM_PRECISION_F32;
        LM_TRY(plan_model(&way));
    }
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
    static const lm_model_options no_options;
    lm_planner p = {
        ctx,     arena, options ? options : &no_options,
        kernels, notes, lm_arena_zero(arena, sizeof **plan),
        false,
    };

    if (!p.plan)
        return LM_NO_MEMORY;
    p.plan->below = *source;
    p.plan->source = lm_coded_source(&p.plan->coded, arena, &p.plan->below);
    LM_TRY(lm_checkpoint_open(ctx, arena, &p.plan->source, notes, &p.plan->checkpoint));
    LM_TRY(plan_model(&p));
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

/* Settings files have been read; what is left of the source are the tensors' data. */
lm_status
lm_model_fill(lm_context *ctx, lm_model_plan *plan, void *image)
{
    const lm_image_section *section = plan->header.sections;
    char *base = image;

    memcpy(base, &plan->header, sizeof plan->header);
    for (const lm_kind_section *part = plan->kind->sections; part->section; part++, section++)
        if (!section->shared)
            LM_TRY(part->section->fill(ctx, plan, &plan->sections[part->section->id],
                                       base + section->offset));
    for (int i = 0; i < plan->checkpoint.route_count; i++, section++)
        LM_TRY(lm_model_fill(ctx, plan->routes[i], base + section->offset));
    return LM_OK;
}

/* ---- Bind ---- */

static lm_status
refuse_image(lm_context *ctx)
{
    return lm_raise(ctx, LM_INTERNAL, "the image of the model is not valid");
}

/* Magic and layout come first: an image of another version may have sections elsewhere. */
static lm_status
check_header(lm_context *ctx, const lm_image_header *header, size_t size)
{
    bool good = size >= sizeof *header &&
                memcmp(header->magic, LM_IMAGE_MAGIC, sizeof header->magic) == 0 &&
                header->layout == LM_IMAGE_LAYOUT && header->size <= size &&
                header->count <= LM_IMAGE_SECTIONS;

    for (uint32_t i = 0; good && i < header->count; i++) {
        const lm_image_section *section = &header->sections[i];

        good = section->offset % LM_ALIGNMENT == 0 && section->offset <= size &&
               section->size <= size - section->offset;
    }
    return good ? LM_OK : refuse_image(ctx);
}

static lm_status bind_image(lm_context *ctx, const void *image, size_t size, const lm_model *router,
                            lm_model *model);

/* A way of a Router; no way has ways. */
static lm_status
bind_route(lm_context *ctx, const char *base, const lm_image_section *section,
           const lm_model *router, lm_model *model)
{
    lm_model *way;

    if (router || model->route_count == LM_SIDE_COUNT)
        return refuse_image(ctx);
    if (!model->routes)
        model->routes = lm_alloc_zero(ctx, LM_SIDE_COUNT * sizeof *model->routes);
    if (!model->routes)
        return LM_NO_MEMORY;
    way = &model->routes[model->route_count];
    LM_TRY(bind_image(ctx, base + section->offset, (size_t)section->size, model, way));
    model->route_count++;
    if (way->info.precision != LM_PRECISION_F32)
        model->info.precision = way->info.precision;
    return LM_OK;
}

/* What a way has of one before it; of weights, the head's view is each way's own. */
static lm_status
share_section(lm_context *ctx, lm_section_id id, const lm_model *before, lm_model *way)
{
    way->views[id] = before->views[id];
    return id == LM_SECTION_WEIGHTS && way->views[id] ? lm_weights_settle(ctx, way) : LM_OK;
}

/* A section is known, of the layout that is known, and there once. */
static lm_status
bind_section(lm_context *ctx, const char *base, const lm_image_section *section,
             const lm_model *router, lm_model *model)
{
    const lm_section_kind *kind = lm_section_find(section->id);

    if (section->id == LM_IMAGE_ROUTE)
        return bind_route(ctx, base, section, router, model);
    if (!kind || kind->layout != section->layout || model->views[kind->id])
        return refuse_image(ctx);
    if (section->shared == 0)
        return kind->bind(ctx, base + section->offset, (size_t)section->size, model);
    if (!router || section->shared > (uint64_t)router->route_count)
        return refuse_image(ctx);
    return share_section(ctx, kind->id, &router->routes[section->shared - 1], model);
}

/* Weights of layers, of which there are as many as layers. */
static bool
mixes_layers(const lm_model *model)
{
    const lm_steps *steps = model->views[LM_SECTION_STEPS];
    const lm_weights *weights = model->views[LM_SECTION_WEIGHTS];

    return !steps || !steps->mix ||
           (weights && steps->mix_count == (size_t)lm_weights_layers(weights) + 1);
}

/* All sections of the kind, which the settings name, must be there. */
static lm_status
check_sections(lm_context *ctx, lm_model *model)
{
    model->kind = lm_model_kind_named(model->info.kind);
    if (!model->kind)
        return refuse_image(ctx);
    for (const lm_kind_section *part = model->kind->sections; part->section; part++)
        if (!model->views[part->section->id])
            return refuse_image(ctx);
    for (int side = 0; side < LM_SIDE_COUNT; side++)
        if (model->info.routes[side] > model->route_count)
            return refuse_image(ctx);
    return mixes_layers(model) && (!model->routes || lm_model_main(model)) ? LM_OK
                                                                           : refuse_image(ctx);
}

/* A model without packed weights runs on any kernels. */
static const lm_kernels *
choose_kernels(const lm_image_header *header)
{
    const lm_kernels *kernels =
        header->level < LM_LEVEL_COUNT ? lm_kernels_at((lm_level)header->level) : NULL;

    return kernels ? kernels : lm_kernels_active();
}

/* Views that a way has of the ways before it. */
static void
drop_shared(const lm_model *router, lm_model *way)
{
    for (const lm_model *other = router ? router->routes : way; other < way; other++)
        for (uint32_t id = 0; id < LM_SECTION_COUNT; id++)
            if (way->views[id] == other->views[id])
                way->views[id] = NULL;
}

/* Leaves nothing behind when it fails. `router`: what it is a way of, or NULL. */
static lm_status
bind_image(lm_context *ctx, const void *image, size_t size, const lm_model *router, lm_model *model)
{
    const lm_image_header *header = image;
    lm_status status = LM_OK;

    memset(model, 0, sizeof *model);
    LM_TRY(check_header(ctx, header, size));
    model->kernels = choose_kernels(header);
    for (uint32_t i = 0; i < header->count && status == LM_OK; i++)
        status = bind_section(ctx, image, &header->sections[i], router, model);
    if (status == LM_OK)
        status = check_sections(ctx, model);
    if (status != LM_OK) {
        drop_shared(router, model);
        lm_model_unbind(ctx, model);
    }
    return status;
}

lm_status
lm_model_bind(lm_context *ctx, const void *image, size_t size, lm_model *model)
{
    return bind_image(ctx, image, size, NULL, model);
}

/* Safe on a model that was only partly bound. */
void
lm_model_unbind(lm_context *ctx, lm_model *model)
{
    for (uint32_t id = 0; id < LM_SECTION_COUNT; id++)
        if (model->views[id])
            lm_section_find(id)->unbind(ctx, model);
    for (int i = model->route_count; i-- > 0;) {
        drop_shared(model, &model->routes[i]);
        lm_model_unbind(ctx, &model->routes[i]);
    }
    lm_free(ctx, model->routes);
    memset(model, 0, sizeof *model);
}

/* ---- What a version changes of its image ---- */

lm_status
lm_model_set_window(lm_context *ctx, lm_model *model, int window)
{
    const lm_tokenizer *tokenizer = lm_model_tokenizer(model); /* a head's comes with its base */

    for (int i = 0; i < model->route_count; i++)
        if (window < model->routes[i].info.max_tokens)
            LM_TRY(lm_model_set_window(ctx, &model->routes[i], window));
    if (model->views[LM_SECTION_WEIGHTS])
        LM_TRY(lm_window_check(ctx, window, tokenizer ? lm_window_least(tokenizer) : 1,
                               lm_weights_dims(model->views[LM_SECTION_WEIGHTS])->window));
    if (model->views[LM_SECTION_NET])
        LM_TRY(lm_window_check(ctx, window, lm_window_least(tokenizer), LM_LAYERS_LONGEST));
    model->info.max_tokens = window;
    return LM_OK;
}

void
lm_model_set_dimensions(lm_model *model, int dimensions)
{
    int width = lm_model_width(model);

    if (width == 0 || model->base || model->info.dimensions == 0) /* no embedding is asked for */
        return;
    for (int i = 0; i < model->route_count; i++)
        lm_model_set_dimensions(&model->routes[i], dimensions);
    model->info.cut = dimensions < width;
    model->info.dimensions = model->info.cut ? dimensions : width;
}

int
lm_model_width(const lm_model *model)
{
    const lm_steps *steps = lm_model_view(model, LM_SECTION_STEPS);
    const lm_vectors *vectors = lm_model_view(model, LM_SECTION_VECTORS);

    if (steps)
        return (int)steps->width;
    return vectors && !vectors->sparse ? vectors->width : 0;
}

bool
lm_model_needs_base(const lm_model *model)
{
    return model->kind->on_base;
}

/* A head of a checkpoint sees the base's weights as its own, and its word table may be one. */
static lm_status
borrow_encoder(lm_context *ctx, lm_model *model, const lm_weights *from)
{
    lm_weights *weights = (lm_weights *)(uintptr_t)model->views[LM_SECTION_WEIGHTS];

    if (!from)
        return lm_raise(ctx, LM_BAD_MODEL, "the base of the head has no encoder");
    LM_TRY(lm_weights_borrow(ctx, weights, from));
    lm_section_head.unbind(ctx, model);
    model->views[LM_SECTION_HEAD] = NULL;
    return lm_head_of_weights(ctx, weights, model);
}

lm_status
lm_model_set_base(lm_context *ctx, lm_model *model, const lm_model *base)
{
    model->base = base;
    if (!model->views[LM_SECTION_WEIGHTS])
        return LM_OK;
    LM_TRY(borrow_encoder(ctx, model, lm_model_weights(base)));
    return lm_model_set_window(ctx, model, model->info.max_tokens);
}
