/*
 * ask.c - lmtext.answer: stretches of a context, or of each context of an array, that answer a
 * question.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/utf8.h"
#include "task/answer.h"
#include "pg/fn/lists.h"

/* How many contexts of an array have their answers kept at a time. */
#define BLOCK_TEXTS 256

LMTEXT_ENTRY(lmtext_answer, .name = "answer", .task = "answer", .texts = 2, .pair = true);
LMTEXT_ENTRY(lmtext_answer_array, .name = "answer", .task = "answer", .texts = 2, .pair = true);

static void begin(FunctionCallInfo fcinfo, lmtext_inference *inference, lm_answer_options *options);
static void emit_block(const lmtext_inference *inference, ReturnSetInfo *result, lm_text question,
                       const lm_text *contexts, const bool *nulls, int first, int stop);
static lm_status run_answer(lmtext_model *model, const lm_text *texts, size_t count,
                            const lm_embed_options *options, void *results,
                            lm_embed_counts *counts);
static lm_status keep_answers(void *opaque, size_t pair, const lm_answer *answers, size_t count);
static size_t result_size(const lmtext_inference *inference);
static void emit_answers(ReturnSetInfo *result, int64 ordinality, lm_text context,
                         const lmtext_list *list);

static const lmtext_infer_kind answers_of_pairs = {.run = run_answer,
                                                   .size = result_size,
                                                   .length = lmtext_list_length,
                                                   .pairs = true,
                                                   .kept_as = "answer"};

/* answer(question, context, model, k, no_answer) */
static Datum
lmtext_answer_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    lm_answer_options options;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        return (Datum)0;
    begin(fcinfo, &inference, &options);
    emit_answers((ReturnSetInfo *)fcinfo->resultinfo, 0, lmtext_arg_text(fcinfo, 1),
                 lmtext_arg_pair(fcinfo, &inference));
    return (Datum)0;
}

/* answer(question, contexts, model, k, no_answer) */
static Datum
lmtext_answer_array_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    lm_answer_options options;
    lm_text *contexts;
    bool *nulls;
    int count;

    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        return (Datum)0;
    begin(fcinfo, &inference, &options);
    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(1), &contexts, &nulls, &count);
    for (int first = 0; first < count; first += BLOCK_TEXTS)
        emit_block(&inference, (ReturnSetInfo *)fcinfo->resultinfo, lmtext_arg_text(fcinfo, 0),
                   contexts, nulls, first, Min(count, first + BLOCK_TEXTS));
    return (Datum)0;
}

/* Windows go over all of a context, so that no setting of long texts applies. */
static void
begin(FunctionCallInfo fcinfo, lmtext_inference *inference, lm_answer_options *options)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    options->most = lmtext_arg_int(fcinfo, 3, "k", 1, 1, LM_ANSWERS_MAX);
    options->no_answer = lmtext_arg_bool(fcinfo, 4, false);
    lmtext_embed_defaults(&inference->options, LM_LONG_TRUNCATE);
    inference->options.own = (lm_text){(const char *)options, sizeof *options};
    lmtext_infer_init(inference, &answers_of_pairs, model);
}

/* Some contexts of an array, computed as one; a NULL context has no rows. */
static void
emit_block(const lmtext_inference *inference, ReturnSetInfo *result, lm_text question,
           const lm_text *contexts, const bool *nulls, int first, int stop)
{
    lm_text pairs[2 * BLOCK_TEXTS] = {{NULL, 0}};
    lmtext_list *lists[BLOCK_TEXTS];
    int count = 0;

    for (int i = first; i < stop; i++)
        if (!nulls[i]) {
            pairs[2 * count] = question;
            pairs[2 * count++ + 1] = contexts[i];
        }
    lmtext_infer(inference, pairs, count, lists);
    count = 0;
    for (int i = first; i < stop; i++) {
        if (nulls[i])
            continue;
        emit_answers(result, (int64)i + 1, contexts[i], lists[count]);
        pfree(lists[count++]);
    }
}

static lm_status
run_answer(lmtext_model *model, const lm_text *texts, size_t count, const lm_embed_options *options,
           void *results, lm_embed_counts *counts)
{
    return lm_answer_texts(&model->call.ctx, model->session, &model->model, texts, count, options,
                           keep_answers, results, counts);
}

static lm_status
keep_answers(void *opaque, size_t pair, const lm_answer *answers, size_t count)
{
    return lmtext_list_keep(answers, count, sizeof *answers, (lmtext_list **)opaque + pair);
}

static size_t
result_size(const lmtext_inference *inference)
{
    return sizeof(lmtext_list *);
}

/* A character that an answer starts or stops at, and its byte. */
typedef struct mark {
    int32_t character;
    size_t byte;
} mark;

static int
compare_marks(const void *a, const void *b)
{
    const mark *x = a, *y = b;

    return (x->character > y->character) - (x->character < y->character);
}

/* Both marks of each answer, sorted; their bytes are found in one walk over the context. */
static void
find_marks(lm_text context, const lmtext_list *list, mark *marks)
{
    const lm_answer *answers = (const lm_answer *)list->items;
    size_t byte = 0, count = 0;
    int32_t at = 0;

    for (size_t i = 0; i < list->count; i++) {
        marks[count++].character = answers[i].start;
        marks[count++].character = answers[i].stop;
    }
    qsort(marks, count, sizeof *marks, compare_marks);
    for (size_t i = 0; i < count; i++) {
        for (; at < marks[i].character && byte < context.length; at++) {
            int bytes;

            if ((at & 0xffff) == 0)
                CHECK_FOR_INTERRUPTS();
            lm_utf8_decode(context.bytes + byte, &bytes);
            byte += bytes;
        }
        marks[i].byte = byte;
    }
}

static size_t
byte_of(const mark *marks, size_t count, int32_t character)
{
    const mark key = {.character = character};
    const mark *found = bsearch(&key, marks, count, sizeof *marks, compare_marks);

    return found != NULL ? found->byte : 0;
}

/* One row an answer, with an ordinality unless it is 0; "no answer" has a score alone. */
static void
emit_answers(ReturnSetInfo *result, int64 ordinality, lm_text context, const lmtext_list *list)
{
    mark marks[2 * LM_ANSWERS_MAX];

    find_marks(context, list, marks);
    for (size_t i = 0; i < list->count; i++) {
        const lm_answer *answer = (const lm_answer *)list->items + i;
        bool none = answer->start < 0;
        size_t start = byte_of(marks, 2 * list->count, answer->start);
        size_t stop = byte_of(marks, 2 * list->count, answer->stop);
        struct varlena *words = lmtext_text_from_utf8(context.bytes + start, stop - start);
        Datum values[] = {Int64GetDatum(ordinality), PointerGetDatum(words),
                          Float4GetDatum(answer->score), Int32GetDatum(answer->start),
                          Int32GetDatum(answer->stop)};
        bool nulls[] = {false, none, false, none, none};

        CHECK_FOR_INTERRUPTS();
        tuplestore_putvalues(result->setResult, result->setDesc, values + (ordinality == 0),
                             nulls + (ordinality == 0));
        LMTEXT_FAULT_POINT("answer_emitted");
        pfree(words);
    }
}
