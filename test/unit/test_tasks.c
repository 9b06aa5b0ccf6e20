/*
 * test_tasks.c - the table of tasks: names find their rows, models have the task that their files
 * say, and a row's golden values have its width and are what its function gives.
 */
#include "golden.h"
#include "loaded.h"
#include "task/answer.h"
#include "task/pair.h"
#include "task/tasks.h"

static void
names_find_rows(void)
{
    for (int i = 0; i < LM_TASK_COUNT; i++) {
        CHECK(lm_task_find(lm_tasks[i].name) == &lm_tasks[i]);
        CHECK(lm_tasks[i].does && lm_tasks[i].yields && lm_tasks[i].width && lm_tasks[i].golden);
    }
    CHECK(!lm_task_find("embeddings"));
    CHECK(!lm_task_find(""));
}

static void
a_model_has_its_task(void)
{
    const lm_text text = {"The quick brown fox", 19};
    float out[64], again[64];
    lm_context ctx;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    const lm_task *task;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    task = lm_task_of(&loaded.model);
    CHECK(task == &lm_tasks[LM_TASK_EMBEDDING]);
    CHECK_EQ_INT(lm_model_weights(&loaded.model)->family->caps & task->needs, task->needs);
    CHECK_EQ_INT(task->width(&loaded.model), loaded.model.info.dimensions);
    CHECK(task->width(&loaded.model) <= 64);
    CHECK_OK(&ctx, task->golden(&ctx, session, &loaded.model, &text, 1, out));
    CHECK_OK(&ctx,
             lm_embed(&ctx, session, &loaded.model, &text, 1, &(lm_embed_options){0}, again, NULL));
    CHECK(memcmp(out, again, sizeof(float) * (size_t)loaded.model.info.dimensions) == 0);
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

/* ---- Golden values of every row, over the folders of models/tiny ---- */

#define MAX_FOLDERS 512
#define MAX_WIDTH 256
#define TEXTS 2

static const lm_text texts[TEXTS] = {{"The quick brown dog", 19}, {"jumps over a lazy cat", 21}};

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
} fixture;

static void
set_up(fixture *f, const char *folder, const char *task)
{
    const lm_model_options options = {.task = task};

    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open_with(&f->ctx, &f->folder.source, &options, lm_kernels_active(),
                                       &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
}

static void
tear_down(fixture *f)
{
    lm_session_free(f->session);
    loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

/* Each text by itself has the bits that it has among others. */
static void
check_golden(fixture *f, const char *folder, const lm_task *task)
{
    const size_t width = (size_t)task->width(&f->loaded.model);
    float all[TEXTS * MAX_WIDTH], alone[MAX_WIDTH];

    CHECK(width >= 1 && width <= MAX_WIDTH);
    CHECK_OK(&f->ctx, task->golden(&f->ctx, f->session, &f->loaded.model, texts, TEXTS, all));
    for (size_t text = 0; text < TEXTS; text++) {
        CHECK_OK(&f->ctx,
                 task->golden(&f->ctx, f->session, &f->loaded.model, &texts[text], 1, alone));
        if (memcmp(alone, all + text * width, width * sizeof *alone) != 0)
            UNIT_FAIL("%s, %s: text %zu has other values alone", folder, task->name, text);
        for (size_t i = 0; i < width; i++)
            CHECK(isfinite(alone[i]));
    }
}

/* Every row that serves a model; of a family only such as the family has the head for. */
static void
walk_rows(const char *folder, const char *asked, int met[LM_TASK_COUNT])
{
    fixture f;

    set_up(&f, folder, asked);
    CHECK(lm_task_serves(lm_task_of(&f.loaded.model), &f.loaded.model));
    CHECK_STR(lm_task_of(&f.loaded.model)->name, asked ? asked : f.loaded.model.info.task);
    for (int i = 0; i < LM_TASK_COUNT; i++) {
        const lm_weights *weights = lm_model_weights(&f.loaded.model);

        if (!lm_task_serves(&lm_tasks[i], &f.loaded.model))
            continue;
        CHECK(!weights || lm_task_of_family(&lm_tasks[i], weights->family));
        check_golden(&f, folder, &lm_tasks[i]);
        met[i]++;
    }
    tear_down(&f);
}

static void
every_row(void)
{
    static char names[MAX_FOLDERS][256];
    int count = golden_list(names, MAX_FOLDERS), met[LM_TASK_COUNT] = {0};

    for (int i = 0; i < count; i++)
        walk_rows(names[i], NULL, met);
    walk_rows("bert-pretraining", "next_sentence", met);
    walk_rows("bert-pretraining", "fill_mask", met);
    for (int i = 0; i < LM_TASK_COUNT; i++) /* a language model is made of counts: test_unigram */
        if ((met[i] > 0) != (i != LM_TASK_LANGUAGE_MODEL))
            UNIT_FAIL("%s: %d models", lm_tasks[i].name, met[i]);
}

/* Widths, by what the models' files say. */
static void
widths(void)
{
    static const struct {
        const char *folder;
        lm_task_id task;
        int width;
    } rows[] = {
        {"bert", LM_TASK_EMBEDDING, 36},
        {"bert-next", LM_TASK_NEXT_SENTENCE, 1},
        {"bert-nli", LM_TASK_ENTAILMENT, 3},
        {"bert-nli", LM_TASK_CLASSIFICATION, 3},
        {"bert-cross", LM_TASK_RERANK, 1},
        {"bert-regression", LM_TASK_RERANK, 1},
        {"bert-answer", LM_TASK_ANSWER, LM_ANSWER_MEANS},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const lm_task *task = &lm_tasks[rows[i].task];
        fixture f;

        set_up(&f, rows[i].folder, NULL);
        CHECK(lm_task_serves(task, &f.loaded.model));
        CHECK_EQ_INT(task->width(&f.loaded.model), rows[i].width);
        tear_down(&f);
    }
}

/* A classifier of several labels scores no documents; one without the words entails nothing. */
static void
what_does_not_serve(void)
{
    static const struct {
        const char *folder;
        lm_task_id task;
    } rows[] = {
        {"bert", LM_TASK_CLASSIFICATION},   {"bert-nli", LM_TASK_RERANK},
        {"bert-sequence", LM_TASK_RERANK},  {"bert-regression", LM_TASK_ENTAILMENT},
        {"bert-cross", LM_TASK_ENTAILMENT}, {"bert-token", LM_TASK_CLASSIFICATION},
        {"bert-next", LM_TASK_ANSWER},      {"bert-answer", LM_TASK_LANGUAGE_MODEL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture f;

        set_up(&f, rows[i].folder, NULL);
        if (lm_task_serves(&lm_tasks[rows[i].task], &f.loaded.model))
            UNIT_FAIL("%s serves %s", rows[i].folder, lm_tasks[rows[i].task].name);
        tear_down(&f);
    }
}

/* A task that is asked for and that the model is not for. */
static void
another_task(void)
{
    const lm_model_options options = {.task = "classification"};
    fixture f;

    memset(&f, 0, sizeof f);
    fake_context(&f.ctx, &f.memory);
    golden_open(&f.ctx, "static-st", &f.folder);
    CHECK_EQ_INT(
        loaded_open_with(&f.ctx, &f.folder.source, &options, lm_kernels_active(), &f.loaded),
        LM_UNSUPPORTED);
    CHECK_STR(f.ctx.error.key, "task");
    CHECK_STR(f.ctx.error.found, "classification");
    CHECK_STR(f.ctx.error.allowed, "embedding");
    golden_close(&f.folder);
    CHECK_EQ_INT(f.memory.live, 0);
}

/* A window that has room for a text's special tokens and one more, and for no pair's. */
static void
narrow_window(void)
{
    float out[MAX_WIDTH];
    fixture f;

    set_up(&f, "bert-cross", NULL);
    CHECK_OK(&f.ctx, lm_model_set_window(&f.ctx, &f.loaded.model, 3));
    CHECK_EQ_INT(lm_tasks[LM_TASK_RERANK].golden(&f.ctx, f.session, &f.loaded.model, texts, 1, out),
                 LM_TOO_LARGE);
    CHECK_STR(f.ctx.error.found, "3 tokens");
    CHECK_STR(f.ctx.error.allowed, "more than 3");
    tear_down(&f);
}

/* A family without the head, and one whose models do something else. */
static void
families_without(void)
{
    fixture f;

    set_up(&f, "llama", NULL);
    CHECK(
        lm_task_of_family(&lm_tasks[LM_TASK_EMBEDDING], lm_model_weights(&f.loaded.model)->family));
    CHECK(!lm_task_of_family(&lm_tasks[LM_TASK_RERANK], lm_model_weights(&f.loaded.model)->family));
    CHECK(!lm_task_of_family(&lm_tasks[LM_TASK_LANGUAGE_MODEL],
                             lm_model_weights(&f.loaded.model)->family));
    tear_down(&f);
}

/* The golden texts of a pair's task stand behind "fox?"; without memory for them there are none. */
static void
pairs(void)
{
    static const struct {
        const char *folder;
        lm_task_id task;
        lm_status (*run)(lm_context *ctx, lm_session *session, const lm_model *model,
                         const lm_text *texts, size_t pairs, const lm_embed_options *options,
                         float *out, lm_embed_counts *counts);
    } rows[] = {
        {"bert-cross", LM_TASK_RERANK, lm_rerank},
        {"bert-nli", LM_TASK_ENTAILMENT, lm_entailment},
        {"bert-next", LM_TASK_NEXT_SENTENCE, lm_next_sentence},
    };
    const lm_text pair[] = {{"fox?", 4}, texts[1]};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const lm_task *task = &lm_tasks[rows[i].task];
        float golden[MAX_WIDTH], wanted[MAX_WIDTH];
        fixture f;

        set_up(&f, rows[i].folder, NULL);
        CHECK_OK(&f.ctx, task->golden(&f.ctx, f.session, &f.loaded.model, &texts[1], 1, golden));
        CHECK_OK(&f.ctx, rows[i].run(&f.ctx, f.session, &f.loaded.model, pair, 1,
                                     &(lm_embed_options){0}, wanted, NULL));
        CHECK(memcmp(golden, wanted, sizeof *golden * (size_t)task->width(&f.loaded.model)) == 0);
        f.memory.fail_at = f.memory.calls + 1;
        CHECK_EQ_INT(task->golden(&f.ctx, f.session, &f.loaded.model, texts, TEXTS, golden),
                     LM_NO_MEMORY);
        tear_down(&f);
    }
}

static const unit_case cases[] = {
    {"names find rows", names_find_rows},
    {"a model has its task", a_model_has_its_task},
    {"every row", every_row},
    {"widths", widths},
    {"what does not serve", what_does_not_serve},
    {"families without", families_without},
    {"another task", another_task},
    {"narrow window", narrow_window},
    {"pairs", pairs},
};

UNIT_MAIN(cases)
