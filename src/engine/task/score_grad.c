/*
 * score_grad.c - the way from hidden states to a score, and back. Vectors on the way are kept, one
 * behind the other.
 */
#include "task/score_grad.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "nn/grad.h"
#include "task/score.h"

/* ---- Room ---- */

/* Where vectors stand: the pooled one and those behind each step; then the normalised one; what the
 * head has between its layers and of its labels; gradients; a module's own. */
typedef struct path_room {
    float *vectors, *unit;
    float *inner[3]; /* dense, its activation, its norm */
    float *labels[2];
    float *flow[2];
    float *spare[2];
    size_t size;
} path_room;

static path_room
lay_room(const lm_steps *steps, const lm_head *head, float *base)
{
    size_t inner = (size_t)head->inner, labels = (size_t)head->labels;
    size_t widest = steps->widest > inner ? steps->widest : inner;
    path_room room = {.size = 0};

    room.vectors = lm_lay_floats(base, &room.size, (steps->count + 1) * steps->widest);
    room.unit = lm_lay_floats(base, &room.size, steps->widest);
    for (int i = 0; i < 3; i++)
        room.inner[i] = lm_lay_floats(base, &room.size, inner);
    for (int i = 0; i < 2; i++) {
        room.labels[i] = lm_lay_floats(base, &room.size, labels);
        room.flow[i] = lm_lay_floats(base, &room.size, widest);
        room.spare[i] = lm_lay_floats(base, &room.size, widest);
    }
    return room;
}

size_t
lm_score_path_room(const lm_steps *steps, const lm_head *head)
{
    return lay_room(steps, head, NULL).size;
}

/* ---- The head ---- */

static void
softmax_backward(const float *scores, size_t count, size_t label, float *dlogits)
{
    memset(dlogits, 0, count * sizeof *dlogits);
    dlogits[label] = 1;
    lm_softmax_backward(count, scores, dlogits, dlogits);
}

static void
sigmoid_backward(const float *scores, size_t count, size_t label, float *dlogits)
{
    memset(dlogits, 0, count * sizeof *dlogits);
    dlogits[label] = scores[label] * (1 - scores[label]);
}

static void
raw_backward(const float *scores, size_t count, size_t label, float *dlogits)
{
    memset(dlogits, 0, count * sizeof *dlogits);
    dlogits[label] = 1;
}

/* Scores add up to the chances that the numbers say: two of these make the score of a label. */
static void
cumulative_backward(const float *scores, size_t count, size_t label, float *dlogits)
{
    float before = 0, up_to;

    memset(dlogits, 0, count * sizeof *dlogits);
    for (size_t i = 0; i < label; i++)
        before += scores[i];
    up_to = before + scores[label];
    if (label > 0)
        dlogits[label - 1] = -before * (1 - before);
    if (label + 1 < count)
        dlogits[label] = up_to * (1 - up_to);
}

/* From the score of a label to the head's numbers. */
static void (*const scorings[LM_SCORING_COUNT])(const float *scores, size_t count, size_t label,
                                                float *dlogits) = {
    [LM_SCORING_SOFTMAX] = softmax_backward,
    [LM_SCORING_SIGMOID] = sigmoid_backward,
    [LM_SCORING_RAW] = raw_backward,
    [LM_SCORING_CUMULATIVE] = cumulative_backward,
};

static lm_linear
row_of(size_t in, size_t out, const float *weight, const float *bias)
{
    return (lm_linear){.rows = 1, .in = in, .out = out, .weight = weight, .bias = bias};
}

static lm_norm
head_norm(const lm_head *head)
{
    return (lm_norm){LM_NORM_LAYER, head->norm_gain, head->norm_bias, head->eps};
}

/* Scores of all labels; what lies before the output layer is returned. */
static lm_status
head_forward(const lm_score_path *path, const path_room *room, const float *x, const float **last)
{
    const lm_head *head = path->head;
    const size_t inner = (size_t)head->inner, labels = (size_t)head->labels;
    const lm_linear dense = row_of((size_t)head->width, inner, head->dense, head->dense_bias);
    const lm_linear out = row_of(inner, labels, head->weight, head->bias);
    const lm_norm norm = head_norm(head);

    *last = x;
    if (head->dense) {
        LM_TRY(lm_linear_forward(path->ctx, &dense, x, room->inner[0]));
        memcpy(room->inner[1], room->inner[0], inner * sizeof(float));
        path->kernels->activate_f32(head->act, inner, room->inner[1]);
        *last = room->inner[1];
    }
    if (head->dense && head->norm_gain) {
        lm_nn_norm(path->kernels, &norm, 1, inner, room->inner[1], room->inner[2]);
        *last = room->inner[2];
    }
    LM_TRY(lm_linear_forward(path->ctx, &out, *last, room->labels[0]));
    lm_score(path->kernels, head->scoring, labels, room->labels[0]);
    return LM_OK;
}

/* To the head's input, in flow[0]. */
static lm_status
head_backward(const lm_score_path *path, const path_room *room, const float *x, const float *last)
{
    const lm_head *head = path->head;
    const size_t inner = (size_t)head->inner, labels = (size_t)head->labels;
    const lm_linear dense = row_of((size_t)head->width, inner, head->dense, head->dense_bias);
    const lm_linear out = row_of(inner, labels, head->weight, head->bias);
    const lm_norm norm = head_norm(head);
    float *d = room->flow[head->dense ? 1 : 0];

    scorings[head->scoring](room->labels[0], labels, (size_t)path->label, room->labels[1]);
    LM_TRY(lm_linear_backward(path->ctx, &out, last, room->labels[1], d, NULL, NULL));
    if (!head->dense)
        return LM_OK;
    if (head->norm_gain)
        lm_norm_backward(&norm, 1, inner, room->inner[1], d, d, NULL, NULL);
    LM_TRY(lm_activate_backward(path->ctx, head->act, inner, room->inner[0], d, d));
    return lm_linear_backward(path->ctx, &dense, x, d, room->flow[0], NULL, NULL);
}

/* ---- Modules: from dy to dx ---- */

static void
add_to(size_t count, const float *x, float *sum)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += x[i];
}

static lm_status
dense_backward(const lm_score_path *path, const path_room *room, const lm_step *step,
               const float *x, const float *dy, float *dx)
{
    const lm_linear linear = row_of(step->in, step->out, step->weight, step->bias);
    const lm_linear shortcut = row_of(step->in, step->out, step->shortcut, NULL);
    float *inner = room->spare[0];

    LM_TRY(lm_linear_forward(path->ctx, &linear, x, inner));
    for (size_t i = 0; i < step->out; i++)
        inner[i] = dy[i] * step->slope(inner[i]);
    LM_TRY(lm_linear_backward(path->ctx, &linear, x, inner, dx, NULL, NULL));
    if (step->shortcut)
        LM_TRY(lm_linear_backward(path->ctx, &shortcut, x, dy, room->spare[1], NULL, NULL));
    if (step->shortcut || step->residual)
        add_to(step->in, step->shortcut ? room->spare[1] : dy, dx);
    return LM_OK;
}

static lm_status
layer_norm_backward(const lm_score_path *path, const path_room *room, const lm_step *step,
                    const float *x, const float *dy, float *dx)
{
    const lm_norm norm = {LM_NORM_LAYER, step->weight, step->bias, LM_STEP_NORM_EPS};

    lm_norm_backward(&norm, 1, step->in, x, dy, dx, NULL, NULL);
    return LM_OK;
}

static lm_status
normalize_backward(const lm_score_path *path, const path_room *room, const lm_step *step,
                   const float *x, const float *dy, float *dx)
{
    lm_normalize_backward(step->in, LM_NORM_EPS, x, dy, dx);
    return LM_OK;
}

static lm_status (*const step_gradients[LM_STEP_KINDS])(const lm_score_path *path,
                                                        const path_room *room, const lm_step *step,
                                                        const float *x, const float *dy,
                                                        float *dx) = {
    [LM_STEP_DENSE] = dense_backward,
    [LM_STEP_LAYER_NORM] = layer_norm_backward,
    [LM_STEP_NORMALIZE] = normalize_backward,
};

/* The vector before a step; behind the last one it is the embedding. */
static float *
vector_at(const lm_score_path *path, const path_room *room, size_t step)
{
    return room->vectors + step * path->steps->widest;
}

static lm_status
steps_forward(const lm_score_path *path, const path_room *room)
{
    for (size_t i = 0; i < path->steps->count; i++)
        LM_TRY(lm_step_run(path->ctx, path->kernels, &path->steps->items[i],
                           vector_at(path, room, i), vector_at(path, room, i + 1)));
    return LM_OK;
}

/* Of the pooled vector; d, in one of the flows, is that of the embedding. */
static lm_status
steps_backward(const lm_score_path *path, const path_room *room, float **d)
{
    for (size_t i = path->steps->count; i-- > 0;) {
        float *dx = *d == room->flow[0] ? room->flow[1] : room->flow[0];

        LM_TRY(step_gradients[path->steps->items[i].kind](path, room, &path->steps->items[i],
                                                          vector_at(path, room, i), *d, dx));
        *d = dx;
    }
    return LM_OK;
}

/* ---- Poolings: what comes to rows first … rows − 1 of dy is added to dx (rows, width) ---- */

static void
add_scaled(size_t width, float scale, const float *dy, float *dx)
{
    for (size_t i = 0; i < width; i++)
        dx[i] += scale * dy[i];
}

static void
mean_backward(const float *x, size_t first, size_t rows, size_t width, const float *dy, float *dx)
{
    for (size_t row = first; row < rows; row++)
        add_scaled(width, 1 / (float)(rows - first), dy, dx + row * width);
}

static void
mean_sqrt_backward(const float *x, size_t first, size_t rows, size_t width, const float *dy,
                   float *dx)
{
    for (size_t row = first; row < rows; row++)
        add_scaled(width, 1 / sqrtf((float)(rows - first)), dy, dx + row * width);
}

static void
first_backward(const float *x, size_t first, size_t rows, size_t width, const float *dy, float *dx)
{
    add_scaled(width, 1, dy, dx + first * width);
}

static void
last_backward(const float *x, size_t first, size_t rows, size_t width, const float *dy, float *dx)
{
    add_scaled(width, 1, dy, dx + (rows - 1) * width);
}

/* The first of equals has it all. */
static void
max_backward(const float *x, size_t first, size_t rows, size_t width, const float *dy, float *dx)
{
    for (size_t i = 0; i < width; i++) {
        size_t best = first;

        for (size_t row = first + 1; row < rows; row++)
            if (x[row * width + i] > x[best * width + i])
                best = row;
        dx[best * width + i] += dy[i];
    }
}

static void
weighted_mean_backward(const float *x, size_t first, size_t rows, size_t width, const float *dy,
                       float *dx)
{
    float total = 0;

    for (size_t row = first; row < rows; row++)
        total += (float)(row + 1);
    for (size_t row = first; row < rows; row++)
        add_scaled(width, (float)(row + 1) / total, dy, dx + row * width);
}

static void (*const pool_gradients[])(const float *x, size_t first, size_t rows, size_t width,
                                      const float *dy, float *dx) = {
    [LM_POOL_NONE] = mean_backward,           [LM_POOL_MEAN] = mean_backward,
    [LM_POOL_CLS] = first_backward,           [LM_POOL_MAX] = max_backward,
    [LM_POOL_MEAN_SQRT] = mean_sqrt_backward, [LM_POOL_WEIGHTED_MEAN] = weighted_mean_backward,
    [LM_POOL_LAST] = last_backward,
};

void
lm_pool_backward(lm_pooling pooling, const float *x, size_t first, size_t rows, size_t width,
                 const float *dy, float *dx)
{
    pool_gradients[pooling](x, first, rows, width, dy, dx);
}

/* ---- All of it ---- */

/* Poolings, modules, length: what the head reads, which is at most the embedding's width. */
static lm_status
embed(const lm_score_path *path, const path_room *room, const float *x, size_t rows)
{
    const lm_steps *steps = path->steps;

    for (size_t i = 0; i < steps->pooling_count; i++)
        lm_pool_rows(path->kernels, steps->poolings[i], x, path->excluded, rows, path->hidden,
                     room->vectors + i * path->hidden);
    LM_TRY(steps_forward(path, room));
    memcpy(room->unit, vector_at(path, room, steps->count), steps->width * sizeof *room->unit);
    if (path->normalize)
        path->kernels->l2_normalize_f32(steps->width, room->unit, LM_NORM_EPS);
    return LM_OK;
}

/* flow[0] has the gradient of the head's input; dimensions that it does not read have none. */
static lm_status
embed_backward(const lm_score_path *path, const path_room *room, const float *x, size_t rows,
               float *dx)
{
    const lm_steps *steps = path->steps;
    const size_t read = (size_t)path->head->width;
    float *d = room->flow[0];

    memset(d + read, 0, (steps->width - read) * sizeof *d);
    if (path->normalize)
        lm_normalize_backward(steps->width, LM_NORM_EPS, vector_at(path, room, steps->count), d, d);
    LM_TRY(steps_backward(path, room, &d));
    memset(dx, 0, rows * path->hidden * sizeof *dx);
    for (size_t i = 0; i < steps->pooling_count; i++)
        lm_pool_backward(steps->poolings[i], x, path->excluded, rows, path->hidden,
                         d + i * path->hidden, dx);
    return LM_OK;
}

lm_status
lm_score_path_run(const lm_score_path *path, const float *x, size_t rows, float *score,
                  float *gradient)
{
    const path_room room = lay_room(path->steps, path->head, path->room);
    const float *last;

    LM_TRY(embed(path, &room, x, rows));
    LM_TRY(head_forward(path, &room, room.unit, &last));
    *score = room.labels[0][path->label];
    if (!gradient)
        return LM_OK;
    LM_TRY(head_backward(path, &room, room.unit, last));
    return embed_backward(path, &room, x, rows, gradient);
}
