/*
 * class_scores.c - a row is one double for its actual class and one for each class' score, in the
 * order in which the first row named them.
 */
#include "metrics/class_scores.h"

#include <math.h>
#include <string.h>

#include "base/intern.h"
#include "base/size.h"
#include "metrics/calibration.h"
#include "metrics/ranking.h"

#define FIRST_ROOM 4

typedef struct class_scores {
    lm_context *ctx;
    lm_intern classes;
    double *rows;       /* of 1 + classes.count */
    size_t count, room; /* rows */
} class_scores;

static lm_status
scores_create(lm_context *ctx, void **counts)
{
    class_scores *s = lm_alloc_zero(ctx, sizeof *s);

    *counts = s;
    if (!s)
        return LM_NO_MEMORY;
    s->ctx = ctx;
    lm_intern_init(&s->classes, ctx, "labels");
    return LM_OK;
}

static void
scores_free(void *counts)
{
    class_scores *s = counts;

    if (!s)
        return;
    lm_intern_free(&s->classes);
    lm_free(s->ctx, s->rows);
    lm_free(s->ctx, s);
}

static size_t
width(const class_scores *s)
{
    return 1 + (size_t)s->classes.count;
}

/* Room for a row more. */
static lm_status
reserve(class_scores *s)
{
    size_t room = s->room ? 2 * s->room : FIRST_ROOM, bytes;
    double *rows;

    if (s->count < s->room)
        return LM_OK;
    if (lm_mul_overflows(room, width(s), &bytes) || lm_mul_overflows(bytes, sizeof *rows, &bytes) ||
        !(rows = lm_realloc(s->ctx, s->rows, bytes)))
        return LM_NO_MEMORY;
    s->rows = rows;
    s->room = room;
    return LM_OK;
}

/* The class of a label; the first row makes them. */
static lm_status
class_of(class_scores *s, const char *bytes, size_t length, uint32_t *number)
{
    bool found;

    LM_TRY(lm_intern_find(&s->classes, bytes, length, &found, number));
    if (found)
        return LM_OK;
    return lm_raise(s->ctx, LM_BAD_ARGUMENT, "labels must be the same in all rows");
}

static lm_status
make_classes(class_scores *s, const lm_metric_value *labels)
{
    uint32_t number;

    for (size_t i = 0; i < labels->count; i++)
        LM_TRY(
            lm_intern_add(&s->classes, labels->labels[i].bytes, labels->labels[i].length, &number));
    return LM_OK;
}

/* Every class has its score: as many labels as classes, and no class twice. */
static lm_status
place_scores(class_scores *s, const lm_metric_value *row, double *to)
{
    const lm_metric_value *labels = &row[1], *scores = &row[2];
    uint32_t number;

    for (size_t i = 1; i < width(s); i++)
        to[i] = NAN;
    for (size_t i = 0; i < labels->count; i++) {
        LM_TRY(class_of(s, labels->labels[i].bytes, labels->labels[i].length, &number));
        LM_TRY(lm_metric_refuse_nan(s->ctx, "a probability", scores->numbers[i]));
        if (!isnan(to[1 + number]))
            return lm_raise(s->ctx, LM_BAD_ARGUMENT, "labels of a row must be different");
        to[1 + number] = scores->numbers[i];
    }
    return LM_OK;
}

static lm_status
scores_add(void *counts, const lm_metric_value *row)
{
    class_scores *s = counts;
    uint32_t actual;
    bool found;
    double *to;

    LM_TRY(lm_metric_check_classes(s->ctx, &row[1], &row[2]));
    if (s->count == 0)
        LM_TRY(make_classes(s, &row[1]));
    if (row[1].count != s->classes.count)
        return lm_raise(s->ctx, LM_BAD_ARGUMENT,
                        "labels must be different, and the same in all rows");
    LM_TRY(lm_intern_find(&s->classes, row[0].bytes, row[0].length, &found, &actual));
    if (!found)
        return lm_raise(s->ctx, LM_BAD_ARGUMENT, "the actual label is not among the labels");
    LM_TRY(reserve(s));
    to = s->rows + s->count * width(s);
    to[0] = actual;
    LM_TRY(place_scores(s, row, to));
    s->count++;
    return LM_OK;
}

/* ---- Merging ---- */

/* Numbers in `into` of the classes of `from`; *numbers is to be freed. */
static lm_status
renumber(class_scores *into, const class_scores *from, const lm_label_map *map, uint32_t **numbers)
{
    lm_status status = LM_OK;

    *numbers = lm_alloc_array(into->ctx, width(from), sizeof **numbers);
    if (!*numbers)
        return LM_NO_MEMORY;
    for (uint32_t i = 0; status == LM_OK && i < from->classes.count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&from->classes, i, &length);

        if (map)
            map->map(map->opaque, &bytes, &length);
        status = into->count == 0 ? lm_intern_add(&into->classes, bytes, length, &(*numbers)[i])
                                  : class_of(into, bytes, length, &(*numbers)[i]);
    }
    if (status == LM_OK && into->classes.count != from->classes.count)
        status = lm_raise(into->ctx, LM_BAD_ARGUMENT, "labels must be the same in all rows");
    if (status != LM_OK)
        lm_free(into->ctx, *numbers);
    return status;
}

static lm_status
append_rows(class_scores *into, const class_scores *from, const uint32_t *numbers)
{
    for (size_t i = 0; i < from->count; i++) {
        const double *row = from->rows + i * width(from);
        double *to;

        LM_TRY(reserve(into));
        to = into->rows + into->count * width(into);
        to[0] = numbers[(uint32_t)row[0]];
        for (uint32_t j = 0; j < from->classes.count; j++)
            to[1 + numbers[j]] = row[1 + j];
        into->count++;
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(into->ctx));
    }
    return LM_OK;
}

static lm_status
scores_merge(void *into, const void *from, const lm_label_map *map)
{
    class_scores *all = into;
    const class_scores *more = from;
    uint32_t *numbers;
    lm_status status;

    if (more->count == 0)
        return LM_OK;
    LM_TRY(renumber(all, more, map, &numbers));
    status = append_rows(all, more, numbers);
    lm_free(all->ctx, numbers);
    return status;
}

/* ---- As bytes: the number of classes, each after its length, then the rows ---- */

static lm_status
scores_write(void *counts, lm_buffer *out)
{
    const class_scores *s = counts;

    LM_TRY(lm_buffer_append(out, &s->classes.count, sizeof s->classes.count));
    for (uint32_t i = 0; i < s->classes.count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&s->classes, i, &length);

        LM_TRY(lm_buffer_append(out, &length, sizeof length));
        LM_TRY(lm_buffer_append(out, bytes, length));
    }
    return lm_metric_append(out, s->rows, s->count * width(s) * sizeof *s->rows);
}

/* The next bytes of a message; NULL where fewer are left. */
static const char *
take(const char **bytes, size_t *size, size_t length)
{
    const char *taken = *bytes;

    if (length > *size)
        return NULL;
    *bytes += length;
    *size -= length;
    return taken;
}

static bool
read_classes(class_scores *s, uint32_t count, const char **bytes, size_t *size, lm_status *status)
{
    *status = LM_OK;
    for (uint32_t i = 0; i < count; i++) {
        const char *field = take(bytes, size, sizeof(size_t)), *label;
        size_t length;
        uint32_t number;

        if (!field)
            return false;
        memcpy(&length, field, sizeof length);
        if (!(label = take(bytes, size, length)))
            return false;
        *status = lm_intern_add(&s->classes, label, length, &number);
        if (*status != LM_OK || number != i)
            return *status != LM_OK;
    }
    return true;
}

/* Rows whose class is one. */
static bool
read_rows(class_scores *s, const char *bytes, size_t size, lm_status *status)
{
    size_t row = width(s) * sizeof(double);
    double actual;

    *status = LM_OK;
    for (; size > 0 && *status == LM_OK; bytes += row, size -= row) {
        if (size < row)
            return false;
        memcpy(&actual, bytes, sizeof actual);
        if (!(actual >= 0 && actual < s->classes.count))
            return false;
        if ((*status = reserve(s)) != LM_OK)
            return true;
        memcpy(s->rows + s->count++ * width(s), bytes, row);
        if (s->count % LM_METRIC_POLL == 0)
            *status = lm_poll(s->ctx);
    }
    return true;
}

static lm_status
scores_read(void *counts, const char *bytes, size_t size)
{
    class_scores *s = counts;
    const char *field = take(&bytes, &size, sizeof(uint32_t));
    lm_status status = LM_OK;
    uint32_t classes = 0;

    if (field)
        memcpy(&classes, field, sizeof classes);
    if (!field || !read_classes(s, classes, &bytes, &size, &status) ||
        (status == LM_OK && !read_rows(s, bytes, size, &status)))
        return lm_raise(s->ctx, LM_CORRUPT, "the scores of labels are not whole");
    return status;
}

static const lm_metric_column columns[] = {{"actual", LM_METRIC_LABEL},
                                           {"labels", LM_METRIC_LABELS},
                                           {"probabilities", LM_METRIC_NUMBERS},
                                           {NULL, 0}};

const lm_metric_counts lm_class_scores = {.columns = columns,
                                          .create = scores_create,
                                          .free = scores_free,
                                          .add = scores_add,
                                          .merge = scores_merge,
                                          .write = scores_write,
                                          .read = scores_read};

/* ---- The area under the curve ---- */

static lm_status
auc_of_class(const class_scores *s, uint32_t class, lm_sample *items, double *value)
{
    for (size_t i = 0; i < s->count; i++) {
        const double *row = s->rows + i * width(s);

        items[i] = (lm_sample){row[0] == class, row[1 + class]};
        if (i % LM_METRIC_POLL == 0)
            LM_TRY(lm_poll(s->ctx));
    }
    return lm_auc_of(s->ctx, items, s->count, value);
}

/* In the order of labels, so that the sum has the same bits whichever row came first. */
lm_status
lm_class_auc_result(void *counts, const lm_metric_value *settings, double *value)
{
    const class_scores *s = counts;
    lm_sample *items = lm_alloc_array(s->ctx, s->count + 1, sizeof *items);
    uint32_t *order = NULL;
    lm_status status = items ? lm_intern_sort(&s->classes, &order) : LM_NO_MEMORY;
    double sum = 0, area;

    for (uint32_t i = 0; status == LM_OK && i < s->classes.count; i++) {
        status = auc_of_class(s, order[i], items, &area);
        if (status == LM_OK)
            sum += area;
    }
    lm_free(s->ctx, order);
    lm_free(s->ctx, items);
    *value = sum / s->classes.count;
    return status;
}
