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

/* Where vectors stand: the pooled one and those behind each step; then the normalised one and its
 * gradient; what the head has between its layers and of its labels; gradients; a module's own. */
typedef struct path_room {
    float *vectors, *unit[2];
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
    for (int i = 0; i < 3; i++)
        room.inner[i] = lm_lay_floats(base, &room.size, inner);
    for (int i = 0; i < 2; i++) {
        room.unit[i] = lm_lay_floats(base, &room.size, steps->widest);
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

/* What the first layer makes of a row, and on the way: inner. */
static lm_status
transform_row(const lm_score_path *path, const path_room *room, const float *x, const float **made)
{
    const lm_head *head = path->head;
    const size_t inner = (size_t)head->inner;
    const lm_linear dense = row_of((size_t)head->width, inner, head->dense, head->dense_bias);
    const lm_norm norm = head_norm(head);

    *made = x;
    if (!head->dense)
        return LM_OK;
    LM_TRY(lm_linear_forward(path->ctx, &dense, x, room->inner[0]));
    memcpy(room->inner[1], room->inner[0], inner * sizeof(float));
    path->kernels->activate_f32(head->act, inner, room->inner[1]);
    *made = room->inner[1];
    if (head->norm_gain) {
        lm_nn_norm(path->kernels, &norm, 1, inner, room->inner[1], room->inner[2]);
        *made = room->inner[2];
    }
    return LM_OK;
}

/* Behind it: from d, of what was made, which is used up, to dx. */
static lm_status
transform_backward(const lm_score_path *path, const path_room *room, const float *x, float *d,
                   float *dx)
{
    const lm_head *head = path->head;
    const size_t inner = (size_t)head->inner;
    const lm_linear dense = row_of((size_t)head->width, inner, head->dense, head->dense_bias);
    const lm_norm norm = head_norm(head);

    if (!head->dense) {
        memcpy(dx, d, inner * sizeof *d);
        return LM_OK;
    }
    if (head->norm_gain)
        lm_norm_backward(&norm, 1, inner, room->inner[1], d, d, NULL, NULL);
    LM_TRY(lm_activate_backward(path->ctx, head->act, inner, room->inner[0], d, d));
    return lm_linear_backward(path->ctx, &dense, x, d, dx, NULL, NULL);
}

/* Scores of all labels; what lies before the output layer is returned. */
static lm_status
head_forward(const lm_score_path *path, const path_room *room, const float *x, const float **last)
{
    const lm_head *head = path->head;
    const size_t inner = (size_t)head->inner, labels = (size_t)head->labels;
    const lm_linear out = row_of(inner, labels, head->weight, head->bias);

    *last = x;
    if (!head->late)
        LM_TRY(transform_row(path, room, x, last));
    LM_TRY(lm_linear_forward(path->ctx, &out, *last, room->labels[0]));
    lm_score(path->kernels, head->scoring, labels, room->labels[0]);
    return LM_OK;
}

/* To the head's input. */
static lm_status
head_backward(const lm_score_path *path, const path_room *room, const float *x, const float *last,
              float *dx)
{
    const lm_head *head = path->head;
    const size_t inner = (size_t)head->inner, labels = (size_t)head->labels;
    const lm_linear out = row_of(inner, labels, head->weight, head->bias);
    const bool deep = head->dense && !head->late;

    scorings[head->scoring](room->labels[0], labels, (size_t)path->label, room->labels[1]);
    LM_TRY(lm_linear_backward(path->ctx, &out, last, room->labels[1], deep ? room->spare[0] : dx,
                              NULL, NULL));
    return deep ? transform_backward(path, room, x, room->spare[0], dx) : LM_OK;
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

/* ---- A pooling behind the head's first layer: the mean of what that makes of each row ---- */

static lm_status
pool_late(const lm_score_path *path, const path_room *room, const float *x, size_t rows,
          float *vector)
{
    const size_t inner = (size_t)path->head->inner, first = path->excluded;
    const float *made;

    memset(vector, 0, inner * sizeof *vector);
    for (size_t row = first; row < rows; row++) {
        LM_TRY(transform_row(path, room, x + row * path->hidden, &made));
        add_scaled(inner, 1 / (float)(rows - first), made, vector);
    }
    return LM_OK;
}

static lm_status
late_backward(const lm_score_path *path, const path_room *room, const float *x, size_t rows,
              const float *dvector, float *dx)
{
    const size_t inner = (size_t)path->head->inner, first = path->excluded;
    const float *made;
    float *d = room->spare[0];

    for (size_t row = first; row < rows; row++) {
        LM_TRY(transform_row(path, room, x + row * path->hidden, &made));
        memset(d, 0, inner * sizeof *d);
        add_scaled(inner, 1 / (float)(rows - first), dvector, d);
        LM_TRY(transform_backward(path, room, x + row * path->hidden, d, dx + row * path->hidden));
    }
    return LM_OK;
}

/* ---- All of it ---- */

/* Poolings and modules: the vector before it is normed is behind the last step. */
static lm_status
embed(const lm_score_path *path, const path_room *room, const float *x, size_t rows)
{
    const lm_steps *steps = path->steps;

    if (path->head->late)
        return pool_late(path, room, x, rows, room->vectors);
    for (size_t i = 0; i < steps->pooling_count; i++)
        lm_pool_rows(path->kernels, steps->poolings[i], x, path->excluded, rows, path->hidden,
                     room->vectors + i * path->hidden);
    return steps_forward(path, room);
}

size_t
lm_score_path_width(const lm_score_path *path)
{
    return path->steps->width;
}

lm_status
lm_score_path_embed(const lm_score_path *path, const float *x, size_t rows, float *vector)
{
    const path_room room = lay_room(path->steps, path->head, path->room);
    const size_t width = lm_score_path_width(path);

    LM_TRY(embed(path, &room, x, rows));
    memcpy(vector, vector_at(path, &room, path->steps->count), width * sizeof *vector);
    if (path->normalize)
        path->kernels->l2_normalize_f32(width, vector, LM_NORM_EPS);
    return LM_OK;
}

/* The head may read less than the vector has: the other numbers have no gradient. */
lm_status
lm_score_path_score(const lm_score_path *path, const float *vector, float *score, float *dvector)
{
    const path_room room = lay_room(path->steps, path->head, path->room);
    const size_t read = (size_t)path->head->width, width = lm_score_path_width(path);
    const float *last;

    LM_TRY(head_forward(path, &room, vector, &last));
    *score = room.labels[0][path->label];
    if (!dvector)
        return LM_OK;
    LM_TRY(head_backward(path, &room, vector, last, dvector));
    memset(dvector + read, 0, (width - read) * sizeof *dvector);
    return LM_OK;
}

lm_status
lm_score_path_back(const lm_score_path *path, const float *x, size_t rows, float *dvector,
                   float *gradient)
{
    const path_room room = lay_room(path->steps, path->head, path->room);
    const lm_steps *steps = path->steps;
    float *d = room.flow[0];

    LM_TRY(embed(path, &room, x, rows));
    memset(gradient, 0, rows * path->hidden * sizeof *gradient);
    if (path->normalize)
        lm_normalize_backward(steps->width, LM_NORM_EPS, vector_at(path, &room, steps->count),
                              dvector, dvector);
    if (path->head->late)
        return late_backward(path, &room, x, rows, dvector, gradient);
    memcpy(d, dvector, steps->width * sizeof *d);
    LM_TRY(steps_backward(path, &room, &d));
    for (size_t i = 0; i < steps->pooling_count; i++)
        lm_pool_backward(steps->poolings[i], x, path->excluded, rows, path->hidden,
                         d + i * path->hidden, gradient);
    return LM_OK;
}

lm_status
lm_score_path_run(const lm_score_path *path, const float *x, size_t rows, float *score,
                  float *gradient)
{
    const path_room room = lay_room(path->steps, path->head, path->room);

    LM_TRY(lm_score_path_embed(path, x, rows, room.unit[0]));
    LM_TRY(lm_score_path_score(path, room.unit[0], score, gradient ? room.unit[1] : NULL));
    return gradient ? lm_score_path_back(path, x, rows, room.unit[1], gradient) : LM_OK;
}
