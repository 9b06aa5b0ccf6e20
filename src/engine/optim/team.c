/*
 * team.c - batches dealt to parts, and sums of their gradients.
 */
#include "optim/team.h"

#include <string.h>

#include "base/size.h"
#include "base/sort.h"
#include "optim/copies.h"
#include "optim/optimizer.h"

#define PIECE ((size_t)1 << 16) /* numbers between polls */

/* ---- Which rows are whose ---- */

typedef struct row_cost {
    size_t place, cost, part; /* in the batch */
} row_cost;

static int
compare_costs(const void *a, const void *b)
{
    const row_cost *x = a, *y = b;

    if (x->cost != y->cost)
        return x->cost < y->cost ? 1 : -1;
    return x->place < y->place ? -1 : 1;
}

static int
compare_places(const void *a, const void *b)
{
    const row_cost *x = a, *y = b;

    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static lm_status
weigh_rows(lm_team *team, const size_t *rows, size_t count)
{
    const lm_network *inner = &team->inner;

    team->costs.size = 0;
    for (size_t i = 0; i < count; i++) {
        const row_cost one = {
            .place = i, .cost = inner->row_bytes ? inner->row_bytes(inner->self, rows[i]) : 1};

        LM_TRY(lm_buffer_append(&team->costs, &one, sizeof one));
    }
    return LM_OK;
}

/* The dearest first, each to the part that has least. */
static lm_status
choose_parts(const lm_team *team, row_cost *costs, size_t count)
{
    size_t sums[LM_TEAM_HELPERS_MAX + 1] = {0};

    LM_TRY(lm_sort(team->ctx, costs, count, sizeof *costs, compare_costs));
    for (size_t i = 0; i < count; i++) {
        size_t least = 0;

        for (size_t part = 1; part < team->parts; part++)
            if (sums[part] < sums[least])
                least = part;
        sums[least] += costs[i].cost;
        costs[i].part = least;
    }
    return lm_sort(team->ctx, costs, count, sizeof *costs, compare_places);
}

/* Parts one behind the other, each in the order of the batch. */
static lm_status
deal(lm_team *team, const size_t *rows, size_t count)
{
    row_cost *costs;

    LM_TRY(weigh_rows(team, rows, count));
    costs = (row_cost *)(void *)team->costs.data;
    LM_TRY(choose_parts(team, costs, count));
    team->rows.size = 0;
    memset(team->first, 0, sizeof team->first);
    for (size_t i = 0; i < count; i++) {
        LM_TRY(lm_buffer_append(&team->rows, &rows[costs[i].place], sizeof *rows));
        team->first[costs[i].part + 1]++;
    }
    for (size_t part = 0; part < team->parts; part++)
        team->first[part + 1] += team->first[part];
    return LM_OK;
}

static size_t
rows_of(const lm_team *team, size_t part, const size_t **rows)
{
    *rows = (const size_t *)(const void *)team->rows.data + team->first[part];
    return team->first[part + 1] - team->first[part];
}

/* ---- Sums ---- */

typedef void (*pair_function)(size_t count, float *grad, float *other);

static void
put_aside(size_t count, float *grad, float *other)
{
    memcpy(other, grad, count * sizeof *grad);
    memset(grad, 0, count * sizeof *grad);
}

static void
add(size_t count, float *grad, float *other)
{
    for (size_t i = 0; i < count; i++)
        grad[i] += other[i];
}

/* Over a parameter's gradients that a batch can have, and others of the same shape. */
static lm_status
each_pair(lm_context *ctx, const lm_param *param, float *other, pair_function run)
{
    const size_t all = param->rows * param->columns,
                 piece = param->touched ? param->columns : PIECE;
    size_t work = PIECE;

    for (size_t at = 0, count; at < all; at += count) {
        count = all - at < piece ? all - at : piece;
        if (param->touched && !param->touched[at / param->columns])
            continue;
        if ((work += count) > PIECE) {
            work = count;
            LM_TRY(lm_poll(ctx));
        }
        run(count, param->grad + at, other + at);
    }
    return LM_OK;
}

static lm_status
each_spare(const lm_team *team, pair_function run)
{
    float *other = team->spare;

    for (size_t i = 0; i < team->inner.param_count; i++) {
        const lm_param *param = &team->inner.params[i];

        LM_TRY(each_pair(team->ctx, param, other, run));
        other += param->rows * param->columns;
    }
    return LM_OK;
}

static lm_status
add_helpers(const lm_team *team, const float *grads)
{
    for (size_t i = 0; i < team->inner.param_count; i++) {
        const lm_param *param = &team->inner.params[i];

        LM_TRY(each_pair(team->ctx, param,
                         (float *)(uintptr_t)grads + (param->grad - team->helpers.base), add));
    }
    return LM_OK;
}

/* ---- Passes ---- */

static lm_status
run_part(lm_team *team, size_t part, const lm_pass *pass, double *loss)
{
    const size_t *rows;
    const size_t count = rows_of(team, part, &rows);
    double own = 0;

    LM_TRY(lm_run_parts(team->ctx, &team->inner, &team->cut, rows, count, pass, &own));
    *loss += own;
    return LM_OK;
}

/* A part behind others that nobody helps with: summed as if somebody had. */
static lm_status
run_aside(lm_team *team, size_t part, const lm_pass *pass, double *loss)
{
    if (team->first[part + 1] == team->first[part])
        return LM_OK;
    if (!team->spare && !(team->spare = lm_values_open(team->ctx, &team->inner)))
        return team->ctx->error.status;
    LM_TRY(each_spare(team, put_aside));
    LM_TRY(run_part(team, part, pass, loss));
    return each_spare(team, add);
}

static lm_status
begin_helpers(const lm_team *team, const lm_pass *pass)
{
    const lm_team_helpers *helpers = &team->helpers;

    for (size_t i = 0; i < helpers->count; i++) {
        const size_t *rows;
        const size_t count = rows_of(team, i + 1, &rows);

        if (count > 0)
            LM_TRY(helpers->begin(helpers->self, i, rows, count, pass));
    }
    return LM_OK;
}

static lm_status
end_helper(const lm_team *team, size_t helper, double *loss)
{
    const float *grads = NULL;
    double own = 0;

    if (team->first[helper + 2] == team->first[helper + 1])
        return LM_OK;
    LM_TRY(team->helpers.end(team->helpers.self, helper, &own, &grads));
    *loss += own;
    return add_helpers(team, grads);
}

static lm_status
team_pass(void *self, const size_t *rows, size_t count, const lm_pass *pass, double *loss)
{
    lm_team *team = self;

    LM_TRY(deal(team, rows, count));
    LM_TRY(begin_helpers(team, pass));
    LM_TRY(run_part(team, 0, pass, loss));
    for (size_t i = 0; i < team->helpers.count; i++)
        LM_TRY(end_helper(team, i, loss));
    for (size_t part = team->helpers.count + 1; part < team->parts; part++)
        LM_TRY(run_aside(team, part, pass, loss));
    return LM_OK;
}

lm_status
lm_team_help(lm_context *ctx, const lm_network *network, const lm_cut *cut, const size_t *rows,
             size_t count, const lm_pass *pass, double *loss)
{
    LM_TRY(lm_clear_gradients(ctx, network->params, network->param_count));
    if (network->touch)
        LM_TRY(network->touch(network->self, rows, count));
    return lm_run_parts(ctx, network, cut, rows, count, pass, loss);
}

static lm_status
team_epoch(void *self, uint64_t epoch, const size_t *rows, size_t count)
{
    lm_team *team = self;

    return team->inner.epoch(team->inner.self, epoch, rows, count);
}

static lm_status
team_touch(void *self, const size_t *rows, size_t count)
{
    lm_team *team = self;

    return team->inner.touch(team->inner.self, rows, count);
}

static lm_status
team_weight(void *self, const size_t *rows, size_t count, double *weight)
{
    lm_team *team = self;

    return team->inner.weight(team->inner.self, rows, count, weight);
}

static lm_status
team_measure(void *self, const size_t *rows, size_t count, lm_measures *measures)
{
    lm_team *team = self;

    return team->inner.measure(team->inner.self, rows, count, measures);
}

/* ---- Opening ---- */

lm_status
lm_team_open(lm_context *ctx, const lm_network *network, size_t workers, const lm_cut *cut,
             const lm_team_helpers *helpers, lm_team *team)
{
    *team = (lm_team){.ctx = ctx, .inner = *network, .parts = workers + 1, .cut = *cut};
    lm_buffer_init(&team->costs, ctx);
    lm_buffer_init(&team->rows, ctx);
    if (helpers)
        team->helpers = *helpers;
    if (workers > LM_TEAM_HELPERS_MAX || team->helpers.count > workers)
        return lm_raise(ctx, LM_BAD_ARGUMENT, "a training has too many workers");
    if (network->whole_batches)
        return lm_raise(ctx, LM_UNSUPPORTED,
                        "batches of this task cannot be divided among workers");
    return LM_OK;
}

void
lm_team_close(lm_team *team)
{
    if (!team->ctx)
        return;
    lm_free(team->ctx, team->spare);
    lm_buffer_free(&team->costs);
    lm_buffer_free(&team->rows);
}

void
lm_team_network(lm_team *team, lm_network *network)
{
    const lm_network *inner = &team->inner;

    *network = *inner;
    network->self = team;
    network->whole_batches = true;
    network->row_bytes = NULL;
    network->epoch = inner->epoch ? team_epoch : NULL;
    network->touch = inner->touch ? team_touch : NULL;
    network->weight = inner->weight ? team_weight : NULL;
    network->pass = team_pass;
    network->measure = inner->measure ? team_measure : NULL;
}
