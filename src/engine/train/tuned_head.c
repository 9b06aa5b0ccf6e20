/*
 * tuned_head.c - the layers of a head with their backward passes, on all rows of a batch at once.
 */
#include "train/tuned_head.h"

#include <string.h>

#include "base/size.h"
#include "nn/grad.h"

#define CRF_LABELS_MAX 4096             /* whose pairs are 16 million */
#define HEAD_LAYER UINT64_C(0x68656164) /* of dropout's seed: no layer of an encoder has it */

static const float *
weight_of(const lm_tuned_head *head, lm_head_target target)
{
    return head->encoder->table[head->encoder->plain->head_first + (size_t)target];
}

static float *
gradient_of(const lm_tuned_head *head, lm_head_target target)
{
    return lm_tuned_gradient(head->encoder, head->encoder->plain->head_first + (size_t)target);
}

/* The entry of the last layer's matrix. */
static size_t
out_entry(const lm_tuned_head *head)
{
    const lm_plain *plain = head->encoder->plain;

    return head->tied ? (size_t)plain->encoder.embedding.words : plain->head_first + LM_HEAD_OUT;
}

lm_status
lm_tuned_head_open(lm_context *ctx, const lm_tuned_encoder *encoder, float eps, double dropout,
                   lm_tuned_head *head)
{
    const lm_plain *plain = encoder->plain;
    const lm_weight_target *targets = plain->targets + plain->head_first;
    const lm_activation act = plain->head->act;

    *head = (lm_tuned_head){
        .ctx = ctx,
        .encoder = encoder,
        .act = act == LM_ACT_OF_LAYERS ? plain->encoder.stack.blocks[0].act : act,
        .eps = eps,
        .dropout = dropout,
        .width = encoder->hidden,
        .inner = encoder->hidden,
        .dense = targets[LM_HEAD_DENSE].rows > 0,
        .norm = targets[LM_HEAD_NORM_GAIN].rows > 0,
        .crf = targets[LM_HEAD_CRF_TRANSITIONS].rows > 0,
        .tied = targets[LM_HEAD_OUT].rows == 0,
    };
    if (head->dense)
        head->inner = targets[LM_HEAD_DENSE].rows;
    head->labels = plain->targets[out_entry(head)].rows;
    if (head->crf && head->labels > CRF_LABELS_MAX) {
        lm_raise(ctx, LM_TOO_LARGE, "a CRF has too many labels");
        lm_detail_found(ctx, "%zu", head->labels);
        return lm_detail_allowed(ctx, "at most %d", CRF_LABELS_MAX);
    }
    if (plain->targets[out_entry(head)].width == head->inner && (head->dense || !head->norm))
        return LM_OK;
    return lm_raise(ctx, LM_UNSUPPORTED, "a head of this form cannot be trained");
}

lm_crf
lm_tuned_head_crf(const lm_tuned_head *head, bool graded)
{
    lm_crf crf = {.labels = head->labels,
                  .start = weight_of(head, LM_HEAD_CRF_START),
                  .end = weight_of(head, LM_HEAD_CRF_END),
                  .transitions = weight_of(head, LM_HEAD_CRF_TRANSITIONS)};

    if (!graded)
        return crf;
    crf.dstart = gradient_of(head, LM_HEAD_CRF_START);
    crf.dend = gradient_of(head, LM_HEAD_CRF_END);
    crf.dtransitions = gradient_of(head, LM_HEAD_CRF_TRANSITIONS);
    return crf;
}

void
lm_tuned_head_close(lm_tuned_head *head)
{
    lm_free(head->ctx, head->room);
}

static size_t
lay_room(lm_tuned_head *head, size_t rows, float *base)
{
    size_t used = 0;

    head->x = lm_lay_floats(base, &used, rows * head->width);
    head->dx = lm_lay_floats(base, &used, rows * head->width);
    head->raw = lm_lay_floats(base, &used, rows * head->inner);
    head->active = lm_lay_floats(base, &used, rows * head->inner);
    head->normed = lm_lay_floats(base, &used, rows * head->inner);
    head->last = lm_lay_floats(base, &used, rows * head->inner);
    head->flow = lm_lay_floats(base, &used, rows * head->inner);
    head->scores = lm_lay_floats(base, &used, rows * head->labels);
    return used;
}

lm_status
lm_tuned_head_begin(lm_tuned_head *head, size_t rows)
{
    const size_t numbers = lay_room(head, rows, NULL);

    if (numbers > head->room_size) {
        lm_free(head->ctx, head->room);
        head->room_size = 0;
        if (!(head->room = lm_alloc_array(head->ctx, numbers, sizeof *head->room)))
            return LM_NO_MEMORY;
        head->room_size = numbers;
    }
    head->rows = rows;
    lay_room(head, rows, head->room);
    return LM_OK;
}

/* That multiply rounded factors; NULL: there are none. */
static const lm_kernels *
rounded_of(const lm_tuned_head *head)
{
    return head->encoder->options.rounded ? head->encoder->weights.kernels : NULL;
}

static lm_linear
dense_of(const lm_tuned_head *head)
{
    return (lm_linear){.rows = head->rows,
                       .in = head->width,
                       .out = head->inner,
                       .weight = weight_of(head, LM_HEAD_DENSE),
                       .bias = weight_of(head, LM_HEAD_DENSE_BIAS),
                       .rounded = rounded_of(head)};
}

static lm_linear
out_of(const lm_tuned_head *head)
{
    return (lm_linear){.rows = head->rows,
                       .in = head->inner,
                       .out = head->labels,
                       .weight = head->encoder->table[out_entry(head)],
                       .bias = weight_of(head, LM_HEAD_OUT_BIAS),
                       .rounded = rounded_of(head)};
}

static lm_norm
norm_of(const lm_tuned_head *head)
{
    return (lm_norm){LM_NORM_LAYER, weight_of(head, LM_HEAD_NORM_GAIN),
                     weight_of(head, LM_HEAD_NORM_BIAS), head->eps};
}

/* Dropout of rows (R, E), by the counters; y may be x. */
static void
drop(const lm_tuned_head *head, const lm_pass *pass, const uint64_t *counters, const float *x,
     float *y)
{
    const lm_dropout dropout = {(float)head->dropout,
                                lm_dropout_seed(pass->seed, pass->step, HEAD_LAYER)};

    for (size_t i = 0; i < head->rows; i++)
        lm_dropout_row(&dropout, counters[i], head->inner, x + i * head->inner,
                       y + i * head->inner);
}

static bool
drops(const lm_tuned_head *head, const lm_pass *pass)
{
    return pass->training && head->dropout > 0;
}

/* What stands before dropout and the last layer. */
static lm_status
run_dense(const lm_tuned_head *head, const float **out)
{
    const lm_kernels *kernels = head->encoder->weights.kernels;
    const size_t count = head->rows * head->inner;
    const lm_linear dense = dense_of(head);
    const lm_norm norm = norm_of(head);

    *out = head->x;
    if (!head->dense)
        return LM_OK;
    LM_TRY(lm_linear_forward(head->ctx, &dense, head->x, head->raw));
    memcpy(head->active, head->raw, count * sizeof *head->active);
    kernels->activate_f32(head->act, count, head->active);
    *out = head->active;
    if (head->norm) {
        lm_nn_norm(kernels, &norm, head->rows, head->inner, head->active, head->normed);
        *out = head->normed;
    }
    return LM_OK;
}

lm_status
lm_tuned_head_forward(lm_tuned_head *head, const lm_pass *pass, const uint64_t *counters)
{
    const lm_linear out = out_of(head);
    const float *before;

    LM_TRY(run_dense(head, &before));
    if (drops(head, pass))
        drop(head, pass, counters, before, head->last);
    else
        memcpy(head->last, before, head->rows * head->inner * sizeof *head->last);
    return lm_linear_forward(head->ctx, &out, head->last, head->scores);
}

lm_status
lm_tuned_head_backward(lm_tuned_head *head, const lm_pass *pass, const uint64_t *counters)
{
    const size_t count = head->rows * head->inner;
    const lm_linear dense = dense_of(head), out = out_of(head);
    const lm_norm norm = norm_of(head);
    float *d = head->flow;

    LM_TRY(lm_linear_backward(head->ctx, &out, head->last, head->scores, d,
                              lm_tuned_gradient(head->encoder, out_entry(head)),
                              gradient_of(head, LM_HEAD_OUT_BIAS)));
    if (drops(head, pass))
        drop(head, pass, counters, d, d);
    if (!head->dense) {
        memcpy(head->dx, d, count * sizeof *d);
        return LM_OK;
    }
    if (head->norm)
        lm_norm_backward(&norm, head->rows, head->inner, head->active, d, d,
                         gradient_of(head, LM_HEAD_NORM_GAIN),
                         gradient_of(head, LM_HEAD_NORM_BIAS));
    LM_TRY(lm_activate_backward(head->ctx, head->act, count, head->raw, d, d));
    return lm_linear_backward(head->ctx, &dense, head->x, d, head->dx,
                              gradient_of(head, LM_HEAD_DENSE),
                              gradient_of(head, LM_HEAD_DENSE_BIAS));
}
