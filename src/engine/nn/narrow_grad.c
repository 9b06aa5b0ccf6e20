/*
 * narrow_grad.c - a layer with a bottleneck that remembers, and its backward pass. Every part of it
 * is a linear layer and a norm, or a net of two, so that each is kept by what its norm gets.
 */
#include "nn/narrow_grad.h"

#include <string.h>

#include "base/size.h"

/* What a linear layer and its norm gave. */
typedef struct normed_tape {
    float *sum, *out; /* before the norm, and behind it */
} normed_tape;

/* Of one of the nets: r, what its first matrix gave, what its norm gets. */
typedef struct net_tape {
    float *up;
    normed_tape down;
} net_tape;

typedef struct narrow_tape {
    normed_tape attended, entry, output, leave;
    float *nets;      /* one behind the other */
    size_t net;       /* numbers of each */
    float *qkv;       /* (T, 3 d) */
    float *mixed;     /* (T, d) */
    float *matrix;    /* the one under way, unpacked */
    float *part[2];   /* (T, widest) */
    float *narrow[2]; /* (T, d): gradients on their way */
    float *room;      /* of attention */
    size_t size;
} narrow_tape;

/* ---- The tape ---- */

static size_t
narrow_width(const lm_block *block)
{
    return block->heads * block->head_dim;
}

static size_t
greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void
lay_normed(narrow_tape *tape, float *base, size_t count, normed_tape *normed)
{
    normed->sum = lm_lay_floats(base, &tape->size, count);
    normed->out = lm_lay_floats(base, &tape->size, count);
}

static narrow_tape
lay_tape(const lm_block *block, size_t width, size_t tokens, size_t longest, float *base)
{
    const size_t d = narrow_width(block), inner = block->inner;
    const size_t widest = greater(greater(width, inner), 3 * d);
    narrow_tape tape = {.net = tokens * (inner + 2 * d)};

    lay_normed(&tape, base, tokens * d, &tape.attended);
    lay_normed(&tape, base, tokens * d, &tape.entry);
    lay_normed(&tape, base, tokens * d, &tape.output);
    lay_normed(&tape, base, tokens * width, &tape.leave);
    tape.nets = lm_lay_floats(base, &tape.size, (block->nets + 1) * tape.net);
    tape.qkv = lm_lay_floats(base, &tape.size, tokens * 3 * d);
    tape.mixed = lm_lay_floats(base, &tape.size, tokens * d);
    tape.matrix = lm_lay_floats(base, &tape.size, d * widest);
    for (int i = 0; i < 2; i++) {
        tape.part[i] = lm_lay_floats(base, &tape.size, tokens * widest);
        tape.narrow[i] = lm_lay_floats(base, &tape.size, tokens * d);
    }
    tape.room = lm_lay_floats(base, &tape.size, lm_attend_room(longest));
    return tape;
}

size_t
lm_narrow_tape(const lm_block *block, size_t width, size_t tokens, size_t longest)
{
    return block->narrow ? lay_tape(block, width, tokens, longest, NULL).size : 0;
}

static narrow_tape
tape_of(const lm_narrow_run *run)
{
    return lay_tape(run->block, run->width, run->tokens, run->longest, run->tape);
}

static net_tape
net_of(const lm_narrow_run *run, const narrow_tape *tape, size_t index)
{
    const size_t rows = run->tokens, d = narrow_width(run->block);
    float *base = tape->nets + index * tape->net;
    float *sum = base + rows * run->block->inner;

    return (net_tape){base, {sum, sum + rows * d}};
}

/* The first target of a net: the block's own is the last. */
static int
net_target(const lm_block *block, size_t index)
{
    return index < block->nets ? block->narrow->net + (int)index * LM_NET_TARGETS : block->up;
}

static lm_normed_linear
down_of(int net)
{
    return (lm_normed_linear){net + 2, net + 3, {net + 4, net + 5}};
}

/* ---- Parts ---- */

static const void *
weight_of(const lm_narrow_run *run, int target)
{
    return lm_layer_weight(run->weights, run->layer, target);
}

/* A linear layer whose matrix is unpacked; the next one takes its place. */
static lm_status
open_linear(const lm_narrow_run *run, const narrow_tape *tape, lm_normed_linear targets, size_t in,
            size_t out, lm_linear *linear)
{
    *linear = (lm_linear){.rows = run->tokens,
                          .in = in,
                          .out = out,
                          .weight = tape->matrix,
                          .bias = weight_of(run, targets.bias)};
    return lm_unpack(run->ctx, run->weights->kernels, run->weights->precision,
                     weight_of(run, targets.weight), out, in, tape->matrix);
}

static lm_norm
norm_of(const lm_narrow_run *run, lm_norm_targets targets)
{
    return (lm_norm){
        .kind = run->block->norm,
        .gain = weight_of(run, targets.gain),
        .bias = weight_of(run, targets.bias),
        .eps = run->block->eps,
    };
}

/* out = norm(x · Wᵀ + b + residual), which may be NULL. */
static lm_status
forward_normed(const lm_narrow_run *run, const narrow_tape *tape, lm_normed_linear targets,
               size_t in, size_t out, const float *x, const float *residual,
               const normed_tape *kept)
{
    const lm_norm norm = norm_of(run, targets.norm);
    const size_t count = run->tokens * out;
    lm_linear linear;

    LM_TRY(open_linear(run, tape, targets, in, out, &linear));
    LM_TRY(lm_linear_forward(run->ctx, &linear, x, kept->sum));
    if (residual)
        run->weights->kernels->add_f32(count, kept->sum, residual, NULL, kept->sum);
    if (norm.gain)
        lm_nn_norm(run->weights->kernels, &norm, run->tokens, out, kept->sum, kept->out);
    else
        memcpy(kept->out, kept->sum, count * sizeof *kept->out);
    return LM_OK;
}

/* d becomes the gradient of the sum, which is that of a residual; dx is that of x. */
static lm_status
backward_normed(const lm_narrow_run *run, const narrow_tape *tape, lm_normed_linear targets,
                size_t in, size_t out, const normed_tape *kept, float *d, float *dx)
{
    const lm_norm norm = norm_of(run, targets.norm);
    lm_linear linear;

    LM_TRY(open_linear(run, tape, targets, in, out, &linear));
    if (norm.gain)
        lm_norm_backward(&norm, run->tokens, out, kept->sum, d, d, NULL, NULL);
    return lm_linear_backward(run->ctx, &linear, NULL, d, dx, NULL, NULL);
}

static void
add(const lm_narrow_run *run, size_t width, const float *x, float *sum)
{
    run->weights->kernels->add_f32(run->tokens * width, sum, x, NULL, sum);
}

/* ---- Attention ---- */

/* Queries and keys, or values, between their own rows and those of all three. */
static void
move_columns(const lm_narrow_run *run, size_t first, size_t width, const float *x, float *qkv)
{
    const size_t ld = 3 * narrow_width(run->block);

    for (size_t row = 0; row < run->tokens; row++)
        memcpy(qkv + row * ld + first, x + row * width, width * sizeof *x);
}

static void
take_columns(const lm_narrow_run *run, size_t first, size_t width, const float *qkv, float *x)
{
    const size_t ld = 3 * narrow_width(run->block);

    for (size_t row = 0; row < run->tokens; row++)
        memcpy(x + row * width, qkv + row * ld + first, width * sizeof *x);
}

static lm_attend
attend_of(const lm_narrow_run *run, const narrow_tape *tape, size_t text)
{
    const lm_block *block = run->block;

    return (lm_attend){
        .kernels = run->weights->kernels,
        .tokens = run->offsets[text + 1] - run->offsets[text],
        .heads = block->heads,
        .kv_heads = block->heads,
        .head_dim = block->head_dim,
        .mask = block->mask,
        .window = block->window,
        .scale = block->scale,
        .room = tape->room,
    };
}

static lm_normed_linear
both_of(const lm_block *block)
{
    return (lm_normed_linear){block->qkv, block->qkv_bias, LM_NO_NORM};
}

static lm_status
project(const lm_narrow_run *run, const narrow_tape *tape, const float *x)
{
    const lm_narrow *narrow = run->block->narrow;
    const size_t d = narrow_width(run->block);
    lm_linear linear;

    LM_TRY(forward_normed(run, tape, narrow->attended, run->width, d, x, NULL, &tape->attended));
    LM_TRY(open_linear(run, tape, both_of(run->block), d, 2 * d, &linear));
    LM_TRY(lm_linear_forward(run->ctx, &linear, tape->attended.out, tape->part[0]));
    move_columns(run, 0, 2 * d, tape->part[0], tape->qkv);
    LM_TRY(open_linear(run, tape, narrow->value, run->width, d, &linear));
    LM_TRY(lm_linear_forward(run->ctx, &linear, x, tape->part[0]));
    move_columns(run, 2 * d, d, tape->part[0], tape->qkv);
    return LM_OK;
}

static lm_status
attend(const lm_narrow_run *run, const narrow_tape *tape)
{
    const size_t d = narrow_width(run->block);

    for (size_t text = 0; text < run->texts; text++) {
        const lm_attend args = attend_of(run, tape, text);
        const size_t row = run->offsets[text];

        LM_TRY(lm_attend_forward(run->ctx, &args, tape->qkv + row * 3 * d, tape->mixed + row * d));
    }
    return LM_OK;
}

/* From dmixed, which is used up, to what comes to x, which is added to dx. */
static lm_status
attend_back(const lm_narrow_run *run, const narrow_tape *tape, float *dmixed, float *dx)
{
    const lm_narrow *narrow = run->block->narrow;
    const size_t d = narrow_width(run->block);
    float *dqkv = tape->part[0], *wide = tape->part[1];
    lm_linear linear;

    for (size_t text = 0; text < run->texts; text++) {
        const lm_attend args = attend_of(run, tape, text);
        const size_t row = run->offsets[text];

        LM_TRY(lm_attend_backward(run->ctx, &args, tape->qkv + row * 3 * d, dmixed + row * d,
                                  dqkv + row * 3 * d, NULL));
    }
    take_columns(run, 2 * d, d, dqkv, dmixed);
    LM_TRY(open_linear(run, tape, narrow->value, run->width, d, &linear));
    LM_TRY(lm_linear_backward(run->ctx, &linear, NULL, dmixed, wide, NULL, NULL));
    add(run, run->width, wide, dx);
    take_columns(run, 0, 2 * d, dqkv, wide);
    LM_TRY(open_linear(run, tape, both_of(run->block), d, 2 * d, &linear));
    LM_TRY(lm_linear_backward(run->ctx, &linear, NULL, wide, dmixed, NULL, NULL));
    LM_TRY(
        backward_normed(run, tape, narrow->attended, run->width, d, &tape->attended, dmixed, wide));
    add(run, run->width, wide, dx);
    return LM_OK;
}

/* ---- Nets ---- */

static lm_status
net_forward(const lm_narrow_run *run, const narrow_tape *tape, size_t index, const float *r)
{
    const lm_block *block = run->block;
    const size_t d = narrow_width(block), inner = block->inner;
    const int target = net_target(block, index);
    const net_tape net = net_of(run, tape, index);
    lm_linear up;

    LM_TRY(
        open_linear(run, tape, (lm_normed_linear){target, target + 1, LM_NO_NORM}, d, inner, &up));
    LM_TRY(lm_linear_forward(run->ctx, &up, r, net.up));
    memcpy(tape->part[0], net.up, run->tokens * inner * sizeof *net.up);
    run->weights->kernels->activate_f32(block->act, run->tokens * inner, tape->part[0]);
    return forward_normed(run, tape, down_of(target), inner, d, tape->part[0], r, &net.down);
}

/* In place: from the gradient of what the net gives to that of r. */
static lm_status
net_backward(const lm_narrow_run *run, const narrow_tape *tape, size_t index, float *dr)
{
    const lm_block *block = run->block;
    const size_t d = narrow_width(block), inner = block->inner;
    const int target = net_target(block, index);
    const net_tape net = net_of(run, tape, index);
    float *dup = tape->part[0];
    lm_linear up;

    LM_TRY(backward_normed(run, tape, down_of(target), inner, d, &net.down, dr, dup));
    LM_TRY(lm_activate_backward(run->ctx, block->act, run->tokens * inner, net.up, dup, dup));
    LM_TRY(
        open_linear(run, tape, (lm_normed_linear){target, target + 1, LM_NO_NORM}, d, inner, &up));
    LM_TRY(lm_linear_backward(run->ctx, &up, NULL, dup, tape->narrow[1], NULL, NULL));
    add(run, d, tape->narrow[1], dr);
    return LM_OK;
}

/* ---- The layer ---- */

static lm_normed_linear
output_of(const lm_block *block)
{
    return (lm_normed_linear){block->output, block->output_bias, block->attention_norms.after};
}

lm_status
lm_narrow_forward(const lm_narrow_run *run, const float *x, float *y)
{
    const narrow_tape tape = tape_of(run);
    const lm_narrow *narrow = run->block->narrow;
    const size_t d = narrow_width(run->block);
    const float *r = tape.output.out;

    LM_TRY(project(run, &tape, x));
    LM_TRY(attend(run, &tape));
    LM_TRY(forward_normed(run, &tape, narrow->entry, run->width, d, x, NULL, &tape.entry));
    LM_TRY(forward_normed(run, &tape, output_of(run->block), d, d, tape.mixed, tape.entry.out,
                          &tape.output));
    for (size_t i = 0; i <= run->block->nets; i++) {
        LM_TRY(net_forward(run, &tape, i, r));
        r = net_of(run, &tape, i).down.out;
    }
    LM_TRY(forward_normed(run, &tape, narrow->leave, d, run->width, r, x, &tape.leave));
    memcpy(y, tape.leave.out, run->tokens * run->width * sizeof *y);
    return LM_OK;
}

lm_status
lm_narrow_backward(const lm_narrow_run *run, const float *dy, float *dx)
{
    const narrow_tape tape = tape_of(run);
    const lm_narrow *narrow = run->block->narrow;
    const size_t d = narrow_width(run->block);
    float *dr = tape.narrow[0], *dmixed = tape.narrow[1], *wide = tape.part[0];

    memcpy(dx, dy, run->tokens * run->width * sizeof *dx);
    LM_TRY(backward_normed(run, &tape, narrow->leave, d, run->width, &tape.leave, dx, dr));
    for (size_t i = run->block->nets + 1; i-- > 0;)
        LM_TRY(net_backward(run, &tape, i, dr));
    LM_TRY(backward_normed(run, &tape, output_of(run->block), d, d, &tape.output, dr, dmixed));
    LM_TRY(backward_normed(run, &tape, narrow->entry, run->width, d, &tape.entry, dr, wide));
    add(run, run->width, wide, dx);
    return attend_back(run, &tape, dmixed, dx);
}
