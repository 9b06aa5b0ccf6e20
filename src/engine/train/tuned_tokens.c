/*
 * tuned_tokens.c - tasks whose head reads tokens: tagging, and guessing words that are hidden. Only
 * tokens with a target are run through the head.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "train/calibrate.h"
#include "train/tuned_tasks.h"

/* ---- Tokens with a target ---- */

static const int32_t *
targets_of(const lm_tuned *tuned)
{
    return tuned->task == &lm_tuned_masked ? tuned->guessed : tuned->labels;
}

/* Where they stand in the batch, and their counters of dropout. */
static lm_status
pick(lm_tuned *tuned, const size_t *rows, size_t count)
{
    const lm_batch *batch = &tuned->encoder.batch;
    const int32_t *targets = targets_of(tuned);

    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->targets, &tuned->target_room, batch->tokens,
                         sizeof *tuned->targets));
    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->counters, &tuned->counter_room, batch->tokens,
                         sizeof *tuned->counters));
    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->picked, &tuned->picked_room, batch->tokens,
                         sizeof *tuned->picked));
    tuned->picked_count = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t first = lm_tuned_texts_first(&tuned->texts, rows[i]);
        const size_t length = batch->offsets[i + 1] - batch->offsets[i];

        for (size_t token = 0; token < length; token++)
            if (targets[first + token] != LM_IGNORED) {
                const size_t at = tuned->picked_count++;

                tuned->picked[at] = batch->offsets[i] + token;
                tuned->targets[at] = targets[first + token];
                tuned->counters[at] = tuned->encoder.noise.texts[i] + token;
            }
    }
    return LM_OK;
}

static lm_status
run_head(lm_tuned *tuned, const lm_pass *pass, const float *states)
{
    const size_t width = tuned->encoder.hidden;

    LM_TRY(lm_tuned_head_begin(&tuned->head, tuned->picked_count));
    for (size_t i = 0; i < tuned->picked_count; i++)
        memcpy(tuned->head.x + i * width, states + tuned->picked[i] * width,
               width * sizeof *states);
    return lm_tuned_head_forward(&tuned->head, pass, tuned->counters);
}

static lm_status
back(lm_tuned *tuned, const lm_pass *pass)
{
    const size_t width = tuned->encoder.hidden;
    float *dhidden = tuned->encoder.dhidden;

    memset(dhidden, 0, tuned->encoder.batch.tokens * width * sizeof *dhidden);
    if (tuned->picked_count == 0)
        return LM_OK;
    LM_TRY(lm_tuned_head_backward(&tuned->head, pass, tuned->counters));
    for (size_t i = 0; i < tuned->picked_count; i++)
        memcpy(dhidden + tuned->picked[i] * width, tuned->head.dx + i * width,
               width * sizeof *dhidden);
    return LM_OK;
}

/* Where the tokens end that were picked of one text; those of a text are neighbours. */
static size_t
end_of_text(const lm_tuned *tuned, size_t text, size_t first)
{
    while (first < tuned->picked_count &&
           tuned->picked[first] < tuned->encoder.batch.offsets[text + 1])
        first++;
    return first;
}

/* Room for a CRF on the longest text. */
static lm_status
crf_room(lm_tuned *tuned, double **room)
{
    const size_t labels = tuned->head.labels, numbers = lm_crf_room(labels, tuned->picked_count);

    LM_TRY(lm_tuned_room(tuned, numbers * (sizeof **room / sizeof *tuned->room)));
    *room = (double *)(void *)tuned->room;
    return LM_OK;
}

/* Of each text the tokens that were picked, in place of whose scores stand their gradients. */
static lm_status
crf_loss(lm_tuned *tuned, size_t count, const lm_pass *pass, double *loss)
{
    const lm_crf crf = lm_tuned_head_crf(&tuned->head, pass->training);
    double *room;
    size_t first = 0, end;

    LM_TRY(crf_room(tuned, &room));
    for (size_t i = 0; i < count; i++, first = end) {
        float *scores = tuned->head.scores + first * crf.labels;

        end = end_of_text(tuned, i, first);
        if (end > first)
            LM_TRY(lm_crf_loss(tuned->ctx, &crf, end - first, scores, tuned->targets + first,
                               pass->weight, room, loss, pass->training ? scores : NULL));
    }
    return LM_OK;
}

static lm_status
token_loss(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass,
           const float *states, double *loss)
{
    const lm_cross_entropy_options options = {tuned->settings.class_weights,
                                              tuned->settings.label_smoothing};

    LM_TRY(pick(tuned, rows, count));
    if (tuned->picked_count > 0) {
        LM_TRY(run_head(tuned, pass, states));
        if (tuned->head.crf)
            LM_TRY(crf_loss(tuned, count, pass, loss));
        else
            LM_TRY(lm_cross_entropy_loss(tuned->ctx, tuned->encoder.weights.kernels, &options,
                                         tuned->picked_count, tuned->head.labels,
                                         tuned->head.scores, tuned->targets, pass->weight, loss,
                                         pass->training ? tuned->head.scores : NULL));
    }
    return pass->training ? back(tuned, pass) : LM_OK;
}

/* The best labels of each text together. */
static lm_status
decode(lm_tuned *tuned, size_t count)
{
    const lm_crf crf = lm_tuned_head_crf(&tuned->head, false);
    double *room;
    size_t first = 0, end;

    LM_TRY(crf_room(tuned, &room));
    for (size_t i = 0; i < count; i++, first = end) {
        end = end_of_text(tuned, i, first);
        if (end > first)
            LM_TRY(lm_crf_decode(tuned->ctx, &crf, end - first,
                                 tuned->head.scores + first * crf.labels, room,
                                 tuned->found + first));
    }
    return LM_OK;
}

/* The best labels, of `count` texts; sums[0] of sums[1] are right. */
static lm_status
find_labels(lm_tuned *tuned, size_t count)
{
    const size_t labels = tuned->head.labels;

    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->found, &tuned->found_room, tuned->picked_count + 1,
                         sizeof *tuned->found));
    for (size_t i = 0; !tuned->head.crf && i < tuned->picked_count; i++)
        tuned->found[i] = (int32_t)lm_best_number(tuned->head.scores + i * labels, labels);
    if (tuned->head.crf)
        LM_TRY(decode(tuned, count));
    for (size_t i = 0; i < tuned->picked_count; i++)
        tuned->sums[0] += tuned->found[i] == tuned->targets[i];
    tuned->sums[1] += (double)tuned->picked_count;
    return LM_OK;
}

/* ---- Tagging ---- */

/* A batch of nothing but ignored tokens must not divide by 0. A CRF's is of texts. */
static double
tagging_weight(const lm_tuned *tuned, const size_t *rows, size_t count)
{
    const lm_cross_entropy_options options = {tuned->settings.class_weights, 0};
    double weight = 0;

    if (tuned->head.crf)
        return (double)count;
    for (size_t i = 0; i < count; i++)
        weight += lm_cross_entropy_weight(
            &options, tuned->labels + lm_tuned_texts_first(&tuned->texts, rows[i]),
            lm_tuned_texts_length(&tuned->texts, rows[i]));
    return weight > 0 ? weight : 1;
}

static lm_text
name_of(const lm_tuned *tuned, size_t label)
{
    return (lm_text){tuned->names[label], strlen(tuned->names[label])};
}

/* The tags of a row, which are neighbours among those that were picked. */
static lm_status
add_row(lm_tuned *tuned, size_t first, size_t count)
{
    lm_text *tags = lm_alloc_array(tuned->ctx, 2 * count + 1, sizeof *tags);
    lm_status status;

    if (!tags)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        tags[i] = name_of(tuned, (size_t)tuned->targets[first + i]);
        tags[count + i] = name_of(tuned, (size_t)tuned->found[first + i]);
    }
    status = lm_entities_add(tuned->entities, tags, tags + count, count);
    lm_free(tuned->ctx, tags);
    return status;
}

static lm_status
tagging_add(lm_tuned *tuned, const size_t *rows, size_t count)
{
    size_t first = 0, end;

    if (!tuned->entities)
        LM_TRY(lm_entities_create(tuned->ctx, NULL, &tuned->entities));
    LM_TRY(find_labels(tuned, count));
    for (size_t i = 0; i < count; i++, first = end) {
        end = end_of_text(tuned, i, first);
        LM_TRY(add_row(tuned, first, end - first));
    }
    return LM_OK;
}

static lm_status
tagging_finish(lm_tuned *tuned, lm_measures *measures)
{
    lm_label_score *scores = NULL;
    lm_averages averages;
    size_t count = 0;
    lm_status status = lm_entities_scores(tuned->entities, &scores, &count, &averages);

    lm_free(tuned->ctx, scores);
    lm_entities_free(tuned->entities);
    tuned->entities = NULL;
    LM_TRY(status);
    lm_measures_add(measures, "accuracy",
                    tuned->sums[1] > 0 ? tuned->sums[0] / tuned->sums[1] : (double)NAN);
    lm_measures_add(measures, "f1", count > 0 ? averages.micro.f1 : (double)NAN);
    return LM_OK;
}

const lm_tuned_task lm_tuned_tagging = {
    .name = "tagging",
    .head_task = "token_classification",
    .tokens = true,
    .weight = tagging_weight,
    .loss = token_loss,
    .add = tagging_add,
    .finish = tagging_finish,
};

/* ---- Words that are hidden ---- */

/* Tokens of a row that stand for its text, and not for the template. */
static size_t
words_of(const lm_tuned *tuned, size_t row)
{
    const size_t length = lm_tuned_texts_length(&tuned->texts, row);

    return length > tuned->special ? length - tuned->special : 0;
}

/* So many of them are guessed: the share, but at least one. */
static size_t
guesses_of(const lm_tuned *tuned, size_t row)
{
    const size_t words = words_of(tuned, row);
    const size_t share = (size_t)(tuned->settings.masked * (double)words + 0.5);

    return words == 0 ? 0 : share > 0 ? share : 1;
}

/* Of those that are guessed 8 of 10 are masked, one is another word, and one stays. */
static int32_t
hidden_as(const lm_tuned *tuned, lm_rng *rng, int32_t id)
{
    const uint64_t die = lm_rng_below(rng, 10);
    const int vocabulary = ((const lm_dims *)tuned->plain.config)->vocab;

    if (die < 8)
        return tuned->mask_id;
    return die == 8 ? (int32_t)lm_rng_below(rng, (uint64_t)vocabulary) : id;
}

/* A choice without return: each word with the chance that is left. */
static void
mask_row(lm_tuned *tuned, size_t row, lm_rng *rng)
{
    const size_t first = lm_tuned_texts_first(&tuned->texts, row) + tuned->special_before;
    size_t left = words_of(tuned, row), wanted = guesses_of(tuned, row);

    for (size_t i = first; left > 0; i++, left--) {
        tuned->guessed[i] = LM_IGNORED;
        tuned->changed[i] = tuned->texts.ids[i];
        if (lm_rng_below(rng, left) >= wanted)
            continue;
        wanted--;
        tuned->guessed[i] = tuned->texts.ids[i];
        tuned->changed[i] = hidden_as(tuned, rng, tuned->texts.ids[i]);
    }
}

static lm_status
make_masks(lm_tuned *tuned)
{
    const size_t tokens = tuned->texts.tokens;

    tuned->changed = lm_alloc_array(tuned->ctx, tokens, sizeof *tuned->changed);
    tuned->guessed = lm_alloc_array(tuned->ctx, tokens, sizeof *tuned->guessed);
    if (!tuned->changed || !tuned->guessed)
        return LM_NO_MEMORY;
    memcpy(tuned->changed, tuned->texts.ids, tokens * sizeof *tuned->changed);
    for (size_t i = 0; i < tokens; i++)
        tuned->guessed[i] = LM_IGNORED;
    if (tuned->mask_id >= 0)
        return LM_OK;
    return lm_raise(tuned->ctx, LM_UNSUPPORTED, "the model's vocabulary has no mask token");
}

lm_status
lm_tuned_mask(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass)
{
    if (!tuned->guessed)
        LM_TRY(make_masks(tuned));
    for (size_t i = 0; i < count; i++) {
        lm_rng rng;

        lm_rng_seed(&rng, lm_dropout_seed(pass->seed, pass->step, rows[i]));
        mask_row(tuned, rows[i], &rng);
    }
    return LM_OK;
}

static double
masked_weight(const lm_tuned *tuned, const size_t *rows, size_t count)
{
    size_t weight = 0;

    for (size_t i = 0; i < count; i++)
        weight += guesses_of(tuned, rows[i]);
    return weight > 0 ? (double)weight : 1;
}

static lm_status
masked_add(lm_tuned *tuned, const size_t *rows, size_t count)
{
    return find_labels(tuned, count);
}

static lm_status
masked_finish(lm_tuned *tuned, lm_measures *measures)
{
    lm_measures_add(measures, "accuracy",
                    tuned->sums[1] > 0 ? tuned->sums[0] / tuned->sums[1] : (double)NAN);
    lm_measures_add(measures, "perplexity", exp(measures->loss));
    return LM_OK;
}

const lm_tuned_task lm_tuned_masked = {
    .name = "masked_language_model",
    .head_task = "fill_mask",
    .tokens = true,
    .weight = masked_weight,
    .loss = token_loss,
    .add = masked_add,
    .finish = masked_finish,
};
