/*
 * tune.c - grid, random search and TPE, and the median rule.
 *
 * Numbers are drawn and compared on a line from 0 to 1, by the logarithm where that is asked for,
 * and rounded last.
 */
#include "train/tune.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "base/sort.h"

#define START_TRIALS 8   /* at random, before there is something to learn from */
#define CANDIDATES 64    /* of which TPE takes the best */
#define GOOD_SHARE 0.1   /* of the trials, which are the good ones */
#define MEDIAN_TRIALS 4  /* before any is stopped */
#define MEDIAN_REPORTS 3 /* of a trial before it is stopped */
#define FRESH_DRAWS 64   /* until a combination is new */

/* ---- Values ---- */

static double
at_place(const lm_tune_dimension *d, double place)
{
    double value;

    if (d->kind == LM_TUNE_CHOICE)
        return fmin(floor(place * (double)d->choices), (double)d->choices - 1);
    value = d->log ? d->low * pow(d->high / d->low, place) : d->low + place * (d->high - d->low);
    if (d->kind == LM_TUNE_WHOLE)
        value = round(value);
    return fmin(fmax(value, d->low), d->high);
}

static double
place_of(const lm_tune_dimension *d, double value)
{
    if (d->high <= d->low)
        return 0.5;
    return d->log ? log(value / d->low) / log(d->high / d->low)
                  : (value - d->low) / (d->high - d->low);
}

/* How many different values there are: infinite of reals. */
static double
size_of(const lm_tune_dimension *d)
{
    if (d->kind == LM_TUNE_CHOICE)
        return (double)d->choices;
    if (d->high <= d->low)
        return 1;
    return d->kind == LM_TUNE_WHOLE ? d->high - d->low + 1 : INFINITY;
}

static bool
was_tried(const lm_tune *tune, const double *values)
{
    for (size_t i = 0; i < tune->trials; i++)
        if (memcmp(tune->values + i * tune->count, values, tune->count * sizeof *values) == 0)
            return true;
    return false;
}

/* How many combinations of a finite space have been, as far as they can be all. */
static bool
all_tried(const lm_tune *tune)
{
    double size = 1, different = 0;

    for (size_t i = 0; i < tune->count; i++)
        size *= size_of(&tune->dimensions[i]);
    if (size > (double)tune->trials)
        return false;
    for (size_t i = 0; i < tune->trials; i++) {
        size_t before = 0;

        while (before < i &&
               memcmp(tune->values + before * tune->count, tune->values + i * tune->count,
                      tune->count * sizeof *tune->values) != 0)
            before++;
        different += before == i;
    }
    return different >= size;
}

/* ---- Grid and chance ---- */

static size_t
grid_points(const lm_tune_dimension *d)
{
    const double size = size_of(d);

    return size < (double)d->choices ? (size_t)size : d->choices;
}

/* The first dimension changes slowest. */
static lm_status
draw_grid(lm_tune *tune, double *values, bool *more)
{
    size_t rest = tune->drawn;

    for (size_t i = tune->count; i-- > 0;) {
        const lm_tune_dimension *d = &tune->dimensions[i];
        const size_t points = grid_points(d), point = rest % points;

        rest /= points;
        values[i] = d->kind == LM_TUNE_CHOICE ? (double)point
                    : points == 1             ? at_place(d, d->choices == 1 ? 0.5 : 0)
                                              : at_place(d, (double)point / (double)(points - 1));
    }
    *more = rest == 0;
    return LM_OK;
}

static void
draw_by_chance(lm_tune *tune, double *values)
{
    for (size_t i = 0; i < tune->count; i++)
        values[i] = at_place(&tune->dimensions[i], lm_rng_uniform(&tune->rng));
}

static lm_status
draw_random(lm_tune *tune, double *values, bool *more)
{
    *more = !all_tried(tune);
    draw_by_chance(tune, values);
    for (int i = 0; *more && i < FRESH_DRAWS && was_tried(tune, values); i++)
        draw_by_chance(tune, values);
    return LM_OK;
}

/* ---- TPE ---- */

/* Trials by their scores, and for one dimension the places of some of them. */
typedef struct parzen {
    double *centres, *widths; /* (count + 1): the last is the prior */
    size_t count;
} parzen;

typedef struct ranked {
    double score;
    size_t trial;
} ranked;

static int
compare_ranked(const void *a, const void *b)
{
    const ranked *x = a, *y = b;

    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

static int
compare_places(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Each centre is as wide as the way to its farther neighbour, which is an end of the line at last.
 */
static lm_status
fit_parzen(lm_context *ctx, parzen *p)
{
    const double least = 1 / fmin(100, (double)p->count + 2);

    LM_TRY(lm_sort(ctx, p->centres, p->count, sizeof *p->centres, compare_places));
    for (size_t i = 0; i < p->count; i++) {
        const double before = i > 0 ? p->centres[i - 1] : 0;
        const double behind = i + 1 < p->count ? p->centres[i + 1] : 1;

        p->widths[i] = fmin(fmax(fmax(p->centres[i] - before, behind - p->centres[i]), least), 1);
    }
    p->centres[p->count] = 0.5;
    p->widths[p->count] = 1;
    return LM_OK;
}

static double
normal_below(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

/* Of a mixture of normal distributions, each cut to the line. */
static double
density_at(const parzen *p, double place)
{
    double sum = 0;

    for (size_t i = 0; i <= p->count; i++) {
        const double width = p->widths[i], z = (place - p->centres[i]) / width;
        const double inside =
            normal_below((1 - p->centres[i]) / width) - normal_below(-p->centres[i] / width);

        sum += exp(-0.5 * z * z) / (width * inside);
    }
    return sum / (double)(p->count + 1);
}

/* By Box and Muller, again until it is on the line. */
static double
draw_parzen(lm_tune *tune, const parzen *p)
{
    const size_t which = (size_t)lm_rng_below(&tune->rng, p->count + 1);
    double place;

    do {
        const double radius = sqrt(-2 * log(1 - lm_rng_uniform(&tune->rng)));

        place = p->centres[which] +
                p->widths[which] * radius * cos(2 * M_PI * lm_rng_uniform(&tune->rng));
    } while (!(place >= 0 && place <= 1));
    return place;
}

static lm_status
draw_number(lm_tune *tune, const lm_tune_dimension *d, parzen split[2], double *value)
{
    double best = -INFINITY, place = 0.5;

    for (int i = 0; i < 2; i++)
        LM_TRY(fit_parzen(tune->ctx, &split[i]));
    for (int i = 0; i < CANDIDATES; i++) {
        const double candidate = place_of(d, at_place(d, draw_parzen(tune, &split[0])));
        const double gain =
            log(density_at(&split[0], candidate)) - log(density_at(&split[1], candidate));

        if (gain > best) {
            best = gain;
            place = candidate;
        }
    }
    *value = at_place(d, place);
    return LM_OK;
}

/* Counts, and one more for each choice. */
static double
share_of(const parzen *p, double choice, size_t choices)
{
    double count = 1;

    for (size_t i = 0; i < p->count; i++)
        count += p->centres[i] == choice;
    return count / (double)(p->count + choices);
}

static double
draw_share(lm_tune *tune, const parzen *p, size_t choices)
{
    const size_t which = (size_t)lm_rng_below(&tune->rng, p->count + choices);

    return which < p->count ? p->centres[which] : (double)(which - p->count);
}

static double
draw_choice(lm_tune *tune, const lm_tune_dimension *d, const parzen split[2])
{
    double best = -1, value = 0;

    for (int i = 0; i < CANDIDATES; i++) {
        const double choice = draw_share(tune, &split[0], d->choices);
        const double gain =
            share_of(&split[0], choice, d->choices) / share_of(&split[1], choice, d->choices);

        if (gain > best) {
            best = gain;
            value = choice;
        }
    }
    return value;
}

/* Values of one dimension, of the good trials and of the others. */
static lm_status
draw_dimension(lm_tune *tune, size_t which, const ranked *order, size_t good, double *room,
               double *value)
{
    const lm_tune_dimension *d = &tune->dimensions[which];
    const size_t others = tune->trials - good;
    parzen split[2] = {{room, room + tune->trials + 2, good},
                       {room + good + 1, room + tune->trials + 2 + good + 1, others}};

    for (size_t i = 0; i < tune->trials; i++) {
        const double told = tune->values[order[i].trial * tune->count + which];

        (i < good ? &split[0] : &split[1])->centres[i < good ? i : i - good] =
            d->kind == LM_TUNE_CHOICE ? told : place_of(d, told);
    }
    if (d->kind != LM_TUNE_CHOICE)
        return draw_number(tune, d, split, value);
    *value = draw_choice(tune, d, split);
    return LM_OK;
}

static lm_status
draw_learnt(lm_tune *tune, ranked *order, double *room, double *values)
{
    const size_t good = (size_t)ceil(GOOD_SHARE * (double)tune->trials);

    for (size_t i = 0; i < tune->trials; i++)
        order[i] = (ranked){tune->scores[i], i};
    LM_TRY(lm_sort(tune->ctx, order, tune->trials, sizeof *order, compare_ranked));
    for (size_t i = 0; i < tune->count; i++)
        LM_TRY(draw_dimension(tune, i, order, good, room, &values[i]));
    return LM_OK;
}

static lm_status
draw_tpe(lm_tune *tune, double *values, bool *more)
{
    ranked *order;
    double *room;
    lm_status status = LM_NO_MEMORY;

    if (tune->trials < START_TRIALS)
        return draw_random(tune, values, more);
    *more = !all_tried(tune);
    order = lm_alloc_array(tune->ctx, tune->trials, sizeof *order);
    room = lm_alloc_array(tune->ctx, 2 * (tune->trials + 2), sizeof *room);
    if (order && room)
        status = draw_learnt(tune, order, room, values);
    lm_free(tune->ctx, room);
    lm_free(tune->ctx, order);
    if (status == LM_OK && *more && was_tried(tune, values))
        return draw_random(tune, values, more);
    return status;
}

const lm_tune_search lm_tune_searches[] = {
    {"tpe", draw_tpe}, {"random", draw_random}, {"grid", draw_grid}, {NULL, NULL}};

const lm_tune_search *
lm_tune_search_find(const char *name)
{
    for (const lm_tune_search *search = lm_tune_searches; search->name; search++)
        if (strcmp(search->name, name) == 0)
            return search;
    return NULL;
}

/* ---- Trials ---- */

lm_status
lm_tune_open(lm_tune *tune, lm_context *ctx, const lm_tune_dimension *dimensions, size_t count,
             const lm_tune_search *search, uint64_t seed)
{
    *tune = (lm_tune){.ctx = ctx, .dimensions = dimensions, .count = count, .search = search};
    lm_rng_seed(&tune->rng, seed);
    tune->curve = lm_alloc_array(ctx, LM_TUNE_CURVE, sizeof *tune->curve);
    return tune->curve ? LM_OK : LM_NO_MEMORY;
}

void
lm_tune_close(lm_tune *tune)
{
    lm_free(tune->ctx, tune->values);
    lm_free(tune->ctx, tune->scores);
    lm_free(tune->ctx, tune->curves);
    lm_free(tune->ctx, tune->curve);
}

lm_status
lm_tune_next(lm_tune *tune, double *values, bool *more)
{
    LM_TRY(lm_poll(tune->ctx));
    tune->reports = 0;
    LM_TRY(tune->search->draw(tune, values, more));
    tune->drawn++;
    return LM_OK;
}

/* Of the curves' values at a report; there are few of them. */
static double
median_at(const lm_tune *tune, size_t report)
{
    const size_t half = tune->curve_count / 2;
    double below = NAN;

    for (size_t i = 0; i < tune->curve_count; i++) {
        const float value = tune->curves[i * LM_TUNE_CURVE + report];
        size_t less = 0;

        for (size_t k = 0; k < tune->curve_count; k++) {
            const float other = tune->curves[k * LM_TUNE_CURVE + report];

            less += other < value || (other == value && k < i);
        }
        if (less == half)
            below = value;
    }
    return below;
}

bool
lm_tune_report(lm_tune *tune, double figure)
{
    const size_t report = tune->reports;
    float best = (float)figure;

    if (isnan(figure) || report >= LM_TUNE_CURVE)
        return false;
    if (report > 0)
        best = fminf(best, tune->curve[report - 1]);
    tune->curve[tune->reports++] = best;
    return tune->curve_count >= MEDIAN_TRIALS && tune->reports > MEDIAN_REPORTS &&
           best > median_at(tune, report);
}

static lm_status
keep_curve(lm_tune *tune)
{
    float *kept;

    if (tune->reports == 0)
        return LM_OK;
    if (tune->curve_count == tune->curve_room) {
        const size_t room = tune->curve_room > 0 ? 2 * tune->curve_room : 8;

        kept = lm_realloc(tune->ctx, tune->curves, room * LM_TUNE_CURVE * sizeof *kept);
        if (!kept)
            return LM_NO_MEMORY;
        tune->curves = kept;
        tune->curve_room = room;
    }
    kept = tune->curves + tune->curve_count++ * LM_TUNE_CURVE;
    for (size_t i = 0; i < LM_TUNE_CURVE; i++)
        kept[i] = tune->curve[i < tune->reports ? i : tune->reports - 1];
    return LM_OK;
}

static lm_status
make_room(lm_tune *tune)
{
    const size_t room = tune->room > 0 ? 2 * tune->room : 16;
    double *scores, *values;
    size_t numbers, bytes;

    if (tune->trials < tune->room)
        return LM_OK;
    if (lm_mul_overflows(room, tune->count, &numbers) ||
        lm_mul_overflows(numbers, sizeof *values, &bytes))
        return lm_raise(tune->ctx, LM_TOO_LARGE, "too many trials");
    if (!(values = lm_realloc(tune->ctx, tune->values, bytes)))
        return LM_NO_MEMORY;
    tune->values = values;
    if (!(scores = lm_realloc(tune->ctx, tune->scores, room * sizeof *scores)))
        return LM_NO_MEMORY;
    tune->scores = scores;
    tune->room = room;
    return LM_OK;
}

lm_status
lm_tune_tell(lm_tune *tune, const double *values, double score, bool whole)
{
    LM_TRY(make_room(tune));
    memcpy(tune->values + tune->trials * tune->count, values, tune->count * sizeof *values);
    tune->scores[tune->trials++] = isnan(score) ? INFINITY : score;
    return whole ? keep_curve(tune) : LM_OK;
}

size_t
lm_tune_best(const lm_tune *tune)
{
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < tune->trials; i++)
        if (tune->scores[i] < (best == SIZE_MAX ? INFINITY : tune->scores[best]))
            best = i;
    return best;
}
