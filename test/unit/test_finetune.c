/*
 * test_finetune.c - encoders in training: torch's losses and gradients, recorded by
 * scripts/make-finetune.py, and its losses of 20 steps, with noise too; rows in other words.
 */
#include "finetune_case.h"
#include "optim/adversary.h"

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

static const unit_case cases[] = {
    {"gradients are torch's", test_gradients},
    {"20 steps are torch's", test_curves},
    {"20 steps of rounded factors are near them", test_rounded_curves},
    {"with noise 20 steps are torch's", test_noise},
    {"noise goes again", test_restored},
    {"rows in other words", test_varied},
};

UNIT_MAIN(cases)
