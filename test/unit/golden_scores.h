/*
 * golden_scores.h - how far scores of labels are from the reference's, for golden models with a
 * head.
 */
#ifndef GOLDEN_SCORES_H
#define GOLDEN_SCORES_H

#include "golden.h"
#include "loaded.h"

#define GOLDEN_LABELS 8
#define GOLDEN_CASES 16

/* Largest error over all texts, each alone; infinite where the best label is another. */
static inline double
golden_scores_error(golden_folder *folder, const lm_model *model)
{
    const lm_json *cases = lm_json_get(lm_json_get(folder->golden, "scores"), "cases");
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const int labels = model->info.label_count;
    lm_session *session;
    lm_text texts[GOLDEN_CASES];
    float batch[GOLDEN_CASES * GOLDEN_LABELS], alone[GOLDEN_LABELS];
    double worst = 0;
    size_t count = 0;

    CHECK(labels <= GOLDEN_LABELS && cases->as.items.count <= GOLDEN_CASES);
    CHECK_OK(folder->ctx, lm_session_create(folder->ctx, &session));
    for (const lm_json *each = cases->as.items.first; each; each = each->next) {
        const lm_json *text = lm_json_get(each, "text");

        texts[count++] = (lm_text){text->as.string.bytes, text->as.string.length};
    }
    CHECK_OK(folder->ctx,
             lm_classify(folder->ctx, session, model, texts, count, &options, batch, NULL));
    count = 0;
    for (const lm_json *each = cases->as.items.first; each; each = each->next, count++) {
        const char *best;

        CHECK_OK(folder->ctx,
                 lm_classify(folder->ctx, session, model, &texts[count], 1, &options, alone, NULL));
        CHECK(memcmp(alone, batch + count * (size_t)labels, (size_t)labels * sizeof *alone) == 0);
        worst = fmax(worst, golden_distance(lm_json_get(each, "scores"), alone, (size_t)labels));
        best = model->info.labels[lm_classify_best(alone, labels)];
        if (!lm_json_is_string(lm_json_get(each, "label"), best))
            worst = INFINITY;
    }
    lm_session_free(session);
    return worst;
}

#endif
