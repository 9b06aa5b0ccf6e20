/*
 * classify.c - a head over embeddings: of a checkpoint, these are the pooled hidden states that its
 * head reads. Texts go in blocks, so that memory for embeddings does not grow with the number of
 * texts.
 */
#include "task/classify.h"

#include <math.h>

#include "lang/ngram_head.h"
#include "model/layers.h"
#include "model/session.h"
#include "task/batch.h"
#include "task/score.h"

#define BLOCK_TEXTS 1024

/* The base is bound by the caller, so its width can be checked here at the earliest. */
static lm_status
check_head(lm_context *ctx, const lm_model *model)
{
    const lm_model *encoder = lm_model_encoder(model);
    const lm_head *head = lm_model_head(model);

    if (!head) {
        lm_raise(ctx, LM_UNSUPPORTED, "the model has no classification head");
        return lm_detail_hint(ctx, "Train a classifier on this model, or use the model to embed.");
    }
    if (lm_model_width(encoder) == 0)
        return lm_raise(ctx, LM_INTERNAL, "the head has not been bound to its base");
    if (encoder->info.dimensions != head->width) {
        lm_raise(ctx, LM_BAD_MODEL, "the head does not fit its base model");
        lm_detail_key(ctx, "dimensions");
        lm_detail_found(ctx, "%d", head->width);
        return lm_detail_allowed(ctx, "%d", encoder->info.dimensions);
    }
    return LM_OK;
}

/* Rows of embeddings to rows of scores. */
static lm_status
score_all(lm_context *ctx, const lm_model *model, const float *embeddings, size_t count,
          lm_scoring scoring, float *room, float *scores)
{
    const lm_kernels *kernels = lm_model_encoder(model)->kernels;
    const lm_head *head = lm_model_head(model);

    for (size_t i = 0; i < count; i++) {
        /* Ten thousand labels are some milliseconds a text. */
        LM_TRY(lm_poll(ctx));
        lm_head_logits(kernels, head, embeddings + i * (size_t)head->width, room,
                       scores + i * (size_t)head->labels);
        lm_score(kernels, scoring, (size_t)head->labels, scores + i * (size_t)head->labels);
    }
    return LM_OK;
}

/* ---- n-grams ---- */

/* How wide the embeddings of a block are, and how many labels: of either kind of head. */
static size_t
width_of(const lm_model *model)
{
    const lm_ngram_head *ngrams = lm_model_ngram_head(model);

    return (size_t)(ngrams ? ngrams->width : lm_model_head(model)->width);
}

static size_t
labels_of(const lm_model *model)
{
    const lm_ngram_head *ngrams = lm_model_ngram_head(model);

    return (size_t)(ngrams ? ngrams->labels : lm_model_head(model)->labels);
}

/* The base is bound by the caller, so its width can be checked here at the earliest. */
static lm_status
check_ngrams(lm_context *ctx, const lm_model *model, bool pairs)
{
    const lm_ngram_head *head = lm_model_ngram_head(model);

    if (pairs)
        return lm_raise(ctx, LM_UNSUPPORTED, "the model has no head for pairs of texts");
    if (head->width == 0 || (model->base && model->base->info.dimensions == head->width))
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "the head does not fit its base model");
    lm_detail_key(ctx, "dimensions");
    lm_detail_found(ctx, "%d", head->width);
    return lm_detail_allowed(ctx, "%d", model->base ? model->base->info.dimensions : 0);
}

/* Scores of texts, and of their embeddings where these have a width; *done counts texts. */
static lm_status
score_ngrams(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t count, const float *embeddings, lm_scoring scoring, float *scores,
             lm_embed_counts *counts)
{
    const lm_ngram_head *head = lm_model_ngram_head(model);
    const lm_kernels *kernels = lm_kernels_active();

    for (size_t i = 0; i < count; i++) {
        const float *embedding = head->width > 0 ? embeddings + i * (size_t)head->width : NULL;
        float *row = scores + i * (size_t)head->labels;

        LM_TRY(lm_poll(ctx));
        LM_TRY(lm_ngram_head_run(kernels, head, &session->ngrams, texts[i], embedding, row));
        lm_score(kernels, scoring, (size_t)head->labels, row);
        if (head->width == 0) {
            counts->texts++;
            counts->tokens += session->ngrams.seen;
        }
    }
    return LM_OK;
}

/* ---- Nets of layers ---- */

/* One call. */
typedef struct layers_run {
    lm_batcher batcher;
    lm_scoring scoring;
    double weight; /* of the windows of the text under way */
    float *scores; /* (count, labels) */
} layers_run;

/* Where a text has several windows its numbers are the mean of theirs. */
static lm_status
score_layers(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    layers_run *run = opaque;
    const size_t labels = lm_model_layers(run->batcher.model)->net.out;
    const double weight = window->first && window->last ? 1 : window->weight;
    float *row = run->scores + window->text * labels;

    LM_TRY(lm_poll(run->batcher.ctx));
    run->weight = (window->first ? 0 : run->weight) + weight;
    for (size_t i = 0; i < labels; i++)
        row[i] = (window->first ? 0 : row[i]) + (float)weight * x[i];
    if (!window->last)
        return LM_OK;
    for (size_t i = 0; i < labels; i++)
        row[i] /= (float)run->weight;
    lm_score(run->batcher.model->kernels, run->scoring, labels, row);
    if (isfinite(row[lm_classify_best(row, (int)labels)]))
        return LM_OK;
    return lm_raise(run->batcher.ctx, LM_BAD_MODEL,
                    "the model computed a score that is not finite");
}

static lm_status
classify_layers(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                size_t count, const lm_embed_options *options, lm_scoring scoring, float *scores,
                lm_embed_counts *counts)
{
    layers_run run = {.batcher = {.ctx = ctx,
                                  .session = session,
                                  .model = model,
                                  .rows = LM_FIRST_ROW,
                                  .on_long = options->on_long,
                                  .batch_tokens = options->batch_tokens,
                                  .take = score_layers,
                                  .counts = counts},
                      .scoring = scoring,
                      .scores = scores};
    lm_status status = LM_OK;

    if (options->pairs || !lm_model_layers(model)->net.by_text)
        return lm_raise(ctx, LM_UNSUPPORTED,
                        options->pairs ? "the model has no head for pairs of texts"
                                       : "the model tags tokens and does not classify texts");
    run.batcher.opaque = &run;
    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = lm_batch_add(&run.batcher, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run.batcher);
    lm_session_trim(session);
    return status;
}

/* ---- Texts ---- */

/* Where a text fails, those before it that were embedded still get their scores. The session's
 * embeddings begin with room for one that is between layers. */
static lm_status
classify_embedded(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                  size_t done, lm_scoring scoring, float *room, float *scores)
{
    const float *embeddings = room + width_of(model);

    if (lm_model_ngram_head(model))
        return score_ngrams(ctx, session, model, texts, done, embeddings, scoring, scores, NULL);
    return score_all(ctx, model, embeddings, done, scoring, room, scores);
}

static lm_status
classify_block(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
               size_t count, const lm_embed_options *options, lm_scoring scoring, float *scores,
               lm_embed_counts *counts)
{
    lm_embed_counts done = {0};
    float *room = session->embeddings, *embeddings = room + width_of(model);
    lm_status status = lm_embed(ctx, session, model, texts, count, options, embeddings, &done);
    lm_status scored = LM_OK;

    lm_embed_counts_add(counts, &done);
    if (status != LM_CANCELLED)
        scored = classify_embedded(ctx, session, model, texts, (size_t)done.texts, scoring, room,
                                   scores);
    return scored != LM_OK ? scored : status;
}

lm_status
lm_classify(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
            size_t count, const lm_embed_options *options, float *scores, lm_embed_counts *counts)
{
    if (lm_model_layers(model))
        return classify_layers(ctx, session, model, texts, count, options, model->info.scoring,
                               scores, counts);
    if (!lm_model_ngram_head(model))
        LM_TRY(check_head(ctx, model));
    return lm_classify_as(ctx, session, model, texts, count, options,
                          lm_model_ngram_head(model) ? model->info.scoring
                                                     : lm_model_head(model)->scoring,
                          scores, counts);
}

/* By n-grams alone. Buffers are given back as by lm_embed. */
static lm_status
classify_ngrams(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                size_t count, lm_scoring scoring, float *scores, lm_embed_counts *counts)
{
    lm_embed_counts done = {0};
    lm_status status =
        score_ngrams(ctx, session, model, texts, count, NULL, scoring, scores, &done);

    lm_embed_counts_add(counts, &done);
    lm_session_trim(session);
    return status;
}

/* The embedding is taken whole, whatever `dimensions` says: the head was trained on all of it. */
lm_status
lm_classify_as(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
               size_t count, const lm_embed_options *options, lm_scoring scoring, float *scores,
               lm_embed_counts *counts)
{
    lm_embed_options whole = *options;
    size_t block = count < BLOCK_TEXTS ? count : BLOCK_TEXTS;
    size_t each = options->pairs ? 2 : 1;

    if (lm_model_layers(model))
        return classify_layers(ctx, session, model, texts, count, options, scoring, scores, counts);
    LM_TRY(lm_model_ngram_head(model) ? check_ngrams(ctx, model, options->pairs)
                                      : check_head(ctx, model));
    if (width_of(model) == 0)
        return classify_ngrams(ctx, session, model, texts, count, scoring, scores, counts);
    whole.dimensions = 0;
    LM_TRY(lm_session_grow(ctx, session, &session->embeddings, &session->embedding_capacity,
                           (block + 1) * width_of(model), sizeof(float)));
    for (size_t first = 0; first < count; first += block) {
        size_t texts_here = count - first < block ? count - first : block;

        LM_TRY(classify_block(ctx, session, model, texts + each * first, texts_here, &whole,
                              scoring, scores + first * labels_of(model), counts));
    }
    return LM_OK;
}

/* ---- Vectors ---- */

/* What a checkpoint's head reads is nothing that SQL has: there is no embedding of it. */
static lm_status
check_takes_vectors(lm_context *ctx, const lm_model *model)
{
    if (lm_model_ngram_head(model) || lm_model_layers(model)) {
        lm_raise(ctx, LM_UNSUPPORTED, "the model classifies texts only, not vectors");
        return lm_detail_hint(ctx, "It reads the words of a text. Vectors can be classified by a "
                                   "model that lmtext.train made with the method linear.");
    }
    if (lm_model_reads_embedding(model))
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "the model classifies texts only, not vectors");
    return lm_detail_hint(ctx, "Its head is part of its encoder. Vectors can be classified by a "
                               "model that lmtext.train made on an embedding model.");
}

/*
 * A number that is not finite would give every label the score NaN. It makes the sum of squares
 * such a number too, which is found many times faster than which element it is.
 */
static lm_status
check_vector(lm_context *ctx, const lm_kernels *kernels, const float *vector, int width, int wanted)
{
    if (width != wanted) {
        lm_raise(ctx, LM_BAD_ARGUMENT,
                 "the vector does not have the dimensions of the base's embedding");
        lm_detail_found(ctx, "%d", width);
        return lm_detail_allowed(ctx, "%d", wanted);
    }
    if (isfinite(kernels->dot_f32((size_t)width, vector, vector)))
        return LM_OK;
    for (int i = 0; i < width; i++)
        if (!isfinite(vector[i])) {
            lm_raise(ctx, LM_BAD_ARGUMENT, "element %d of the vector is not a finite number",
                     i + 1);
            return lm_detail_found(ctx, "%s",
                                   isnan(vector[i]) ? "NaN"
                                   : vector[i] > 0  ? "Infinity"
                                                    : "-Infinity");
        }
    return LM_OK;
}

static lm_status
check_head_of_vectors(lm_context *ctx, const lm_model *model)
{
    if (!lm_model_ngram_head(model) && !lm_model_layers(model))
        LM_TRY(check_head(ctx, model));
    return check_takes_vectors(ctx, model);
}

static lm_status
check_vector_and_head(lm_context *ctx, const lm_model *model, const float *vector, int width)
{
    LM_TRY(check_head_of_vectors(ctx, model));
    return check_vector(ctx, lm_model_encoder(model)->kernels, vector, width,
                        lm_model_head(model)->width);
}

lm_status
lm_classify_vector(lm_context *ctx, const lm_model *model, const float *vector, int width,
                   float *scores)
{
    LM_TRY(check_vector_and_head(ctx, model, vector, width));
    return score_all(ctx, model, vector, 1, lm_model_head(model)->scoring, NULL, scores);
}

/* Products alone: what is not finite in a vector makes each number so. */
static bool
is_plain(const lm_head *head)
{
    return head->neighbours.count == 0 && !head->dense;
}

/* Probabilities are in the order of the head's numbers. */
lm_status
lm_classify_vector_best(lm_context *ctx, const lm_model *model, const float *vector, int width,
                        float *room, int *best)
{
    const lm_head *head = lm_model_head(model);
    const lm_kernels *kernels;

    LM_TRY(check_head_of_vectors(ctx, model));
    kernels = lm_model_encoder(model)->kernels;
    if (!is_plain(head) || width != head->width)
        LM_TRY(check_vector(ctx, kernels, vector, width, head->width));
    lm_head_logits(kernels, head, vector, NULL, room);
    if (!isfinite(room[0]))
        LM_TRY(check_vector(ctx, kernels, vector, width, head->width));
    *best = lm_classify_best(room, head->labels);
    return LM_OK;
}

/* The first of equals, so that the answer does not depend on the order of comparison. */
int
lm_classify_best(const float *scores, int labels)
{
    int best = 0;

    for (int i = 1; i < labels; i++)
        if (scores[i] > scores[best])
            best = i;
    return best;
}
