/*
 * optimizer.c - steps over parameters, rows that wait, and the state as bytes.
 *
 * Of a parameter with `touched` each row has two steps: `last`, that of its last gradient, and
 * `done`, up to which it is made. What a row lacks is made up one step at a time, by the numbers
 * that each step had (`past`), so that it does not matter when it happens. A row that never had a
 * gradient, or none for so long that nothing moves it, only idles.
 */
#include "optim/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "optim/copies.h"

#define PIECE ((size_t)1 << 16) /* numbers between polls: some 0.1 ms */
#define STILL 1e-9              /* what is left of a moment that counts as 0 */
#define ZEROS ((size_t)1 << 10)

/* The state of a parameter. */
typedef struct slot {
    float *state[LM_OPTIMIZER_SLOTS_MAX]; /* (rows, columns) */
    uint64_t *last, *done;                /* (rows) of one with `touched`; last 0: never */
    lm_update *past;                      /* of the steps behind `settled` */
    size_t past_room;
    uint64_t moves; /* steps behind its last gradient in which a row moves; UINT64_MAX: always */
} slot;

struct lm_optimizer {
    lm_context *ctx;
    const lm_optimizer_kind *kind;
    lm_optimizer_options options;
    const lm_param *params;
    size_t count;
    slot *slots;
    uint64_t step;
    uint64_t settled; /* every row is made up to here */
    float zeros[ZEROS];
};

static lm_status open_slot(lm_optimizer *o, const lm_param *param, slot *s);

/* ---- Opening ---- */

lm_status
lm_optimizer_open(lm_context *ctx, const lm_optimizer_kind *kind,
                  const lm_optimizer_options *options, const lm_param *params, size_t param_count,
                  lm_optimizer **optimizer)
{
    lm_optimizer *o = *optimizer = lm_alloc_zero(ctx, sizeof *o);
    lm_status status = LM_OK;

    if (!o)
        return LM_NO_MEMORY;
    o->ctx = ctx;
    o->kind = kind;
    o->options = *options;
    o->params = params;
    if (param_count > 0 && !(o->slots = lm_alloc_zero(ctx, param_count * sizeof *o->slots)))
        status = LM_NO_MEMORY;
    for (; status == LM_OK && o->count < param_count; o->count++)
        status = open_slot(o, &params[o->count], &o->slots[o->count]);
    if (status != LM_OK) {
        lm_optimizer_close(o);
        *optimizer = NULL;
    }
    return status;
}

static lm_status
zeroed(lm_context *ctx, size_t rows, size_t size, void *pointer)
{
    size_t bytes;
    void *made;

    if (lm_mul_overflows(rows, size, &bytes))
        return lm_raise(ctx, LM_TOO_LARGE, "a parameter is too large to train");
    made = lm_alloc_zero(ctx, bytes ? bytes : 1);
    memcpy(pointer, &made, sizeof made);
    return made ? LM_OK : LM_NO_MEMORY;
}

static uint64_t
moves_for(double inertia)
{
    if (inertia >= 1)
        return UINT64_MAX;
    return inertia > 0 ? (uint64_t)ceil(log(STILL) / log(inertia)) : 0;
}

/* What it holds when it fails is freed with the optimizer, which counts it. */
static lm_status
open_slot(lm_optimizer *o, const lm_param *param, slot *s)
{
    lm_status status = LM_OK;

    s->moves = moves_for(o->kind->inertia(&o->options, param->decay));
    for (int i = 0; status == LM_OK && i < o->kind->slots; i++)
        status = zeroed(o->ctx, param->rows, param->columns * sizeof(float), &s->state[i]);
    if (status == LM_OK && param->touched)
        status = zeroed(o->ctx, param->rows, sizeof *s->last, &s->last);
    if (status == LM_OK && param->touched)
        status = zeroed(o->ctx, param->rows, sizeof *s->done, &s->done);
    return status;
}

void
lm_optimizer_close(lm_optimizer *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < o->count; i++) {
        for (int j = 0; j < LM_OPTIMIZER_SLOTS_MAX; j++)
            lm_free(o->ctx, o->slots[i].state[j]);
        lm_free(o->ctx, o->slots[i].last);
        lm_free(o->ctx, o->slots[i].done);
        lm_free(o->ctx, o->slots[i].past);
    }
    lm_free(o->ctx, o->slots);
    lm_free(o->ctx, o);
}

uint64_t
lm_optimizer_steps(const lm_optimizer *o)
{
    return o->step;
}

/* ---- Rows that wait ---- */

/* Numbers `at` … of a parameter's state. */
static void
state_at(const slot *s, size_t at, float *state[LM_OPTIMIZER_SLOTS_MAX])
{
    for (int i = 0; i < LM_OPTIMIZER_SLOTS_MAX; i++)
        state[i] = s->state[i] ? s->state[i] + at : NULL;
}

/* A step of numbers at `at` that have no gradient; they fit `zeros`. */
static void
make_step(const lm_optimizer *o, const lm_param *param, const slot *s, uint64_t step, size_t at,
          size_t count)
{
    const lm_update *update = &s->past[step - o->settled - 1];
    float *state[LM_OPTIMIZER_SLOTS_MAX];

    state_at(s, at, state);
    o->kind->update(update, count, param->value + at, o->zeros, state);
}

/* The step behind the last in which a row moves. */
static uint64_t
still_from(const slot *s, size_t row)
{
    if (s->last[row] == 0 && s->moves != UINT64_MAX)
        return 0;
    return s->moves > UINT64_MAX - s->last[row] ? UINT64_MAX : s->last[row] + s->moves;
}

/* Some numbers of a row over all the steps that it lacks. */
static void
make_up_piece(const lm_optimizer *o, const lm_param *param, const slot *s, size_t row, size_t at,
              size_t count, uint64_t upto)
{
    const uint64_t still = still_from(s, row);
    float *state[LM_OPTIMIZER_SLOTS_MAX];

    state_at(s, at, state);
    for (uint64_t step = s->done[row] + 1; step <= upto; step++)
        if (step <= still)
            make_step(o, param, s, step, at, count);
        else
            o->kind->idle(&s->past[step - o->settled - 1], count, param->value + at, state);
}

/* The whole of a row; what it lacked, in numbers by steps, is added to *work. */
static void
make_up(const lm_optimizer *o, const lm_param *param, const slot *s, size_t row, uint64_t upto,
        size_t *work)
{
    if (s->done[row] >= upto)
        return;
    *work += param->columns * (size_t)(upto - s->done[row]);
    for (size_t at = 0; at < param->columns; at += ZEROS) {
        size_t left = param->columns - at;

        make_up_piece(o, param, s, row, row * param->columns + at, left < ZEROS ? left : ZEROS,
                      upto);
    }
    s->done[row] = upto;
}

/* Rows that are touched, or all. */
static lm_status
make_up_rows(const lm_optimizer *o, const lm_param *param, const slot *s, bool all)
{
    size_t work = 0;

    for (size_t row = 0; row < param->rows; row++) {
        if (all || param->touched[row])
            make_up(o, param, s, row, o->step, &work);
        work += 1;
        if (work < PIECE)
            continue;
        work = 0;
        LM_TRY(lm_poll(o->ctx));
    }
    return LM_OK;
}

lm_status
lm_optimizer_ready(lm_optimizer *o)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->params[i].touched)
            LM_TRY(make_up_rows(o, &o->params[i], &o->slots[i], false));
    return LM_OK;
}

lm_status
lm_optimizer_settle(lm_optimizer *o)
{
    for (size_t i = 0; i < o->count; i++)
        if (o->params[i].touched)
            LM_TRY(make_up_rows(o, &o->params[i], &o->slots[i], true));
    o->settled = o->step;
    return LM_OK;
}

/* ---- Steps ---- */

/* Keep the numbers of a step for rows that wait. */
static lm_status
remember(lm_optimizer *o, slot *s, const lm_update *update)
{
    size_t at = (size_t)(o->step - o->settled - 1), room = s->past_room ? 2 * s->past_room : 256;

    if (at >= s->past_room) {
        lm_update *past = lm_realloc(o->ctx, s->past, room * sizeof *past);

        if (!past)
            return LM_NO_MEMORY;
        s->past = past;
        s->past_room = room;
    }
    s->past[at] = *update;
    return LM_OK;
}

/* All numbers. */
static lm_status
step_whole(const lm_optimizer *o, const lm_param *param, const slot *s, const lm_update *update)
{
    const size_t count = param->rows * param->columns;
    float *state[LM_OPTIMIZER_SLOTS_MAX];

    for (size_t at = 0; at < count; at += PIECE) {
        LM_TRY(lm_poll(o->ctx));
        state_at(s, at, state);
        o->kind->update(update, count - at < PIECE ? count - at : PIECE, param->value + at,
                        param->grad + at, state);
    }
    return LM_OK;
}

/* Rows that are touched; lm_optimizer_ready may not have seen them. */
static lm_status
step_touched(lm_optimizer *o, const lm_param *param, slot *s, const lm_update *update)
{
    size_t work = 0;

    LM_TRY(remember(o, s, update));
    for (size_t row = 0; row < param->rows; row++) {
        float *state[LM_OPTIMIZER_SLOTS_MAX];

        if (!param->touched[row])
            continue;
        make_up(o, param, s, row, o->step - 1, &work);
        state_at(s, row * param->columns, state);
        o->kind->update(update, param->columns, param->value + row * param->columns,
                        param->grad + row * param->columns, state);
        s->last[row] = s->done[row] = o->step;
        work += param->columns;
        if (work < PIECE)
            continue;
        work = 0;
        LM_TRY(lm_poll(o->ctx));
    }
    return LM_OK;
}

lm_status
lm_optimizer_step(lm_optimizer *o, double rate)
{
    o->step++;
    for (size_t i = 0; i < o->count; i++) {
        const lm_param *param = &o->params[i];
        lm_update update;

        o->kind->prepare(&o->options, rate * param->rate, o->step, param->decay, &update);
        LM_TRY(param->touched ? step_touched(o, param, &o->slots[i], &update)
                              : step_whole(o, param, &o->slots[i], &update));
    }
    return LM_OK;
}

/* ---- Bytes: the step, then of each parameter its state and the steps of its rows ---- */

lm_status
lm_optimizer_save(const lm_optimizer *o, lm_buffer *bytes)
{
    LM_TRY(lm_buffer_append(bytes, &o->step, sizeof o->step));
    for (size_t i = 0; i < o->count; i++) {
        const lm_param *param = &o->params[i];

        for (int j = 0; j < o->kind->slots; j++)
            LM_TRY(lm_bytes_append(o->ctx, o->slots[i].state[j],
                                   param->rows * param->columns * sizeof(float), bytes));
        if (param->touched)
            LM_TRY(lm_buffer_append(bytes, o->slots[i].last, param->rows * sizeof(uint64_t)));
    }
    return LM_OK;
}

/* The next `size` bytes of a checkpoint. */
static lm_status
take(lm_context *ctx, const char **at, const char *end, void *to, size_t size)
{
    if ((size_t)(end - *at) < size)
        return lm_raise(ctx, LM_CORRUPT, "the checkpoint of a training is too short");
    LM_TRY(lm_bytes_copy(ctx, to, *at, size));
    *at += size;
    return LM_OK;
}

static lm_status
load_slot(lm_optimizer *o, const lm_param *param, slot *s, const char **at, const char *end)
{
    for (int j = 0; j < o->kind->slots; j++)
        LM_TRY(take(o->ctx, at, end, s->state[j], param->rows * param->columns * sizeof(float)));
    if (!param->touched)
        return LM_OK;
    for (size_t row = 0; row < param->rows; row++)
        s->done[row] = o->step;
    return take(o->ctx, at, end, s->last, param->rows * sizeof(uint64_t));
}

lm_status
lm_optimizer_load(lm_optimizer *o, const void *bytes, size_t size)
{
    const char *at = bytes, *end = at + size;

    LM_TRY(take(o->ctx, &at, end, &o->step, sizeof o->step));
    o->settled = o->step;
    for (size_t i = 0; i < o->count; i++)
        LM_TRY(load_slot(o, &o->params[i], &o->slots[i], &at, end));
    if (at != end)
        return lm_raise(o->ctx, LM_CORRUPT, "the checkpoint of a training is too long");
    return LM_OK;
}
