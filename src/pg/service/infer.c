/*
 * infer.c - engine calls on texts, and their settings; the contract is in infer.h.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "task/classify.h"
#include "pg/glue/init_once.h"
#include "pg/glue/limits.h"
#include "pg/service/infer.h"
#include "pg/service/reuse.h"
#include "pg/service/tasks.h"

/* Measured on all-MiniLM-L6-v2: smaller batches are slower, larger ones only take memory. */
#define BATCH_TOKENS_DEFAULT 512
#define BATCH_TOKENS_MIN 16
#define BATCH_TOKENS_MAX 65536

/* What becomes of a text without a token. */
enum { ON_EMPTY_ERROR, ON_EMPTY_NULL };

static int batch_tokens = BATCH_TOKENS_DEFAULT;
static int on_long_setting = LM_LONG_TRUNCATE;
static int on_empty_setting = ON_EMPTY_ERROR;

static const struct config_enum_entry on_long_values[] = {
    {"truncate", LM_LONG_TRUNCATE, false},
    {"error", LM_LONG_ERROR, false},
    {"mean", LM_LONG_MEAN, false},
    {NULL, 0, false},
};

static const struct config_enum_entry on_empty_values[] = {
    {"error", ON_EMPTY_ERROR, false},
    {"null", ON_EMPTY_NULL, false},
    {NULL, 0, false},
};

/* ---- How texts are computed ---- */

void
lmtext_embed_defaults(lm_embed_options *options, lm_on_long on_long)
{
    memset(options, 0, sizeof(*options));
    options->on_long = on_long;
    options->batch_tokens = lmtext_limit_batch(batch_tokens);
}

int
lmtext_embed_width(lmtext_model *model, const lm_embed_options *options)
{
    int width = 0;

    lmtext_task_check(model, "embedding");
    lmtext_check(&model->call, lm_embed_width(&model->call.ctx, &model->model, options, &width),
                 model->name);
    return width;
}

/* The key's padding is compared as well. */
void
lmtext_infer_init(lmtext_inference *inference, const lmtext_infer_kind *kind, lmtext_model *model)
{
    const lm_embed_options *options = &inference->options;

    inference->kind = kind;
    inference->model = model;
    memset(&inference->key, 0, sizeof inference->key);
    inference->key.build = model->build;
    inference->key.dimensions = options->dimensions;
    inference->key.on_long = options->on_long;
    inference->key.choice = options->choice;
    inference->key.side = (int32)options->side;
    inference->key.named = options->prompt_name != NULL;
    inference->key.prompted = options->prompt != NULL;
}

static lm_status
run_embed(lmtext_model *model, const lm_text *texts, size_t count, const lm_embed_options *options,
          void *results, lm_embed_counts *counts)
{
    return lm_embed(&model->call.ctx, model->session, &model->model, texts, count, options, results,
                    counts);
}

static size_t
vector_size(const lmtext_inference *inference)
{
    return lmtext_embed_width(inference->model, &inference->options) * sizeof(float);
}

static lm_status
run_classify(lmtext_model *model, const lm_text *texts, size_t count,
             const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    return lm_classify(&model->call.ctx, model->session, &model->model, texts, count, options,
                       results, counts);
}

static size_t
scores_size(const lmtext_inference *inference)
{
    lmtext_task_check(inference->model, "classification");
    return inference->model->model.info.label_count * sizeof(float);
}

const lmtext_infer_kind lmtext_vectors = {
    .run = run_embed, .size = vector_size, .may_be_null = true, .kept_as = "embed"};
const lmtext_infer_kind lmtext_scores = {
    .run = run_classify, .size = scores_size, .kept_as = "class_scores"};

void
lmtext_infer_parts(const lmtext_inference *inference, lm_text text,
                   lm_text parts[LMTEXT_INFER_PARTS])
{
    const lm_embed_options *options = &inference->options;

    parts[0] = (lm_text){(const char *)&inference->key, sizeof inference->key};
    parts[1] = text;
    parts[2] =
        (lm_text){options->prompt_name, options->prompt_name ? strlen(options->prompt_name) : 0};
    parts[3] = (lm_text){options->prompt, options->prompt_length};
    parts[4] = options->own;
}

/* ---- Computing ---- */

/* *done is how many of the texts were computed, in their order. */
static lm_status
run_counted(const lmtext_inference *inference, const lm_text *texts, size_t count, void *results,
            size_t *done)
{
    lmtext_model *model = inference->model;
    lm_embed_counts counts = {0};
    lm_status status =
        inference->kind->run(model, texts, count, &inference->options, results, &counts);

    lmtext_count(model, &counts);
    *done = (size_t)counts.texts;
    return status;
}

/* What stands twice is computed once, and what the prediction cache has is not. */
static lm_status
run_what_is_left(const lmtext_inference *inference, const lm_text *texts, size_t count,
                 void *results, bool *found, size_t *done)
{
    lm_text parts[LMTEXT_INFER_PARTS];

    if (!lmtext_reuse_wanted(inference, count))
        return run_counted(inference, texts, count, results, done);
    lmtext_infer_parts(inference, texts[0], parts);
    return lmtext_reuse(inference, parts, run_counted, texts, count, results, found, done);
}

void
lmtext_infer(const lmtext_inference *inference, const lm_text *texts, size_t count, void *results)
{
    size_t done;
    lm_status status = run_what_is_left(inference, texts, count, results, NULL, &done);

    lmtext_check(&inference->model->call, status, inference->model->name);
    LMTEXT_FAULT_POINT("inferred");
}

/* Warned of once, and then at 10, 100, and so on, so that a table of them is not a table of
 * warnings. */
static void
warn_of_empty(lmtext_empty_texts *empty)
{
    if (++empty->count < empty->next)
        return;
    empty->next = empty->count * 10;
    ereport(WARNING,
            (errmsg_plural("%lld text without a token has no vector: the result is null",
                           "%lld texts without a token have no vector: the results are null",
                           (unsigned long)empty->count, (long long)empty->count)));
}

bool
lmtext_infer_text(const lmtext_inference *inference, lm_text text, void *result,
                  lmtext_empty_texts *empty)
{
    size_t done;
    lm_status status = run_what_is_left(inference, &text, 1, result, NULL, &done);

    if (status == LM_NO_TOKEN && on_empty_setting == ON_EMPTY_NULL &&
        inference->model->call.interrupt == NULL && empty != NULL) {
        warn_of_empty(empty);
        return false;
    }
    lmtext_check(&inference->model->call, status, inference->model->name);
    LMTEXT_FAULT_POINT("inferred");
    return true;
}

bool
lmtext_infer_has_token(const lmtext_inference *inference, lm_text text, void *result)
{
    size_t done;
    lm_status status = run_what_is_left(inference, &text, 1, result, NULL, &done);

    if (status == LM_NO_TOKEN && inference->model->call.interrupt == NULL)
        return false;
    lmtext_check(&inference->model->call, status, inference->model->name);
    return true;
}

/* A cancel was consumed here, so it must be thrown here. */
size_t
lmtext_infer_some(const lmtext_inference *inference, const lm_text *texts, size_t count,
                  void *results, bool *found)
{
    lmtext_model *model = inference->model;
    size_t done;
    lm_status status = run_what_is_left(inference, texts, count, results, found, &done);

    if (status == LM_CANCELLED || model->call.interrupt != NULL)
        lmtext_check(&model->call, status, model->name);
    LMTEXT_FAULT_POINT("inferred_ahead");
    return done;
}

void
lmtext_embed_texts(lmtext_model *model, const lm_text *texts, size_t count,
                   const lm_embed_options *options, float *out)
{
    lmtext_inference inference = {.options = *options};

    lmtext_infer_init(&inference, &lmtext_vectors, model);
    lmtext_infer(&inference, texts, count, out);
}

/* ---- Settings ---- */

lm_on_long
lmtext_on_long(void)
{
    return on_long_setting;
}

lm_on_long
lmtext_on_long_named(const char *word)
{
    for (const struct config_enum_entry *entry = on_long_values; entry->name != NULL; entry++)
        if (strcmp(entry->name, word) == 0)
            return entry->val;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("invalid value for on_long: \"%s\"", lmtext_clip(word)),
                    errhint("Allowed values: truncate, error, mean.")));
}

void
lmtext_infer_settings(void)
{
    LMTEXT_SETTING(Enum, "lmtext.on_long",
                   "Sets how a text that is longer than the model's window is read.",
                   "It does not apply to calls that are pinned to a version.", &on_long_setting,
                   LM_LONG_TRUNCATE, on_long_values, PGC_USERSET, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Enum, "lmtext.on_empty",
                   "Sets the result for a text without a token, if the tokenizer adds none.",
                   "It does not apply to calls that are pinned to a version.", &on_empty_setting,
                   ON_EMPTY_ERROR, on_empty_values, PGC_USERSET, 0, NULL, NULL, NULL);
    LMTEXT_SETTING(Int, "lmtext.batch_tokens",
                   "Sets the number of tokens that are computed as one batch.", NULL, &batch_tokens,
                   BATCH_TOKENS_DEFAULT, BATCH_TOKENS_MIN, BATCH_TOKENS_MAX, PGC_USERSET, 0, NULL,
                   NULL, NULL);
}
