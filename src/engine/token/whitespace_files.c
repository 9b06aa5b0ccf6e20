/*
 * whitespace_files.c - the settings of a WhitespaceTokenizer as a tokenizer.json, which is written
 * and parsed, so that one compiler reads all.
 */
#include <string.h>

#include "base/intern.h"
#include "token/whitespace.h"

typedef struct word_list {
    lm_context *ctx;
    const lm_json *settings;
    const char *file;
    bool unique;
    lm_intern words; /* each once */
    lm_buffer ids;   /* uint32_t by word */
    lm_buffer text;
} word_list;

static lm_status
wrong(const word_list *list, const char *key, const lm_json *found, const char *allowed)
{
    lm_field_wrong(list->ctx, (lm_field){list->settings, ""}, key, found, allowed);
    return lm_detail_file(list->ctx, list->file);
}

static lm_status
add_word(word_list *list, const lm_json *word, uint32_t place)
{
    uint32_t number;

    if (word->type != LM_JSON_STRING)
        return wrong(list, "vocab", word, "a list of words");
    LM_TRY(lm_intern_add(&list->words, word->as.string.bytes, word->as.string.length, &number));
    if (list->unique)
        place = number;
    if (number == list->ids.size / sizeof place)
        return lm_buffer_append(&list->ids, &place, sizeof place);
    if (!list->unique)
        memcpy(list->ids.data + number * sizeof place, &place, sizeof place);
    return LM_OK;
}

static lm_status
read_words(word_list *list)
{
    const lm_json *vocab = lm_json_get(list->settings, "vocab");
    uint32_t place = 0;

    if (!vocab || vocab->type != LM_JSON_ARRAY || vocab->as.items.count == 0)
        return wrong(list, "vocab", vocab, "a list of words");
    for (const lm_json *word = vocab->as.items.first; word; word = word->next) {
        if (place % 4096 == 0)
            LM_TRY(lm_poll(list->ctx));
        LM_TRY(add_word(list, word, place++));
    }
    return LM_OK;
}

static lm_status
write_words(word_list *list)
{
    const uint32_t *ids = (const uint32_t *)(const void *)list->ids.data;

    for (uint32_t number = 0; number < list->words.count; number++) {
        size_t length;
        const char *word = lm_intern_bytes(&list->words, number, &length);

        if (number % 4096 == 0)
            LM_TRY(lm_poll(list->ctx));
        LM_TRY(lm_json_write_string(&list->text, word, length));
        LM_TRY(lm_buffer_printf(&list->text, number + 1 < list->words.count ? ":%u," : ":%u",
                                ids[number]));
    }
    return LM_OK;
}

/* A bag has none. */
static lm_status
write_stop_words(word_list *list)
{
    const lm_json *words = lm_json_get(list->settings, "stop_words");

    if (list->unique)
        return LM_OK;
    if (!words || words->type != LM_JSON_ARRAY)
        return wrong(list, "stop_words", words, "a list of words");
    for (const lm_json *word = words->as.items.first; word; word = word->next) {
        if (word->type != LM_JSON_STRING)
            return wrong(list, "stop_words", word, "a list of words");
        LM_TRY(lm_json_write_string(&list->text, word->as.string.bytes, word->as.string.length));
        if (word->next)
            LM_TRY(lm_buffer_append_string(&list->text, ","));
    }
    return LM_OK;
}

static lm_status
read_lowercase(const word_list *list, bool *lower)
{
    const lm_json *given = list->unique ? NULL : lm_json_get(list->settings, "do_lower_case");

    *lower = given && given->type == LM_JSON_BOOL && given->boolean;
    if (!given || given->type == LM_JSON_BOOL)
        return LM_OK;
    return wrong(list, "do_lower_case", given, "a boolean");
}

static lm_status
write_all(word_list *list)
{
    bool lower;

    LM_TRY(read_words(list));
    LM_TRY(read_lowercase(list, &lower));
    LM_TRY(lm_buffer_printf(&list->text,
                            "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
                            "\"added_tokens\":[],\"normalizer\":null,"
                            "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
                            "\"post_processor\":null,\"decoder\":null,"
                            "\"model\":{\"type\":\"%s\",\"do_lower_case\":%s,\"stop_words\":[",
                            lm_whitespace_model.name, lower ? "true" : "false"));
    LM_TRY(write_stop_words(list));
    LM_TRY(lm_buffer_append_string(&list->text, "],\"vocab\":{"));
    LM_TRY(write_words(list));
    return lm_buffer_append_string(&list->text, "}}}");
}

lm_status
lm_whitespace_tokenizer(lm_context *ctx, lm_arena *arena, const lm_json *settings, const char *file,
                        bool unique, const lm_json **tokenizer)
{
    word_list list = {.ctx = ctx, .settings = settings, .file = file, .unique = unique};
    lm_status status;

    lm_intern_init(&list.words, ctx, "words");
    lm_intern_hide(&list.words);
    lm_buffer_init(&list.ids, ctx);
    lm_buffer_init(&list.text, ctx);
    status = write_all(&list);
    if (status == LM_OK)
        status = lm_json_parse(ctx, arena, list.text.data, list.text.size, file, tokenizer);
    lm_buffer_free(&list.text);
    lm_buffer_free(&list.ids);
    lm_intern_free(&list.words);
    return status;
}
