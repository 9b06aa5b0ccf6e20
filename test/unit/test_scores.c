/*
 * test_scores.c - every measure of labels, scores and rankings against scikit-learn 1.9.1 and scipy
 * 1.17 on 500 rows from a linear congruence; merges and what travels, which change no bit; every
 * failing allocation, every poll, bytes that are not whole; and what is refused.
 */
#include "fake.h"
#include "metrics/calibration.h"
#include "metrics/class_scores.h"
#include "metrics/classification.h"
#include "metrics/correlation.h"
#include "metrics/drift.h"
#include "metrics/ranking.h"
#include "unit.h"

#define ROWS 500
#define CLASSES 5

static const char *const names[CLASSES] = {"a", "b", "c", "d", "a label that is long"};

/* ---- Rows ---- */

typedef struct row {
    lm_metric_value values[LM_METRIC_COLUMNS_MAX];
    lm_text labels[CLASSES];
    double numbers[CLASSES];
} row;

static uint32_t
next(uint32_t *state)
{
    return *state = *state * 1664525u + 1013904223u;
}

static lm_metric_value
label(uint32_t class)
{
    return (lm_metric_value){.bytes = names[class], .length = strlen(names[class])};
}

static lm_metric_value
draw_label(row *r, int column, int i, uint32_t *state)
{
    uint32_t class = (next(state) >> 20) % CLASSES, keep = (next(state) >> 12) % 3;

    if (column == 0 || keep == 0)
        return label(class);
    return (lm_metric_value){.bytes = r->values[0].bytes, .length = r->values[0].length};
}

static lm_metric_value
draw_number(row *r, int column, int i, uint32_t *state)
{
    return (lm_metric_value){.number = (next(state) >> 16) % 64 / 64.0};
}

static lm_metric_value
draw_bool(row *r, int column, int i, uint32_t *state)
{
    return (lm_metric_value){.whole = (next(state) >> 20) % 3 == 0};
}

/* Each row begins with another label. */
static lm_metric_value
draw_labels(row *r, int column, int i, uint32_t *state)
{
    for (int j = 0; j < CLASSES; j++) {
        const char *name = names[(i + j) % CLASSES];

        r->labels[j] = (lm_text){name, strlen(name)};
    }
    return (lm_metric_value){.labels = r->labels, .count = CLASSES};
}

static lm_metric_value
draw_numbers(row *r, int column, int i, uint32_t *state)
{
    for (int j = 0; j < CLASSES; j++)
        r->numbers[j] = (next(state) >> 16) % 64 / 64.0;
    return (lm_metric_value){.numbers = r->numbers, .count = CLASSES};
}

static lm_metric_value (*const draws[])(row *r, int column, int i,
                                        uint32_t *state) = {[LM_METRIC_LABEL] = draw_label,
                                                            [LM_METRIC_NUMBER] = draw_number,
                                                            [LM_METRIC_BOOL] = draw_bool,
                                                            [LM_METRIC_LABELS] = draw_labels,
                                                            [LM_METRIC_NUMBERS] = draw_numbers};

/* Rows [from, to) of those that a seed gives. */
static lm_status
add_rows(const lm_metric *metric, void *counts, int from, int to)
{
    const lm_metric_column *columns = metric->counts->columns;
    uint32_t state = 7;
    row r;

    for (int i = 0; i < to; i++) {
        for (int c = 0; columns[c].name; c++)
            r.values[c] = draws[columns[c].type](&r, c, i, &state);
        if (i >= from)
            LM_TRY(metric->counts->add(counts, r.values));
    }
    return LM_OK;
}

/* ---- Measures ---- */

#define WORD(text)                                  \
    {                                               \
        .bytes = (text), .length = sizeof(text) - 1 \
    }
#define WHOLE(n)                  \
    {                             \
        .bytes = "", .whole = (n) \
    }
#define NUMBER(x)                  \
    {                              \
        .bytes = "", .number = (x) \
    }

static const struct {
    lm_metric_id metric;
    lm_metric_value settings[LM_METRIC_SETTINGS_MAX];
    double value;
} cases_of[] = {
    {LM_METRIC_f1, {{0}}, 0.710301870286255},
    {LM_METRIC_f1, {WORD("micro")}, 0.712},
    {LM_METRIC_f1, {WORD("weighted")}, 0.711784491634166},
    {LM_METRIC_f1, {WORD("binary"), WORD("b")}, 0.6875},
    {LM_METRIC_f1, {WORD("binary"), WORD("none")}, 0},
    {LM_METRIC_precision_score, {{0}}, 0.711949125250469},
    {LM_METRIC_precision_score, {WORD("micro")}, 0.712},
    {LM_METRIC_precision_score, {WORD("weighted")}, 0.71347293821938},
    {LM_METRIC_precision_score, {WORD("binary"), WORD("b")}, 0.717391304347826},
    {LM_METRIC_precision_score, {WORD("binary"), WORD("none")}, 0},
    {LM_METRIC_recall_score, {{0}}, 0.71061684414371},
    {LM_METRIC_recall_score, {WORD("micro")}, 0.712},
    {LM_METRIC_recall_score, {WORD("weighted")}, 0.712},
    {LM_METRIC_recall_score, {WORD("binary"), WORD("b")}, 0.66},
    {LM_METRIC_recall_score, {WORD("binary"), WORD("none")}, 0},
    {LM_METRIC_balanced_accuracy, {{0}}, 0.71061684414371},
    {LM_METRIC_cohen_kappa, {{0}}, 0.639646853916839},
    {LM_METRIC_matthews, {{0}}, 0.640063418772126},
    {LM_METRIC_cohen_kappa, {WORD("linear")}, 0.646282031127181},
    {LM_METRIC_cohen_kappa, {WORD("quadratic")}, 0.660292650161264},
    {LM_METRIC_log_loss, {{0}}, 1.59232716961121},
    {LM_METRIC_binary_log_loss, {{0}}, 1.3186831521133},
    {LM_METRIC_brier, {{0}}, 0.33392724609375},
    {LM_METRIC_ece, {{0}}, 0.28665625},
    {LM_METRIC_auc, {{0}}, 0.507079024597721},
    {LM_METRIC_binary_auc, {{0}}, 0.48183877736718},
    {LM_METRIC_average_precision, {{0}}, 0.297074910858986},
    {LM_METRIC_coverage_at, {NUMBER(0.35)}, 0},
    {LM_METRIC_mrr, {{0}}, 0.370408163265306},
    {LM_METRIC_mrr, {WHOLE(2)}, 0.214285714285714},
    {LM_METRIC_recall_at, {{0}}, 0.0101910828025478},
    {LM_METRIC_recall_at, {WHOLE(100)}, 0.191082802547771},
    {LM_METRIC_ndcg, {{0}}, 0.881885880647759},
    {LM_METRIC_ndcg, {WHOLE(20)}, 0.472845233263579},
    {LM_METRIC_pearson, {{0}}, 0.0225526960245299},
    {LM_METRIC_spearman, {{0}}, 0.0287601277571651},
    {LM_METRIC_kendall, {{0}}, 0.0201637708151487},
    {LM_METRIC_ks, {{0}}, 0.0707322055300737},
    {LM_METRIC_psi, {{0}}, 0.146985006009131},
};
#define COUNT ((int)(sizeof cases_of / sizeof cases_of[0]))

/* Rows from one process; from a second one as bytes. */
static lm_status
measure(lm_context *ctx, int c, double *value)
{
    const lm_metric *metric = &lm_metrics[cases_of[c].metric];
    void *counts, *part = NULL, *read = NULL;
    lm_buffer sent;
    lm_status status = metric->counts->create(ctx, &counts);

    lm_buffer_init(&sent, ctx);
    if (status == LM_OK)
        status = add_rows(metric, counts, 0, 200);
    if (status == LM_OK)
        status = metric->counts->create(ctx, &part);
    if (status == LM_OK)
        status = add_rows(metric, part, 200, ROWS);
    if (status == LM_OK)
        status = metric->counts->write(part, &sent);
    if (status == LM_OK)
        status = metric->counts->create(ctx, &read);
    if (status == LM_OK)
        status = metric->counts->read(read, sent.data, sent.size);
    if (status == LM_OK)
        status = metric->counts->merge(read, counts, NULL);
    if (status == LM_OK)
        status = metric->result(read, cases_of[c].settings, value);
    lm_buffer_free(&sent);
    metric->counts->free(counts);
    metric->counts->free(part);
    metric->counts->free(read);
    return status;
}

static void
equal_references(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < COUNT; i++) {
        const lm_metric *metric = &lm_metrics[cases_of[i].metric];
        double value, again, merged;
        void *counts;

        CHECK_OK(&ctx, metric->counts->create(&ctx, &counts));
        CHECK_OK(&ctx, add_rows(metric, counts, 0, ROWS));
        if (metric->check)
            CHECK_OK(&ctx, metric->check(&ctx, cases_of[i].settings));
        CHECK_OK(&ctx, metric->result(counts, cases_of[i].settings, &value));
        CHECK_OK(&ctx, metric->result(counts, cases_of[i].settings, &again));
        CHECK_OK(&ctx, measure(&ctx, i, &merged));
        CHECK_NEAR(value, cases_of[i].value, 1e-12);
        CHECK(value == again);
        CHECK(value == merged);
        metric->counts->free(counts);
    }
}

static void
faults(void)
{
    for (int i = 0; i < COUNT; i++) {
        fake_memory memory = {0};
        lm_context ctx;
        double value;
        int calls, polls;

        fake_context(&ctx, &memory);
        CHECK_EQ_INT(measure(&ctx, i, &value), LM_OK);
        calls = memory.calls;
        polls = memory.polls;
        for (int at = 1; at <= calls; at++) {
            memory = (fake_memory){.fail_at = at};
            CHECK_EQ_INT(measure(&ctx, i, &value), LM_NO_MEMORY);
            CHECK_EQ_INT(memory.live, 0);
        }
        for (int at = 1; at <= polls; at++) {
            memory = (fake_memory){.stop_at = at};
            CHECK_EQ_INT(measure(&ctx, i, &value), LM_CANCELLED);
            CHECK_EQ_INT(memory.live, 0);
        }
    }
}

/* What is cut off is refused, or has fewer rows. */
static void
damaged(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (int i = 0; i < COUNT; i++) {
        const lm_metric_counts *kind = lm_metrics[cases_of[i].metric].counts;
        lm_buffer sent;
        void *counts, *read;
        size_t step = unit_stride() | 1, refused = 0;

        lm_buffer_init(&sent, &ctx);
        CHECK_OK(&ctx, kind->create(&ctx, &counts));
        CHECK_OK(&ctx, add_rows(&lm_metrics[cases_of[i].metric], counts, 0, 5));
        CHECK_OK(&ctx, kind->write(counts, &sent));
        for (size_t size = 0; size < sent.size; size += step) {
            char *exact = malloc(size + 1);
            lm_status status;

            memcpy(exact, sent.data, size);
            CHECK_OK(&ctx, kind->create(&ctx, &read));
            status = kind->read(read, exact, size);
            CHECK(status == LM_CORRUPT || status == LM_OK);
            refused += status == LM_CORRUPT;
            kind->free(read);
            free(exact);
        }
        CHECK(refused > sent.size / step / 2);
        kind->free(counts);
        lm_buffer_free(&sent);
    }
}

/* ---- Edges ---- */

static double
value_of(const lm_metric *metric, const lm_metric_value (*rows)[3], int count,
         const lm_metric_value *settings)
{
    lm_context ctx;
    void *counts;
    double value;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, metric->counts->create(&ctx, &counts));
    for (int i = 0; i < count; i++)
        CHECK_OK(&ctx, metric->counts->add(counts, rows[i]));
    CHECK_OK(&ctx, metric->result(counts, settings, &value));
    metric->counts->free(counts);
    return value;
}

#define VALUE(name, rows, count, settings) \
    value_of(&lm_metrics[LM_METRIC_##name], rows, count, settings)

static void
undefined(void)
{
    const lm_metric_value none[LM_METRIC_SETTINGS_MAX] = {{0}}, target[] = {NUMBER(0.9)};
    const lm_metric_value three[] = {WHOLE(3)};
    const lm_metric_value yes[][3] = {{{.whole = 1}, {.number = .5}},
                                      {{.whole = 1}, {.number = 1}}};
    const lm_metric_value no[][3] = {{{.whole = 0}, {.number = .5}}, {{.whole = 0}, {.number = 1}}};
    const lm_metric_value flat[][3] = {{{.number = 0}, {.number = 3}},
                                       {{.number = 0}, {.number = 4}}};
    const lm_metric_value level[][3] = {{{.number = 0}, {.number = 3}},
                                        {{.number = 1}, {.number = 3}}};
    const lm_metric_value huge[][3] = {{{.number = 1e300}, {.number = 3}},
                                       {{.number = -1e300}, {.number = 4}}};
    const lm_metric_value far[][3] = {{{.number = 1e15 + 1}, {.number = 3}},
                                      {{.number = 1e15}, {.number = 2}},
                                      {{.number = 1e15 + 2}, {.number = 4}}};
    const lm_metric_value same[][3] = {{WORD("x"), WORD("x")}, {WORD("x"), WORD("x")}};

    CHECK(isnan(VALUE(binary_auc, yes, 2, none)));
    CHECK(isnan(VALUE(binary_auc, no, 2, none)));
    CHECK(isnan(VALUE(average_precision, no, 2, none)));
    CHECK_NEAR(VALUE(average_precision, yes, 2, none), 1, 0);
    CHECK_NEAR(VALUE(mrr, no, 2, none), 0, 0);
    CHECK(isnan(VALUE(recall_at, no, 2, three)));
    CHECK_NEAR(VALUE(recall_at, yes, 2, three), 1, 0);
    CHECK_NEAR(VALUE(coverage_at, no, 2, target), 0, 0);
    CHECK_NEAR(VALUE(coverage_at, yes, 2, target), 1, 0);
    CHECK(isnan(VALUE(ndcg, flat, 2, none)));
    CHECK(isnan(VALUE(pearson, flat, 2, none)));
    CHECK(isnan(VALUE(pearson, huge, 2, none)));
    CHECK_NEAR(VALUE(pearson, far, 3, none), 1, 0);
    CHECK(isnan(VALUE(spearman, flat, 2, none)));
    CHECK_NEAR(VALUE(spearman, far, 3, none), 1, 1e-15);
    CHECK(isnan(VALUE(kendall, flat, 2, none)));
    CHECK(isnan(VALUE(kendall, flat, 1, none)));
    CHECK(isnan(VALUE(cohen_kappa, same, 2, none)));
    CHECK_NEAR(VALUE(balanced_accuracy, same, 2, none), 1, 0);
    CHECK(isnan(VALUE(balanced_accuracy, same, 0, none)));
    CHECK(isnan(VALUE(brier, yes, 0, none)));
    CHECK(isnan(VALUE(ks, yes, 2, none)));
    CHECK(isnan(VALUE(ks, no, 2, none)));
    CHECK(isnan(VALUE(pearson, level, 2, none)));
    CHECK(isnan(VALUE(psi, yes, 2, none)));
    CHECK(isnan(VALUE(psi, no, 2, none)));
    CHECK(isnan(VALUE(ece, yes, 0, none)));
}

static lm_status
add_one(lm_metric_id metric, const lm_metric_value *first, const lm_metric_value *second)
{
    const lm_metric_counts *kind = lm_metrics[metric].counts;
    lm_context ctx;
    void *counts;
    lm_status status;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, kind->create(&ctx, &counts));
    status = kind->add(counts, first);
    if (second && status == LM_OK)
        status = kind->add(counts, second);
    kind->free(counts);
    return status;
}

static void
refused_rows(void)
{
    const lm_text labels[] = {{"a", 1}, {"b", 1}}, twice[] = {{"a", 1}, {"a", 1}},
                  others[] = {{"a", 1}, {"c", 1}};
    const double numbers[] = {.5, .5}, wrong[] = {1.5, NAN};
    const lm_metric_value nan[] = {{.whole = 1}, {.number = NAN}},
                          above[] = {{.whole = 1}, {.number = 1.1}},
                          below[] = {{.number = -1}, {.number = 1}},
                          lost[] = {{.number = INFINITY}, {.number = NAN}};
    const lm_metric_value
        good[] = {WORD("a"), {.labels = labels, .count = 2}, {.numbers = numbers, .count = 2}},
        shorter[] = {WORD("a"), {.labels = labels, .count = 2}, {.numbers = numbers, .count = 1}},
        fewer[] = {WORD("a"), {.labels = labels, .count = 1}, {.numbers = numbers, .count = 1}},
        unknown[] = {WORD("z"), {.labels = labels, .count = 2}, {.numbers = numbers, .count = 2}},
        beyond[] = {WORD("a"), {.labels = labels, .count = 2}, {.numbers = wrong, .count = 2}},
        doubled[] = {WORD("a"), {.labels = twice, .count = 2}, {.numbers = numbers, .count = 2}},
        other[] = {WORD("a"), {.labels = others, .count = 2}, {.numbers = numbers, .count = 2}};

    CHECK_EQ_INT(add_one(LM_METRIC_binary_auc, nan, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_binary_auc, above, NULL), LM_OK);
    CHECK_EQ_INT(add_one(LM_METRIC_brier, above, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_brier, nan, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_binary_log_loss, above, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_ece, above, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_ndcg, below, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_ndcg, nan, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_pearson, lost, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_pearson, nan, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_spearman, lost, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_kendall, (lm_metric_value[]){{.number = NAN}, {0}}, NULL),
                 LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_log_loss, shorter, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_log_loss, unknown, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_log_loss, beyond, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_log_loss, good, other), LM_OK);
    CHECK_EQ_INT(add_one(LM_METRIC_auc, good, good), LM_OK);
    CHECK_EQ_INT(add_one(LM_METRIC_auc, good, shorter), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_auc, good, fewer), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_auc, good, unknown), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_auc, good, beyond), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_auc, good, doubled), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_auc, doubled, NULL), LM_BAD_ARGUMENT);
    CHECK_EQ_INT(add_one(LM_METRIC_auc, good, other), LM_BAD_ARGUMENT);
}

static void
refused_settings(void)
{
    const struct {
        lm_metric_id metric;
        lm_metric_value settings[LM_METRIC_SETTINGS_MAX];
        lm_status status;
    } all[] = {
        {LM_METRIC_cohen_kappa, {WORD("cubic")}, LM_BAD_ARGUMENT},
        {LM_METRIC_cohen_kappa, {{0}}, LM_OK},
        {LM_METRIC_precision_score, {WORD("binary")}, LM_BAD_ARGUMENT},
        {LM_METRIC_precision_score, {WORD("micro"), WORD("a")}, LM_BAD_ARGUMENT},
        {LM_METRIC_recall_score, {WORD("harmonic")}, LM_BAD_ARGUMENT},
        {LM_METRIC_recall_score, {{0}}, LM_OK},
        {LM_METRIC_recall_score, {WORD("binary"), WORD("a")}, LM_OK},
        {LM_METRIC_coverage_at, {NUMBER(0)}, LM_BAD_ARGUMENT},
        {LM_METRIC_coverage_at, {NUMBER(1.5)}, LM_BAD_ARGUMENT},
        {LM_METRIC_coverage_at, {NUMBER(NAN)}, LM_BAD_ARGUMENT},
        {LM_METRIC_mrr, {WHOLE(0)}, LM_BAD_ARGUMENT},
        {LM_METRIC_mrr, {{0}}, LM_OK},
    };
    lm_context ctx;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        CHECK_EQ_INT(lm_metrics[all[i].metric].check(&ctx, all[i].settings), all[i].status);
}

/* The order of labels that a caller gives, with gaps. */
static uint32_t
backwards(void *opaque, const char *bytes, size_t length)
{
    return 1000 - 7 * (uint32_t)(unsigned char)bytes[0];
}

static uint32_t
mixed(void *opaque, const char *bytes, size_t length)
{
    return bytes[0] == 'b' ? 9 : (uint32_t)(unsigned char)bytes[0];
}

static lm_status
add_grades(lm_confusion *c)
{
    for (int i = 0; i < 30; i++)
        LM_TRY(lm_confusion_add(c, &"abcd"[i % 4], 1, &"abcd"[i * i % 7 % 4], 1, 1));
    return LM_OK;
}

/* -2: it failed. */
static double
kappa_in_order(lm_context *ctx, uint32_t (*rank)(void *, const char *, size_t))
{
    const lm_metric *kappa = &lm_metrics[LM_METRIC_cohen_kappa];
    const lm_metric_value linear = WORD("linear");
    const lm_label_ranks ranks = {rank, NULL};
    double value;
    void *counts;
    lm_status status = kappa->counts->create(ctx, &counts);

    if (status == LM_OK)
        status = add_grades(counts);
    if (status == LM_OK) {
        kappa->counts->rank(counts, rank ? &ranks : NULL);
        status = kappa->result(counts, &linear, &value);
    }
    kappa->counts->free(counts);
    return status == LM_OK ? value : -2;
}

static void
kappa_takes_an_order(void)
{
    fake_memory memory = {0};
    lm_context ctx;
    double own, other;
    int calls, polls;

    fake_context(&ctx, &memory);
    own = kappa_in_order(&ctx, NULL);
    CHECK(own > -2);
    CHECK(kappa_in_order(&ctx, backwards) == own);
    memory = (fake_memory){0};
    other = kappa_in_order(&ctx, mixed);
    CHECK(fabs(other - own) > 1e-3 && other > -2);
    calls = memory.calls;
    polls = memory.polls;
    for (int at = 1; at <= calls; at++) {
        memory = (fake_memory){.fail_at = at};
        CHECK(kappa_in_order(&ctx, mixed) == -2);
        CHECK_EQ_INT(memory.live, 0);
    }
    for (int at = 1; at <= polls; at++) {
        memory = (fake_memory){.stop_at = at};
        CHECK(kappa_in_order(&ctx, mixed) == -2);
        CHECK_EQ_INT(memory.live, 0);
    }
}

static void
merges_refuse_other_labels(void)
{
    const lm_metric_counts *kind = &lm_class_scores;
    const lm_text two[] = {{"a", 1}, {"b", 1}}, others[] = {{"a", 1}, {"c", 1}};
    const double numbers[] = {.5, .25};
    lm_metric_value values[] = {
        WORD("a"), {.labels = two, .count = 2}, {.numbers = numbers, .count = 2}};
    lm_context ctx;
    void *a, *b, *c;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, kind->create(&ctx, &a));
    CHECK_OK(&ctx, kind->create(&ctx, &b));
    CHECK_OK(&ctx, kind->create(&ctx, &c));
    CHECK_OK(&ctx, kind->add(a, values));
    values[1].labels = others;
    CHECK_OK(&ctx, kind->add(b, values));
    CHECK_EQ_INT(kind->merge(a, b, NULL), LM_BAD_ARGUMENT);
    CHECK_OK(&ctx, kind->merge(a, c, NULL));
    kind->free(c);
    CHECK_OK(&ctx, kind->create(&ctx, &c));
    values[1].count = values[2].count = 1;
    CHECK_OK(&ctx, kind->add(c, values));
    CHECK_EQ_INT(kind->merge(a, c, NULL), LM_BAD_ARGUMENT);
    kind->free(a);
    kind->free(b);
    kind->free(c);
}

static double
value_after(void *counts, lm_status (*result)(void *, const lm_metric_value *, double *))
{
    double value = NAN;

    CHECK_EQ_INT(result(counts, NULL, &value), LM_OK);
    return value;
}

/* Counts of no row merge, travel and are undefined. */
static void
empty_counts(void)
{
    const lm_metric_counts *kinds[] = {&lm_scored_flags, &lm_class_scores, &lm_moments};
    lm_context ctx;
    lm_buffer sent;
    void *a, *b;

    lm_context_init(&ctx);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        lm_buffer_init(&sent, &ctx);
        CHECK_OK(&ctx, kinds[i]->create(&ctx, &a));
        CHECK_OK(&ctx, kinds[i]->create(&ctx, &b));
        CHECK_OK(&ctx, kinds[i]->write(a, &sent));
        CHECK_OK(&ctx, kinds[i]->read(b, sent.data, sent.size));
        CHECK_OK(&ctx, kinds[i]->merge(a, b, NULL));
        kinds[i]->free(a);
        kinds[i]->free(b);
        lm_buffer_free(&sent);
    }
    CHECK_OK(&ctx, lm_label_pairs.create(&ctx, &a));
    CHECK_OK(&ctx, lm_metric_find("accuracy", 2)->result(a, NULL, &(double){0}));
    CHECK_OK(&ctx, lm_confusion_add(a, "x", 1, "x", 1, 3));
    CHECK_OK(&ctx, lm_confusion_add(a, "x", 1, "y", 1, 1));
    CHECK_NEAR(value_after(a, lm_accuracy_result), .75, 0);
    lm_label_pairs.free(a);
}

/* 20,000 rows of one score, of which one is relevant: each rank is as likely; polls on the way. */
static void
one_large_tie(void)
{
    const lm_metric_counts *kind = &lm_scored_flags;
    const lm_metric_value none[LM_METRIC_SETTINGS_MAX] = {{0}};
    lm_context ctx;
    double value, harmonic = 0;
    void *counts;

    lm_context_init(&ctx);
    CHECK_OK(&ctx, kind->create(&ctx, &counts));
    for (int i = 0; i < 20000; i++) {
        const lm_metric_value row[] = {{.whole = i == 77}, {.number = 1}};

        CHECK_OK(&ctx, kind->add(counts, row));
        harmonic += 1.0 / (i + 1);
    }
    CHECK_OK(&ctx, lm_mrr_result(counts, none, &value));
    CHECK_NEAR(value, harmonic / 20000, 1e-12);
    kind->free(counts);
}

static void
names_find_metrics(void)
{
    CHECK(lm_metric_find("accuracy", 2)->result == lm_accuracy_result);
    CHECK(lm_metric_find("auc", 2) == &lm_metrics[LM_METRIC_binary_auc]);
    CHECK(lm_metric_find("auc", 3) == &lm_metrics[LM_METRIC_auc]);
    CHECK(lm_metric_find("f1", 4) == &lm_metrics[LM_METRIC_f1]);
    CHECK(lm_metric_find("f1", 5) == NULL);
    CHECK(lm_metric_find("f1", 1) == NULL);
    CHECK(lm_metric_find("nothing", 2) == NULL);
}

static const unit_case cases[] = {
    {"scores equal their references", equal_references},
    {"scores survive faults", faults},
    {"scores refuse damaged bytes", damaged},
    {"scores undefined", undefined},
    {"scores refuse rows", refused_rows},
    {"scores refuse settings", refused_settings},
    {"kappa takes an order", kappa_takes_an_order},
    {"class scores refuse other labels", merges_refuse_other_labels},
    {"empty counts", empty_counts},
    {"one large tie", one_large_tie},
    {"names find metrics", names_find_metrics},
};

UNIT_MAIN(cases)
