/*
 * tuned_files.c - the files of a model that was trained further: those of its base, with another
 * config.json where it has another head, and its weights in one safetensors file.
 */
#include <string.h>

#include "family/family.h"
#include "train/tuned_prune.h"

#define FILE_LIMIT ((size_t)1 << 28) /* of settings and vocabularies */
#define WEIGHTS_FILE "model.safetensors"
#define TOKENIZER_CONFIG "tokenizer_config.json"

/* ---- JSON with other members ---- */

/* Behind the value that begins at a place of valid JSON. */
static size_t
end_of_value(const char *text, size_t at)
{
    int depth = 0;
    bool quoted = false;

    for (;; at++) {
        if (quoted && text[at] == '\\')
            at++;
        else if (text[at] == '"')
            quoted = !quoted;
        else if (!quoted && strchr("{[", text[at]))
            depth++;
        else if (!quoted && strchr("}],", text[at]) && depth == 0)
            return at;
        else if (!quoted && strchr("}]", text[at]))
            depth--;
    }
}

static bool
is_among(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* Append the members of an object but those that are left out, each behind a comma. */
static lm_status
append_members(const char *text, const lm_json *object, const char *const *left_out, lm_buffer *out)
{
    for (const lm_json *each = object->as.items.first; each; each = each->next) {
        const size_t at = (size_t)each->offset;

        if (is_among(left_out, each->key))
            continue;
        LM_TRY(lm_buffer_append_byte(out, ','));
        LM_TRY(lm_json_write_string(out, each->key, each->key_length));
        LM_TRY(lm_buffer_append_byte(out, ':'));
        LM_TRY(lm_buffer_append(out, text + at, end_of_value(text, at) - at));
    }
    return lm_buffer_append_byte(out, '}');
}

/* A file of the base, in the arena. */
static lm_status
slurp(lm_tuned *tuned, const char *name, char **text, size_t *size)
{
    return lm_source_slurp(tuned->ctx, &tuned->kept.source, &tuned->arena, name, FILE_LIMIT, true,
                           text, size);
}

/* ---- config.json ---- */

/* "BertModel" and "BertForMaskedLM" are of "Bert". */
static lm_status
append_class(const lm_tuned *tuned, const lm_json *config, const lm_head_kind *head, lm_buffer *out)
{
    const lm_json *classes = lm_json_get(config, "architectures");
    const lm_json *first =
        classes && classes->type == LM_JSON_ARRAY ? classes->as.items.first : NULL;
    const char *name = first && first->type == LM_JSON_STRING ? first->as.string.bytes : "";
    const char *end = strstr(name, "For");

    if (!end)
        end = strstr(name, "Model");
    if (!end)
        end = name + strlen(name);
    return lm_buffer_printf(out, "{\"architectures\":[\"%.*s%s\"]", (int)(end - name), name,
                            head->architecture);
}

static lm_status
append_labels(const lm_tuned *tuned, lm_buffer *out)
{
    for (int turned = 0; turned < 2; turned++) {
        LM_TRY(lm_buffer_append_string(out, turned ? "},\"label2id\":{" : ",\"id2label\":{"));
        for (size_t i = 0; i < tuned->name_count; i++) {
            LM_TRY(lm_buffer_append_string(out, i > 0 ? "," : ""));
            if (!turned)
                LM_TRY(lm_buffer_printf(out, "\"%zu\":", i));
            LM_TRY(lm_json_write_string(out, tuned->names[i], strlen(tuned->names[i])));
            if (turned)
                LM_TRY(lm_buffer_printf(out, ":%zu", i));
        }
    }
    return lm_buffer_append_byte(out, '}');
}

static lm_status
write_config(lm_tuned *tuned, const lm_checkpoint *checkpoint, const lm_head_kind *head,
             lm_buffer *out)
{
    const char *const left_out[] = {"architectures", "id2label",        "label2id",    "num_labels",
                                    "_num_labels",   "problem_type",    "torch_dtype", "dtype",
                                    "crf",           tuned->layers_key, NULL};
    const char *name;
    char *text;
    size_t size;

    LM_TRY(lm_source_join(tuned->ctx, &tuned->arena, checkpoint->folder, checkpoint->config_file,
                          &name));
    LM_TRY(slurp(tuned, name, &text, &size));
    LM_TRY(append_class(tuned, checkpoint->config, head, out));
    if (tuned->name_count > 0)
        LM_TRY(append_labels(tuned, out));
    if (tuned->task == &lm_tuned_regression)
        LM_TRY(lm_buffer_append_string(out, ",\"problem_type\":\"regression\""));
    if (tuned->settings.crf)
        LM_TRY(lm_buffer_append_string(out, ",\"crf\":true"));
    if (tuned->layers_key[0] != '\0')
        LM_TRY(lm_buffer_printf(out, ",\"%s\":%lld", tuned->layers_key,
                                (long long)tuned->settings.layers));
    return append_members(text, checkpoint->config, left_out, out);
}

lm_status
lm_tuned_config(lm_tuned *tuned, const lm_head_kind *head)
{
    lm_buffer out;
    lm_status status;

    lm_buffer_init(&out, tuned->ctx);
    status = write_config(tuned, &tuned->checkpoint, head, &out);
    if (status == LM_OK) {
        tuned->config = lm_arena_copy(&tuned->arena, out.data, out.size);
        status = tuned->config ? LM_OK : LM_NO_MEMORY;
    }
    lm_buffer_free(&out);
    return status;
}

/* ---- All files ---- */

static bool
ends_with(const char *name, const char *end)
{
    const size_t length = strlen(name), tail = strlen(end);

    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* Files of the transformer alone go into a model with a head; what made embeddings does not. */
static bool
is_taken(const lm_tuned *tuned, const char *name)
{
    static const char *const of_embedding[] = {"modules.json", "config_sentence_transformers.json",
                                               "sentence_bert_config.json", NULL};
    const lm_checkpoint *checkpoint = &tuned->checkpoint;
    const size_t folder = strlen(checkpoint->folder);

    for (size_t i = 0; i < checkpoint->tensors.file_count; i++)
        if (strcmp(checkpoint->tensors.files[i], name) == 0)
            return false;
    if (ends_with(name, ".index.json") || strcmp(name, LM_QUANTIZED_FILE) == 0)
        return false;
    if (!tuned->plain.head)
        return true;
    if (strncmp(name, checkpoint->folder, folder) != 0)
        return false;
    name += folder > 0 ? folder + 1 : 0;
    return !strchr(name, '/') && !is_among(of_embedding, name);
}

/* What it is called in the new folder: a model with a head has no folders. */
static const char *
new_name(const lm_tuned *tuned, const char *name)
{
    const char *last = strrchr(name, '/');

    return tuned->plain.head && last ? last + 1 : name;
}

/* The window that texts were cut to in the training, for who reads no other file. */
static lm_status
write_tokenizer_config(const lm_tuned *tuned, const char *text, lm_buffer *out)
{
    static const char *const left_out[] = {"model_max_length", NULL};

    LM_TRY(lm_buffer_printf(out, "{\"model_max_length\":%zu", tuned->texts.window));
    return append_members(text, tuned->checkpoint.tokenizer_config, left_out, out);
}

/* The outcome's next file, empty. */
static lm_status
add_file(const lm_tuned *tuned, lm_train_outcome *outcome, const char *name, lm_buffer **bytes)
{
    const int at = outcome->file_count;

    *bytes = NULL;
    if (at == LM_TRAIN_FILES_MAX)
        return lm_raise(tuned->ctx, LM_TOO_LARGE, "the base has too many files");
    outcome->files[at].name = name;
    lm_buffer_init(&outcome->files[at].bytes, tuned->ctx);
    outcome->file_count++;
    *bytes = &outcome->files[at].bytes;
    return LM_OK;
}

/* config.json of a model with a head; neurons may be missing. */
static lm_status
write_own_config(const lm_tuned *tuned, lm_buffer *out)
{
    const char *const left_out[] = {tuned->inner_key, NULL};

    if (tuned->inner_key[0] == '\0')
        return lm_buffer_append_string(out, tuned->config);
    LM_TRY(lm_buffer_printf(out, "{\"%s\":%zu", tuned->inner_key, tuned->inner_left));
    return append_members(tuned->config, tuned->checkpoint.config, left_out, out);
}

static lm_status
write_file(lm_tuned *tuned, const char *name, lm_train_outcome *outcome)
{
    const bool headed = tuned->plain.head != NULL;
    const char *own = new_name(tuned, name);
    lm_buffer *bytes;
    char *text;
    size_t size;

    LM_TRY(add_file(tuned, outcome, own, &bytes));
    if (headed && strcmp(own, tuned->checkpoint.config_file) == 0)
        return write_own_config(tuned, bytes);
    LM_TRY(slurp(tuned, name, &text, &size));
    if (headed && strcmp(own, TOKENIZER_CONFIG) == 0 && tuned->checkpoint.tokenizer_config)
        return write_tokenizer_config(tuned, text, bytes);
    return lm_buffer_append(bytes, text, size);
}

lm_status
lm_tuned_write(lm_tuned *tuned, lm_train_outcome *outcome)
{
    const char *folder = tuned->plain.head ? "" : tuned->checkpoint.folder, *weights;
    lm_buffer *bytes;

    for (size_t i = 0; i < tuned->kept.count; i++)
        if (is_taken(tuned, tuned->kept.files[i].name))
            LM_TRY(write_file(tuned, tuned->kept.files[i].name, outcome));
    LM_TRY(lm_source_join(tuned->ctx, &tuned->arena, folder, WEIGHTS_FILE, &weights));
    LM_TRY(add_file(tuned, outcome, weights, &bytes));
    LM_TRY(lm_lora_add(&tuned->lora));
    if (tuned->inner_key[0] != '\0')
        LM_TRY(lm_tuned_prune_shrink(tuned));
    return lm_plain_write(tuned->ctx, &tuned->plain, tuned->values, bytes);
}
