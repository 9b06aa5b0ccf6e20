/*
 * modules.c - modules.json: which modules there are, in which order, and where their files lie.
 */
#include "format/modules.h"

#include <string.h>

#include "format/sentence_keys.h"

/*
 * Classes have moved inside the library's package from version to version while their last
 * component stayed, so that and the package are compared. A class of another package is code that
 * comes with the model.
 */

#define PACKAGE "sentence_transformers."
#define PYLATE_PACKAGE "pylate."

static const lm_known_file modules_file = {LM_MODULES_FILE, 64 * LM_KB};

#define LM_MODULE_NAMES                                                                           \
    "Transformer, Pooling, Dense, LayerNorm, Dropout, Normalize, MLMTransformer, SpladePooling, " \
    "WeightedLayerPooling, StaticEmbedding, SparseStaticEmbedding, Router, WordEmbeddings, "      \
    "WordWeights, BoW"
#define LM_MODULE_ORDER                                                                          \
    "a Transformer, a Pooling, and then Dense, LayerNorm, Dropout, Normalize; or a Transformer " \
    "and a SpladePooling"

#define LM_LATE_ORDER "a Transformer, and then Dense, MultiVectorMask, Normalize"

#define MODULE_FILE "config.json"
#define MODULE_FILE_LIMIT (64 * LM_KB)

/* Modules under construction. */
typedef struct module_list {
    lm_module_stage stage; /* behind the last */
    lm_module *modules;
    int count;
} module_list;

static lm_status
too_many(const lm_members *s)
{
    lm_raise(s->reader->ctx, LM_UNSUPPORTED, "the model has too many modules");
    lm_detail_file(s->reader->ctx, s->file);
    return lm_detail_allowed(s->reader->ctx, "at most %d", LM_MODULE_LIMIT);
}

/* The row of a class path, that for the stage if there is one; NULL: the class is not known. */
static const lm_module_kind *
find_kind(const char *type, lm_module_stage stage)
{
    const char *dot = strrchr(type, '.');
    const char *class_name = dot ? dot + 1 : type;
    const lm_module_kind *found = NULL;

    for (const lm_module_kind *kind = lm_module_kinds; kind->class_name; kind++)
        if (strcmp(class_name, kind->class_name) == 0 && (!found || kind->before == stage))
            found = kind;
    return found;
}

/*
 * The folder of a path as Python's pathlib has it: "./1_Pooling/" is "1_Pooling". A path that
 * leaves the source keeps what makes it so, and is refused as a name.
 */
static lm_status
clean_path(const lm_reader *r, const char *path, const char **folder)
{
    size_t used = 0;
    char *clean = lm_arena_copy(r->arena, path, strlen(path));

    if (!clean)
        return LM_NO_MEMORY;
    *folder = clean;
    if (path[0] == '/')
        return LM_OK;
    while (*path) {
        size_t span = strcspn(path, "/");

        if (span > 0 && !(span == 1 && path[0] == '.')) {
            if (used > 0)
                clean[used++] = '/';
            memmove(clean + used, path, span);
            used += span;
        }
        path += span + (path[span] == '/');
    }
    clean[used] = '\0';
    return LM_OK;
}

/* A class of another package, which sentence-transformers runs only where its user trusts it. */
static lm_status
check_package(const lm_members *s, const char *key, lm_module_stage stage, const char *type)
{
    lm_context *ctx = s->reader->ctx;

    if (strncmp(type, PACKAGE, strlen(PACKAGE)) == 0 ||
        (stage == LM_STAGE_TOKEN_VECTORS &&
         strncmp(type, PYLATE_PACKAGE, strlen(PYLATE_PACKAGE)) == 0))
        return LM_OK;
    lm_members_refuse(s, LM_UNSUPPORTED, key, "a class of the package sentence_transformers");
    lm_detail_hint(ctx,
                   "The class is code that comes with the model; lmtext does not run such code.");
    return lm_notes_refuse(ctx, s->reader->notes);
}

/* Modules before it must have other folders, since all but the first read a config.json there, and
 * other names (of two of one name, the last counts). */
static lm_status
check_neighbours(const lm_members *s, const module_list *list, const lm_module *module)
{
    for (int i = 0; i < list->count; i++) {
        if (strcmp(list->modules[i].folder, module->folder) == 0)
            return lm_members_refuse(s, LM_BAD_MODEL, "path", "a separate folder for each module");
        if (module->name[0] && strcmp(list->modules[i].name, module->name) == 0) {
            lm_members_refuse(s, LM_BAD_MODEL, "name", "a separate name for each module");
            LM_TRY(lm_notes_refuse(s->reader->ctx, s->reader->notes));
        }
    }
    return LM_OK;
}

/* What may stand in a pipeline that has come to a stage. */
static const char *
order_from(lm_module_stage stage)
{
    return stage == LM_STAGE_LATE || stage == LM_STAGE_TOKEN_VECTORS ? LM_LATE_ORDER
                                                                     : LM_MODULE_ORDER;
}

/* Which module a class path is; the list moves on. `key` is what has it. */
static lm_status
find_module(const lm_members *s, const char *key, const char *type, module_list *list,
            lm_module *module)
{
    if (!type)
        return lm_members_refuse(s, LM_BAD_MODEL, key, "a class path");
    module->kind = find_kind(type, list->stage);
    if (!module->kind)
        return lm_members_refuse(s, LM_UNSUPPORTED, key, LM_MODULE_NAMES);
    if (module->kind->before != list->stage)
        return lm_members_refuse(s, LM_UNSUPPORTED, key, order_from(list->stage));
    list->stage = module->kind->after;
    return check_package(s, key, list->stage, type);
}

/* A module whose folder is known, behind those that are there. */
static lm_status
add_module(const lm_members *s, const char *key, const char *type, module_list *list,
           lm_module module)
{
    const lm_reader *r = s->reader;

    if (list->count == LM_MODULE_LIMIT)
        return too_many(s);
    LM_TRY(find_module(s, key, type, list, &module));
    if (module.folder[0])
        LM_TRY(lm_source_check_name(r->ctx, module.folder));
    if (module.kind->keys)
        LM_TRY(lm_source_join(r->ctx, r->arena, module.folder,
                              module.kind->file ? module.kind->file : MODULE_FILE, &module.file));
    LM_TRY(check_neighbours(s, list, &module));
    list->modules[list->count++] = module;
    return LM_OK;
}

/* One entry of modules.json. A name is only compared: another type counts as no name. */
static lm_status
read_module(const lm_members *s, module_list *list)
{
    const lm_reader *r = s->reader;
    const lm_json *name = lm_json_get(s->json, "name");
    const char *path = "", *type = NULL;
    lm_module module = {.name = ""};

    LM_TRY(lm_members_string(s, "type", &type));
    LM_TRY(lm_members_string(s, "path", &path));
    LM_TRY(lm_keys_check(r->ctx, r->notes, s->file, "", s->json, lm_modules_keys));
    if (name && name->type == LM_JSON_STRING)
        module.name = name->as.string.bytes;
    LM_TRY(clean_path(r, path, &module.folder));
    return add_module(s, "type", type, list, module);
}

/* The modules of a route in the place of the Router. */
static lm_status
read_route(const lm_reader *r, const lm_router *router, int route, module_list *list)
{
    const lm_members s = {r, router->file, router->types};

    for (const lm_json *id = router->taken[route]->as.items.first; id; id = id->next) {
        lm_module module = {.name = ""};
        const lm_json *type;

        LM_TRY(lm_router_module(r, router, id, &type, &module.folder));
        LM_TRY(add_module(&s, id->as.string.bytes, type->as.string.bytes, list, module));
    }
    return LM_OK;
}

/* modules.json, whose order is the pipeline's. */
lm_status
lm_modules_read(const lm_reader *r, lm_late_writer late, const lm_pipeline *pipeline, int route,
                lm_module modules[LM_MODULE_LIMIT], int *count)
{
    module_list list = {late == LM_LATE_NONE ? LM_STAGE_START : LM_STAGE_LATE, modules, 0};

    *count = 0;
    if (!pipeline->modules)
        return LM_OK;
    for (const lm_json *entry = pipeline->modules->as.items.first; entry; entry = entry->next) {
        lm_members s = {r, LM_MODULES_FILE, entry};

        if (pipeline->routed && lm_router_is(lm_json_get(entry, "type")))
            LM_TRY(read_route(r, &pipeline->router, route, &list));
        else
            LM_TRY(read_module(&s, &list));
    }
    *count = list.count;
    if (list.stage >= LM_STAGE_POOLED)
        return LM_OK;
    lm_raise(r->ctx, LM_UNSUPPORTED, "the model's modules do not compute an embedding of a text");
    lm_detail_file(r->ctx, LM_MODULES_FILE);
    return lm_detail_allowed(r->ctx, "a Transformer and a Pooling module, or StaticEmbedding");
}

/* One Router, of which there may be no second. */
static lm_status
read_router(const lm_members *s, lm_pipeline *pipeline)
{
    const lm_reader *r = s->reader;
    const char *path = "", *folder, *type = NULL;

    LM_TRY(lm_members_string(s, "type", &type));
    if (pipeline->routed)
        return lm_members_refuse(s, LM_UNSUPPORTED, "type", "one Router");
    LM_TRY(check_package(s, "type", LM_STAGE_POOLED, type));
    LM_TRY(lm_members_string(s, "path", &path));
    LM_TRY(lm_keys_check(r->ctx, r->notes, s->file, "", s->json, lm_modules_keys));
    LM_TRY(clean_path(r, path, &folder));
    pipeline->routed = true;
    return lm_router_read(r, folder, &pipeline->router);
}

lm_status
lm_pipeline_read(const lm_reader *r, lm_late_writer late, lm_pipeline *pipeline)
{
    *pipeline = (lm_pipeline){.routed = false};
    LM_TRY(
        lm_reader_json(r, &modules_file, late != LM_LATE_NONE, LM_JSON_ARRAY, &pipeline->modules));
    if (!pipeline->modules || late != LM_LATE_NONE)
        return LM_OK;
    for (const lm_json *entry = pipeline->modules->as.items.first; entry; entry = entry->next)
        if (lm_router_is(lm_json_get(entry, "type")))
            LM_TRY(read_router(&(lm_members){r, LM_MODULES_FILE, entry}, pipeline));
    return LM_OK;
}

/* The first module, before which there is nothing, gives vectors of whole texts, or of words. */
bool
lm_checkpoint_is_static(const lm_checkpoint *checkpoint)
{
    const lm_module_kind *first = checkpoint->module_count > 0 ? checkpoint->modules[0].kind : NULL;

    return first && (first->after == LM_STAGE_POOLED || first->after == LM_STAGE_SPARSE ||
                     first->after == LM_STAGE_WORDS);
}

bool
lm_checkpoint_starts_with(const lm_checkpoint *checkpoint, const char *class_name)
{
    return checkpoint->module_count > 0 &&
           strcmp(checkpoint->modules[0].kind->class_name, class_name) == 0;
}

bool
lm_checkpoint_is_bag(const lm_checkpoint *checkpoint)
{
    return lm_checkpoint_starts_with(checkpoint, "BoW");
}

bool
lm_checkpoint_has_words(const lm_checkpoint *checkpoint)
{
    return lm_checkpoint_starts_with(checkpoint, "WordEmbeddings");
}

bool
lm_modules_are_masked(const lm_module *first)
{
    return strcmp(first->kind->class_name, "MLMTransformer") == 0;
}

/* Whether a way before this one read a module's file; *config is what it held. */
static bool
was_read(const lm_checkpoint *routes, const lm_checkpoint *checkpoint, const char *file,
         const lm_json **config)
{
    for (const lm_checkpoint *before = routes; before && before < checkpoint; before++)
        for (int i = 0; i < before->module_count; i++)
            if (before->modules[i].file && strcmp(before->modules[i].file, file) == 0) {
                *config = before->modules[i].config;
                return true;
            }
    return false;
}

static lm_status
configure(const lm_reader *r, const lm_checkpoint *routes, lm_checkpoint *checkpoint,
          lm_module *module)
{
    const lm_module_kind *kind = module->kind;
    const lm_known_file file = {module->file, kind->limit ? kind->limit : MODULE_FILE_LIMIT};
    lm_sentence_transformers *spec = &checkpoint->sentence;
    lm_members s = {r, module->file, NULL};
    int steps = spec->step_count;

    if (!was_read(routes, checkpoint, module->file, &s.json))
        LM_TRY(lm_reader_json(r, &file, kind->file_required, LM_JSON_OBJECT, &s.json));
    LM_TRY(lm_keys_check(r->ctx, r->notes, s.file, "", s.json, kind->keys));
    module->config = s.json;
    if (kind->read)
        LM_TRY(kind->read(&s, spec));
    if (spec->step_count > steps) {
        spec->steps[steps].file = module->file;
        spec->steps[steps].folder = module->folder;
    }
    if (spec->mix.present && !spec->mix.folder) {
        spec->mix.file = module->file;
        spec->mix.folder = module->folder;
    }
    return LM_OK;
}

/* The last step is a flag where it is to normalise: what is made of several vectors needs it, too.
 */
lm_status
lm_modules_configure(const lm_reader *r, const lm_checkpoint *routes, lm_checkpoint *checkpoint)
{
    lm_sentence_transformers *spec = &checkpoint->sentence;

    spec->steps = lm_arena_zero(r->arena, LM_MODULE_LIMIT * sizeof *spec->steps);
    if (!spec->steps)
        return LM_NO_MEMORY;
    for (int i = 0; i < checkpoint->module_count; i++)
        if (checkpoint->modules[i].file)
            LM_TRY(configure(r, routes, checkpoint, &checkpoint->modules[i]));
    spec->normalize =
        spec->step_count > 0 && spec->steps[spec->step_count - 1].kind == LM_STEP_NORMALIZE;
    spec->step_count -= spec->normalize;
    return LM_OK;
}

/* The step of a way before this one that has the folder; NULL: none. */
static const lm_step_spec *
step_before(const lm_checkpoint *routes, const lm_checkpoint *checkpoint, const char *folder)
{
    for (const lm_checkpoint *before = routes; before && before < checkpoint; before++)
        for (int i = 0; i < before->sentence.step_count; i++)
            if (strcmp(before->sentence.steps[i].folder, folder) == 0)
                return &before->sentence.steps[i];
    return NULL;
}

/* Ways that have the module have the folder too: there is one transformer before it. */
static lm_status
open_mix(const lm_reader *r, const lm_checkpoint *routes, lm_checkpoint *checkpoint)
{
    lm_mix_spec *mix = &checkpoint->sentence.mix;

    if (!mix->present)
        return LM_OK;
    for (const lm_checkpoint *before = routes; before && before < checkpoint; before++)
        if (before->sentence.mix.present && strcmp(before->sentence.mix.folder, mix->folder) == 0) {
            mix->tensors = before->sentence.mix.tensors;
            return LM_OK;
        }
    return lm_tensors_open(r->ctx, r->arena, r->source, mix->folder, &mix->tensors);
}

lm_status
lm_modules_open_tensors(const lm_reader *r, const lm_checkpoint *routes, lm_checkpoint *checkpoint)
{
    LM_TRY(open_mix(r, routes, checkpoint));
    for (int i = 0; i < checkpoint->sentence.step_count; i++) {
        lm_step_spec *step = &checkpoint->sentence.steps[i];
        const lm_step_spec *before = step_before(routes, checkpoint, step->folder);

        if (before)
            step->tensors = before->tensors;
        else if (step->kind != LM_STEP_NORMALIZE)
            LM_TRY(lm_tensors_open(r->ctx, r->arena, r->source, step->folder, &step->tensors));
    }
    return LM_OK;
}
