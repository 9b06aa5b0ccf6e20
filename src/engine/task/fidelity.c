/*
 * fidelity.c - cosines between the embeddings of two models of the same files.
 */
#include "task/fidelity.h"

#include <math.h>

/* Texts embedded at a time: their vectors are all the memory that is taken. */
#define BLOCK 16

static const lm_embed_options plain = {.dimensions = 0};

/* Two vectors of zeros agree; one alone is as far as can be. */
static double
cosine(const float *a, const float *b, size_t width)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < width; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    if (aa == 0 || bb == 0)
        return aa == bb;
    return ab / sqrt(aa * bb);
}

static lm_status
measure_block(lm_context *ctx, lm_session *session, const lm_model *reference,
              const lm_model *reduced, const lm_text *texts, size_t count, float *vectors,
              lm_fidelity *fidelity)
{
    size_t width = (size_t)reference->info.dimensions;
    float *others = vectors + BLOCK * width;

    LM_TRY(lm_embed(ctx, session, reference, texts, count, &plain, vectors, NULL));
    LM_TRY(lm_embed(ctx, session, reduced, texts, count, &plain, others, NULL));
    for (size_t i = 0; i < count; i++) {
        double near = cosine(vectors + i * width, others + i * width, width);

        fidelity->min_cosine = fmin(fidelity->min_cosine, near);
        fidelity->mean_cosine += near;
    }
    return LM_OK;
}

lm_status
lm_fidelity_measure(lm_context *ctx, lm_session *session, const lm_model *reference,
                    const lm_model *reduced, const lm_text *texts, size_t count,
                    lm_fidelity *fidelity)
{
    size_t width = (size_t)reference->info.dimensions;
    lm_status status = LM_OK;
    float *vectors;

    if (reduced->info.dimensions != reference->info.dimensions)
        return lm_raise(ctx, LM_BAD_ARGUMENT, "the embeddings differ in width");
    vectors = lm_alloc_array(ctx, 2 * BLOCK, width * sizeof *vectors);
    if (!vectors)
        return LM_NO_MEMORY;
    *fidelity = (lm_fidelity){.texts = count, .min_cosine = 1};
    for (size_t done = 0, step; status == LM_OK && done < count; done += step) {
        step = count - done < BLOCK ? count - done : BLOCK;
        status =
            measure_block(ctx, session, reference, reduced, texts + done, step, vectors, fidelity);
    }
    fidelity->mean_cosine /= (double)count;
    lm_free(ctx, vectors);
    return status;
}
