/*
 * tuned_similarity.c - embeddings in training: texts of a row are to be near each other, or farther
 * than others.
 */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "nn/grad.h"
#include "task/steps.h"
#include "train/tuned_tasks.h"

/* Vectors of texts by their place in a row: (places, rows, D); the others as in the batch. */
typedef struct vectors {
    float *pooled;  /* (texts, D) */
    float *units;   /* (places, rows, D): of length 1 where the model's are */
    float *dunits;  /* their gradients */
    float *dpooled; /* (texts, D) */
    float *targets; /* (rows) */
    size_t rows, places, width;
} vectors;

static lm_status
lay(lm_tuned *tuned, size_t rows, vectors *v)
{
    const size_t places = tuned->texts.per_row, width = tuned->encoder.hidden,
                 count = rows * places * width;
    size_t used = 0;

    LM_TRY(lm_tuned_room(tuned, 4 * count + rows));
    *v = (vectors){.rows = rows, .places = places, .width = width};
    v->pooled = lm_lay_floats(tuned->room, &used, count);
    v->units = lm_lay_floats(tuned->room, &used, count);
    v->dunits = lm_lay_floats(tuned->room, &used, count);
    v->dpooled = lm_lay_floats(tuned->room, &used, count);
    v->targets = lm_lay_floats(tuned->room, &used, rows);
    return LM_OK;
}

/* Where a text's vector stands among those of its place. */
static size_t
unit_at(const vectors *v, size_t text)
{
    return (text % v->places * v->rows + text / v->places) * v->width;
}

static void
embed(const lm_tuned *tuned, const float *states, const vectors *v)
{
    lm_tuned_pool(tuned, states, v->pooled);
    for (size_t text = 0; text < v->rows * v->places; text++) {
        float *unit = v->units + unit_at(v, text);

        memcpy(unit, v->pooled + text * v->width, v->width * sizeof *unit);
        if (tuned->normalize)
            tuned->encoder.weights.kernels->l2_normalize_f32(v->width, unit, LM_NORM_EPS);
    }
}

static void
embed_backward(const lm_tuned *tuned, const float *states, const vectors *v)
{
    for (size_t text = 0; text < v->rows * v->places; text++) {
        const float *from = v->dunits + unit_at(v, text);
        float *to = v->dpooled + text * v->width;

        if (tuned->normalize)
            lm_normalize_backward(v->width, LM_NORM_EPS, v->pooled + text * v->width, from, to);
        else
            memcpy(to, from, v->width * sizeof *to);
    }
    lm_tuned_pool_backward(tuned, states, v->dpooled);
}

/* ---- Losses of pairs, of ranks and of triplets ---- */

static lm_status
scored_loss(lm_tuned *tuned, const vectors *v, const lm_pass *pass, double *loss)
{
    const size_t next = v->rows * v->width;

    lm_cosine_loss(v->rows, v->width, v->units, v->units + next, v->targets, pass->weight, loss,
                   pass->training ? v->dunits : NULL, pass->training ? v->dunits + next : NULL);
    return LM_OK;
}

static lm_status
ranked_loss(lm_tuned *tuned, const vectors *v, const lm_pass *pass, double *loss)
{
    const size_t next = v->rows * v->width;

    return lm_ranking_loss(tuned->ctx, tuned->encoder.weights.kernels, v->rows,
                           v->rows * (v->places - 1), v->width, tuned->settings.scale, v->units,
                           v->units + next, pass->weight, loss, pass->training ? v->dunits : NULL,
                           pass->training ? v->dunits + next : NULL);
}

static lm_status
triplet_loss(lm_tuned *tuned, const vectors *v, const lm_pass *pass, double *loss)
{
    const size_t next = v->rows * v->width;
    float *d = pass->training ? v->dunits : NULL;

    lm_triplet_loss(v->rows, v->width, tuned->settings.margin, v->units, v->units + next,
                    v->units + 2 * next, pass->weight, loss, d, d ? d + next : NULL,
                    d ? d + 2 * next : NULL);
    return LM_OK;
}

static lm_status (*const losses[])(lm_tuned *tuned, const vectors *v, const lm_pass *pass,
                                   double *loss) = {
    [LM_TUNED_SCORED] = scored_loss,
    [LM_TUNED_RANKED] = ranked_loss,
    [LM_TUNED_TRIPLETS] = triplet_loss,
};

static lm_status
similarity_loss(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass,
                const float *states, double *loss)
{
    vectors v;

    LM_TRY(lay(tuned, count, &v));
    for (size_t i = 0; tuned->settings.pairs == LM_TUNED_SCORED && i < count; i++)
        v.targets[i] = tuned->numbers[rows[i]];
    embed(tuned, states, &v);
    LM_TRY(losses[tuned->settings.pairs](tuned, &v, pass, loss));
    if (pass->training)
        embed_backward(tuned, states, &v);
    return LM_OK;
}

static double
similarity_weight(const lm_tuned *tuned, const size_t *rows, size_t count)
{
    return (double)count;
}

/* Where the others of a batch are what a text is farther from. */
static bool
is_ranked(const lm_tuned *tuned)
{
    return tuned->settings.pairs == LM_TUNED_RANKED;
}

const lm_tuned_task lm_tuned_similarity = {
    .name = "similarity",
    .whole = is_ranked,
    .weight = similarity_weight,
    .loss = similarity_loss,
};
