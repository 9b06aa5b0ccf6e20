/*
 * test_rerank.c - scores of pairs of texts: the reference's at every level (cross-encoders with
 * both activations, what follows from a premise, labels that nobody trained, the next sentence),
 * the same bits alone and in any batch, texts beyond the window, templates, activations of other
 * files, cancels and shortage of memory.
 */
#include "golden.h"
#include "loaded.h"
#include "task/pair.h"
#include "task/tasks.h"

#define MAX_PAIRS 16
#define MAX_LABELS 4

typedef lm_status (*pair_function)(lm_context *ctx, lm_session *session, const lm_model *model,
                                   const lm_text *texts, size_t pairs,
                                   const lm_embed_options *options, float *out,
                                   lm_embed_counts *counts);

typedef struct fixture {
    lm_context ctx;
    fake_memory memory;
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    const lm_json *section;
    double tolerance;
    lm_text texts[2 * MAX_PAIRS];
    size_t pairs;
} fixture;

static lm_text
text_of(const lm_json *json)
{
    return (lm_text){json->as.string.bytes, json->as.string.length};
}

static void
set_up(fixture *f, const char *folder, const char *section, const char *task,
       const lm_kernels *kernels, lm_precision precision)
{
    const lm_model_options options = {.precision = precision, .task = task};

    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    CHECK_OK(&f->ctx, loaded_open_with(&f->ctx, &f->folder.source, &options, kernels, &f->loaded));
    CHECK_OK(&f->ctx, lm_session_create(&f->ctx, &f->session));
    f->section = lm_json_get(f->folder.golden, section);
    f->tolerance = golden_tolerance(f->section);
    for (const lm_json *each = lm_json_get(f->section, "cases")->as.items.first; each;
         each = each->next) {
        const lm_json *first = lm_json_get(each, "texts")->as.items.first;

        f->texts[2 * f->pairs] = text_of(first);
        f->texts[2 * f->pairs++ + 1] = text_of(first->next);
    }
    CHECK(f->pairs >= 8 && f->pairs <= MAX_PAIRS);
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
run(fixture *f, pair_function function, const lm_embed_options *options, float *out,
    lm_embed_counts *counts)
{
    return function(&f->ctx, f->session, &f->loaded.model, f->texts, f->pairs, options, out,
                    counts);
}

/* ---- Goldens ---- */

static const struct golden_kind {
    const char *folder, *section, *task;
    pair_function function;
    int width;
    const char *found; /* the model's task */
} kinds[] = {
    {"bert-cross", "pairs", NULL, lm_rerank, 1, "rerank"},
    {"bert-cross-raw", "pairs", NULL, lm_rerank, 1, "rerank"},
    {"distilbert-cross-st6", "pairs", NULL, lm_rerank, 1, "rerank"},
    {"bert-nli", "nli", NULL, lm_entailment, 3, "classification"},
    {"bert-nli-last", "nli", NULL, lm_entailment, 3, "classification"},
    {"roberta-cross", "pairs", NULL, lm_rerank, 1, "rerank"},
    {"electra-cross", "pairs", NULL, lm_rerank, 1, "rerank"},
    {"xlm_roberta_flash", "pairs", NULL, lm_rerank, 1, "rerank"},
    {"modernbert-cross", "pairs", NULL, lm_rerank, 1, "rerank"},
    {"roberta-nli", "nli", NULL, lm_entailment, 3, "classification"},
    {"deberta-v2-nli", "nli", NULL, lm_entailment, 3, "classification"},
    {"bert-next", "next", NULL, lm_next_sentence, 1, "next_sentence"},
    {"bert-pretraining", "next", "next_sentence", lm_next_sentence, 1, "next_sentence"},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void
check_kind(const struct golden_kind *kind, const lm_kernels *kernels)
{
    float out[MAX_PAIRS * MAX_LABELS];
    size_t i = 0;
    fixture f;

    set_up(&f, kind->folder, kind->section, kind->task, kernels, LM_PRECISION_F32);
    CHECK_STR(f.loaded.model.info.task, kind->found);
    CHECK_OK(&f.ctx, run(&f, kind->function, &(lm_embed_options){0}, out, NULL));
    for (const lm_json *each = lm_json_get(f.section, "cases")->as.items.first; each;
         each = each->next, i++) {
        const lm_json *score = lm_json_get(each, "score");

        if (score)
            CHECK_NEAR(out[i], score->as.number, f.tolerance);
        else
            CHECK(golden_distance(lm_json_get(each, "scores"), out + i * 3, 3) <= f.tolerance);
    }
    CHECK_EQ_INT(i, f.pairs);
    tear_down(&f);
}

static void
goldens(void)
{
    for (size_t k = 0; k < KINDS * LM_LEVEL_COUNT; k++)
        if (lm_kernels_at((lm_level)(k / KINDS)))
            check_kind(&kinds[k % KINDS], lm_kernels_at((lm_level)(k / KINDS)));
}

/* ---- Labels that nobody trained ---- */

static void
make_own(fixture *f, const lm_json *each, lm_buffer *out, size_t *count)
{
    const lm_json *multi = lm_json_get(each, "multi_label");
    lm_text labels[8];

    *count = 0;
    for (const lm_json *label = lm_json_get(each, "labels")->as.items.first; label;
         label = label->next)
        labels[(*count)++] = text_of(label);
    lm_buffer_init(out, &f->ctx);
    CHECK_OK(&f->ctx, lm_hypotheses_make(&f->ctx, text_of(lm_json_get(each, "template")), labels,
                                         *count, multi->boolean, out));
    CHECK_EQ_INT(lm_hypotheses_count((lm_text){out->data, out->size}), *count);
}

/* The text three times over, so that a batch has hypotheses of several texts. */
static void
check_zero_shot(fixture *f, const lm_json *each)
{
    const lm_text text = text_of(lm_json_get(each, "text")), texts[] = {text, text, text};
    lm_embed_options options = {0};
    lm_embed_counts counts = {0};
    float alone[8], out[24];
    lm_buffer own;
    size_t count;

    make_own(f, each, &own, &count);
    options.own = (lm_text){own.data, own.size};
    CHECK_OK(&f->ctx,
             lm_zero_shot(&f->ctx, f->session, &f->loaded.model, texts, 3, &options, out, &counts));
    CHECK_EQ_INT(counts.texts, 3);
    CHECK(golden_distance(lm_json_get(each, "scores"), out, count) <= f->tolerance);
    options.batch_tokens = 1;
    CHECK_OK(&f->ctx,
             lm_zero_shot(&f->ctx, f->session, &f->loaded.model, texts, 1, &options, alone, NULL));
    for (size_t i = 0; i < 3; i++)
        CHECK(memcmp(alone, out + i * count, count * sizeof *alone) == 0);
    lm_buffer_free(&own);
}

static void
zero_shot(void)
{
    static const char *const folders[] = {"bert-nli", "bert-nli-last", "roberta-nli",
                                          "deberta-v2-nli"};

    for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
        fixture f;

        set_up(&f, folders[k], "nli", NULL, lm_kernels_active(), LM_PRECISION_F32);
        CHECK(lm_json_get(f.section, "zero_shot")->as.items.count >= 20);
        for (const lm_json *each = lm_json_get(f.section, "zero_shot")->as.items.first; each;
             each = each->next)
            check_zero_shot(&f, each);
        tear_down(&f);
    }
}

/* More pairs than the session keeps at a time. */
static void
many_labels(void)
{
    enum { LABELS = 700, TEXTS = 3 };
    static float out[LABELS * TEXTS], one[LABELS];
    static lm_text labels[LABELS];
    static char names[LABELS][8];
    const lm_text texts[TEXTS] = {{"cat", 3}, {"the mat", 7}, {"data", 4}};
    const lm_text template = {"{}.", 3};
    lm_embed_options options = {0};
    lm_embed_counts counts = {0};
    lm_buffer own;
    fixture f;

    set_up(&f, "bert-nli", "nli", NULL, lm_kernels_active(), LM_PRECISION_F32);
    for (int i = 0; i < LABELS; i++)
        labels[i] = (lm_text){names[i], (size_t)snprintf(names[i], sizeof names[i], "%d", i)};
    lm_buffer_init(&own, &f.ctx);
    CHECK_OK(&f.ctx, lm_hypotheses_make(&f.ctx, template, labels, LABELS, false, &own));
    options.own = (lm_text){own.data, own.size};
    CHECK_OK(&f.ctx, lm_zero_shot(&f.ctx, f.session, &f.loaded.model, texts, TEXTS, &options, out,
                                  &counts));
    CHECK_EQ_INT(counts.texts, TEXTS);
    for (size_t i = 0; i < TEXTS; i++) {
        CHECK_OK(&f.ctx, lm_zero_shot(&f.ctx, f.session, &f.loaded.model, &texts[i], 1, &options,
                                      one, NULL));
        CHECK(memcmp(one, out + i * LABELS, sizeof one) == 0);
    }
    lm_buffer_free(&own);
    tear_down(&f);
}

static void
templates(void)
{
    static const struct {
        const char *template;
        const char *wanted; /* NULL: refused */
    } cases[] = {
        {"{}", "cat"},  {"a {} b", "a cat b"}, {"{{{}}}", "{cat}"}, {"{{}} {}", "{} cat"},
        {"", NULL},     {"none", NULL},        {"{} {}", NULL},     {"{", NULL},
        {"} {}", NULL}, {"{} {", NULL},        {"{0}", NULL},       {"{{}}", NULL},
    };
    const lm_text label = {"cat", 3};
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const lm_text template = {cases[i].template, strlen(cases[i].template)};
        lm_buffer out;
        lm_status status;

        lm_buffer_init(&out, &ctx);
        status = lm_hypotheses_make(&ctx, template, &label, 1, true, &out);
        CHECK_EQ_INT(status, cases[i].wanted ? LM_OK : LM_BAD_ARGUMENT);
        if (cases[i].wanted) {
            size_t length = strlen(cases[i].wanted);

            CHECK(out.size > length &&
                  memcmp(out.data + out.size - length, cases[i].wanted, length) == 0);
        }
        lm_buffer_free(&out);
    }
    {
        lm_buffer out;

        lm_buffer_init(&out, &ctx);
        CHECK_EQ_INT(lm_hypotheses_make(&ctx, label, NULL, 0, true, &out), LM_BAD_ARGUMENT);
        lm_buffer_free(&out);
    }
}

/* ---- Batches and long texts ---- */

static void
check_batches(fixture *f, const struct golden_kind *kind, size_t batch_tokens)
{
    const lm_embed_options options = {.batch_tokens = batch_tokens};
    float alone[MAX_PAIRS * MAX_LABELS], together[MAX_PAIRS * MAX_LABELS];
    lm_embed_counts one = {0}, all = {0};

    for (size_t i = 0; i < f->pairs; i++)
        CHECK_OK(&f->ctx, kind->function(&f->ctx, f->session, &f->loaded.model, &f->texts[2 * i], 1,
                                         &options, alone + i * (size_t)kind->width, &one));
    CHECK_OK(&f->ctx, run(f, kind->function, &options, together, &all));
    CHECK(memcmp(alone, together, f->pairs * (size_t)kind->width * sizeof *alone) == 0);
    CHECK_EQ_INT(one.texts, f->pairs);
    CHECK_EQ_INT(all.texts, f->pairs);
    CHECK_EQ_INT(all.tokens, one.tokens);
    CHECK_EQ_INT(all.truncated, one.truncated);
    CHECK_EQ_INT(all.truncated, 4);
}

static void
batch_invariance(void)
{
    static const size_t sizes[] = {0, 1, 17, 40, 4096};

    for (size_t k = 0; k < KINDS * LM_PRECISION_COUNT; k++) {
        const struct golden_kind *kind = &kinds[k % KINDS];
        fixture f;

        set_up(&f, kind->folder, kind->section, kind->task, lm_kernels_active(),
               (lm_precision)(k / KINDS));
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            check_batches(&f, kind, sizes[s]);
        tear_down(&f);
    }
}

static void
long_texts(void)
{
    const lm_text longs[] = {{"e e e e e e e e e e e e e e e e e e e e e e e e e e", 51},
                             {"cat", 3}};
    const lm_text swapped[] = {longs[1], longs[0]};
    lm_embed_options options = {.on_long = LM_LONG_ERROR};
    float score, again;
    lm_buffer own;
    fixture f;

    set_up(&f, "bert-cross", "pairs", NULL, lm_kernels_active(), LM_PRECISION_F32);
    CHECK_EQ_INT(lm_rerank(&f.ctx, f.session, &f.loaded.model, longs, 1, &options, &score, NULL),
                 LM_TOO_LARGE);
    options.on_long = LM_LONG_MEAN;
    CHECK_OK(&f.ctx,
             lm_rerank(&f.ctx, f.session, &f.loaded.model, longs, 1, &options, &score, NULL));
    options.on_long = LM_LONG_TRUNCATE;
    CHECK_OK(&f.ctx,
             lm_rerank(&f.ctx, f.session, &f.loaded.model, longs, 1, &options, &again, NULL));
    CHECK(score == again);
    tear_down(&f);

    /* A text is cut, a hypothesis never. */
    set_up(&f, "bert-nli", "nli", NULL, lm_kernels_active(), LM_PRECISION_F32);
    lm_buffer_init(&own, &f.ctx);
    CHECK_OK(&f.ctx, lm_hypotheses_make(&f.ctx, (lm_text){"{}", 2}, &longs[1], 1, true, &own));
    options.own = (lm_text){own.data, own.size};
    CHECK_OK(&f.ctx,
             lm_zero_shot(&f.ctx, f.session, &f.loaded.model, longs, 1, &options, &score, NULL));
    lm_buffer_free(&own);
    CHECK_OK(&f.ctx, lm_hypotheses_make(&f.ctx, (lm_text){"{}", 2}, &longs[0], 1, true, &own));
    options.own = (lm_text){own.data, own.size};
    CHECK_EQ_INT(
        lm_zero_shot(&f.ctx, f.session, &f.loaded.model, swapped, 1, &options, &score, NULL),
        LM_TOO_LARGE);
    lm_buffer_free(&own);
    tear_down(&f);
}

/* ---- What files say ---- */

/* bert-regression with another config.json, or bert-cross-raw with another name of a function. */
static lm_status
open_changed(fixture *f, const char *folder, const char *from, const char *to, const char *task)
{
    const lm_model_options options = {.task = task};
    fake_file *config;
    char *hit;

    memset(f, 0, sizeof *f);
    fake_context(&f->ctx, &f->memory);
    golden_open(&f->ctx, folder, &f->folder);
    config = fake_find(&f->folder.files, "config.json");
    hit = strstr((char *)(uintptr_t)config->data, from);
    CHECK(hit != NULL);
    *hit = '\0';
    config->data = golden_join(&f->folder, config->data, to, hit + strlen(from));
    config->size = strlen(config->data);
    f->folder.source = fake_open(&f->folder.files);
    return loaded_open_with(&f->ctx, &f->folder.source, &options, lm_kernels_active(), &f->loaded);
}

static void
close_changed(fixture *f, lm_status status)
{
    if (status == LM_OK)
        loaded_close(&f->ctx, &f->loaded);
    golden_close(&f->folder);
    CHECK_EQ_INT(f->memory.live, 0);
}

static void
activations(void)
{
    static const struct {
        const char *name;
        lm_status status;
        lm_scoring scoring;
    } cases[] = {
        {"torch.nn.modules.activation.Sigmoid", LM_OK, LM_SCORING_SIGMOID},
        {"torch.nn.Identity", LM_OK, LM_SCORING_RAW},
        {"my.own.Function", LM_OK, LM_SCORING_SIGMOID},
        {"torch.nn.modules.activation.Tanh", LM_UNSUPPORTED, LM_SCORING_RAW},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        lm_status status = open_changed(&f, "bert-cross-raw", "torch.nn.modules.linear.Identity",
                                        cases[i].name, NULL);

        CHECK_EQ_INT(status, cases[i].status);
        if (status == LM_OK)
            CHECK_EQ_INT(f.loaded.model.info.pair_scoring, cases[i].scoring);
        else
            CHECK_STR(f.ctx.error.key, "sbert_ce_default_activation_function");
        close_changed(&f, status);
    }
}

/* One label makes a cross-encoder where nobody named it, or somebody asks for it. */
static void
tasks_of_one_label(void)
{
    static const struct {
        const char *folder, *from, *to, *task, *found;
    } cases[] = {
        {"bert-cross", "LABEL_0", "toxic", NULL, "classification"},
        {"bert-cross", "LABEL_0", "toxic", "rerank", "rerank"},
        {"bert-cross", "LABEL_0", "LABEL_0", "classification", "classification"},
        {"bert-cross-raw", "LABEL_0", "toxic", NULL, "rerank"},
        {"bert-regression", "LABEL_0", "LABEL_0", NULL, "classification"},
        {"bert-regression", "LABEL_0", "LABEL_0", "rerank", "rerank"},
        {"bert-nli", "neutral", "neutral", "rerank", NULL},
        {"bert-pretraining", "BertForPreTraining", "BertForPreTraining", NULL, "embedding"},
        {"bert-pretraining", "BertForPreTraining", "BertForPreTraining", "answer", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        lm_status status =
            open_changed(&f, cases[i].folder, cases[i].from, cases[i].to, cases[i].task);

        CHECK_EQ_INT(status, cases[i].found ? LM_OK : LM_UNSUPPORTED);
        if (status == LM_OK && cases[i].found)
            CHECK_STR(f.loaded.model.info.task, cases[i].found);
        close_changed(&f, status);
    }
}

/* Types of the second text reach the model unless model_input_names leaves them out. */
static void
types(void)
{
    static const struct {
        const char *names;
        int highest;
    } cases[] = {
        {"[\"input_ids\", \"token_type_ids\"]", 1},
        {"[\"input_ids\", \"attention_mask\"]", 0},
        {"null", 1},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const lm_token_options options = {.add_special = true, .parse_special = true};
        lm_encoding encoding;
        fake_file *config;
        int32_t highest = 0;
        fixture f;

        memset(&f, 0, sizeof f);
        fake_context(&f.ctx, &f.memory);
        golden_open(&f.ctx, "bert-cross", &f.folder);
        config = fake_find(&f.folder.files, "tokenizer_config.json");
        config->data = golden_join(
            &f.folder, "{\"model_input_names\": ", golden_join(&f.folder, cases[i].names, ",", ""),
            strchr(config->data, '{') + 1);
        config->size = strlen(config->data);
        f.folder.source = fake_open(&f.folder.files);
        CHECK_OK(&f.ctx, loaded_open(&f.ctx, &f.folder.source, lm_kernels_active(), &f.loaded));
        CHECK_OK(&f.ctx, lm_session_create(&f.ctx, &f.session));
        lm_encoding_init(&encoding, &f.ctx);
        CHECK_OK(&f.ctx,
                 lm_tokenize_pair(&f.ctx, lm_model_tokenizer(&f.loaded.model), f.session->scratch,
                                  "cat", 3, "mat", 3, &options, &encoding));
        CHECK_EQ_INT(encoding.count, 5);
        for (size_t k = 0; k < encoding.count; k++)
            highest = encoding.type_ids[k] > highest ? encoding.type_ids[k] : highest;
        CHECK_EQ_INT(highest, cases[i].highest);
        lm_encoding_free(&encoding);
        tear_down(&f);
    }
}

/* Which functions a model serves beside its own task's. */
static void
serves(void)
{
    static const struct {
        const char *folder;
        uint32_t tasks; /* a bit for each lm_task_id */
    } cases[] = {
        {"bert-cross", 1u << LM_TASK_RERANK | 1u << LM_TASK_CLASSIFICATION},
        {"bert-regression", 1u << LM_TASK_RERANK | 1u << LM_TASK_CLASSIFICATION},
        {"bert-nli", 1u << LM_TASK_ENTAILMENT | 1u << LM_TASK_CLASSIFICATION},
        {"bert-sequence", 1u << LM_TASK_CLASSIFICATION},
        {"bert-next", 1u << LM_TASK_NEXT_SENTENCE},
        {"bert-answer", 1u << LM_TASK_ANSWER},
        {"bert-token", 1u << LM_TASK_TOKEN_CLASSIFICATION},
        {"bert", 1u << LM_TASK_EMBEDDING},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint32_t known = ((1u << LM_TASK_ANSWER) << 1) - 1;
        uint32_t found = 0;
        loaded_model loaded;
        golden_folder folder;
        lm_context ctx;

        lm_context_init(&ctx);
        golden_open(&ctx, cases[i].folder, &folder);
        CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &loaded));
        for (int task = 0; task <= LM_TASK_ANSWER; task++)
            found |= lm_task_serves(&lm_tasks[task], &loaded.model) ? 1u << task : 0;
        CHECK_EQ_INT(found, cases[i].tasks & known);
        loaded_close(&ctx, &loaded);
        golden_close(&folder);
    }
}

static void
refusals(void)
{
    const lm_text pair[] = {{"cat", 3}, {"the mat", 7}};
    const lm_embed_options options = {0};
    float out[MAX_LABELS];
    golden_folder folder;
    loaded_model loaded;
    lm_session *session;
    lm_context ctx;

    lm_context_init(&ctx);
    golden_open(&ctx, "bert", &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    for (size_t k = 0; k < KINDS; k++)
        CHECK_EQ_INT(kinds[k].function(&ctx, session, &loaded.model, pair, 1, &options, out, NULL),
                     LM_UNSUPPORTED);
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);

    golden_open(&ctx, "bert-sequence", &folder);
    CHECK_OK(&ctx, loaded_open(&ctx, &folder.source, lm_kernels_active(), &loaded));
    CHECK_OK(&ctx, lm_session_create(&ctx, &session));
    CHECK_EQ_INT(lm_rerank(&ctx, session, &loaded.model, pair, 1, &options, out, NULL),
                 LM_UNSUPPORTED);
    CHECK_EQ_INT(lm_entailment_label(&loaded.model), -1);
    lm_session_free(session);
    loaded_close(&ctx, &loaded);
    golden_close(&folder);
}

/* ---- What can go wrong ---- */

static void
cancel(void)
{
    const lm_embed_options options = {.batch_tokens = 16};
    float wanted[MAX_PAIRS], got[MAX_PAIRS];
    fixture f;
    int polls;

    set_up(&f, "bert-next", "next", NULL, lm_kernels_active(), LM_PRECISION_F32);
    f.memory.polls = 0;
    CHECK_OK(&f.ctx, run(&f, lm_next_sentence, &options, wanted, NULL));
    polls = f.memory.polls;
    CHECK(polls > 30);
    for (int stop = 1; stop <= polls; stop++) {
        f.memory.polls = 0;
        f.memory.stop_at = stop;
        CHECK_EQ_INT(run(&f, lm_next_sentence, &options, got, NULL), LM_CANCELLED);
        f.memory.stop_at = 0;
    }
    CHECK_OK(&f.ctx, run(&f, lm_next_sentence, &options, got, NULL));
    CHECK(memcmp(wanted, got, f.pairs * sizeof *got) == 0);
    tear_down(&f);
}

/* Each allocation of a first call fails once. */
static void
no_memory(void)
{
    for (size_t k = 3; k < 6; k++) {
        float out[MAX_PAIRS * MAX_LABELS];
        int n = 0;
        lm_status status;

        do {
            fixture f;

            set_up(&f, kinds[k].folder, kinds[k].section, kinds[k].task, lm_kernels_active(),
                   LM_PRECISION_F32);
            f.memory.calls = 0;
            f.memory.fail_at = ++n;
            status = run(&f, kinds[k].function, &(lm_embed_options){0}, out, NULL);
            CHECK(status == LM_OK || status == LM_NO_MEMORY);
            f.memory.fail_at = 0;
            tear_down(&f);
        } while (status != LM_OK && n < 1000);
        CHECK(n > 5 && n < 1000);
    }
}

/* A warm call allocates nothing. */
static void
warm(void)
{
    for (size_t k = 0; k < KINDS; k++) {
        float out[MAX_PAIRS * MAX_LABELS];
        fixture f;

        set_up(&f, kinds[k].folder, kinds[k].section, kinds[k].task, lm_kernels_active(),
               LM_PRECISION_F32);
        CHECK_OK(&f.ctx, run(&f, kinds[k].function, &(lm_embed_options){0}, out, NULL));
        f.memory.calls = 0;
        CHECK_OK(&f.ctx, run(&f, kinds[k].function, &(lm_embed_options){0}, out, NULL));
        CHECK_EQ_INT(f.memory.calls, 0);
        tear_down(&f);
    }
}

static const unit_case cases[] = {
    {"goldens", goldens},
    {"zero shot", zero_shot},
    {"many labels", many_labels},
    {"templates", templates},
    {"batch invariance", batch_invariance},
    {"long texts", long_texts},
    {"activations", activations},
    {"tasks of one label", tasks_of_one_label},
    {"types", types},
    {"serves", serves},
    {"refusals", refusals},
    {"cancel", cancel},
    {"no memory", no_memory},
    {"warm", warm},
};

UNIT_MAIN(cases)
