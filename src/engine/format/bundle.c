/*
 * bundle.c - reads a model folder, or a head, from a source.
 *
 * Laws: each file is read once, front to back, so that a stream which hashes what passes can serve;
 * lm_bundle_list and lm_bundle_open walk the same tables, so they agree on which files count.
 * sentence-transformers writes two generations of these files (before 6, and 6); where they differ
 * a table has both spellings. A module, a pooling or an option that would change the embedding and
 * is not known here is LM_UNSUPPORTED: a wrong vector is worse than none. What 0.2 accepted is
 * refused at import only (base/notes.h).
 */
#include "format/bundle.h"

#include <limits.h>
#include <string.h>

#include "format/bundle_keys.h"
#include "format/looks.h"

#define KB ((size_t)1 << 10)
#define MB ((size_t)1 << 20)

#define CONFIG_FILE "config.json"
#define TOKENIZER_FILE "tokenizer.json"
#define TOKENIZER_CONFIG_FILE "tokenizer_config.json"
#define SPECIAL_MAP_FILE "special_tokens_map.json"
#define ADDED_TOKENS_FILE "added_tokens.json"
#define MODULES_FILE "modules.json"
#define PROMPTS_FILE "config_sentence_transformers.json"
#define HEAD_FILE "head.json"
#define HEAD_WEIGHTS "head.safetensors"

/* More than the settings files that one folder can have. */
#define FILE_LIMIT 16

/* A settings file and the longest that is read of it. */
typedef struct known_file {
    const char *name;
    size_t limit;
} known_file;

static const known_file config_file = {CONFIG_FILE, 16 * MB}; /* holds all labels */
static const known_file tokenizer_file = {TOKENIZER_FILE, 128 * MB};
static const known_file tokenizer_config_file = {TOKENIZER_CONFIG_FILE, 16 * MB}; /* added tokens */
static const known_file special_map_file = {SPECIAL_MAP_FILE, 16 * MB};
static const known_file added_tokens_file = {ADDED_TOKENS_FILE, 16 * MB};
static const known_file modules_file = {MODULES_FILE, 64 * KB};
static const known_file prompts_file = {PROMPTS_FILE, 1 * MB};
static const known_file head_file = {HEAD_FILE, 16 * MB};

#define MODULE_FILE_LIMIT (64 * KB)

/* The transformer module's settings: the first that is there counts. */
static const known_file transformer_files[] = {
    {"sentence_bert_config.json", MODULE_FILE_LIMIT},
    {"sentence_roberta_config.json", MODULE_FILE_LIMIT},
    {"sentence_distilbert_config.json", MODULE_FILE_LIMIT},
    {"sentence_camembert_config.json", MODULE_FILE_LIMIT},
    {"sentence_albert_config.json", MODULE_FILE_LIMIT},
    {"sentence_xlm-roberta_config.json", MODULE_FILE_LIMIT},
    {"sentence_xlnet_config.json", MODULE_FILE_LIMIT},
};

/* What the functions of this file share. */
typedef struct reader {
    lm_context *ctx;
    lm_arena *arena;
    const lm_source *source;
    lm_notes *notes;    /* NULL: a stored version is loaded */
    const char *folder; /* of the transformer: configuration, tokenizer and weights */
} reader;

/* A JSON object under examination and the file that it came from. */
typedef struct settings {
    const reader *reader;
    const char *file;
    const lm_json *json;
} settings;

/* --- files ------------------------------------------------------------------------------------ */
/*
 * A missing optional file and an empty one differ: the first has no settings, the second is broken
 * JSON and an error. Limits are far above what real files need and far below what could hurt.
 */

/* Whether a file is there, whatever it holds. */
static lm_status
file_exists(const reader *r, const char *name, bool *found)
{
    uint64_t size;

    return r->source->stat(r->ctx, r->source->opaque, name, found, &size);
}

/* A file of the transformer's folder: its name in the source. */
static lm_status
in_folder(const reader *r, const known_file *file, known_file *found)
{
    *found = *file;
    return lm_source_join(r->ctx, r->arena, r->folder, file->name, &found->name);
}

/*
 * Parse a file whose root must be of `type`; *json is NULL when it is missing and not required. The
 * text goes as soon as it is parsed: the nodes hold their own strings.
 */
static lm_status
read_json(const reader *r, const known_file *file, bool required, lm_json_type type,
          const lm_json **json)
{
    lm_arena text_arena;
    lm_status status;
    size_t length;
    char *text;

    *json = NULL;
    lm_arena_init(&text_arena, r->ctx);
    status = lm_source_slurp(r->ctx, r->source, &text_arena, file->name, file->limit, required,
                             &text, &length);
    if (status == LM_OK && text)
        status = lm_looks_check(r->ctx, LM_BAD_JSON, file->name, text, length);
    if (status == LM_OK && text)
        status = lm_json_parse(r->ctx, r->arena, text, length, file->name, json);
    lm_arena_free(&text_arena);
    if (status != LM_OK || !*json || (*json)->type == type)
        return status;
    lm_raise(r->ctx, LM_BAD_MODEL, "a settings file has the wrong JSON type");
    lm_detail_file(r->ctx, file->name);
    lm_detail_found(r->ctx, "%s", lm_json_type_name(*json));
    return lm_detail_allowed(r->ctx, type == LM_JSON_ARRAY ? "an array" : "an object");
}

/* The same for an object in the transformer's folder. */
static lm_status
read_object(const reader *r, const known_file *file, bool required, const lm_json **json)
{
    known_file found;

    LM_TRY(in_folder(r, file, &found));
    return read_json(r, &found, required, LM_JSON_OBJECT, json);
}

/* Whether the source holds a head and no model folder. */
static lm_status
is_head(const reader *r, bool *head)
{
    bool config = false;

    *head = false;
    LM_TRY(file_exists(r, CONFIG_FILE, &config));
    return config ? LM_OK : file_exists(r, HEAD_FILE, head);
}

/* The transformer module's settings file; its name is NULL where there is none. */
static lm_status
find_transformer_file(const reader *r, known_file *file)
{
    for (size_t i = 0; i < sizeof transformer_files / sizeof transformer_files[0]; i++) {
        bool found = false;

        LM_TRY(in_folder(r, &transformer_files[i], file));
        LM_TRY(file_exists(r, file->name, &found));
        if (found)
            return LM_OK;
    }
    file->name = NULL;
    return LM_OK;
}

/* --- members of settings ---------------------------------------------------------------------- */
/*
 * JSON's null counts as absent, since Python writes None for a setting that was not given. A value
 * of another type than expected is an error: to guess would be to compute another model.
 */

/* A member that is wrong or asks for too much: names file and key, and shows the value. */
static lm_status
bad_member(const settings *s, lm_status status, const char *key, const char *allowed)
{
    const lm_json *found = lm_json_get(s->json, key);
    lm_context *ctx = s->reader->ctx;

    lm_raise(ctx, status,
             status == LM_UNSUPPORTED ? "the model needs a feature that is not supported"
                                      : "a setting of the model is not valid");
    lm_detail_file(ctx, s->file);
    lm_detail_key(ctx, "%s", key);
    if (found && found->type == LM_JSON_STRING)
        lm_detail_found(ctx, "\"%s\"", found->as.string.bytes);
    else if (found && found->type == LM_JSON_NUMBER)
        lm_detail_found(ctx, "%.17g", found->as.number);
    else
        lm_detail_found(ctx, "%s", lm_json_type_name(found));
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* A member that counts: absent and null are one. */
static const lm_json *
get_member(const settings *s, const char *key)
{
    const lm_json *member = lm_json_get(s->json, key);

    return member && member->type != LM_JSON_NULL ? member : NULL;
}

/* Leaves *value, the default, where the member is absent; so do the others. */
static lm_status
get_bool(const settings *s, const char *key, bool *value)
{
    const lm_json *member = get_member(s, key);

    if (!member)
        return LM_OK;
    if (member->type != LM_JSON_BOOL)
        return bad_member(s, LM_BAD_MODEL, key, "true or false");
    *value = member->boolean;
    return LM_OK;
}

/* A count: an integer of at least 1 that fits an int. */
static lm_status
get_positive(const settings *s, const char *key, int *value)
{
    const lm_json *member = get_member(s, key);

    if (!member)
        return LM_OK;
    if (member->type != LM_JSON_NUMBER || !member->is_integer || member->integer < 1 ||
        member->integer > INT_MAX)
        return bad_member(s, LM_BAD_MODEL, key, "an integer from 1 to 2147483647");
    *value = (int)member->integer;
    return LM_OK;
}

/* A member that is a string without U+0000, so that it is a C string. */
static lm_status
string_value(const settings *s, const lm_json *member, const char **value)
{
    if (member->type == LM_JSON_NULL)
        return LM_OK;
    if (member->type != LM_JSON_STRING ||
        strlen(member->as.string.bytes) != member->as.string.length)
        return bad_member(s, LM_BAD_MODEL, member->key, "a string without U+0000");
    *value = member->as.string.bytes;
    return LM_OK;
}

/* The same of a member by its key. */
static lm_status
get_string(const settings *s, const char *key, const char **value)
{
    const lm_json *member = get_member(s, key);

    return member ? string_value(s, member, value) : LM_OK;
}

/* A string that may only say what lmtext does anyway. */
static lm_status
expect_string(const settings *s, const char *key, const char *only)
{
    const char *value = only;

    LM_TRY(get_string(s, key, &value));
    return strcmp(value, only) == 0 ? LM_OK : bad_member(s, LM_UNSUPPORTED, key, only);
}

/* --- pooling ---------------------------------------------------------------------------------- */
/*
 * Both generations of the file end in one lm_pooling. Several poolings at once concatenate their
 * vectors in the library; that is not supported, and is refused rather than cut to the first.
 */

/* A way of pooling, as version 6 names it and as the boolean of older versions. */
typedef struct pooling_name {
    const char *name;
    const char *flag;
    lm_pooling pooling;
} pooling_name;

static const pooling_name pooling_names[] = {
    {"cls", "pooling_mode_cls_token", LM_POOL_CLS},
    {"max", "pooling_mode_max_tokens", LM_POOL_MAX},
    {"mean", "pooling_mode_mean_tokens", LM_POOL_MEAN},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", LM_POOL_MEAN_SQRT},
    {"weightedmean", "pooling_mode_weightedmean_tokens", LM_POOL_WEIGHTED_MEAN},
    {"lasttoken", "pooling_mode_lasttoken", LM_POOL_LAST},
};

#define POOLING_COUNT (sizeof pooling_names / sizeof pooling_names[0])
#define POOLING_ALLOWED "one of cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken"

/* Version 6: a name, or a list of one. */
static lm_status
read_pooling_name(const settings *s, const lm_json *mode, lm_pooling *pooling)
{
    if (mode->type == LM_JSON_ARRAY && mode->as.items.count == 1)
        mode = mode->as.items.first;
    if (mode->type == LM_JSON_ARRAY)
        return bad_member(s, LM_UNSUPPORTED, "pooling_mode", "one pooling mode");
    for (size_t i = 0; i < POOLING_COUNT; i++)
        if (lm_json_is_string(mode, pooling_names[i].name)) {
            *pooling = pooling_names[i].pooling;
            return LM_OK;
        }
    return bad_member(s, LM_UNSUPPORTED, "pooling_mode", POOLING_ALLOWED);
}

/* One member of an older file, where it is a pooling flag that is set. */
static lm_status
read_pooling_flag(const settings *s, const lm_json *member, lm_pooling *pooling)
{
    bool set = false;

    if (strncmp(member->key, "pooling_mode_", strlen("pooling_mode_")) != 0)
        return LM_OK;
    LM_TRY(get_bool(s, member->key, &set));
    if (!set)
        return LM_OK;
    if (*pooling != LM_POOL_NONE)
        return bad_member(s, LM_UNSUPPORTED, member->key, "one pooling mode");
    for (size_t i = 0; i < POOLING_COUNT; i++)
        if (strcmp(member->key, pooling_names[i].flag) == 0) {
            *pooling = pooling_names[i].pooling;
            return LM_OK;
        }
    return bad_member(s, LM_UNSUPPORTED, member->key, POOLING_ALLOWED);
}

/*
 * The new spelling wins where both are there; no pooling named at all means the mean. Both as the
 * library does it.
 */
static lm_status
read_pooling(const settings *s, lm_sentence_spec *spec)
{
    const lm_json *mode = get_member(s, "pooling_mode");

    LM_TRY(get_bool(s, "include_prompt", &spec->include_prompt));
    LM_TRY(get_positive(s, "word_embedding_dimension", &spec->embedding_dimension));
    LM_TRY(get_positive(s, "embedding_dimension", &spec->embedding_dimension));
    if (mode)
        return read_pooling_name(s, mode, &spec->pooling);
    for (const lm_json *member = s->json->as.items.first; member; member = member->next)
        LM_TRY(read_pooling_flag(s, member, &spec->pooling));
    if (spec->pooling == LM_POOL_NONE)
        spec->pooling = LM_POOL_MEAN;
    return LM_OK;
}

/* Version 6 can also normalise other features; older versions have no file at all. */
static lm_status
read_normalize(const settings *s, lm_sentence_spec *spec)
{
    LM_TRY(expect_string(s, "module_input_name", "sentence_embedding"));
    LM_TRY(expect_string(s, "module_output_name", "sentence_embedding"));
    spec->normalize = true;
    return LM_OK;
}

/* --- modules ---------------------------------------------------------------------------------- */
/*
 * Classes have moved inside the library's package from version to version while their last
 * component stayed, so that and the package are compared. A class of another package is code that
 * comes with the model.
 */

#define PACKAGE "sentence_transformers."

/* Where a module may stand: each raises the stage, so there are fewer modules than stages. */
typedef enum module_stage {
    STAGE_START,
    STAGE_TOKENS,
    STAGE_POOLED,
    STAGE_NORMALIZED,
    STAGE_COUNT
} module_stage;

/* A kind of module, by the last component of its class path, whatever package it moved to. */
typedef struct module_kind {
    const char *class_name;
    module_stage before, after;
    const lm_key_rule *keys; /* of config.json in its folder, NULL: it reads none */
    bool file_required;      /* that must be there */
    lm_status (*read)(const settings *s, lm_sentence_spec *spec); /* reads it */
} module_kind;

static const module_kind module_kinds[] = {
    {"Transformer", STAGE_START, STAGE_TOKENS, NULL, false, NULL},
    {"Pooling", STAGE_TOKENS, STAGE_POOLED, lm_pooling_keys, true, read_pooling},
    {"Normalize", STAGE_POOLED, STAGE_NORMALIZED, lm_normalize_keys, false, read_normalize},
};

typedef struct module {
    const module_kind *kind;
    const char *name;   /* "": none */
    const char *folder; /* "": the source itself */
    const char *file;   /* its config.json, or NULL */
} module;

typedef struct module_list {
    module items[STAGE_COUNT];
    int count;
} module_list;

/* The row of a class path, or NULL. */
static const module_kind *
find_kind(const char *type)
{
    const char *dot = strrchr(type, '.');
    const char *class_name = dot ? dot + 1 : type;

    for (size_t i = 0; i < sizeof module_kinds / sizeof module_kinds[0]; i++)
        if (strcmp(class_name, module_kinds[i].class_name) == 0)
            return &module_kinds[i];
    return NULL;
}

/*
 * The folder of a path as Python's pathlib has it: "./1_Pooling/" is "1_Pooling". A path that
 * leaves the source keeps what makes it so, and is refused as a name.
 */
static lm_status
clean_path(const reader *r, const char *path, const char **folder)
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
check_package(const settings *s, const char *type)
{
    lm_context *ctx = s->reader->ctx;

    if (strncmp(type, PACKAGE, strlen(PACKAGE)) == 0)
        return LM_OK;
    bad_member(s, LM_UNSUPPORTED, "type", "a class of the package sentence_transformers");
    lm_detail_hint(ctx,
                   "The class is code that comes with the model; lmtext does not run such code.");
    return lm_notes_refuse(ctx, s->reader->notes);
}

/* Modules before it must have other folders, since all but the first read a config.json there, and
 * other names (of two of one name, the last counts). */
static lm_status
check_neighbours(const settings *s, const module_list *list, const module *module)
{
    for (int i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].folder, module->folder) == 0)
            return bad_member(s, LM_BAD_MODEL, "path", "a separate folder for each module");
        if (module->name[0] && strcmp(list->items[i].name, module->name) == 0) {
            bad_member(s, LM_BAD_MODEL, "name", "a separate name for each module");
            LM_TRY(lm_notes_refuse(s->reader->ctx, s->reader->notes));
        }
    }
    return LM_OK;
}

/* Which module an entry is; *stage moves on. */
static lm_status
read_module_type(const settings *s, module_stage *stage, module *module)
{
    const char *type = NULL;

    LM_TRY(get_string(s, "type", &type));
    if (!type)
        return bad_member(s, LM_BAD_MODEL, "type", "a class path");
    module->kind = find_kind(type);
    if (!module->kind)
        return bad_member(s, LM_UNSUPPORTED, "type", "Transformer, Pooling, Normalize");
    if (module->kind->before != *stage)
        return bad_member(s, LM_UNSUPPORTED, "type",
                          "Transformer, Pooling, Normalize once each, in this order");
    *stage = module->kind->after;
    return check_package(s, type);
}

/* One entry of modules.json; *stage moves on. A name is only compared: one of another type is none.
 */
static lm_status
read_module(const settings *s, module_stage *stage, module *module)
{
    const reader *r = s->reader;
    const lm_json *name = lm_json_get(s->json, "name");
    const char *path = "";

    LM_TRY(read_module_type(s, stage, module));
    LM_TRY(get_string(s, "path", &path));
    LM_TRY(lm_keys_check(r->ctx, r->notes, s->file, "", s->json, lm_modules_keys));
    module->name = name && name->type == LM_JSON_STRING ? name->as.string.bytes : "";
    module->file = NULL;
    LM_TRY(clean_path(r, path, &module->folder));
    if (module->folder[0])
        LM_TRY(lm_source_check_name(r->ctx, module->folder));
    return module->kind->keys
               ? lm_source_join(r->ctx, r->arena, module->folder, CONFIG_FILE, &module->file)
               : LM_OK;
}

/* modules.json, whose order is the pipeline's. list->count is 0 when it is missing. */
static lm_status
read_modules(const reader *r, module_list *list)
{
    module_stage stage = STAGE_START;
    const lm_json *json;

    list->count = 0;
    LM_TRY(read_json(r, &modules_file, false, LM_JSON_ARRAY, &json));
    if (!json)
        return LM_OK;
    for (const lm_json *entry = json->as.items.first; entry; entry = entry->next) {
        settings s = {r, MODULES_FILE, entry};

        LM_TRY(read_module(&s, &stage, &list->items[list->count]));
        LM_TRY(check_neighbours(&s, list, &list->items[list->count]));
        list->count++;
    }
    if (stage >= STAGE_POOLED)
        return LM_OK;
    lm_raise(r->ctx, LM_UNSUPPORTED, "the model's modules do not compute an embedding of a text");
    lm_detail_file(r->ctx, MODULES_FILE);
    return lm_detail_allowed(r->ctx, "a Transformer and a Pooling module");
}

/* --- the sentence-transformers part ----------------------------------------------------------- */
/*
 * Whatever could change the vector is either understood or refused; what only informs (versions,
 * the similarity function that its authors like) is passed over.
 */

/* Settings of the transformer module, which older versions name after its architecture. */
static lm_status
read_transformer(const reader *r, lm_sentence_spec *spec)
{
    settings s = {r, NULL, NULL};
    known_file file;

    LM_TRY(find_transformer_file(r, &file));
    if (!file.name)
        return LM_OK;
    s.file = file.name;
    LM_TRY(read_json(r, &file, true, LM_JSON_OBJECT, &s.json));
    LM_TRY(lm_keys_check(r->ctx, r->notes, s.file, "", s.json, lm_transformer_keys));
    LM_TRY(get_positive(&s, "max_seq_length", &spec->max_seq_length));
    LM_TRY(get_bool(&s, "do_lower_case", &spec->lower_case));
    LM_TRY(expect_string(&s, "transformer_task", "feature-extraction"));
    return expect_string(&s, "module_output_name", "token_embeddings");
}

/* Names and texts of the prompts; null is an empty prompt. Members are walked, never searched for:
 * a search for each would be quadratic. */
static lm_status
read_prompt_list(const settings *s, lm_sentence_spec *spec)
{
    size_t count = s->json->as.items.count;
    lm_prompt *prompts = lm_arena_array(s->reader->arena, count, sizeof *prompts);

    if (!prompts)
        return LM_NO_MEMORY;
    for (const lm_json *member = s->json->as.items.first; member; member = member->next) {
        lm_prompt *prompt = &prompts[spec->prompt_count++];

        if (strlen(member->key) != member->key_length)
            return bad_member(s, LM_BAD_MODEL, member->key, "a name without U+0000");
        prompt->name = member->key;
        prompt->text = "";
        LM_TRY(string_value(s, member, &prompt->text));
    }
    spec->prompts = prompts;
    return LM_OK;
}

/* Whether a prompt has this name. */
static bool
has_prompt(const lm_sentence_spec *spec, const char *name)
{
    for (int i = 0; i < spec->prompt_count; i++)
        if (strcmp(spec->prompts[i].name, name) == 0)
            return true;
    return false;
}

/*
 * Prompts and which of them is the default; a default that does not exist is an error, as in the
 * library.
 */
static lm_status
read_prompts(const settings *s, lm_sentence_spec *spec)
{
    const lm_json *prompts = get_member(s, "prompts");

    if (prompts) {
        settings list = {s->reader, s->file, prompts};

        if (prompts->type != LM_JSON_OBJECT)
            return bad_member(s, LM_BAD_MODEL, "prompts", "an object");
        LM_TRY(read_prompt_list(&list, spec));
    }
    LM_TRY(get_string(s, "default_prompt_name", &spec->default_prompt));
    if (spec->default_prompt && !has_prompt(spec, spec->default_prompt))
        return bad_member(s, LM_BAD_MODEL, "default_prompt_name", "the name of a prompt");
    return LM_OK;
}

/*
 * What the file says of the model as a whole. A model of another type than SentenceTransformer
 * (CrossEncoder, …) is converted where the library loads it as one: its settings and its modules do
 * not count then.
 */
static lm_status
read_sentence_file(const reader *r, lm_sentence_spec *spec)
{
    settings s = {r, PROMPTS_FILE, NULL};
    const lm_json *type;

    *spec = (lm_sentence_spec){.include_prompt = true};
    LM_TRY(read_json(r, &prompts_file, false, LM_JSON_OBJECT, &s.json));
    LM_TRY(lm_keys_check(r->ctx, r->notes, PROMPTS_FILE, "", s.json, lm_sentence_keys));
    type = get_member(&s, "model_type");
    if (type && type->type == LM_JSON_STRING && !lm_json_is_string(type, "SentenceTransformer")) {
        spec->model_type = type->as.string.bytes;
        return LM_OK;
    }
    spec->truncate_dim = get_member(&s, "truncate_dim");
    return read_prompts(&s, spec);
}

/* The pipeline: what decides which files count. Then the reader knows the transformer's folder. */
static lm_status
open_pipeline(reader *r, lm_sentence_spec *spec, module_list *modules)
{
    modules->count = 0;
    LM_TRY(read_sentence_file(r, spec));
    if (spec->model_type)
        return LM_OK;
    LM_TRY(read_modules(r, modules));
    spec->present = modules->count > 0;
    if (spec->present)
        r->folder = modules->items[0].folder;
    return LM_OK;
}

/* The modules' own files. The transformer's counts also without modules.json. */
static lm_status
read_pipeline(const reader *r, const module_list *modules, lm_sentence_spec *spec)
{
    if (spec->model_type)
        return LM_OK;
    for (int i = 0; i < modules->count; i++) {
        const module *module = &modules->items[i];
        const known_file file = {module->file, MODULE_FILE_LIMIT};
        settings s = {r, module->file, NULL};

        if (!module->file)
            continue;
        LM_TRY(read_json(r, &file, module->kind->file_required, LM_JSON_OBJECT, &s.json));
        LM_TRY(lm_keys_check(r->ctx, r->notes, s.file, "", s.json, module->kind->keys));
        LM_TRY(module->kind->read(&s, spec));
    }
    return read_transformer(r, spec);
}

/* --- entry points ----------------------------------------------------------------------------- */
/*
 * Import lists the files and copies them; loading opens the bundle from the copy. Both go through
 * the functions above, so that an import cannot leave out a file that loading needs.
 */

/* An adapter's weights are the difference to another model's, which its config.json describes. */
static lm_status
check_adapter(const reader *r)
{
    static const known_file adapter = {"adapter_config.json", 0};
    known_file file;
    bool found = false;

    if (!r->notes)
        return LM_OK;
    LM_TRY(in_folder(r, &adapter, &file));
    LM_TRY(file_exists(r, file.name, &found));
    if (!found)
        return LM_OK;
    lm_raise(r->ctx, LM_UNSUPPORTED, "adapters (PEFT) are not supported");
    lm_detail_file(r->ctx, file.name);
    lm_detail_hint(r->ctx, "Merge the adapter into its model with merge_and_unload() and save "
                           "that with save_pretrained().");
    return lm_notes_refuse(r->ctx, r->notes);
}

/* Settings first, in the order of list_settings, then the tensors' headers. */
lm_status
lm_bundle_open(lm_context *ctx, lm_arena *arena, const lm_source *source, lm_notes *notes,
               lm_bundle *bundle)
{
    reader r = {ctx, arena, source, notes, ""};
    module_list modules;
    bool head;

    *bundle = (lm_bundle){.folder = "", .sentence = {.include_prompt = true}};
    LM_TRY(is_head(&r, &head));
    if (head) {
        LM_TRY(read_json(&r, &head_file, true, LM_JSON_OBJECT, &bundle->head));
        return lm_tensors_open_file(ctx, arena, source, HEAD_WEIGHTS, &bundle->tensors);
    }
    LM_TRY(open_pipeline(&r, &bundle->sentence, &modules));
    bundle->folder = r.folder;
    LM_TRY(lm_source_join(ctx, arena, r.folder, CONFIG_FILE, &bundle->config_file));
    LM_TRY(read_object(&r, &config_file, true, &bundle->config));
    LM_TRY(read_object(&r, &tokenizer_file, false, &bundle->tokenizer));
    LM_TRY(read_object(&r, &tokenizer_config_file, false, &bundle->tokenizer_config));
    LM_TRY(read_object(&r, &special_map_file, false, &bundle->special_map));
    LM_TRY(read_object(&r, &added_tokens_file, false, &bundle->added_tokens));
    LM_TRY(read_pipeline(&r, &modules, &bundle->sentence));
    LM_TRY(check_adapter(&r));
    return lm_tensors_open(ctx, arena, source, r.folder, &bundle->tensors);
}

/* Vocabularies of slow tokenizers, which transformers converts when it loads them. */
lm_status
lm_bundle_no_tokenizer(lm_context *ctx, lm_arena *arena, const lm_source *source,
                       const lm_bundle *bundle)
{
    static const known_file others[] = {
        {"vocab.txt", 0},       {"vocab.json", 0},
        {"spiece.model", 0},    {"sentencepiece.bpe.model", 0},
        {"tokenizer.model", 0},
    };
    const reader r = {ctx, arena, source, NULL, bundle->folder};
    known_file missing, other = {NULL, 0};
    bool found = false;

    LM_TRY(in_folder(&r, &tokenizer_file, &missing));
    for (size_t i = 0; i < sizeof others / sizeof others[0] && !found; i++) {
        LM_TRY(in_folder(&r, &others[i], &other));
        LM_TRY(file_exists(&r, other.name, &found));
    }
    lm_raise(ctx, LM_NO_FILE, "a file of the model is missing");
    lm_detail_file(ctx, missing.name);
    if (!found)
        return LM_NO_FILE;
    lm_detail_found(ctx, "%s", other.name);
    return lm_detail_hint(ctx, "Write tokenizer.json into the folder with transformers: "
                               "AutoTokenizer.from_pretrained(folder).save_pretrained(folder).");
}

/* A file of another kind or of a later version bears the same name and is no overlay. */
static lm_status
check_quantized(lm_context *ctx, const lm_tensors *tensors)
{
    const char *format = lm_tensors_metadata(tensors, "format");
    const char *version = lm_tensors_metadata(tensors, "version");

    if (format && version && strcmp(format, LM_QUANTIZED_FORMAT) == 0 &&
        strcmp(version, LM_QUANTIZED_VERSION) == 0)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "the format of the quantised matrices is not supported");
    lm_detail_file(ctx, LM_QUANTIZED_FILE);
    lm_detail_key(ctx, "__metadata__");
    lm_detail_found(ctx, "format %s, version %s", format ? format : "none",
                    version ? version : "none");
    return lm_detail_allowed(ctx, "format %s, version %s", LM_QUANTIZED_FORMAT,
                             LM_QUANTIZED_VERSION);
}

/* Leaves bundle->quantized empty where the file is missing. */
lm_status
lm_bundle_open_quantized(lm_context *ctx, lm_arena *arena, const lm_source *source,
                         lm_bundle *bundle)
{
    const reader r = {ctx, arena, source, NULL, ""};
    bool found = false;

    LM_TRY(file_exists(&r, LM_QUANTIZED_FILE, &found));
    if (!found)
        return LM_OK;
    LM_TRY(lm_tensors_open_file(ctx, arena, source, LM_QUANTIZED_FILE, &bundle->quantized));
    return check_quantized(ctx, &bundle->quantized);
}

/* A list under construction. */
typedef struct name_list {
    const char *names[FILE_LIMIT];
    size_t count;
} name_list;

static lm_status
missing_file(const reader *r, const char *name)
{
    lm_raise(r->ctx, LM_NO_FILE, "a file of the model is missing");
    return lm_detail_file(r->ctx, name);
}

/* Add a file, or, unless it is required, leave it out where it is missing. */
static lm_status
add_name(const reader *r, name_list *list, const char *name, bool required)
{
    bool found = false;

    LM_TRY(file_exists(r, name, &found));
    if (found)
        list->names[list->count++] = name;
    return found || !required ? LM_OK : missing_file(r, name);
}

/* The same for a file of the transformer's folder. */
static lm_status
add_in_folder(const reader *r, name_list *list, const known_file *file, bool required)
{
    known_file found;

    LM_TRY(in_folder(r, file, &found));
    return add_name(r, list, found.name, required);
}

/* The modules' own files. */
static lm_status
list_pipeline(const reader *r, const module_list *modules, name_list *list)
{
    known_file transformer;

    for (int i = 0; i < modules->count; i++)
        if (modules->items[i].file)
            LM_TRY(
                add_name(r, list, modules->items[i].file, modules->items[i].kind->file_required));
    LM_TRY(find_transformer_file(r, &transformer));
    if (transformer.name)
        list->names[list->count++] = transformer.name;
    return LM_OK;
}

/* Settings of a model folder, in the order that lm_bundle_open has. */
static lm_status
list_settings(reader *r, name_list *list)
{
    lm_sentence_spec spec;
    module_list modules;

    LM_TRY(open_pipeline(r, &spec, &modules));
    LM_TRY(add_name(r, list, PROMPTS_FILE, false));
    if (modules.count > 0)
        list->names[list->count++] = MODULES_FILE;
    LM_TRY(add_in_folder(r, list, &config_file, true));
    LM_TRY(add_in_folder(r, list, &tokenizer_file, false));
    LM_TRY(add_in_folder(r, list, &tokenizer_config_file, false));
    LM_TRY(add_in_folder(r, list, &special_map_file, false));
    LM_TRY(add_in_folder(r, list, &added_tokens_file, false));
    return spec.model_type ? LM_OK : list_pipeline(r, &modules, list);
}

/* Settings, weights and quantised matrices, where there are such, in one array of the arena. */
static lm_status
join_names(const reader *r, const name_list *settings, const char *const *weights, size_t count,
           bool quantized, lm_file_list *list)
{
    const char **names = lm_arena_array(r->arena, settings->count + count + 1, sizeof *names);

    if (!names)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < settings->count; i++)
        names[i] = settings->names[i];
    for (size_t i = 0; i < count; i++)
        names[settings->count + i] = weights[i];
    names[settings->count + count] = LM_QUANTIZED_FILE;
    list->names = names;
    list->count = settings->count + count + quantized;
    return LM_OK;
}

/* A file of weights is there, and is not the one that an int8 version writes beside them. */
static lm_status
check_shard(const reader *r, const char *name)
{
    bool found = false;

    if (strcmp(name, LM_QUANTIZED_FILE) == 0) {
        lm_raise(r->ctx, LM_DENIED, "the index names the file of the quantised matrices");
        return lm_detail_file(r->ctx, name);
    }
    LM_TRY(file_exists(r, name, &found));
    return found ? LM_OK : missing_file(r, name);
}

/* Reads modules.json and the index, and looks whether each file is there. */
lm_status
lm_bundle_list(lm_context *ctx, lm_arena *arena, const lm_source *source, lm_file_list *list)
{
    reader r = {ctx, arena, source, NULL, ""};
    const char *const *weights = NULL;
    const char *index = NULL;
    name_list settings = {.count = 0};
    bool head, quantized = false;
    size_t count = 0;

    LM_TRY(is_head(&r, &head));
    if (head) {
        LM_TRY(add_name(&r, &settings, HEAD_FILE, true));
        LM_TRY(add_name(&r, &settings, HEAD_WEIGHTS, true));
        return join_names(&r, &settings, NULL, 0, false, list);
    }
    LM_TRY(list_settings(&r, &settings));
    LM_TRY(lm_tensors_list(ctx, arena, source, r.folder, &index, &weights, &count));
    if (index)
        settings.names[settings.count++] = index;
    for (size_t i = 0; i < count; i++)
        LM_TRY(check_shard(&r, weights[i]));
    LM_TRY(file_exists(&r, LM_QUANTIZED_FILE, &quantized));
    return join_names(&r, &settings, weights, count, quantized, list);
}

/* Older files say max_len; the newer name wins, even with null. */
static const lm_json *
tokenizer_limit(const lm_bundle *bundle)
{
    const lm_json *limit = lm_json_get(bundle->tokenizer_config, "model_max_length");

    return limit ? limit : lm_json_get(bundle->tokenizer_config, "max_len");
}

/* Computed as double, since files hold numbers far beyond int. */
int
lm_bundle_window(const lm_bundle *bundle, int positions)
{
    const lm_json *limit = tokenizer_limit(bundle);
    double window = bundle->sentence.max_seq_length;

    /* "No limit" is written as 1e30. */
    if (window == 0 && limit && limit->type == LM_JSON_NUMBER && limit->as.number >= 1)
        window = limit->as.number;
    if (window == 0 || (positions > 0 && window > positions))
        window = positions;
    return window < INT_MAX ? (int)window : INT_MAX;
}
