/*
 * listed_words.c - the vocabulary of a net of layers, a word a line, as a tokenizer.json, which is
 * written and parsed, so that one compiler reads all. A word is a token; what is not listed is the
 * unknown one.
 */
#include <string.h>

#include "token/tokenizer.h"

/* A way to cut. "whitespace": between white space. "unicode": letters, marks, numbers and
 * underscores in a row, a CJK ideograph by itself. */
typedef struct word_style {
    const char *name;
    const char *normalizer; /* before lower case; "": none */
    const char *pre_tokenizer;
} word_style;

static const word_style styles[] = {
    {"whitespace", "", "{\"type\":\"WhitespaceSplit\"}"},
    {"unicode",
     "{\"type\":\"BertNormalizer\",\"clean_text\":false,\"handle_chinese_chars\":true,"
     "\"strip_accents\":false,\"lowercase\":false}",
     "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[\\\\p{L}\\\\p{M}\\\\p{N}_]+\"},"
     "\"behavior\":\"Removed\",\"invert\":true}"},
};

#define STYLE_COUNT (sizeof styles / sizeof styles[0])

static const word_style *
style_named(const char *name)
{
    for (size_t i = 0; i < STYLE_COUNT; i++)
        if (strcmp(styles[i].name, name) == 0)
            return &styles[i];
    return NULL;
}

bool
lm_word_style_is_known(const char *name)
{
    return style_named(name) != NULL;
}

/* The word of a place; NULL: there is none. */
static const lm_json *
word_at(const lm_json *words, uint32_t place)
{
    const lm_json *word = words->as.items.first;

    for (; word && place > 0; place--)
        word = word->next;
    return word;
}

static lm_status
write_words(lm_context *ctx, const lm_json *words, lm_buffer *text)
{
    uint32_t place = 0;

    for (const lm_json *word = words->as.items.first; word; word = word->next, place++) {
        if (place % 4096 == 0)
            LM_TRY(lm_poll(ctx));
        LM_TRY(lm_json_write_string(text, word->as.string.bytes, word->as.string.length));
        LM_TRY(lm_buffer_printf(text, word->next ? ":%u," : ":%u", place));
    }
    return LM_OK;
}

static lm_status
write_all(lm_context *ctx, const lm_listed_words *list, const lm_json *unknown, lm_buffer *text)
{
    const word_style *style = style_named(list->style);

    LM_TRY(lm_buffer_printf(
        text,
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
        "\"added_tokens\":[],\"normalizer\":{\"type\":\"Sequence\","
        "\"normalizers\":[%s%s%s]},\"pre_tokenizer\":%s,"
        "\"post_processor\":null,\"decoder\":null,"
        "\"model\":{\"type\":\"WordLevel\",\"unk_token\":",
        style->normalizer, list->lower_case && style->normalizer[0] != '\0' ? "," : "",
        list->lower_case ? "{\"type\":\"Lowercase\"}" : "", style->pre_tokenizer));
    LM_TRY(lm_json_write_string(text, unknown->as.string.bytes, unknown->as.string.length));
    LM_TRY(lm_buffer_append_string(text, ",\"vocab\":{"));
    LM_TRY(write_words(ctx, list->words, text));
    return lm_buffer_append_string(text, "}}}");
}

lm_status
lm_listed_words_tokenizer(lm_context *ctx, lm_arena *arena, const lm_listed_words *list,
                          const lm_json **tokenizer)
{
    const lm_json *unknown = word_at(list->words, list->unknown);
    lm_buffer text;
    lm_status status;

    if (!unknown)
        return lm_raise(ctx, LM_INTERNAL, "the unknown word is not in the list");
    lm_buffer_init(&text, ctx);
    status = write_all(ctx, list, unknown, &text);
    if (status == LM_OK)
        status = lm_json_parse(ctx, arena, text.data, text.size, list->file, tokenizer);
    lm_buffer_free(&text);
    return status;
}
