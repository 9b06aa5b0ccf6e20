/*
 * test_augment.c - variants of a text: operations, seeds, edges, every failing allocation and poll;
 * texts that are kept for a training (train/augmented.h). What SQL gives is in sql/explore.sql.
 */
#include "fake.h"
#include "train/augmented.h"
#include "unit.h"

#define FOX "The quick brown fox jumps over the lazy dog"

static const lm_synonym synonyms[] = {{{"QUICK", 5}, {"fast", 4}}, {{"dog", 3}, {"hound", 5}}};

static lm_text
text_of(const char *bytes)
{
    return (lm_text){bytes, strlen(bytes)};
}

static lm_status
vary(lm_context *ctx, const char *text, const char *op, double share, uint64_t seed,
     lm_buffer *variant)
{
    const lm_augment_op *const ops[] = {lm_augment_op_find(op)};
    lm_augmenter a;
    size_t others = 0;
    lm_status status;

    lm_augment_open(&a, ctx, share);
    a.synonyms = synonyms;
    a.synonym_count = 2;
    status = lm_augment_other(&a, text_of("one two three four"), &others);
    if (status == LM_OK)
        status = lm_augment_run(&a, text_of(text), ops, 1, seed, 0, variant);
    lm_augment_close(&a);
    return status;
}

static void
check_variant(const char *text, const char *op, double share, uint64_t seed, const char *wanted)
{
    lm_context ctx;
    lm_buffer variant;

    lm_context_init(&ctx);
    lm_buffer_init(&variant, &ctx);
    CHECK_OK(&ctx, vary(&ctx, text, op, share, seed, &variant));
    CHECK_OK(&ctx, lm_buffer_append_byte(&variant, 0));
    CHECK_STR(variant.data, wanted);
    lm_buffer_free(&variant);
}

static void
operations(void)
{
    check_variant(FOX, "synonyms", 1, 7, "The fast brown fox jumps over the lazy hound");
    check_variant(" a \t b\n", "swap", 0.1, 1, "b a");
    check_variant("a b", "delete", 1, 1, "a");
    check_variant("a", "swap", 1, 1, "a");
    check_variant("a", "crop", 1, 1, "a");
    check_variant("a", "insert", 1, 1, "a a");
    check_variant("1 2", "keyboard", 1, 1, "1 2");
    check_variant("a b c d", "mix", 1, 1, "one two three four");
    check_variant(" \n", "mix", 1, 1, "");
    CHECK(lm_augment_op_find("shout") == NULL);
}

/* Words of each variant are words of the text, as many as the operation leaves. */
static void
seeds(void)
{
    lm_context ctx;
    lm_buffer one, two;
    int others = 0;

    lm_context_init(&ctx);
    lm_buffer_init(&one, &ctx);
    lm_buffer_init(&two, &ctx);
    for (uint64_t seed = 0; seed < 50; seed++) {
        one.size = two.size = 0;
        CHECK_OK(&ctx, vary(&ctx, FOX, "delete", 0.2, seed, &one));
        CHECK_OK(&ctx, vary(&ctx, FOX, "delete", 0.2, seed, &two));
        CHECK(one.size == two.size && memcmp(one.data, two.data, one.size) == 0);
        two.size = 0;
        CHECK_OK(&ctx, vary(&ctx, FOX, "delete", 0.2, seed + 1, &two));
        others += one.size != two.size || memcmp(one.data, two.data, one.size) != 0;
    }
    CHECK(others > 40);
    lm_buffer_free(&one);
    lm_buffer_free(&two);
}

/* Of two texts, in two epochs. */
static lm_status
keep_and_vary(lm_context *ctx, lm_buffer variants[4])
{
    const lm_augmented_options options = {
        {lm_augment_op_find("swap"), lm_augment_op_find("keyboard")}, 2, 0.5, 9};
    lm_augmented a;
    lm_status status;

    lm_augmented_open(&a, ctx, &options);
    status = lm_augmented_add(&a, text_of(FOX));
    if (status == LM_OK)
        status = lm_augmented_add(&a, text_of(" "));
    for (uint64_t i = 0; status == LM_OK && i < 4; i++)
        status = lm_augmented_variant(&a, i / 2, i % 2, &variants[i]);
    if (status == LM_OK)
        CHECK_EQ_INT(lm_augmented_text(&a, 1).length, 1);
    lm_augmented_close(&a);
    return status;
}

static lm_status
kept_once(fake_memory *memory, bool look)
{
    lm_buffer variants[4];
    lm_context ctx;
    lm_status status;

    fake_context(&ctx, memory);
    for (int i = 0; i < 4; i++)
        lm_buffer_init(&variants[i], &ctx);
    status = keep_and_vary(&ctx, variants);
    if (look) {
        CHECK_EQ_INT(variants[0].size, strlen(FOX));
        CHECK_EQ_INT(variants[1].size, strlen(FOX));
        CHECK(memcmp(variants[0].data, variants[1].data, variants[0].size) != 0);
        CHECK(variants[2].size == 1 && variants[2].data[0] == ' ');
    }
    for (int i = 0; i < 4; i++)
        lm_buffer_free(&variants[i]);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
kept(void)
{
    fake_memory whole = {.fail_at = 0};

    CHECK_EQ_INT(kept_once(&whole, true), LM_OK);
    CHECK(whole.calls > 3 && whole.polls > 3);
    for (int at = unit_next_fault(0); at <= whole.calls; at = unit_next_fault(at))
        CHECK_EQ_INT(kept_once(&(fake_memory){.fail_at = at}, false), LM_NO_MEMORY);
    for (int at = unit_next_fault(0); at <= whole.polls; at = unit_next_fault(at))
        CHECK_EQ_INT(kept_once(&(fake_memory){.stop_at = at}, false), LM_CANCELLED);
}

static lm_status
vary_once(fake_memory *memory, const char *op)
{
    lm_context ctx;
    lm_buffer variant;
    lm_status status;

    fake_context(&ctx, memory);
    lm_buffer_init(&variant, &ctx);
    status = vary(&ctx, FOX, op, 0.5, 3, &variant);
    lm_buffer_free(&variant);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
failures(void)
{
    for (const lm_augment_op *op = lm_augment_ops; op->name; op++) {
        fake_memory whole = {.fail_at = 0};

        CHECK_EQ_INT(vary_once(&whole, op->name), LM_OK);
        for (int at = 1; at <= whole.calls; at++)
            CHECK_EQ_INT(vary_once(&(fake_memory){.fail_at = at}, op->name), LM_NO_MEMORY);
        for (int at = 1; at <= whole.polls; at++)
            CHECK_EQ_INT(vary_once(&(fake_memory){.stop_at = at}, op->name), LM_CANCELLED);
    }
}

static const unit_case cases[] = {
    {"operations change words", operations},
    {"a seed repeats", seeds},
    {"texts are kept, and vary by epoch", kept},
    {"every allocation and poll may fail", failures},
};

UNIT_MAIN(cases)
