/*
 * tag.c - lmtext.tag, tag_words and entities: a label for each token of a text, for each word of
 * a list, or for each of a text's entities.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "task/entities.h"
#include "task/tag_words.h"
#include "pg/fn/lists.h"
#include "pg/service/tasks.h"

LMTEXT_ENTRY(lmtext_tag, .name = "tag", .task = "token_classification", .texts = 1);
LMTEXT_ENTRY(lmtext_tag_array, .name = "tag", .task = "token_classification", .texts = 1);
LMTEXT_ENTRY(lmtext_tag_words, .name = "tag_words", .task = "token_classification");
LMTEXT_ENTRY(lmtext_entities, .name = "entities", .task = "token_classification", .texts = 1);
LMTEXT_ENTRY(lmtext_entities_array, .name = "entities", .task = "token_classification", .texts = 1);

static size_t
result_size(const lmtext_inference *inference)
{
    lmtext_task_check(inference->model, "token_classification");
    return sizeof(lmtext_list *);
}

/* ---- Tags ---- */

static lm_status
keep_tags(void *opaque, size_t text, const lm_tag *tags, size_t count)
{
    return lmtext_list_keep(tags, count, sizeof *tags, (lmtext_list **)opaque + text);
}

static lm_status
run_tag(lmtext_model *model, const lm_text *texts, size_t count, const lm_embed_options *options,
        void *results, lm_embed_counts *counts)
{
    return lm_tag_texts(&model->call.ctx, model->session, &model->model, texts, count, options,
                        keep_tags, results, counts);
}

static const lmtext_infer_kind tags_of_tokens = {
    .run = run_tag, .size = result_size, .length = lmtext_list_length, .kept_as = "tag"};

/* tag(text, model[, on_long]) */
static void
begin_tag(FunctionCallInfo fcinfo, lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    lmtext_embed_defaults(&inference->options, lmtext_arg_on_long(fcinfo, 2));
    lmtext_infer_init(inference, &tags_of_tokens, model);
}

static struct varlena *
text_of(const char *word)
{
    return lmtext_text_from_utf8(word, strlen(word));
}

/* One row a token. */
static void
put_tags(const lmtext_row_sink *sink, lm_text text, const lmtext_list *list)
{
    const lm_model *model = &sink->inference->model->model;
    const lm_tag *tags = (const lm_tag *)list->items;
    lm_tag_cursor at = {0, 0};

    for (size_t i = 0; i < list->count; i++) {
        lm_text word = lm_tag_word(lm_model_tokenizer(model), &tags[i], text, &at);
        struct varlena *token = lmtext_text_from_utf8(word.bytes, word.length);
        struct varlena *label = text_of(model->info.labels[tags[i].label]);
        const Datum values[] = {PointerGetDatum(token), PointerGetDatum(label),
                                Int32GetDatum(tags[i].start), Int32GetDatum(tags[i].stop),
                                Float4GetDatum(tags[i].score)};

        lmtext_list_put(sink, values, lengthof(values));
        pfree(token);
        pfree(label);
    }
}

static Datum
lmtext_tag_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_text(fcinfo, begin_tag, put_tags);
}

static Datum
lmtext_tag_array_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_array(fcinfo, begin_tag, put_tags, LMTEXT_LIST_BLOCK);
}

/* ---- Words that are cut already ---- */

/* The list as one text, which is tagged to its end. A null is a word without characters. */
static const lmtext_list *
tag_list(FunctionCallInfo fcinfo, lmtext_inference *inference, const lm_text *words, int count,
         int32 *stops)
{
    lmtext_list *list;
    lm_buffer text;

    lmtext_embed_defaults(&inference->options, LM_LONG_MEAN);
    inference->options.choice = LM_TAG_SPACED;
    lmtext_infer_init(inference, &tags_of_tokens, lmtext_arg_model(fcinfo));
    lm_buffer_init(&text, &inference->model->call.ctx);
    lmtext_check(&inference->model->call, lm_tag_words_join(&text, words, (size_t)count, stops),
                 NULL);
    lmtext_infer(inference, &(lm_text){text.data, text.size}, 1, &list);
    lm_buffer_free(&text);
    return list;
}

/* tag_words(words, model) */
static Datum
lmtext_tag_words_call(PG_FUNCTION_ARGS)
{
    lmtext_inference inference;
    const lmtext_list *list;
    int32 *stops, *labels;
    lm_text *words;
    Datum *values;
    bool *nulls;
    int count;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    lmtext_texts_from_array(PG_GETARG_ARRAYTYPE_P(0), &words, &nulls, &count);
    for (int i = 0; i < count; i++)
        if (nulls[i])
            words[i] = (lm_text){"", 0};
    stops = palloc(Max(count, 1) * sizeof *stops);
    labels = palloc(Max(count, 1) * sizeof *labels);
    values = palloc(Max(count, 1) * sizeof *values);
    list = tag_list(fcinfo, &inference, words, count, stops);
    lm_tag_words_labels((const lm_tag *)list->items, list->count, stops, (size_t)count, labels);
    for (int i = 0; i < count; i++) {
        nulls[i] = labels[i] < 0;
        if (!nulls[i])
            values[i] = PointerGetDatum(text_of(inference.model->model.info.labels[labels[i]]));
    }
    PG_RETURN_ARRAYTYPE_P(construct_md_array(values, nulls, count > 0, &count, &(int){1}, TEXTOID,
                                             -1, false, TYPALIGN_INT));
}

/* ---- Entities ---- */

static lm_status
keep_entities(void *opaque, size_t text, const lm_entity *entities, size_t count)
{
    return lmtext_list_keep(entities, count, sizeof *entities, (lmtext_list **)opaque + text);
}

static lm_status
run_entities(lmtext_model *model, const lm_text *texts, size_t count,
             const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    return lm_entities(&model->call.ctx, model->session, &model->model, texts, count, options,
                       keep_entities, results, counts);
}

static const lmtext_infer_kind entities_of_texts = {
    .run = run_entities, .size = result_size, .length = lmtext_list_length, .kept_as = "entities"};

/* NULL: the default of the function. */
static lm_aggregation
arg_aggregation(FunctionCallInfo fcinfo, int argno)
{
    const char *word;

    if (lmtext_arg_is_null(fcinfo, argno))
        return LM_AGGREGATE_SIMPLE;
    word = text_to_cstring(PG_GETARG_TEXT_PP(argno));
    for (int i = 0; i < LM_AGGREGATE_COUNT; i++)
        if (strcmp(word, lm_aggregation_names[i]) == 0)
            return (lm_aggregation)i;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid value for aggregation: \"%s\"", lmtext_clip(word)),
                    errhint("Allowed values: simple, first, average, max.")));
}

/* entities(text, model, aggregation[, on_long]) */
static void
begin_entities(FunctionCallInfo fcinfo, lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    lmtext_embed_defaults(&inference->options, lmtext_arg_on_long(fcinfo, 3));
    inference->options.choice = (int)arg_aggregation(fcinfo, 2);
    lmtext_infer_init(inference, &entities_of_texts, model);
}

/* One row an entity, which is as the text has it. */
static void
put_entities(const lmtext_row_sink *sink, lm_text text, const lmtext_list *list)
{
    const char *const *labels = sink->inference->model->model.info.labels;
    const lm_entity *entities = (const lm_entity *)list->items;
    lm_tag_cursor at = {0, 0};

    for (size_t i = 0; i < list->count; i++) {
        lm_text words = lm_tag_cut(text, entities[i].start, entities[i].stop, &at);
        struct varlena *entity = lmtext_text_from_utf8(words.bytes, words.length);
        struct varlena *label = text_of(lm_entity_name(labels[entities[i].label]));
        const Datum values[] = {PointerGetDatum(entity), PointerGetDatum(label),
                                Int32GetDatum(entities[i].start), Int32GetDatum(entities[i].stop),
                                Float4GetDatum(entities[i].score)};

        lmtext_list_put(sink, values, lengthof(values));
        pfree(entity);
        pfree(label);
    }
}

static Datum
lmtext_entities_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_text(fcinfo, begin_entities, put_entities);
}

static Datum
lmtext_entities_array_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_array(fcinfo, begin_entities, put_entities, LMTEXT_LIST_BLOCK);
}
