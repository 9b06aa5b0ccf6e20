/*
 * sentence_transformers.c - what that library's files say of the model as a whole, and of its
 * transformer. Whatever could change the vector is either understood or refused; what only informs
 * (versions, the similarity function that its authors like) is passed over.
 */
#include "format/sentence_transformers.h"

#include <string.h>

#include "format/late_interaction.h"
#include "format/sentence_keys.h"

static const lm_known_file sentence_file = {LM_SENTENCE_FILE, 1 * LM_MB};

#define TRANSFORMER_LIMIT (64 * LM_KB)

/* The transformer module's settings: the first that is there counts. */
static const lm_known_file transformer_files[] = {
    {"sentence_bert_config.json", TRANSFORMER_LIMIT},
    {"sentence_roberta_config.json", TRANSFORMER_LIMIT},
    {"sentence_distilbert_config.json", TRANSFORMER_LIMIT},
    {"sentence_camembert_config.json", TRANSFORMER_LIMIT},
    {"sentence_albert_config.json", TRANSFORMER_LIMIT},
    {"sentence_xlm-roberta_config.json", TRANSFORMER_LIMIT},
    {"sentence_xlnet_config.json", TRANSFORMER_LIMIT},
};

/* ---- The transformer ---- */

lm_status
lm_sentence_find_transformer(const lm_reader *r, lm_known_file *file)
{
    for (size_t i = 0; i < sizeof transformer_files / sizeof transformer_files[0]; i++) {
        bool found = false;

        LM_TRY(lm_reader_locate(r, &transformer_files[i], file));
        LM_TRY(lm_reader_exists(r, file->name, &found));
        if (found)
            return LM_OK;
    }
    file->name = NULL;
    return LM_OK;
}

/* A sparse vector is made of what a head on the vocabulary gives, any other of hidden states. */
static lm_status
check_transformer_task(const lm_members *s, const lm_sentence_transformers *spec)
{
    const char *wanted = spec->splade ? "fill-mask" : "feature-extraction";
    const char *task = spec->masked ? "fill-mask" : "feature-extraction";

    if (s->json)
        LM_TRY(lm_members_string(s, "transformer_task", &task));
    if (strcmp(task, wanted) == 0)
        return LM_OK;
    if (s->json)
        return lm_members_refuse(s, LM_UNSUPPORTED, "transformer_task", wanted);
    lm_raise(s->reader->ctx, LM_UNSUPPORTED, "the model needs a feature that is not supported");
    lm_detail_file(s->reader->ctx, "modules.json");
    lm_detail_key(s->reader->ctx, "type");
    lm_detail_found(s->reader->ctx, "a transformer for %s", task);
    return lm_detail_allowed(s->reader->ctx, "one for %s before this pooling", wanted);
}

lm_status
lm_sentence_open_transformer(const lm_reader *r, lm_checkpoint *checkpoint)
{
    lm_known_file file;

    LM_TRY(lm_sentence_find_transformer(r, &file));
    checkpoint->transformer_file = file.name;
    return file.name ? lm_reader_json(r, &file, true, LM_JSON_OBJECT, &checkpoint->transformer)
                     : LM_OK;
}

lm_status
lm_sentence_read_transformer(const lm_reader *r, lm_checkpoint *checkpoint)
{
    lm_sentence_transformers *spec = &checkpoint->sentence;
    const bool late = spec->late.writer == LM_LATE_SENTENCE_TRANSFORMERS;
    const lm_key_rule *const tables[] = {late ? lm_late_keys : lm_transformer_keys,
                                         lm_transformer_keys, NULL};
    const lm_members s = {r, checkpoint->transformer_file, checkpoint->transformer};

    if (!s.file)
        return check_transformer_task(&s, spec);
    LM_TRY(lm_keys_check_all(r->ctx, r->notes, s.file, "", s.json, NULL, NULL, tables));
    if (late)
        LM_TRY(lm_late_read_transformer(&s, &spec->late));
    LM_TRY(lm_members_positive(&s, "max_seq_length", &spec->max_seq_length));
    LM_TRY(lm_members_bool(&s, "do_lower_case", &spec->lower_case));
    LM_TRY(check_transformer_task(&s, spec));
    return lm_members_expect(&s, "module_output_name", "token_embeddings");
}

/* ---- Prompts ---- */

/* Names and texts of the prompts; null is an empty prompt. Members are walked, never searched for:
 * a search for each would be quadratic. */
static lm_status
read_prompt_list(const lm_members *s, lm_sentence_transformers *spec)
{
    size_t count = s->json->as.items.count;
    lm_prompt *prompts = lm_arena_array(s->reader->arena, count, sizeof *prompts);

    if (!prompts)
        return LM_NO_MEMORY;
    for (const lm_json *member = s->json->as.items.first; member; member = member->next) {
        lm_prompt *prompt = &prompts[spec->prompt_count++];

        if (strlen(member->key) != member->key_length)
            return lm_members_refuse(s, LM_BAD_MODEL, member->key, "a name without U+0000");
        prompt->name = member->key;
        prompt->text = "";
        LM_TRY(lm_members_string_of(s, member, &prompt->text));
    }
    spec->prompts = prompts;
    return LM_OK;
}

/* Whether a prompt has this name. */
static bool
has_prompt(const lm_sentence_transformers *spec, const char *name)
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
read_prompts(const lm_members *s, lm_sentence_transformers *spec)
{
    const lm_json *prompts = lm_members_get(s, "prompts");

    if (prompts) {
        lm_members list = {s->reader, s->file, prompts};

        if (prompts->type != LM_JSON_OBJECT)
            return lm_members_refuse(s, LM_BAD_MODEL, "prompts", "an object");
        LM_TRY(read_prompt_list(&list, spec));
    }
    LM_TRY(lm_members_string(s, "default_prompt_name", &spec->default_prompt));
    if (spec->default_prompt && !has_prompt(spec, spec->default_prompt))
        return lm_members_refuse(s, LM_BAD_MODEL, "default_prompt_name", "the name of a prompt");
    return LM_OK;
}

#define SPARSE_ENCODER "SparseEncoder"

bool
lm_sentence_has_modules(const lm_sentence_transformers *spec)
{
    return !spec->model_type || strcmp(spec->model_type, SPARSE_ENCODER) == 0;
}

static lm_status
read_cross_encoder(const lm_members *s, lm_sentence_transformers *spec)
{
    if (strcmp(spec->model_type, "CrossEncoder") != 0)
        return LM_OK;
    LM_TRY(lm_members_string(s, "default_prompt_name", &spec->default_prompt));
    return lm_members_string(s, "activation_fn", &spec->activation);
}

lm_status
lm_sentence_read(const lm_reader *r, lm_sentence_transformers *spec)
{
    lm_members s = {r, LM_SENTENCE_FILE, NULL};
    const lm_key_rule *tables[] = {lm_sentence_keys, NULL, NULL};
    const lm_json *type;
    bool pylate;

    *spec = (lm_sentence_transformers){.include_prompt = true};
    LM_TRY(lm_reader_json(r, &sentence_file, false, LM_JSON_OBJECT, &s.json));
    spec->late.writer = lm_late_find(s.json);
    pylate = spec->late.writer == LM_LATE_PYLATE;
    tables[1] = pylate ? lm_pylate_keys : NULL;
    LM_TRY(lm_keys_check_all(r->ctx, r->notes, LM_SENTENCE_FILE, "", s.json, NULL, NULL, tables));
    type = lm_members_get(&s, "model_type");
    if (!spec->late.writer && type && type->type == LM_JSON_STRING &&
        !lm_json_is_string(type, "SentenceTransformer")) {
        spec->model_type = type->as.string.bytes;
        if (!lm_sentence_has_modules(spec))
            return read_cross_encoder(&s, spec);
        LM_TRY(lm_members_expect(&s, "similarity_fn_name", "dot"));
    }
    spec->truncate_dim = lm_members_get(&s, "truncate_dim");
    LM_TRY(read_prompts(&s, spec));
    return pylate ? lm_late_read_pylate(&s, spec) : LM_OK;
}
