/*
 * test_optim.c - optimizers, schedules, losses and the trainer, on a net of one layer.
 */
#include "unit.h"

#include "base/rng.h"
#include "nn/dropout.h"
#include "optim/loss.h"
#include "optim/team.h"
#include "optim/trainer.h"

#include "fake.h"

/* ---- A net: logits (2 classes) = table[word of the row] · W + b ---- */

enum { WORDS = 40, WIDTH = 20, CLASSES = 3, ROWS = 96 };

typedef struct net {
    lm_context *ctx;
    float table[WORDS * WIDTH], weight[CLASSES * WIDTH], bias[CLASSES];
    float dtable[WORDS * WIDTH], dweight[CLASSES * WIDTH], dbias[CLASSES];
    unsigned char touched[WORDS];
    int32_t words[ROWS][2], labels[ROWS];
    lm_param params[3];
    lm_network network;
    bool poison; /* the loss becomes infinite */
    float dropout;
} net;

static lm_status
net_touch(void *self, const size_t *rows, size_t count)
{
    net *n = self;

    for (size_t i = 0; i < count; i++)
        for (int j = 0; j < 2; j++)
            n->touched[n->words[rows[i]][j]] = 1;
    return LM_OK;
}

static void
net_forward(const net *n, size_t row, const lm_dropout *dropout, float *hidden, float *scores)
{
    for (int i = 0; i < WIDTH; i++)
        hidden[i] = n->table[n->words[row][0] * WIDTH + i] + n->table[n->words[row][1] * WIDTH + i];
    lm_dropout_row(dropout, row, WIDTH, hidden, hidden);
    for (int c = 0; c < CLASSES; c++) {
        scores[c] = n->bias[c];
        for (int i = 0; i < WIDTH; i++)
            scores[c] += hidden[i] * n->weight[c * WIDTH + i];
    }
}

static void
net_backward(net *n, size_t row, const lm_dropout *dropout, const float *hidden,
             const float *dscores)
{
    float dhidden[WIDTH] = {0};

    for (int c = 0; c < CLASSES; c++) {
        n->dbias[c] += dscores[c];
        for (int i = 0; i < WIDTH; i++) {
            n->dweight[c * WIDTH + i] += dscores[c] * hidden[i];
            dhidden[i] += dscores[c] * n->weight[c * WIDTH + i];
        }
    }
    lm_dropout_row(dropout, row, WIDTH, dhidden, dhidden);
    for (int j = 0; j < 2; j++)
        for (int i = 0; i < WIDTH; i++)
            n->dtable[n->words[row][j] * WIDTH + i] += dhidden[i];
}

static lm_status
net_pass(void *self, const size_t *rows, size_t count, const lm_pass *pass, double *loss)
{
    net *n = self;
    const lm_dropout dropout = {n->dropout, lm_dropout_seed(pass->seed, pass->step, 0)};
    const lm_cross_entropy_options options = {.class_weights = NULL};

    for (size_t i = 0; i < count; i++) {
        float hidden[WIDTH], scores[CLASSES];

        net_forward(n, rows[i], &dropout, hidden, scores);
        LM_TRY(lm_cross_entropy_loss(n->ctx, lm_kernels_active(), &options, 1, CLASSES, scores,
                                     &n->labels[rows[i]], pass->weight, loss, scores));
        net_backward(n, rows[i], &dropout, hidden, scores);
    }
    if (n->poison && pass->step == 7)
        *loss = INFINITY;
    return LM_OK;
}

static lm_status
net_measure(void *self, const size_t *rows, size_t count, lm_measures *measures)
{
    net *n = self;
    const lm_dropout none = {0, 0};
    const lm_cross_entropy_options options = {.class_weights = NULL};
    size_t right = 0;

    CHECK(measures->loss == 0 && measures->count == 0); /* as network.h says */
    for (size_t i = 0; i < count; i++) {
        float hidden[WIDTH], scores[CLASSES];
        int best = 0;

        net_forward(n, rows[i], &none, hidden, scores);
        for (int c = 1; c < CLASSES; c++)
            best = scores[c] > scores[best] ? c : best;
        right += best == n->labels[rows[i]];
        LM_TRY(lm_cross_entropy_loss(n->ctx, lm_kernels_active(), &options, 1, CLASSES, scores,
                                     &n->labels[rows[i]], (double)count, &measures->loss, NULL));
    }
    lm_measures_add(measures, "accuracy", (double)right / (double)count);
    return LM_OK;
}

static size_t
net_row_bytes(void *self, size_t row)
{
    return 100 + row;
}

static float
noise(lm_rng *rng)
{
    return (float)(lm_rng_uniform(rng) - 0.5);
}

static net *
net_make(lm_context *ctx, bool sparse)
{
    net *n = calloc(1, sizeof *n);
    lm_rng rng;

    lm_rng_seed(&rng, 5);
    n->ctx = ctx;
    for (int i = 0; i < WORDS * WIDTH; i++)
        n->table[i] = noise(&rng);
    for (int i = 0; i < CLASSES * WIDTH; i++)
        n->weight[i] = noise(&rng);
    for (int i = 0; i < ROWS; i++) {
        n->words[i][0] = (int32_t)lm_rng_below(&rng, WORDS - 4);
        n->words[i][1] = (int32_t)lm_rng_below(&rng, WORDS - 4);
        n->labels[i] = n->words[i][0] % CLASSES;
    }
    n->params[0] =
        (lm_param){"table", WORDS, WIDTH, n->table, n->dtable, true, 1, sparse ? n->touched : NULL};
    n->params[1] = (lm_param){"weight", CLASSES, WIDTH, n->weight, n->dweight, true, 0.5, NULL};
    n->params[2] = (lm_param){"bias", 1, CLASSES, n->bias, n->dbias, false, 1, NULL};
    n->network = (lm_network){.self = n,
                              .params = n->params,
                              .param_count = 3,
                              .rows = ROWS,
                              .touch = net_touch,
                              .pass = net_pass,
                              .measure = net_measure,
                              .row_bytes = net_row_bytes};
    return n;
}

static bool
net_equal(const net *a, const net *b)
{
    return memcmp(a->table, b->table, sizeof a->table) == 0 &&
           memcmp(a->weight, b->weight, sizeof a->weight) == 0 &&
           memcmp(a->bias, b->bias, sizeof a->bias) == 0;
}

static double
net_distance(const net *a, const net *b)
{
    double most = 0;

    for (int i = 0; i < WORDS * WIDTH; i++)
        most = fmax(most, fabs((double)a->table[i] - b->table[i]));
    for (int i = 0; i < CLASSES * WIDTH; i++)
        most = fmax(most, fabs((double)a->weight[i] - b->weight[i]));
    return most;
}

/* ---- Runs ---- */

typedef struct watcher {
    int64_t keep_at; /* the checkpoint of this step */
    char *bytes;
    size_t size;
    int reports, measured;
    lm_trainer_report last;
    lm_measures measures;
} watcher;

static void
watch_report(void *opaque, const lm_trainer_report *report)
{
    watcher *w = opaque;

    w->reports++;
    w->last = *report;
    if (report->held_out) {
        w->measured++;
        w->measures = *report->held_out;
    }
}

static lm_status
watch_checkpoint(void *opaque, lm_context *ctx, int64_t step, const lm_buffer *bytes)
{
    watcher *w = opaque;

    if (step != w->keep_at)
        return LM_OK;
    w->size = bytes->size;
    w->bytes = malloc(bytes->size);
    memcpy(w->bytes, bytes->data, bytes->size);
    return LM_OK;
}

static size_t rows_in_order[ROWS];

static lm_status
run(net *n, const lm_trainer_options *options, const watcher *from, watcher *w,
    lm_trainer_result *result)
{
    const lm_trainer_hooks hooks = {watch_report, watch_checkpoint, w};
    lm_buffer resume = {n->ctx, from ? from->bytes : NULL, from ? from->size : 0, 0};

    for (size_t i = 0; i < ROWS; i++)
        rows_in_order[i] = i;
    return lm_trainer_run(n->ctx, &n->network, options, rows_in_order, 80, ROWS,
                          from ? &resume : NULL, &hooks, result);
}

static void
options_for(lm_trainer_options *options, const char *optimizer)
{
    lm_trainer_defaults(options);
    for (int i = 0; lm_optimizers[i]; i++)
        if (strcmp(lm_optimizers[i]->name, optimizer) == 0)
            options->optimizer = lm_optimizers[i];
    options->optimizer->defaults(&options->update);
    options->update.learning_rate = 0.05;
    options->epochs = 12;
    options->batch_size = 6;
}

static void
it_learns(void)
{
    for (int i = 0; lm_optimizers[i]; i++) {
        lm_trainer_options options;
        lm_trainer_result result = {0};
        lm_context ctx;
        watcher w = {0};
        net *n;

        lm_context_init(&ctx);
        n = net_make(&ctx, true);
        options_for(&options, lm_optimizers[i]->name);
        options.epochs = 30;
        options.update.momentum = 0.5;
        options.update.learning_rate = i == 0 ? 0.5 : 0.05; /* sgd */
        CHECK_OK(&ctx, run(n, &options, NULL, &w, &result));
        CHECK_EQ_INT(result.steps, 30 * 14);
        CHECK(result.loss < 0.2);
        CHECK_EQ_INT(w.measured, 30);
        CHECK_EQ_INT(w.last.epoch, 30);
        CHECK_STR(w.measures.names[0], "accuracy");
        free(n);
    }
}

/* Rows that wait become what torch's dense form makes of them. */
static void
sparse_as_dense(void)
{
    for (int i = 0; lm_optimizers[i]; i++)
        for (int variant = 0; variant < 4; variant++) {
            lm_trainer_options options;
            lm_trainer_result result;
            lm_context ctx;
            watcher w = {0};
            net *sparse, *dense;

            lm_context_init(&ctx);
            sparse = net_make(&ctx, true);
            dense = net_make(&ctx, false);
            options_for(&options, lm_optimizers[i]->name);
            options.update.learning_rate = 0.01;
            options.update.weight_decay = variant & 1 ? 0.1 : 0;
            options.update.momentum = variant & 2 ? 0.9 : 0;
            options.epochs = 20;
            options.schedule = lm_schedules[2];
            options.warmup = 0.1;
            CHECK_OK(&ctx, run(sparse, &options, NULL, &w, &result));
            CHECK_OK(&ctx, run(dense, &options, NULL, &w, &result));
            CHECK(net_distance(sparse, dense) < 1e-7);
            free(sparse);
            free(dense);
        }
}

static void
resumed_bits(void)
{
    for (int variant = 0; variant < 4; variant++)
        for (int at = 7; at <= 168; at += 23) {
            lm_trainer_options options;
            lm_trainer_result whole = {0}, rest = {0};
            lm_context ctx;
            watcher w = {.keep_at = at}, none = {0};
            net *a, *b;

            lm_context_init(&ctx);
            a = net_make(&ctx, true);
            b = net_make(&ctx, true);
            a->dropout = b->dropout = 0.2f;
            options_for(&options, variant & 1 ? "adamw" : "rmsprop");
            options.checkpoint_steps = 1;
            options.ema = variant & 2 ? 0.9 : 0;
            options.patience = variant & 2 ? 0 : 50;
            options.clip_norm = 1;
            CHECK_OK(&ctx, run(a, &options, NULL, &w, &whole));
            options.checkpoint_steps = 0;
            CHECK_OK(&ctx, run(b, &options, &w, &none, &rest));
            CHECK(net_equal(a, b));
            CHECK(whole.loss == rest.loss || at == 168);
            CHECK_EQ_INT(rest.best_step, whole.best_step);
            free(w.bytes);
            free(a);
            free(b);
        }
}

/* Neither parts nor checkpoints change what is learnt. */
static void
cuts(void)
{
    lm_trainer_options options;
    lm_trainer_result result;
    lm_context ctx;
    watcher w = {0};
    net *whole, *parts, *bound;

    lm_context_init(&ctx);
    whole = net_make(&ctx, true);
    parts = net_make(&ctx, true);
    bound = net_make(&ctx, true);
    whole->dropout = parts->dropout = bound->dropout = 0.1f;
    options_for(&options, "sgd");
    options.batch_size = 16;
    CHECK_OK(&ctx, run(whole, &options, NULL, &w, &result));
    options.accumulate = 4;
    CHECK_OK(&ctx, run(parts, &options, NULL, &w, &result));
    options.accumulate = 1;
    options.memory = 300;
    options.checkpoint_steps = 5;
    CHECK_OK(&ctx, run(bound, &options, NULL, &w, &result));
    CHECK(net_distance(whole, parts) < 1e-6);
    CHECK(net_distance(whole, bound) < 1e-6);
    free(whole);
    free(parts);
    free(bound);
}

static void
not_finite(void)
{
    lm_trainer_options options;
    lm_trainer_result result;
    lm_context ctx;
    watcher w = {0};
    net *n;

    lm_context_init(&ctx);
    n = net_make(&ctx, true);
    n->poison = true;
    options_for(&options, "adam");
    CHECK_EQ_INT(run(n, &options, NULL, &w, &result), LM_NOT_FINITE);
    CHECK(strstr(ctx.error.message, "step 8") != NULL);
    CHECK(strstr(ctx.error.found, "inf") != NULL);
    free(n);
}

/* The last step overflows the parameters, which no loss sees: neither a result nor a checkpoint. */
static void
overflown(void)
{
    for (int kept = 0; kept < 2; kept++) {
        lm_trainer_options options;
        lm_trainer_result result;
        lm_context ctx;
        watcher w = {.keep_at = 1};
        net *n;

        lm_context_init(&ctx);
        n = net_make(&ctx, true);
        options_for(&options, "sgd");
        options.update.learning_rate = 1e300;
        options.steps = 1 + kept;
        options.checkpoint_steps = kept;
        CHECK_EQ_INT(run(n, &options, NULL, &w, &result), LM_NOT_FINITE);
        CHECK(strstr(ctx.error.message, "outcome") && strstr(ctx.error.message, "step 1"));
        CHECK(!w.bytes);
        free(n);
    }
}

/* Each failing allocation and each poll of a run with all that it can have; a bad checkpoint. */
static void
faults(void)
{
    for (int polls = 0; polls < 2; polls++) {
        lm_status status = LM_INTERNAL;
        int at = 1;

        for (; status != LM_OK && at < 4000; at += at < 60 ? 1 : 37) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
            lm_trainer_options options;
            lm_trainer_result result;
            lm_context ctx;
            watcher w = {.keep_at = 1000};
            net *n;

            fake_context(&ctx, &memory);
            n = net_make(&ctx, true);
            options_for(&options, "adam");
            options.epochs = 2;
            options.ema = 0.5;
            options.patience = 1;
            options.checkpoint_steps = 9;
            status = run(n, &options, NULL, &w, &result);
            CHECK(status == LM_OK || status == (polls ? LM_CANCELLED : LM_NO_MEMORY));
            CHECK_EQ_INT(memory.live, 0);
            free(n);
        }
        CHECK_EQ_INT(status, LM_OK);
        CHECK(at > 8);
    }
}

static void
bad_checkpoints(void)
{
    lm_trainer_options options;
    lm_trainer_result result;
    lm_context ctx;
    watcher w = {.keep_at = 5}, none = {0};
    net *n;

    lm_context_init(&ctx);
    n = net_make(&ctx, true);
    options_for(&options, "adam");
    options.checkpoint_steps = 5;
    CHECK_OK(&ctx, run(n, &options, NULL, &w, &result));
    w.size -= 1;
    CHECK_EQ_INT(run(n, &options, &w, &none, &result), LM_CORRUPT);
    w.size = 100;
    CHECK_EQ_INT(run(n, &options, &w, &none, &result), LM_BAD_ARGUMENT);
    w.size = 20000;
    w.bytes[0] ^= 1;
    CHECK_EQ_INT(run(n, &options, &w, &none, &result), LM_BAD_ARGUMENT);
    free(w.bytes);
    w = (watcher){.keep_at = 5};
    CHECK_OK(&ctx, run(n, &options, NULL, &w, &result));
    options.update.learning_rate *= 2;
    CHECK_EQ_INT(run(n, &options, &w, &none, &result), LM_BAD_ARGUMENT);
    CHECK(strstr(ctx.error.message, "other options") != NULL);
    free(w.bytes);
    free(n);
}

/* Numbers of a checkpoint that lead elsewhere, as who owns its table can write them. */
static void
forged_checkpoints(void)
{
    static const int64_t steps[] = {-1000, 0, 1 << 20, INT64_MIN, INT64_MAX};
    lm_trainer_options options;
    lm_trainer_result result;
    lm_context ctx;
    watcher w = {.keep_at = 5}, none = {0};
    net *n;

    lm_context_init(&ctx);
    n = net_make(&ctx, true);
    options_for(&options, "adam");
    options.checkpoint_steps = 5;
    CHECK_OK(&ctx, run(n, &options, NULL, &w, &result));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        memcpy(w.bytes + 16, &steps[i], sizeof steps[i]); /* behind the magic and the settings */
        CHECK_EQ_INT(run(n, &options, &w, &none, &result), LM_BAD_ARGUMENT);
        CHECK(strstr(ctx.error.message, "damaged") != NULL);
    }
    free(w.bytes);
    free(n);
}

/* It ends, and the best of what was seen is kept. */
static void
early_stop(void)
{
    lm_trainer_options options;
    lm_trainer_result result;
    lm_context ctx;
    watcher w = {0};
    lm_measures again = {0};
    net *n;

    lm_context_init(&ctx);
    n = net_make(&ctx, true);
    options_for(&options, "adam");
    options.epochs = 500;
    options.patience = 3;
    CHECK_OK(&ctx, run(n, &options, NULL, &w, &result));
    CHECK(result.stopped_early);
    CHECK_EQ_INT(result.steps, result.best_step + 3 * 14);
    CHECK_OK(&ctx, net_measure(n, rows_in_order + 80, 16, &again));
    CHECK(again.loss == result.best.loss);
    CHECK(again.values[0] == result.best.values[0]);
    free(n);
}

/* ---- Dropout ---- */

static void
dropout_rates(void)
{
    static float x[100000], y[100000], z[100000];
    const lm_dropout drop = {0.3f, lm_dropout_seed(1, 2, 3)};
    const lm_dropout other = {0.3f, lm_dropout_seed(1, 3, 3)};
    size_t kept = 0, both = 0, again = 0;

    for (size_t i = 0; i < 100000; i++)
        x[i] = 1;
    for (size_t row = 0; row < 100; row++) {
        lm_dropout_row(&drop, row, 1000, x + row * 1000, y + row * 1000);
        lm_dropout_row(&other, row, 1000, x + row * 1000, z + row * 1000);
    }
    for (size_t i = 0; i < 100000; i++) {
        CHECK(y[i] == 0 || y[i] == 1 / (1 - 0.3f));
        kept += y[i] != 0;
        both += y[i] != 0 && z[i] != 0;
        again += i + 1000 < 100000 && y[i] != 0 && y[i + 1000] != 0;
    }
    CHECK_NEAR((double)kept / 100000, 0.7, 0.006);
    CHECK_NEAR((double)both / 100000, 0.49, 0.008);
    CHECK_NEAR((double)again / 99000, 0.49, 0.008);
}

/* The same masks at every level and length. */
static void
dropout_bits(void)
{
    const lm_dropout drop = {0.5f, 77};
    float x[100], y[100], z[100];

    for (int i = 0; i < 100; i++)
        x[i] = (float)(i + 1);
    lm_kernels_select(LM_LEVEL_SCALAR);
    lm_dropout_row(&drop, 9, 100, x, y);
    for (int level = 0; level < LM_LEVEL_COUNT; level++)
        for (size_t count = 0; count <= 100; count++) {
            lm_kernels_select((lm_level)level);
            memcpy(z, x, sizeof z);
            lm_dropout_row(&drop, 9, count, z, z);
            CHECK(memcmp(z, y, count * sizeof(float)) == 0);
            CHECK(count == 100 || z[count] == x[count]);
        }
    lm_kernels_select(LM_LEVEL_COUNT - 1);
}

/* Where each schedule stands before, at and behind the end of its rise and of the run. */
static void
schedules(void)
{
    static const double wanted[][4] = {
        {0.5, 1, 1, 1}, {0.5, 1, 0, 0}, {0.5, 1, 0, 0}, {0.5, 1, 0.25, 0.25}};
    const lm_schedule run = {10, 2, 3, 0.5}, risen = {2, 2, 0, 0.5};
    static const uint64_t at[] = {1, 2, 10, 11};

    for (int kind = 0; lm_schedules[kind]; kind++) {
        for (int i = 0; i < 3; i++)
            CHECK_NEAR(lm_schedules[kind]->factor(&run, at[i]), wanted[kind][i], 1e-12);
        CHECK(lm_schedules[kind]->factor(&run, at[3]) <= wanted[kind][3]);
        CHECK_NEAR(lm_schedules[kind]->factor(&risen, 1), 0.5, 1e-12);
    }
    CHECK_NEAR(lm_schedules[3]->factor(&risen, 5), 1, 0);
}

/* ---- Batches in parts ---- */

/* Nets with gradients of their own, in the place of other processes. */
typedef struct helping {
    net *leader, *nets[2];
    double losses[2];
    lm_cut cut;
    int64_t fail_at; /* the step of which one has no gradients */
} helping;

static lm_status
help_begin(void *self, size_t helper, const size_t *rows, size_t count, const lm_pass *pass)
{
    helping *h = self;
    net *n = h->nets[helper];

    memcpy(n->table, h->leader->table, sizeof n->table);
    memcpy(n->weight, h->leader->weight, sizeof n->weight);
    memcpy(n->bias, h->leader->bias, sizeof n->bias);
    h->losses[helper] = 0;
    return lm_team_help(n->ctx, &n->network, &h->cut, rows, count, pass, &h->losses[helper]);
}

static lm_status
help_end(void *self, size_t helper, double *loss, const float **grads)
{
    helping *h = self;

    if (h->fail_at-- == 1)
        return lm_raise(h->leader->ctx, LM_INTERNAL, "a helper has gone");
    *loss = h->losses[helper];
    *grads = h->nets[helper]->dtable;
    return LM_OK;
}

/* A run whose batches are in so many parts, of which helpers compute some. */
static lm_status
run_team(net *n, const lm_trainer_options *options, size_t workers, helping *h, size_t helpers,
         lm_trainer_result *result)
{
    const lm_trainer_hooks hooks = {.report = NULL};
    const lm_team_helpers others = {h, helpers, n->dtable, help_begin, help_end};
    lm_team team;
    lm_network network;
    lm_status status;

    h->leader = n;
    for (size_t i = 0; i < ROWS; i++)
        rows_in_order[i] = i;
    status = lm_team_open(n->ctx, &n->network, workers, &h->cut, &others, &team);
    lm_team_network(&team, &network);
    if (status == LM_OK)
        status = lm_trainer_run(n->ctx, &network, options, rows_in_order, 80, ROWS, NULL, &hooks,
                                result);
    lm_team_close(&team);
    return status;
}

static net *
learn_in_parts(lm_context *ctx, const lm_trainer_options *options, size_t workers, size_t helpers,
               bool sparse, size_t memory)
{
    helping h = {.nets = {net_make(ctx, sparse), net_make(ctx, sparse)}, .cut = {1, memory}};
    net *n = net_make(ctx, sparse);
    lm_trainer_result result;

    n->dropout = h.nets[0]->dropout = h.nets[1]->dropout = 0.1f;
    CHECK_OK(ctx, run_team(n, options, workers, &h, helpers, &result));
    free(h.nets[0]);
    free(h.nets[1]);
    return n;
}

/* Parts are as the whole but for rounding, and who computes them changes no bit. */
static void
teams(void)
{
    for (int variant = 0; variant < 4; variant++) {
        const bool sparse = variant & 1;
        const size_t memory = variant & 2 ? 300 : 0;
        lm_trainer_options options;
        lm_trainer_result result;
        lm_context ctx;
        watcher w = {0};
        net *whole;

        lm_context_init(&ctx);
        options_for(&options, "sgd");
        options.batch_size = 19; /* the last has four rows */
        whole = net_make(&ctx, sparse);
        whole->dropout = 0.1f;
        CHECK_OK(&ctx, run(whole, &options, NULL, &w, &result));
        for (size_t workers = 0; workers <= 5; workers++) {
            net *alone = learn_in_parts(&ctx, &options, workers, 0, sparse, memory);

            CHECK(net_distance(whole, alone) < 1e-5);
            for (size_t helpers = 0; helpers <= 2 && helpers <= workers; helpers++) {
                net *helped = learn_in_parts(&ctx, &options, workers, helpers, sparse, memory);

                CHECK(net_equal(alone, helped));
                free(helped);
            }
            free(alone);
        }
        free(whole);
    }
}

static void
team_refusals(void)
{
    const lm_cut cut = {1, 0};
    lm_context ctx;
    lm_team team;
    net *n;

    lm_context_init(&ctx);
    n = net_make(&ctx, true);
    CHECK_EQ_INT(lm_team_open(&ctx, &n->network, LM_TEAM_HELPERS_MAX + 1, &cut, NULL, &team),
                 LM_BAD_ARGUMENT);
    n->network.whole_batches = true;
    CHECK_EQ_INT(lm_team_open(&ctx, &n->network, 1, &cut, NULL, &team), LM_UNSUPPORTED);
    free(n);
}

/* A helper that goes ends the run; so do each failing allocation and poll. */
static void
team_faults(void)
{
    static const lm_status expected[] = {LM_NO_MEMORY, LM_CANCELLED, LM_INTERNAL};

    for (int polls = 0; polls < 3; polls++) {
        lm_status status = LM_INTERNAL;

        for (int at = 1; status != LM_OK && at < 4000; at += at < 60 ? 1 : 37) {
            fake_memory memory = {.fail_at = polls == 0 ? at : 0, .stop_at = polls == 1 ? at : 0};
            helping h = {.fail_at = polls == 2 ? at : 0, .cut = {1, 0}};
            lm_trainer_options options;
            lm_trainer_result result;
            lm_context ctx;
            net *n;

            fake_context(&ctx, &memory);
            n = net_make(&ctx, true);
            h.nets[0] = net_make(&ctx, true);
            options_for(&options, "adam");
            options.epochs = 2;
            status = run_team(n, &options, 2, &h, 1, &result);
            CHECK(status == LM_OK || status == expected[polls]);
            CHECK_EQ_INT(memory.live, 0);
            free(h.nets[0]);
            free(n);
        }
        CHECK(status == LM_OK || polls == 2);
    }
}

static const unit_case cases[] = {
    {"schedules", schedules},
    {"it_learns", it_learns},
    {"sparse_as_dense", sparse_as_dense},
    {"resumed_bits", resumed_bits},
    {"cuts", cuts},
    {"not_finite", not_finite},
    {"overflown", overflown},
    {"dropout_rates", dropout_rates},
    {"dropout_bits", dropout_bits},
    {"faults", faults},
    {"bad_checkpoints", bad_checkpoints},
    {"forged_checkpoints", forged_checkpoints},
    {"early_stop", early_stop},
    {"teams", teams},
    {"team_refusals", team_refusals},
    {"team_faults", team_faults},
};

UNIT_MAIN(cases)
