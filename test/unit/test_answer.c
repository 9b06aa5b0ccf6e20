/*
 * test_answer.c - answers out of contexts: the reference's spans and scores at every level, windows
 * over long contexts, "no answer", the same bits alone and in any batch, questions that leave no
 * room, cancels and shortage of memory.
 */
#include "golden.h"
#include "loaded.h"
#include "task/answer.h"
#include "task/tasks.h"

#define MAX_PAIRS 8
#define MAX_ANSWERS 16

static const char *const folders[] = {
    "bert-answer",     "jina_v3-answer",        "mobilebert-answer", "distilbert-answer",
    "roberta-answer",  "electra-answer",        "albert-answer",     "mpnet-answer",
    "ernie-answer",    "roformer-answer",       "deberta-v2-answer", "modernbert-answer",
    "big_bird-answer", "big_bird-answer-types", "longformer-answer", "roberta-answer-bytes",
};

#define FOLDERS (sizeof folders / sizeof *folders)

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_text texts[2 * MAX_PAIRS];
    const lm_json *wanted[MAX_PAIRS];
    size_t pairs;
    double tolerance;
} fixture;

typedef struct answered {
    lm_answer answers[MAX_ANSWERS];
    size_t count, calls;
} answered;

static lm_text
text_of(const lm_json *json)
{
    return (lm_text){json->as.string.bytes, json->as.string.length};
}

static void
set_up(fixture *f, const char *folder, const lm_kernels *kernels, lm_precision precision)
{
    const lm_json *section;

    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open_as(&f->ctx, &f->folder.source, kernels, precision, &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
    section = lm_json_get(f->folder.golden, "answers");
    f->tolerance = golden_tolerance(section);
    for (const lm_json *each = lm_json_get(section, "cases")->as.items.first; each;
         each = each->next) {
        f->texts[2 * f->pairs] = text_of(lm_json_get(each, "question"));
        f->texts[2 * f->pairs + 1] = text_of(lm_json_get(each, "context"));
        f->wanted[f->pairs++] = each;
    }
    CHECK(f->pairs >= 4 && f->pairs <= MAX_PAIRS);
}

static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

static lm_status
keep(void *opaque, size_t pair, const lm_answer *answers, size_t count)
{
    answered *results = opaque;

    CHECK(count <= MAX_ANSWERS);
    results[pair].count = count;
    results[pair].calls++;
    if (count > 0)
        memcpy(results[pair].answers, answers, count * sizeof *answers);
    return LM_OK;
}

static lm_status
ask(fixture *f, const lm_text *texts, size_t pairs, int most, bool no_answer, size_t batch_tokens,
    answered *results, lm_embed_counts *counts)
{
    const lm_answer_options own = {most, no_answer};
    const lm_embed_options options = {.batch_tokens = batch_tokens,
                                      .own = {(const char *)&own, sizeof own}};

    memset(results, 0, pairs * sizeof *results);
    return lm_answer_texts(&f->ctx, f->session, &f->loaded.model, texts, pairs, &options, keep,
                           results, counts);
}

/* ---- Goldens ---- */

/* Spans in the order of their scores; scores that are nearly equal may change places. */
static void
check_answers(const fixture *f, size_t pair, const answered *got)
{
    const lm_json *wanted = lm_json_get(f->wanted[pair], "answers");

    CHECK_EQ_INT(got->calls, 1);
    CHECK(got->count >= wanted->as.items.count);
    for (size_t i = 0; i < got->count; i++)
        CHECK(i == 0 || got->answers[i].score <= got->answers[i - 1].score);
    for (const lm_json *each = wanted->as.items.first; each; each = each->next) {
        const lm_json *start = each->as.items.first->next, *stop = start->next;
        bool found = false;

        for (size_t i = 0; i < got->count && !found; i++) {
            found =
                got->answers[i].start == start->integer && got->answers[i].stop == stop->integer;
            if (found)
                CHECK_NEAR(got->answers[i].score, stop->next->as.number, f->tolerance);
        }
        CHECK(found);
    }
}

static void
check_best(const fixture *f, size_t pair, const answered *got)
{
    const lm_json *best = lm_json_get(f->wanted[pair], "answers")->as.items.first;

    CHECK_EQ_INT(got->count, 1);
    CHECK_EQ_INT(got->answers[0].start, best->as.items.first->next->integer);
    CHECK_EQ_INT(got->answers[0].stop, best->as.items.first->next->next->integer);
}

static void
goldens(void)
{
    for (size_t k = 0; k < FOLDERS * LM_LEVEL_COUNT; k++) {
        const lm_kernels *kernels = lm_kernels_at((lm_level)(k / FOLDERS));
        lm_embed_counts counts = {0};
        answered results[MAX_PAIRS];
        size_t windows = 0;
        fixture f;

        if (!kernels)
            continue;
        set_up(&f, folders[k % FOLDERS], kernels, LM_PRECISION_F32);
        CHECK_STR(f.loaded.model.info.task, "answer");
        CHECK_EQ_INT(f.loaded.model.info.label_count, 0);
        CHECK_OK(&f.ctx, ask(&f, f.texts, f.pairs, 8, false, 1, results, &counts));
        for (size_t i = 0; i < f.pairs; i++) {
            check_answers(&f, i, &results[i]);
            windows += (size_t)lm_json_get(f.wanted[i], "windows")->integer;
        }
        CHECK_EQ_INT(counts.forwards, windows);
        CHECK_EQ_INT(counts.texts, f.pairs);
        CHECK_OK(&f.ctx, ask(&f, f.texts, f.pairs, 1, false, 0, results, NULL));
        for (size_t i = 0; i < f.pairs; i++)
            check_best(&f, i, &results[i]);
        tear_down(&f);
    }
}

/* "No answer" competes with the answers by the least score that a window gave it. */
static void
no_answer(void)
{
    for (size_t k = 0; k < FOLDERS; k++) {
        answered with[MAX_PAIRS], without[MAX_PAIRS];
        fixture f;

        set_up(&f, folders[k], lm_kernels_active(), LM_PRECISION_F32);
        CHECK_OK(&f.ctx, ask(&f, f.texts, f.pairs, MAX_ANSWERS, true, 0, with, NULL));
        CHECK_OK(&f.ctx, ask(&f, f.texts, f.pairs, MAX_ANSWERS, false, 0, without, NULL));
        for (size_t i = 0; i < f.pairs; i++) {
            const double wanted = lm_json_get(f.wanted[i], "none")->as.number;
            size_t at = 0;

            while (at < with[i].count && with[i].answers[at].start >= 0)
                at++;
            if (at == with[i].count) { /* not among the best */
                CHECK(without[i].answers[MAX_ANSWERS - 1].score >= wanted - f.tolerance);
                continue;
            }
            CHECK_NEAR(with[i].answers[at].score, wanted, f.tolerance);
            CHECK_EQ_INT(with[i].answers[at].stop, -1);
            CHECK(at == 0 || with[i].answers[at - 1].score >= with[i].answers[at].score);
            CHECK(memcmp(with[i].answers, without[i].answers, at * sizeof(lm_answer)) == 0);
        }
        tear_down(&f);
    }
}

/* ---- Batches ---- */

static void
batch_invariance(void)
{
    static const size_t sizes[] = {0, 1, 17, 40, 4096};

    for (size_t p = 0; p < FOLDERS * LM_PRECISION_COUNT * 5; p++) {
        answered alone[MAX_PAIRS], together[MAX_PAIRS];
        lm_embed_counts one = {0}, all = {0};
        fixture f;

        set_up(&f, folders[p / 5 % FOLDERS], lm_kernels_active(), (lm_precision)(p / 5 / FOLDERS));
        for (size_t i = 0; i < f.pairs; i++)
            CHECK_OK(&f.ctx, ask(&f, &f.texts[2 * i], 1, 5, true, sizes[p % 5], &alone[i], &one));
        CHECK_OK(&f.ctx, ask(&f, f.texts, f.pairs, 5, true, sizes[p % 5], together, &all));
        CHECK(memcmp(alone, together, f.pairs * sizeof *alone) == 0);
        CHECK_EQ_INT(one.texts, all.texts);
        CHECK_EQ_INT(one.tokens, all.tokens);
        tear_down(&f);
    }
}

/* ---- Odd texts ---- */

static void
odd_texts(void)
{
    /* Every letter is a token; the window has 24, 3 of which are special. */
    const lm_text pairs[] = {
        {"cat", 3},
        {"", 0}, /* no context */
        {"", 0},
        {"the cat", 7}, /* no question */
        {"e e e e e e e e e e e e e e e e", 31},
        {"cat sat", 7}, /* no overlap of 12 fits */
        {"e e e e e e e e e e e e e e e e e e e e", 39},
        {"e q e q mat", 11}, /* room for one token */
    };
    const lm_text none[] = {{"e e e e e e e e e e e e e e e e e e e e e", 41}, {"cat", 3}};
    answered results[4], one;
    fixture f;

    set_up(&f, "bert-answer", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_OK(&f.ctx, ask(&f, pairs, 4, 3, false, 0, results, NULL));
    CHECK_EQ_INT(results[0].count, 0);
    CHECK_EQ_INT(results[1].count, 3);
    CHECK_EQ_INT(results[2].count, 3);
    CHECK_EQ_INT(results[3].count, 3);
    for (size_t i = 0; i < 3; i++) /* one token each */
        CHECK(results[3].answers[i].stop - results[3].answers[i].start <= 3);
    CHECK_OK(&f.ctx, ask(&f, pairs, 1, 1, true, 0, &one, NULL));
    CHECK_EQ_INT(one.count, 1);
    CHECK_EQ_INT(one.answers[0].start, -1);
    CHECK_NEAR(one.answers[0].score, 1, 1e-6);
    CHECK_EQ_INT(ask(&f, none, 1, 1, true, 0, &one, NULL), LM_TOO_LARGE);
    CHECK_EQ_INT(ask(&f, pairs, 1, 0, true, 0, &one, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(ask(&f, pairs, 1, LM_ANSWERS_MAX + 1, true, 0, &one, NULL), LM_BAD_ARGUMENT);
    tear_down(&f);
}

/* Two stretches that read the same are two answers; tokens of one word are one. */
static void
equal_texts(void)
{
    const lm_text pair[] = {{"cat?", 4}, {"the fox. the fox", 16}};
    answered result;
    fixture f;

    set_up(&f, "bert-answer", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_OK(&f.ctx, ask(&f, pair, 1, MAX_ANSWERS, false, 0, &result, NULL));
    CHECK_EQ_INT(result.count, 15); /* of five words: 5 · 6 / 2 */
    for (size_t i = 0; i < result.count; i++)
        for (size_t k = 0; k < i; k++)
            CHECK(result.answers[i].start != result.answers[k].start ||
                  result.answers[i].stop != result.answers[k].stop);
    tear_down(&f);
}

/* ---- What can go wrong ---- */

static lm_status
refuse(void *opaque, size_t pair, const lm_answer *answers, size_t count)
{
    return LM_NO_MEMORY;
}

static void
refusals(void)
{
    const lm_text pair[] = {{"cat?", 4}, {"the cat", 7}};
    const lm_answer_options own = {1, 0};
    const lm_embed_options options = {.own = {(const char *)&own, sizeof own}};
    answered result;
    float *bias;
    fixture f;

    set_up(&f, "bert-answer", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_EQ_INT(
        lm_answer_texts(&f.ctx, f.session, &f.loaded.model, pair, 1, &options, refuse, NULL, NULL),
        LM_NO_MEMORY);
    bias = (float *)(uintptr_t)lm_model_head(&f.loaded.model)->bias;
    bias[1] = INFINITY;
    CHECK_EQ_INT(ask(&f, pair, 1, 1, false, 0, &result, NULL), LM_BAD_MODEL);
    CHECK_EQ_INT(result.calls, 0);
    tear_down(&f);

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "bert-token", &f.folder);
    CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
    CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
    CHECK_EQ_INT(ask(&f, pair, 1, 1, false, 0, &result, NULL), LM_UNSUPPORTED);
    tear_down(&f);
}

static void
cancel(void)
{
    answered wanted[MAX_PAIRS], got[MAX_PAIRS];
    fixture f;
    int polls;

    set_up(&f, "bert-answer", lm_kernels_active(), LM_PRECISION_F32);
    f.memory.polls = 0;
    CHECK_OK(&f.ctx, ask(&f, f.texts, f.pairs, 3, true, 16, wanted, NULL));
    polls = f.memory.polls;
    CHECK(polls > 50);
    for (int stop = 1; stop <= polls; stop++) {
        lm_embed_counts counts = {0};

        f.memory.polls = 0;
        f.memory.stop_at = stop;
        CHECK_EQ_INT(ask(&f, f.texts, f.pairs, 3, true, 16, got, &counts), LM_CANCELLED);
        for (size_t i = 0; i < counts.texts; i++)
            CHECK(memcmp(&got[i], &wanted[i], sizeof got[i]) == 0);
        f.memory.stop_at = 0;
    }
    CHECK_OK(&f.ctx, ask(&f, f.texts, f.pairs, 3, true, 16, got, NULL));
    CHECK(memcmp(wanted, got, f.pairs * sizeof *got) == 0);
    f.memory.calls = 0; /* a warm call allocates nothing */
    CHECK_OK(&f.ctx, ask(&f, f.texts, f.pairs, 3, true, 16, got, NULL));
    CHECK_EQ_INT(f.memory.calls, 0);
    tear_down(&f);
}

/* Each allocation of a first call fails once. */
static void
no_memory(void)
{
    answered results[MAX_PAIRS];
    int n = 0;
    lm_status status;

    do {
        fixture f;

        set_up(&f, "bert-answer", lm_kernels_active(), LM_PRECISION_F32);
        f.memory.calls = 0;
        f.memory.fail_at = ++n;
        status = ask(&f, f.texts, f.pairs, 3, true, 0, results, NULL);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        f.memory.fail_at = 0;
        tear_down(&f);
    } while (status != LM_OK && n < 1000);
    CHECK(n > 5 && n < 1000);
}

/* The numbers by which a model is known again show both outputs, of the first token and others. */
static void
means(void)
{
    float out[MAX_PAIRS][LM_ANSWER_MEANS], again[MAX_PAIRS][LM_ANSWER_MEANS];
    float *bias;
    fixture f;

    set_up(&f, "bert-answer", lm_kernels_active(), LM_PRECISION_F32);
    CHECK_EQ_INT(lm_task_of(&f.loaded.model)->width(&f.loaded.model), LM_ANSWER_MEANS);
    CHECK_OK(&f.ctx, lm_answer_means(&f.ctx, f.session, &f.loaded.model, f.texts, f.pairs, out[0]));
    bias = (float *)(uintptr_t)lm_model_head(&f.loaded.model)->bias;
    bias[0] += 1;
    bias[1] -= 2;
    CHECK_OK(&f.ctx,
             lm_answer_means(&f.ctx, f.session, &f.loaded.model, f.texts, f.pairs, again[0]));
    for (size_t i = 0; i < f.pairs; i++)
        for (size_t k = 0; k < LM_ANSWER_MEANS; k++)
            CHECK_NEAR(again[i][k] - out[i][k], k % 2 == 0 ? 1 : -2, 1e-4);
    tear_down(&f);
}

static const unit_case cases[] = {
    {"goldens", goldens},     {"no answer", no_answer},     {"batch invariance", batch_invariance},
    {"odd texts", odd_texts}, {"equal texts", equal_texts}, {"refusals", refusals},
    {"cancel", cancel},       {"no memory", no_memory},     {"means", means},
};

UNIT_MAIN(cases)
