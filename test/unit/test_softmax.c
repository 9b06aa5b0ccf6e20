/*
 * test_softmax.c - softmax regression: against an optimum that scikit-learn computed, on data with
 * a known answer, and at its edges.
 *
 * Vectors are made by a formula that Python repeats exactly, so that the reference needs no file.
 */
#include "base/rng.h"
#include "train/folds.h"
#include "train/softmax.h"

#include "fake.h"
#include "unit.h"

#define WIDTH 5
#define LABELS 3
#define ROWS 120

/* Numbers of 1/1024 between −1 and 1 from a linear congruence; label by the largest of three
 * fixed combinations, with every seventh row's label shifted so that the data do not separate. */
static void
make_rows(float *x, int32_t *y)
{
    static const float direction[LABELS][WIDTH] = {
        {1, 0, 0.5f, 0, -0.25f}, {-0.5f, 1, 0, 0.25f, 0}, {0, -0.5f, 1, 0, 0.5f}};
    uint32_t state = 12345;

    for (int i = 0; i < ROWS; i++) {
        float best = -1e9f;

        for (int j = 0; j < WIDTH; j++) {
            state = state * 1664525u + 1013904223u;
            x[i * WIDTH + j] = ((float)(state >> 21) - 1024) / 1024;
        }
        for (int k = 0; k < LABELS; k++) {
            float score = 0;

            for (int j = 0; j < WIDTH; j++)
                score += direction[k][j] * x[i * WIDTH + j];
            if (score > best) {
                best = score;
                y[i] = k;
            }
        }
        if (i % 7 == 0)
            y[i] = (y[i] + 1) % LABELS;
    }
}

static int
best_label(const lm_softmax_result *model, const float *x)
{
    double score[LABELS];
    int best = 0;

    for (int k = 0; k < LABELS; k++) {
        score[k] = model->bias[k];
        for (int j = 0; j < WIDTH; j++)
            score[k] += model->weight[k * WIDTH + j] * x[j];
        if (score[k] > score[best])
            best = k;
    }
    return best;
}

static double
train(lm_context *ctx, lm_softmax_options *options, lm_softmax_result *result)
{
    float x[ROWS * WIDTH];
    int32_t y[ROWS];
    size_t right = 0;

    make_rows(x, y);
    CHECK_OK(ctx, lm_softmax_train(ctx, x, y, ROWS, WIDTH, LABELS, options, NULL, NULL, result));
    for (int i = 0; result->weight && i < ROWS; i++)
        right += best_label(result, x + i * WIDTH) == y[i];
    return (double)right / ROWS;
}

static void
drop(lm_context *ctx, lm_softmax_result *result)
{
    lm_free(ctx, result->weight);
    lm_free(ctx, result->bias);
}

/* sklearn.linear_model.LogisticRegression(C=1 / (ROWS · l2), tol=1e-10) of scikit-learn 1.9.1. */
static const struct reference {
    double l2, loss, weight[LABELS * WIDTH];
} references[] = {
    {0.1,
     0.7687026,
     {0.522694, -0.417817, 0.136081, 0.037025, -0.370635, -0.247318, 0.773476, -0.536045, 0.052986,
      0.117466, -0.275376, -0.355659, 0.399964, -0.090011, 0.253169}},
    {0.01,
     0.6384890,
     {1.115823, -1.024825, 0.229565, 0.049894, -0.792417, -0.699889, 1.751057, -1.081858, 0.171560,
      0.291163, -0.415934, -0.726232, 0.852294, -0.221454, 0.501255}},
    {0.001,
     0.6238787,
     {1.401514, -1.398897, 0.314717, 0.029833, -0.964056, -1.017754, 2.314756, -1.363230, 0.276760,
      0.390813, -0.383760, -0.915859, 1.048513, -0.306593, 0.573243}},
};

static void
equals_scikit_learn(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof references / sizeof references[0]; i++) {
        const struct reference *r = &references[i];
        lm_softmax_options options;
        lm_softmax_result result;

        lm_softmax_defaults(&options);
        options.l2 = r->l2;
        options.hold_out = 0;
        train(&ctx, &options, &result);
        CHECK_NEAR(result.loss, r->loss, 1e-4);
        CHECK_NEAR(result.l2, r->l2, 0);
        /* The optimizer stops when a step gains less than 1e-6 of the value, which leaves weights
         * about its root from the optimum, where the function is flat. */
        for (int k = 0; k < LABELS * WIDTH; k++)
            CHECK_NEAR(result.weight[k], r->weight[k], 5e-3 * fmax(1, fabs(r->weight[k])));
        CHECK_EQ_INT(result.trained, ROWS);
        CHECK_EQ_INT(result.held_out, 0);
        CHECK(isnan(result.held_out_loss) && isnan(result.held_out_accuracy));
        drop(&ctx, &result);
    }
}

static void
chooses_penalty(void)
{
    lm_context ctx;
    lm_softmax_options options;
    lm_softmax_result result;

    lm_context_init(&ctx);
    lm_softmax_defaults(&options);
    options.hold_out = 0.25;
    CHECK(train(&ctx, &options, &result) > 0.7);
    CHECK_EQ_INT(result.held_out, 30);
    CHECK_EQ_INT(result.trained, ROWS);
    CHECK(result.l2 > 0 && result.held_out_accuracy > 0.6 && result.held_out_loss < log(3));
    drop(&ctx, &result);
    options.refit = false;
    train(&ctx, &options, &result);
    CHECK_EQ_INT(result.trained, ROWS - 30);
    drop(&ctx, &result);
}

static void
same_seed_same_bits(void)
{
    lm_context ctx;
    lm_softmax_options options;
    lm_softmax_result result[3];

    lm_context_init(&ctx);
    lm_softmax_defaults(&options);
    options.refit = false;
    for (int i = 0; i < 3; i++) {
        options.seed = i < 2 ? 7 : 8;
        train(&ctx, &options, &result[i]);
    }
    CHECK(memcmp(result[0].weight, result[1].weight, LABELS * WIDTH * sizeof(float)) == 0);
    CHECK(memcmp(result[0].bias, result[1].bias, LABELS * sizeof(float)) == 0);
    CHECK(memcmp(result[0].weight, result[2].weight, LABELS * WIDTH * sizeof(float)) != 0);
    for (int i = 0; i < 3; i++)
        drop(&ctx, &result[i]);
}

/* Moving all vectors by one constant changes the bias and nothing else. */
static void
shift_does_not_matter(void)
{
    lm_context ctx;
    float x[ROWS * WIDTH];
    int32_t y[ROWS];
    lm_softmax_options options;
    lm_softmax_result result[2];

    lm_context_init(&ctx);
    lm_softmax_defaults(&options);
    options.l2 = 0.01;
    options.hold_out = 0;
    make_rows(x, y);
    for (int run = 0; run < 2; run++) {
        CHECK_OK(&ctx, lm_softmax_train(&ctx, x, y, ROWS, WIDTH, LABELS, &options, NULL, NULL,
                                        &result[run]));
        for (int i = 0; i < ROWS * WIDTH; i++)
            x[i] += 16;
    }
    for (int i = 0; i < LABELS * WIDTH; i++)
        CHECK_NEAR(result[0].weight[i], result[1].weight[i], 1e-4);
    CHECK(fabsf(result[0].bias[0] - result[1].bias[0]) > 1);
    drop(&ctx, &result[0]);
    drop(&ctx, &result[1]);
}

/* The only row of a label is trained on, whatever is owed. */
static void
keeps_last_rows(void)
{
    static const int32_t y[13] = {0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 3};
    lm_context ctx;
    float x[13];
    lm_softmax_options options;
    lm_softmax_result result;

    lm_context_init(&ctx);
    for (int i = 0; i < 13; i++)
        x[i] = (float)(y[i] + i % 3);
    lm_softmax_defaults(&options);
    options.hold_out = 0.5;
    options.refit = false;
    CHECK_OK(&ctx, lm_softmax_train(&ctx, x, y, 13, 1, 4, &options, NULL, NULL, &result));
    CHECK_EQ_INT(result.held_out, 5);
    CHECK_EQ_INT(result.trained, 8);
    drop(&ctx, &result);
}

/* An overfit that grows stops the steps long before max_steps. */
static void
stops_early(void)
{
    lm_context ctx;
    float x[60 * 40];
    int32_t y[60];
    lm_softmax_options options;
    lm_softmax_result result;
    lm_rng rng;

    lm_context_init(&ctx);
    lm_rng_seed(&rng, 1);
    for (int i = 0; i < 60 * 40; i++)
        x[i] = (float)lm_rng_uniform(&rng);
    for (int i = 0; i < 60; i++)
        y[i] = (int32_t)lm_rng_below(&rng, 2);
    lm_softmax_defaults(&options);
    options.l2 = 0;
    options.hold_out = 0.3;
    options.patience = 3;
    CHECK_OK(&ctx, lm_softmax_train(&ctx, x, y, 60, 40, 2, &options, NULL, NULL, &result));
    CHECK(result.steps < 30);
    CHECK(result.loss > 0.3);
    drop(&ctx, &result);
}

static void
expect_finite(const float *x, const int32_t *y, size_t rows, size_t width, int labels, double l2)
{
    lm_context ctx;
    lm_softmax_options options;
    lm_softmax_result result;

    lm_context_init(&ctx);
    lm_softmax_defaults(&options);
    options.l2 = l2;
    CHECK_OK(&ctx,
             lm_softmax_train(&ctx, x, y, rows, width, labels, &options, NULL, NULL, &result));
    for (size_t i = 0; result.weight && i < (size_t)labels * width; i++)
        CHECK(isfinite(result.weight[i]));
    for (int i = 0; result.bias && i < labels; i++)
        CHECK(isfinite(result.bias[i]));
    drop(&ctx, &result);
}

static void
edges_stay_finite(void)
{
    static const int32_t two[] = {0, 1}, singles[] = {0, 1, 2, 3, 3, 3};
    static const float pair[] = {1, 0, 0, 1}, constant[12] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    static const float tiny[] = {1e-38f, 0, 0, 1e-38f}, large[] = {1e15f, -1e15f, -1e15f, 1e15f};
    static const float near[] = {1e15f, 1e15f, 0.9999999e15f, 1e15f};
    static const double penalties[] = {-1, 0, 1e-12, 1e12};

    for (size_t i = 0; i < sizeof penalties / sizeof penalties[0]; i++) {
        expect_finite(pair, two, 2, 2, 2, penalties[i]);
        expect_finite(constant, singles, 6, 2, 4, penalties[i]);
        expect_finite(tiny, two, 2, 2, 2, penalties[i]);
        expect_finite(large, two, 2, 2, 2, penalties[i]);
        expect_finite(near, two, 2, 2, 2, penalties[i]);
    }
}

/* Constant vectors teach nothing but how frequent the labels are. */
static void
constant_vectors_give_priors(void)
{
    lm_context ctx;
    float x[10];
    int32_t y[10] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
    lm_softmax_options options;
    lm_softmax_result result;

    lm_context_init(&ctx);
    lm_softmax_defaults(&options);
    options.hold_out = 0;
    for (int i = 0; i < 10; i++)
        x[i] = 3;
    CHECK_OK(&ctx, lm_softmax_train(&ctx, x, y, 10, 1, 2, &options, NULL, NULL, &result));
    CHECK_NEAR(result.weight[0] * 3 + result.bias[0] - result.weight[1] * 3 - result.bias[1],
               log(4), 0.02);
    drop(&ctx, &result);
}

static void
refuses_what_cannot_be(void)
{
    static const struct {
        float x[4];
        int32_t y[2];
        int labels;
        double hold_out, l2;
    } bad[] = {
        {{1, 0, 0, 1}, {0, 0}, 1, 0.1, -1},       {{1, 0, 0, 1}, {0, 2}, 2, 0.1, -1},
        {{1, 0, 0, 1}, {0, -1}, 2, 0.1, -1},      {{1, 0, 0, 1}, {0, 0}, 2, 0.1, -1},
        {{1, NAN, 0, 1}, {0, 1}, 2, 0.1, -1},     {{NAN, 1, 0, 1}, {0, 1}, 2, 0.1, -1},
        {{1, 0, 0, INFINITY}, {0, 1}, 2, 0.1, 0}, {{1, 0, 0, 1e30f}, {0, 1}, 2, 0.1, 0},
        {{1, 0, 0, 1}, {0, 1}, 2, 0.6, -1},       {{1, 0, 0, 1}, {0, 1}, 2, NAN, -1},
        {{1, 0, 0, 1}, {0, 1}, 2, 0.1, NAN},
    };
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lm_softmax_options options;
        lm_softmax_result result;

        lm_softmax_defaults(&options);
        options.hold_out = bad[i].hold_out;
        options.l2 = bad[i].l2;
        if (lm_softmax_train(&ctx, bad[i].x, bad[i].y, 2, 2, bad[i].labels, &options, NULL, NULL,
                             &result) != LM_BAD_ARGUMENT)
            UNIT_FAIL("case %zu was accepted", i);
        CHECK(result.weight == NULL && result.bias == NULL);
    }
}

/* The nth allocation fails, for every n until none does; nothing leaks. */
static void
survives_no_memory(void)
{
    float x[ROWS * WIDTH];
    int32_t y[ROWS];
    lm_status status = LM_NO_MEMORY;

    make_rows(x, y);
    for (int n = 1; status != LM_OK && n < 200; n++) {
        fake_memory memory = {.fail_at = n};
        lm_context ctx;
        lm_softmax_options options;
        lm_softmax_result result;

        fake_context(&ctx, &memory);
        lm_softmax_defaults(&options);
        status = lm_softmax_train(&ctx, x, y, ROWS, WIDTH, LABELS, &options, NULL, NULL, &result);
        CHECK(status == LM_OK || status == LM_NO_MEMORY);
        drop(&ctx, &result);
        CHECK_EQ_INT(memory.live, 0);
    }
    CHECK_EQ_INT(status, LM_OK);
}

static void
stops_on_cancel(void)
{
    float x[ROWS * WIDTH];
    int32_t y[ROWS];

    make_rows(x, y);
    for (int poll = 1; poll < 60; poll += 7) {
        fake_memory memory = {.stop_at = poll};
        lm_context ctx;
        lm_softmax_options options;
        lm_softmax_result result;

        fake_context(&ctx, &memory);
        lm_softmax_defaults(&options);
        CHECK_EQ_INT(
            lm_softmax_train(&ctx, x, y, ROWS, WIDTH, LABELS, &options, NULL, NULL, &result),
            LM_CANCELLED);
        CHECK_EQ_INT(memory.polls, poll);
        CHECK_EQ_INT(memory.live, 0);
    }
}

static void
note_progress(void *opaque, const lm_softmax_progress *progress)
{
    int *last = opaque;

    CHECK_EQ_INT(progress->step, *last + 1);
    CHECK(progress->step <= progress->max_steps);
    CHECK(isfinite(progress->loss) && isfinite(progress->held_out_loss));
    *last = progress->step;
}

static void
reports_progress(void)
{
    float x[ROWS * WIDTH];
    int32_t y[ROWS];
    lm_context ctx;
    lm_softmax_options options;
    lm_softmax_result result;
    int last = 0;

    lm_context_init(&ctx);
    make_rows(x, y);
    lm_softmax_defaults(&options);
    CHECK_OK(&ctx, lm_softmax_train(&ctx, x, y, ROWS, WIDTH, LABELS, &options, note_progress, &last,
                                    &result));
    CHECK(last > 5);
    CHECK_EQ_INT(result.steps, last);
    drop(&ctx, &result);
}

static void
check_unwatched(void *opaque, const lm_softmax_progress *progress)
{
    int *steps = opaque;

    CHECK(isfinite(progress->loss));
    CHECK(isnan(progress->held_out_loss) && isnan(progress->held_out_accuracy));
    ++*steps;
}

/* Where nothing is held out nothing was measured, which is not 0. */
static void
reports_nothing_held_out(void)
{
    float x[ROWS * WIDTH];
    int32_t y[ROWS];
    lm_context ctx;
    lm_softmax_options options;
    lm_softmax_result result;
    int steps = 0;

    lm_context_init(&ctx);
    make_rows(x, y);
    lm_softmax_defaults(&options);
    options.hold_out = 0;
    CHECK_OK(&ctx, lm_softmax_train(&ctx, x, y, ROWS, WIDTH, LABELS, &options, check_unwatched,
                                    &steps, &result));
    CHECK(steps > 5);
    drop(&ctx, &result);
}

/* Parts differ by one row at most, in all and of each label; a label's only row is in none. */
static void
folds_are_dealt(void)
{
    enum { N = 101, FOLDS = 4 };
    int32_t y[N], part[N];
    int count[FOLDS] = {0}, of_label[2][FOLDS] = {{0}};
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < N; i++)
        y[i] = i == 50 ? 2 : i % 3 == 0;
    CHECK_OK(&ctx, lm_folds_deal(&ctx, y, N, 3, FOLDS, 7, part));
    for (int i = 0; i < N; i++) {
        if (i == 50) {
            CHECK_EQ_INT(part[i], LM_FOLD_NONE);
            continue;
        }
        CHECK(part[i] >= 0 && part[i] < FOLDS);
        count[part[i]]++;
        of_label[y[i]][part[i]]++;
    }
    for (int k = 1; k < FOLDS; k++) {
        CHECK_EQ_INT(count[k], count[0]);
        for (int label = 0; label < 2; label++)
            CHECK(abs(of_label[label][k] - of_label[label][0]) <= 1);
    }
}

/* Each part is measured by what the others teach: the means are those of trainings by hand. */
static void
folds_are_measured(void)
{
    enum { FOLDS = 5 };
    static float x[ROWS * WIDTH], some[ROWS * WIDTH];
    int32_t y[ROWS], some_y[ROWS], part[ROWS];
    double accuracy = 0;
    lm_softmax_options options;
    lm_folds_result result;
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(x, y);
    lm_softmax_defaults(&options);
    options.l2 = 0.01;
    CHECK_OK(&ctx, lm_folds_run(&ctx, x, y, ROWS, WIDTH, LABELS, FOLDS, &options, &result));
    CHECK_OK(&ctx, lm_folds_deal(&ctx, y, ROWS, LABELS, FOLDS, options.seed, part));
    options.hold_out = 0;
    for (int fold = 0; fold < FOLDS; fold++) {
        lm_softmax_result model;
        size_t trained = 0, right = 0, measured = 0;

        for (int i = 0; i < ROWS; i++) {
            if (part[i] == fold)
                continue;
            memcpy(some + trained * WIDTH, x + i * WIDTH, WIDTH * sizeof *x);
            some_y[trained++] = y[i];
        }
        CHECK_OK(&ctx, lm_softmax_train(&ctx, some, some_y, trained, WIDTH, LABELS, &options, NULL,
                                        NULL, &model));
        for (int i = 0; i < ROWS; i++)
            if (part[i] == fold) {
                right += best_label(&model, x + i * WIDTH) == y[i];
                measured++;
            }
        accuracy += (double)right / (double)measured / FOLDS;
        lm_free(&ctx, model.weight);
        lm_free(&ctx, model.bias);
    }
    CHECK(fabs(result.accuracy - accuracy) < 1e-9);
    CHECK(result.accuracy > 0.7 && result.deviation > 0 && result.deviation < 0.2);
    CHECK(result.loss > 0.2 && result.loss < 1);
    CHECK_EQ_INT(lm_folds_run(&ctx, x, (int32_t[]){0, 0, 1, 1}, 4, WIDTH, 2, 5, &options, &result),
                 LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.found, "5");
    CHECK_STR(ctx.error.allowed, "at most 4");
    /* Labels of one row each are in no part, however many there are. */
    CHECK_EQ_INT(
        lm_folds_run(&ctx, x, (int32_t[]){0, 0, 1, 2, 3}, 5, WIDTH, 4, 3, &options, &result),
        LM_BAD_ARGUMENT);
    CHECK_STR(ctx.error.allowed, "at most 2");
}

/* Every allocation and every poll of them. */
static void
folds_survive_faults(void)
{
    static float x[ROWS * WIDTH];
    int32_t y[ROWS];
    lm_softmax_options options;

    make_rows(x, y);
    lm_softmax_defaults(&options);
    options.l2 = 0.1;
    options.max_steps = 2;
    for (int polls = 0; polls < 2; polls++) {
        const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
        lm_status status = wanted;

        for (int at = 1; status == wanted && at < 10000; at++) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
            lm_folds_result result;
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = lm_folds_run(&ctx, x, y, ROWS, WIDTH, LABELS, 2, &options, &result);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

static const unit_case cases[] = {
    {"folds are dealt", folds_are_dealt},
    {"folds are measured", folds_are_measured},
    {"folds survive faults", folds_survive_faults},
    {"softmax equals scikit-learn at equal penalty", equals_scikit_learn},
    {"softmax chooses a penalty", chooses_penalty},
    {"softmax gives the same bits for a seed", same_seed_same_bits},
    {"softmax does not mind a shift", shift_does_not_matter},
    {"softmax never holds out a label's last row", keeps_last_rows},
    {"softmax stops early", stops_early},
    {"softmax stays finite at its edges", edges_stay_finite},
    {"softmax learns priors from constant vectors", constant_vectors_give_priors},
    {"softmax refuses what cannot be", refuses_what_cannot_be},
    {"softmax survives lack of memory", survives_no_memory},
    {"softmax stops on cancel", stops_on_cancel},
    {"softmax reports progress", reports_progress},
    {"softmax reports nothing where nothing is held out", reports_nothing_held_out},
};

UNIT_MAIN(cases)
