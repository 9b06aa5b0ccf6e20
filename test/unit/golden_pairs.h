/*
 * golden_pairs.h - how far what a model makes of pairs of texts is from the reference's, for golden
 * models with such a head.
 */
#ifndef GOLDEN_PAIRS_H
#define GOLDEN_PAIRS_H

#include "golden.h"
#include "loaded.h"
#include "task/answer.h"
#include "task/pair.h"

#define GOLDEN_PAIRS 16
#define GOLDEN_ANSWERS 16

typedef lm_status (*golden_pair_function)(lm_context *ctx, lm_session *session,
                                          const lm_model *model, const lm_text *texts, size_t pairs,
                                          const lm_embed_options *options, float *out,
                                          lm_embed_counts *counts);

static const struct {
    const char *section;
    golden_pair_function function;
} golden_pair_sections[] = {
    {"pairs", lm_rerank},
    {"nli", lm_entailment},
    {"next", lm_next_sentence},
};

/* The section of golden.json that is about pairs; NULL: there is none. */
static inline const lm_json *
golden_pair_section(const golden_folder *folder, golden_pair_function *function)
{
    for (size_t i = 0; i < sizeof golden_pair_sections / sizeof golden_pair_sections[0]; i++) {
        const lm_json *section = lm_json_get(folder->golden, golden_pair_sections[i].section);

        *function = golden_pair_sections[i].function;
        if (section)
            return section;
    }
    *function = NULL;
    return lm_json_get(folder->golden, "answers");
}

static inline lm_text
golden_text(const lm_json *json)
{
    return (lm_text){json->as.string.bytes, json->as.string.length};
}

static inline double
golden_scored_error(golden_folder *folder, lm_session *session, const lm_model *model,
                    const lm_json *each, golden_pair_function function)
{
    const lm_json *first = lm_json_get(each, "texts")->as.items.first;
    const lm_text pair[] = {golden_text(first), golden_text(first->next)};
    const lm_json *score = lm_json_get(each, "score");
    float out[8];

    CHECK(model->info.label_count <= 8);
    CHECK_OK(folder->ctx,
             function(folder->ctx, session, model, pair, 1, &(lm_embed_options){0}, out, NULL));
    return score
               ? fabs(out[0] - score->as.number)
               : golden_distance(lm_json_get(each, "scores"), out, (size_t)model->info.label_count);
}

typedef struct golden_answers {
    lm_answer answers[GOLDEN_ANSWERS];
    size_t count;
} golden_answers;

static inline lm_status
golden_keep_answers(void *opaque, size_t pair, const lm_answer *answers, size_t count)
{
    golden_answers *kept = opaque;

    CHECK(count <= GOLDEN_ANSWERS);
    kept->count = count;
    if (count > 0)
        memcpy(kept->answers, answers, count * sizeof *answers);
    return LM_OK;
}

/* Infinite where one of the best spans is not among twice as many of ours. */
static inline double
golden_answers_error(golden_folder *folder, lm_session *session, const lm_model *model,
                     const lm_json *each)
{
    const lm_text pair[] = {golden_text(lm_json_get(each, "question")),
                            golden_text(lm_json_get(each, "context"))};
    const lm_answer_options own = {GOLDEN_ANSWERS, 0};
    const lm_embed_options options = {.own = {(const char *)&own, sizeof own}};
    golden_answers kept = {.count = 0};
    double worst = 0;

    CHECK_OK(folder->ctx, lm_answer_texts(folder->ctx, session, model, pair, 1, &options,
                                          golden_keep_answers, &kept, NULL));
    for (const lm_json *wanted = lm_json_get(each, "answers")->as.items.first; wanted;
         wanted = wanted->next) {
        const lm_json *start = wanted->as.items.first->next, *stop = start->next;
        double error = INFINITY;

        for (size_t i = 0; i < kept.count; i++)
            if (kept.answers[i].start == start->integer && kept.answers[i].stop == stop->integer)
                error = fabs(kept.answers[i].score - stop->next->as.number);
        worst = fmax(worst, error);
    }
    return worst;
}

/* Largest error over all pairs, each alone. */
static inline double
golden_pairs_error(golden_folder *folder, const lm_model *model)
{
    golden_pair_function function;
    const lm_json *section = golden_pair_section(folder, &function);
    lm_session *session;
    double worst = 0;

    CHECK_OK(folder->ctx, lm_session_create(folder->ctx, &session));
    for (const lm_json *each = lm_json_get(section, "cases")->as.items.first; each;
         each = each->next)
        worst = fmax(worst, function ? golden_scored_error(folder, session, model, each, function)
                                     : golden_answers_error(folder, session, model, each));
    lm_session_free(session);
    return worst;
}

#endif
