/*
 * late_interaction.c - markers, lengths, query expansion and skip list of models for late
 * interaction. sentence-transformers 6 reads folders of both libraries, and what is here means what
 * it makes of them.
 */
#include "format/late_interaction.h"

#include <string.h>

#include "format/sentence_keys.h"

/* Tokens of a query that pylate fills up, where its file does not say. */
#define PYLATE_QUERY_LENGTH 32

/* A skip list is looked up word by word when the model is planned. */
#define SKIP_LIMIT 4096

/* Python's string.punctuation: pylate's skip list where its file has none. */
static const char *const punctuation[] = {
    "!", "\"", "#", "$", "%", "&", "'", "(",  ")", "*", "+", ",", "-", ".", "/", ":",
    ";", "<",  "=", ">", "?", "@", "[", "\\", "]", "^", "_", "`", "{", "|", "}", "~",
};

/* ---- Whose file it is ---- */

lm_late_writer
lm_late_find(const lm_json *file)
{
    const lm_json *type = lm_json_get(file, "model_type");

    if (type && lm_json_is_string(type, "MultiVectorEncoder"))
        return LM_LATE_SENTENCE_TRANSFORMERS;
    if (type && lm_json_is_string(type, "ColBERT"))
        return LM_LATE_PYLATE;
    if (type && type->type != LM_JSON_NULL && !lm_json_is_string(type, "SentenceTransformer"))
        return LM_LATE_NONE;
    return lm_json_get(file, "query_prefix") || lm_json_get(file, "document_prefix")
               ? LM_LATE_PYLATE
               : LM_LATE_NONE;
}

/* ---- Words that are skipped ---- */

static lm_status
read_skip_list(const lm_members *s, lm_late_spec *late)
{
    static const char allowed[] = "an array of at most 4096 strings";
    const lm_json *words = lm_members_get(s, "skiplist_words");
    const char **list;

    if (!words)
        return LM_OK;
    if (words->type != LM_JSON_ARRAY || words->as.items.count > SKIP_LIMIT)
        return lm_members_refuse(s, LM_UNSUPPORTED, "skiplist_words", allowed);
    list = lm_arena_array(s->reader->arena, words->as.items.count, sizeof *list);
    if (!list)
        return LM_NO_MEMORY;
    late->skip = list;
    late->skip_count = 0;
    for (const lm_json *word = words->as.items.first; word; word = word->next) {
        if (word->type != LM_JSON_STRING || strlen(word->as.string.bytes) != word->as.string.length)
            return lm_members_refuse(s, LM_BAD_MODEL, "skiplist_words", allowed);
        list[late->skip_count++] = word->as.string.bytes;
    }
    return LM_OK;
}

/* ---- pylate ---- */

/* A marker before the prompt of a side, which it may stand before already. */
static lm_status
join_marker(const lm_members *s, const char *marker, const char *prompt, const char **joined)
{
    const size_t length = strlen(marker);
    const char *rest = strncmp(prompt, marker, length) == 0 ? prompt + length : prompt;
    char *both = lm_arena_alloc(s->reader->arena, length + strlen(rest) + 1);

    if (!both)
        return LM_NO_MEMORY;
    memcpy(both, marker, length);
    memcpy(both + length, rest, strlen(rest) + 1);
    *joined = both;
    return LM_OK;
}

/* The prompt of a side, which is added to the list where it is not there. */
static lm_prompt *
prompt_named(lm_prompt *prompts, int *count, const char *name)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(prompts[i].name, name) == 0)
            return &prompts[i];
    prompts[*count] = (lm_prompt){name, ""};
    return &prompts[(*count)++];
}

static lm_status
read_markers(const lm_members *s, lm_sentence_transformers *spec)
{
    static const struct {
        const char *key, *prompt;
    } sides[] = {{"query_prefix", "query"}, {"document_prefix", "document"}};
    lm_prompt *prompts =
        lm_arena_array(s->reader->arena, (size_t)spec->prompt_count + 2, sizeof *prompts);

    if (!prompts)
        return LM_NO_MEMORY;
    if (spec->prompt_count > 0)
        memcpy(prompts, spec->prompts, (size_t)spec->prompt_count * sizeof *prompts);
    spec->prompts = prompts;
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        lm_prompt *prompt;

        if (!lm_json_get(s->json, sides[i].key))
            continue;
        spec->late.markers[i] = "";
        LM_TRY(lm_members_string(s, sides[i].key, &spec->late.markers[i]));
        prompt = prompt_named(prompts, &spec->prompt_count, sides[i].prompt);
        LM_TRY(join_marker(s, spec->late.markers[i], prompt->text, &prompt->text));
    }
    return LM_OK;
}

/* Whether the file has any key that is pylate's: then queries are filled up unless it says no. */
static bool
has_marker_key(const lm_json *file)
{
    static const char *const keys[] = {
        "query_length",   "document_length", "do_query_expansion", "attend_to_expansion_tokens",
        "skiplist_words", "query_prefix",    "document_prefix",    "attend_to_mask_tokens",
    };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (lm_json_get(file, keys[i]))
            return true;
    return false;
}

/* The length of queries is then what they are filled up to. */
static lm_status
read_expansion_flags(const lm_members *s, lm_late_spec *late)
{
    bool wanted = has_marker_key(s->json) && !lm_json_get(s->json, "query_expansion");

    LM_TRY(lm_members_bool(s, "attend_to_mask_tokens", &late->attended));
    LM_TRY(lm_members_bool(s, "attend_to_expansion_tokens", &late->attended));
    if (wanted)
        LM_TRY(lm_members_bool(s, "do_query_expansion", &wanted));
    late->expanded = wanted;
    if (wanted && late->query_length == 0)
        late->query_length = PYLATE_QUERY_LENGTH;
    return LM_OK;
}

lm_status
lm_late_read_pylate(const lm_members *s, lm_sentence_transformers *spec)
{
    lm_late_spec *late = &spec->late;

    LM_TRY(read_markers(s, spec));
    LM_TRY(lm_members_positive(s, "query_length", &late->query_length));
    LM_TRY(lm_members_positive(s, "document_length", &late->document_length));
    LM_TRY(read_expansion_flags(s, late));
    late->skip = punctuation;
    late->skip_count = (int)(sizeof punctuation / sizeof punctuation[0]);
    return read_skip_list(s, late);
}

/* ---- sentence-transformers ---- */

/* {"strategy": "fixed", "attend": …, "token": …, "length": …} */
static lm_status
read_expansion(const lm_members *s, lm_late_spec *late)
{
    static const char key[] = "query_expansion";
    const lm_json *expansion = lm_members_get(s, key);
    lm_members inner = {s->reader, s->file, expansion};
    const char *strategy = "";
    int length = 0;

    if (!expansion)
        return LM_OK;
    if (expansion->type != LM_JSON_OBJECT)
        return lm_members_refuse(s, LM_BAD_MODEL, key, "an object");
    LM_TRY(lm_keys_check(s->reader->ctx, s->reader->notes, s->file, "query_expansion.", expansion,
                         lm_expansion_keys));
    LM_TRY(lm_members_string(&inner, "strategy", &strategy));
    if (strcmp(strategy, "fixed") != 0)
        return lm_members_refuse(&inner, LM_UNSUPPORTED, "strategy", "\"fixed\"");
    LM_TRY(lm_members_bool(&inner, "attend", &late->attended));
    LM_TRY(lm_members_string(&inner, "token", &late->filler));
    LM_TRY(lm_members_positive(&inner, "length", &length));
    if (length == 0)
        return lm_members_refuse(&inner, LM_BAD_MODEL, "length", "an integer of at least 1");
    if (late->query_length > 0 && late->query_length < length)
        return lm_members_refuse(s, LM_BAD_MODEL, "query_length",
                                 "at least query_expansion.length, or nothing");
    late->query_length = length;
    late->expanded = true;
    return LM_OK;
}

lm_status
lm_late_read_transformer(const lm_members *s, lm_late_spec *late)
{
    LM_TRY(lm_members_positive(s, "query_length", &late->query_length));
    LM_TRY(lm_members_positive(s, "document_length", &late->document_length));
    return read_expansion(s, late);
}

/* A side that the skip list counts for. */
static lm_status
add_side(const lm_members *s, const lm_json *task, lm_late_spec *late)
{
    if (lm_json_is_string(task, "query"))
        late->skip_queries = true;
    else if (lm_json_is_string(task, "document"))
        late->skip_documents = true;
    else
        return lm_members_refuse(s, LM_UNSUPPORTED, "skiplist_tasks", "\"query\" and \"document\"");
    return LM_OK;
}

lm_status
lm_late_read_mask(const lm_members *s, lm_sentence_transformers *spec)
{
    lm_late_spec *late = &spec->late;
    const lm_json *tasks = lm_members_get(s, "skiplist_tasks");

    if (late->masked)
        return lm_members_refuse(s, LM_UNSUPPORTED, "skiplist_words", "one MultiVectorMask");
    late->masked = true;
    late->skip_documents = !tasks;
    LM_TRY(read_skip_list(s, late));
    if (!tasks)
        return LM_OK;
    if (tasks->type != LM_JSON_ARRAY)
        return add_side(s, tasks, late);
    for (const lm_json *task = tasks->as.items.first; task; task = task->next)
        LM_TRY(add_side(s, task, late));
    return LM_OK;
}

/* ---- Both ---- */

/* pylate masks and normalises without modules that say so. */
lm_status
lm_late_finish(const lm_reader *r, lm_sentence_transformers *spec)
{
    lm_late_spec *late = &spec->late;

    if (late->writer == LM_LATE_PYLATE) {
        late->skip_documents = true;
        spec->normalize = true;
        return LM_OK;
    }
    if (late->writer == LM_LATE_NONE || !late->expanded || late->masked)
        return LM_OK;
    lm_raise(r->ctx, LM_UNSUPPORTED, "queries are filled up, and no module keeps what fills them");
    lm_detail_file(r->ctx, "modules.json");
    lm_detail_key(r->ctx, "type");
    return lm_detail_allowed(r->ctx, "a MultiVectorMask behind the Transformer");
}
