/*
 * test_optim_torch.c - optimizers, schedules and losses beside torch's and sentence-transformers',
 * recorded by scripts/make-optim.py; gradients of losses beside differences; what they allocate
 * fails.
 */
#include <stdint.h>

#include "base/rng.h"
#include "fake.h"
#include "optim/loss.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "recorded.h"

static void
open_optim(recorded *r)
{
    recorded_open(r, "test/golden/optim.json");
}

static double
option(const lm_json *each, const char *key, double otherwise)
{
    const lm_json *value = lm_json_get(each, key);

    if (!value)
        return otherwise;
    return value->type == LM_JSON_BOOL ? value->boolean : value->as.number;
}

static const lm_optimizer_kind *
optimizer_named(const lm_json *name)
{
    for (int i = 0; lm_optimizers[i]; i++)
        if (lm_json_is_string(name, lm_optimizers[i]->name))
            return lm_optimizers[i];
    return NULL;
}

static void
read_options(const lm_json *each, const lm_optimizer_kind *kind, lm_optimizer_options *options)
{
    kind->defaults(options);
    options->learning_rate = option(each, "lr", options->learning_rate);
    options->momentum = option(each, "momentum", options->momentum);
    options->nesterov = option(each, "nesterov", options->nesterov) != 0;
    options->beta1 = option(each, "beta1", options->beta1);
    options->beta2 = option(each, "beta2", options->beta2);
    options->alpha = option(each, "alpha", options->alpha);
    options->eps = option(each, "eps", options->eps);
    options->weight_decay = option(each, "weight_decay", options->weight_decay);
}

/* 20 steps; in the middle the state goes through bytes. */
static void
optimize(recorded *r, const lm_json *each)
{
    const lm_optimizer_kind *kind = optimizer_named(lm_json_get(each, "kind"));
    const lm_json *gradient = lm_json_get(r->root, "gradients")->as.items.first;
    float value[MOST], grad[MOST];
    lm_optimizer_options options;
    lm_param param = {.rows = 1, .value = value, .grad = grad, .decay = true, .rate = 1};
    lm_optimizer *o = NULL;

    read_options(each, kind, &options);
    param.columns = numbers(r->root, "start", value);
    CHECK_OK(&r->ctx, lm_optimizer_open(&r->ctx, kind, &options, &param, 1, &o));
    for (int step = 0; gradient; step++, gradient = gradient->next) {
        size_t i = 0;

        for (const lm_json *n = gradient->as.items.first; n; n = n->next)
            grad[i++] = (float)n->as.number;
        CHECK_OK(&r->ctx, lm_optimizer_step(o, options.learning_rate * (1 - step / 40.0)));
        if (step == 10) {
            lm_buffer bytes;

            lm_buffer_init(&bytes, &r->ctx);
            CHECK_OK(&r->ctx, lm_optimizer_save(o, &bytes));
            lm_optimizer_close(o);
            CHECK_OK(&r->ctx, lm_optimizer_open(&r->ctx, kind, &options, &param, 1, &o));
            CHECK_EQ_INT(lm_optimizer_load(o, bytes.data, bytes.size - 1), LM_CORRUPT);
            CHECK_OK(&r->ctx, lm_optimizer_load(o, bytes.data, bytes.size));
            lm_buffer_free(&bytes);
        }
    }
    CHECK_EQ_INT(lm_optimizer_steps(o), 20);
    same(each, "value", value);
    lm_optimizer_close(o);
}

/* At every level of the CPU: the loops are compiled for each. */
static void
optimizers(void)
{
    recorded r;

    open_optim(&r);
    for (int level = 0; level < LM_LEVEL_COUNT; level++) {
        lm_kernels_select((lm_level)level);
        for (const lm_json *each = lm_json_get(r.root, "optimizers")->as.items.first; each;
             each = each->next)
            optimize(&r, each);
    }
    lm_kernels_select(LM_LEVEL_COUNT - 1);
    golden_close(&r.file);
}

static void
schedules(void)
{
    recorded r;

    open_optim(&r);
    for (const lm_json *each = lm_json_get(r.root, "schedules")->as.items.first; each;
         each = each->next) {
        const lm_schedule schedule = {(uint64_t)option(each, "steps", 0),
                                      (uint64_t)option(each, "warmup", 0),
                                      (uint64_t)option(each, "every", 0), option(each, "gamma", 0)};
        const lm_json *factor = lm_json_get(each, "factors")->as.items.first;

        for (int i = 0; lm_schedules[i]; i++) {
            if (!lm_json_is_string(lm_json_get(each, "kind"), lm_schedules[i]->name))
                continue;
            for (uint64_t step = 0; factor; factor = factor->next, step++)
                CHECK_NEAR(lm_schedules[i]->factor(&schedule, step), factor->as.number, 1e-9);
        }
        CHECK(!factor);
    }
    golden_close(&r.file);
}

/* ---- Losses ---- */

static void
check_loss(const lm_json *each, double loss)
{
    double wanted = lm_json_get(each, "loss")->as.number;

    CHECK_NEAR(loss, wanted, 1e-5 * fmax(1, fabs(wanted)));
}

static void
cross_entropy(void)
{
    static const char *const names[] = {"plain", "weighted", "smooth", "both"};
    recorded r;

    open_optim(&r);
    for (int i = 0; i < 4; i++) {
        char name[64];
        const lm_json *each;
        float scores[MOST], weights[MOST], targets[MOST];
        int32_t classes[6];
        lm_cross_entropy_options options = {.class_weights = NULL};
        double loss = 0, weight;

        snprintf(name, sizeof name, "cross_entropy_%s", names[i]);
        each = recorded_find(&r, "losses", name);
        numbers(each, "scores", scores), numbers(each, "targets", targets);
        if (numbers(each, "class_weights", weights) > 0)
            options.class_weights = weights;
        options.label_smoothing = option(each, "smoothing", 0);
        for (int j = 0; j < 6; j++)
            classes[j] = (int32_t)targets[j];
        weight = lm_cross_entropy_weight(&options, classes, 6);
        CHECK_OK(&r.ctx, lm_cross_entropy_loss(&r.ctx, lm_kernels_active(), &options, 6, 4, scores,
                                               classes, weight, &loss, NULL));
        check_loss(each, loss);
        /* In two parts, in place. */
        loss = 0;
        for (size_t at = 0; at < 6; at += 3)
            CHECK_OK(&r.ctx, lm_cross_entropy_loss(&r.ctx, lm_kernels_active(), &options, 3, 4,
                                                   scores + 4 * at, classes + at, weight, &loss,
                                                   scores + 4 * at));
        check_loss(each, loss);
        same(each, "dscores", scores);
    }
    golden_close(&r.file);
}

static void
by_element(void)
{
    recorded r;
    const lm_json *each;
    float scores[MOST], targets[MOST], dscores[MOST];
    double loss = 0;

    open_optim(&r);
    each = recorded_find(&r, "losses", "binary_cross_entropy");
    numbers(each, "scores", scores), numbers(each, "targets", targets);
    lm_binary_cross_entropy_loss(9, scores, targets, 9, &loss, dscores);
    check_loss(each, loss);
    same(each, "dscores", dscores);
    each = recorded_find(&r, "losses", "squared");
    numbers(each, "scores", scores), numbers(each, "targets", targets);
    loss = 0;
    lm_squared_loss(9, scores, targets, 9, &loss, dscores);
    check_loss(each, loss);
    same(each, "dscores", dscores);
    each = recorded_find(&r, "losses", "distillation");
    numbers(each, "scores", scores), numbers(each, "teacher", targets);
    loss = 0;
    CHECK_OK(&r.ctx, lm_distillation_loss(&r.ctx, lm_kernels_active(), 3, 5, 2, scores, targets, 3,
                                          &loss, dscores));
    check_loss(each, loss);
    same(each, "dscores", dscores);
    golden_close(&r.file);
}

static void
of_pairs(void)
{
    recorded r;
    const lm_json *each;
    float a[MOST], b[MOST], c[MOST], da[MOST], db[MOST], dc[MOST];
    double loss = 0;

    open_optim(&r);
    each = recorded_find(&r, "losses", "cosine");
    numbers(each, "a", a), numbers(each, "b", b), numbers(each, "targets", c);
    lm_cosine_loss(4, 7, a, b, c, 4, &loss, da, db);
    check_loss(each, loss);
    same(each, "da", da), same(each, "db", db);
    each = recorded_find(&r, "losses", "triplet");
    numbers(each, "a", a), numbers(each, "p", b), numbers(each, "n", c);
    loss = 0;
    lm_triplet_loss(4, 7, 2, a, b, c, 4, &loss, da, db, dc);
    check_loss(each, loss);
    same(each, "da", da), same(each, "dp", db), same(each, "dn", dc);
    each = recorded_find(&r, "losses", "ranking");
    numbers(each, "a", a), numbers(each, "b", b);
    loss = 0;
    CHECK_OK(&r.ctx,
             lm_ranking_loss(&r.ctx, lm_kernels_active(), 4, 6, 7, 20, a, b, 4, &loss, da, db));
    check_loss(each, loss);
    same(each, "da", da), same(each, "db", db);
    golden_close(&r.file);
}

/* Zero vectors, triplets that are apart, no gradients wanted. */
static void
edges(void)
{
    float zero[3] = {0}, one[3] = {1, 0, 0}, far[3] = {9, 0, 0}, target[1] = {0}, d[3] = {7, 7, 7};
    float e[3] = {7, 7, 7};
    double loss = 0;

    lm_cosine_loss(1, 3, zero, one, target, 1, &loss, d, NULL);
    CHECK(isfinite(loss) && isfinite((double)d[0]));
    loss = 0;
    lm_triplet_loss(1, 3, 1, zero, one, far, 1, &loss, NULL, d, e);
    CHECK_NEAR(loss, 0, 0);
    CHECK(d[0] == 0 && e[2] == 0);
    lm_triplet_loss(1, 3, 1, zero, far, one, 1, &loss, NULL, NULL, NULL);
    CHECK_NEAR(loss, 9, 1e-5);
}

/* ---- Differences ---- */

typedef double (*loss_function)(lm_context *ctx, float *x, float *dx);

static const int32_t kinds[4] = {1, 0, LM_IGNORED, 2};

static double
smooth_loss(lm_context *ctx, float *x, float *dx)
{
    static const float weights[3] = {1, 2, 0.5f};
    const lm_cross_entropy_options options = {weights, 0.1};
    double loss = 0;

    CHECK_OK(ctx, lm_cross_entropy_loss(ctx, lm_kernels_active(), &options, 4, 3, x, kinds, 3.5,
                                        &loss, dx));
    return loss;
}

static double
ranking_loss(lm_context *ctx, float *x, float *dx)
{
    double loss = 0;

    CHECK_OK(ctx, lm_ranking_loss(ctx, lm_kernels_active(), 1, 2, 4, 3, x, x + 4, 1, &loss, dx,
                                  dx ? dx + 4 : NULL));
    return loss;
}

static double
triplet_loss(lm_context *ctx, float *x, float *dx)
{
    double loss = 0;

    lm_triplet_loss(1, 4, 5, x, x + 4, x + 8, 1, &loss, dx, dx ? dx + 4 : NULL, dx ? dx + 8 : NULL);
    return loss;
}

static void
differences(void)
{
    static const loss_function functions[] = {smooth_loss, ranking_loss, triplet_loss};
    lm_context ctx;
    lm_rng rng;

    lm_context_init(&ctx);
    lm_rng_seed(&rng, 3);
    for (int f = 0; f < 3; f++) {
        float x[12], dx[12];

        for (int i = 0; i < 12; i++)
            x[i] = (float)(2 * lm_rng_uniform(&rng) - 1);
        functions[f](&ctx, x, dx);
        for (int i = 0; i < 12; i++) {
            const float kept = x[i];
            double above, below;

            x[i] = kept + 0.01f;
            above = functions[f](&ctx, x, NULL);
            x[i] = kept - 0.01f;
            below = functions[f](&ctx, x, NULL);
            x[i] = kept;
            CHECK_NEAR(dx[i], (above - below) / 0.02, 2e-3);
        }
    }
}

/* ---- Faults ---- */

static lm_status
use_all(lm_context *ctx, const lm_param *params)
{
    float a[8] = {1, 2, 3, 4, 5, 6, 7, 8}, d[8];
    lm_optimizer_options options;
    lm_optimizer *o = NULL;
    double loss = 0, norm;
    lm_status status;

    lm_optimizers[1]->defaults(&options);
    status = lm_optimizer_open(ctx, lm_optimizers[1], &options, params, 2, &o);
    if (status == LM_OK)
        status = lm_clip_norm(ctx, params, 2, 1, &norm);
    if (status == LM_OK)
        status = lm_optimizer_step(o, 0.1);
    if (status == LM_OK)
        status = lm_optimizer_settle(o);
    if (status == LM_OK)
        status = lm_ranking_loss(ctx, lm_kernels_active(), 2, 2, 4, 20, a, a, 2, &loss, d, NULL);
    if (status == LM_OK)
        status = lm_clip_value(ctx, params, 2, 1);
    lm_optimizer_close(o);
    return status;
}

/* Each failing allocation, then each poll. */
static void
faults(void)
{
    float value[8] = {1, 2, 3, 4, 5, 6, 7, 8}, grad[8] = {1};
    unsigned char touched[4] = {1, 0, 1, 0};
    const lm_param params[] = {{"a", 4, 2, value, grad, true, 1, touched},
                               {"b", 4, 2, value, grad, true, 1, NULL}};

    for (int polls = 0; polls < 2; polls++) {
        lm_status status = LM_INTERNAL;
        int at = 1;

        for (; status != LM_OK && at < 100; at = unit_next_fault(at)) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = use_all(&ctx, params);
            CHECK(status == LM_OK || status == (polls ? LM_CANCELLED : LM_NO_MEMORY));
            CHECK_EQ_INT(ctx.error.status, status);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
        CHECK(at > 4);
    }
}

static const unit_case cases[] = {
    {"optimizers", optimizers},   {"schedules", schedules}, {"cross_entropy", cross_entropy},
    {"by_element", by_element},   {"of_pairs", of_pairs},   {"edges", edges},
    {"differences", differences}, {"faults", faults},
};

UNIT_MAIN(cases)
