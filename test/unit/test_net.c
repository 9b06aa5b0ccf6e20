/*
 * test_net.c - nets from scratch: torch's outputs, gradients and curves, recorded by
 * scripts/make-layers.py; differences of the forward passes; descriptions that are refused; every
 * failing allocation and poll.
 */
#include <stdint.h>

#include "fake.h"
#include "golden.h"
#include "net/crf.h"
#include "net/recurrent.h"
#include "net/softmax.h"
#include "net/store.h"
#include "optim/loss.h"
#include "optim/trainer.h"

enum { TEXTS = 4, TOKENS = 14, VOCABULARY = 11 };

typedef struct recorded {
    lm_context ctx;
    golden_folder file;
    const lm_json *root;
} recorded;

static void
open_recorded(recorded *r)
{
    lm_context_init(&r->ctx);
    memset(&r->file, 0, sizeof r->file);
    lm_arena_init(&r->file.arena, &r->ctx);
    golden_add_file(&r->file, "test/golden/layers.json", "layers.json");
    CHECK_OK(&r->ctx, lm_json_parse(&r->ctx, &r->file.arena, r->file.files.files[0].data,
                                    r->file.files.files[0].size, "layers.json", &r->root));
}

/* As make-layers.py has it. */
static float
number(size_t param, size_t i)
{
    const uint64_t x = (uint64_t)i * 1103515245 + param * 12345 + 7 + (uint64_t)i * i * 2654435;

    return (float)((double)(x % 2147483648) / 2147483648 - 0.5);
}

/* A net over the recorded texts. */
typedef struct work {
    lm_context *ctx;
    lm_net net;
    lm_net_store store;
    lm_net_batch batch;
    int32_t ids[TOKENS];
    size_t offsets[TEXTS + 1], order[TEXTS], steps[TOKENS + 1];
    unsigned char letters[TOKENS * 64];
    size_t letter_ends[TOKENS + 1];
    uint64_t rows[TEXTS];
    void *room;
} work;

/* As make-layers.py has it. */
static void
spell(work *w, size_t token)
{
    const size_t id = (size_t)w->ids[token], count = id % 5 + (id == 8 ? 60 : 1);

    for (size_t i = 0; i < count; i++)
        w->letters[w->letter_ends[token] + i] = (unsigned char)(97 + (7 * id + 3 * i) % 26);
    w->letter_ends[token + 1] = w->letter_ends[token] + count;
}

static void
set_texts(work *w)
{
    static const size_t lengths[] = {3, 1, 6, 4};

    w->offsets[0] = 0;
    for (size_t b = 0; b < TEXTS; b++) {
        w->offsets[b + 1] = w->offsets[b] + lengths[b];
        w->rows[b] = b;
    }
    for (size_t i = 0; i < TOKENS; i++)
        w->ids[i] = (int32_t)((5 * i + 3) % VOCABULARY);
    for (size_t i = 0; i < TOKENS; i++)
        spell(w, i);
}

/* Texts first … end − 1. */
static void
set_batch(work *w, size_t first, size_t end, size_t *offsets)
{
    for (size_t b = first; b <= end; b++)
        offsets[b - first] = w->offsets[b] - w->offsets[first];
    w->batch = (lm_net_batch){.tokens = offsets[end - first],
                              .texts = end - first,
                              .ids = w->ids + w->offsets[first],
                              .letters = w->letters,
                              .letter_ends = w->letter_ends + w->offsets[first],
                              .offsets = offsets,
                              .rows = w->rows + first,
                              .graded = true};
    lm_net_order(&w->batch, w->order, w->steps);
}

static lm_status
open_source(work *w, lm_context *ctx, lm_arena *arena, const lm_json *layers,
            const lm_net_source *source)
{
    memset(w, 0, sizeof *w);
    w->ctx = ctx;
    w->store.ctx = ctx;
    set_texts(w);
    LM_TRY(lm_net_make(ctx, arena, layers, source, &w->net));
    LM_TRY(lm_net_store_open(ctx, &w->net, 1, &w->store));
    for (size_t p = 0; p < w->net.param_count; p++)
        for (size_t i = 0; i < w->net.params[p].rows * w->net.params[p].columns; i++)
            w->store.params[p].value[i] = number(p, i);
    return lm_net_store_pack(&w->store);
}

static lm_status
open_work(work *w, lm_context *ctx, lm_arena *arena, const lm_json *layers, bool by_text,
          size_t vocabulary)
{
    const lm_net_source source = {"config.json", LM_BAD_MODEL, vocabulary, by_text, false};

    return open_source(w, ctx, arena, layers, &source);
}

static lm_status
forward(work *w, const float **out)
{
    const lm_net_weights weights = lm_net_store_weights(&w->store);
    size_t bytes;

    LM_TRY(lm_net_room(w->ctx, &w->net, &w->batch, &bytes));
    lm_free(w->ctx, w->room);
    w->room = lm_alloc(w->ctx, bytes);
    if (!w->room)
        return LM_NO_MEMORY;
    memset(w->room, 0xff, bytes); /* NaN: nothing is read before it is written */
    return lm_net_forward(w->ctx, &w->net, &weights, &w->batch, w->room, out);
}

static lm_status
backward(work *w)
{
    const lm_net_weights weights = lm_net_store_weights(&w->store);
    const lm_net_grads grads = lm_net_store_grads(&w->store);

    return lm_net_backward(w->ctx, &w->net, &weights, &w->batch, w->room, &grads);
}

static void
close_work(work *w)
{
    lm_free(w->ctx, w->room);
    lm_net_store_close(&w->store);
}

static void
same(const char *name, const char *what, const lm_json *list, const float *got, double bound)
{
    size_t i = 0;

    CHECK(list && list->type == LM_JSON_ARRAY);
    for (const lm_json *item = list->as.items.first; item; item = item->next, i++)
        if (!(fabs((double)got[i] - item->as.number) <= bound * fmax(1, fabs(item->as.number)))) {
            UNIT_FAIL("%s, %s %zu: %g, wanted %g", name, what, i, (double)got[i], item->as.number);
            return;
        }
}

static size_t
out_rows(const work *w)
{
    return w->net.by_text ? w->batch.texts : w->batch.tokens;
}

/* ---- torch's ---- */

static void
one_case(recorded *r, const lm_json *each)
{
    const char *name = lm_json_get(each, "name")->as.string.bytes;
    const lm_json *grad = lm_json_get(each, "grads")->as.items.first;
    size_t offsets[TEXTS + 1];
    const float *out;
    float *dout;
    work w;

    CHECK_OK(&r->ctx, open_work(&w, &r->ctx, &r->file.arena, lm_json_get(each, "layers"),
                                lm_json_get(each, "by_text")->boolean, VOCABULARY));
    set_batch(&w, 0, TEXTS, offsets);
    CHECK_OK(&r->ctx, forward(&w, &out));
    CHECK_EQ_INT(lm_json_get(each, "out")->as.items.count, out_rows(&w) * w.net.out);
    same(name, "out", lm_json_get(each, "out"), out, 1e-5);
    dout = lm_net_gradient(&w.net, &w.batch, w.room);
    for (size_t i = 0; i < out_rows(&w) * w.net.out; i++)
        dout[i] = number(99, i);
    CHECK_OK(&r->ctx, backward(&w));
    CHECK_EQ_INT(lm_json_get(each, "grads")->as.items.count, w.net.param_count);
    for (size_t p = 0; grad; grad = grad->next, p++)
        same(name, w.net.params[p].name, grad, w.store.grads[p], 1e-4);
    close_work(&w);
}

static void
as_torch(void)
{
    recorded r;

    open_recorded(&r);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first; each;
         each = each->next)
        one_case(&r, each);
    golden_close(&r.file);
}

/* ---- Language models ---- */

/* The loss of each direction, over all texts of the batch; dx NULL: no gradients. */
static lm_status
language_losses(work *w, const float *x, double weight, double losses[2], float *dx)
{
    const lm_net_weights weights = lm_net_store_weights(&w->store);
    const lm_net_grads grads = lm_net_store_grads(&w->store);
    const lm_words_softmax softmax = lm_net_softmax(&w->net, &weights, dx ? &grads : NULL);
    float *room = lm_alloc_array(w->ctx, lm_words_room(&softmax), sizeof *room);
    lm_status status = room ? LM_OK : LM_NO_MEMORY;

    for (size_t way = 0; status == LM_OK && way < softmax.ways; way++)
        status = lm_words_loss(w->ctx, &softmax, &w->batch, way, x, weight, room, &losses[way], dx);
    lm_free(w->ctx, room);
    return status;
}

static lm_status
open_language(work *w, lm_context *ctx, lm_arena *arena, const lm_json *layers, size_t *offsets)
{
    const lm_net_source source = {"config.json", LM_BAD_MODEL, VOCABULARY, false, true};

    LM_TRY(open_source(w, ctx, arena, layers, &source));
    set_batch(w, 0, TEXTS, offsets);
    return LM_OK;
}

/* The mean of the layers, as lmtext.token_vectors gives it. */
static void
same_means(work *w, const lm_json *each)
{
    const lm_net_weights weights = lm_net_store_weights(&w->store);
    const lm_layer *stacked = lm_net_stacked(&w->net);
    const int first = !lm_recurrent_mixes_input(stacked), last = (int)stacked->options.layers;
    float mix[9] = {0}, out[TOKENS * 8];

    for (int i = first; i <= last; i++)
        mix[i] = 1 / (float)(last + 1 - first);
    CHECK_OK(w->ctx, lm_net_mix(w->ctx, &w->net, &weights, &w->batch, w->room, mix, out));
    same("language", "mean", lm_json_get(each, "mean"), out, 1e-5);
}

static void
one_language(recorded *r, const lm_json *each)
{
    const lm_json *grad = lm_json_get(each, "grads")->as.items.first;
    size_t offsets[TEXTS + 1];
    double losses[2] = {0, 0};
    float found[2], *dx;
    const float *x;
    work w;

    CHECK_OK(&r->ctx,
             open_language(&w, &r->ctx, &r->file.arena, lm_json_get(each, "layers"), offsets));
    CHECK_OK(&r->ctx, forward(&w, &x));
    same_means(&w, each);
    CHECK_OK(&r->ctx, language_losses(&w, x, 1, losses, NULL));
    found[0] = (float)losses[0];
    found[1] = (float)losses[1];
    same("language", "losses", lm_json_get(each, "losses"), found, 1e-5);
    dx = lm_net_gradient(&w.net, &w.batch, w.room);
    memset(dx, 0, TOKENS * w.net.out * sizeof *dx);
    losses[0] = losses[1] = 0;
    CHECK_OK(&r->ctx, language_losses(&w, x, TOKENS * (double)(w.net.out / 3), losses, dx));
    CHECK_OK(&r->ctx, backward(&w));
    CHECK_EQ_INT(lm_json_get(each, "grads")->as.items.count, w.net.param_count);
    for (size_t p = 0; grad; grad = grad->next, p++)
        same("language", w.net.params[p].name, grad, w.store.grads[p], 1e-4);
    close_work(&w);
}

/* The first direction alone: its bits, and 0 for the other. */
static void
one_way(void)
{
    static const char text[] = "[{\"embedding\": 4}, {\"bilstm\": 4, \"layers\": 2, \"separate\": "
                               "true, \"residual\": true}]";
    const lm_json *layers;
    size_t offsets[TEXTS + 1];
    const float *x;
    float both[TOKENS * 8];
    recorded r;
    work w;

    open_recorded(&r);
    CHECK_OK(&r.ctx, lm_json_parse(&r.ctx, &r.file.arena, text, sizeof text - 1, "text", &layers));
    CHECK_OK(&r.ctx, open_language(&w, &r.ctx, &r.file.arena, layers, offsets));
    CHECK_OK(&r.ctx, forward(&w, &x));
    CHECK_EQ_INT(w.net.out, 8);
    memcpy(both, x, sizeof both);
    w.batch.one_way = true;
    CHECK_OK(&r.ctx, forward(&w, &x));
    for (size_t i = 0; i < TOKENS; i++)
        for (size_t j = 0; j < 8; j++)
            CHECK_NEAR(x[i * 8 + j], j < 4 ? both[i * 8 + j] : 0, 0);
    CHECK(both[7] != 0);
    close_work(&w);
    golden_close(&r.file);
}

static void
language_as_torch(void)
{
    recorded r;

    open_recorded(&r);
    for (const lm_json *each = lm_json_get(r.root, "language")->as.items.first; each;
         each = each->next)
        one_language(&r, each);
    golden_close(&r.file);
}

static void
parameter_counts(void)
{
    recorded r;

    open_recorded(&r);
    for (const lm_json *each = lm_json_get(r.root, "counts")->as.items.first; each;
         each = each->next) {
        const lm_net_source source = {NULL, LM_BAD_ARGUMENT,
                                      (size_t)lm_json_get(each, "words")->integer, true, false};
        lm_net net;

        CHECK_OK(&r.ctx,
                 lm_net_make(&r.ctx, &r.file.arena, lm_json_get(each, "layers"), &source, &net));
        CHECK_EQ_INT(net.numbers, lm_json_get(each, "count")->integer);
    }
    golden_close(&r.file);
}

/* A text has the same bits alone and among others; also where no gradients follow. */
static void
same_bits(void)
{
    recorded r;

    open_recorded(&r);
    for (const lm_json *each = lm_json_get(r.root, "cases")->as.items.first; each;
         each = each->next) {
        float all[TOKENS * 16];
        size_t offsets[TEXTS + 1], at = 0;
        const float *out;
        work w;

        CHECK_OK(&r.ctx, open_work(&w, &r.ctx, &r.file.arena, lm_json_get(each, "layers"),
                                   lm_json_get(each, "by_text")->boolean, VOCABULARY));
        set_batch(&w, 0, TEXTS, offsets);
        w.batch.graded = false;
        CHECK_OK(&r.ctx, forward(&w, &out));
        memcpy(all, out, out_rows(&w) * w.net.out * sizeof *all);
        same(lm_json_get(each, "name")->as.string.bytes, "out", lm_json_get(each, "out"), all,
             1e-5);
        for (size_t b = 0; b < TEXTS; b++) {
            set_batch(&w, b, b + 1, offsets);
            w.batch.graded = false;
            CHECK_OK(&r.ctx, forward(&w, &out));
            CHECK(memcmp(out, all + at, out_rows(&w) * w.net.out * sizeof *all) == 0);
            at += out_rows(&w) * w.net.out;
        }
        close_work(&w);
    }
    golden_close(&r.file);
}

/* ---- Differences ---- */

static double
weighed(work *w)
{
    const float *out;
    double sum = 0;

    CHECK_OK(w->ctx, lm_net_store_pack(&w->store));
    CHECK_OK(w->ctx, forward(w, &out));
    for (size_t i = 0; i < out_rows(w) * w->net.out; i++)
        sum += (double)number(99, i) * (double)out[i];
    return sum;
}

/* Along a direction of all numbers of a parameter, so that rounding stays small beside it. */
static void
check_direction(work *w, size_t p)
{
    const size_t count = w->net.params[p].rows * w->net.params[p].columns;
    const float step = 0.01f;
    float *value = w->store.params[p].value;
    double along = 0, ahead, behind;

    for (size_t i = 0; i < count; i++)
        along += (double)w->store.grads[p][i] * (double)number(p + 50, i);
    for (size_t i = 0; i < count; i++)
        value[i] += step * number(p + 50, i);
    ahead = weighed(w);
    for (size_t i = 0; i < count; i++)
        value[i] -= 2 * step * number(p + 50, i);
    behind = weighed(w);
    for (size_t i = 0; i < count; i++)
        value[i] += step * number(p + 50, i);
    CHECK_NEAR((ahead - behind) / (2 * (double)step), along, 2e-3 * fmax(1, fabs(along)));
}

/* With dropout: the same seed and step drop the same numbers. */
static void
differences(void)
{
    static const char *const nets[] = {
        "[{\"embedding\": 4, \"dropout\": 0.3}, {\"bilstm\": 3, \"layers\": 3, \"dropout\": 0.4}, "
        "{\"dropout\": 0.2}, {\"linear\": 3}]",
        "[{\"embedding\": 4}, {\"gru\": 5, \"layers\": 2, \"dropout\": 0.4}, {\"pool\": "
        "\"attention\"}, {\"dropout\": 0.5}, {\"linear\": 2, \"activation\": \"tanh\"}]",
        "[{\"embedding\": 4}, {\"dropout\": 0.3}, {\"transformer\": 2, \"layers\": 2}, {\"conv\": "
        "4, \"activation\": \"silu\"}, {\"attention\": 2}, {\"rnn\": 3}]",
    };
    lm_context ctx;
    lm_arena arena;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    for (size_t n = 0; n < sizeof nets / sizeof nets[0]; n++) {
        size_t offsets[TEXTS + 1];
        const lm_json *layers;
        float *dout;
        work w;

        CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, nets[n], strlen(nets[n]), "", &layers));
        CHECK_OK(&ctx, open_work(&w, &ctx, &arena, layers, true, VOCABULARY));
        set_batch(&w, 0, TEXTS, offsets);
        w.batch.training = true;
        w.batch.seed = 5;
        w.batch.step = 3;
        weighed(&w);
        dout = lm_net_gradient(&w.net, &w.batch, w.room);
        for (size_t i = 0; i < out_rows(&w) * w.net.out; i++)
            dout[i] = number(99, i);
        CHECK_OK(&ctx, backward(&w));
        {
            const lm_net_weights weights = lm_net_store_weights(&w.store);
            const lm_net_grads none = {NULL, NULL};

            /* Nobody may want them. */
            CHECK_OK(&ctx, lm_net_backward(&ctx, &w.net, &weights, &w.batch, w.room, &none));
            weighed(&w);
        }
        for (size_t i = 0; i < VOCABULARY; i++) {
            bool seen = false;

            for (size_t t = 0; t < TOKENS; t++)
                seen = seen || w.ids[t] == (int32_t)i;
            CHECK_EQ_INT(w.store.touched[0][i], seen);
        }
        for (size_t p = 0; p < w.net.param_count; p++)
            check_direction(&w, p);
        close_work(&w);
    }
    lm_arena_free(&arena);
}

/* ---- CRF ---- */

static void
one_crf(recorded *r, const lm_json *each)
{
    enum { LABELS = 3, MOST = 5 };
    const size_t tokens = (size_t)lm_json_get(each, "tokens")->integer;
    float x[MOST * LABELS], start[LABELS], end[LABELS], move[LABELS * LABELS], p[MOST * LABELS];
    float dx[MOST * LABELS], dstart[LABELS] = {0}, dend[LABELS] = {0}, dmove[LABELS * LABELS] = {0};
    const lm_crf crf = {LABELS, start, end, move, dstart, dend, dmove};
    int32_t labels[MOST], best[MOST];
    double room[(2 * MOST + 1) * LABELS], loss = 0;
    const lm_json *label = lm_json_get(each, "labels")->as.items.first;

    for (size_t i = 0; i < tokens * LABELS; i++)
        x[i] = 3 * number(1, i);
    for (size_t i = 0; i < LABELS; i++) {
        start[i] = number(2, i);
        end[i] = number(3, i);
    }
    for (size_t i = 0; i < LABELS * LABELS; i++)
        move[i] = number(4, i);
    for (size_t t = 0; t < tokens; t++, label = label->next)
        labels[t] = (int32_t)label->integer;
    CHECK(lm_crf_room(LABELS, tokens) <= sizeof room / sizeof room[0]);
    CHECK_OK(&r->ctx, lm_crf_loss(&r->ctx, &crf, tokens, x, labels, 1, room, &loss, dx));
    CHECK_NEAR(loss, lm_json_get(each, "loss")->as.number, 1e-6);
    same("crf", "dx", lm_json_get(each, "dx"), dx, 1e-6);
    same("crf", "dstart", lm_json_get(each, "dstart"), dstart, 1e-6);
    same("crf", "dend", lm_json_get(each, "dend"), dend, 1e-6);
    same("crf", "dmove", lm_json_get(each, "dmove"), dmove, 1e-6);
    CHECK_OK(&r->ctx, lm_crf_marginals(&r->ctx, &crf, tokens, x, room, p));
    same("crf", "marginals", lm_json_get(each, "marginals"), p, 1e-6);
    CHECK_OK(&r->ctx, lm_crf_decode(&r->ctx, &crf, tokens, x, room, best));
    label = lm_json_get(each, "best")->as.items.first;
    for (size_t t = 0; t < tokens; t++, label = label->next)
        CHECK_EQ_INT(best[t], label->integer);
}

static void
crf_by_all_paths(void)
{
    recorded r;

    open_recorded(&r);
    for (const lm_json *each = lm_json_get(r.root, "crf")->as.items.first; each; each = each->next)
        one_crf(&r, each);
    golden_close(&r.file);
}

/* ---- Curves ---- */

typedef struct curve {
    work w;
    double losses[20];
    int steps;
} curve;

static lm_status
curve_touch(void *self, const size_t *rows, size_t count)
{
    curve *c = self;

    for (size_t i = 0; i < count; i++)
        for (size_t t = c->w.offsets[rows[i]]; t < c->w.offsets[rows[i] + 1]; t++)
            c->w.store.touched[0][c->w.ids[t]] = 1;
    return LM_OK;
}

static lm_status
curve_weight(void *self, const size_t *rows, size_t count, double *weight)
{
    const curve *c = self;

    *weight = (double)count;
    if (!c->w.net.by_text)
        *weight = (double)(c->w.offsets[rows[count - 1] + 1] - c->w.offsets[rows[0]]);
    return LM_OK;
}

/* Rows of a batch are neighbours. */
static lm_status
curve_pass(void *self, const size_t *rows, size_t count, const lm_pass *how, double *loss)
{
    curve *c = self;
    work *w = &c->w;
    const lm_cross_entropy_options options = {NULL, 0};
    size_t offsets[TEXTS + 1];
    int32_t targets[TOKENS];
    const float *out;

    set_batch(w, rows[0], rows[0] + count, offsets);
    LM_TRY(lm_net_store_pack(&w->store));
    LM_TRY(forward(w, &out));
    for (size_t i = 0; i < out_rows(w); i++)
        targets[i] = (int32_t)((w->net.by_text ? rows[i] : (size_t)w->batch.ids[i]) % w->net.out);
    LM_TRY(lm_cross_entropy_loss(w->ctx, w->store.kernels, &options, out_rows(w), w->net.out, out,
                                 targets, how->weight, loss,
                                 lm_net_gradient(&w->net, &w->batch, w->room)));
    return backward(w);
}

static void
keep_loss(void *opaque, const lm_trainer_report *report)
{
    curve *c = opaque;

    if (report->step > c->steps && c->steps < 20)
        c->losses[c->steps++] = report->loss;
}

static void
one_curve(recorded *r, const lm_json *each)
{
    static const size_t rows[TEXTS] = {0, 1, 2, 3};
    const lm_json *loss = lm_json_get(each, "losses")->as.items.first;
    lm_trainer_options options;
    lm_trainer_result result;
    lm_network network;
    lm_trainer_hooks hooks;
    curve c = {.steps = 0};

    CHECK_OK(&r->ctx, open_work(&c.w, &r->ctx, &r->file.arena, lm_json_get(each, "layers"),
                                lm_json_get(each, "by_text")->boolean, VOCABULARY));
    lm_trainer_defaults(&options);
    for (int i = 0; lm_optimizers[i]; i++)
        if (lm_json_is_string(lm_json_get(each, "optimizer"), lm_optimizers[i]->name))
            options.optimizer = lm_optimizers[i];
    options.optimizer->defaults(&options.update);
    options.update.learning_rate = lm_json_get(each, "rate")->as.number;
    options.epochs = 10;
    options.batch_size = 2;
    options.shuffle = false;
    options.log_steps = 1;
    for (size_t p = 0; p < c.w.net.param_count; p++)
        c.w.store.params[p].decay = true; /* torch's AdamW has no groups */
    network = (lm_network){.self = &c,
                           .params = c.w.store.params,
                           .param_count = c.w.net.param_count,
                           .rows = TEXTS,
                           .touch = curve_touch,
                           .weight = curve_weight,
                           .pass = curve_pass};
    hooks = (lm_trainer_hooks){.report = keep_loss, .opaque = &c};
    CHECK_OK(&r->ctx, lm_trainer_run(&r->ctx, &network, &options, rows, TEXTS, TEXTS, NULL, &hooks,
                                     &result));
    CHECK_EQ_INT(c.steps, 20);
    for (int i = 0; loss && i < c.steps; i++, loss = loss->next)
        CHECK_NEAR(c.losses[i], loss->as.number, 1e-4);
    close_work(&c.w);
}

static void
curves(void)
{
    recorded r;

    open_recorded(&r);
    for (const lm_json *each = lm_json_get(r.root, "curves")->as.items.first; each;
         each = each->next)
        one_curve(&r, each);
    golden_close(&r.file);
}

/* ---- Failures ---- */

static lm_status
whole_pass(lm_context *ctx, const char *text)
{
    size_t offsets[TEXTS + 1];
    const lm_json *layers;
    const float *out;
    lm_arena arena;
    lm_status status;
    work w = {.store = {.ctx = ctx}};

    w.ctx = ctx;
    lm_arena_init(&arena, ctx);
    status = lm_json_parse(ctx, &arena, text, strlen(text), "", &layers);
    if (status == LM_OK)
        status = open_work(&w, ctx, &arena, layers, true, VOCABULARY);
    if (status == LM_OK) {
        set_batch(&w, 0, TEXTS, offsets);
        status = forward(&w, &out);
    }
    if (status == LM_OK)
        memset(lm_net_gradient(&w.net, &w.batch, w.room), 0,
               out_rows(&w) * w.net.out * sizeof *out);
    if (status == LM_OK)
        status = backward(&w);
    close_work(&w);
    lm_arena_free(&arena);
    return status;
}

/* Every allocation and every poll may fail, and nothing is left behind. */
static void
failures(void)
{
    static const char text[] =
        "[{\"embedding\": 4}, {\"bilstm\": 2, \"layers\": 2}, {\"gru\": 4}, {\"conv\": 4}, "
        "{\"attention\": 2}, {\"transformer\": 2, \"layers\": 2}, {\"layer_norm\": true}, "
        "{\"pool\": \"attention\"}, {\"dropout\": 0.1}, {\"linear\": 2, \"activation\": "
        "\"tanh\"}]";

    for (int polls = 0; polls < 2; polls++) {
        lm_status status = LM_NO_MEMORY;

        for (int at = 1; status != LM_OK && at < 10000; at = unit_next_fault(at)) {
            fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = whole_pass(&ctx, text);
            CHECK(status == LM_OK || status == (polls ? LM_CANCELLED : LM_NO_MEMORY));
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

/* ---- Descriptions ---- */

typedef struct refusal {
    const char *layers;
    bool by_text;
    const char *key, *allowed;
} refusal;

static const refusal refusals[] = {
    {"{}", true, "layers", "an array"},
    {"[]", true, "layers", "an array"},
    {"[3]", true, "layers[0]", "an object"},
    {"[{\"lstm\": 3}]", true, "layers[0]", "an embedding"},
    {"[{\"embeding\": 3}]", true, "layers[0]", "bilstm"},
    {"[{\"embedding\": 0}]", true, "layers[0].embedding", "a whole number from 1"},
    {"[{\"embedding\": 1.5}]", true, "layers[0].embedding", "a whole number from 1"},
    {"[{\"embedding\": 3, \"size\": 4}]", true, "layers[0].size", "dropout, trainable"},
    {"[{\"embedding\": 3, \"trainable\": 1}]", true, "layers[0].trainable", "true or false"},
    {"[{\"embedding\": 3}, {\"embedding\": 3}]", true, "layers[1].embedding", "first"},
    {"[{\"embedding\": 3}, {\"lstm\": 3, \"layers\": 9}]", true, "layers[1].layers", "1 to 8"},
    {"[{\"embedding\": 3}, {\"gru\": 3, \"dropout\": 1}]", true, "layers[1].dropout", "0.99"},
    {"[{\"embedding\": 3}, {\"gru\": 3, \"keras_order\": 1}]", true, "layers[1].keras_order",
     "true or false"},
    {"[{\"embedding\": 3}, {\"gru\": 3, \"reset_after\": false}]", true, "layers[1].gru",
     "biases 1"},
    {"[{\"embedding\": 3}, {\"lstm\": 3, \"reset_after\": false}]", true, "layers[1].reset_after",
     "keras_order"},
    {"[{\"embedding\": 3}, {\"dropout\": 1}]", true, "layers[1].dropout", "0.99"},
    {"[{\"embedding\": 3}, {\"lstm\": 3, \"gru\": 3}]", true, "layers[1].gru", "layers, dropout"},
    {"[{\"embedding\": 3}, {\"rnn\": 3, \"activation\": \"gelu\"}]", true, "layers[1].activation",
     "tanh, relu"},
    {"[{\"embedding\": 3}, {\"linear\": 3, \"activation\": 1}]", true, "layers[1].activation",
     "none"},
    {"[{\"embedding\": 3}, {\"attention\": 2}]", true, "layers[1].attention", "multiple"},
    {"[{\"embedding\": 3}, {\"transformer\": 2}]", true, "layers[1].transformer", "multiple"},
    {"[{\"embedding\": 3}, {\"pool\": \"min\"}]", true, "layers[1].pool", "mean, max"},
    {"[{\"embedding\": 3}, {\"pool\": 1}]", true, "layers[1].pool", "mean, max"},
    {"[{\"embedding\": 3}, {\"pool\": \"max\"}]", false, "layers[1].pool", "each token"},
    {"[{\"embedding\": 3}, {\"pool\": \"max\"}, {\"pool\": \"max\"}]", true, "layers[2].pool",
     "already"},
    {"[{\"embedding\": 3}, {\"pool\": \"max\"}, {\"gru\": 2}]", true, "layers[2].gru", "pooled"},
    {"[{\"embedding\": 3}, {\"pool\": \"max\"}, {\"conv\": 2}]", true, "layers[2].conv", "pooled"},
    {"[{\"embedding\": 3}, {\"pool\": \"max\"}, {\"attention\": 1}]", true, "layers[2].attention",
     "pooled"},
    {"[{\"embedding\": 3}, {\"pool\": \"max\"}, {\"transformer\": 1}]", true,
     "layers[2].transformer", "pooled"},
    {"[{\"embedding\": 3}, {\"pool\": \"max\"}, {\"crf\": true}]", true, "layers[2].crf", "pooled"},
    {"[{\"embedding\": 3}, {\"crf\": true}, {\"linear\": 3}]", false, "layers[1].crf", "last"},
    {"[{\"embedding\": 3}, {\"layer_norm\": 3}]", true, "layers[1].layer_norm", "true"},
    {"[{\"embedding\": 3}, {\"layer_norm\": false}]", true, "layers[1].layer_norm", "true"},
    {"[{\"embedding\": \"3\"}]", true, "layers[0].embedding", "a whole number from 1"},
    {"[{\"embedding\": 1e9}]", true, "layers[0].embedding", "a whole number from 1"},
    {"[{\"embedding\": 3}, {\"lstm\": 3, \"layers\": \"2\"}]", true, "layers[1].layers", "1 to 8"},
    {"[{\"embedding\": 3}, {\"lstm\": 3, \"layers\": 0}]", true, "layers[1].layers", "1 to 8"},
    {"[{\"embedding\": 3}, {\"lstm\": 3, \"layers\": 1.5}]", true, "layers[1].layers", "1 to 8"},
    {"[{\"embedding\": 3}, {\"gru\": 3, \"dropout\": true}]", true, "layers[1].dropout", "0.99"},
    {"[{\"embedding\": 3}, {\"pool\": \"max\", \"size\": 1}]", true, "layers[1].size", "no option"},
    {"[{\"embedding\": 3}, {\"linear\": 3, \"activation\": \"loud\"}]", true,
     "layers[1].activation", "none"},
    {"[{\"embedding\": 3}, {\"lstm\": 3, \"separate\": true}]", false, "layers[1].lstm",
     "two directions"},
    {"[{\"embedding\": 3}, {\"lstm\": 3}, {\"softmax\": true}]", false, "layers[2].softmax",
     "of a language model"},
};

/* Of language models. */
static const refusal language_refusals[] = {
    {"[{\"embedding\": 3}]", false, "layers[1].softmax", "has a recurrent layer"},
    {"[{\"embedding\": 3}, {\"bilstm\": 3}]", false, "layers[1].bilstm", "\"separate\": true"},
    {"[{\"embedding\": 3}, {\"lstm\": 3}, {\"gru\": 3}]", false, "layers[2].gru", "one recurrent"},
    {"[{\"embedding\": 3}, {\"lstm\": 3}, {\"linear\": 3}]", false, "layers[2].linear",
     "and dropout"},
    {"[{\"embedding\": 3}, {\"conv\": 3}, {\"lstm\": 3}]", false, "layers[1].conv", "and dropout"},
    {"[{\"embedding\": 3}, {\"lstm\": 3, \"mix\": true}]", false, "layers[1].lstm", "a mix is of"},
    {"[{\"embedding\": 3}, {\"softmax\": true}, {\"lstm\": 3}]", false, "layers[1].softmax",
     "is the last layer"},
    {"[{\"embedding\": 3}, {\"lstm\": 3}, {\"crf\": true}]", false, "layers[2].crf",
     "a crf is the last"},
};

static void
all_refused(const refusal *list, size_t count, bool language)
{
    lm_context ctx;
    lm_arena arena;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    for (size_t i = 0; i < count; i++) {
        const refusal *each = &list[i];
        const lm_net_source source = {"config.json", LM_BAD_MODEL, 10, each->by_text, language};
        const lm_json *json;
        lm_net net;

        CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, each->layers, strlen(each->layers), "", &json));
        CHECK_EQ_INT(lm_net_make(&ctx, &arena, json, &source, &net), LM_BAD_MODEL);
        CHECK_STR(ctx.error.file, "config.json");
        CHECK_STR(ctx.error.key, each->key);
        if (!strstr(ctx.error.allowed, each->allowed))
            UNIT_FAIL("%s: allowed %s", each->layers, ctx.error.allowed);
    }
    lm_arena_free(&arena);
}

static void
refused(void)
{
    all_refused(refusals, sizeof refusals / sizeof refusals[0], false);
    all_refused(language_refusals, sizeof language_refusals / sizeof language_refusals[0], true);
}

/* More than a net has, and none at all. */
static void
counts_of_layers(void)
{
    const lm_net_source source = {"config.json", LM_BAD_MODEL, 10, true, false};
    char text[4096] = "[{\"embedding\": 3}";
    const lm_json *json;
    lm_context ctx;
    lm_arena arena;
    lm_net net;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    for (int i = 1; i <= LM_NET_LAYERS_MAX; i++) {
        strcat(text, ", {\"linear\": 3}");
        if (i + 1 < LM_NET_LAYERS_MAX)
            continue;
        strcat(text, "]");
        CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, strlen(text), "", &json));
        CHECK_EQ_INT(lm_net_make(&ctx, &arena, json, &source, &net),
                     i < LM_NET_LAYERS_MAX ? LM_OK : LM_BAD_MODEL);
        text[strlen(text) - 1] = '\0';
    }
    CHECK_STR(ctx.error.key, "layers");
    CHECK_EQ_INT(lm_net_make(&ctx, &arena, NULL, &source, &net), LM_BAD_MODEL);
    CHECK_STR(ctx.error.key, "layers");
    lm_arena_free(&arena);
}

static void
too_large(void)
{
    static const char text[] = "[{\"embedding\": 8192}, {\"linear\": 3}]";
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, (size_t)1 << 30, true, false};
    const lm_json *json;
    lm_context ctx;
    lm_arena arena;
    lm_net net;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, strlen(text), "", &json));
    CHECK_EQ_INT(lm_net_make(&ctx, &arena, json, &source, &net), LM_TOO_LARGE);
    CHECK_STR(ctx.error.key, "0.weight");
    lm_arena_free(&arena);
}

/* What is written is read again as the same, whatever the order of keys. */
static void
written(void)
{
    static const char text[] =
        "[{\"dropout\": 0.25, \"embedding\": 4}, {\"layers\": 2, \"biases\": 1, \"bigru\": 8}, "
        "{\"conv\": 8}, {\"transformer\": 2, \"norm_first\": true}, {\"pool\": \"max\"}, "
        "{\"dropout\": 0.5}, {\"layer_norm\": true}, {\"linear\": 3, \"activation\": \"relu\"}]";
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, 10, true, false};
    lm_buffer first, second;
    const lm_json *json;
    lm_context ctx;
    lm_arena arena;
    lm_net net, again;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    lm_buffer_init(&first, &ctx);
    lm_buffer_init(&second, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, strlen(text), "", &json));
    CHECK_OK(&ctx, lm_net_make(&ctx, &arena, json, &source, &net));
    CHECK_OK(&ctx, lm_net_write(&net, &first));
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, first.data, first.size, "", &json));
    CHECK_OK(&ctx, lm_net_make(&ctx, &arena, json, &source, &again));
    CHECK_OK(&ctx, lm_net_write(&again, &second));
    CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    CHECK_EQ_INT(net.numbers, again.numbers);
    CHECK_STR(net.params[1].name, "1.weight_ih_l0");
    CHECK_STR(net.params[net.param_count - 1].name, "7.bias");
    lm_buffer_free(&first);
    lm_buffer_free(&second);
    lm_arena_free(&arena);
}

static lm_status
write_net(const void *net, lm_buffer *out)
{
    return lm_net_write(net, out);
}

/* A description is written in many pieces: whichever meets the end of the memory, the call fails.
 */
static void
written_without_memory(void)
{
    static const char text[] =
        "[{\"embedding\": 4}, {\"bigru\": 8, \"dropout\": 0.25}, {\"pool\": \"max\"}, "
        "{\"layer_norm\": true}, {\"linear\": 3, \"activation\": \"relu\"}]";
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, 10, true, false};
    const lm_json *json;
    size_t room;
    lm_context ctx;
    lm_arena arena;
    lm_net net;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, strlen(text), "", &json));
    CHECK_OK(&ctx, lm_net_make(&ctx, &arena, json, &source, &net));
    room = fake_least_room(write_net, &net);
    CHECK(room > 150 && room < 1024);
    lm_arena_free(&arena);
}

/* Before training values are torch's: within their bound, and not all alike. */
static void
initial(void)
{
    static const char text[] = "[{\"embedding\": 50}, {\"lstm\": 16}, {\"linear\": 4}]";
    const lm_net_source source = {NULL, LM_BAD_ARGUMENT, 200, true, false};
    float values[10000], again[10000];
    double sum = 0, squares = 0, most = 0;
    const lm_json *json;
    lm_context ctx;
    lm_arena arena;
    lm_net net;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, strlen(text), "", &json));
    CHECK_OK(&ctx, lm_net_make(&ctx, &arena, json, &source, &net));
    CHECK_OK(&ctx, lm_net_init(&ctx, &net, 0, 7, values));
    for (int i = 0; i < 10000; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    CHECK_NEAR(sum / 10000, 0, 0.05);
    CHECK_NEAR(squares / 10000, 1, 0.08);
    CHECK_OK(&ctx, lm_net_init(&ctx, &net, 0, 7, again));
    CHECK(memcmp(values, again, sizeof values) == 0);
    CHECK_OK(&ctx, lm_net_init(&ctx, &net, 0, 8, again));
    CHECK(memcmp(values, again, sizeof values) != 0);
    CHECK_OK(&ctx, lm_net_init(&ctx, &net, 1, 7, values)); /* (64, 50), within 1 / √16 */
    for (int i = 0; i < 3200; i++)
        most = fmax(most, fabs((double)values[i]));
    CHECK(most <= 0.25 && most > 0.24);
    lm_arena_free(&arena);
}

/* The weights of attention are a distribution over each text's tokens. */
static void
attention_weights(void)
{
    static const char text[] = "[{\"embedding\": 4}, {\"pool\": \"attention\"}, {\"linear\": 2}]";
    size_t offsets[TEXTS + 1];
    const lm_json *json;
    const float *out, *weights;
    lm_context ctx;
    lm_arena arena;
    work w;

    lm_context_init(&ctx);
    lm_arena_init(&arena, &ctx);
    CHECK_OK(&ctx, lm_json_parse(&ctx, &arena, text, strlen(text), "", &json));
    CHECK_OK(&ctx, open_work(&w, &ctx, &arena, json, true, VOCABULARY));
    set_batch(&w, 0, TEXTS, offsets);
    CHECK_OK(&ctx, forward(&w, &out));
    weights = lm_net_attention(&w.net, &w.batch, w.room);
    for (size_t b = 0; weights && b < TEXTS; b++) {
        double sum = 0;

        for (size_t t = offsets[b]; t < offsets[b + 1]; t++)
            sum += (double)weights[t];
        CHECK_NEAR(sum, 1, 1e-6);
    }
    CHECK(weights && weights[0] != weights[1]);
    close_work(&w);
    lm_arena_free(&arena);
}

static const unit_case cases[] = {
    {"as_torch", as_torch},
    {"language_as_torch", language_as_torch},
    {"one_way", one_way},
    {"parameter_counts", parameter_counts},
    {"same_bits", same_bits},
    {"differences", differences},
    {"crf_by_all_paths", crf_by_all_paths},
    {"curves", curves},
    {"failures", failures},
    {"refused", refused},
    {"counts_of_layers", counts_of_layers},
    {"too_large", too_large},
    {"written", written},
    {"written_without_memory", written_without_memory},
    {"initial", initial},
    {"attention_weights", attention_weights},
};

UNIT_MAIN(cases)
