/*
 * head.c - heads of checkpoints on the encoder of another version: made of a folder, and joined
 * with that encoder again.
 *
 * Such a version has the folder's settings and, in place of its weights, what the head alone has
 * (engine/model/added_head.h).
 */
#include "postgres.h"

#include "model/added_head.h"
#include "pg/cache/cache.h"
#include "pg/version/head.h"
#include "pg/version/version.h"

/* ---- Making ---- */

/* A folder with another file of weights than it has. */
typedef struct head_files {
    lm_buffer tensors;
    lm_source without[2];
    lm_source_with_file layers[3];
} head_files;

/* Layer on layer: neither weights nor their index, but those of the head. */
static lm_source
lay_over(head_files *files, const lm_source *folder)
{
    files->layers[0] = (lm_source_with_file){folder, "model.safetensors", NULL, 0};
    files->without[0] = lm_source_with(&files->layers[0]);
    files->layers[1] =
        (lm_source_with_file){&files->without[0], "model.safetensors.index.json", NULL, 0};
    files->without[1] = lm_source_with(&files->layers[1]);
    files->layers[2] = (lm_source_with_file){&files->without[1], LM_HEAD_TENSORS,
                                             files->tensors.data, files->tensors.size};
    return lm_source_with(&files->layers[2]);
}

static void
check_base_alone(const lmtext_model *base)
{
    if (lm_model_needs_base(&base->model))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("model \"%s\" cannot be a base, because it is itself a head", base->name),
                 errhint("Name the model that it is built on: column base of "
                         "lmtext.models.")));
    if (lm_model_weights(&base->model) == NULL)
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                 errmsg("model \"%s\" cannot be a base, because it has no encoder", base->name)));
}

/* What the head's folder has beyond the base's encoder; what differs is an error. */
static void
make_tensors(head_files *files, lmtext_call *call, const lm_source *folder, Oid base,
             const lmtext_version_options *options, const char *name)
{
    const lmtext_manifest *manifest = lmtext_manifest_read(base);
    const lm_model_options base_options = lmtext_manifest_options(manifest);
    const lm_model_options folder_options = {.task = options->task,
                                             .as_embedding = options->as_embedding};
    lm_source source;
    lmtext_chunks *chunks = lmtext_chunks_open(base, manifest, &source);
    const lm_added_head both = {folder, &source, &folder_options, &base_options};

    lm_buffer_init(&files->tensors, &call->ctx);
    lmtext_version_refuse_codes(call, manifest, lmtext_catalog_display_name(base));
    lmtext_check(call, lm_added_head_make(&call->ctx, &both, &files->tensors), name);
    lmtext_chunks_verify_and_close(chunks);
}

Oid
lmtext_version_add_head(const char *name, const lm_source *folder, Oid base,
                        lmtext_version_options *options, int *version)
{
    const lmtext_model *model = lmtext_model_use(base);
    head_files files;
    lmtext_call call;
    lm_source source;
    Oid relid;

    check_base_alone(model);
    lmtext_version_check_name(name);
    lmtext_call_init(&call, CurrentMemoryContext);
    make_tensors(&files, &call, folder, base, options, name);
    source = lay_over(&files, folder);
    options->base_model = &model->model;
    options->precision = model->model.info.precision;
    relid = lmtext_version_create(name, &source, base, options, version);
    lm_buffer_free(&files.tensors);
    return relid;
}

/* ---- The whole model again ---- */

bool
lmtext_head_is_added(const lmtext_manifest *manifest)
{
    for (int i = 0; i < manifest->file_count && manifest->has_base; i++)
        if (strcmp(manifest->files[i].name, "config.json") == 0)
            return true;
    return false;
}

void
lmtext_whole_open(lmtext_whole_model *whole, lmtext_call *call, Oid relid,
                  const lmtext_manifest *manifest, const char *name)
{
    const Oid base = lmtext_catalog_base(relid);
    const lmtext_manifest *base_manifest = lmtext_manifest_read(base);
    const lm_model_options options = lmtext_manifest_options(manifest);
    const lm_model_options base_options = lmtext_manifest_options(base_manifest);
    const lm_added_head both = {&whole->sources[0], &whole->sources[1], &options, &base_options};

    *whole = (lmtext_whole_model){.head = NULL};
    lm_arena_init(&whole->arena, &call->ctx);
    lm_buffer_init(&whole->header, &call->ctx);
    whole->head = lmtext_chunks_open(relid, manifest, &whole->sources[0]);
    whole->base = lmtext_chunks_open(base, base_manifest, &whole->sources[1]);
    lmtext_check(call,
                 lm_added_head_join(&call->ctx, &whole->arena, &both, &whole->header,
                                    &whole->tensors, &whole->count),
                 name);
}

void
lmtext_whole_close(lmtext_whole_model *whole)
{
    lmtext_chunks_verify_and_close(whole->head);
    lmtext_chunks_verify_and_close(whole->base);
    lm_buffer_free(&whole->header);
    lm_arena_free(&whole->arena);
}
