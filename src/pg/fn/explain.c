/*
 * explain.c - lmtext.explain: the words of a text that made a classifier's score.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "task/explain.h"
#include "task/tag.h"
#include "pg/fn/lists.h"
#include "pg/service/tasks.h"

/* Passes of a text by the default method, a backward one being worth three: what the planner thinks
 * of. */
#define PASSES 64

LMTEXT_ENTRY(lmtext_explain, .name = "explain", .task = "classification", .texts = 1,
             .times = PASSES);
LMTEXT_ENTRY(lmtext_explain_array, .name = "explain", .task = "classification", .texts = 1,
             .times = PASSES);

static size_t
result_size(const lmtext_inference *inference)
{
    lmtext_task_check(inference->model, "classification");
    return sizeof(lmtext_list *);
}

static lm_status
keep_words(void *opaque, size_t text, const lm_attribution *words, size_t count)
{
    return lmtext_list_keep(words, count, sizeof *words, (lmtext_list **)opaque + text);
}

/* What is explained, and how, stands in the options' own bytes. */
static lm_status
run_explain(lmtext_model *model, const lm_text *texts, size_t count,
            const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    lm_explain_options explain;

    memcpy(&explain, options->own.bytes, sizeof explain);
    return lm_explain(&model->call.ctx, model->session, &model->model, texts, count, options,
                      &explain, keep_words, results, counts);
}

static const lmtext_infer_kind words_of_texts = {
    .run = run_explain, .size = result_size, .length = lmtext_list_length, .kept_as = "explain"};

/* ---- Arguments ---- */

/* Which of some words an argument is; NULL: the first. */
static int32
arg_word(FunctionCallInfo fcinfo, int argno, const char *name, const char *const *allowed,
         int first, int count)
{
    StringInfoData list;
    char *word = lmtext_arg_cstring(fcinfo, argno);

    if (word == NULL)
        return 0;
    for (int i = first; i < count; i++)
        if (strcmp(word, allowed[i]) == 0)
            return i;
    initStringInfo(&list);
    for (int i = first; i < count; i++)
        appendStringInfo(&list, i > first ? ", %s" : "%s", allowed[i]);
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid value for %s: \"%s\"", name, lmtext_clip(word)),
                    errhint("Allowed values: %s.", list.data)));
}

/* The number of a label; NULL: −1, which stands for the best one. */
static int32
arg_label(FunctionCallInfo fcinfo, int argno, const lmtext_model *model)
{
    const lm_model_info *info = &model->model.info;
    lm_text label;

    if (lmtext_arg_is_null(fcinfo, argno))
        return -1;
    label = lmtext_arg_text(fcinfo, argno);
    for (int i = 0; i < info->label_count; i++)
        if (strlen(info->labels[i]) == label.length &&
            memcmp(info->labels[i], label.bytes, label.length) == 0)
            return i;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("model \"%s\" has no label \"%s\"", model->name,
                           lmtext_clip(lmtext_arg_cstring(fcinfo, argno))),
                    errhint("lmtext.class_scores lists its labels.")));
}

/* explain(text, model, label, method, steps, baseline[, on_long]) */
static void
begin(FunctionCallInfo fcinfo, lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);
    lm_explain_options *explain = lmtext_arg_space(fcinfo, sizeof *explain);

    lmtext_task_check(model, "classification");
    *explain = (lm_explain_options){
        .method = arg_word(fcinfo, 3, "method", lm_explain_methods, 0, LM_EXPLAIN_METHODS),
        .label = arg_label(fcinfo, 2, model),
        .steps = lmtext_arg_int(fcinfo, 4, "steps", 0, 1, LM_EXPLAIN_MOST_STEPS),
        .baseline = arg_word(fcinfo, 5, "baseline", lm_explain_baselines, 1, LM_BASELINES),
    };
    lmtext_embed_defaults(&inference->options, lmtext_arg_on_long(fcinfo, 6));
    inference->options.own = (lm_text){(const char *)explain, sizeof *explain};
    lmtext_infer_init(inference, &words_of_texts, model);
}

/* One row a word, as the text has it. */
static void
put_words(const lmtext_row_sink *sink, lm_text text, const lmtext_list *list)
{
    const lm_attribution *words = (const lm_attribution *)list->items;
    lm_tag_cursor at = {0, 0};

    for (size_t i = 0; i < list->count; i++) {
        lm_text cut = lm_tag_cut(text, words[i].start, words[i].stop, &at);
        struct varlena *word = lmtext_text_from_utf8(cut.bytes, cut.length);
        const Datum values[] = {PointerGetDatum(word), Int32GetDatum(words[i].start),
                                Int32GetDatum(words[i].stop), Float4GetDatum(words[i].value)};

        lmtext_list_put(sink, values, lengthof(values));
        pfree(word);
    }
}

static Datum
lmtext_explain_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_text(fcinfo, begin, put_words);
}

static Datum
lmtext_explain_array_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_array(fcinfo, begin, put_words, 1);
}
