/*
 * score.c - one or two layers on a vector, and what makes scores of their numbers.
 */
#include "task/score.h"

static void
softmax(const lm_kernels *kernels, size_t count, float *x)
{
    kernels->softmax_f32(count, x);
}

/* 1 / (1 + e^−x), which is the softmax of x beside 0. */
static void
sigmoid(const lm_kernels *kernels, size_t count, float *x)
{
    for (size_t i = 0; i < count; i++) {
        float pair[] = {x[i], 0};

        kernels->softmax_f32(2, pair);
        x[i] = pair[0];
    }
}

static void
keep_raw(const lm_kernels *kernels, size_t count, float *x)
{
}

/* Of a label the chance to be one up to it, less that to be one before; the last is what is left.
 */
static void
differences(const lm_kernels *kernels, size_t count, float *x)
{
    float before = 0;

    sigmoid(kernels, count - 1, x);
    x[count - 1] = 1;
    for (size_t i = 0; i < count; i++) {
        float up_to = x[i] > before ? x[i] : before;

        x[i] = up_to - before;
        before = up_to;
    }
}

static void (*const scorings[LM_SCORING_COUNT])(const lm_kernels *kernels, size_t count,
                                                float *x) = {
    [LM_SCORING_SOFTMAX] = softmax,
    [LM_SCORING_SIGMOID] = sigmoid,
    [LM_SCORING_RAW] = keep_raw,
    [LM_SCORING_CUMULATIVE] = differences,
};

/* out (rows) = W (rows, width) · x + bias, or without. Products of single rows: the same bits in
 * any batch. */
static void
multiply(const lm_kernels *kernels, size_t rows, size_t width, const float *w, const float *bias,
         const float *x, float *out)
{
    for (size_t i = 0; i < rows; i++)
        out[i] = kernels->dot_f32(width, w + i * width, x) + (bias ? bias[i] : 0);
}

size_t
lm_head_room(const lm_head *head)
{
    return (size_t)head->inner + (size_t)head->net;
}

/* room = x + back · act(dense · x), by way of what stands behind it. */
static void
transform_by_net(const lm_kernels *kernels, const lm_head *head, const float *x, float *room)
{
    const size_t inner = (size_t)head->inner, net = (size_t)head->net;
    float *made = room + inner;

    multiply(kernels, net, (size_t)head->width, head->dense, head->dense_bias, x, made);
    kernels->activate_f32(head->act, net, made);
    multiply(kernels, inner, net, head->back, head->back_bias, made, room);
    kernels->add_f32(inner, room, x, NULL, room);
}

/* room = act(dense · x). */
static void
transform_by_dense(const lm_kernels *kernels, const lm_head *head, const float *x, float *room)
{
    const size_t inner = (size_t)head->inner;

    multiply(kernels, inner, (size_t)head->width, head->dense, head->dense_bias, x, room);
    kernels->activate_f32(head->act, inner, room);
}

const float *
lm_head_transform(const lm_kernels *kernels, const lm_head *head, const float *x, float *room)
{
    const size_t inner = (size_t)head->inner;

    if (!head->dense)
        return x;
    if (head->back)
        transform_by_net(kernels, head, x, room);
    else
        transform_by_dense(kernels, head, x, room);
    if (head->norm_gain)
        kernels->layer_norm_f32(1, inner, room, head->norm_gain, head->norm_bias, head->eps, room);
    return room;
}

void
lm_head_logits(const lm_kernels *kernels, const lm_head *head, const float *x, float *room,
               float *logits)
{
    size_t labels = (size_t)head->labels;

    if (head->neighbours.count > 0) {
        lm_neighbours_vote(kernels, &head->neighbours, x, labels, head->neighbours.count, logits);
        return;
    }
    if (!head->late)
        x = lm_head_transform(kernels, head, x, room);
    multiply(kernels, labels, (size_t)head->inner, head->weight, head->bias, x, logits);
}

void
lm_score(const lm_kernels *kernels, lm_scoring scoring, size_t count, float *x)
{
    scorings[scoring](kernels, count, x);
}

void
lm_head_score(const lm_kernels *kernels, const lm_head *head, const float *x, float *room,
              float *scores)
{
    lm_head_logits(kernels, head, x, room, scores);
    lm_score(kernels, head->scoring, (size_t)head->labels, scores);
}
