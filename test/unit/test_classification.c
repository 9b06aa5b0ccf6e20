/*
 * test_classification.c - scores of labels against figures of scikit-learn 1.9.1
 * (classification_report with zero_division=0) on labels from a linear congruence.
 */
#include "metrics/classification.h"

#include "fake.h"
#include "unit.h"

static uint32_t
next(uint32_t *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

/* 1,000 pairs of 12 labels and a 13th that is only predicted; a third of them drawn at random. */
static lm_status
add_pairs(lm_confusion *c, int from, int to)
{
    uint32_t state = 2024;

    for (int i = 0; i < to; i++) {
        uint32_t actual = (next(&state) >> 20) % 12, draw = next(&state);
        uint32_t predicted = (draw >> 12) % 3 == 0 ? (draw >> 20) % 13 : actual;
        char a[8], p[8];

        snprintf(a, sizeof a, "L%u", actual);
        snprintf(p, sizeof p, "L%u", predicted);
        if (i >= from)
            LM_TRY(lm_confusion_add(c, a, strlen(a), p, strlen(p), 1));
    }
    return LM_OK;
}

static const struct {
    const char *label;
    double precision, recall, f1;
    int support;
} expected[] = {
    {"L0", 0.709302325581395, 0.782051282051282, 0.74390243902439, 78},
    {"L1", 0.782051282051282, 0.648936170212766, 0.709302325581395, 94},
    {"L10", 0.788732394366197, 0.629213483146067, 0.7, 89},
    {"L11", 0.666666666666667, 0.705882352941177, 0.685714285714286, 68},
    {"L12", 0, 0, 0, 0},
    {"L2", 0.757575757575758, 0.714285714285714, 0.735294117647059, 70},
    {"L3", 0.65979381443299, 0.771084337349398, 0.711111111111111, 83},
    {"L4", 0.75, 0.702127659574468, 0.725274725274725, 94},
    {"L5", 0.607594936708861, 0.607594936708861, 0.607594936708861, 79},
    {"L6", 0.720430107526882, 0.744444444444444, 0.73224043715847, 90},
    {"L7", 0.742857142857143, 0.634146341463415, 0.684210526315789, 82},
    {"L8", 0.663157894736842, 0.663157894736842, 0.663157894736842, 95},
    {"L9", 0.666666666666667, 0.666666666666667, 0.666666666666667, 78},
};
#define EXPECTED (sizeof expected / sizeof expected[0])

static void
check_scores(lm_context *ctx, lm_confusion *c)
{
    lm_label_score *scores;
    lm_averages means;
    size_t count;

    CHECK_OK(ctx, lm_confusion_scores(c, &scores, &count));
    CHECK_EQ_INT(count, EXPECTED);
    for (size_t i = 0; i < count && i < EXPECTED; i++) {
        CHECK_EQ_INT(scores[i].length, strlen(expected[i].label));
        CHECK(memcmp(scores[i].label, expected[i].label, scores[i].length) == 0);
        CHECK_NEAR(scores[i].precision, expected[i].precision, 1e-14);
        CHECK_NEAR(scores[i].recall, expected[i].recall, 1e-14);
        CHECK_NEAR(scores[i].f1, expected[i].f1, 1e-14);
        CHECK_EQ_INT(scores[i].support, expected[i].support);
    }
    CHECK_OK(ctx, lm_confusion_averages(c, scores, count, &means));
    CHECK_NEAR(lm_confusion_accuracy(c), 0.688, 1e-15);
    CHECK_NEAR(means.micro.f1, 0.688, 1e-15);
    CHECK_NEAR(means.macro.precision, 0.654986845320822, 1e-14);
    CHECK_NEAR(means.macro.recall, 0.636122406429315, 1e-14);
    CHECK_NEAR(means.macro.f1, 0.6434207281492, 1e-13);
    CHECK_NEAR(means.weighted.precision, 0.71141510336004, 1e-14);
    CHECK_NEAR(means.weighted.recall, 0.688, 1e-14);
    CHECK_NEAR(means.weighted.f1, 0.697302917412623, 1e-14);
    CHECK_EQ_INT(means.weighted.support, 1000);
    lm_free(ctx, scores);
}

static void
equals_scikit_learn(void)
{
    lm_context ctx;
    lm_confusion *c;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    CHECK_OK(&ctx, add_pairs(c, 0, 1000));
    check_scores(&ctx, c);
    lm_confusion_free(c);
}

static void
merges(void)
{
    lm_context ctx;
    lm_confusion *c, *part;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    for (int i = 0; i < 10; i++) {
        CHECK_OK(&ctx, lm_confusion_create(&ctx, &part));
        CHECK_OK(&ctx, add_pairs(part, i * 100, i * 100 + 100));
        CHECK_OK(&ctx, lm_confusion_merge(c, part, NULL));
        lm_confusion_free(part);
    }
    check_scores(&ctx, c);
    lm_confusion_free(c);
}

static void
add_to_copy(void *opaque, const char *actual, size_t actual_length, const char *predicted,
            size_t predicted_length, uint64_t count)
{
    lm_confusion_add(opaque, actual, actual_length, predicted, predicted_length, count);
}

typedef struct order_check {
    char last[40];
    int visits;
} order_check;

static void
check_order(void *opaque, const char *actual, size_t actual_length, const char *predicted,
            size_t predicted_length, uint64_t count)
{
    order_check *o = opaque;
    char key[40];

    snprintf(key, sizeof key, "%.*s\x01%.*s", (int)actual_length, actual, (int)predicted_length,
             predicted);
    CHECK(strcmp(o->last, key) < 0);
    CHECK(count > 0);
    strcpy(o->last, key);
    o->visits++;
}

static void
visits_in_order(void)
{
    lm_context ctx;
    lm_confusion *c, *copy;
    order_check order = {"", 0};

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &copy));
    CHECK_OK(&ctx, add_pairs(c, 0, 1000));
    CHECK_OK(&ctx, lm_confusion_visit(c, check_order, &order));
    CHECK_OK(&ctx, lm_confusion_visit(c, add_to_copy, copy));
    CHECK(order.visits > 50);
    check_scores(&ctx, copy);
    lm_confusion_free(c);
    lm_confusion_free(copy);
}

/* Labels are bytes: empty, with NUL, one the prefix of the other; many of them. */
static void
takes_any_bytes(void)
{
    lm_context ctx;
    lm_confusion *c;
    lm_label_score *scores;
    size_t count;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    CHECK_NEAR(lm_confusion_accuracy(c), 0, 0);
    CHECK_OK(&ctx, lm_confusion_add(c, "", 0, "a", 1, 1));
    CHECK_OK(&ctx, lm_confusion_add(c, "a\0b", 3, "a", 1, 1));
    CHECK_OK(&ctx, lm_confusion_add(c, "a", 1, "a", 1, 2));
    CHECK_OK(&ctx, lm_confusion_add(c, "z", 1, "z", 1, 0));
    CHECK_NEAR(lm_confusion_accuracy(c), 0.5, 0);
    for (uint32_t i = 0; i < 5000; i++)
        CHECK_OK(&ctx, lm_confusion_add(c, (char *)&i, 4, (char *)&i, 4, 3));
    CHECK_OK(&ctx, lm_confusion_scores(c, &scores, &count));
    CHECK_EQ_INT(count, 5003);
    CHECK_EQ_INT(scores[0].length, 0);
    CHECK_EQ_INT(lm_confusion_total(c), 15004);
    CHECK_EQ_INT(lm_confusion_add(c, "a", 1, "a", 1, UINT64_MAX), LM_TOO_LARGE);
    CHECK_EQ_INT(lm_confusion_total(c), 15004);
    lm_free(&ctx, scores);
    lm_confusion_free(c);
}

static lm_status
count_all(lm_context *ctx)
{
    lm_confusion *c;
    lm_label_score *scores = NULL;
    size_t count;
    order_check order = {"", 0};
    lm_status status = lm_confusion_create(ctx, &c);

    if (status == LM_OK)
        status = add_pairs(c, 0, 300);
    if (status == LM_OK)
        status = lm_confusion_scores(c, &scores, &count);
    if (status == LM_OK)
        status = lm_confusion_visit(c, check_order, &order);
    lm_free(ctx, scores);
    lm_confusion_free(c);
    return status;
}

static void
survives_no_memory(void)
{
    lm_status status = LM_NO_MEMORY;

    for (int n = 1; status != LM_OK && n < 200; n++) {
        fake_memory memory = {.fail_at = n};
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = count_all(&ctx);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

/* As many labels as rows, merged and sent on; polls and lets go of all at a cancel. */
static lm_status
count_many(lm_context *ctx)
{
    lm_confusion *c, *whole = NULL;
    void *received = NULL;
    lm_label_score *scores = NULL;
    lm_averages means;
    size_t count;
    lm_buffer sent;
    order_check order = {"", 0};
    lm_status status = lm_confusion_create(ctx, &c);

    if (status == LM_OK)
        status = lm_confusion_create(ctx, &whole);
    for (int i = 0; status == LM_OK && i < 20000; i++) {
        char label[16];
        int length = snprintf(label, sizeof label, "%d", i * 7919);

        status = lm_confusion_add(c, label, (size_t)length, label, (size_t)length, 1);
    }
    if (status == LM_OK)
        status = lm_confusion_merge(whole, c, NULL);
    if (status == LM_OK)
        status = lm_confusion_scores(whole, &scores, &count);
    if (status == LM_OK)
        status = lm_confusion_averages(whole, scores, count, &means);
    if (status == LM_OK)
        status = lm_confusion_visit(whole, check_order, &order);
    lm_buffer_init(&sent, ctx);
    if (status == LM_OK)
        status = lm_label_pairs.write(whole, &sent);
    if (status == LM_OK)
        status = lm_label_pairs.create(ctx, &received);
    if (status == LM_OK)
        status = lm_label_pairs.read(received, sent.data, sent.size);
    lm_free(ctx, scores);
    lm_buffer_free(&sent);
    lm_confusion_free(c);
    lm_confusion_free(whole);
    lm_label_pairs.free(received);
    return status;
}

static void
stops_on_cancel(void)
{
    lm_status status = LM_CANCELLED;
    int poll;

    for (poll = 1; status != LM_OK && poll < 10000; poll += 7) {
        fake_memory memory = {.stop_at = poll};
        lm_context ctx;

        fake_context(&ctx, &memory);
        status = count_many(&ctx);
        CHECK(status == LM_OK || status == LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
    /* Sorts of 20,000 labels, twice, and of as many pairs: a poll for each thousand and pass. */
    CHECK(poll > 3 * 20 * 6);
}

/* The last phase of f1 over as many labels as rows: its loops poll, every one. */
static void
final_phase_stops(void)
{
    enum { LABELS = 100000 };
    fake_memory memory = {0};
    lm_metric_value none[2] = {{0}};
    lm_context ctx;
    lm_confusion *c;
    lm_label_score *scores;
    lm_averages means;
    double value;
    size_t count;
    int polls;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    for (uint32_t i = 0; i < LABELS; i++)
        CHECK_OK(&ctx, lm_confusion_add(c, (char *)&i, sizeof i, (char *)&i, sizeof i, 1));
    memory.polls = 0;
    CHECK_OK(&ctx, lm_f1_result(c, none, &value));
    CHECK_NEAR(value, 1, 1e-9);
    polls = memory.polls;
    for (int stop = 1; stop <= polls; stop += stop < polls - 30 ? 29 : 1) {
        memory.stop_at = memory.polls + stop;
        CHECK_EQ_INT(lm_f1_result(c, none, &value), LM_CANCELLED);
    }
    memory.stop_at = 0;
    CHECK_OK(&ctx, lm_confusion_scores(c, &scores, &count));
    memory.polls = 0;
    CHECK_OK(&ctx, lm_confusion_averages(c, scores, count, &means));
    CHECK(memory.polls >= LABELS / 8192);
    lm_free(&ctx, scores);
    lm_confusion_free(c);
    CHECK_EQ_INT(memory.live, 0);
}

/* Adds up what is allocated. */
static size_t bytes_taken;

static void *
counting_alloc(void *opaque, size_t size)
{
    bytes_taken += size;
    return malloc(size);
}

static void *
counting_realloc(void *opaque, void *pointer, size_t size)
{
    bytes_taken += size;
    return realloc(pointer, size);
}

/* A group of an aggregate with a few labels. */
static void
small_counts_are_small(void)
{
    lm_context ctx;
    lm_confusion *c;

    lm_context_init(&ctx);
    ctx.alloc = counting_alloc;
    ctx.realloc = counting_realloc;
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    CHECK_OK(&ctx, lm_confusion_add(c, "spam", 4, "ham", 3, 1));
    CHECK_OK(&ctx, lm_confusion_add(c, "ham", 3, "ham", 3, 1));
    CHECK(bytes_taken < 800);
    lm_confusion_free(c);
}

/* Labels get another name on the way. */
static void
rename_label(void *opaque, const char **bytes, size_t *length)
{
    *bytes = *length == 1 ? "one" : "other";
    *length = strlen(*bytes);
}

static void
merges_by_a_map(void)
{
    const lm_label_map map = {rename_label, NULL};
    lm_context ctx;
    lm_confusion *c, *part;
    lm_label_score *scores;
    size_t count;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &part));
    CHECK_OK(&ctx, lm_confusion_add(part, "a", 1, "bb", 2, 3));
    CHECK_OK(&ctx, lm_confusion_add(part, "b", 1, "c", 1, 4));
    CHECK_OK(&ctx, lm_confusion_merge(c, part, &map));
    CHECK_OK(&ctx, lm_confusion_scores(c, &scores, &count));
    CHECK_EQ_INT(count, 2);
    CHECK_EQ_INT(scores[0].support, 7);
    CHECK_EQ_INT(scores[1].support, 0);
    CHECK_NEAR(lm_confusion_accuracy(c), 4.0 / 7, 1e-15);
    lm_free(&ctx, scores);
    lm_confusion_free(part);
    lm_confusion_free(c);
}

static void
travels(void)
{
    lm_context ctx;
    lm_confusion *c;
    void *received;
    lm_buffer sent;

    lm_context_init(&ctx);
    lm_buffer_init(&sent, &ctx);
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    CHECK_OK(&ctx, add_pairs(c, 0, 1000));
    CHECK_OK(&ctx, lm_label_pairs.write(c, &sent));
    CHECK_OK(&ctx, lm_label_pairs.create(&ctx, &received));
    CHECK_OK(&ctx, lm_label_pairs.read(received, sent.data, sent.size));
    check_scores(&ctx, received);
    lm_label_pairs.free(received);
    /* Cut inside a label or a pair it is not whole: all sizes, but for one in 16 behind the labels.
     */
    for (size_t size = 0, refused = 0; size < sent.size; size++) {
        CHECK_OK(&ctx, lm_label_pairs.create(&ctx, &received));
        refused += lm_label_pairs.read(received, sent.data, size) == LM_CORRUPT;
        CHECK(refused + size / 16 + 1 > size);
        lm_label_pairs.free(received);
    }
    /* A label twice, and a pair of a label that is not there. */
    memset(sent.data + 4, 0, 16);
    CHECK_OK(&ctx, lm_label_pairs.create(&ctx, &received));
    CHECK_EQ_INT(lm_label_pairs.read(received, sent.data, sent.size), LM_CORRUPT);
    lm_label_pairs.free(received);
    CHECK_OK(&ctx, lm_label_pairs.create(&ctx, &received));
    memset(sent.data, 0, 4);
    CHECK_EQ_INT(lm_label_pairs.read(received, sent.data, sent.size), LM_CORRUPT);
    lm_label_pairs.free(received);
    lm_confusion_free(c);
    lm_buffer_free(&sent);
}

static lm_metric_value
word(const char *text)
{
    return (lm_metric_value){.bytes = text, .length = text ? strlen(text) : 0};
}

static void
f1_settings(void)
{
    static const struct {
        const char *average, *label;
        lm_status status;
        double value;
    } tries[] = {
        {NULL, NULL, LM_OK, 0.6434207281492}, {"macro", NULL, LM_OK, 0.6434207281492},
        {"micro", NULL, LM_OK, 0.688},        {"weighted", NULL, LM_OK, 0.697302917412623},
        {"binary", "L9", LM_OK, 2.0 / 3},     {"binary", "L99", LM_OK, 0},
        {"binary", NULL, LM_BAD_ARGUMENT, 0}, {"macro", "L9", LM_BAD_ARGUMENT, 0},
        {"Macro", NULL, LM_BAD_ARGUMENT, 0},  {"", NULL, LM_BAD_ARGUMENT, 0},
    };
    lm_context ctx;
    lm_confusion *c;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_confusion_create(&ctx, &c));
    CHECK_OK(&ctx, add_pairs(c, 0, 1000));
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        const lm_metric_value settings[] = {word(tries[i].average), word(tries[i].label)};
        double value;

        CHECK_EQ_INT(lm_f1_check(&ctx, settings), tries[i].status);
        if (tries[i].status != LM_OK)
            continue;
        CHECK_OK(&ctx, lm_f1_result(c, settings, &value));
        CHECK_NEAR(value, tries[i].value, 1e-13);
    }
    lm_confusion_free(c);
}

static const unit_case cases[] = {
    {"classification equals scikit-learn", equals_scikit_learn},
    {"classification counts merge", merges},
    {"classification visits in order", visits_in_order},
    {"classification takes any bytes as labels", takes_any_bytes},
    {"classification stops on cancel", stops_on_cancel},
    {"classification stops in its last phase", final_phase_stops},
    {"classification counts of a group are small", small_counts_are_small},
    {"classification counts merge by a map", merges_by_a_map},
    {"classification counts travel", travels},
    {"classification f1 obeys its settings", f1_settings},
    {"classification survives lack of memory", survives_no_memory},
};

UNIT_MAIN(cases)
