/*
 * test_grad.c - backward passes of an encoder's parts and layers: torch's gradients, recorded by
 * scripts/make-grad.py; differences of the forward passes.
 */
#include <stdint.h>

#include "base/rng.h"
#include "base/size.h"
#include "nn/block_grad.h"
#include "nn/pointwise.h"
#include "recorded.h"

/* ---- torch's ---- */

static void
open_recorded(recorded *r)
{
    recorded_open(r, "test/golden/grad.json");
}

static const lm_json *
find(const recorded *r, const char *name)
{
    return recorded_find(r, "cases", name);
}

static void
linear(void)
{
    float x[MOST], weight[MOST], bias[MOST], dy[MOST], y[MOST], dx[MOST];
    float dweight[MOST] = {0}, dbias[MOST] = {0};
    const lm_linear args = {.rows = 3, .in = 4, .out = 5, .weight = weight, .bias = bias};
    const lm_json *each;
    recorded r;

    open_recorded(&r);
    each = find(&r, "linear");
    numbers(each, "x", x), numbers(each, "weight", weight), numbers(each, "bias", bias);
    numbers(each, "dy", dy);
    CHECK_OK(&r.ctx, lm_linear_forward(&r.ctx, &args, x, y));
    same(each, "y", y);
    CHECK_OK(&r.ctx, lm_linear_backward(&r.ctx, &args, x, dy, dx, dweight, dbias));
    same(each, "dx", dx), same(each, "dweight", dweight), same(each, "dbias", dbias);
    CHECK_OK(&r.ctx, lm_linear_backward(&r.ctx, &args, x, dy, NULL, NULL, NULL));
    golden_close(&r.file);
}

static void
norms(void)
{
    static const char *const names[] = {"layer_norm", "rms_norm"};
    recorded r;

    open_recorded(&r);
    for (int kind = 0; kind < 2; kind++) {
        const lm_json *each = find(&r, names[kind]);
        float x[MOST], gain[MOST], bias[MOST], dy[MOST], y[MOST], dgain[MOST] = {0};
        float dbias[MOST] = {0};
        const lm_norm norm = {kind == 0 ? LM_NORM_LAYER : LM_NORM_RMS, gain,
                              kind == 0 ? bias : NULL, 1e-5f};

        numbers(each, "x", x), numbers(each, "gain", gain), numbers(each, "bias", bias);
        numbers(each, "dy", dy);
        lm_nn_norm(lm_kernels_active(), &norm, 3, 6, x, y);
        same(each, "y", y);
        lm_norm_backward(&norm, 3, 6, x, dy, dy, dgain, kind == 0 ? dbias : NULL);
        same(each, "dx", dy), same(each, "dgain", dgain);
        if (kind == 0)
            same(each, "dbias", dbias);
    }
    golden_close(&r.file);
}

static void
activations(void)
{
    static const char *const names[LM_ACT_COUNT] = {
        [LM_ACT_NONE] = "none", [LM_ACT_GELU] = "gelu", [LM_ACT_GELU_TANH] = "gelu_tanh",
        [LM_ACT_RELU] = "relu", [LM_ACT_SILU] = "silu", [LM_ACT_TANH] = "tanh",
    };
    float x[MOST], dy[MOST], dx[MOST];
    recorded r;

    open_recorded(&r);
    for (int act = 0; act < LM_ACT_COUNT; act++) {
        const lm_json *each = find(&r, names[act]);
        size_t count = numbers(each, "x", x);

        numbers(each, "dy", dy);
        CHECK_OK(&r.ctx, lm_activate_backward(&r.ctx, (lm_activation)act, count, x, dy, dx));
        same(each, "dx", dx);
    }
    golden_close(&r.file);
}

static void
gates_and_lengths(void)
{
    const lm_kernels *kernels = lm_kernels_active();
    float x[MOST], y[MOST], dy[MOST], dx[MOST];
    const lm_json *each;
    recorded r;

    open_recorded(&r);
    each = find(&r, "gate");
    numbers(each, "x", x), numbers(each, "dy", dy);
    CHECK_OK(&r.ctx, lm_gate_forward(&r.ctx, kernels, LM_ACT_SILU, 2, 3, x, y));
    same(each, "y", y);
    CHECK_OK(&r.ctx, lm_gate_backward(&r.ctx, kernels, LM_ACT_SILU, 2, 3, x, dy, dx));
    same(each, "dx", dx);
    each = find(&r, "softmax");
    numbers(each, "y", y), numbers(each, "dy", dy);
    lm_softmax_backward(7, y, dy, dx);
    same(each, "dx", dx);
    each = find(&r, "normalize");
    numbers(each, "x", x), numbers(each, "dy", dy);
    lm_normalize_backward(7, 1e-12f, x, dy, dx);
    same(each, "dx", dx);
    lm_normalize_backward(7, 1e6f, x, dy, dx); /* below the bound: divided by it */
    CHECK_NEAR(dx[3], dy[3] / 1e6f, 1e-12);
    golden_close(&r.file);
}

static void
attention(void)
{
    static const struct {
        const char *name;
        size_t heads, kv_heads, dim;
        lm_mask mask;
        size_t window;
    } rows[] = {
        {"attention", 2, 2, 3, LM_MASK_FULL, 0},
        {"causal", 4, 2, 2, LM_MASK_CAUSAL, 0},
        {"window", 2, 1, 3, LM_MASK_WINDOW, 1},
    };
    float room[4096], qkv[MOST], bias[MOST], dy[MOST], y[MOST], dqkv[MOST];
    recorded r;

    open_recorded(&r);
    CHECK(lm_attend_room(5) <= 4096);
    for (int i = 0; i < 3; i++) {
        const lm_json *each = find(&r, rows[i].name);
        float dbias[MOST] = {0};
        const lm_attend args = {.kernels = lm_kernels_active(),
                                .tokens = 5,
                                .heads = rows[i].heads,
                                .kv_heads = rows[i].kv_heads,
                                .head_dim = rows[i].dim,
                                .mask = rows[i].mask,
                                .window = rows[i].window,
                                .scale = .5f,
                                .bias = bias,
                                .bias_positions = 5,
                                .room = room};

        numbers(each, "x", qkv), numbers(each, "bias", bias), numbers(each, "dy", dy);
        CHECK_OK(&r.ctx, lm_attend_forward(&r.ctx, &args, qkv, y));
        same(each, "y", y);
        CHECK_OK(&r.ctx, lm_attend_backward(&r.ctx, &args, qkv, dy, dqkv, dbias));
        same(each, "dx", dqkv), same(each, "dbias", dbias);
    }
    golden_close(&r.file);
}

/* Slopes of the modules' activations. */
static void
pointwise(void)
{
    float x[MOST];
    recorded r;

    open_recorded(&r);
    numbers(r.root, "x", x);
    for (int i = 0; lm_pointwises[i].name; i++) {
        float wanted[MOST];
        size_t count = numbers(lm_json_get(r.root, "slopes"), lm_pointwises[i].name, wanted);

        CHECK(count > 10);
        for (size_t j = 0; j < count; j++)
            if (!(fabsf(lm_pointwises[i].slope(x[j]) - wanted[j]) <= 2e-6f))
                UNIT_FAIL("%s at %g: %g, wanted %g", lm_pointwises[i].name, (double)x[j],
                          (double)lm_pointwises[i].slope(x[j]), (double)wanted[j]);
    }
    golden_close(&r.file);
}

/* ---- Layers, by differences ---- */

enum { D = 8, HEADS = 2, DIM = 4, INNER = 6, TOKENS = 71, LONGEST = 66, DISTANCES = 2 * LONGEST };
enum { QKV = 3 * HEADS * DIM };

/* A short text, and one of more queries than a block of attention has. */
static const size_t offsets[] = {0, 5, TOKENS};

/* Weights and their gradients, in one order: see bind_weights. */
typedef struct layer_numbers {
    float qkv[QKV * D], qkv_bias[QKV], output[D * HEADS * DIM], output_bias[D];
    float query_gain[DIM], key_gain[DIM];
    float up[2 * INNER * D], up_bias[2 * INNER], down[D * INNER], down_bias[D];
    float gains[6][D], biases[6][D], position_bias[HEADS * DISTANCES];
} layer_numbers;

enum norm_bits { BEFORE = 1, INSIDE = 2, AFTER = 4 };

static const struct {
    const char *name;
    int norms;
    lm_block block;
} layers[] = {
    {"post-norm, bias",
     AFTER,
     {.eps = 1e-5f, .kv_heads = 2, .position = LM_POSITION_BIAS, .act = LM_ACT_GELU}},
    {"pre-norm, rotary, windows, gated",
     BEFORE,
     {.eps = 1e-5f,
      .kv_heads = 2,
      .mask = LM_MASK_WINDOW,
      .window = 3,
      .position = LM_POSITION_ROPE,
      .theta = 100,
      .turned = 4,
      .act = LM_ACT_SILU,
      .gated = true}},
    {"norms inside, causal, normed heads that share keys",
     BEFORE | INSIDE,
     {.norm = LM_NORM_RMS,
      .eps = 1e-5f,
      .kv_heads = 1,
      .mask = LM_MASK_CAUSAL,
      .window = 9,
      .normed = true,
      .position = LM_POSITION_ROPE,
      .theta = 100,
      .turned = 2,
      .interleaved = true,
      .act = LM_ACT_TANH}},
    {"no norm", 0, {.eps = 1e-5f, .kv_heads = 2, .act = LM_ACT_GELU_TANH}},
};
enum { LAYERS = sizeof(layers) / sizeof(*layers) };

typedef struct fixture {
    lm_context ctx;
    layer_numbers weights, gradients;
    lm_block block;
    lm_block_weights bound;
    lm_block_run run;
    float cosines[LONGEST * DIM], sines[LONGEST * DIM];
    float x[TOKENS * D], y[TOKENS * D], dy[TOKENS * D], dx[TOKENS * D];
    float *tape;
} fixture;

static lm_rng rng;

static void
fill(float *x, size_t count, float scale, float centre)
{
    for (size_t i = 0; i < count; i++)
        x[i] = centre + scale * (float)(2 * lm_rng_uniform(&rng) - 1);
}

static lm_norm
norm_of(const fixture *f, int norms, int bit, int at)
{
    return (lm_norm){f->block.norm, norms & bit ? f->weights.gains[at] : NULL,
                     f->block.norm == LM_NORM_LAYER ? f->weights.biases[at] : NULL, f->block.eps};
}

static lm_part_weights
part_of(const fixture *f, int norms, int at)
{
    return (lm_part_weights){norm_of(f, norms, BEFORE, at), norm_of(f, norms, INSIDE, at + 1),
                             norm_of(f, norms, AFTER, at + 2)};
}

static void
bind_weights(fixture *f, int norms)
{
    const layer_numbers *w = &f->weights;

    f->bound = (lm_block_weights){.attention = part_of(f, norms, 0),
                                  .ffn = part_of(f, norms, 3),
                                  .qkv = w->qkv,
                                  .qkv_bias = w->qkv_bias,
                                  .output = w->output,
                                  .output_bias = w->output_bias,
                                  .query_gain = w->query_gain,
                                  .key_gain = w->key_gain,
                                  .up = w->up,
                                  .up_bias = w->up_bias,
                                  .down = w->down,
                                  .down_bias = w->down_bias};
}

static lm_part_gradients
part_gradients(fixture *f, int at)
{
    layer_numbers *g = &f->gradients;

    return (lm_part_gradients){{g->gains[at], g->biases[at]},
                               {g->gains[at + 1], g->biases[at + 1]},
                               {g->gains[at + 2], g->biases[at + 2]}};
}

static lm_block_gradients
bind_gradients(fixture *f)
{
    layer_numbers *g = &f->gradients;

    return (lm_block_gradients){.attention = part_gradients(f, 0),
                                .ffn = part_gradients(f, 3),
                                .qkv = g->qkv,
                                .qkv_bias = g->qkv_bias,
                                .output = g->output,
                                .output_bias = g->output_bias,
                                .query_gain = g->query_gain,
                                .key_gain = g->key_gain,
                                .up = g->up,
                                .up_bias = g->up_bias,
                                .down = g->down,
                                .down_bias = g->down_bias,
                                .position_bias = g->position_bias};
}

static void
set_up(fixture *f, int which)
{
    size_t size;

    memset(f, 0, sizeof *f);
    lm_context_init(&f->ctx);
    lm_rng_seed(&rng, 11);
    fill((float *)&f->weights, sizeof f->weights / sizeof(float), .6f, 0);
    fill(f->weights.gains[0], 6 * D, .3f, 1);
    fill(f->weights.query_gain, 2 * DIM, .3f, 1);
    fill(f->x, TOKENS * D, 1, 0);
    fill(f->dy, TOKENS * D, 1, 0);
    f->block = layers[which].block;
    f->block.heads = HEADS, f->block.head_dim = DIM, f->block.inner = INNER;
    f->block.scale = .5f;
    bind_weights(f, layers[which].norms);
    if (f->block.turned > 0)
        CHECK_OK(&f->ctx, lm_nn_rope_table(&f->ctx, f->block.theta, 1, f->block.turned, LONGEST,
                                           f->cosines, f->sines));
    size = lm_block_tape(&f->block, D, TOKENS, LONGEST);
    f->tape = malloc(size * sizeof *f->tape);
    f->run = (lm_block_run){.ctx = &f->ctx,
                            .kernels = lm_kernels_active(),
                            .block = &f->block,
                            .weights = &f->bound,
                            .width = D,
                            .tokens = TOKENS,
                            .texts = 2,
                            .longest = LONGEST,
                            .offsets = offsets,
                            .cosines = f->cosines,
                            .sines = f->sines,
                            .bias = f->weights.position_bias,
                            .tape = f->tape};
}

static double
loss(fixture *f)
{
    double sum = 0;

    CHECK_OK(&f->ctx, lm_block_forward(&f->run, f->x, f->y));
    for (size_t i = 0; i < TOKENS * D; i++)
        sum += (double)f->dy[i] * (double)f->y[i];
    return sum;
}

/* Some of the numbers, moved either way: the loss changes as their gradient says. */
static void
check_slopes(fixture *f, const char *what, float *x, const float *dx, size_t count)
{
    const float step = 4e-3f;
    size_t every = count / 23 + 1;

    for (size_t i = 0; i < count; i += every) {
        float kept = x[i], up = kept + step, down = kept - step;
        double above, below, slope;

        x[i] = up;
        above = loss(f);
        x[i] = down;
        below = loss(f);
        x[i] = kept;
        slope = (above - below) / ((double)up - (double)down);
        if (!(fabs(slope - dx[i]) <= 4e-3 * fmax(1, fabs(slope))))
            UNIT_FAIL("%s %zu: %g, by difference %g", what, i, (double)dx[i], slope);
    }
}

#define SLOPES(f, member)                                                                  \
    check_slopes(f, #member, (float *)(f)->weights.member, (float *)(f)->gradients.member, \
                 sizeof(f)->weights.member / sizeof(float))

static void
check_weights(fixture *f)
{
    SLOPES(f, qkv), SLOPES(f, qkv_bias), SLOPES(f, output), SLOPES(f, output_bias);
    SLOPES(f, up), SLOPES(f, up_bias), SLOPES(f, down), SLOPES(f, down_bias);
    SLOPES(f, query_gain), SLOPES(f, key_gain), SLOPES(f, position_bias);
    for (int i = 0; i < 6; i++)
        SLOPES(f, gains[i]), SLOPES(f, biases[i]);
}

/* The dimensions that these gradients have in fewer rows are zero: nothing reads those weights. */
static void
differences(void)
{
    for (int which = 0; which < LAYERS; which++) {
        const lm_block_gradients none = {.qkv = NULL};
        lm_block_gradients gradients;
        float again[TOKENS * D];
        int before = unit_failures;
        fixture f;

        set_up(&f, which);
        gradients = bind_gradients(&f);
        loss(&f);
        CHECK_OK(&f.ctx, lm_block_backward(&f.run, f.x, f.dy, f.dx, &gradients));
        check_slopes(&f, "x", f.x, f.dx, TOKENS * D);
        check_weights(&f);
        loss(&f);
        CHECK_OK(&f.ctx, lm_block_backward(&f.run, f.x, f.dy, again, &none));
        CHECK(memcmp(again, f.dx, sizeof again) == 0);
        if (unit_failures > before)
            UNIT_FAIL("above: %s", layers[which].name);
        free(f.tape);
    }
}

/* Every poll can end either pass. */
static void
cancels(void)
{
    fake_memory memory = {.stop_at = 0};
    lm_block_gradients gradients;
    fixture f;
    int polls;

    set_up(&f, 1);
    gradients = bind_gradients(&f);
    fake_context(&f.ctx, &memory);
    CHECK_OK(&f.ctx, lm_block_forward(&f.run, f.x, f.y));
    CHECK_OK(&f.ctx, lm_block_backward(&f.run, f.x, f.dy, f.dx, &gradients));
    polls = memory.polls;
    CHECK(polls > 20);
    for (int at = 1; at <= polls; at++) {
        lm_status status;

        memory = (fake_memory){.stop_at = at};
        status = lm_block_forward(&f.run, f.x, f.y);
        if (status == LM_OK)
            status = lm_block_backward(&f.run, f.x, f.dy, f.dx, &gradients);
        CHECK_EQ_INT(status, LM_CANCELLED);
    }
    free(f.tape);
}

static const unit_case cases[] = {
    {"linear layers have torch's gradients", linear},
    {"norms have torch's gradients", norms},
    {"activations have torch's slopes", activations},
    {"gates, softmax and lengths have torch's gradients", gates_and_lengths},
    {"attention has torch's gradients", attention},
    {"modules' activations have torch's slopes", pointwise},
    {"layers have the gradients that differences show", differences},
    {"every poll can end a pass", cancels},
};

UNIT_MAIN(cases)
