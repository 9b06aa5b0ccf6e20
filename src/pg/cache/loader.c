/*
 * loader.c - from files to an image; the contract is in loader.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "base/size.h"
#include "pg/cache/loader.h"

static void begin(lmtext_loader *loader, const char *name);

void
lmtext_loader_open(lmtext_loader *loader, Oid relid, const lmtext_manifest *manifest,
                   const char *name)
{
    begin(loader, name);
    loader->chunks = lmtext_chunks_open(relid, manifest, &loader->source);
}

void
lmtext_loader_open_source(lmtext_loader *loader, const lm_source *source, const char *name)
{
    begin(loader, name);
    loader->source = *source;
}

static void
begin(lmtext_loader *loader, const char *name)
{
    *loader = (lmtext_loader){.name = name};
    lmtext_call_init(&loader->call, CurrentMemoryContext);
    lm_arena_init(&loader->arena, &loader->call.ctx);
}

void
lmtext_loader_plan(lmtext_loader *loader, const lm_model_options *options,
                   const lm_kernels *kernels, lm_model_info *info, lm_notes *notes)
{
    lmtext_check(&loader->call,
                 lm_model_plan_make(&loader->call.ctx, &loader->arena, &loader->source, options,
                                    kernels, &loader->plan, info, notes),
                 loader->name);
    loader->size = lm_model_plan_size(loader->plan);
    if (loader->size > MaxAllocHugeSize - LM_ALIGNMENT)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("model \"%s\" is too large to be loaded", loader->name)));
    loader->room = loader->size + LM_ALIGNMENT;
}

void *
lmtext_loader_fill(lmtext_loader *loader, void *memory)
{
    void *image = (void *)TYPEALIGN(LM_ALIGNMENT, memory);

    lmtext_check(&loader->call, lm_model_fill(&loader->call.ctx, loader->plan, image),
                 loader->name);
    if (loader->chunks != NULL)
        lmtext_chunks_verify_and_close(loader->chunks);
    return image;
}

lmtext_copy *
lmtext_loader_copy(lmtext_loader *loader)
{
    lmtext_copy *copy = palloc0(sizeof(*copy));
    lm_context *ctx = &copy->call.ctx;
    void *memory, *image;

    lmtext_call_init(&copy->call, CurrentMemoryContext);
    memory = lm_alloc(ctx, loader->room);
    if (memory == NULL)
        lmtext_check(&copy->call, LM_NO_MEMORY, loader->name);
    image = lmtext_loader_fill(loader, memory);
    lmtext_check(&copy->call, lm_model_bind(ctx, image, loader->size, &copy->model), loader->name);
    lmtext_check(&copy->call, lm_session_create(ctx, &copy->session), loader->name);
    return copy;
}

lmtext_copy *
lmtext_copy_read(const lm_source *source, const lm_model_options *options,
                 const lm_kernels *kernels, const char *name)
{
    lmtext_loader loader;
    lmtext_copy *copy;

    lmtext_loader_open_source(&loader, source, name);
    lmtext_loader_plan(&loader, options, kernels, NULL, NULL);
    copy = lmtext_loader_copy(&loader);
    lm_arena_free(&loader.arena);
    return copy;
}

lmtext_copy *
lmtext_copy_load(Oid relid, const lmtext_manifest *manifest, const lm_kernels *kernels)
{
    const lm_model_options options = lmtext_manifest_options(manifest);
    lmtext_loader loader;
    lmtext_copy *copy;

    lmtext_loader_open(&loader, relid, manifest, lmtext_catalog_display_name(relid));
    lmtext_loader_plan(&loader, &options, kernels, NULL, NULL);
    copy = lmtext_loader_copy(&loader);
    lm_arena_free(&loader.arena);
    return copy;
}
