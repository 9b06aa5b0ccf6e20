/*
 * classification.c - counts of pairs of labels, and scores from them. See classification.h.
 *
 * Labels are interned, and so are pairs, as the bytes of their two numbers; totals and counts stand
 * in arrays by these numbers. Every label carries its own totals, so scores need no pass over the
 * pairs. Labels may be as many as rows: loops over them poll.
 */
#include "metrics/classification.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/intern.h"
#include "base/size.h"
#include "base/sort.h"

#define POLL_EVERY 8192         /* entries */
#define PIECE ((size_t)1 << 22) /* bytes that are cleared at once */

/* Rows where a label is the actual one, the predicted one, both. */
typedef struct totals {
    uint64_t actual, predicted, hits;
} totals;

/* Numbers of the labels of a pair: the bytes by which it is interned. */
typedef struct pair {
    uint32_t actual, predicted;
} pair;

struct lm_confusion {
    lm_context *ctx;
    lm_intern labels, pairs;
    totals *totals;   /* by label */
    uint64_t *counts; /* by pair */
    uint32_t totals_room, counts_room;
    uint64_t total, hits;
    const lm_label_ranks *order; /* of labels; NULL: that of their bytes */
};

static lm_status number_of_label(lm_confusion *c, const char *bytes, size_t length,
                                 uint32_t *number);
static lm_status count_pair(lm_confusion *c, pair p, uint64_t count);
static lm_status make_room(lm_confusion *c, void *array, uint32_t *room, const lm_intern *of,
                           size_t width);
static pair pair_of(const lm_confusion *c, uint32_t number);
static double quotient(uint64_t part, uint64_t whole);
static lm_status poll_at(lm_context *ctx, size_t entry);

/* ---- Counting ---- */

lm_status
lm_confusion_create(lm_context *ctx, lm_confusion **confusion)
{
    lm_confusion *c = lm_alloc_zero(ctx, sizeof *c);

    *confusion = c;
    if (!c)
        return LM_NO_MEMORY;
    c->ctx = ctx;
    lm_intern_init(&c->labels, ctx, "labels");
    lm_intern_init(&c->pairs, ctx, "pairs of labels");
    return LM_OK;
}

void
lm_confusion_free(lm_confusion *confusion)
{
    if (!confusion)
        return;
    lm_intern_free(&confusion->labels);
    lm_intern_free(&confusion->pairs);
    lm_free(confusion->ctx, confusion->totals);
    lm_free(confusion->ctx, confusion->counts);
    lm_free(confusion->ctx, confusion);
}

lm_status
lm_confusion_add(lm_confusion *confusion, const char *actual, size_t actual_length,
                 const char *predicted, size_t predicted_length, uint64_t count)
{
    pair p;

    if (count == 0)
        return LM_OK;
    LM_TRY(number_of_label(confusion, actual, actual_length, &p.actual));
    LM_TRY(number_of_label(confusion, predicted, predicted_length, &p.predicted));
    return count_pair(confusion, p, count);
}

static lm_status
number_of_label(lm_confusion *c, const char *bytes, size_t length, uint32_t *number)
{
    LM_TRY(lm_intern_add(&c->labels, bytes, length, number));
    if (c->labels.count <= c->totals_room)
        return LM_OK;
    return make_room(c, &c->totals, &c->totals_room, &c->labels, sizeof *c->totals);
}

/* No other count is larger than the total. */
static lm_status
count_pair(lm_confusion *c, pair p, uint64_t count)
{
    uint32_t number;
    uint64_t total;

    if (__builtin_add_overflow(c->total, count, &total))
        return lm_raise(c->ctx, LM_TOO_LARGE, "too many pairs of labels to count");
    LM_TRY(lm_intern_add(&c->pairs, (const char *)&p, sizeof p, &number));
    if (c->pairs.count > c->counts_room)
        LM_TRY(make_room(c, &c->counts, &c->counts_room, &c->pairs, sizeof *c->counts));
    c->counts[number] += count;
    c->totals[p.actual].actual += count;
    c->totals[p.predicted].predicted += count;
    c->total = total;
    if (p.actual == p.predicted) {
        c->totals[p.actual].hits += count;
        c->hits += count;
    }
    return LM_OK;
}

/* As many elements of zero as the table has room for entries. */
static lm_status
make_room(lm_confusion *c, void *array, uint32_t *room, const lm_intern *of, size_t width)
{
    char *grown;
    size_t bytes;

    memcpy(&grown, array, sizeof grown);
    if (lm_mul_overflows(of->room, width, &bytes) || !(grown = lm_realloc(c->ctx, grown, bytes)))
        return LM_NO_MEMORY;
    memcpy(array, &grown, sizeof grown);
    for (size_t at = *room * width; at < bytes; at += PIECE) {
        LM_TRY(lm_poll(c->ctx));
        memset(grown + at, 0, bytes - at < PIECE ? bytes - at : PIECE);
    }
    *room = of->room;
    return LM_OK;
}

static pair
pair_of(const lm_confusion *c, uint32_t number)
{
    size_t length;
    pair p;

    memcpy(&p, lm_intern_bytes(&c->pairs, number, &length), sizeof p);
    return p;
}

/* ---- Merging ---- */

/* Numbers in `into` of all labels of `from`; *numbers is to be freed. */
static lm_status
renumber(lm_confusion *into, const lm_confusion *from, const lm_label_map *map, uint32_t **numbers)
{
    lm_status status = LM_OK;

    *numbers = lm_alloc_array(into->ctx, (size_t)from->labels.count + 1, sizeof **numbers);
    if (!*numbers)
        return LM_NO_MEMORY;
    for (uint32_t i = 0; status == LM_OK && i < from->labels.count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&from->labels, i, &length);

        if (map)
            map->map(map->opaque, &bytes, &length);
        status = number_of_label(into, bytes, length, &(*numbers)[i]);
        if (status == LM_OK)
            status = poll_at(into->ctx, i);
    }
    if (status != LM_OK)
        lm_free(into->ctx, *numbers);
    return status;
}

lm_status
lm_confusion_merge(lm_confusion *into, const lm_confusion *from, const lm_label_map *map)
{
    uint32_t *numbers;
    lm_status status = LM_OK;

    LM_TRY(renumber(into, from, map, &numbers));
    for (uint32_t i = 0; status == LM_OK && i < from->pairs.count; i++) {
        pair p = pair_of(from, i);

        status = count_pair(into, (pair){numbers[p.actual], numbers[p.predicted]}, from->counts[i]);
        if (status == LM_OK)
            status = poll_at(into->ctx, i);
    }
    lm_free(into->ctx, numbers);
    return status;
}

/* ---- Scores ---- */

double
lm_confusion_accuracy(const lm_confusion *confusion)
{
    return quotient(confusion->hits, confusion->total);
}

uint64_t
lm_confusion_total(const lm_confusion *confusion)
{
    return confusion->total;
}

static lm_label_score
score_of(const lm_confusion *c, uint32_t label)
{
    const totals *t = &c->totals[label];
    lm_label_score score = {.precision = quotient(t->hits, t->predicted),
                            .recall = quotient(t->hits, t->actual),
                            .f1 = quotient(2 * t->hits, t->predicted + t->actual),
                            .support = t->actual};

    score.label = lm_intern_bytes(&c->labels, label, &score.length);
    return score;
}

lm_status
lm_confusion_scores(lm_confusion *confusion, lm_label_score **scores, size_t *count)
{
    lm_context *ctx = confusion->ctx;
    uint32_t labels = confusion->labels.count, *order;
    lm_status status = LM_OK;

    *count = 0;
    LM_TRY(lm_intern_sort(&confusion->labels, &order));
    *scores = lm_alloc_array(ctx, (size_t)labels + 1, sizeof **scores);
    if (!*scores)
        status = LM_NO_MEMORY;
    for (uint32_t i = 0; status == LM_OK && i < labels; i++) {
        (*scores)[i] = score_of(confusion, order[i]);
        status = poll_at(ctx, i);
    }
    lm_free(ctx, order);
    if (status == LM_OK) {
        *count = labels;
        return LM_OK;
    }
    lm_free(ctx, *scores);
    *scores = NULL;
    return status;
}

/* Each row has one label of each kind: micro precision, recall and F1 are the accuracy. */
lm_status
lm_confusion_averages(const lm_confusion *confusion, const lm_label_score *scores, size_t count,
                      lm_averages *averages)
{
    double accuracy = lm_confusion_accuracy(confusion), rows = (double)confusion->total;
    lm_average *macro = &averages->macro, *weighted = &averages->weighted;

    averages->micro = (lm_average){accuracy, accuracy, accuracy, confusion->total};
    *macro = *weighted = (lm_average){.support = confusion->total};
    for (size_t i = 0; i < count; i++) {
        double share = rows > 0 ? (double)scores[i].support / rows : 0;

        macro->precision += scores[i].precision / (double)count;
        macro->recall += scores[i].recall / (double)count;
        macro->f1 += scores[i].f1 / (double)count;
        weighted->precision += scores[i].precision * share;
        weighted->recall += scores[i].recall * share;
        weighted->f1 += scores[i].f1 * share;
        LM_TRY(poll_at(confusion->ctx, i));
    }
    return LM_OK;
}

/* ---- Pairs in order ---- */

/* A pair in the order of visits: its labels' ranks in one number. */
typedef struct visit_key {
    uint64_t ranks;
    uint32_t pair;
} visit_key;

static int
compare_visits(const void *a, const void *b)
{
    uint64_t x = ((const visit_key *)a)->ranks, y = ((const visit_key *)b)->ranks;

    return (x > y) - (x < y);
}

/* The rank of each label in the order of bytes; *ranks is to be freed. */
static lm_status
rank_labels(const lm_confusion *c, uint32_t **ranks)
{
    uint32_t *order;
    lm_status status = LM_OK;

    LM_TRY(lm_intern_sort(&c->labels, &order));
    *ranks = lm_alloc_array(c->ctx, (size_t)c->labels.count + 1, sizeof **ranks);
    if (!*ranks)
        status = LM_NO_MEMORY;
    for (uint32_t i = 0; status == LM_OK && i < c->labels.count; i++) {
        (*ranks)[order[i]] = i;
        status = poll_at(c->ctx, i);
    }
    lm_free(c->ctx, order);
    if (status != LM_OK)
        lm_free(c->ctx, *ranks);
    return status;
}

/* Fill in and sort the keys of all pairs. */
static lm_status
sort_keys(const lm_confusion *c, const uint32_t *ranks, visit_key *keys)
{
    for (uint32_t i = 0; i < c->pairs.count; i++) {
        pair p = pair_of(c, i);

        keys[i] = (visit_key){(uint64_t)ranks[p.actual] << 32 | ranks[p.predicted], i};
        LM_TRY(poll_at(c->ctx, i));
    }
    return lm_sort(c->ctx, keys, c->pairs.count, sizeof *keys, compare_visits);
}

/* Keys of all pairs, sorted; *keys is to be freed. */
static lm_status
order_pairs(const lm_confusion *c, visit_key **keys)
{
    uint32_t *ranks;
    lm_status status = LM_NO_MEMORY;

    LM_TRY(rank_labels(c, &ranks));
    *keys = lm_alloc_array(c->ctx, (size_t)c->pairs.count + 1, sizeof **keys);
    if (*keys)
        status = sort_keys(c, ranks, *keys);
    lm_free(c->ctx, ranks);
    if (status != LM_OK)
        lm_free(c->ctx, *keys);
    return status;
}

lm_status
lm_confusion_visit(lm_confusion *confusion,
                   void (*visit)(void *opaque, const char *actual, size_t actual_length,
                                 const char *predicted, size_t predicted_length, uint64_t count),
                   void *opaque)
{
    visit_key *keys;
    lm_status status = LM_OK;

    LM_TRY(order_pairs(confusion, &keys));
    for (uint32_t i = 0; status == LM_OK && i < confusion->pairs.count; i++) {
        pair p = pair_of(confusion, keys[i].pair);
        size_t actual_length, predicted_length;
        const char *actual = lm_intern_bytes(&confusion->labels, p.actual, &actual_length);
        const char *predicted = lm_intern_bytes(&confusion->labels, p.predicted, &predicted_length);

        visit(opaque, actual, actual_length, predicted, predicted_length,
              confusion->counts[keys[i].pair]);
        status = poll_at(confusion->ctx, i);
    }
    lm_free(confusion->ctx, keys);
    return status;
}

/* A quotient with denominator 0 is 0, as zero_division=0 of scikit-learn. */
static double
quotient(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* Now and then in a loop over entries. */
static lm_status
poll_at(lm_context *ctx, size_t entry)
{
    return entry % POLL_EVERY == 0 ? lm_poll(ctx) : LM_OK;
}

/* ---- As counts of metrics ---- */
/*
 * Written: the number of labels, each label after its length, then each pair with its count. All in
 * the order of this machine: counts travel between processes of one server.
 */

static lm_status
pairs_create(lm_context *ctx, void **counts)
{
    lm_confusion *c;
    lm_status status = lm_confusion_create(ctx, &c);

    *counts = c;
    return status;
}

static void
pairs_free(void *counts)
{
    lm_confusion_free(counts);
}

static lm_status
pairs_add(void *counts, const lm_metric_value *row)
{
    return lm_confusion_add(counts, row[0].bytes, row[0].length, row[1].bytes, row[1].length, 1);
}

static lm_status
pairs_merge(void *into, const void *from, const lm_label_map *map)
{
    return lm_confusion_merge(into, from, map);
}

static lm_status
pairs_write(void *counts, lm_buffer *out)
{
    const lm_confusion *c = counts;

    LM_TRY(lm_buffer_append(out, &c->labels.count, sizeof c->labels.count));
    for (uint32_t i = 0; i < c->labels.count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&c->labels, i, &length);

        LM_TRY(lm_buffer_append(out, &length, sizeof length));
        LM_TRY(lm_buffer_append(out, bytes, length));
        LM_TRY(poll_at(c->ctx, i));
    }
    for (uint32_t i = 0; i < c->pairs.count; i++) {
        pair p = pair_of(c, i);

        LM_TRY(lm_buffer_append(out, &p, sizeof p));
        LM_TRY(lm_buffer_append(out, &c->counts[i], sizeof c->counts[i]));
        LM_TRY(poll_at(c->ctx, i));
    }
    return LM_OK;
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

static lm_status
malformed(lm_context *ctx)
{
    return lm_raise(ctx, LM_CORRUPT, "the counts of labels are not whole");
}

/* Labels get their numbers again, since they come in the order of these. */
static lm_status
read_labels(lm_confusion *c, uint32_t count, const char **bytes, size_t *size)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *field = take(bytes, size, sizeof(size_t)), *label;
        size_t length;
        uint32_t number;

        if (!field)
            return malformed(c->ctx);
        memcpy(&length, field, sizeof length);
        if (!(label = take(bytes, size, length)))
            return malformed(c->ctx);
        LM_TRY(number_of_label(c, label, length, &number));
        if (number != i)
            return malformed(c->ctx);
        LM_TRY(poll_at(c->ctx, i));
    }
    return LM_OK;
}

static lm_status
pairs_read(void *counts, const char *bytes, size_t size)
{
    lm_confusion *c = counts;
    const char *field = take(&bytes, &size, sizeof c->labels.count);
    uint32_t labels;

    if (!field)
        return malformed(c->ctx);
    memcpy(&labels, field, sizeof labels);
    LM_TRY(read_labels(c, labels, &bytes, &size));
    for (size_t i = 0; size > 0; i++) {
        uint64_t count;
        pair p;

        if (!(field = take(&bytes, &size, sizeof p + sizeof count)))
            return malformed(c->ctx);
        memcpy(&p, field, sizeof p);
        memcpy(&count, field + sizeof p, sizeof count);
        if (p.actual >= labels || p.predicted >= labels)
            return malformed(c->ctx);
        LM_TRY(count_pair(c, p, count));
        LM_TRY(poll_at(c->ctx, i));
    }
    return LM_OK;
}

static const lm_metric_column pair_columns[] = {
    {"actual", LM_METRIC_LABEL}, {"predicted", LM_METRIC_LABEL}, {NULL, 0}};

const lm_metric_counts lm_label_pairs = {.columns = pair_columns,
                                         .create = pairs_create,
                                         .free = pairs_free,
                                         .add = pairs_add,
                                         .merge = pairs_merge,
                                         .write = pairs_write,
                                         .read = pairs_read};

static void
pairs_rank(void *counts, const lm_label_ranks *ranks)
{
    ((lm_confusion *)counts)->order = ranks;
}

const lm_metric_counts lm_ordered_pairs = {.columns = pair_columns,
                                           .create = pairs_create,
                                           .free = pairs_free,
                                           .add = pairs_add,
                                           .merge = pairs_merge,
                                           .write = pairs_write,
                                           .read = pairs_read,
                                           .rank = pairs_rank};

/* ---- Precision, recall and F1 ---- */

/* Settings. */
enum { AVERAGE, LABEL };
const lm_metric_column lm_f1_settings[] = {
    [AVERAGE] = {"average", LM_METRIC_TEXT}, [LABEL] = {"label", LM_METRIC_LABEL}, {NULL, 0}};

static const struct {
    const char *name;
    size_t at;
} averages[] = {{"macro", offsetof(lm_averages, macro)},
                {"micro", offsetof(lm_averages, micro)},
                {"weighted", offsetof(lm_averages, weighted)}};
#define AVERAGES ((int)(sizeof averages / sizeof averages[0]))
#define MACRO 0 /* where none is given */

/* The scores of the table of metrics, and where they stand. */
typedef struct score_kind {
    const char *name;
    size_t in_average, in_label;
} score_kind;

static const score_kind precision_kind = {"precision_score", offsetof(lm_average, precision),
                                          offsetof(lm_label_score, precision)};
static const score_kind recall_kind = {"recall_score", offsetof(lm_average, recall),
                                       offsetof(lm_label_score, recall)};
static const score_kind f1_kind = {"f1", offsetof(lm_average, f1), offsetof(lm_label_score, f1)};

static double
member(const void *of, size_t at)
{
    double value;

    memcpy(&value, (const char *)of + at, sizeof value);
    return value;
}

static bool
is_word(const lm_metric_value *value, const char *word)
{
    return value->length == strlen(word) && memcmp(value->bytes, word, value->length) == 0;
}

/* Which average is meant; −1: none of the table's. */
static int
average_of(const lm_metric_value *setting)
{
    for (int i = 0; i < AVERAGES; i++)
        if (is_word(setting, averages[i].name))
            return i;
    return -1;
}

static lm_status
check_average(lm_context *ctx, const score_kind *kind, const lm_metric_value *settings)
{
    const lm_metric_value *average = &settings[AVERAGE];
    bool labelled = settings[LABEL].bytes != NULL;

    if (!average->bytes)
        return LM_OK;
    if (is_word(average, "binary")) {
        if (labelled)
            return LM_OK;
        lm_raise(ctx, LM_BAD_ARGUMENT, "%s with the average \"binary\" needs a label", kind->name);
        return lm_detail_hint(ctx, "Use %s(actual, predicted, 'binary', 'label').", kind->name);
    }
    if (labelled)
        return lm_raise(ctx, LM_BAD_ARGUMENT,
                        "%s takes a label only with the average \"binary\", not \"%.*s\"",
                        kind->name, (int)average->length, average->bytes);
    if (average_of(average) >= 0)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "invalid average for %s: \"%.*s\"", kind->name,
             (int)average->length, average->bytes);
    return lm_detail_hint(ctx, "Allowed values: micro, macro, weighted, binary.");
}

/* That of one label; 0 where it was neither there nor predicted. */
static lm_status
score_of_label(const lm_confusion *c, const score_kind *kind, const lm_metric_value *label,
               double *value)
{
    lm_label_score score;
    uint32_t number;
    bool found;

    LM_TRY(lm_intern_find(&c->labels, label->bytes, label->length, &found, &number));
    *value = 0;
    if (found) {
        score = score_of(c, number);
        *value = member(&score, kind->in_label);
    }
    return LM_OK;
}

/* Sums run over labels in their order, so that workers and one process give the same bits. */
static lm_status
score_result(lm_confusion *c, const score_kind *kind, const lm_metric_value *settings,
             double *value)
{
    int average = settings[AVERAGE].bytes ? average_of(&settings[AVERAGE]) : MACRO;
    lm_label_score *scores;
    lm_averages means;
    size_t count;
    lm_status status;

    if (average < 0)
        return score_of_label(c, kind, &settings[LABEL], value);
    LM_TRY(lm_confusion_scores(c, &scores, &count));
    status = lm_confusion_averages(c, scores, count, &means);
    *value = member((const char *)&means + averages[average].at, kind->in_average);
    lm_free(c->ctx, scores);
    return status;
}

lm_status
lm_f1_check(lm_context *ctx, const lm_metric_value *settings)
{
    return check_average(ctx, &f1_kind, settings);
}

lm_status
lm_f1_result(void *counts, const lm_metric_value *settings, double *value)
{
    return score_result(counts, &f1_kind, settings, value);
}

lm_status
lm_precision_check(lm_context *ctx, const lm_metric_value *settings)
{
    return check_average(ctx, &precision_kind, settings);
}

lm_status
lm_precision_result(void *counts, const lm_metric_value *settings, double *value)
{
    return score_result(counts, &precision_kind, settings, value);
}

lm_status
lm_recall_check(lm_context *ctx, const lm_metric_value *settings)
{
    return check_average(ctx, &recall_kind, settings);
}

lm_status
lm_recall_result(void *counts, const lm_metric_value *settings, double *value)
{
    return score_result(counts, &recall_kind, settings, value);
}

lm_status
lm_accuracy_result(void *counts, const lm_metric_value *settings, double *value)
{
    *value = ((const lm_confusion *)counts)->total > 0 ? lm_confusion_accuracy(counts) : NAN;
    return LM_OK;
}

/* In the order of labels, as all sums. */
lm_status
lm_balanced_accuracy_result(void *counts, const lm_metric_value *settings, double *value)
{
    lm_confusion *c = counts;
    lm_label_score *scores;
    size_t count, actual = 0;
    double sum = 0;
    lm_status status = LM_OK;

    LM_TRY(lm_confusion_scores(c, &scores, &count));
    for (size_t i = 0; status == LM_OK && i < count; i++) {
        actual += scores[i].support > 0;
        sum += scores[i].recall;
        status = poll_at(c->ctx, i);
    }
    lm_free(c->ctx, scores);
    *value = actual > 0 ? sum / (double)actual : NAN;
    return status;
}

/* ---- Matthews' correlation ---- */

/*
 * For any number of labels (Gorodkin 2004), as scikit-learn computes it: with s rows, c of them
 * right, and of label k t actual and p predicted ones,
 * (s·c − Σ t·p) / √((s² − Σ t²)(s² − Σ p²)). Undefined where all rows have one label on a side.
 */
lm_status
lm_matthews_result(void *counts, const lm_metric_value *settings, double *value)
{
    const lm_confusion *c = counts;
    double rows = (double)c->total, both = 0, actual = 0, predicted = 0;

    for (uint32_t i = 0; i < c->labels.count; i++) {
        double t = (double)c->totals[i].actual, p = (double)c->totals[i].predicted;

        both += t * p;
        actual += t * t;
        predicted += p * p;
        LM_TRY(poll_at(c->ctx, i));
    }
    *value = (rows * (double)c->hits - both) /
             (sqrt(rows * rows - actual) * sqrt(rows * rows - predicted));
    return LM_OK;
}

/* ---- Cohen's kappa ---- */

const lm_metric_column lm_kappa_settings[] = {{"weights", LM_METRIC_TEXT}, {NULL, 0}};

/*
 * What is observed and what chance would give, in units of rows times weight: kappa is one minus
 * their quotient. Chance is Σ w(i, j) t(i) p(j) / s over all pairs of ranks, where t and p are the
 * totals of actual and predicted labels; each weight has a form of it that takes one pass.
 */
typedef struct disagreement {
    double observed, chance;
} disagreement;

/* Totals in the order of ranks. */
typedef struct ranked {
    const lm_confusion *c;
    uint32_t *ranks;  /* by label */
    totals *in_order; /* by rank */
} ranked;

static double
distance(const ranked *r, uint32_t number)
{
    pair p = pair_of(r->c, number);

    return fabs((double)r->ranks[p.actual] - (double)r->ranks[p.predicted]);
}

static double
weigh_none(double distance)
{
    return distance > 0;
}

static double
weigh_linear(double distance)
{
    return distance;
}

static double
weigh_quadratic(double distance)
{
    return distance * distance;
}

/* All pairs but those of equal labels. */
static lm_status
chance_none(const ranked *r, double *sum)
{
    double rows = (double)r->c->total, same = 0;

    for (uint32_t i = 0; i < r->c->labels.count; i++) {
        same += (double)r->in_order[i].actual * (double)r->in_order[i].predicted;
        LM_TRY(poll_at(r->c->ctx, i));
    }
    *sum = rows * rows - same;
    return LM_OK;
}

/* A distance is the number of borders between two ranks: of each, the pairs that lie across it. */
static lm_status
chance_linear(const ranked *r, double *sum)
{
    double rows = (double)r->c->total, actual = 0, predicted = 0;

    *sum = 0;
    for (uint32_t i = 0; i < r->c->labels.count; i++) {
        actual += (double)r->in_order[i].actual;
        predicted += (double)r->in_order[i].predicted;
        *sum += actual * (rows - predicted) + predicted * (rows - actual);
        LM_TRY(poll_at(r->c->ctx, i));
    }
    return LM_OK;
}

/* (i − j)² = i² − 2ij + j² */
static lm_status
chance_quadratic(const ranked *r, double *sum)
{
    double squares = 0, actual = 0, predicted = 0;

    for (uint32_t i = 0; i < r->c->labels.count; i++) {
        double t = (double)r->in_order[i].actual, p = (double)r->in_order[i].predicted;

        squares += (double)i * i * (t + p);
        actual += i * t;
        predicted += i * p;
        LM_TRY(poll_at(r->c->ctx, i));
    }
    *sum = (double)r->c->total * squares - 2 * actual * predicted;
    return LM_OK;
}

static const struct {
    const char *name;
    double (*weigh)(double distance);
    lm_status (*chance)(const ranked *r, double *sum);
} weights[] = {{"none", weigh_none, chance_none},
               {"linear", weigh_linear, chance_linear},
               {"quadratic", weigh_quadratic, chance_quadratic}};
#define WEIGHTS ((int)(sizeof weights / sizeof weights[0]))

/* The row that is meant; −1: none. */
static int
weights_of(const lm_metric_value *setting)
{
    if (!setting->bytes)
        return 0;
    for (int i = 0; i < WEIGHTS; i++)
        if (is_word(setting, weights[i].name))
            return i;
    return -1;
}

lm_status
lm_kappa_check(lm_context *ctx, const lm_metric_value *settings)
{
    if (weights_of(settings) >= 0)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "invalid weights for cohen_kappa: \"%.*s\"",
             (int)settings->length, settings->bytes);
    return lm_detail_hint(ctx, "Allowed values: none, linear, quadratic.");
}

/* The ranks of labels in the order that the caller gave. */
static lm_status
given_ranks(const lm_confusion *c, uint32_t *ranks)
{
    for (uint32_t i = 0; i < c->labels.count; i++) {
        size_t length;
        const char *bytes = lm_intern_bytes(&c->labels, i, &length);

        ranks[i] = c->order->rank(c->order->opaque, bytes, length);
        LM_TRY(poll_at(c->ctx, i));
    }
    return LM_OK;
}

/*
 * Not every value of a type that the caller ranks is a label here (a setting is one as well), so
 * ranks are made whole: labels in their order, without gaps.
 */
static lm_status
close_gaps(const lm_confusion *c, uint32_t *ranks)
{
    visit_key *keys = lm_alloc_array(c->ctx, (size_t)c->labels.count + 1, sizeof *keys);
    lm_status status = keys ? LM_OK : LM_NO_MEMORY;

    for (uint32_t i = 0; keys && i < c->labels.count; i++)
        keys[i] = (visit_key){ranks[i], i};
    if (status == LM_OK)
        status = lm_sort(c->ctx, keys, c->labels.count, sizeof *keys, compare_visits);
    for (uint32_t i = 0; status == LM_OK && i < c->labels.count; i++) {
        ranks[keys[i].pair] = i;
        status = poll_at(c->ctx, i);
    }
    lm_free(c->ctx, keys);
    return status;
}

/* *ranks is to be freed. */
static lm_status
order_labels(const lm_confusion *c, uint32_t **ranks)
{
    lm_status status;

    if (!c->order)
        return rank_labels(c, ranks);
    *ranks = lm_alloc_array(c->ctx, (size_t)c->labels.count + 1, sizeof **ranks);
    if (!*ranks)
        return LM_NO_MEMORY;
    status = given_ranks(c, *ranks);
    if (status == LM_OK)
        status = close_gaps(c, *ranks);
    if (status != LM_OK)
        lm_free(c->ctx, *ranks);
    return status;
}

/* Sums of whole numbers below 2^53 are exact, in whatever order. */
static lm_status
disagree(const ranked *r, int weight, disagreement *d)
{
    for (uint32_t i = 0; i < r->c->labels.count; i++) {
        r->in_order[r->ranks[i]] = r->c->totals[i];
        LM_TRY(poll_at(r->c->ctx, i));
    }
    d->observed = 0;
    for (uint32_t i = 0; i < r->c->pairs.count; i++) {
        d->observed += weights[weight].weigh(distance(r, i)) * (double)r->c->counts[i];
        LM_TRY(poll_at(r->c->ctx, i));
    }
    return weights[weight].chance(r, &d->chance);
}

lm_status
lm_kappa_result(void *counts, const lm_metric_value *settings, double *value)
{
    lm_confusion *c = counts;
    ranked r = {.c = c};
    disagreement d;
    lm_status status = LM_NO_MEMORY;

    LM_TRY(order_labels(c, &r.ranks));
    r.in_order = lm_alloc_array(c->ctx, (size_t)c->labels.count + 1, sizeof *r.in_order);
    if (r.in_order)
        status = disagree(&r, weights_of(settings), &d);
    lm_free(c->ctx, r.in_order);
    lm_free(c->ctx, r.ranks);
    if (status == LM_OK)
        *value = d.chance > 0 ? 1 - d.observed * (double)c->total / d.chance : NAN;
    return status;
}
