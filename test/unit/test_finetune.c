/*
 * test_finetune.c - encoders in training: torch's losses and gradients, recorded by
 * scripts/make-finetune.py, and its losses of 20 steps; the model that is written has the scores of
 * the training.
 */
#include "golden.h"
#include "loaded.h"
#include "optim/adversary.h"
#include "optim/optimizer.h"
#include "task/tag.h"
#include "train/tuned_distill.h"
#include "train/tuned_prune.h"
#include "train/tuned_shared.h"

#define RECORDED "test/golden/finetune.json"

enum { MOST_TEXTS = 16, MOST_TOKENS = 32, STEPS = 20 };

typedef struct recorded {
    golden_folder file;
    const lm_json *root;
} recorded;

static void
open_recorded(recorded *r, lm_context *ctx)
{
    memset(r, 0, sizeof *r);
    lm_arena_init(&r->file.arena, ctx);
    golden_add_file(&r->file, RECORDED, "finetune.json");
    CHECK_OK(ctx, lm_json_parse(ctx, &r->file.arena, r->file.files.files[0].data,
                                r->file.files.files[0].size, "finetune.json", &r->root));
}

/* ---- A model in training ---- */

typedef struct trained {
    lm_context *ctx;
    lm_arena arena;
    lm_source_dir *dir;
    lm_source source;
    loaded_model loaded;
    lm_tuned *tuned;
    lm_network network;
    const char *names[8];
    size_t name_count;
} trained;

static lm_status
open_base(trained *t, lm_context *ctx, const char *folder, const lm_tuned_task *task,
          const lm_tuned_settings *settings, size_t per_row)
{
    const lm_model_options options = {.as_embedding = task != &lm_tuned_distillation};
    char path[256];
    lm_file_list list;
    lm_train_base base = {.name = folder};

    memset(t, 0, sizeof *t);
    t->ctx = ctx;
    lm_arena_init(&t->arena, ctx);
    snprintf(path, sizeof path, "%s/%s", GOLDEN_ROOT, folder);
    LM_TRY(lm_source_dir_open(ctx, path, true, &t->dir, &t->source));
    LM_TRY(loaded_open_with(ctx, &t->source, &options, lm_kernels_active(), &t->loaded));
    LM_TRY(lm_checkpoint_list(ctx, &t->arena, &t->source, &list));
    base.source = &t->source;
    base.files = list.names;
    base.file_count = (int)list.count;
    base.model = &t->loaded.model;
    return lm_tuned_open(ctx, &base, task, settings, per_row, &t->tuned);
}

static void
close_trained(trained *t)
{
    lm_tuned_close(t->tuned);
    if (t->loaded.image)
        loaded_close(t->ctx, &t->loaded);
    if (t->dir)
        lm_source_dir_close(t->ctx, t->dir);
    lm_arena_free(&t->arena);
}

/* Without dropout. */
static lm_tuned_settings
plain_settings(void)
{
    lm_tuned_settings settings;

    lm_tuned_settings_default(&settings);
    settings.dropout = settings.encoder.hidden_dropout = settings.encoder.attention_dropout = 0;
    return settings;
}

static bool
is_tagging(const lm_json *each)
{
    return lm_json_is_string(lm_json_get(each, "task"), "tagging");
}

/* The texts of a case, whose ids must be the reference's, and their targets. */
static lm_status
add_texts(trained *t, const lm_json *each)
{
    const lm_json *text = lm_json_get(each, "texts")->as.items.first;
    const lm_json *ids = lm_json_get(each, "ids")->as.items.first;
    const lm_json *target = lm_json_get(each, "targets")->as.items.first;

    t->tuned->texts.window = (size_t)lm_json_get(each, "window")->integer;
    for (; text; text = text->next, ids = ids->next, target = target->next) {
        const lm_json *id = ids->as.items.first;

        LM_TRY(lm_tuned_texts_add(&t->tuned->texts,
                                  (lm_text){text->as.string.bytes, text->as.string.length}));
        CHECK_EQ_INT(t->tuned->texts.encoding.count, ids->as.items.count);
        for (size_t i = 0; id; id = id->next)
            CHECK_EQ_INT(t->tuned->texts.encoding.ids[i++], id->integer);
        if (target->type == LM_JSON_NUMBER)
            LM_TRY(lm_tuned_add_label(t->tuned, (int32_t)target->integer));
        else
            for (const lm_json *one = target->as.items.first; one; one = one->next)
                LM_TRY(lm_tuned_add_label(t->tuned, (int32_t)one->integer));
    }
    return LM_OK;
}

/* Parameters of a CRF, which are drawn, as the reference has them. */
static void
set_crf(trained *t, const lm_json *values)
{
    for (size_t i = 0; values && i < t->network.param_count; i++) {
        const lm_json *of = lm_json_get(values, t->network.params[i].name);
        const lm_json *number = of ? of->as.items.first : NULL;
        float *value = t->network.params[i].value;

        for (; number; number = number->next)
            *value++ = (float)number->as.number;
    }
}

static lm_status
start_case(trained *t, lm_context *ctx, const lm_json *each, const lm_tuned_settings *plain)
{
    lm_tuned_settings settings = *plain;

    settings.crf = lm_json_get(each, "crf") != NULL;
    if (settings.crf)
        settings.encoder.crf_rate = lm_json_get(each, "crf_rate")->as.number;
    LM_TRY(open_base(t, ctx, lm_json_get(each, "folder")->as.string.bytes,
                     is_tagging(each) ? &lm_tuned_tagging : &lm_tuned_classification, &settings,
                     1));
    LM_TRY(add_texts(t, each));
    for (const lm_json *name = lm_json_get(each, "labels")->as.items.first; name; name = name->next)
        t->names[t->name_count++] = name->as.string.bytes;
    LM_TRY(lm_tuned_start(t->tuned, t->names, t->name_count));
    lm_tuned_network(t->tuned, &t->network);
    set_crf(t, lm_json_get(each, "crf"));
    return LM_OK;
}

/* Loss and gradients of all rows. */
static lm_status
run_all(trained *t, double *loss)
{
    size_t rows[MOST_TEXTS];
    lm_pass pass = {.training = true};

    for (size_t i = 0; i < t->network.rows; i++)
        rows[i] = i;
    *loss = 0;
    LM_TRY(t->network.weight(t->tuned, rows, t->network.rows, &pass.weight));
    return t->network.pass(t->tuned, rows, t->network.rows, &pass, loss);
}

/* ---- torch's ---- */

/* A name that the reference has, of a parameter: the same, or without what stands before. */
static const lm_json *
recorded_gradient(const lm_json *each, const char *name)
{
    for (const lm_json *one = lm_json_get(each, "gradients")->as.items.first; one;
         one = one->next) {
        const size_t own = strlen(name), theirs = one->key_length;

        if (own <= theirs && strcmp(one->key + theirs - own, name) == 0)
            return one;
        if (theirs <= own && strcmp(name + own - theirs, one->key) == 0)
            return one;
    }
    return NULL;
}

static void
check_gradient(const recorded *r, const lm_json *each, const lm_param *param)
{
    const lm_json *wanted = recorded_gradient(each, param->name), *number;
    const lm_json *rate = lm_json_get(r->root, "rates")->as.items.first;
    const size_t count = param->rows * param->columns;
    double length = 0;

    if (!wanted) {
        UNIT_FAIL("%s: torch has no %s", lm_json_get(each, "folder")->as.string.bytes, param->name);
        return;
    }
    for (size_t i = 0; i < count; i++)
        length += (double)param->grad[i] * (double)param->grad[i];
    number = wanted->as.items.first;
    length = sqrt(length) - number->as.number;
    for (;;) {
        const double bound = 1e-4 * fmax(1e-2, wanted->as.items.first->as.number);
        double product = 0;

        if (!(fabs(length) <= bound))
            UNIT_FAIL("%s, %s: off by %g", lm_json_get(each, "folder")->as.string.bytes,
                      param->name, length);
        if (!(number = number->next))
            break;
        for (size_t i = 0; i < count; i++)
            product += (double)param->grad[i] * cos(rate->as.number * (double)i);
        length = product - number->as.number;
        rate = rate->next;
    }
}

static void
compare_gradients(const recorded *r, lm_context *ctx, const lm_json *each, size_t memory)
{
    lm_tuned_settings settings = plain_settings();
    trained t;
    double loss = 0;

    settings.encoder.memory = memory;
    if (start_case(&t, ctx, each, &settings) != LM_OK || run_all(&t, &loss) != LM_OK) {
        UNIT_FAIL("%s: %s", lm_json_get(each, "folder")->as.string.bytes, ctx->error.message);
        close_trained(&t);
        return;
    }
    CHECK_NEAR(loss, lm_json_get(each, "loss")->as.number, 1e-5);
    for (size_t i = 0; i < t.network.param_count; i++)
        check_gradient(r, each, &t.network.params[i]);
    close_trained(&t);
}

/* With memory for all layers, and for one. */
static void
test_gradients(void)
{
    lm_context ctx;
    recorded r;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first; each;
         each = each->next) {
        compare_gradients(&r, &ctx, each, 0);
        compare_gradients(&r, &ctx, each, 1);
    }
    lm_arena_free(&r.file.arena);
}

typedef struct curve {
    double losses[STEPS + 1];
    int count;
} curve;

static void
keep_loss(void *opaque, const lm_trainer_report *report)
{
    curve *c = opaque;

    if (!report->held_out && report->step >= 1 && report->step <= STEPS)
        c->losses[report->step - 1] = report->loss;
}

static lm_status
run_steps(trained *t, curve *c)
{
    lm_trainer_options options;
    const lm_trainer_hooks hooks = {.report = keep_loss, .opaque = c};
    lm_trainer_result result;
    size_t order[MOST_TEXTS];

    lm_trainer_defaults(&options);
    options.batch_size = 4;
    options.steps = STEPS;
    options.shuffle = false;
    options.log_steps = 1;
    for (size_t i = 0; i < t->network.rows; i++)
        order[i] = i;
    return lm_trainer_run(t->ctx, &t->network, &options, order, t->network.rows, t->network.rows,
                          NULL, &hooks, &result);
}

/* Of all cases, with losses at most `bound` from torch's. */
static void
compare_curves(const lm_tuned_settings *settings, double bound)
{
    lm_context ctx;
    recorded r;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first; each;
         each = each->next) {
        const lm_json *wanted = lm_json_get(each, "curve")->as.items.first;
        curve c = {.count = 0};
        trained t;

        if (start_case(&t, &ctx, each, settings) != LM_OK || run_steps(&t, &c) != LM_OK)
            UNIT_FAIL("%s: %s", lm_json_get(each, "folder")->as.string.bytes, ctx.error.message);
        for (int i = 0; i < STEPS; i++, wanted = wanted->next)
            if (!(fabs(c.losses[i] - wanted->as.number) <= bound))
                UNIT_FAIL("%s, step %d: %g, wanted %g",
                          lm_json_get(each, "folder")->as.string.bytes, i, c.losses[i],
                          wanted->as.number);
        close_trained(&t);
    }
    lm_arena_free(&r.file.arena);
}

static void
test_curves(void)
{
    const lm_tuned_settings settings = plain_settings();

    compare_curves(&settings, 1e-3);
}

/* With factors in bfloat16 the losses of float32's, but for what 8 bits leave out. */
static void
test_rounded_curves(void)
{
    lm_tuned_settings settings = plain_settings();

    settings.encoder.rounded = true;
    compare_curves(&settings, 0.02);
}

/* ---- Noise on the table of words ---- */

static double
number_of(const lm_json *object, const char *key, double fallback)
{
    const lm_json *number = lm_json_get(object, key);

    return number ? number->as.number : fallback;
}

static lm_adversary_options
noise_of(const lm_json *json)
{
    lm_adversary_options noise = {.eps = number_of(json, "eps", 1)};

    for (int i = 0; lm_adversary_kinds[i]; i++)
        if (lm_json_is_string(lm_json_get(json, "kind"), lm_adversary_kinds[i]->name))
            noise.kind = lm_adversary_kinds[i];
    noise.alpha = number_of(json, "alpha", noise.eps);
    noise.steps = (int64_t)number_of(json, "steps", 1);
    return noise;
}

/* The case of finetune.json with this folder. */
static const lm_json *
case_of(const recorded *r, const lm_json *folder)
{
    const lm_json *each = lm_json_get(r->root, "cases")->as.items.first;

    while (!lm_json_is_string(lm_json_get(each, "folder"), folder->as.string.bytes))
        each = each->next;
    return each;
}

/* Passes over parts of two rows add up to the same. */
static void
noisy_curve(lm_context *ctx, const lm_json *base, const lm_json *each, size_t parts)
{
    const lm_tuned_settings settings = plain_settings();
    const lm_adversary_options noise = noise_of(lm_json_get(each, "noise"));
    const lm_json *wanted = lm_json_get(each, "curve")->as.items.first;
    const lm_cut cut = {.parts = parts};
    lm_adversary adversary = {.ctx = NULL};
    curve c = {.count = 0};
    trained t;

    CHECK_OK(ctx, start_case(&t, ctx, base, &settings));
    CHECK(lm_tuned_words(t.tuned) != NULL);
    CHECK_OK(ctx,
             lm_adversary_open(ctx, &t.network, lm_tuned_words(t.tuned), &noise, &cut, &adversary));
    lm_adversary_network(&adversary, &t.network);
    CHECK_OK(ctx, run_steps(&t, &c));
    for (int i = 0; i < STEPS; i++, wanted = wanted->next)
        CHECK_NEAR(c.losses[i], wanted->as.number, 1e-3);
    lm_adversary_close(&adversary);
    close_trained(&t);
}

static void
test_noise(void)
{
    lm_context ctx;
    recorded r;
    golden_folder file = {.files.count = 0};
    const lm_json *root;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    lm_arena_init(&file.arena, &ctx);
    golden_add_file(&file, "test/golden/adversarial.json", "adversarial.json");
    CHECK_OK(&ctx, lm_json_parse(&ctx, &file.arena, file.files.files[0].data,
                                 file.files.files[0].size, "adversarial.json", &root));
    for (const lm_json *each = lm_json_get(root, "cases")->as.items.first; each; each = each->next)
        for (size_t parts = 1; parts <= 2; parts++)
            noisy_curve(&ctx, case_of(&r, lm_json_get(root, "folder")), each, parts);
    lm_arena_free(&file.arena);
    lm_arena_free(&r.file.arena);
}

/* A pass leaves the table as it was, and without training adds no noise. */
static void
test_restored(void)
{
    const lm_tuned_settings settings = plain_settings();
    const lm_adversary_options noise = {lm_adversary_kinds[1], 1, 0.5, 2};
    const lm_cut cut = {.parts = 1};
    lm_adversary adversary = {.ctx = NULL};
    lm_context ctx;
    recorded r;
    trained t;
    const lm_param *words;
    float *before;
    double clean = 0, told = 0, measured = 0;
    size_t rows[] = {0, 1, 2};
    lm_pass pass = {.training = true, .weight = 3};

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    CHECK_OK(&ctx, start_case(&t, &ctx, lm_json_get(r.root, "cases")->as.items.first, &settings));
    words = lm_tuned_words(t.tuned);
    before = malloc(words->rows * words->columns * sizeof *before);
    memcpy(before, words->value, words->rows * words->columns * sizeof *before);
    CHECK_OK(&ctx, t.network.touch(t.network.self, rows, 3));
    CHECK_OK(&ctx, t.network.pass(t.network.self, rows, 3, &pass, &clean));
    CHECK_OK(&ctx, lm_clear_gradients(&ctx, t.network.params, t.network.param_count));
    CHECK_OK(&ctx, lm_adversary_open(&ctx, &t.network, words, &noise, &cut, &adversary));
    lm_adversary_network(&adversary, &t.network);
    CHECK_OK(&ctx, t.network.touch(t.network.self, rows, 3));
    CHECK_OK(&ctx, t.network.pass(t.network.self, rows, 3, &pass, &told));
    CHECK_OK(&ctx, t.network.pass(t.network.self, rows, 3, &(lm_pass){.weight = 3}, &measured));
    CHECK(memcmp(before, words->value, words->rows * words->columns * sizeof *before) == 0);
    CHECK(clean == told && clean == measured);
    free(before);
    lm_adversary_close(&adversary);
    close_trained(&t);
    lm_arena_free(&r.file.arena);
}

/* ---- Rows in other words ---- */

static lm_augmented_options
varied_options(void)
{
    return (lm_augmented_options){
        {lm_augment_op_find("swap"), lm_augment_op_find("insert")}, 2, 0.5, 3};
}

/* Tokens of all rows, and where each row ends. */
typedef struct read_rows {
    int32_t ids[256];
    size_t tokens, ends[8];
} read_rows;

static read_rows
rows_of(const lm_tuned_texts *texts)
{
    read_rows read = {.tokens = texts->tokens};

    memcpy(read.ids, texts->ids, texts->tokens * sizeof *read.ids);
    memcpy(read.ends, texts->ends, texts->texts * sizeof *read.ends);
    return read;
}

static bool
is_same_row(const read_rows *a, const read_rows *b, size_t row)
{
    const size_t one = row > 0 ? a->ends[row - 1] : 0, two = row > 0 ? b->ends[row - 1] : 0;
    const size_t length = a->ends[row] - one;

    return b->ends[row] - two == length &&
           memcmp(a->ids + one, b->ids + two, length * sizeof *a->ids) == 0;
}

/* Of three rows, the second held out: those that are trained on vary by the epoch alone. */
static void
vary_rows(const lm_tuned_task *task, const char *folder)
{
    static const char *const texts[] = {"the cat is on the mat", "hello hello a cat",
                                        "way on the way now"};
    lm_tuned_settings settings = plain_settings();
    const size_t trained_rows[] = {2, 0};
    read_rows plain, first, again, next;
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    settings.augment = varied_options();
    CHECK_OK(&ctx, open_base(&t, &ctx, folder, task, &settings, 1));
    for (int i = 0; i < 3; i++) {
        const lm_text text = {texts[i], strlen(texts[i])};

        CHECK_OK(&ctx, task->pairs ? lm_tuned_add_text_pair(t.tuned, text, text)
                                   : lm_tuned_add_text(t.tuned, text));
    }
    lm_tuned_network(t.tuned, &t.network);
    plain = rows_of(&t.tuned->texts);
    CHECK_OK(&ctx, t.network.epoch(t.tuned, 0, trained_rows, 2));
    first = rows_of(&t.tuned->texts);
    CHECK_OK(&ctx, t.network.epoch(t.tuned, 1, trained_rows, 2));
    next = rows_of(&t.tuned->texts);
    CHECK_OK(&ctx, t.network.epoch(t.tuned, 0, trained_rows, 2));
    again = rows_of(&t.tuned->texts);
    for (size_t row = 0; row < 3; row++) {
        CHECK(is_same_row(&plain, &first, row) == (row == 1));
        CHECK(is_same_row(&first, &again, row));
        CHECK(is_same_row(&first, &next, row) == (row == 1));
    }
    CHECK_EQ_INT(t.tuned->texts.texts, 3);
    close_trained(&t);
}

static void
test_varied(void)
{
    vary_rows(&lm_tuned_classification, "bert");
    vary_rows(&lm_tuned_rerank, "bert");
    vary_rows(&lm_tuned_next, "bert");
}

/* ---- The model that is written ---- */

static void
free_files(lm_train_outcome *outcome)
{
    for (int i = 0; i < outcome->file_count; i++)
        lm_buffer_free(&outcome->files[i].bytes);
}

/* Probabilities of a row, as the training has them. */
static void
own_scores(trained *t, size_t row, float *scores)
{
    const lm_pass pass = {.weight = 1};
    double loss = 0;

    CHECK_OK(t->ctx, t->network.pass(t->tuned, &row, 1, &pass, &loss));
    memcpy(scores, t->tuned->head.scores, t->name_count * sizeof *scores);
    lm_kernels_active()->softmax_f32(t->name_count, scores);
}

static void
compare_scores(trained *t, const lm_train_outcome *outcome, const lm_json *each)
{
    const lm_json *text = lm_json_get(each, "texts")->as.items.first;
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    fake_source files = {.count = 0};
    const lm_source source = fake_open(&files);
    lm_session *session;
    loaded_model loaded;

    for (int i = 0; i < outcome->file_count; i++)
        fake_add_bytes(&files, outcome->files[i].name, outcome->files[i].bytes.data,
                       outcome->files[i].bytes.size);
    CHECK_OK(t->ctx, loaded_open(t->ctx, &source, lm_kernels_active(), &loaded));
    CHECK_OK(t->ctx, lm_session_create(t->ctx, &session));
    CHECK_STR(loaded.info.task, "classification");
    CHECK_EQ_INT(loaded.info.label_count, t->name_count);
    for (size_t row = 0; text; text = text->next, row++) {
        const lm_text body = {text->as.string.bytes, text->as.string.length};
        float scores[8], own[8];

        own_scores(t, row, own);
        CHECK_OK(t->ctx,
                 lm_classify(t->ctx, session, &loaded.model, &body, 1, &options, scores, NULL));
        for (size_t i = 0; i < t->name_count; i++)
            CHECK_NEAR((double)scores[i], (double)own[i], 1e-5);
    }
    lm_session_free(session);
    loaded_close(t->ctx, &loaded);
}

static void
test_written(void)
{
    const lm_tuned_settings settings = plain_settings();
    lm_context ctx;
    recorded r;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first;
         each && !is_tagging(each); each = each->next) {
        lm_train_outcome outcome = {.file_count = 0};
        curve c = {.count = 0};
        trained t;

        CHECK_OK(&ctx, start_case(&t, &ctx, each, &settings));
        CHECK_OK(&ctx, run_steps(&t, &c));
        CHECK_OK(&ctx, lm_tuned_write(t.tuned, &outcome));
        compare_scores(&t, &outcome, each);
        free_files(&outcome);
        close_trained(&t);
    }
    lm_arena_free(&r.file.arena);
}

/* A text's tags. */
typedef struct tags_kept {
    lm_tag items[MOST_TOKENS];
    size_t count;
} tags_kept;

static lm_status
keep_tags(void *opaque, size_t text, const lm_tag *tags, size_t count)
{
    tags_kept *kept = opaque;

    CHECK(count <= MOST_TOKENS);
    kept->count = count;
    memcpy(kept->items, tags, count * sizeof *tags);
    return LM_OK;
}

/* Whether a token is not the first of its word. */
static bool
is_inside(const lm_tag *tag, const char *body)
{
    return tag->start > 0 && body[tag->start] != ' ' && body[tag->start - 1] != ' ';
}

/* Tags of words are those of the training, and a word's other tokens have B- as I-. */
static void
compare_tags(const trained *t, const tags_kept *kept, const char *body)
{
    size_t word = 0;

    for (size_t i = 0; i < kept->count; i++) {
        const char *tag = t->names[kept->items[i].label];
        const char *of_word;

        word += !is_inside(&kept->items[i], body);
        of_word = t->names[t->tuned->found[word - 1]];
        if (is_inside(&kept->items[i], body) && of_word[0] == 'B') {
            CHECK_EQ_INT(tag[0], 'I');
            CHECK_STR(tag + 1, of_word + 1);
        } else
            CHECK_STR(tag, of_word);
        CHECK(kept->items[i].score > 0 && kept->items[i].score <= 1.00001f);
    }
    CHECK_EQ_INT(word, t->tuned->picked_count);
}

static void
check_tags(trained *t, const loaded_model *loaded, lm_session *session, size_t row,
           const char *body)
{
    const lm_text text = {body, strlen(body)};
    const size_t first = lm_tuned_texts_first(&t->tuned->texts, row) + 1;
    lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_measures measures;
    tags_kept kept = {.count = 0};

    for (int choice = LM_TAG_PIECES; choice <= LM_TAG_SPACED; choice++) {
        options.choice = choice;
        CHECK_OK(t->ctx, lm_tag_texts(t->ctx, session, &loaded->model, &text, 1, &options,
                                      keep_tags, &kept, NULL));
        for (size_t i = 0; i < kept.count; i++)
            if (is_inside(&kept.items[i], body))
                t->tuned->labels[first + i] = LM_IGNORED;
        CHECK_OK(t->ctx, t->network.measure(t->tuned, &row, 1, &measures));
        compare_tags(t, &kept, body);
    }
}

/* A CRF's version says what the training says, by Viterbi. */
static void
test_crf_written(void)
{
    const lm_tuned_settings settings = plain_settings();
    lm_context ctx;
    recorded r;
    int cases = 0;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first; each;
         each = each->next) {
        const lm_json *text = lm_json_get(each, "texts")->as.items.first;
        lm_train_outcome outcome = {.file_count = 0};
        fake_source files = {.count = 0};
        const lm_source source = fake_open(&files);
        lm_session *session;
        loaded_model loaded;
        trained t;

        if (!lm_json_get(each, "crf"))
            continue;
        cases++;
        CHECK_OK(&ctx, start_case(&t, &ctx, each, &settings));
        CHECK_OK(&ctx, lm_tuned_write(t.tuned, &outcome));
        for (int i = 0; i < outcome.file_count; i++)
            fake_add_bytes(&files, outcome.files[i].name, outcome.files[i].bytes.data,
                           outcome.files[i].bytes.size);
        CHECK_OK(&ctx, loaded_open(&ctx, &source, lm_kernels_active(), &loaded));
        CHECK_OK(&ctx, lm_session_create(&ctx, &session));
        for (size_t row = 0; text; text = text->next, row++)
            check_tags(&t, &loaded, session, row, text->as.string.bytes);
        lm_session_free(session);
        loaded_close(&ctx, &loaded);
        free_files(&outcome);
        close_trained(&t);
    }
    CHECK_EQ_INT(cases, 2);
    lm_arena_free(&r.file.arena);
}

/* ---- Weights that are taken away ---- */

/* Numbers of the layers' matrices that are 0. */
static size_t
zeros_of(const trained *t)
{
    const lm_plain *plain = &t->tuned->plain;
    const lm_block *block = &plain->encoder.stack.blocks[0];
    const int targets[] = {block->qkv, block->output, block->up, block->down};
    size_t zeros = 0;

    for (size_t first = plain->layers; first < plain->head_first; first += plain->stride)
        for (int i = 0; i < 4; i++) {
            const size_t entry = first + (size_t)targets[i];
            const lm_weight_target *target = &plain->targets[entry];
            const float *values = t->tuned->values + plain->offsets[entry];

            for (size_t j = 0; j < target->rows * target->width; j++)
                zeros += values[j] == 0;
        }
    return zeros;
}

/* As torch.nn.utils.prune.l1_unstructured: no number that stays is smaller than one that goes. */
static void
check_smallest(const trained *t, const float *before, double share)
{
    const lm_plain *plain = &t->tuned->plain;
    const size_t entry = plain->layers + (size_t)plain->encoder.stack.blocks[0].down;
    const lm_weight_target *target = &plain->targets[entry];
    const float *now = t->tuned->values + plain->offsets[entry];
    const float *was = before + plain->offsets[entry];
    const size_t count = target->rows * target->width;
    float gone = 0, left = 1e30f;
    size_t zeros = 0;

    for (size_t i = 0; i < count; i++) {
        const float size = fabsf(was[i]);

        if (now[i] == 0) {
            zeros++;
            gone = size > gone ? size : gone;
        } else {
            CHECK(now[i] == was[i]);
            left = size < left ? size : left;
        }
    }
    CHECK_EQ_INT(zeros, (size_t)nearbyint(share * (double)count));
    CHECK(gone <= left);
}

/* What the files say, behind a training, against what the training says. */
static void
check_pruned_files(trained *t, const lm_json *each)
{
    const lm_json *text = lm_json_get(each, "texts")->as.items.first;
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    lm_train_outcome outcome = {.file_count = 0};
    fake_source files = {.count = 0};
    const lm_source source = fake_open(&files);
    float own[MOST_TEXTS][8], scores[8];
    const size_t inner = t->tuned->inner_left;
    lm_session *session;
    loaded_model loaded;

    for (size_t row = 0; row < t->network.rows; row++)
        own_scores(t, row, own[row]);
    CHECK_OK(t->ctx, lm_tuned_write(t->tuned, &outcome));
    for (int i = 0; i < outcome.file_count; i++)
        fake_add_bytes(&files, outcome.files[i].name, outcome.files[i].bytes.data,
                       outcome.files[i].bytes.size);
    CHECK_OK(t->ctx, loaded_open(t->ctx, &source, lm_kernels_active(), &loaded));
    CHECK_OK(t->ctx, lm_session_create(t->ctx, &session));
    for (size_t row = 0; text; text = text->next, row++) {
        const lm_text body = {text->as.string.bytes, text->as.string.length};

        CHECK_OK(t->ctx,
                 lm_classify(t->ctx, session, &loaded.model, &body, 1, &options, scores, NULL));
        for (size_t i = 0; i < t->name_count; i++)
            CHECK_NEAR((double)scores[i], (double)own[row][i], 1e-5);
    }
    CHECK(inner > 0 && inner < t->tuned->plain.encoder.stack.blocks[0].inner);
    lm_session_free(session);
    loaded_close(t->ctx, &loaded);
    free_files(&outcome);
}

static void
prune_case(lm_context *ctx, const lm_json *each, lm_pruning pruning)
{
    lm_tuned_settings settings = plain_settings();
    curve c = {.count = 0};
    float *before;
    size_t zeros;
    trained t;

    settings.pruning = pruning;
    CHECK_OK(ctx, start_case(&t, ctx, each, &settings));
    before = malloc(t.tuned->plain.numbers * sizeof *before);
    memcpy(before, t.tuned->values, t.tuned->plain.numbers * sizeof *before);
    CHECK_OK(ctx, lm_tuned_prune(t.tuned));
    zeros = zeros_of(&t);
    CHECK_EQ_INT(zeros, t.tuned->zeros);
    if (pruning.neurons == 0)
        check_smallest(&t, before, pruning.share);
    CHECK_OK(ctx, run_steps(&t, &c));
    CHECK_EQ_INT(zeros_of(&t), zeros);
    if (pruning.neurons > 0)
        check_pruned_files(&t, each);
    free(before);
    close_trained(&t);
}

/* What is 0 stays so through AdamW with decay; neurons go out of files whose scores stay. */
static void
test_pruned(void)
{
    static const char *const folders[] = {"bert-sequence", "distilbert-sequence",
                                          "modernbert-sequence"};
    lm_context ctx;
    recorded r;

    lm_context_init(&ctx);
    open_recorded(&r, &ctx);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first; each;
         each = each->next)
        for (int i = 0; i < 3; i++)
            if (lm_json_is_string(lm_json_get(each, "folder"), folders[i])) {
                prune_case(&ctx, each, (lm_pruning){.share = 0.6});
                prune_case(&ctx, each, (lm_pruning){.share = 0.375}); /* of 252: 94.5 */
                prune_case(&ctx, each, (lm_pruning){.heads = 0.5, .neurons = 0.4});
                prune_case(&ctx, each, (lm_pruning){.share = 0.7, .heads = 0.5, .neurons = 0.4});
            }
    lm_arena_free(&r.file.arena);
}

/* ---- Differences: of all tasks, with dropout ---- */

enum { ROWS = 4 };

/* Three texts a row, if the task wants them, with a number or a label. */
static lm_status
add_differing(trained *t, size_t per_row)
{
    static const char *const texts[] = {"a cat on the mat", "the world", "it is not so",
                                        "way of the cats",  "no hello",  "the mat is on the cat"};
    lm_tuned *tuned = t->tuned;

    for (size_t i = 0; i < ROWS * per_row; i++) {
        const char *text = texts[i * 5 % 6];

        LM_TRY(lm_tuned_texts_add(&tuned->texts, (lm_text){text, strlen(text)}));
        for (size_t token = 0;
             tuned->task == &lm_tuned_tagging && token < tuned->texts.encoding.count; token++)
            LM_TRY(lm_tuned_add_label(tuned, token % 3 == 0 ? LM_IGNORED : (int32_t)(i % 2)));
    }
    for (size_t i = 0; i < ROWS; i++) {
        LM_TRY(lm_tuned_add_number(tuned, (float)i / ROWS));
        if (tuned->task == &lm_tuned_classification || tuned->task == &lm_tuned_next)
            LM_TRY(lm_tuned_add_label(tuned, (int32_t)(i % 2)));
    }
    return LM_OK;
}

static double
loss_at(trained *t, double along, double length)
{
    double loss = 0;

    for (size_t i = 0; i < t->network.param_count; i++) {
        const lm_param *param = &t->network.params[i];

        for (size_t j = 0; j < param->rows * param->columns; j++)
            param->value[j] += (float)(along * (double)param->grad[j] / length);
    }
    {
        /* The gradients stay: they are copied back by the caller. */
        const size_t rows[ROWS] = {0, 1, 2, 3};
        lm_pass pass = {.training = true, .seed = 7, .step = 3};

        CHECK_OK(t->ctx, t->network.weight(t->tuned, rows, ROWS, &pass.weight));
        CHECK_OK(t->ctx, t->network.pass(t->tuned, rows, ROWS, &pass, &loss));
    }
    return loss;
}

/* Along its gradient a loss rises by the gradient's length. */
static void
check_rise(trained *t, const char *what)
{
    const double step = 2e-3;
    double length = 0, up, down;
    float *kept;
    size_t count = 0;

    loss_at(t, 0, 1);
    for (size_t i = 0; i < t->network.param_count; i++)
        count += t->network.params[i].rows * t->network.params[i].columns;
    kept = malloc(count * sizeof *kept);
    count = 0;
    for (size_t i = 0; i < t->network.param_count; i++)
        for (size_t j = 0; j < t->network.params[i].rows * t->network.params[i].columns; j++) {
            kept[count++] = t->network.params[i].grad[j];
            length += (double)t->network.params[i].grad[j] * (double)t->network.params[i].grad[j];
        }
    length = sqrt(length);
    up = loss_at(t, step, length);
    count = 0;
    for (size_t i = 0; i < t->network.param_count; i++)
        for (size_t j = 0; j < t->network.params[i].rows * t->network.params[i].columns; j++)
            t->network.params[i].grad[j] = kept[count++];
    down = loss_at(t, -2 * step, length);
    if (!(fabs((up - down) / (2 * step) - length) <= 2e-2 * length))
        UNIT_FAIL("%s: %g, wanted %g", what, (up - down) / (2 * step), length);
    free(kept);
}

static void
check_differences(const char *folder, const lm_tuned_task *task, lm_tuned_settings settings,
                  size_t per_row)
{
    static const char *const labels[] = {"a", "b"};
    char what[128];
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    settings.encoder.hidden_dropout = 0.2;
    settings.encoder.attention_dropout = 0.3;
    CHECK_OK(&ctx, open_base(&t, &ctx, folder, task, &settings, per_row));
    CHECK_OK(&ctx, add_differing(&t, per_row));
    CHECK_OK(&ctx, lm_tuned_start(t.tuned, labels, 2));
    lm_tuned_network(t.tuned, &t.network);
    snprintf(what, sizeof what, "%s of %s", task->name, folder);
    check_rise(&t, what);
    close_trained(&t);
}

static void
test_differences(void)
{
    lm_tuned_settings settings;

    lm_tuned_settings_default(&settings);
    settings.label_smoothing = 0.1;
    check_differences("bert", &lm_tuned_classification, settings, 1);
    check_differences("modernbert", &lm_tuned_classification, settings, 1);
    check_differences("bert", &lm_tuned_tagging, settings, 1);
    settings.label_smoothing = 0;
    settings.crf = true;
    check_differences("bert", &lm_tuned_tagging, settings, 1);
    settings.crf = false;
    settings.lora_rank = 3;
    settings.lora_alpha = 6;
    check_differences("bert", &lm_tuned_classification, settings, 1);
    check_differences("bert", &lm_tuned_masked, settings, 1);
    settings.lora_rank = 0;
    check_differences("bert", &lm_tuned_regression, settings, 1);
    check_differences("bert", &lm_tuned_rerank, settings, 1);
    check_differences("bert", &lm_tuned_next, settings, 1);
    check_differences("bert", &lm_tuned_masked, settings, 1);
    check_differences("bert-mask", &lm_tuned_masked, settings, 1);
    settings.pairs = LM_TUNED_SCORED;
    check_differences("bert-st6-cls", &lm_tuned_similarity, settings, 2);
    settings.pairs = LM_TUNED_RANKED;
    settings.scale = 2;
    check_differences("bert-st6-cls", &lm_tuned_similarity, settings, 2);
    check_differences("bert-st6-cls", &lm_tuned_similarity, settings, 3);
    settings.pairs = LM_TUNED_TRIPLETS;
    check_differences("bert-st6-cls", &lm_tuned_similarity, settings, 3);
}

/* ---- A student ---- */

static void
open_student(trained *t, lm_context *ctx, lm_tuned_settings settings)
{
    const char *body[ROWS] = {"a cat on the mat", "the world", "it is not so", "no hello"};
    lm_text texts[ROWS], labels[ROWS];

    CHECK_OK(ctx, open_base(t, ctx, "bert-sequence", &lm_tuned_distillation, &settings, 1));
    CHECK_OK(ctx, lm_tuned_teacher(t->tuned, &t->loaded.model));
    for (size_t i = 0; i < ROWS; i++) {
        const char *label = t->tuned->names[i % t->tuned->name_count];

        texts[i] = (lm_text){body[i], strlen(body[i])};
        labels[i] = (lm_text){label, strlen(label)};
    }
    CHECK_OK(ctx, lm_tuned_taught(t->tuned, texts, labels, ROWS));
    t->name_count = t->tuned->name_count;
    CHECK_OK(ctx, lm_tuned_start(t->tuned, t->tuned->names, t->tuned->name_count));
    lm_tuned_network(t->tuned, &t->network);
}

/* ln of the softmax of scores / t. */
static double
log_share(const float *scores, size_t classes, size_t label, double t)
{
    double sum = 0;

    for (size_t i = 0; i < classes; i++)
        sum += exp((double)scores[i] / t);
    return (double)scores[label] / t - log(sum);
}

/* Hinton's: hard · CE + (1 − hard) · T² · KL, the mean of the rows. */
static double
wanted_loss(trained *t, double hard, double temperature)
{
    const size_t classes = t->name_count;
    double loss = 0;

    for (size_t row = 0; row < ROWS; row++) {
        const float *scores = t->tuned->head.scores, *teacher = t->tuned->taught + row * classes;
        const lm_pass pass = {.weight = 1};
        double unused = 0;

        CHECK_OK(t->ctx, t->network.pass(t->tuned, &row, 1, &pass, &unused));
        scores = t->tuned->head.scores;
        loss -= hard * log_share(scores, classes, row % classes, 1);
        for (size_t i = 0; i < classes; i++) {
            const double share = log_share(teacher, classes, i, temperature);

            loss += (1 - hard) * temperature * temperature * exp(share) *
                    (share - log_share(scores, classes, i, temperature));
        }
    }
    return loss / ROWS;
}

static const lm_param *
param_of_layer(const trained *t, const char *layer)
{
    for (size_t i = 0; i < t->network.param_count; i++)
        if (strstr(t->network.params[i].name, layer) &&
            strstr(t->network.params[i].name, ".output.dense.weight") &&
            !strstr(t->network.params[i].name, ".attention."))
            return &t->network.params[i];
    return NULL;
}

/* The only layer of a student is the last of its teacher's, in the files too. */
static void
check_cut(trained *whole, trained *cut)
{
    const lm_param *last = param_of_layer(whole, "layer.1."),
                   *own = param_of_layer(cut, "layer.0.");
    lm_train_outcome outcome = {.file_count = 0};
    bool said = false;

    CHECK(last && own && !param_of_layer(cut, "layer.1."));
    if (last && own)
        CHECK(memcmp(last->value, own->value, last->rows * last->columns * sizeof(float)) == 0);
    CHECK_OK(cut->ctx, lm_tuned_write(cut->tuned, &outcome));
    for (int i = 0; i < outcome.file_count; i++)
        if (strcmp(outcome.files[i].name, "config.json") == 0) {
            CHECK_OK(cut->ctx, lm_buffer_append_byte(&outcome.files[i].bytes, '\0'));
            said = strstr(outcome.files[i].bytes.data, "\"num_hidden_layers\":1") != NULL;
        }
    CHECK(said);
    free_files(&outcome);
}

/* One with all layers begins as its teacher is; the loss is the formula's, and its gradient that
 * which differences show. */
static void
test_student(void)
{
    static const double hard[] = {0, 0.3, 1};
    lm_tuned_settings settings = plain_settings();
    lm_context ctx;
    trained whole, cut;
    double loss;

    lm_context_init(&ctx);
    settings.hard = 0;
    settings.layers = 2;
    open_student(&whole, &ctx, settings);
    CHECK_OK(&ctx, run_all(&whole, &loss));
    CHECK_NEAR(loss, 0, 1e-6);
    settings.layers = 1;
    settings.temperature = 3;
    for (int i = 0; i < 3; i++) {
        settings.hard = hard[i];
        open_student(&cut, &ctx, settings);
        CHECK_OK(&ctx, run_all(&cut, &loss));
        CHECK_NEAR(loss, wanted_loss(&cut, hard[i], 3), 1e-5);
        CHECK(loss > 1e-6);
        CHECK_OK(&ctx, lm_clear_gradients(&ctx, cut.network.params, cut.network.param_count));
        if (i == 0)
            check_cut(&whole, &cut);
        check_rise(&cut, "a student");
        close_trained(&cut);
    }
    close_trained(&whole);
}

/* A CRF is asked of a head that has none: refused, not left out. */
static void
test_no_crf(void)
{
    lm_tuned_settings settings = plain_settings();
    const char *const labels[] = {"a", "b"};
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    settings.crf = true;
    CHECK_OK(&ctx, open_base(&t, &ctx, "bert", &lm_tuned_classification, &settings, 1));
    CHECK_OK(&ctx, add_differing(&t, 1));
    CHECK_EQ_INT(lm_tuned_start(t.tuned, labels, 2), LM_UNSUPPORTED);
    CHECK_STR(ctx.error.key, "crf");
    CHECK_STR(ctx.error.found, "bert");
    close_trained(&t);
}

/* ---- A run that goes on ---- */

enum { RESUME_STEPS = 7, RESUME_AT = 3 };

static lm_status
keep_bytes(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    lm_buffer *kept = opaque;

    return step == RESUME_AT ? lm_buffer_append(kept, bytes->data, bytes->size) : LM_OK;
}

/* A training with all that a checkpoint must bring back; its weights file. */
static void
resumable(lm_context *ctx, const lm_tuned_task *task, int64_t rank, const lm_buffer *resume,
          lm_buffer *kept, lm_buffer *weights)
{
    static const char *const labels[] = {"a", "b"};
    const lm_trainer_hooks hooks = {.checkpoint = keep_bytes, .opaque = kept};
    const size_t order[ROWS] = {0, 1, 2, 3};
    lm_tuned_settings settings = plain_settings();
    lm_train_outcome outcome = {.file_count = 0};
    lm_trainer_options options;
    lm_trainer_result result;
    trained t;

    settings.dropout = settings.encoder.hidden_dropout = settings.encoder.attention_dropout = 0.2;
    settings.lora_rank = rank;
    settings.lora_alpha = 4;
    lm_trainer_defaults(&options);
    options.batch_size = 2;
    options.steps = RESUME_STEPS;
    options.checkpoint_steps = resume ? 0 : 1;
    options.ema = 0.5;
    CHECK_OK(ctx, open_base(&t, ctx, "bert", task, &settings, 1));
    CHECK_OK(ctx, add_differing(&t, 1));
    CHECK_OK(ctx, lm_tuned_start(t.tuned, labels, 2));
    lm_tuned_network(t.tuned, &t.network);
    CHECK_OK(ctx,
             lm_trainer_run(ctx, &t.network, &options, order, 3, ROWS, resume, &hooks, &result));
    CHECK_OK(ctx, lm_tuned_write(t.tuned, &outcome));
    for (int i = 0; i < outcome.file_count; i++)
        if (strcmp(outcome.files[i].name, "model.safetensors") == 0)
            CHECK_OK(ctx, lm_buffer_append(weights, outcome.files[i].bytes.data,
                                           outcome.files[i].bytes.size));
    free_files(&outcome);
    close_trained(&t);
}

/* With dropout, an average, rows of words that wait, and adapters: the same bits. */
static void
test_resumed(void)
{
    static const lm_tuned_task *const tasks[] = {&lm_tuned_classification, &lm_tuned_masked};
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < 2; i++)
        for (int64_t rank = 0; rank < 4; rank += 2) {
            lm_buffer kept, whole, rest;

            lm_buffer_init(&kept, &ctx);
            lm_buffer_init(&whole, &ctx);
            lm_buffer_init(&rest, &ctx);
            resumable(&ctx, tasks[i], rank, NULL, &kept, &whole);
            CHECK(kept.size > 0 && whole.size > 0);
            resumable(&ctx, tasks[i], rank, &kept, NULL, &rest);
            CHECK_EQ_INT(rest.size, whole.size);
            CHECK(memcmp(rest.data, whole.data, whole.size) == 0);
            lm_buffer_free(&kept);
            lm_buffer_free(&whole);
            lm_buffer_free(&rest);
        }
}

/* ---- Memory and cancel ---- */

/* Parts of a batch are cut so that all layers of each are kept, where a row's can be. */
static void
test_parts(void)
{
    const lm_tuned_settings settings = plain_settings();
    static const char *const labels[] = {"a", "b"};
    const size_t rows[ROWS] = {0, 1, 2, 3};
    const lm_pass pass = {.weight = ROWS, .training = true};
    lm_context ctx;
    trained t;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, open_base(&t, &ctx, "bert", &lm_tuned_classification, &settings, 1));
    CHECK_OK(&ctx, add_differing(&t, 1));
    CHECK_OK(&ctx, lm_tuned_start(t.tuned, labels, 2));
    lm_tuned_network(t.tuned, &t.network);
    for (size_t taken = 0; taken <= ROWS; taken++) {
        size_t bytes = 0;
        double loss = 0;

        for (size_t i = 0; i < taken; i++)
            bytes += t.network.row_bytes(t.tuned, rows[i]);
        t.tuned->encoder.options.memory = taken ? bytes : 1;
        CHECK_OK(&ctx, t.network.pass(t.tuned, rows, taken ? taken : 1, &pass, &loss));
        CHECK_EQ_INT(t.tuned->encoder.run.tapes > 0, taken > 0);
    }
    close_trained(&t);
}

static lm_status
pass_with_noise(lm_context *ctx, trained *t, const size_t *rows, const lm_pass *pass)
{
    const lm_adversary_options noise = {lm_adversary_kinds[1], 1, 1, 2};
    const lm_cut cut = {.parts = 2};
    lm_adversary adversary;
    lm_network noisy;
    double loss = 0;
    lm_status status =
        lm_adversary_open(ctx, &t->network, lm_tuned_words(t->tuned), &noise, &cut, &adversary);

    lm_adversary_network(&adversary, &noisy);
    if (status == LM_OK)
        status = noisy.pass(noisy.self, rows, 2, pass, &loss);
    lm_adversary_close(&adversary);
    return status;
}

/* All of a training that is done with the context, of one step with dropout, and its measure. */
static lm_status
whole_training(lm_context *ctx, trained *t, const lm_train_base *base)
{
    static const char *const labels[] = {"a", "b"};
    const size_t rows[] = {0, 1};
    lm_pass pass = {.weight = 2, .training = true, .seed = 1};
    lm_train_outcome outcome = {.file_count = 0};
    lm_tuned_settings settings;
    lm_measures measures = {.loss = 0};
    lm_status status;
    double loss = 0;

    lm_tuned_settings_default(&settings);
    settings.augment = varied_options();
    LM_TRY(lm_tuned_open(ctx, base, &lm_tuned_classification, &settings, 1, &t->tuned));
    LM_TRY(lm_tuned_add_text(t->tuned, (lm_text){"a cat", 5}));
    LM_TRY(lm_tuned_add_text(t->tuned, (lm_text){"the mat", 7}));
    LM_TRY(lm_tuned_add_label(t->tuned, 0));
    LM_TRY(lm_tuned_add_label(t->tuned, 1));
    LM_TRY(lm_tuned_start(t->tuned, labels, 2));
    lm_tuned_network(t->tuned, &t->network);
    LM_TRY(t->network.epoch(t->tuned, 0, rows, 2));
    LM_TRY(t->network.touch(t->tuned, rows, 2));
    LM_TRY(t->network.pass(t->tuned, rows, 2, &pass, &loss));
    LM_TRY(pass_with_noise(ctx, t, rows, &pass));
    LM_TRY(t->network.measure(t->tuned, rows, 2, &measures));
    CHECK(loss > 0 && measures.loss > 0 && measures.count == 2);
    status = lm_tuned_write(t->tuned, &outcome);
    free_files(&outcome);
    return status;
}

/* With the fake's faults; the base is loaded without them. */
static lm_status
faulty_training(fake_memory *memory)
{
    const lm_model_options options = {.as_embedding = true};
    lm_context good, ctx;
    lm_train_base base = {.name = "bert"};
    lm_file_list list;
    trained t = {.ctx = &good};
    lm_status status;

    lm_context_init(&good);
    fake_context(&ctx, memory);
    lm_arena_init(&t.arena, &good);
    CHECK_OK(&good, lm_source_dir_open(&good, GOLDEN_ROOT "/bert", true, &t.dir, &t.source));
    CHECK_OK(&good, loaded_open_with(&good, &t.source, &options, lm_kernels_active(), &t.loaded));
    CHECK_OK(&good, lm_checkpoint_list(&good, &t.arena, &t.source, &list));
    base.source = &t.source;
    base.files = list.names;
    base.file_count = (int)list.count;
    base.model = &t.loaded.model;
    status = whole_training(&ctx, &t, &base);
    close_trained(&t);
    CHECK_EQ_INT(memory->live, 0);
    return status;
}

static void
test_no_memory(void)
{
    fake_memory whole = {.fail_at = 0};

    CHECK_EQ_INT(faulty_training(&whole), LM_OK);
    for (int at = unit_next_fault(0); at <= whole.calls; at = unit_next_fault(at)) {
        fake_memory memory = {.fail_at = at};

        CHECK_EQ_INT(faulty_training(&memory), LM_NO_MEMORY);
    }
}

static void
test_cancel(void)
{
    fake_memory whole = {.fail_at = 0};

    CHECK_EQ_INT(faulty_training(&whole), LM_OK);
    for (int at = unit_next_fault(0); at <= whole.polls; at = unit_next_fault(at)) {
        fake_memory memory = {.stop_at = at};

        CHECK_EQ_INT(faulty_training(&memory), LM_CANCELLED);
    }
}

/* ---- Batches that several share ---- */

enum { SHARED_STEPS = 5, HELPERS = 2 };

/* Texts of a row. */
static size_t
places_of(const lm_tuned_task *task, const lm_tuned_settings *settings)
{
    if (task != &lm_tuned_similarity)
        return 1;
    return settings->pairs == LM_TUNED_TRIPLETS ? 3 : 2;
}

/* Helpers in this process, which know of the training what its bytes say. */
typedef struct shared_helpers {
    lm_context *ctx;
    lm_tuned *tuned[HELPERS];
    lm_network networks[HELPERS];
    float *values, *grads[HELPERS];
    double losses[HELPERS];
    lm_cut cut;
} shared_helpers;

static lm_status
begin_helper(void *self, size_t helper, const size_t *rows, size_t count, const lm_pass *pass)
{
    shared_helpers *h = self;

    h->losses[helper] = 0;
    return lm_team_help(h->ctx, &h->networks[helper], &h->cut, rows, count, pass,
                        &h->losses[helper]);
}

static lm_status
end_helper(void *self, size_t helper, double *loss, const float **grads)
{
    const shared_helpers *h = self;

    *loss = h->losses[helper];
    *grads = h->grads[helper];
    return LM_OK;
}

static void
open_helpers(shared_helpers *h, trained *t, size_t count)
{
    const size_t values = lm_tuned_value_numbers(t->tuned), grads = lm_tuned_grad_numbers(t->tuned);
    const lm_cut cut = {.parts = 1};
    lm_buffer bytes;

    *h = (shared_helpers){.ctx = t->ctx, .values = calloc(values, sizeof(float))};
    lm_buffer_init(&bytes, t->ctx);
    CHECK_OK(t->ctx, lm_tuned_pack(t->tuned, &cut, &bytes));
    lm_tuned_move(t->tuned, h->values);
    for (size_t i = 0; i < count; i++) {
        h->grads[i] = calloc(grads, sizeof(float));
        CHECK_OK(t->ctx, lm_tuned_unpack(t->ctx, bytes.data, bytes.size, h->values, h->grads[i],
                                         &h->cut, &h->tuned[i]));
        lm_tuned_network(h->tuned[i], &h->networks[i]);
    }
    lm_buffer_free(&bytes);
}

static void
close_helpers(shared_helpers *h)
{
    for (int i = 0; i < HELPERS; i++) {
        lm_tuned_close(h->tuned[i]);
        free(h->grads[i]);
    }
    free(h->values);
}

/* The values behind some steps; to be freed. */
static float *
learn_shared(lm_context *ctx, const char *folder, const lm_tuned_task *task,
             const lm_tuned_settings *settings, size_t workers, size_t helpers)
{
    static const char *const labels[] = {"a", "b"};
    const lm_trainer_hooks hooks = {.report = NULL};
    const size_t order[ROWS] = {0, 1, 2, 3};
    const lm_cut cut = {.parts = 1};
    lm_team_helpers others = {.count = helpers, .begin = begin_helper, .end = end_helper};
    lm_trainer_options options;
    lm_trainer_result result;
    lm_network network;
    lm_team team;
    shared_helpers h;
    trained t;
    float *values;

    lm_trainer_defaults(&options);
    options.optimizer = lm_optimizers[0]; /* Adam's steps follow the sign of what is but noise */
    options.optimizer->defaults(&options.update);
    options.update.learning_rate = 0.01;
    options.batch_size = 3;
    options.steps = SHARED_STEPS;
    CHECK_OK(ctx, open_base(&t, ctx, folder, task, settings, places_of(task, settings)));
    CHECK_OK(ctx, add_differing(&t, places_of(task, settings)));
    CHECK_OK(ctx, lm_tuned_start(t.tuned, labels, 2));
    open_helpers(&h, &t, helpers);
    lm_tuned_network(t.tuned, &network);
    others.self = &h;
    others.base = t.tuned->encoder.grads;
    CHECK_OK(ctx, lm_team_open(ctx, &network, workers, &cut, &others, &team));
    if (workers > 0)
        lm_team_network(&team, &network);
    CHECK_OK(ctx,
             lm_trainer_run(ctx, &network, &options, order, ROWS, ROWS, NULL, &hooks, &result));
    lm_tuned_move(t.tuned, NULL);
    values = malloc(t.tuned->plain.numbers * sizeof *values);
    memcpy(values, t.tuned->values, t.tuned->plain.numbers * sizeof *values);
    lm_team_close(&team);
    close_helpers(&h);
    close_trained(&t);
    return values;
}

static size_t
shared_numbers(lm_context *ctx, const char *folder, const lm_tuned_task *task,
               const lm_tuned_settings *settings)
{
    static const char *const labels[] = {"a", "b"};
    trained t;
    size_t numbers;

    CHECK_OK(ctx, open_base(&t, ctx, folder, task, settings, places_of(task, settings)));
    CHECK_OK(ctx, add_differing(&t, places_of(task, settings)));
    CHECK_OK(ctx, lm_tuned_start(t.tuned, labels, 2));
    numbers = t.tuned->plain.numbers;
    close_trained(&t);
    return numbers;
}

/* With helpers and without: the same bits; as the whole but for rounding. */
static void
check_shared(const char *folder, const lm_tuned_task *task, const lm_tuned_settings *settings)
{
    lm_context ctx;
    float *whole;
    size_t numbers;

    lm_context_init(&ctx);
    numbers = shared_numbers(&ctx, folder, task, settings);
    whole = learn_shared(&ctx, folder, task, settings, 0, 0);
    for (size_t workers = 1; workers <= 2; workers++) {
        float *alone = learn_shared(&ctx, folder, task, settings, workers, 0);
        double most = 0;

        for (size_t i = 0; i < numbers; i++)
            most = fmax(most, fabs((double)alone[i] - whole[i]));
        if (!(most < 1e-5))
            UNIT_FAIL("%s of %s in %zu parts: off by %g", task->name, folder, workers + 1, most);
        for (size_t helpers = 1; helpers <= workers; helpers++) {
            float *helped = learn_shared(&ctx, folder, task, settings, workers, helpers);

            CHECK(memcmp(helped, alone, numbers * sizeof *alone) == 0);
            free(helped);
        }
        free(alone);
    }
    free(whole);
}

static void
test_shared(void)
{
    static const float weights[] = {0.5f, 2};
    lm_tuned_settings settings;

    lm_tuned_settings_default(&settings);
    settings.dropout = settings.encoder.hidden_dropout = settings.encoder.attention_dropout = 0.2;
    settings.class_weights = weights;
    check_shared("bert", &lm_tuned_classification, &settings);
    check_shared("modernbert", &lm_tuned_classification, &settings);
    check_shared("bert", &lm_tuned_tagging, &settings);
    settings.crf = true;
    check_shared("bert", &lm_tuned_tagging, &settings);
    settings.crf = false;
    settings.class_weights = NULL;
    check_shared("bert", &lm_tuned_regression, &settings);
    check_shared("bert", &lm_tuned_rerank, &settings);
    check_shared("bert", &lm_tuned_next, &settings);
    check_shared("bert", &lm_tuned_masked, &settings);
    settings.encoder.rounded = true;
    check_shared("bert", &lm_tuned_masked, &settings);
    settings.encoder.rounded = false;
    settings.pairs = LM_TUNED_SCORED;
    check_shared("bert-st6-cls", &lm_tuned_similarity, &settings);
    settings.pairs = LM_TUNED_TRIPLETS;
    check_shared("bert-st6-cls", &lm_tuned_similarity, &settings);
}

/* What a helper is told, cut short or changed, or without memory for it. */
static void
test_told(void)
{
    static const char *const labels[] = {"a", "b"};
    const lm_tuned_settings settings = plain_settings();
    const lm_cut cut = {.parts = 1};
    lm_context ctx;
    lm_buffer bytes;
    trained t;
    float *values, *grads;

    lm_context_init(&ctx);
    lm_buffer_init(&bytes, &ctx);
    CHECK_OK(&ctx, open_base(&t, &ctx, "bert", &lm_tuned_classification, &settings, 1));
    CHECK_OK(&ctx, add_differing(&t, 1));
    CHECK_OK(&ctx, lm_tuned_start(t.tuned, labels, 2));
    CHECK_OK(&ctx, lm_tuned_pack(t.tuned, &cut, &bytes));
    values = calloc(lm_tuned_value_numbers(t.tuned), sizeof *values);
    grads = calloc(lm_tuned_grad_numbers(t.tuned), sizeof *grads);
    for (int kind = 0; kind < 2; kind++) {
        lm_status status = LM_INTERNAL;
        size_t at = kind == 0 ? 1 : 0;

        for (; status != LM_OK; at += at < 100 ? 1 : 97) {
            const size_t size = kind == 0 || at > bytes.size ? bytes.size : at;
            fake_memory memory = {.fail_at = kind == 0 ? (int)at : 0};
            lm_context helpers;
            lm_tuned *tuned = NULL;
            lm_cut told;

            fake_context(&helpers, &memory);
            status = lm_tuned_unpack(&helpers, bytes.data, size, values, grads, &told, &tuned);
            CHECK(status == LM_OK || status == (kind == 0 ? LM_NO_MEMORY : LM_CORRUPT));
            lm_tuned_close(tuned);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK(at > 20);
    }
    free(values);
    free(grads);
    lm_buffer_free(&bytes);
    close_trained(&t);
}

static const unit_case cases[] = {
    {"gradients are torch's", test_gradients},
    {"20 steps are torch's", test_curves},
    {"20 steps of rounded factors are near them", test_rounded_curves},
    {"with noise 20 steps are torch's", test_noise},
    {"noise goes again", test_restored},
    {"rows in other words", test_varied},
    {"what is written has the training's scores", test_written},
    {"a CRF that is written has the training's tags", test_crf_written},
    {"what is taken away stays away", test_pruned},
    {"all tasks have the gradients that differences show", test_differences},
    {"a student and its teacher", test_student},
    {"a head without a CRF", test_no_crf},
    {"a resumed training has the bits of a whole one", test_resumed},
    {"parts of a batch keep their layers", test_parts},
    {"helpers change no bit", test_shared},
    {"a helper is told all or nothing", test_told},
    {"every allocation can fail", test_no_memory},
    {"every poll can end a training", test_cancel},
};

UNIT_MAIN(cases)
