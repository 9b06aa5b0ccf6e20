/*
 * tasks.c - the table of tasks.
 */
#include "task/tasks.h"

#include <string.h>

#include "task/answer.h"
#include "task/classify.h"
#include "task/fill_mask.h"
#include "task/language_model.h"
#include "task/late_interaction.h"
#include "task/pair.h"
#include "task/sparse.h"
#include "task/tag.h"
#include "task/word_states.h"

static const lm_embed_options as_the_files_say = {.on_long = LM_LONG_TRUNCATE};

/* Of a Router, as a query and as a document. */
static int
embedding_width(const lm_model *model)
{
    return (model->routes ? 2 : 1) * model->info.dimensions;
}

/* The vectors of a side, one in each row of `width`; a side without a way has zeros. */
static lm_status
side_golden(lm_context *ctx, lm_session *session, const lm_model *model, lm_side side,
            const lm_text *texts, size_t count, size_t width, float *out)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE, .side = side};

    for (size_t i = 0; lm_model_route(model, side) && i < count; i++)
        LM_TRY(lm_embed(ctx, session, model, texts + i, 1, &options, out + i * width, NULL));
    return LM_OK;
}

static lm_status
embedding_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                 size_t count, float *out)
{
    const size_t width = (size_t)embedding_width(model);

    if (!model->routes)
        return lm_embed(ctx, session, model, texts, count, &as_the_files_say, out, NULL);
    memset(out, 0, count * width * sizeof *out);
    LM_TRY(side_golden(ctx, session, model, LM_SIDE_QUERY, texts, count, width, out));
    return side_golden(ctx, session, model, LM_SIDE_DOCUMENT, texts, count, width,
                       out + model->info.dimensions);
}

static int
labels_width(const lm_model *model)
{
    return model->info.label_count;
}

static lm_status
classification_golden(lm_context *ctx, lm_session *session, const lm_model *model,
                      const lm_text *texts, size_t count, float *out)
{
    return lm_classify(ctx, session, model, texts, count, &as_the_files_say, out, NULL);
}

static lm_status
tag_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
           size_t count, float *out)
{
    return lm_tag_means(ctx, session, model, texts, count, &as_the_files_say, out);
}

/* ---- Pairs: a text is the second one of each, behind words that do not change ---- */

static const lm_text golden_first = {"fox?", 4}; /* short: an answer needs room behind it */

typedef lm_status (*pair_function)(lm_context *ctx, lm_session *session, const lm_model *model,
                                   const lm_text *texts, size_t pairs,
                                   const lm_embed_options *options, float *out,
                                   lm_embed_counts *counts);

static lm_status
pairs_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t count, pair_function function, float *out)
{
    lm_text *pairs = lm_alloc(ctx, 2 * count * sizeof *pairs);
    lm_status status;

    if (!pairs)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        pairs[2 * i] = golden_first;
        pairs[2 * i + 1] = texts[i];
    }
    status = function(ctx, session, model, pairs, count, &as_the_files_say, out, NULL);
    lm_free(ctx, pairs);
    return status;
}

static int
one_number(const lm_model *model)
{
    return 1;
}

static lm_status
rerank_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
              size_t count, float *out)
{
    return pairs_golden(ctx, session, model, texts, count, lm_rerank, out);
}

static lm_status
entailment_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                  size_t count, float *out)
{
    return pairs_golden(ctx, session, model, texts, count, lm_entailment, out);
}

static lm_status
next_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
            size_t count, float *out)
{
    return pairs_golden(ctx, session, model, texts, count, lm_next_sentence, out);
}

static int
answer_width(const lm_model *model)
{
    return LM_ANSWER_MEANS;
}

static lm_status
answer_means(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t pairs, const lm_embed_options *options, float *out, lm_embed_counts *counts)
{
    return lm_answer_means(ctx, session, model, texts, pairs, out);
}

static lm_status
answer_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
              size_t count, float *out)
{
    return pairs_golden(ctx, session, model, texts, count, answer_means, out);
}

/* ---- Models that serve more than one task ---- */

static bool
has_task(const lm_model *model, lm_task_id task)
{
    return strcmp(model->info.task, lm_tasks[task].name) == 0;
}

/* A cross-encoder's head is one of a classifier. */
static bool
classifies(const lm_model *model)
{
    return has_task(model, LM_TASK_RERANK);
}

/* A head that was trained on embeddings has seen no pair. */
static bool
reranks(const lm_model *model)
{
    return has_task(model, LM_TASK_CLASSIFICATION) && !lm_model_reads_embedding(model) &&
           model->info.label_count == 1;
}

static bool
entails(const lm_model *model)
{
    return has_task(model, LM_TASK_CLASSIFICATION) && !lm_model_reads_embedding(model) &&
           lm_entailment_label(model) >= 0;
}

static int
fill_width(const lm_model *model)
{
    return LM_FILL_GOLDEN;
}

static int
sparse_width(const lm_model *model)
{
    return LM_SPARSE_GOLDEN;
}

/* A language model of layers has vectors of words. */
static bool
has_word_vectors(const lm_model *model)
{
    return lm_word_net(model) != NULL;
}

/* A text as a document, and as a query. */
static int
late_width(const lm_model *model)
{
    return LM_LATE_SIDES * model->info.dimensions;
}

static lm_status
late_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
            size_t count, float *out)
{
    return lm_token_vector_means(ctx, session, model, texts, count, out);
}

const lm_task lm_tasks[LM_TASK_COUNT] = {
    [LM_TASK_EMBEDDING] = {.name = "embedding",
                           .does = "compute embeddings",
                           .yields = "embeddings",
                           .needs = LM_CAP_ENCODER,
                           .width = embedding_width,
                           .golden = embedding_golden},
    [LM_TASK_CLASSIFICATION] = {.name = "classification",
                                .does = "classify texts",
                                .yields = "scores",
                                .needs = LM_CAP_ENCODER,
                                .labelled = true,
                                .width = labels_width,
                                .golden = classification_golden,
                                .serves = classifies},
    [LM_TASK_TOKEN_CLASSIFICATION] = {.name = "token_classification",
                                      .does = "tag tokens",
                                      .yields = "tags",
                                      .needs = LM_CAP_ENCODER,
                                      .head = "token_classification",
                                      .labelled = true,
                                      .width = labels_width,
                                      .golden = tag_golden},
    [LM_TASK_LANGUAGE_MODEL] = {.name = "language_model",
                                .does = "compute log probabilities",
                                .yields = "log probabilities",
                                .needs = LM_CAP_LOG_PROBABILITY,
                                .width = lm_log_probability_golden_width,
                                .golden = lm_log_probability_golden},
    [LM_TASK_RERANK] = {.name = "rerank",
                        .does = "score documents for a query",
                        .yields = "scores of pairs",
                        .needs = LM_CAP_ENCODER,
                        .head = "classification",
                        .width = one_number,
                        .golden = rerank_golden,
                        .serves = reranks},
    [LM_TASK_ENTAILMENT] = {.name = "entailment",
                            .does = "tell what follows from a text",
                            .yields = "scores of hypotheses",
                            .needs = LM_CAP_ENCODER,
                            .head = "classification",
                            .labelled = true,
                            .borrowed = true,
                            .width = labels_width,
                            .golden = entailment_golden,
                            .serves = entails},
    [LM_TASK_NEXT_SENTENCE] = {.name = "next_sentence",
                               .does = "tell whether a sentence follows another",
                               .yields = "probabilities of the next sentence",
                               .needs = LM_CAP_ENCODER,
                               .head = "next_sentence",
                               .width = one_number,
                               .golden = next_golden},
    [LM_TASK_ANSWER] = {.name = "answer",
                        .does = "answer questions",
                        .yields = "answers",
                        .needs = LM_CAP_ENCODER,
                        .head = "answer",
                        .width = answer_width,
                        .golden = answer_golden},
    [LM_TASK_FILL_MASK] = {.name = "fill_mask",
                           .does = "fill masks",
                           .yields = "outputs",
                           .needs = LM_CAP_ENCODER,
                           .head = "fill_mask",
                           .width = fill_width,
                           .golden = lm_fill_golden},
    [LM_TASK_SPARSE] = {.name = "sparse",
                        .does = "compute sparse vectors",
                        .yields = "sparse vectors",
                        .needs = LM_CAP_ENCODER,
                        .head = "fill_mask",
                        .width = sparse_width,
                        .golden = lm_sparse_golden},
    [LM_TASK_LATE_INTERACTION] = {.name = "late_interaction",
                                  .does = "compute vectors of tokens",
                                  .yields = "vectors of tokens",
                                  .needs = LM_CAP_ENCODER,
                                  .width = late_width,
                                  .golden = late_golden,
                                  .serves = has_word_vectors},
};

const lm_task *
lm_task_find(const char *name)
{
    for (int i = 0; i < LM_TASK_COUNT; i++)
        if (strcmp(lm_tasks[i].name, name) == 0)
            return &lm_tasks[i];
    return NULL;
}

bool
lm_task_serves(const lm_task *task, const lm_model *model)
{
    return strcmp(model->info.task, task->name) == 0 || (task->serves && task->serves(model));
}

bool
lm_task_of_family(const lm_task *task, const lm_family *family)
{
    bool found = !task->head;

    for (size_t i = 0; !found && i < family->head_count; i++)
        found = strcmp(family->heads[i].task, task->head) == 0;
    return found && (family->caps & task->needs) == task->needs;
}

/* The names that planning a model writes are those of the table: a test compares them. */
const lm_task *
lm_task_of(const lm_model *model)
{
    return lm_task_find(model->info.task);
}
