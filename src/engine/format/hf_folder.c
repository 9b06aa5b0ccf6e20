/*
 * hf_folder.c - a model folder as transformers and sentence-transformers write it.
 *
 * Laws: each file is read once, front to back, so that a stream which hashes what passes can serve;
 * list and open walk the same tables, so they agree on which files count. sentence-transformers
 * writes two generations of its files (before 6, and 6); where they differ a table has both
 * spellings. A module, a pooling or an option that would change the embedding and is not known here
 * is LM_UNSUPPORTED: a wrong vector is worse than none. What 0.2 accepted is refused at import only
 * (base/notes.h).
 */
#include <string.h>

#include "format/container.h"
#include "format/late_interaction.h"
#include "format/modules.h"
#include "format/sentence_keys.h"
#include "format/sentence_transformers.h"

#define CONFIG_FILE "config.json"

/*
 * A missing optional file and an empty one differ: the first has no settings, the second is broken
 * JSON and an error. Limits are far above what real files need and far below what could hurt.
 */
static const lm_known_file config_file = {CONFIG_FILE, 16 * LM_MB}; /* holds all labels */
static const lm_known_file tokenizer_file = {"tokenizer.json", 128 * LM_MB};

/* Of folders without tokenizer.json, in reading order. */
static const lm_known_file vocab_lines_file = {"vocab.txt", 64 * LM_MB};
static const lm_known_file vocab_json_file = {"vocab.json", 64 * LM_MB};
static const lm_known_file merges_file = {"merges.txt", 64 * LM_MB};
static const lm_known_file spm_files[LM_SPM_NAMES] = {
    [LM_SPM_SENTENCEPIECE_BPE] = {"sentencepiece.bpe.model", 64 * LM_MB},
    [LM_SPM_SPIECE] = {"spiece.model", 64 * LM_MB},
    [LM_SPM_SPM] = {"spm.model", 64 * LM_MB},
    [LM_SPM_TOKENIZER] = {"tokenizer.model", 64 * LM_MB},
};

/* Of a model whose tokens are words. */
static const lm_known_file words_file = {"whitespacetokenizer_config.json", 128 * LM_MB};

static const lm_known_file tokenizer_config_file = {"tokenizer_config.json", 16 * LM_MB};
static const lm_known_file special_map_file = {"special_tokens_map.json", 16 * LM_MB};
static const lm_known_file added_tokens_file = {"added_tokens.json", 16 * LM_MB};

/* The modules of a text, of one way where there are several. Then the reader knows the
 * transformer's folder. */
static lm_status
read_modules(lm_reader *r, const lm_pipeline *pipeline, int route, lm_checkpoint *checkpoint)
{
    lm_sentence_transformers *spec = &checkpoint->sentence;

    LM_TRY(lm_modules_read(r, spec->late.writer, pipeline, route, checkpoint->modules,
                           &checkpoint->module_count));
    spec->present = checkpoint->module_count > 0;
    r->folder = spec->present ? checkpoint->modules[0].folder : "";
    checkpoint->folder = r->folder;
    spec->masked = spec->present && lm_modules_are_masked(&checkpoint->modules[0]);
    return LM_OK;
}

/* A checkpoint for each way of a Router, with what is said of the model as a whole. */
static lm_status
make_routes(lm_reader *r, const lm_pipeline *pipeline, lm_checkpoint *checkpoint)
{
    const lm_router *router = &pipeline->router;

    checkpoint->routes =
        lm_arena_zero(r->arena, (size_t)router->count * sizeof *checkpoint->routes);
    if (!checkpoint->routes)
        return LM_NO_MEMORY;
    checkpoint->route_count = router->count;
    memcpy(checkpoint->route_of, router->of_side, sizeof checkpoint->route_of);
    for (int i = 0; i < router->count; i++) {
        lm_checkpoint *route = &checkpoint->routes[i];

        route->container = checkpoint->container;
        route->sentence = checkpoint->sentence;
        LM_TRY(read_modules(r, pipeline, i, route));
    }
    checkpoint->sentence.present = true;
    return LM_OK;
}

/* What decides which files count. */
static lm_status
open_pipeline(lm_reader *r, lm_checkpoint *checkpoint, const char **router)
{
    lm_sentence_transformers *spec = &checkpoint->sentence;
    lm_pipeline pipeline;

    *router = NULL;
    LM_TRY(lm_sentence_read(r, spec));
    if (!lm_sentence_has_modules(spec))
        return LM_OK;
    LM_TRY(lm_pipeline_read(r, spec->late.writer, &pipeline));
    if (!pipeline.routed)
        return read_modules(r, &pipeline, 0, checkpoint);
    *router = pipeline.router.file;
    return make_routes(r, &pipeline, checkpoint);
}

/* The modules' own files. The transformer's counts also without modules.json. */
static lm_status
read_pipeline(const lm_reader *r, const lm_checkpoint *routes, const lm_checkpoint *before,
              lm_checkpoint *checkpoint)
{
    if (!lm_sentence_has_modules(&checkpoint->sentence))
        return LM_OK;
    LM_TRY(lm_modules_configure(r, routes, checkpoint));
    if (before) {
        checkpoint->transformer_file = before->transformer_file;
        checkpoint->transformer = before->transformer;
    } else
        LM_TRY(lm_sentence_open_transformer(r, checkpoint));
    LM_TRY(lm_sentence_read_transformer(r, checkpoint));
    return lm_late_finish(r, &checkpoint->sentence);
}

/* An adapter's weights are the difference to another model's, which its config.json describes. */
static lm_status
check_adapter(const lm_reader *r)
{
    static const lm_known_file adapter = {"adapter_config.json", 0};
    lm_known_file file;
    bool found = false;

    if (!r->notes)
        return LM_OK;
    LM_TRY(lm_reader_locate(r, &adapter, &file));
    LM_TRY(lm_reader_exists(r, file.name, &found));
    if (!found)
        return LM_OK;
    lm_raise(r->ctx, LM_UNSUPPORTED, "adapters (PEFT) are not supported");
    lm_detail_file(r->ctx, file.name);
    lm_detail_hint(r->ctx, "Merge the adapter into its model with merge_and_unload() and save "
                           "that with save_pretrained().");
    return lm_notes_refuse(r->ctx, r->notes);
}

/* Models of SentencePiece, as they are. */
static lm_status
open_spm(const lm_reader *r, lm_checkpoint *checkpoint)
{
    for (size_t i = 0; i < LM_SPM_NAMES; i++) {
        lm_spm_file *file = &checkpoint->spm[i];
        lm_known_file found;
        char *bytes = NULL;

        LM_TRY(lm_reader_locate(r, &spm_files[i], &found));
        LM_TRY(lm_source_slurp(r->ctx, r->source, r->arena, found.name, found.limit, false, &bytes,
                               &file->size));
        file->name = found.name;
        file->bytes = bytes;
    }
    return LM_OK;
}

/* A tokenizer's files of before tokenizer.json count where that is missing. */
static lm_status
open_older(const lm_reader *r, lm_checkpoint *checkpoint)
{
    if (checkpoint->tokenizer)
        return LM_OK;
    LM_TRY(lm_reader_lines(r, &vocab_lines_file, &checkpoint->vocab_lines));
    LM_TRY(lm_reader_object(r, &vocab_json_file, false, &checkpoint->vocab_json));
    LM_TRY(lm_reader_lines(r, &merges_file, &checkpoint->merges));
    return open_spm(r, checkpoint);
}

/* Whether its weights are those of a head alone; where they are whole, another file means nothing.
 */
static lm_status
find_head_tensors(const lm_reader *r, bool *found)
{
    static const char *const whole[] = {"model.safetensors", "model.safetensors.index.json"};
    bool there = false;

    *found = false;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0] && !there; i++)
        LM_TRY(lm_reader_exists(r, whole[i], &there));
    return there || r->folder[0] != '\0' ? LM_OK : lm_reader_exists(r, LM_HEAD_TENSORS, found);
}

static lm_status
open_weights(const lm_reader *r, lm_checkpoint *checkpoint)
{
    LM_TRY(find_head_tensors(r, &checkpoint->on_base));
    return checkpoint->on_base
               ? lm_tensors_open_file(r->ctx, r->arena, r->source, LM_HEAD_TENSORS,
                                      &checkpoint->tensors)
               : lm_tensors_open(r->ctx, r->arena, r->source, r->folder, &checkpoint->tensors);
}

/* A model that has no transformer may do without; a bag of words is all in it. */
static bool
needs_config(const lm_checkpoint *checkpoint)
{
    return !lm_checkpoint_is_static(checkpoint) || lm_checkpoint_is_bag(checkpoint);
}

static lm_status
open_words(const lm_reader *r, lm_checkpoint *checkpoint)
{
    lm_known_file found;

    if (!lm_checkpoint_has_words(checkpoint))
        return LM_OK;
    LM_TRY(lm_reader_locate(r, &words_file, &found));
    checkpoint->words_file = found.name;
    LM_TRY(lm_reader_json(r, &found, true, LM_JSON_OBJECT, &checkpoint->words));
    return lm_keys_check(r->ctx, r->notes, found.name, "", checkpoint->words, lm_whitespace_keys);
}

/* Settings of the transformer and of its tokenizer. */
static lm_status
open_settings(const lm_reader *r, lm_checkpoint *checkpoint)
{
    LM_TRY(lm_source_join(r->ctx, r->arena, r->folder, CONFIG_FILE, &checkpoint->config_file));
    LM_TRY(lm_reader_object(r, &config_file, needs_config(checkpoint), &checkpoint->config));
    LM_TRY(open_words(r, checkpoint));
    LM_TRY(lm_reader_object(r, &tokenizer_file, false, &checkpoint->tokenizer));
    LM_TRY(open_older(r, checkpoint));
    LM_TRY(lm_reader_object(r, &tokenizer_config_file, false, &checkpoint->tokenizer_config));
    LM_TRY(lm_reader_object(r, &special_map_file, false, &checkpoint->special_map));
    return lm_reader_object(r, &added_tokens_file, false, &checkpoint->added_tokens);
}

/* The same of a way before it that has the folder. */
static void
copy_settings(const lm_checkpoint *before, lm_checkpoint *checkpoint)
{
    checkpoint->config_file = before->config_file;
    checkpoint->config = before->config;
    checkpoint->tokenizer = before->tokenizer;
    checkpoint->vocab_lines = before->vocab_lines;
    checkpoint->vocab_json = before->vocab_json;
    checkpoint->merges = before->merges;
    memcpy(checkpoint->spm, before->spm, sizeof checkpoint->spm);
    checkpoint->words = before->words;
    checkpoint->words_file = before->words_file;
    checkpoint->tokenizer_config = before->tokenizer_config;
    checkpoint->special_map = before->special_map;
    checkpoint->added_tokens = before->added_tokens;
}

/* The way before one that has the same first module; NULL: none. */
static const lm_checkpoint *
find_before(const lm_checkpoint *routes, const lm_checkpoint *checkpoint)
{
    for (const lm_checkpoint *before = routes; before && before < checkpoint; before++)
        if (strcmp(before->folder, checkpoint->folder) == 0)
            return before;
    return NULL;
}

/* The files of a way, in the order of list, then the tensors' headers. What ways before it have is
 * not read again. */
static lm_status
open_route(lm_reader *r, const lm_checkpoint *routes, lm_checkpoint *checkpoint)
{
    const lm_checkpoint *before = find_before(routes, checkpoint);

    r->folder = checkpoint->folder;
    if (before)
        copy_settings(before, checkpoint);
    else
        LM_TRY(open_settings(r, checkpoint));
    LM_TRY(read_pipeline(r, routes, before, checkpoint));
    LM_TRY(check_adapter(r));
    LM_TRY(lm_modules_open_tensors(r, routes, checkpoint));
    if (before) {
        checkpoint->tensors = before->tensors;
        return LM_OK;
    }
    if (lm_checkpoint_is_bag(checkpoint))
        return LM_OK;
    return open_weights(r, checkpoint);
}

static lm_status
open_folder(lm_reader *r, lm_checkpoint *checkpoint)
{
    const char *router;

    LM_TRY(open_pipeline(r, checkpoint, &router));
    for (int i = 0; i < checkpoint->route_count; i++)
        LM_TRY(open_route(r, checkpoint->routes, &checkpoint->routes[i]));
    return router ? LM_OK : open_route(r, NULL, checkpoint);
}

/* The same for a file of the transformer's folder. */
static lm_status
add_in_folder(const lm_reader *r, lm_name_list *list, const lm_known_file *file, bool required)
{
    lm_known_file found;

    LM_TRY(lm_reader_locate(r, file, &found));
    return lm_name_list_add(r, list, found.name, required);
}

/* tokenizer.json, or the files that open_older reads. */
static lm_status
list_tokenizer(const lm_reader *r, lm_name_list *list)
{
    lm_known_file tokenizer;
    bool found = false;

    LM_TRY(lm_reader_locate(r, &tokenizer_file, &tokenizer));
    LM_TRY(lm_reader_exists(r, tokenizer.name, &found));
    if (found)
        return lm_name_list_add(r, list, tokenizer.name, true);
    LM_TRY(add_in_folder(r, list, &vocab_lines_file, false));
    LM_TRY(add_in_folder(r, list, &vocab_json_file, false));
    LM_TRY(add_in_folder(r, list, &merges_file, false));
    for (size_t i = 0; i < LM_SPM_NAMES; i++)
        LM_TRY(add_in_folder(r, list, &spm_files[i], false));
    return LM_OK;
}

/* A file of weights is there, and is not the one that an int8 version writes beside them. */
static lm_status
check_shard(const lm_reader *r, const char *name)
{
    bool found = false;

    if (strcmp(name, LM_QUANTIZED_FILE) == 0) {
        lm_raise(r->ctx, LM_DENIED, "the index names the file of the quantised matrices");
        return lm_detail_file(r->ctx, name);
    }
    LM_TRY(lm_reader_exists(r, name, &found));
    return found ? LM_OK : lm_name_missing(r, name);
}

/* A module's weights, which are one file. */
static lm_status
list_tensors(const lm_reader *r, const lm_module *module, lm_name_list *list)
{
    const char *index = NULL, *const * files;
    size_t count = 0;

    LM_TRY(lm_tensors_list(r->ctx, r->arena, r->source, module->folder, &index, &files, &count));
    if (count != 1 || index) {
        lm_raise(r->ctx, LM_UNSUPPORTED, "the weights of a module are in several files");
        lm_detail_file(r->ctx, index);
        return lm_detail_allowed(r->ctx, "one file");
    }
    lm_name_list_step(list, files[0]);
    return check_shard(r, files[0]);
}

/* The files that read_pipeline reads. */
static lm_status
list_pipeline(const lm_reader *r, const lm_checkpoint *checkpoint, lm_name_list *list)
{
    lm_known_file transformer;

    for (int i = 0; i < checkpoint->module_count; i++) {
        const lm_module *module = &checkpoint->modules[i];

        if (module->file)
            LM_TRY(lm_name_list_add(r, list, module->file, module->kind->file_required));
        if (module->kind->has_tensors)
            LM_TRY(list_tensors(r, module, list));
    }
    LM_TRY(lm_sentence_find_transformer(r, &transformer));
    if (transformer.name)
        return lm_name_list_add(r, list, transformer.name, true);
    return LM_OK;
}

/* Settings of a way, in the order that open has. */
static lm_status
list_settings(const lm_reader *r, const lm_checkpoint *checkpoint, lm_name_list *list)
{
    LM_TRY(add_in_folder(r, list, &config_file, needs_config(checkpoint)));
    if (lm_checkpoint_has_words(checkpoint))
        LM_TRY(add_in_folder(r, list, &words_file, true));
    LM_TRY(list_tokenizer(r, list));
    LM_TRY(add_in_folder(r, list, &tokenizer_config_file, false));
    LM_TRY(add_in_folder(r, list, &special_map_file, false));
    LM_TRY(add_in_folder(r, list, &added_tokens_file, false));
    return lm_sentence_has_modules(&checkpoint->sentence) ? list_pipeline(r, checkpoint, list)
                                                          : LM_OK;
}

/* A way's settings, index and weights. */
static lm_status
list_route(lm_reader *r, const lm_checkpoint *checkpoint, lm_name_list *names)
{
    static const char *const head[] = {LM_HEAD_TENSORS};
    bool alone = false;
    const char *index = NULL, *const * files;
    size_t count = 0;

    r->folder = checkpoint->folder;
    LM_TRY(list_settings(r, checkpoint, names));
    if (lm_checkpoint_is_bag(checkpoint))
        return LM_OK;
    LM_TRY(find_head_tensors(r, &alone));
    if (alone)
        return lm_name_list_weights(r, names, head, 1);
    LM_TRY(lm_tensors_list(r->ctx, r->arena, r->source, r->folder, &index, &files, &count));
    if (index)
        LM_TRY(lm_name_list_add(r, names, index, true));
    for (size_t i = 0; i < count; i++)
        LM_TRY(check_shard(r, files[i]));
    return lm_name_list_weights(r, names, files, count);
}

/* Reads modules.json and the index, and looks whether each file is there. */
static lm_status
list_folder(lm_reader *r, lm_name_list *names)
{
    lm_checkpoint checkpoint = {.module_count = 0, .folder = ""};
    const char *router;

    LM_TRY(open_pipeline(r, &checkpoint, &router));
    LM_TRY(lm_name_list_add(r, names, LM_SENTENCE_FILE, false));
    if (checkpoint.sentence.present)
        LM_TRY(lm_name_list_add(r, names, LM_MODULES_FILE, true));
    if (router)
        LM_TRY(lm_name_list_add(r, names, router, true));
    else
        LM_TRY(list_route(r, &checkpoint, names));
    for (int i = 0; i < checkpoint.route_count; i++)
        LM_TRY(list_route(r, &checkpoint.routes[i], names));
    return lm_reader_exists(r, LM_QUANTIZED_FILE, &names->quantized);
}

/* Takes any source: one without config.json is one that lacks it. */
const lm_container lm_hf_folder = {"Hugging Face folder", NULL, list_folder, open_folder};

/* Vocabularies of slow tokenizers, which transformers converts when it loads them. */
lm_status
lm_checkpoint_no_tokenizer(lm_context *ctx, lm_arena *arena, const lm_source *source,
                           const lm_checkpoint *checkpoint)
{
    static const lm_known_file others[] = {
        {"vocab.txt", 0},       {"vocab.json", 0},
        {"spiece.model", 0},    {"sentencepiece.bpe.model", 0},
        {"tokenizer.model", 0}, {"spm.model", 0},
    };
    const lm_reader r = {ctx, arena, source, NULL, checkpoint->folder, NULL};
    lm_known_file missing, other = {NULL, 0};
    bool found = false;

    LM_TRY(lm_reader_locate(&r, &tokenizer_file, &missing));
    for (size_t i = 0; i < sizeof others / sizeof others[0] && !found; i++) {
        LM_TRY(lm_reader_locate(&r, &others[i], &other));
        LM_TRY(lm_reader_exists(&r, other.name, &found));
    }
    lm_raise(ctx, LM_NO_FILE, "a file of the model is missing");
    lm_detail_file(ctx, missing.name);
    if (!found)
        return LM_NO_FILE;
    lm_detail_found(ctx, "%s", other.name);
    return lm_detail_hint(ctx, "Write tokenizer.json into the folder with transformers: "
                               "AutoTokenizer.from_pretrained(folder).save_pretrained(folder).");
}
