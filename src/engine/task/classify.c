/*
 * classify.c - a softmax head over embeddings. Texts go in blocks, so that memory for embeddings
 * does not grow with the number of texts.
 */
#include "task/classify.h"

#include <math.h>

#include "task/session.h"

#define BLOCK_TEXTS 1024

/* The base is bound by the caller, so its width can be checked here at the earliest. */
static lm_status
check_head(lm_context *ctx, const lm_model *model)
{
    const lm_model *encoder = lm_model_encoder(model);

    if (!model->has_head) {
        lm_raise(ctx, LM_UNSUPPORTED, "the model has no classification head");
        return lm_detail_hint(ctx, "Train a classifier on this model, or use the model to embed.");
    }
    if (!encoder->weights.family)
        return lm_raise(ctx, LM_INTERNAL, "the head has not been bound to its base");
    if (encoder->info.dimensions != model->head.width) {
        lm_raise(ctx, LM_BAD_MODEL, "the head does not fit its base model");
        lm_detail_key(ctx, "dimensions");
        lm_detail_found(ctx, "%d", model->head.width);
        return lm_detail_allowed(ctx, "%d", encoder->info.dimensions);
    }
    return LM_OK;
}

/* scores (labels) = softmax(W · x + b) */
static void
score(const lm_kernels *kernels, const lm_head *head, const float *x, float *scores)
{
    size_t width = (size_t)head->width;

    for (int i = 0; i < head->labels; i++)
        scores[i] = kernels->dot_f32(width, head->weight + (size_t)i * width, x) + head->bias[i];
    kernels->softmax_f32((size_t)head->labels, scores);
}

/* Rows of embeddings to rows of scores. */
static lm_status
score_all(lm_context *ctx, const lm_model *model, const float *embeddings, size_t count,
          float *scores)
{
    const lm_kernels *kernels = lm_model_encoder(model)->kernels;
    const lm_head *head = &model->head;

    for (size_t i = 0; i < count; i++) {
        /* Ten thousand labels are some milliseconds a text. */
        LM_TRY(lm_poll(ctx));
        score(kernels, head, embeddings + i * (size_t)head->width,
              scores + i * (size_t)head->labels);
    }
    return LM_OK;
}

static void
add_counts(lm_embed_counts *sum, const lm_embed_counts *counts)
{
    if (!sum)
        return;
    sum->texts += counts->texts;
    sum->tokens += counts->tokens;
    sum->truncated += counts->truncated;
    sum->forwards += counts->forwards;
}

/* Where a text fails, those before it that were embedded still get their scores. */
static lm_status
classify_block(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
               size_t count, const lm_embed_options *options, float *scores,
               lm_embed_counts *counts)
{
    lm_embed_counts done = {0};
    lm_status status =
        lm_embed(ctx, session, model, texts, count, options, session->embeddings, &done);
    lm_status scored = LM_OK;

    add_counts(counts, &done);
    if (status != LM_CANCELLED)
        scored = score_all(ctx, model, session->embeddings, (size_t)done.texts, scores);
    return scored != LM_OK ? scored : status;
}

/* The embedding is taken whole, whatever `dimensions` says: the head was trained on all of it. */
lm_status
lm_classify(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
            size_t count, const lm_embed_options *options, float *scores, lm_embed_counts *counts)
{
    lm_embed_options whole = *options;
    const lm_head *head = &model->head;
    size_t block = count < BLOCK_TEXTS ? count : BLOCK_TEXTS;

    LM_TRY(check_head(ctx, model));
    whole.dimensions = 0;
    LM_TRY(lm_session_grow(ctx, session, &session->embeddings, &session->embedding_capacity,
                           block * (size_t)head->width, sizeof(float)));
    for (size_t first = 0; first < count; first += block) {
        size_t texts_here = count - first < block ? count - first : block;

        LM_TRY(classify_block(ctx, session, model, texts + first, texts_here, &whole,
                              scores + first * (size_t)head->labels, counts));
    }
    return LM_OK;
}

/* A number that is not finite would give every label the score NaN. */
static lm_status
check_vector(lm_context *ctx, const float *vector, int width, int wanted)
{
    if (width != wanted) {
        lm_raise(ctx, LM_BAD_ARGUMENT,
                 "the vector does not have the dimensions of the base's embedding");
        lm_detail_found(ctx, "%d", width);
        return lm_detail_allowed(ctx, "%d", wanted);
    }
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

lm_status
lm_classify_vector(lm_context *ctx, const lm_model *model, const float *vector, int width,
                   float *scores)
{
    LM_TRY(check_head(ctx, model));
    LM_TRY(check_vector(ctx, vector, width, model->head.width));
    return score_all(ctx, model, vector, 1, scores);
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
