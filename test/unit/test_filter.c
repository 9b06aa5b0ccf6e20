/*
 * test_filter.c - bounds of a share as scipy gives them, the sequence of thresholds, and filters:
 * how many answers they ask for, what they prove, and what they refuse.
 */
#include "train/filter.h"

#include "base/rng.h"
#include "fake.h"
#include "model/head.h"
#include "train/bound.h"
#include "train/certify.h"
#include "unit.h"

/* scipy.stats.beta.ppf(alpha, right, rows - right + 1), version 1.17.1. */
static void
bounds_are_scipys(void)
{
    static const struct {
        size_t right, rows;
        double alpha, bound;
    } known[] = {
        {58, 59, 0.05, 0.9221020784811816},
        {59, 59, 0.05, 0.950492390111773},
        {480, 500, 0.05, 0.9424044378844489},
        {390, 400, 0.01, 0.9502752790500406},
        {1, 3, 0.2, 0.07168223327744422},
        {99999, 100000, 0.001, 0.9999076696662654},
        {0, 10, 0.05, 0},
        {0, 0, 0.05, 0},
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        CHECK(fabs(lm_share_bound(known[i].right, known[i].rows, known[i].alpha) - known[i].bound) <
              1e-12);
    CHECK_EQ_INT(lm_share_rows(0.95, 0.05), 59);
    CHECK_EQ_INT(lm_share_rows(0.99, 0.05), 299);
    CHECK_EQ_INT(lm_share_rows(0.9, 0.1), 22);
    CHECK(lm_beta_below(2, 3, 0) == 0 && lm_beta_below(2, 3, 1) == 1);
    CHECK(fabs(lm_beta_below(2, 3, 0.5) - 0.6875) < 1e-15);
}

/* How often the bound lies above the truth, summed over all outcomes: never more than alpha. */
static void
bounds_hold(void)
{
    static const double shares[] = {0.5, 0.9, 0.95, 0.99};
    enum { ROWS = 80 };

    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double above = 0;

        for (int right = 0; right <= ROWS; right++)
            if (lm_share_bound((size_t)right, ROWS, 0.05) > shares[i])
                above += exp(lgamma(ROWS + 1) - lgamma(right + 1) - lgamma(ROWS - right + 1) +
                             right * log(shares[i]) + (ROWS - right) * log(1 - shares[i]));
        CHECK(above <= 0.05);
    }
}

enum { DISTANCES = 1000, SAMPLE = 400 };

/* Distances 0.001 … 1, evenly; the sample likewise, of which rows nearer than `wrong` disagree. */
static lm_certificate
certify(double wrong, size_t sample_count)
{
    static double distances[DISTANCES];
    static lm_certify_row sample[SAMPLE];
    lm_certificate certificate;

    for (int i = 0; i < DISTANCES; i++)
        distances[i] = (i + 1) / (double)DISTANCES;
    for (int i = 0; i < SAMPLE; i++)
        sample[i] = (lm_certify_row){(i + 0.5) / SAMPLE, (i + 0.5) / SAMPLE >= wrong};
    lm_certify(distances, DISTANCES, sample, sample_count, 0.95, 0.95, &certificate);
    return certificate;
}

/* The same where rows beyond `wrong` disagree. */
static lm_certificate
certify_ends(double wrong)
{
    static double distances[DISTANCES];
    static lm_certify_row sample[SAMPLE];
    lm_certificate certificate;

    for (int i = 0; i < DISTANCES; i++)
        distances[i] = (i + 1) / (double)DISTANCES;
    for (int i = 0; i < SAMPLE; i++)
        sample[i] = (lm_certify_row){(i + 0.5) / SAMPLE, (i + 0.5) / SAMPLE < wrong};
    lm_certify(distances, DISTANCES, sample, SAMPLE, 0.95, 0.95, &certificate);
    return certificate;
}

static void
thresholds(void)
{
    lm_certificate c = certify(0, SAMPLE);

    CHECK(c.proven && c.distance == 0 && c.share == 1);
    CHECK_EQ_INT(c.decided, SAMPLE);
    CHECK_EQ_INT(c.agreed, SAMPLE);
    /* A fifth is wrong, all of it near the boundary: about so much is left undecided. */
    c = certify(0.2, SAMPLE);
    CHECK(c.proven && c.bound >= 0.95);
    CHECK(c.distance > 0.15 && c.distance < 0.25);
    CHECK(fabs(c.share - (1 - c.distance)) < 0.01);
    /* Of the three starts it has passed the first two. */
    CHECK(fabs(c.bound - lm_share_bound(c.agreed, c.decided, (1 - 0.95) * 2 / 3)) < 1e-12);
    /* The surest rows are wrong, but few: a start behind them finds enough. */
    c = certify_ends(0.98);
    CHECK(c.proven && c.share == 1);
    CHECK_EQ_INT(c.agreed, c.decided - 8);
    /* Wrong everywhere: what came nearest is told. */
    c = certify(2, SAMPLE);
    CHECK(!c.proven && c.agreed == 0 && c.bound == 0);
    CHECK(c.decided >= 59 && c.decided <= SAMPLE);
    /* Too few rows, or none, prove nothing. */
    CHECK(!certify(0, 30).proven);
    CHECK(!certify(0, 0).proven);
}

/* Rows at one distance are all decided, or none. */
static void
equal_distances(void)
{
    static double distances[DISTANCES];
    static lm_certify_row sample[SAMPLE];
    lm_certificate c;

    for (int i = 0; i < DISTANCES; i++)
        distances[i] = i < DISTANCES / 4 ? 1 : 2;
    for (int i = 0; i < SAMPLE; i++)
        sample[i] = i % 4 == 0 ? (lm_certify_row){1, false} : (lm_certify_row){2, true};
    lm_certify(distances, DISTANCES, sample, SAMPLE, 0.95, 0.95, &c);
    CHECK(c.proven && c.distance == 1.5 && c.share == 0.75);
    CHECK_EQ_INT(c.decided, 300);
}

/* ---- Filters ---- */

enum { ROWS = 700, WIDTH = 3, TEXTS = 650, TEXT = 16 };

typedef struct oracle {
    char texts[ROWS][TEXT];
    float vectors[ROWS * WIDTH];
    lm_text views[ROWS];
    bool truth[TEXTS];
    int times[TEXTS]; /* asked */
    int asked, budget;
    enum { TELLS, ALWAYS, TOSSES, DOUBTS, SAYS_NOTHING } mood;
} oracle;

static oracle the;

/* Of two clouds; the last rows repeat the first texts. */
static void
make_rows(int budget)
{
    lm_rng rng;

    memset(&the, 0, sizeof the);
    the.budget = budget;
    lm_rng_seed(&rng, 5);
    for (int i = 0; i < ROWS; i++) {
        const int text = i % TEXTS;
        float *vector = the.vectors + i * WIDTH;

        snprintf(the.texts[i], TEXT, "text %d", text);
        the.views[i] = (lm_text){the.texts[i], strlen(the.texts[i])};
        if (i >= TEXTS) {
            memcpy(vector, the.vectors + text * WIDTH, WIDTH * sizeof *vector);
            continue;
        }
        the.truth[text] = text % 3 == 0;
        for (int k = 0; k < WIDTH; k++)
            vector[k] = (float)(lm_rng_uniform(&rng) + (k == 0 && the.truth[text] ? 1.5 : 0));
    }
}

static signed char
answer(lm_text text)
{
    char copy[TEXT];
    int number;

    snprintf(copy, sizeof copy, "%.*s", (int)text.length, text.bytes);
    number = atoi(copy + strlen("text "));
    CHECK(number >= 0 && number < TEXTS);
    the.times[number]++;
    the.asked++;
    switch (the.mood) {
    case ALWAYS:
        return 1;
    case TOSSES:
        return (number * 7919 % 101) % 2;
    case SAYS_NOTHING:
        return -1;
    case DOUBTS:
        return number % 10 == 0 ? -1 : the.truth[number];
    default:
        return the.truth[number];
    }
}

/* fake.h's memory or a plain one; the file's bytes are to be freed. */
static lm_status
learn(lm_context *ctx, lm_train_outcome *outcome)
{
    const lm_method *method = &lm_method_filter;
    const lm_train_watch watch = {.report = NULL};
    lm_train_rows rows = {.count = ROWS, .vectors = the.vectors, .texts = {the.views}};
    char options[256];
    signed char answers[ROWS];
    const lm_text *texts;
    size_t count = 1;
    void *training = NULL;
    lm_status status;

    memset(outcome, 0, sizeof *outcome);
    method->defaults(options);
    for (int i = 0; i < method->option_count; i++)
        if (strcmp(method->options[i].key, "budget") == 0)
            *(int64_t *)(options + method->options[i].offset) = the.budget;
    status = method->open(ctx, options, WIDTH, &training);
    if (status == LM_OK)
        status = method->add_rows(training, &rows);
    while (status == LM_OK && count > 0) {
        status = method->wanted(training, &texts, &count);
        for (size_t i = 0; status == LM_OK && i < count; i++)
            answers[i] = answer(texts[i]);
        if (status == LM_OK)
            method->answered(training, answers);
    }
    if (status == LM_OK)
        status = method->fit(training, &watch);
    if (status == LM_OK)
        status = method->write(training, outcome);
    method->close(training);
    return status;
}

static void
free_files(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

static double
figure(const lm_train_outcome *outcome, const char *name)
{
    for (int i = 0; i < outcome->value_count; i++)
        if (strcmp(outcome->values[i].name, name) == 0)
            return outcome->values[i].value;
    return NAN;
}

/* No text twice, no more than the budget. */
static void
check_asked(void)
{
    CHECK(the.asked <= the.budget);
    for (int i = 0; i < TEXTS; i++)
        CHECK(the.times[i] <= 1);
}

static void
filters_ask_and_prove(void)
{
    static const int budgets[] = {118, 119, 200, 400, 2000};

    for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
        lm_train_outcome outcome;
        lm_context ctx;

        lm_context_init(&ctx);
        make_rows(budgets[i]);
        CHECK_OK(&ctx, learn(&ctx, &outcome));
        check_asked();
        CHECK(the.asked >= (budgets[i] < TEXTS ? budgets[i] : TEXTS) * 9 / 10);
        CHECK_EQ_INT((int)figure(&outcome, "oracle_calls"), the.asked);
        CHECK(figure(&outcome, "bound") >= 0.95);
        CHECK(figure(&outcome, "upper") == -figure(&outcome, "lower"));
        CHECK(figure(&outcome, "decided") > 0.5);
        CHECK(fabs(figure(&outcome, "decided_true") - 1.0 / 3) < 0.1);
        CHECK(figure(&outcome, "sample_decided") <= figure(&outcome, "sample"));
        CHECK_EQ_INT(outcome.file_count, 2);
        CHECK_STR(outcome.files[0].name, LM_HEAD_JSON);
        CHECK(strstr(outcome.files[0].bytes.data, "[\"false\", \"true\", \"unknown\"]") != NULL);
        free_files(&outcome);
    }
}

/* The same rows, answers and seed give the same bytes. */
static void
filters_repeat(void)
{
    lm_train_outcome outcomes[2];
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 2; i++) {
        make_rows(200);
        CHECK_OK(&ctx, learn(&ctx, &outcomes[i]));
    }
    CHECK_EQ_INT(outcomes[0].files[1].bytes.size, outcomes[1].files[1].bytes.size);
    CHECK(memcmp(outcomes[0].files[1].bytes.data, outcomes[1].files[1].bytes.data,
                 outcomes[0].files[1].bytes.size) == 0);
    free_files(&outcomes[0]);
    free_files(&outcomes[1]);
}

static void
null_answers_are_spent(void)
{
    lm_train_outcome outcome;
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(400);
    the.mood = DOUBTS;
    CHECK_OK(&ctx, learn(&ctx, &outcome));
    check_asked();
    CHECK(figure(&outcome, "unanswered") > 10);
    CHECK(figure(&outcome, "learnt") < figure(&outcome, "oracle_calls") - 100);
    free_files(&outcome);
}

static void
filters_refuse(void)
{
    static const struct {
        int mood, budget;
        const char *message;
    } bad[] = {
        {ALWAYS, 400, "the oracle's answers do not differ: nothing can be learnt"},
        {SAYS_NOTHING, 400, "the oracle's answers do not differ: nothing can be learnt"},
        {TOSSES, 400, "no filter was made: nothing proves that it agrees with the oracle"},
        {TELLS, 117, "the budget is too small to prove the agreement"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lm_train_outcome outcome;
        lm_context ctx;

        lm_context_init(&ctx);
        make_rows(bad[i].budget);
        the.mood = bad[i].mood;
        CHECK_EQ_INT(learn(&ctx, &outcome), LM_BAD_ARGUMENT);
        CHECK_STR(ctx.error.message, bad[i].message);
        check_asked();
        /* Where nothing can be learnt the sample is not paid for. */
        CHECK(bad[i].mood == TOSSES || the.asked < 260);
    }
}

static void
lacking_rows(void)
{
    const lm_method *method = &lm_method_filter;
    lm_train_rows rows = {.count = 117, .vectors = the.vectors, .texts = {the.views}};
    const char *hint = NULL;
    char options[256];
    int64_t budget;
    void *training;
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(200);
    method->defaults(options);
    CHECK(method->oracle(options, &budget) == NULL);
    CHECK_EQ_INT(budget, 1000);
    CHECK_OK(&ctx, method->open(&ctx, options, WIDTH, &training));
    CHECK_OK(&ctx, method->add_rows(training, &rows));
    CHECK_STR(method->lacking(training, &hint), "returned too few rows to prove the agreement");
    CHECK(hint != NULL);
    rows.count = 1;
    CHECK_OK(&ctx, method->add_rows(training, &rows));
    CHECK(method->lacking(training, &hint) == NULL);
    method->close(training);
    method->close(NULL);
}

/* Beyond 65,536 rows some make way: memory does not grow, and each has its text and vector. */
static void
many_rows(void)
{
    const lm_method *method = &lm_method_filter;
    fake_memory memory = {.fail_at = 0};
    lm_train_rows rows = {.count = ROWS, .vectors = the.vectors, .texts = {the.views}};
    char options[256];
    void *training;
    long live;
    lm_context ctx;

    fake_context(&ctx, &memory);
    make_rows(200);
    method->defaults(options);
    CHECK_OK(&ctx, method->open(&ctx, options, WIDTH, &training));
    for (int i = 0; i < 65536 / ROWS + 1; i++)
        CHECK_OK(&ctx, method->add_rows(training, &rows));
    live = memory.live;
    for (int i = 0; i < 20; i++)
        CHECK_OK(&ctx, method->add_rows(training, &rows));
    CHECK_EQ_INT(memory.live, live);
    method->close(training);
    CHECK_EQ_INT(memory.live, 0);
}

static void
survives_no_memory(void)
{
    lm_status status = LM_NO_MEMORY;

    for (int n = 1; status != LM_OK && n < 5000; n += n < 60 || n > ROWS ? 1 : 97) {
        fake_memory memory = {.fail_at = n};
        lm_train_outcome outcome;
        lm_context ctx;

        fake_context(&ctx, &memory);
        make_rows(118);
        status = learn(&ctx, &outcome);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        free_files(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static void
stops_at_every_poll(void)
{
    lm_status status = LM_CANCELLED;

    for (int n = 1; status != LM_OK && n < 5000; n++) {
        fake_memory memory = {.stop_at = n};
        lm_train_outcome outcome;
        lm_context ctx;

        fake_context(&ctx, &memory);
        make_rows(118);
        status = learn(&ctx, &outcome);
        CHECK(status == LM_OK || status == LM_CANCELLED);
        free_files(&outcome);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static const unit_case cases[] = {
    {"bounds of a share are scipy's", bounds_are_scipys},
    {"bounds of a share hold", bounds_hold},
    {"thresholds are the widest that are proven", thresholds},
    {"rows of one distance stay together", equal_distances},
    {"filters ask within their budget and prove", filters_ask_and_prove},
    {"filters repeat", filters_repeat},
    {"answers that are NULL are spent and left out", null_answers_are_spent},
    {"filters refuse", filters_refuse},
    {"filters lack rows", lacking_rows},
    {"filters keep a sample of many rows", many_rows},
    {"filters survive lack of memory", survives_no_memory},
    {"filters stop at every poll", stops_at_every_poll},
};

UNIT_MAIN(cases)
