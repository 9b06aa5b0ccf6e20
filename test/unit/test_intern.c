/*
 * test_intern.c - bytes to numbers: against a plain list, at every size of the table; order, lack
 * of memory, and cancels while it grows and along a chain.
 */
#include "base/intern.h"

#include "base/rng.h"
#include "fake.h"
#include "unit.h"

static void
numbers_in_order_of_sight(void)
{
    bool found;
    static const char *const words[] = {"",  "a", "12345678", "123456789",
                                        "a", "",  "\xff",     "123456789"};
    static const uint32_t wanted[] = {0, 1, 2, 3, 1, 0, 4, 3};
    fake_memory memory = {0};
    lm_context ctx;
    lm_intern intern;
    uint32_t number;

    fake_context(&ctx, &memory);
    lm_intern_init(&intern, &ctx, "words");
    CHECK_OK(&ctx, lm_intern_find(&intern, "a", 1, &found, &number));
    CHECK(!found);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        CHECK_OK(&ctx, lm_intern_add(&intern, words[i], strlen(words[i]), &number));
        CHECK_EQ_INT(number, wanted[i]);
        CHECK_OK(&ctx, lm_intern_find(&intern, words[i], strlen(words[i]), &found, &number));
        CHECK(found && number == wanted[i]);
    }
    CHECK_OK(&ctx, lm_intern_find(&intern, "123456780", 9, &found, &number));
    CHECK(!found && intern.count == 5);
    CHECK_OK(&ctx, lm_intern_add(&intern, "a\0b", 3, &number));
    CHECK_EQ_INT(number, 5);
    CHECK_OK(&ctx, lm_intern_add(&intern, "a\0c", 3, &number));
    CHECK_EQ_INT(number, 6);
    CHECK_EQ_INT(intern.count, 7);
    lm_intern_free(&intern);
    CHECK_EQ_INT(memory.live, 0);
}

/* Words of some length, the same for the same number; 3 bytes and 3 beyond LM_INTERN_SHORT. */
static size_t
word_of(uint32_t i, char *word)
{
    return (size_t)sprintf(word, "%s%u", i % 3 == 0 ? "a long one " : "", i * 2654435761u);
}

static void
many(void)
{
    enum { WORDS = 20000 };
    lm_context ctx;
    lm_intern intern;
    uint32_t *order, number;
    char word[32];
    lm_rng rng;

    lm_context_init(&ctx);
    lm_rng_seed(&rng, 3);
    lm_intern_init(&intern, &ctx, "words");
    for (uint32_t i = 0; i < WORDS; i++) {
        size_t length = word_of(i, word);
        uint32_t earlier = (uint32_t)lm_rng_below(&rng, i + 1);

        CHECK_OK(&ctx, lm_intern_add(&intern, word, length, &number));
        CHECK_EQ_INT(number, i);
        length = word_of(earlier, word);
        CHECK_OK(&ctx, lm_intern_add(&intern, word, length, &number));
        CHECK_EQ_INT(number, earlier);
    }
    for (uint32_t i = 0; i < WORDS; i++) {
        size_t length, wanted = word_of(i, word);
        const char *bytes = lm_intern_bytes(&intern, i, &length);

        CHECK(length == wanted && memcmp(bytes, word, length) == 0);
    }
    CHECK_OK(&ctx, lm_intern_sort(&intern, &order));
    for (uint32_t i = 1; i < WORDS; i++) {
        size_t a_length, b_length;
        const char *a = lm_intern_bytes(&intern, order[i - 1], &a_length);
        const char *b = lm_intern_bytes(&intern, order[i], &b_length);
        int compared = memcmp(a, b, a_length < b_length ? a_length : b_length);

        CHECK(compared < 0 || (compared == 0 && a_length < b_length));
    }
    lm_free(&ctx, order);
    lm_intern_free(&intern);
}

/* Thousands of a few words of `stop` or lack of memory; what was had is given back. */
static lm_status
fill(lm_context *ctx, uint32_t words)
{
    lm_intern intern;
    lm_status status = LM_OK;
    uint32_t *order = NULL, number;
    char word[32];

    lm_intern_init(&intern, ctx, "words");
    for (uint32_t i = 0; status == LM_OK && i < words; i++)
        status = lm_intern_add(&intern, word, word_of(i, word), &number);
    if (status == LM_OK)
        status = lm_intern_sort(&intern, &order);
    if (status == LM_OK)
        lm_free(ctx, order);
    lm_intern_free(&intern);
    return status;
}

static void
lack_of_memory(void)
{
    lm_status status = LM_NO_MEMORY;

    for (int n = 1; status != LM_OK && n < 200; n++) {
        fake_memory memory = {.fail_at = n};
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = fill(&ctx, 100);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static void
stops_on_cancel(void)
{
    lm_status status = LM_CANCELLED;
    int poll;

    for (poll = 1; status != LM_OK && poll < 10000; poll += 5) {
        fake_memory memory = {.stop_at = poll};
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = fill(&ctx, 40000);
        CHECK(status == LM_OK || status == LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    /* Each 8,192 entries when the table doubles, and each thousand and pass of the sort. */
    CHECK(poll > 8 + 40 * 6);
}

/* Words of eight bytes that differ in one byte only, wherever it is: chains stay short. */
static void
short_words_spread(void)
{
    fake_memory memory = {0};
    lm_context ctx;
    lm_intern intern;
    uint32_t number, count = 0;

    fake_context(&ctx, &memory);
    lm_intern_init(&intern, &ctx, "words");
    for (int at = 0; at < 8; at += 2)
        for (uint32_t i = 0; i < 65536; i++) {
            char word[] = "wordword";

            memcpy(word + at, &(uint16_t){(uint16_t)i}, 2);
            CHECK_OK(&ctx, lm_intern_add(&intern, word, 8, &number));
            count += number == count;
        }
    CHECK_EQ_INT(intern.count, count);
    CHECK(count >= 4 * 65535);
    /* Chains of 8,192 probes would each poll; growing does, 2¹⁸ ÷ 8,192 times and half as many. */
    CHECK(memory.polls <= 2 * (1 << 18) / 8192 + 20);
    lm_intern_free(&intern);
}

/* What an empty and a small table take: a state of each of thousands of groups holds two. */
static void
small_tables_are_small(void)
{
    fake_memory memory = {0};
    lm_context ctx;
    lm_intern intern;
    uint32_t number;

    fake_context(&ctx, &memory);
    lm_intern_init(&intern, &ctx, "words");
    CHECK_EQ_INT(memory.live, 0);
    CHECK_OK(&ctx, lm_intern_add(&intern, "spam", 4, &number));
    CHECK_EQ_INT(memory.live, 2);
    CHECK(intern.room * sizeof *intern.entries +
              (intern.bucket_mask + 1) * sizeof *intern.buckets <=
          96);
    lm_intern_free(&intern);
}

/* A sort that is cancelled leaves nothing to be freed. */
static void
cancelled_sort(void)
{
    fake_memory memory = {0};
    lm_context ctx;
    lm_intern intern;
    uint32_t *order = NULL, number;

    fake_context(&ctx, &memory);
    lm_intern_init(&intern, &ctx, "words");
    for (const char *word = "abcd"; *word; word++)
        CHECK_OK(&ctx, lm_intern_add(&intern, word, 1, &number));
    memory.stop_at = memory.polls + 1;
    CHECK_EQ_INT(lm_intern_sort(&intern, &order), LM_CANCELLED);
    CHECK(!order);
    lm_intern_free(&intern);
    CHECK_EQ_INT(memory.live, 0);
}

static const unit_case cases[] = {
    {"intern numbers in order of sight", numbers_in_order_of_sight},
    {"intern many", many},
    {"intern lack of memory", lack_of_memory},
    {"intern stops on cancel", stops_on_cancel},
    {"intern short words spread", short_words_spread},
    {"intern small tables are small", small_tables_are_small},
    {"cancelled sort", cancelled_sort},
};

UNIT_MAIN(cases)
