/*
 * block_grad.c - a layer that remembers, and its backward pass. Both halves of a layer have one
 * form, y = after(x + inside(f(before(x)))); what f is differs.
 */
#include "nn/block_grad.h"

#include <string.h>

#include "base/size.h"

/* What one half keeps: f's input where a norm makes it, f's output where one follows, the sum. */
typedef struct part_tape {
    float *input, *output, *sum;
} part_tape;

typedef struct block_tape {
    part_tape attention, ffn;
    float *middle;      /* (T, D): between the halves */
    float *raw;         /* (T, qkv): before heads are normed */
    float *qkv;         /* (T, qkv) */
    float *mixed;       /* (T, heads·head_dim) */
    float *up, *active; /* (T, up), (T, F) */
    float *sines;       /* of angles turned back */
    float *room;        /* of attention */
    float *flow[2];     /* (T, D): gradients on their way */
    float *wide[2];     /* (T, widest): likewise */
    size_t size;
} block_tape;

/* ---- The tape ---- */

static void
lay_part(block_tape *tape, float *base, size_t count, part_tape *part)
{
    part->input = lm_lay_floats(base, &tape->size, count);
    part->output = lm_lay_floats(base, &tape->size, count);
    part->sum = lm_lay_floats(base, &tape->size, count);
}

/* base NULL: the size alone. */
static block_tape
lay_tape(const lm_block *block, size_t width, size_t tokens, size_t longest, float *base)
{
    size_t qkv = lm_block_qkv_width(block), up = lm_block_up_width(block),
           widest = qkv > up ? qkv : up;
    block_tape tape = {.size = 0};

    lay_part(&tape, base, tokens * width, &tape.attention);
    lay_part(&tape, base, tokens * width, &tape.ffn);
    tape.middle = lm_lay_floats(base, &tape.size, tokens * width);
    tape.raw = lm_lay_floats(base, &tape.size, block->normed ? tokens * qkv : 0);
    tape.qkv = lm_lay_floats(base, &tape.size, tokens * qkv);
    tape.mixed = lm_lay_floats(base, &tape.size, tokens * lm_block_mixed_width(block));
    tape.up = lm_lay_floats(base, &tape.size, tokens * up);
    tape.active = lm_lay_floats(base, &tape.size, tokens * block->inner);
    tape.sines = lm_lay_floats(base, &tape.size, longest * block->turned / 2);
    tape.room = lm_lay_floats(base, &tape.size, lm_attend_room(longest));
    for (int i = 0; i < 2; i++) {
        tape.flow[i] = lm_lay_floats(base, &tape.size, tokens * width);
        tape.wide[i] = lm_lay_floats(base, &tape.size, tokens * widest);
    }
    return tape;
}

size_t
lm_block_tape(const lm_block *block, size_t width, size_t tokens, size_t longest)
{
    return lay_tape(block, width, tokens, longest, NULL).size;
}

static block_tape
tape_of(const lm_block_run *run)
{
    return lay_tape(run->block, run->width, run->tokens, run->longest, run->tape);
}

/* ---- Attention ---- */

static lm_linear
linear_of(const lm_block_run *run, size_t in, size_t out, const float *weight, const float *bias)
{
    return (lm_linear){.rows = run->tokens,
                       .in = in,
                       .out = out,
                       .weight = weight,
                       .bias = bias,
                       .rounded = run->rounded ? run->kernels : NULL};
}

/* Turns queries and keys of all texts by their angles, or back. */
static void
turn(const lm_block_run *run, const float *sines, float *qkv)
{
    const lm_block *block = run->block;
    lm_rope rope = {
        .heads = block->heads + block->kv_heads,
        .head_dim = block->head_dim,
        .turned = block->turned,
        .interleaved = block->interleaved,
        .cosines = run->cosines,
        .sines = sines,
        .ld = lm_block_qkv_width(block),
    };

    for (size_t text = 0; text < run->texts; text++) {
        rope.rows = run->offsets[text + 1] - run->offsets[text];
        rope.x = qkv + run->offsets[text] * rope.ld;
        run->kernels->rope_f32(&rope);
    }
}

/* The norm of each head of queries, or of keys. */
static lm_norm
head_norm(const lm_block_run *run, const float *gain)
{
    return (lm_norm){.kind = LM_NORM_RMS, .gain = gain, .eps = run->block->eps};
}

static void
norm_heads(const lm_block_run *run, const float *raw, float *qkv)
{
    const lm_block *block = run->block;
    size_t ld = lm_block_qkv_width(block), keys = lm_block_mixed_width(block);
    const lm_norm query = head_norm(run, run->weights->query_gain);
    const lm_norm key = head_norm(run, run->weights->key_gain);

    memcpy(qkv, raw, run->tokens * ld * sizeof *qkv);
    for (size_t i = 0; i < run->tokens; i++, raw += ld, qkv += ld) {
        lm_nn_norm(run->kernels, &query, block->heads, block->head_dim, raw, qkv);
        lm_nn_norm(run->kernels, &key, block->kv_heads, block->head_dim, raw + keys, qkv + keys);
    }
}

static void
norm_heads_backward(const lm_block_run *run, const float *raw, float *dqkv,
                    const lm_block_gradients *gradients)
{
    const lm_block *block = run->block;
    size_t ld = lm_block_qkv_width(block), keys = lm_block_mixed_width(block);
    const lm_norm query = head_norm(run, run->weights->query_gain);
    const lm_norm key = head_norm(run, run->weights->key_gain);

    for (size_t i = 0; i < run->tokens; i++, raw += ld, dqkv += ld) {
        lm_norm_backward(&query, block->heads, block->head_dim, raw, dqkv, dqkv,
                         gradients->query_gain, NULL);
        lm_norm_backward(&key, block->kv_heads, block->head_dim, raw + keys, dqkv + keys,
                         dqkv + keys, gradients->key_gain, NULL);
    }
}

static lm_attend
attend_of(const lm_block_run *run, const block_tape *tape, size_t text)
{
    const lm_block *block = run->block;

    return (lm_attend){
        .kernels = run->kernels,
        .tokens = run->offsets[text + 1] - run->offsets[text],
        .heads = block->heads,
        .kv_heads = block->kv_heads,
        .head_dim = block->head_dim,
        .mask = block->mask,
        .window = block->window,
        .scale = block->scale,
        .bias = block->position == LM_POSITION_BIAS ? run->bias : NULL,
        .bias_positions = run->longest,
        .places = block->position == LM_POSITION_PLACE ? run->places : NULL,
        .dropout = run->noise && run->noise->weights.rate > 0 ? &run->noise->weights : NULL,
        .noise = run->noise ? run->noise->texts[text] : 0,
        .room = tape->room,
    };
}

static lm_status
attention_forward(const lm_block_run *run, const block_tape *tape, const float *x, float *y)
{
    const lm_block_weights *w = run->weights;
    size_t qkv = lm_block_qkv_width(run->block), mixed = lm_block_mixed_width(run->block);
    const lm_linear in = linear_of(run, run->width, qkv, w->qkv, w->qkv_bias);
    const lm_linear out = linear_of(run, mixed, run->width, w->output, w->output_bias);

    LM_TRY(lm_linear_forward(run->ctx, &in, x, run->block->normed ? tape->raw : tape->qkv));
    if (run->block->normed)
        norm_heads(run, tape->raw, tape->qkv);
    if (run->block->position == LM_POSITION_ROPE)
        turn(run, run->sines, tape->qkv);
    for (size_t text = 0; text < run->texts; text++) {
        const lm_attend attend = attend_of(run, tape, text);
        size_t row = run->offsets[text];

        LM_TRY(
            lm_attend_forward(run->ctx, &attend, tape->qkv + row * qkv, tape->mixed + row * mixed));
    }
    return lm_linear_forward(run->ctx, &out, tape->mixed, y);
}

/* Angles are turned back by the same cosines and the other sines. */
static void
turn_back(const lm_block_run *run, const block_tape *tape, float *dqkv)
{
    size_t count = run->longest * run->block->turned / 2;

    for (size_t i = 0; i < count; i++)
        tape->sines[i] = -run->sines[i];
    turn(run, tape->sines, dqkv);
}

static lm_status
attention_backward(const lm_block_run *run, const block_tape *tape, const float *x, const float *dy,
                   float *dx, const lm_block_gradients *gradients)
{
    const lm_block_weights *w = run->weights;
    size_t qkv = lm_block_qkv_width(run->block), mixed = lm_block_mixed_width(run->block);
    const lm_linear in = linear_of(run, run->width, qkv, w->qkv, w->qkv_bias);
    const lm_linear out = linear_of(run, mixed, run->width, w->output, w->output_bias);
    float *dmixed = tape->wide[0], *dqkv = tape->wide[1];

    LM_TRY(lm_linear_backward(run->ctx, &out, tape->mixed, dy, dmixed, gradients->output,
                              gradients->output_bias));
    for (size_t text = 0; text < run->texts; text++) {
        const lm_attend attend = attend_of(run, tape, text);
        size_t row = run->offsets[text];

        LM_TRY(lm_attend_backward(run->ctx, &attend, tape->qkv + row * qkv, dmixed + row * mixed,
                                  dqkv + row * qkv, gradients->position_bias));
    }
    if (run->block->position == LM_POSITION_ROPE)
        turn_back(run, tape, dqkv);
    if (run->block->normed)
        norm_heads_backward(run, tape->raw, dqkv, gradients);
    return lm_linear_backward(run->ctx, &in, x, dqkv, dx, gradients->qkv, gradients->qkv_bias);
}

/* ---- Feed-forward net ---- */

static lm_status
ffn_forward(const lm_block_run *run, const block_tape *tape, const float *x, float *y)
{
    const lm_block *block = run->block;
    const lm_block_weights *w = run->weights;
    size_t count = run->tokens * block->inner;
    const lm_linear up = linear_of(run, run->width, lm_block_up_width(block), w->up, w->up_bias);
    const lm_linear down = linear_of(run, block->inner, run->width, w->down, w->down_bias);

    LM_TRY(lm_linear_forward(run->ctx, &up, x, tape->up));
    if (block->gated) {
        LM_TRY(lm_gate_forward(run->ctx, run->kernels, block->act, run->tokens, block->inner,
                               tape->up, tape->active));
    } else {
        memcpy(tape->active, tape->up, count * sizeof *tape->active);
        run->kernels->activate_f32(block->act, count, tape->active);
    }
    return lm_linear_forward(run->ctx, &down, tape->active, y);
}

static lm_status
ffn_backward(const lm_block_run *run, const block_tape *tape, const float *x, const float *dy,
             float *dx, const lm_block_gradients *gradients)
{
    const lm_block *block = run->block;
    const lm_block_weights *w = run->weights;
    const lm_linear up = linear_of(run, run->width, lm_block_up_width(block), w->up, w->up_bias);
    const lm_linear down = linear_of(run, block->inner, run->width, w->down, w->down_bias);
    float *dactive = tape->wide[0], *dup = tape->wide[1];

    LM_TRY(lm_linear_backward(run->ctx, &down, tape->active, dy, dactive, gradients->down,
                              gradients->down_bias));
    if (block->gated)
        LM_TRY(lm_gate_backward(run->ctx, run->kernels, block->act, run->tokens, block->inner,
                                tape->up, dactive, dup));
    else
        LM_TRY(lm_activate_backward(run->ctx, block->act, run->tokens * block->inner, tape->up,
                                    dactive, dup));
    return lm_linear_backward(run->ctx, &up, x, dup, dx, gradients->up, gradients->up_bias);
}

/* ---- Halves ---- */

typedef lm_status (*part_forward)(const lm_block_run *run, const block_tape *tape, const float *x,
                                  float *y);
typedef lm_status (*part_backward)(const lm_block_run *run, const block_tape *tape, const float *x,
                                   const float *dy, float *dx, const lm_block_gradients *gradients);

/* out = norm(x), or x itself where there is no such norm. */
static const float *
normed(const lm_block_run *run, const lm_norm *norm, const float *x, float *out)
{
    if (!norm->gain)
        return x;
    lm_nn_norm(run->kernels, norm, run->tokens, run->width, x, out);
    return out;
}

void
lm_drop_tokens(const lm_dropout *dropout, const uint64_t *texts, const size_t *offsets,
               size_t count, size_t width, const float *x, float *y)
{
    for (size_t text = 0; text < count; text++)
        for (size_t i = offsets[text]; i < offsets[text + 1]; i++)
            lm_dropout_row(dropout, texts[text] + (i - offsets[text]), width, x + i * width,
                           y + i * width);
}

/* What a half adds, as dropout leaves it. */
static void
drop(const lm_block_run *run, const lm_dropout *dropout, const float *x, float *y)
{
    lm_drop_tokens(dropout, run->noise->texts, run->offsets, run->texts, run->width, x, y);
}

/* NULL: nothing is dropped. */
static const lm_dropout *
dropout_of(const lm_block_run *run, const lm_part_weights *norms)
{
    const lm_dropout *dropout = !run->noise                         ? NULL
                                : norms == &run->weights->attention ? &run->noise->attention
                                                                    : &run->noise->ffn;

    return dropout && dropout->rate > 0 ? dropout : NULL;
}

static lm_status
run_part(const lm_block_run *run, const block_tape *tape, const lm_part_weights *norms,
         const part_tape *part, part_forward forward, const float *x, float *y)
{
    size_t count = run->tokens * run->width;
    const lm_dropout *dropout = dropout_of(run, norms);
    const float *added;

    LM_TRY(forward(run, tape, normed(run, &norms->before, x, part->input), part->output));
    if (dropout)
        drop(run, dropout, part->output, part->output);
    added = normed(run, &norms->inside, part->output, part->sum);
    run->kernels->add_f32(count, x, added, NULL, part->sum);
    if (normed(run, &norms->after, part->sum, y) != y)
        memcpy(y, part->sum, count * sizeof *y);
    return LM_OK;
}

/* dx = what comes to norm's input x of dy, or dy itself. */
static const float *
unnormed(const lm_block_run *run, const lm_norm *norm, const float *x, const float *dy, float *dx,
         const lm_norm_gradients *gradients)
{
    if (!norm->gain)
        return dy;
    lm_norm_backward(norm, run->tokens, run->width, x, dy, dx, gradients->gain, gradients->bias);
    return dx;
}

static lm_status
part_back(const lm_block_run *run, const block_tape *tape, const lm_part_weights *norms,
          const part_tape *part, part_backward backward, const float *x, const float *dy, float *dx,
          const lm_part_gradients *dnorms, const lm_block_gradients *gradients)
{
    float *room = tape->flow[0];
    const float *input = norms->before.gain ? part->input : x;
    const float *dsum = unnormed(run, &norms->after, part->sum, dy, room, &dnorms->after);
    const float *doutput =
        unnormed(run, &norms->inside, part->output, dsum, part->sum, &dnorms->inside);
    const float *dinput;

    if (dropout_of(run, norms)) {
        drop(run, dropout_of(run, norms), doutput, part->output);
        doutput = part->output;
    }
    LM_TRY(backward(run, tape, input, doutput, dx, gradients));
    dinput = unnormed(run, &norms->before, x, dx, dx, &dnorms->before);
    run->kernels->add_f32(run->tokens * run->width, dinput, dsum, NULL, dx);
    return LM_OK;
}

lm_status
lm_block_forward(const lm_block_run *run, const float *x, float *y)
{
    const block_tape tape = tape_of(run);
    const lm_block_weights *w = run->weights;

    LM_TRY(run_part(run, &tape, &w->attention, &tape.attention, attention_forward, x, tape.middle));
    return run_part(run, &tape, &w->ffn, &tape.ffn, ffn_forward, tape.middle, y);
}

lm_status
lm_block_backward(const lm_block_run *run, const float *x, const float *dy, float *dx,
                  const lm_block_gradients *gradients)
{
    const block_tape tape = tape_of(run);
    const lm_block_weights *w = run->weights;

    LM_TRY(part_back(run, &tape, &w->ffn, &tape.ffn, ffn_backward, tape.middle, dy, tape.flow[1],
                     &gradients->ffn, gradients));
    return part_back(run, &tape, &w->attention, &tape.attention, attention_backward, x,
                     tape.flow[1], dx, &gradients->attention, gradients);
}
