/*
 * label_queue.c - lmtext.label_queue: of rows without a label those that a person should label
 * next, by what a classifier says of them, or by how far they are from one another.
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/sort.h"
#include "search/clusters.h"
#include "task/classify.h"
#include "pg/fn/keyed.h"
#include "pg/service/tasks.h"

#define FUNCTION "lmtext.label_queue"
#define BATCH_ROWS 256

LMTEXT_ENTRY(lmtext_label_queue, .name = "label_queue");

/* A row of the queue; of equal scores the earlier one is first. */
typedef struct queued {
    double score;
    int64 row;
} queued;

typedef struct queue {
    FunctionCallInfo fcinfo;
    lmtext_model *model;
    lmtext_call call;
    MemoryContext memory;
    int k;
    char **keys; /* of all rows */
    queued *rows;
    int64 count, room;
} queue;

/* How much a label would tell, of a classifier's scores, all of them at least 0. */
typedef double queue_score(const float *scores, int count);

static double
least_sure(const float *scores, int count)
{
    float best = 0;

    for (int i = 0; i < count; i++)
        best = Max(best, scores[i]);
    return 1 - (double)best;
}

static double
small_margin(const float *scores, int count)
{
    float best = 0, second = 0;

    for (int i = 0; i < count; i++)
        if (scores[i] > best) {
            second = best;
            best = scores[i];
        } else
            second = Max(second, scores[i]);
    return 1 - ((double)best - second);
}

static double
entropy(const float *scores, int count)
{
    double sum = 0;

    for (int i = 0; i < count; i++)
        if (scores[i] > 0)
            sum -= (double)scores[i] * log(scores[i]);
    return sum;
}

typedef struct queue_strategy {
    const char *name;
    queue_score *score; /* NULL: by distance, with a model that embeds */
} queue_strategy;

static const queue_strategy strategies[] = {
    {"uncertainty", least_sure},
    {"margin", small_margin},
    {"entropy", entropy},
    {"diversity", NULL},
};

static const queue_strategy *
find_strategy(const char *name)
{
    for (int i = 0; i < lengthof(strategies); i++)
        if (strcmp(strategies[i].name, name) == 0)
            return &strategies[i];
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown strategy of %s: \"%s\"", FUNCTION, lmtext_clip(name)),
                    errhint("Available strategies: uncertainty, margin, entropy, diversity.")));
}

static void
put_row(const queue *q, const char *key, double score)
{
    ReturnSetInfo *result = (ReturnSetInfo *)q->fcinfo->resultinfo;
    Datum values[] = {CStringGetTextDatum(key), Float8GetDatum(score)};
    bool nulls[] = {false, false};

    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    LMTEXT_FAULT_POINT("queue_emitted");
}

/* ---- By scores ---- */

static void
make_room(queue *q)
{
    if (q->count < q->room)
        return;
    q->room = Max(2 * q->room, BATCH_ROWS);
    q->keys = q->keys == NULL ? MemoryContextAllocHuge(q->memory, q->room * sizeof *q->keys)
                              : repalloc_huge(q->keys, mul_size(q->room, sizeof *q->keys));
    q->rows = q->rows == NULL ? MemoryContextAllocHuge(q->memory, q->room * sizeof *q->rows)
                              : repalloc_huge(q->rows, mul_size(q->room, sizeof *q->rows));
}

static void
keep_key(queue *q, const char *key)
{
    make_room(q);
    q->keys[q->count] = MemoryContextStrdup(q->memory, key);
    q->rows[q->count].row = q->count;
    q->count++;
}

static float *
room_for_scores(const queue *q, int count)
{
    return palloc(mul_size(count, q->model->model.info.label_count * sizeof(float)));
}

static void
score_texts(queue *q, queue_score *score, const lmtext_query_row *rows, int count)
{
    const int labels = q->model->model.info.label_count;
    lm_text *texts = palloc(count * sizeof *texts);
    float *scores = room_for_scores(q, count);
    lmtext_inference inference;
    int taken = 0;

    lmtext_embed_defaults(&inference.options, lmtext_on_long());
    lmtext_infer_init(&inference, &lmtext_scores, q->model);
    for (int i = 0; i < count; i++) {
        const char *text = rows[i].fields[1].text;

        if (rows[i].fields[0].text == NULL || text == NULL)
            continue;
        texts[taken++] = lmtext_utf8_from_bytes(text, strlen(text));
        keep_key(q, rows[i].fields[0].text);
    }
    lmtext_infer(&inference, texts, taken, scores);
    for (int i = 0; i < taken; i++)
        q->rows[q->count - taken + i].score = score(scores + (Size)i * labels, labels);
}

/* Stored vectors of the classifier's base. */
static void
score_vectors(queue *q, queue_score *score, const lmtext_query_row *rows, int count)
{
    const int labels = q->model->model.info.label_count;
    float *scores = room_for_scores(q, 1);

    for (int i = 0; i < count; i++) {
        const float *vector;
        int width;

        if (rows[i].fields[0].text == NULL || rows[i].fields[1].vector == NULL)
            continue;
        vector = lmtext_floats_from_array(rows[i].fields[1].vector, &width);
        lmtext_check(
            &q->model->call,
            lm_classify_vector(&q->model->call.ctx, &q->model->model, vector, width, scores),
            q->model->name);
        keep_key(q, rows[i].fields[0].text);
        q->rows[q->count - 1].score = score(scores, labels);
    }
}

static void
score_rows(queue *q, queue_score *score, const char *query)
{
    static const lmtext_column columns[] = {{"key", LMTEXT_COLUMN_KEY},
                                            {"text", LMTEXT_COLUMN_INPUT}};
    MemoryContext memory = AllocSetContextCreate(q->memory, "lmtext batch", ALLOCSET_DEFAULT_SIZES);
    lmtext_query_row *rows = palloc(BATCH_ROWS * sizeof *rows);
    lmtext_query reader;
    int count;

    lmtext_query_open(&reader, FUNCTION, query, columns, lengthof(columns));
    MemoryContextSwitchTo(memory);
    while ((count = lmtext_query_fetch(&reader, BATCH_ROWS, rows)) > 0) {
        CHECK_FOR_INTERRUPTS();
        score_vectors(q, score, rows, count);
        score_texts(q, score, rows, count);
        MemoryContextReset(memory);
    }
    MemoryContextSwitchTo(q->memory);
    lmtext_query_close(&reader);
}

static int
compare_queued(const void *a, const void *b)
{
    const queued *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

static void
queue_by_score(queue *q, queue_score *score, const char *query)
{
    lmtext_task_check(q->model, "classification");
    score_rows(q, score, query);
    lmtext_check(&q->call,
                 lm_sort(&q->call.ctx, q->rows, q->count, sizeof *q->rows, compare_queued), NULL);
    for (int64 i = 0; i < Min(q->count, q->k); i++)
        put_row(q, q->keys[q->rows[i].row], q->rows[i].score);
}

/* ---- By distance ---- */

static void
queue_by_distance(queue *q, const char *query)
{
    lmtext_keyed rows = {.function = FUNCTION, .memory = q->memory, .model = q->model};
    lm_vector_rows vectors;
    size_t *chosen;
    double *distances;
    int64 count;

    lmtext_task_check(q->model, "embedding");
    lmtext_keyed_read(&rows, q->fcinfo, query);
    if (rows.count == 0)
        return;
    vectors = (lm_vector_rows){rows.count, rows.width, rows.values};
    count = Min(rows.count, q->k);
    chosen = palloc(count * sizeof *chosen);
    distances = palloc(count * sizeof *distances);
    lmtext_check(&q->call, lm_spread(&q->call.ctx, &vectors, count, chosen, distances), NULL);
    for (int64 i = 0; i < count; i++)
        put_row(q, rows.keys[chosen[i]], distances[i]);
}

static void
refuse_nulls(FunctionCallInfo fcinfo)
{
    static const char *const names[] = {"model", "query", "k", "strategy"};

    for (int i = 0; i < lengthof(names); i++)
        if (PG_ARGISNULL(i))
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("argument %s of %s must not be null", names[i], FUNCTION)));
}

/* label_queue(model, query, k, strategy) */
static Datum
lmtext_label_queue_call(PG_FUNCTION_ARGS)
{
    const queue_strategy *strategy;
    queue q = {.fcinfo = fcinfo};
    char *query;

    refuse_nulls(fcinfo);
    q.k = lmtext_arg_int(fcinfo, 2, "k", 0, 1, 1000000);
    strategy = find_strategy(text_to_cstring(PG_GETARG_TEXT_PP(3)));
    query = text_to_cstring(PG_GETARG_TEXT_PP(1));
    q.model = lmtext_named_model(fcinfo, text_to_cstring(PG_GETARG_TEXT_PP(0)));
    InitMaterializedSRF(fcinfo, 0);
    SPI_connect();
    q.memory = CurrentMemoryContext;
    lmtext_call_init(&q.call, q.memory);
    if (strategy->score != NULL)
        queue_by_score(&q, strategy->score, query);
    else
        queue_by_distance(&q, query);
    SPI_finish();
    return (Datum)0;
}
