/*
 * test_words.c - the words of a text: scripts, case, marks, ideographs, bad UTF-8, cancel, memory.
 */
#include "base/words.h"

#include "fake.h"
#include "unit.h"

/* All words of a text, each before a '|'. */
static lm_status
cut(lm_context *ctx, const char *text, size_t length, char *out)
{
    lm_buffer word;
    lm_words words;
    bool found = true;
    lm_status status;

    out[0] = '\0';
    lm_buffer_init(&word, ctx);
    status = lm_words_open(&words, (lm_text){text, length}, &word);
    while (status == LM_OK && found) {
        status = lm_words_next(&words, &found);
        if (status == LM_OK && found && out)
            sprintf(out + strlen(out), "%.*s|", (int)word.size, word.data);
    }
    lm_buffer_free(&word);
    return status;
}

static void
words_of_texts(void)
{
    static const char *const texts[][2] = {
        {"", ""},
        {" \t.,;!\xe2\x80\x94", ""},
        {"The cat, the CAT; a x_1 and 3.14!", "the|cat|the|cat|a|x_1|and|3|14|"},
        {"don't", "don|t|"},
        {"Größe ÉTÉ", "größe|été|"},
        {"İzmir", "i\xcc\x87zmir|"},
        {"ΟΔΟΣ Мир", "οδοσ|мир|"},
        {"机器a学", "机|器|a|学|"},
        {"한국어 هذا हिन्दी", "한국어|هذا|हिन्दी|"},
        {"e\xcc\x81", "e\xcc\x81|"},
        {"a\xf0\x9f\x98\x80"
         "b",
         "a|b|"},
    };
    char out[256];
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CHECK_OK(&ctx, cut(&ctx, texts[i][0], strlen(texts[i][0]), out));
        CHECK_STR(out, texts[i][1]);
    }
    CHECK_OK(&ctx, cut(&ctx, "a\0b", 3, out));
    CHECK_STR(out, "a|b|");
}

static void
bad_texts(void)
{
    size_t length = ((size_t)1 << 20) + 7;
    char *text = malloc(length), *out = malloc(2 * length);
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(cut(&ctx, "ab\xff", 3, out), LM_BAD_TEXT);
    CHECK_EQ_INT(ctx.error.offset, 2);
    CHECK_EQ_INT(cut(&ctx, "a\xc3", 2, out), LM_BAD_TEXT);
    CHECK_EQ_INT(ctx.error.offset, 1);
    /* A character lies across the end of the first piece; then what follows it is broken. */
    memset(text, 'a', length);
    memcpy(text + ((size_t)1 << 20) - 1, "\xc3\xa9", 2);
    CHECK_OK(&ctx, cut(&ctx, text, length, out));
    CHECK_EQ_INT(strlen(out), length + 1);
    text[length - 2] = (char)0xa9;
    CHECK_EQ_INT(cut(&ctx, text, length, out), LM_BAD_TEXT);
    CHECK_EQ_INT(ctx.error.offset, length - 2);
    memset(text, ' ', length);
    text[10] = (char)0xff;
    CHECK_EQ_INT(cut(&ctx, text, length, out), LM_BAD_TEXT);
    CHECK_EQ_INT(ctx.error.offset, 10);
    free(text);
    free(out);
}

static void
stops_and_starves(void)
{
    enum { LENGTH = 100000 };
    static char text[LENGTH], out[2 * LENGTH];
    lm_context ctx;

    memset(text, 'A', LENGTH);
    for (int stop = 1; stop < 12; stop++) {
        fake_memory memory = {.stop_at = stop};

        fake_context(&ctx, &memory);
        CHECK_EQ_INT(cut(&ctx, text, LENGTH, out), LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    }
    for (int fail = 1; fail < 4; fail++) {
        fake_memory memory = {.fail_at = fail};

        fake_context(&ctx, &memory);
        CHECK_EQ_INT(cut(&ctx, text, LENGTH, out), LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    }
    {
        fake_memory memory = {.fail_at = 1};

        fake_context(&ctx, &memory);
        CHECK_EQ_INT(cut(&ctx, "é", 2, out), LM_NO_MEMORY);
    }
}

static const unit_case cases[] = {
    {"words of texts", words_of_texts},
    {"bad texts", bad_texts},
    {"stops and starves", stops_and_starves},
};

UNIT_MAIN(cases)
