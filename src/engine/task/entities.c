/*
 * entities.c - tokens to words to entities, as they come. Of a text under way there are the word
 * and the entity that are still open, and a list of those that are done.
 *
 * The rules are those of the reference's pipeline, odd ones too: a label without B- or I- goes on
 * with a neighbour that has the same; a piece of a word is known by its length in the text; and
 * what is left behind a label's first hyphen is the entity's name, so S-PER and PER are two
 * entities of one name.
 */
#include "task/entities.h"

#include <string.h>

#include "model/layers.h"
#include "task/classify.h"
#include "task/token_scores.h"

const char *const lm_aggregation_names[LM_AGGREGATE_COUNT] = {
    [LM_AGGREGATE_SIMPLE] = "simple",
    [LM_AGGREGATE_FIRST] = "first",
    [LM_AGGREGATE_AVERAGE] = "average",
    [LM_AGGREGATE_MAX] = "max",
};

/* What the pipeline leaves out. */
#define NO_ENTITY "O"

/* Some tokens in a row. */
typedef struct span {
    int32_t start, stop;
    size_t parts;  /* 0: none is open */
    int32_t label; /* of a word: its only token's */
    double sum;    /* of the parts' scores */
} span;

/* One call. */
typedef struct entity_run {
    const lm_tokenizer *tokenizer;
    const char *const *names;
    int labels;
    lm_aggregation aggregation;
    const lm_text *texts;
    lm_tag_cursor at; /* in the text under way */
    span word, entity;
    float *scores; /* of the open word's labels */
    float best;    /* of the open word's tokens */
    lm_buffer done;
    lm_entity_sink sink;
    void *opaque;
} entity_run;

/* ---- Words ---- */

static bool
is_piece(entity_run *run, const lm_scored_token *token)
{
    return lm_tag_is_piece(run->tokenizer, token->token, token->start, token->stop,
                           run->texts[token->text], &run->at);
}

static void
keep_scores(entity_run *run, const lm_scored_token *token, float best)
{
    memcpy(run->scores, token->scores, (size_t)run->labels * sizeof *run->scores);
    run->best = best;
}

static void
add_scores(entity_run *run, const lm_scored_token *token, float best)
{
    for (int i = 0; i < run->labels; i++)
        run->scores[i] += token->scores[i];
}

static void
keep_higher(entity_run *run, const lm_scored_token *token, float best)
{
    if (best > run->best)
        keep_scores(run, token, best);
}

/* What a further token of a word does to its scores; NULL: nothing. */
static void (*const joining[LM_AGGREGATE_COUNT])(entity_run *run, const lm_scored_token *token,
                                                 float best) = {
    [LM_AGGREGATE_AVERAGE] = add_scores,
    [LM_AGGREGATE_MAX] = keep_higher,
};

/* ---- Entities ---- */

const char *
lm_entity_name(const char *label)
{
    const char *hyphen = strchr(label, '-');

    return hyphen ? hyphen + 1 : label;
}

/* What neighbours must have in common: a label without its B- or I-. */
static const char *
tag_of(const char *label)
{
    return strncmp(label, "B-", 2) == 0 || strncmp(label, "I-", 2) == 0 ? label + 2 : label;
}

static lm_status
close_entity(entity_run *run)
{
    const span *open = &run->entity;
    const lm_entity entity = {open->start, open->stop, open->label,
                              (float)(open->sum / (double)open->parts)};

    run->entity.parts = 0;
    if (strcmp(lm_entity_name(run->names[entity.label]), NO_ENTITY) == 0)
        return LM_OK;
    return lm_buffer_append(&run->done, &entity, sizeof entity);
}

/* A token or a word with its label: it goes on with the entity, or begins another. */
static lm_status
add_part(entity_run *run, int32_t start, int32_t stop, int32_t label, float score)
{
    span *open = &run->entity;
    const char *name = run->names[label];

    if (open->parts > 0 && strncmp(name, "B-", 2) != 0 &&
        strcmp(tag_of(name), tag_of(run->names[open->label])) == 0) {
        open->stop = stop;
        open->parts++;
        open->sum += score;
        return LM_OK;
    }
    if (open->parts > 0)
        LM_TRY(close_entity(run));
    *open = (span){start, stop, 1, label, score};
    return LM_OK;
}

/* The open word gets its label. */
static lm_status
close_word(entity_run *run)
{
    const span word = run->word;
    int32_t label;

    run->word.parts = 0;
    if (word.parts == 0)
        return LM_OK;
    for (int i = 0; run->aggregation == LM_AGGREGATE_AVERAGE && i < run->labels; i++)
        run->scores[i] /= (float)word.parts;
    label = word.parts == 1 ? word.label : lm_classify_best(run->scores, run->labels);
    return add_part(run, word.start, word.stop, label, run->scores[label]);
}

/* ---- Texts ---- */

static lm_status
take_token(void *opaque, const lm_scored_token *token)
{
    entity_run *run = opaque;
    const int label = token->label;
    const float best = token->scores[label];

    if (run->aggregation == LM_AGGREGATE_SIMPLE)
        return add_part(run, token->start, token->stop, label, best);
    if (run->word.parts > 0 && is_piece(run, token)) {
        if (joining[run->aggregation])
            joining[run->aggregation](run, token, best);
        run->word.stop = token->stop;
        run->word.parts++;
        return LM_OK;
    }
    LM_TRY(close_word(run));
    run->word = (span){token->start, token->stop, 1, label, 0};
    keep_scores(run, token, best);
    return LM_OK;
}

static lm_status
end_text(void *opaque, size_t text)
{
    entity_run *run = opaque;
    size_t count;

    LM_TRY(close_word(run));
    if (run->entity.parts > 0)
        LM_TRY(close_entity(run));
    count = run->done.size / sizeof(lm_entity);
    run->done.size = 0;
    run->at = (lm_tag_cursor){0, 0};
    return run->sink(run->opaque, text, (const lm_entity *)run->done.data, count);
}

lm_status
lm_entities(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
            size_t count, const lm_embed_options *options, lm_entity_sink sink, void *opaque,
            lm_embed_counts *counts)
{
    const bool words = lm_model_layers(model) && lm_model_layers(model)->by_word;
    entity_run run = {
        .tokenizer = words ? NULL : lm_model_tokenizer(model),
        .names = model->info.labels,
        .labels = model->info.label_count,
        .aggregation = (lm_aggregation)options->choice,
        .texts = texts,
        .sink = sink,
        .opaque = opaque,
    };
    const lm_token_receiver receiver = {take_token, end_text, &run, false};
    lm_status status;

    run.scores = lm_alloc_array(ctx, (size_t)run.labels + 1, sizeof *run.scores);
    if (!run.scores)
        return LM_NO_MEMORY;
    lm_buffer_init(&run.done, ctx);
    status = lm_token_scores(ctx, session, model, texts, count, options, &receiver, counts);
    lm_buffer_free(&run.done);
    lm_free(ctx, run.scores);
    return status;
}
