/*
 * test_entities_scores.c - entities in tags against seqeval 1.2.2, in its loose reading and by each
 * scheme; refusals, failing allocations and polls.
 */
#include "metrics/entities.h"

#include "fake.h"
#include "unit.h"

#define TOKENS 8

typedef struct sentence {
    const char *actual, *predicted; /* tags between blanks */
} sentence;

/* The tags of a text between blanks. */
static size_t
split(const char *text, lm_text *tags)
{
    size_t count = 0;

    while (*text) {
        size_t length = strcspn(text, " ");

        tags[count++] = (lm_text){text, length};
        text += length + strspn(text + length, " ");
    }
    return count;
}

static lm_status
add(lm_entities *entities, const sentence *s)
{
    lm_text actual[TOKENS], predicted[TOKENS];
    size_t count = split(s->actual, actual);

    split(s->predicted, predicted);
    return lm_entities_add(entities, actual, predicted, count);
}

static const sentence corpus[] = {
    {"B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC"},
    {"B-PER O B-LOC I-LOC", "B-PER I-PER O I-LOC"},
    {"O I-ORG I-ORG B-ORG", "O I-ORG I-ORG I-ORG"},
    {"B-LOC", "B-MISC"},
    {"", ""},
};
#define SENTENCES (sizeof corpus / sizeof corpus[0])

static lm_status
score(lm_context *ctx, const char *scheme, lm_label_score *found, size_t room, size_t *count,
      lm_averages *means)
{
    lm_entities *entities;
    lm_label_score *scores;
    lm_status status = lm_entities_create(ctx, scheme, &entities);

    for (size_t i = 0; status == LM_OK && i < SENTENCES; i++)
        status = add(entities, &corpus[i]);
    if (status == LM_OK)
        status = lm_entities_scores(entities, &scores, count, means);
    if (status == LM_OK) {
        memcpy(found, scores, (*count < room ? *count : room) * sizeof *found);
        lm_free(ctx, scores);
    }
    lm_entities_free(entities);
    return status;
}

static void
reads_loosely(void)
{
    static const struct {
        double precision, recall, f1;
        uint64_t support;
    } expected[] = {{.5, 1. / 3, .4, 3}, {0, 0, 0, 0}, {0, 0, 0, 2}, {.5, .5, .5, 2}};
    lm_label_score found[4];
    lm_averages means;
    lm_context ctx;
    size_t count;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, score(&ctx, NULL, found, 4, &count, &means));
    CHECK_EQ_INT(count, 4);
    for (size_t i = 0; i < 4; i++) {
        CHECK_NEAR(found[i].precision, expected[i].precision, 1e-15);
        CHECK_NEAR(found[i].recall, expected[i].recall, 1e-15);
        CHECK_NEAR(found[i].f1, expected[i].f1, 1e-15);
        CHECK_EQ_INT(found[i].support, expected[i].support);
    }
    CHECK_NEAR(means.micro.f1, 4. / 13, 1e-15);
    CHECK_NEAR(means.macro.f1, .225, 1e-15);
    CHECK_NEAR(means.weighted.precision, 5. / 14, 1e-15);
    CHECK_EQ_INT(means.weighted.support, 7);
}

static void
reads_strictly(void)
{
    lm_label_score found[4];
    lm_averages means;
    lm_context ctx;
    size_t count;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, score(&ctx, "IOB2", found, 4, &count, &means));
    CHECK_EQ_INT(count, 4);
    CHECK_NEAR(means.micro.f1, .4, 1e-15);
    CHECK_NEAR(means.weighted.f1, 5. / 12, 1e-15);
    CHECK_OK(&ctx, score(&ctx, "IOB1", found, 4, &count, &means));
    CHECK_EQ_INT(count, 3);
    CHECK_NEAR(means.micro.f1, .5, 1e-15);
}

/* The number of entities in one sequence. */
static uint64_t
entities_of(const char *scheme, const char *tags)
{
    const sentence s = {tags, tags};
    lm_entities *entities;
    lm_label_score *scores;
    lm_averages means;
    lm_context ctx;
    size_t count;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_entities_create(&ctx, scheme, &entities));
    CHECK_OK(&ctx, add(entities, &s));
    CHECK_OK(&ctx, lm_entities_scores(entities, &scores, &count, &means));
    CHECK(means.micro.support == 0 || means.micro.f1 == 1);
    lm_free(&ctx, scores);
    lm_entities_free(entities);
    return means.micro.support;
}

static void
knows_schemes(void)
{
    CHECK_EQ_INT(entities_of(NULL, "B-A I-A E-A S-B L-C"), 3);
    CHECK_EQ_INT(entities_of(NULL, "B I BX O-"), 2);
    CHECK_EQ_INT(entities_of("IOBES", "B-A I-A E-A S-B O B-C"), 2);
    CHECK_EQ_INT(entities_of("IOBES", "B-A I-B E-A"), 0);
    CHECK_EQ_INT(entities_of("BILOU", "B-A I-A L-A U-B"), 2);
    CHECK_EQ_INT(entities_of("BILOU", "B-A O"), 0);
    CHECK_EQ_INT(entities_of("IOE2", "I-A I-A E-A E-B"), 2);
    CHECK_EQ_INT(entities_of("IOE1", "I-A I-A O I-B"), 2);
    CHECK_EQ_INT(entities_of("IOB1", "I-A B-A I-A"), 2);
    CHECK_EQ_INT(entities_of("IOB2", "B--A- I-A O"), 1);
    CHECK_EQ_INT(entities_of("IOB2", "O O"), 0);
}

static void
refuses(void)
{
    static const lm_text empty = {"", 0}, outside = {"O", 1}, strange = {"X-A", 3};
    lm_entities *entities;
    lm_context ctx;

    lm_context_init(&ctx);
    CHECK_EQ_INT(lm_entities_create(&ctx, "IO", &entities), LM_BAD_ARGUMENT);
    lm_entities_free(entities);
    CHECK_OK(&ctx, lm_entities_create(&ctx, NULL, &entities));
    CHECK_EQ_INT(lm_entities_add(entities, &empty, &outside, 1), LM_BAD_ARGUMENT);
    CHECK_OK(&ctx, lm_entities_add(entities, &strange, &outside, 1));
    lm_entities_free(entities);
    CHECK_OK(&ctx, lm_entities_create(&ctx, "BILOU", &entities));
    CHECK_EQ_INT(lm_entities_add(entities, &outside, &strange, 1), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(lm_entities_add(entities, &outside, &empty, 1), LM_BAD_ARGUMENT);
    lm_entities_free(entities);
}

static void
survives_faults(void)
{
    fake_memory memory = {0};
    lm_label_score found[4];
    lm_averages means;
    lm_context ctx;
    size_t count;
    int calls, polls;

    fake_context(&ctx, &memory);
    CHECK_OK(&ctx, score(&ctx, "IOB2", found, 4, &count, &means));
    CHECK_EQ_INT(memory.live, 0);
    calls = memory.calls;
    polls = memory.polls;
    CHECK(polls > 0);
    for (int at = 1; at <= calls; at++) {
        memory = (fake_memory){.fail_at = at};
        CHECK_EQ_INT(score(&ctx, "IOB2", found, 4, &count, &means), LM_NO_MEMORY);
        CHECK_EQ_INT(memory.live, 0);
    }
    for (int at = 1; at <= polls; at++) {
        memory = (fake_memory){.stop_at = at};
        CHECK_EQ_INT(score(&ctx, "IOB2", found, 4, &count, &means), LM_CANCELLED);
        CHECK_EQ_INT(memory.live, 0);
    }
}

static const unit_case cases[] = {
    {"entities are read loosely", reads_loosely}, {"entities are read strictly", reads_strictly},
    {"entities of schemes", knows_schemes},       {"entities refuse", refuses},
    {"entities survive faults", survives_faults},
};

UNIT_MAIN(cases)
