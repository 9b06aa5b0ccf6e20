/*
 * compare.c - two predictions of the same rows, compared: a query of (actual, predicted_a,
 * predicted_b). Rows without an actual label are left out; a prediction that is NULL is an
 * abstention, which is not right.
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "metrics/classification.h"
#include "metrics/compare.h"
#include "pg/fn/labels.h"
#include "pg/fn/query.h"

#define BATCH_ROWS 4096
#define RESAMPLES 2000
#define SEED 1

PG_FUNCTION_INFO_V1(lmtext_compare);

/* No label has this key: texts contain no zero byte, and other keys are longer. */
static const lm_text abstention = {"", 1};

/* What is known of one of the two. */
typedef struct side {
    uint64_t answered;
    lm_confusion *answers; /* by label; an abstention is one, too */
    double recall;
} side;

typedef struct comparison {
    lmtext_call call;
    lmtext_labels *labels;
    lm_paired right, answered; /* rows by who is right, and by who answers */
    side sides[2];
} comparison;

static void
count_pairs(lm_paired *paired, bool a, bool b)
{
    paired->rows++;
    paired->only_a += a && !b;
    paired->only_b += b && !a;
    paired->both += a && b;
}

/* Is the prediction there, and right? */
static void
count_side(comparison *c, side *s, lm_text actual, const NullableDatum *predicted, bool *answered,
           bool *right)
{
    lm_text key = abstention;

    *answered = !predicted->isnull;
    if (*answered)
        key = lmtext_labels_key(c->labels, predicted->value);
    *right = *answered && key.length == actual.length &&
             memcmp(key.bytes, actual.bytes, key.length) == 0;
    s->answered += *answered;
    lmtext_check(
        &c->call,
        lm_confusion_add(s->answers, actual.bytes, actual.length, key.bytes, key.length, 1), NULL);
}

static void
count_row(comparison *c, const lmtext_query_row *row)
{
    bool answered[2], right[2];
    lm_text actual;

    if (row->fields[0].value.isnull)
        return;
    actual = lmtext_labels_key(c->labels, row->fields[0].value.value);
    for (int i = 0; i < 2; i++)
        count_side(c, &c->sides[i], actual, &row->fields[1 + i].value, &answered[i], &right[i]);
    count_pairs(&c->right, right[0], right[1]);
    count_pairs(&c->answered, answered[0], answered[1]);
}

static void
count_rows(comparison *c, const char *query)
{
    static const lmtext_column columns[3] = {{"actual label", LMTEXT_COLUMN_ANY},
                                             {"predicted label of a", LMTEXT_COLUMN_ANY},
                                             {"predicted label of b", LMTEXT_COLUMN_ANY}};
    MemoryContext memory = CurrentMemoryContext, batch;
    lmtext_query_row *rows;
    lmtext_query reader;
    int count;

    SPI_connect();
    rows = palloc(BATCH_ROWS * sizeof *rows);
    batch = AllocSetContextCreate(CurrentMemoryContext, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_query_open(&reader, "lmtext.compare", query, columns, 3);
    c->labels = lmtext_labels_new(memory, reader.type, reader.collation);
    MemoryContextSwitchTo(batch);
    while ((count = lmtext_query_fetch(&reader, BATCH_ROWS, rows)) > 0) {
        CHECK_FOR_INTERRUPTS();
        for (int i = 0; i < count; i++)
            count_row(c, &rows[i]);
        MemoryContextReset(batch);
    }
    lmtext_query_close(&reader);
    SPI_finish();
}

/* NaN is NULL. */
static void
emit(ReturnSetInfo *result, const char *measure, double value, double p)
{
    Datum values[3] = {CStringGetTextDatum(measure), Float8GetDatum(value), Float8GetDatum(p)};
    bool nulls[3] = {false, isnan(value), isnan(p)};

    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Three rows: of a, of b, and what b has more. */
static void
emit_gain(ReturnSetInfo *result, const char *measure, double a, double b, double p)
{
    emit(result, psprintf("%s_a", measure), a, NAN);
    emit(result, psprintf("%s_b", measure), b, NAN);
    emit(result, psprintf("%s_gain", measure), b - a, p);
}

static void
emit_shares(ReturnSetInfo *result, const char *measure, const lm_paired *paired)
{
    double rows = (double)paired->rows;

    emit_gain(result, measure, (double)(paired->only_a + paired->both) / rows,
              (double)(paired->only_b + paired->both) / rows, lm_mcnemar(paired).p);
}

/* compare(query) */
Datum
lmtext_compare(PG_FUNCTION_ARGS)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    comparison *c = palloc0(sizeof *c);
    lm_test test;

    InitMaterializedSRF(fcinfo, 0);
    lmtext_call_init(&c->call, CurrentMemoryContext);
    for (int i = 0; i < 2; i++)
        lmtext_check(&c->call, lm_confusion_create(&c->call.ctx, &c->sides[i].answers), NULL);
    count_rows(c, text_to_cstring(PG_GETARG_TEXT_PP(0)));
    if (c->right.rows == 0)
        return (Datum)0;
    for (int i = 0; i < 2; i++)
        lmtext_check(&c->call,
                     lm_balanced_accuracy_result(c->sides[i].answers, NULL, &c->sides[i].recall),
                     NULL);
    emit(result, "rows", (double)c->right.rows, NAN);
    emit_shares(result, "accuracy", &c->right);
    emit_gain(result, "recall", c->sides[0].recall, c->sides[1].recall, NAN);
    emit_shares(result, "coverage", &c->answered);
    test = lm_mcnemar(&c->right);
    emit(result, "mcnemar", test.value, test.p);
    test = lm_two_proportions(&c->right);
    emit(result, "two_proportion_z", test.value, test.p);
    lmtext_check(&c->call, lm_paired_bootstrap(&c->call.ctx, &c->right, RESAMPLES, SEED, &test),
                 NULL);
    emit(result, "paired_bootstrap", test.value, test.p);
    return (Datum)0;
}
