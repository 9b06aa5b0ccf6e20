/*
 * tag_reports.c - reports over a query of sequences of tags, one row each: the actual and the
 * predicted ones. Rows in which one of the two is NULL are left out.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "metrics/entities.h"
#include "pg/fn/measure.h"
#include "pg/fn/query.h"

#define BATCH_ROWS 1024

PG_FUNCTION_INFO_V1(lmtext_entity_report);
PG_FUNCTION_INFO_V1(lmtext_token_report);

/* Two sequences of one length. */
typedef lm_status (*take_sequences)(void *counts, const lm_text *actual, const lm_text *predicted,
                                    size_t count);

static lm_text *
tags_of(ArrayType *array, int *count)
{
    lm_text *tags;
    bool *nulls;

    lmtext_texts_from_array(array, &tags, &nulls, count);
    for (int i = 0; i < *count; i++)
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("a sequence of tags must not contain nulls")));
    return tags;
}

static void
take_row(lmtext_call *call, const lmtext_query_row *row, take_sequences take, void *counts)
{
    const NullableDatum *actual = &row->fields[0].value, *predicted = &row->fields[1].value;
    lm_text *a, *p;
    int length, other;

    if (actual->isnull || predicted->isnull)
        return;
    a = tags_of(DatumGetArrayTypeP(actual->value), &length);
    p = tags_of(DatumGetArrayTypeP(predicted->value), &other);
    if (length != other)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("sequences of actual and predicted tags must have the same length"),
                        errdetail("They have %d and %d tags.", length, other)));
    lmtext_check(call, take(counts, a, p, length), NULL);
}

/* Give every row of the query to a function; counts are in the current memory context. */
static void
read_sequences(lmtext_call *call, const char *function, const char *query, take_sequences take,
               void *counts)
{
    static const lmtext_column columns[2] = {{"actual tags", LMTEXT_COLUMN_TEXTS},
                                             {"predicted tags", LMTEXT_COLUMN_TEXTS}};
    MemoryContext batch;
    lmtext_query_row *rows;
    lmtext_query reader;
    int count;

    SPI_connect();
    rows = palloc(BATCH_ROWS * sizeof *rows);
    batch = AllocSetContextCreate(CurrentMemoryContext, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_query_open(&reader, function, query, columns, 2);
    MemoryContextSwitchTo(batch);
    while ((count = lmtext_query_fetch(&reader, BATCH_ROWS, rows)) > 0) {
        for (int i = 0; i < count; i++) {
            CHECK_FOR_INTERRUPTS();
            take_row(call, &rows[i], take, counts);
        }
        MemoryContextReset(batch);
    }
    lmtext_query_close(&reader);
    SPI_finish();
}

/* A row for each label and the means; none where there is no label. */
static void
emit_report(ReturnSetInfo *result, const lm_label_score *scores, size_t count,
            const lm_averages *means)
{
    for (size_t i = 0; i < count; i++) {
        const lm_average score = {scores[i].precision, scores[i].recall, scores[i].f1,
                                  scores[i].support};

        CHECK_FOR_INTERRUPTS();
        lmtext_emit_score(result, lmtext_text_from_utf8(scores[i].label, scores[i].length), &score,
                          false);
    }
    if (count > 0)
        lmtext_emit_averages(result, means);
}

static lm_status
take_entities(void *counts, const lm_text *actual, const lm_text *predicted, size_t count)
{
    return lm_entities_add(counts, actual, predicted, count);
}

/* entity_report(query, scheme) */
Datum
lmtext_entity_report(PG_FUNCTION_ARGS)
{
    lm_label_score *scores;
    lm_entities *entities;
    lm_averages means;
    lmtext_call call;
    size_t count;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0))
        return (Datum)0;
    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call,
                 lm_entities_create(&call.ctx,
                                    PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1)),
                                    &entities),
                 NULL);
    read_sequences(&call, "lmtext.entity_report", text_to_cstring(PG_GETARG_TEXT_PP(0)),
                   take_entities, entities);
    lmtext_check(&call, lm_entities_scores(entities, &scores, &count, &means), NULL);
    emit_report((ReturnSetInfo *)fcinfo->resultinfo, scores, count, &means);
    return (Datum)0;
}

static lm_status
take_tokens(void *counts, const lm_text *actual, const lm_text *predicted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        LM_TRY(lm_confusion_add(counts, actual[i].bytes, actual[i].length, predicted[i].bytes,
                                predicted[i].length, 1));
    return LM_OK;
}

/* token_report(query) */
Datum
lmtext_token_report(PG_FUNCTION_ARGS)
{
    lm_label_score *scores;
    lm_confusion *tokens;
    lm_averages means;
    lmtext_call call;
    size_t count;

    InitMaterializedSRF(fcinfo, 0);
    lmtext_call_init(&call, CurrentMemoryContext);
    lmtext_check(&call, lm_confusion_create(&call.ctx, &tokens), NULL);
    read_sequences(&call, "lmtext.token_report", text_to_cstring(PG_GETARG_TEXT_PP(0)), take_tokens,
                   tokens);
    lmtext_check(&call, lm_confusion_scores(tokens, &scores, &count), NULL);
    lmtext_check(&call, lm_confusion_averages(tokens, scores, count, &means), NULL);
    emit_report((ReturnSetInfo *)fcinfo->resultinfo, scores, count, &means);
    return (Datum)0;
}
