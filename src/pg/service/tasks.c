/*
 * tasks.c - settings and messages of tasks; the contract is in tasks.h.
 */
#include "postgres.h"

#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#include "pg/glue/init_once.h"
#include "pg/service/tasks.h"

/* Words for a task, by its number; one without a row gets general words. */
static const struct {
    const char *purpose;  /* of the setting */
    const char *example;  /* of a model's name */
    const char *function; /* what suits a model of this task */
} words[LM_TASK_COUNT] = {
    [LM_TASK_EMBEDDING] = {"Sets the model of calls that embed and name no model.", "minilm",
                           "lmtext.embed"},
    [LM_TASK_CLASSIFICATION] = {"Sets the model of calls that classify and name no model.", "topic",
                                "lmtext.classify"},
    [LM_TASK_TOKEN_CLASSIFICATION] = {"Sets the model of calls that tag tokens and name no model.",
                                      "ner", "lmtext.tag"},
    [LM_TASK_FILL_MASK] = {"Sets the model of calls that fill masks and name no model.", "masks",
                           "lmtext.fill_mask"},
    [LM_TASK_SPARSE] = {"Sets the model of calls for sparse vectors that name no model.", "splade",
                        "lmtext.sparse"},
    [LM_TASK_LATE_INTERACTION] = {"Sets the model of calls of token_vectors and maxsim that name "
                                  "none.",
                                  "colbert", "lmtext.token_vectors or lmtext.maxsim"},
    [LM_TASK_LANGUAGE_MODEL] = {"Sets the model of calls for log probabilities that name none.",
                                "counts", "lmtext.log_probability"},
    [LM_TASK_RERANK] = {"Sets the model of calls that rerank documents and name no model.",
                        "reranker", "lmtext.rerank"},
    [LM_TASK_ENTAILMENT] = {"Sets the model of calls of entails and zero_shot that name none.",
                            "nli", "lmtext.entails"},
    [LM_TASK_NEXT_SENTENCE] = {"Sets the model of calls of next_sentence that name none.", "bert",
                               "lmtext.next_sentence"},
    [LM_TASK_ANSWER] = {"Sets the model of calls that answer questions and name no model.", "qa",
                        "lmtext.answer"},
};

/*
 * What leads from a model of one task, on a base or by itself, to one of another; %s is the model's
 * name.
 */
static const struct {
    lm_task_id from;
    bool on_base;
    lm_task_id to;
    const char *advice;
} advices[] = {
    {LM_TASK_CLASSIFICATION, true, LM_TASK_EMBEDDING,
     "; to embed, name the model that it is built on: column base of lmtext.models."},
    {LM_TASK_CLASSIFICATION, false, LM_TASK_EMBEDDING,
     "; to embed, import its files once more with the option {\"task\": \"embedding\"}."},
    {LM_TASK_EMBEDDING, false, LM_TASK_FILL_MASK,
     "; to fill masks, import files of a masked language model with the option {\"task\": "
     "\"fill_mask\"}."},
    {LM_TASK_EMBEDDING, false, LM_TASK_SPARSE,
     "; sparse vectors are made by sparse encoders (SPLADE), or by masked language models that are "
     "imported with the option {\"task\": \"sparse\"}."},
    {LM_TASK_FILL_MASK, false, LM_TASK_SPARSE,
     "; for sparse vectors, import its files once more with the option {\"task\": \"sparse\"}."},
    {LM_TASK_SPARSE, false, LM_TASK_EMBEDDING,
     "; to embed, import its files once more with the option {\"task\": \"embedding\"}."},
    {LM_TASK_FILL_MASK, false, LM_TASK_EMBEDDING,
     "; to embed, import its files once more with the option {\"task\": \"embedding\"}."},
    {LM_TASK_EMBEDDING, false, LM_TASK_CLASSIFICATION,
     ", or train a classifier on it: CALL lmtext.train('name', 'SELECT text, label FROM …', "
     "'{\"base\": \"%s\"}')."},
    {LM_TASK_RERANK, false, LM_TASK_EMBEDDING,
     "; to embed, import its files once more with the option {\"task\": \"embedding\"}."},
    {LM_TASK_NEXT_SENTENCE, false, LM_TASK_EMBEDDING,
     "; to embed, import its files once more with the option {\"task\": \"embedding\"}."},
    {LM_TASK_ANSWER, false, LM_TASK_EMBEDDING,
     "; to embed, import its files once more with the option {\"task\": \"embedding\"}."},
    {LM_TASK_CLASSIFICATION, false, LM_TASK_RERANK,
     ": it has more than one label, and documents are ordered by one number."},
    {LM_TASK_CLASSIFICATION, true, LM_TASK_RERANK,
     ": it was trained on single texts, and has seen no pair."},
    {LM_TASK_CLASSIFICATION, false, LM_TASK_ENTAILMENT,
     ": none of its labels begins with \"entail\"."},
    {LM_TASK_CLASSIFICATION, true, LM_TASK_ENTAILMENT,
     ": it was trained on single texts, and has seen no pair."},
};

static char *names[LM_TASK_COUNT];    /* of settings; NULL: not defined yet */
static char *settings[LM_TASK_COUNT]; /* their values */

static bool planned = false; /* a plan depends on the default for embedding */

static int
number_of(const lm_task *task)
{
    return (int)(task - lm_tasks);
}

const char *
lmtext_task_setting(const lm_task *task)
{
    return settings[number_of(task)];
}

const char *
lmtext_task_setting_name(const lm_task *task)
{
    return names[number_of(task)];
}

const char *
lmtext_task_default(const lm_task *task)
{
    const char *name = lmtext_task_setting(task), *setting = lmtext_task_setting_name(task);
    const char *example = words[number_of(task)].example;

    if (name[0] == '\0')
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
                        errmsg("no model was given and %s is not set", setting),
                        errhint("Name a model in the call, or set the default: SET %s = '%s'.",
                                setting, example != NULL ? example : "name")));
    return name;
}

/* ---- A model of another task ---- */

static char *
advice_for(const lmtext_model *model, const lm_task *own, const lm_task *wanted)
{
    for (int i = 0; i < lengthof(advices); i++)
        if (&lm_tasks[advices[i].from] == own && &lm_tasks[advices[i].to] == wanted &&
            advices[i].on_base == lm_model_needs_base(&model->model))
            return psprintf(advices[i].advice, model->name);
    return pstrdup(".");
}

static int
hint_for(const lmtext_model *model, const lm_task *own, const lm_task *wanted)
{
    const char *function = words[number_of(own)].function;

    return function == NULL ? 0
                            : errhint("Use %s with it%s", function, advice_for(model, own, wanted));
}

/*
 * A classifier computes an embedding on its way, but who may use it was granted labels, not the
 * vectors of its base; and vectors of the two would meet under two names.
 */
void
lmtext_task_check(const lmtext_model *model, const char *task)
{
    const lm_task *wanted;

    if (strcmp(model->model.info.task, task) == 0)
        return;
    wanted = lm_task_find(task);
    if (lm_task_serves(wanted, &model->model))
        return;
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("model \"%s\" cannot %s", model->name, wanted->does),
                    errdetail("Its task is %s.", model->model.info.task),
                    hint_for(model, lm_task_of(&model->model), wanted)));
}

/* ---- Settings ---- */

/* "lmtext.embedding_model"; no word stands twice in the name. */
static char *
setting_name(const char *task)
{
    const char *suffix = "_model";
    size_t length = strlen(task), end = strlen(suffix);
    bool there = length > end && strcmp(task + length - end, suffix) == 0;

    return psprintf("lmtext.%s%s", task, there ? "" : suffix);
}

const char *
lmtext_task_planned(void)
{
    planned = true;
    return settings[LM_TASK_EMBEDDING];
}

static void
assign_embedding(const char *value, void *extra)
{
    if (planned && strcmp(value, settings[LM_TASK_EMBEDDING]) != 0)
        ResetPlanCache();
}

/* The strings live as long as the setting. */
static void
define_setting(int task)
{
    MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);
    const char *name = lm_tasks[task].name, *purpose = words[task].purpose;

    if (names[task] == NULL)
        names[task] = setting_name(name);
    if (purpose == NULL)
        purpose = psprintf("Sets the model of calls for the task %s that name none.", name);
    MemoryContextSwitchTo(caller);
    LMTEXT_SETTING(
        String, names[task], purpose,
        "The name is looked up by search_path, as a table is. An empty string means none.",
        &settings[task], "", PGC_USERSET, 0, NULL,
        task == LM_TASK_EMBEDDING ? assign_embedding : NULL, NULL);
}

void
lmtext_task_settings(void)
{
    for (int i = 0; i < LM_TASK_COUNT; i++)
        define_setting(i);
}
