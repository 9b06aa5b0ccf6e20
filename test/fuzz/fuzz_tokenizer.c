/*
 * fuzz_tokenizer.c - a tokenizer.json that is accepted tokenizes, decodes and chunks by the laws of
 * checks.h: hard texts, and a text of its own tokens; every id is below the vocabulary's size,
 * which is at most what the embedding has rows.
 *
 * An input is a folder (fuzz.h) with tokenizer.json and perhaps tokenizer_config.json, or
 * tokenizer.json alone.
 */
#include "base/utf8.h"
#include "checks.h"

#define MAX_VOCAB 4000

/* Bytes of the text that is made of the tokenizer's own tokens. */
#define OWN_TEXT 512

static const char *const texts[] = {
    "",
    "Hello, World! [CLS] unaffable [SEP] 12.5",
    " \t\r\n caf\xc3\xa9 na\xc3\xafve \xef\xb7\xba\xea\xb0\x81\xe4\xb8\xad\xe6\x96\x87 \xc4\xb0 ",
    "a\xcc\x81\xcc\xa3 x\xe2\x80\x8d y\xef\xbf\xbd\x01 \xf0\x9f\x98\x80\xf0\xaf\xa0\x80",
};

void
fuzz_prepare(void)
{
}

/* The table of the fast path takes some 3 MB; a branch of a trie opens a block of 5 kB. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 23) + 8192 * size;
}

/* Tokens one after the other, every second one after a space. */
static size_t
own_text(const lm_tokenizer *tokenizer, char text[OWN_TEXT])
{
    size_t used = 0;

    for (int32_t id = 0; id < tokenizer->vocab_size; id++) {
        size_t length = 0;
        const char *token = lm_token_text(tokenizer, id, &length);

        if (!token || length + 1 > OWN_TEXT - used)
            continue;
        memcpy(text + used, token, length);
        used += length;
        if (id % 2 == 0)
            text[used++] = ' ';
    }
    return used;
}

/* A token is found by its text, unless the text that is shown is another than the one written. */
static void
check_vocabulary(const lm_tokenizer *tokenizer)
{
    for (int32_t id = 0; id < tokenizer->vocab_size; id++) {
        size_t length = 0;
        const char *token = lm_token_text(tokenizer, id, &length);

        if (token)
            REQUIRE(lm_utf8_valid_prefix(token, length) == length);
        if (token)
            REQUIRE(lm_token_id(tokenizer, token, length) < tokenizer->vocab_size);
    }
    REQUIRE(lm_token_text(tokenizer, -1, &(size_t){0}) == NULL);
    REQUIRE(lm_token_text(tokenizer, tokenizer->vocab_size, &(size_t){0}) == NULL);
}

static lm_status
check_texts(lm_context *ctx, const fuzz_tokenizer *tokenizer)
{
    char text[OWN_TEXT];
    size_t length = own_text(&tokenizer->fast, text);

    check_vocabulary(&tokenizer->fast);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        LM_TRY(fuzz_check_text(ctx, tokenizer, texts[i], strlen(texts[i]), 0x3557u + (uint32_t)i));
    return fuzz_check_text(ctx, tokenizer, text, length, 0x2773u);
}

/* Compile and check; parsed files live in the caller's arena. */
static lm_status
run(lm_context *ctx, lm_arena *arena, fuzz_folder *folder)
{
    const fuzz_file *file = fuzz_folder_find(folder, "tokenizer.json");
    const fuzz_file *config_file = fuzz_folder_find(folder, "tokenizer_config.json");
    const lm_json *json, *config = NULL;
    fuzz_tokenizer tokenizer;
    lm_status status;

    if (!file)
        return LM_OK;
    LM_TRY(lm_json_parse(ctx, arena, file->data, file->size, file->name, &json));
    if (config_file)
        LM_TRY(lm_json_parse(ctx, arena, config_file->data, config_file->size, config_file->name,
                             &config));
    LM_TRY(fuzz_tokenizer_open(ctx, json, config, MAX_VOCAB, &tokenizer));
    status = check_texts(ctx, &tokenizer);
    fuzz_tokenizer_close(&tokenizer);
    return status;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    fuzz_folder folder;
    lm_arena arena;
    lm_status status;

    fuzz_folder_read(&folder, data, size);
    if (folder.count == 0)
        fuzz_folder_add(&folder, "tokenizer.json", data, size);
    lm_arena_init(&arena, ctx);
    status = run(ctx, &arena, &folder);
    lm_arena_free(&arena);
    return status;
}
