/*
 * test_tag_words.c - words as one text, and its tags as theirs: where words end, what has no token,
 * tokens that begin at the space before a word, every failing allocation and poll.
 */
#include "base/size.h"
#include "task/tag_words.h"
#include "fake.h"
#include "unit.h"

#define WORD(literal)               \
    {                               \
        literal, sizeof literal - 1 \
    }

static void
joined(void)
{
    static const lm_text words[] = {WORD("\xe6\x97\xa5"), WORD(""), WORD("cat")};
    fake_memory memory = {0};
    lm_context ctx;
    lm_buffer text;
    int32_t stops[3];

    fake_context(&ctx, &memory);
    lm_buffer_init(&text, &ctx);
    CHECK_OK(&ctx, lm_tag_words_join(&text, words, 3, stops));
    CHECK(text.size == 8 && memcmp(text.data, "\xe6\x97\xa5  cat", 8) == 0);
    CHECK(stops[0] == 1 && stops[1] == 2 && stops[2] == 6);
    CHECK_OK(&ctx, lm_tag_words_join(&text, words, 0, stops));
    CHECK_EQ_INT(text.size, 8);
    lm_buffer_free(&text);
    CHECK_EQ_INT(memory.live, 0);
}

/* "ab  c d": the second word is empty, the third's first token is the space before it. */
static void
labels(void)
{
    static const int32_t stops[] = {2, 3, 5, 7, 9};
    static const lm_tag tags[] = {{.start = 0, .stop = 1, .label = 4},
                                  {.start = 1, .stop = 2, .label = 1},
                                  {.start = 3, .stop = 4, .label = 2},
                                  {.start = 4, .stop = 5, .label = 1},
                                  {.start = 8, .stop = 9, .label = 0}};
    static const int32_t wanted[] = {4, -1, 2, -1, 0};
    int32_t got[5];

    lm_tag_words_labels(tags, 5, stops, 5, got);
    for (int i = 0; i < 5; i++)
        CHECK_EQ_INT(got[i], wanted[i]);
    lm_tag_words_labels(NULL, 0, stops, 5, got);
    for (int i = 0; i < 5; i++)
        CHECK_EQ_INT(got[i], -1);
}

static void
faults(void)
{
    enum { WORDS = 3000 };
    static const lm_text word = WORD("word");
    lm_text words[WORDS];
    int32_t stops[WORDS];
    lm_status status;
    int n = 0;

    for (int i = 0; i < WORDS; i++)
        words[i] = word;
    do {
        fake_memory memory = {0};
        lm_context ctx;
        lm_buffer text;

        fake_context(&ctx, &memory);
        memory.fail_at = ++n;
        lm_buffer_init(&text, &ctx);
        status = lm_tag_words_join(&text, words, WORDS, stops);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        lm_buffer_free(&text);
        CHECK_EQ_INT(memory.live, 0);
    } while (status != LM_OK && n < 100);
    CHECK(n > 1 && n < 100);
    for (n = 1; n <= 2; n++) {
        fake_memory memory = {0};
        lm_context ctx;
        lm_buffer text;

        fake_context(&ctx, &memory);
        memory.stop_at = n;
        lm_buffer_init(&text, &ctx);
        CHECK_EQ_INT(lm_tag_words_join(&text, words, WORDS, stops), LM_CANCELLED);
        lm_buffer_free(&text);
    }
}

static const unit_case cases[] = {{"joined", joined}, {"labels", labels}, {"faults", faults}};

UNIT_MAIN(cases)
