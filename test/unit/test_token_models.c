/*
 * test_token_models.c - a tokenizer whose model has no walk: its texts take the staged way. The
 * table of models here stands in for the library's, which then stays out of the program.
 */
#include "tokenizer.h"
#include "token/image.h"
#include "token/models.h"
#include "token/wordlevel.h"

static lm_token_model model;

const lm_token_model *
lm_token_model_of(uint32_t row)
{
    return &model;
}

lm_status
lm_token_model_find(lm_context *ctx, const lm_json *json, uint32_t *row)
{
    *row = 0;
    return LM_OK;
}

/* Tokenize by WordLevel with or without its walk. */
static void
tokenize(bool walks)
{
    static const char json[] = "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{"
                               "\"u\":0,\"a\":1,\"bc\":2}},"
                               "\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":{"
                               "\"type\":\"BertPreTokenizer\"}}";
    static const char text[] = "A bc, BC \xc3\xa9";
    static const int32_t wanted[] = {1, 2, 0, 2, 0}, stops[] = {1, 4, 5, 8, 10};
    fixture f;

    model = lm_wordlevel_model;
    if (!walks)
        model.walk = NULL;
    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    CHECK_EQ_INT(((const lm_token_image *)f.tokenizer.image)->fused.present != 0, walks);
    encode(&f, text, strlen(text), &everything);
    CHECK_EQ_INT(f.out.count, 5);
    for (size_t i = 0; i < 5 && i < f.out.count; i++) {
        CHECK_EQ_INT(f.out.ids[i], wanted[i]);
        CHECK_EQ_INT(f.out.stop[i], stops[i]);
    }
    close_fixture(&f);
}

static void
test_with_walk(void)
{
    tokenize(true);
}

static void
test_without_walk(void)
{
    tokenize(false);
}

/* Where words are asked for, a fused walk stands back, with the same tokens. */
static void
test_words(void)
{
    static const char json[] = "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{"
                               "\"u\":0,\"a\":1,\"bc\":2}},\"pre_tokenizer\":{"
                               "\"type\":\"BertPreTokenizer\"}}";
    static const lm_token_options words = {.offsets = true, .words = true};
    static const int32_t wanted[] = {1, 2, 0}, begins[] = {0, 2, 4};
    fixture f;

    model = lm_wordlevel_model;
    open_empty(&f);
    CHECK_OK(&f.ctx, compile_json(&f, json, strlen(json), NULL, 100));
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    encode(&f, "a bc,", 5, &words);
    CHECK_EQ_INT(f.out.count, 3);
    for (size_t i = 0; i < 3 && i < f.out.count; i++) {
        CHECK_EQ_INT(f.out.ids[i], wanted[i]);
        CHECK_EQ_INT(f.out.start[i], begins[i]);
        CHECK(f.out.begins[i]);
    }
    close_fixture(&f);
}

#define LONG_WORDS 20
#define LONG_BYTES 120000

/* Words of so many bytes each that share but the first one, beside one that begins them all. */
static void
write_long(lm_buffer *out)
{
    lm_buffer_append_string(out,
                            "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\",\"vocab\":{"
                            "\"u\":0,\"b\":1");
    for (int i = 0; i < LONG_WORDS; i++) {
        lm_buffer_printf(out, ",\"b%02d", i);
        for (int n = 0; n < LONG_BYTES; n += 10)
            lm_buffer_append_string(out, "aaaaaaaaaa");
        lm_buffer_printf(out, "\":%d", i + 2);
    }
    lm_buffer_append_string(
        out, "}},\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}}");
}

/* A long word, cut at `length`, between two others. */
static void
encode_long(fixture *f, int number, size_t length, int32_t wanted)
{
    lm_buffer text;

    lm_buffer_init(&text, &f->ctx);
    lm_buffer_printf(&text, "b%02d", number);
    while (text.size < length)
        lm_buffer_append_byte(&text, 'a');
    CHECK_EQ_INT(lm_token_id(&f->tokenizer, text.data, text.size), wanted > 0 ? wanted : -1);
    lm_buffer_append_string(&text, " b u");
    encode(f, text.data, text.size, &everything);
    CHECK_EQ_INT(f->out.count, 3);
    CHECK_EQ_INT(f->out.ids[0], wanted);
    CHECK_EQ_INT(f->out.ids[1], 1);
    CHECK_EQ_INT(f->out.ids[2], 0);
    lm_buffer_free(&text);
}

/* More nodes than a trie may have: several tries, each with some of the words. */
static void
test_tries(void)
{
    for (int walks = 0; walks < 2; walks++) {
        lm_buffer json;
        fixture f;

        model = lm_wordlevel_model;
        if (!walks)
            model.walk = NULL;
        open_empty(&f);
        lm_buffer_init(&json, &f.ctx);
        write_long(&json);
        CHECK_OK(&f.ctx, compile_json(&f, json.data, json.size, NULL, 100));
        CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
        CHECK_EQ_INT(((const lm_token_image *)f.tokenizer.image)->tries.count, 2);
        for (int i = 0; i < LONG_WORDS; i += 7) {
            encode_long(&f, i, LONG_BYTES + 3, i + 2);
            encode_long(&f, i, LONG_BYTES + 2, 0);
            encode_long(&f, i, LONG_BYTES + 4, 0);
        }
        encode_long(&f, LONG_WORDS, LONG_BYTES + 3, 0);
        lm_buffer_free(&json);
        close_fixture(&f);
    }
}

#define MANY_WORDS 18000

static int polls_left;

static bool
no_poll_left(void *opaque)
{
    return polls_left-- <= 0;
}

/* The same of many words: each is found, and building the tries can be cancelled. */
static void
test_many_words(void)
{
    char word[80];
    lm_buffer json;
    fixture f;
    int polls;

    model = lm_wordlevel_model;
    model.walk = NULL;
    open_empty(&f);
    lm_buffer_init(&json, &f.ctx);
    lm_buffer_append_string(&json, "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"u\","
                                   "\"vocab\":{\"u\":0");
    for (int i = 1; i <= MANY_WORDS; i++)
        lm_buffer_printf(&json, ",\"%05d%060d\":%d", i, 0, i);
    lm_buffer_append_string(&json, "}},\"normalizer\":null,\"pre_tokenizer\":null}");
    f.ctx.cancelled = no_poll_left;
    polls_left = 1 << 30;
    CHECK_OK(&f.ctx, compile_json(&f, json.data, json.size, NULL, MANY_WORDS + 1));
    polls = (1 << 30) - polls_left;
    CHECK_OK(&f.ctx, lm_tokenizer_bind(&f.ctx, f.image.data, f.image.size, &f.tokenizer));
    CHECK_EQ_INT(((const lm_token_image *)f.tokenizer.image)->tries.count, 1);
    for (int i = 1; i <= MANY_WORDS; i += 997) {
        snprintf(word, sizeof word, "%05d%060d", i, 0);
        CHECK_EQ_INT(lm_token_id(&f.tokenizer, word, strlen(word)), i);
    }
    CHECK(polls > 20);
    f.image.size = 0;
    polls_left = polls - 5;
    CHECK_EQ_INT(compile_json(&f, json.data, json.size, NULL, MANY_WORDS + 1), LM_CANCELLED);
    f.ctx.cancelled = NULL;
    lm_buffer_free(&json);
    close_fixture(&f);
}

static const unit_case cases[] = {
    {"many_words", test_many_words},
    {"with_walk", test_with_walk},
    {"without_walk", test_without_walk},
    {"words", test_words},
    {"tries", test_tries},
};

UNIT_MAIN(cases)
