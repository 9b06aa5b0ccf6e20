/*
 * labels.c - labels of a checkpoint's head. Which scores the head gives follows from the same
 * settings as in the reference's pipeline: problem_type, and else the number of labels.
 */
#include "model/labels.h"

#include <stdio.h>
#include <string.h>

#include "base/intern.h"

/* ---- Names ---- */

/* A member of config.json, or one of its member id2label. */
static lm_status
refuse(const lm_planner *p, const char *object, const char *key, const lm_json *found,
       const char *allowed)
{
    char shown[80];

    lm_raise(p->ctx, LM_BAD_MODEL, "a setting of the model's head is not valid");
    lm_detail_file(p->ctx, p->plan->checkpoint.config_file);
    lm_detail_key(p->ctx, "%s%s", object, key);
    lm_json_show(found, shown, sizeof shown);
    lm_detail_found(p->ctx, "%s", shown);
    return lm_detail_allowed(p->ctx, "%s", allowed);
}

lm_status
lm_labels_check_distinct(lm_context *ctx, const char *file, const char *key,
                         const char *const *names, int count)
{
    lm_intern seen;
    lm_status status = LM_OK;

    lm_intern_init(&seen, ctx, "labels");
    for (uint32_t i = 0; status == LM_OK && i < (uint32_t)count; i++) {
        uint32_t number = i;

        status = lm_poll(ctx);
        if (status == LM_OK)
            status = lm_intern_add(&seen, names[i], strlen(names[i]), &number);
        if (number == i)
            continue;
        status = lm_raise(ctx, LM_BAD_MODEL, "a label of the head occurs twice");
        lm_detail_file(ctx, file);
        lm_detail_key(ctx, "%s", key);
        lm_detail_found(ctx, "\"%s\"", names[i]);
    }
    lm_intern_free(&seen);
    return status;
}

/* The number that a key of id2label is, without a sign or a leading zero; -1: none below count. */
static int
id_of(const lm_json *member, int count)
{
    char canonical[16];
    int id = 0;

    for (size_t i = 0; i < member->key_length && id >= 0 && id < count; i++)
        id = 10 * id + (member->key[i] - '0');
    if (id < 0 || id >= count)
        return -1;
    return member->key_length == (size_t)snprintf(canonical, sizeof canonical, "%d", id) &&
                   strcmp(canonical, member->key) == 0
               ? id
               : -1;
}

/* Each id is there once: there are as many as outputs, and no key occurs twice. */
static lm_status
read_names(const lm_planner *p, const lm_json *labels, int count, const char **names)
{
    for (const lm_json *label = labels->as.items.first; label; label = label->next) {
        int id = id_of(label, count);

        if (id < 0)
            return refuse(p, "id2label.", label->key, label,
                          "keys that are the numbers from 0 on, each once");
        if (label->type != LM_JSON_STRING ||
            strlen(label->as.string.bytes) != label->as.string.length)
            return refuse(p, "id2label.", label->key, label, "strings without U+0000");
        names[id] = label->as.string.bytes;
    }
    return lm_labels_check_distinct(p->ctx, p->plan->checkpoint.config_file, "id2label", names,
                                    count);
}

static lm_status
make_names(const lm_planner *p, int count, const char **names)
{
    for (int i = 0; i < count; i++) {
        char name[24];

        snprintf(name, sizeof name, "LABEL_%d", i);
        names[i] = lm_arena_copy(p->arena, name, strlen(name));
        if (!names[i])
            return LM_NO_MEMORY;
    }
    return LM_OK;
}

/* ---- Scores ---- */

static const char *const scoring_names[LM_SCORING_COUNT] = {
    [LM_SCORING_SOFTMAX] = "softmax",
    [LM_SCORING_SIGMOID] = "sigmoid",
    [LM_SCORING_RAW] = "raw",
    [LM_SCORING_CUMULATIVE] = "cumulative",
};

const char *
lm_scoring_name(lm_scoring scoring)
{
    return scoring_names[scoring];
}

lm_status
lm_scoring_read(lm_context *ctx, const char *file, const lm_json *settings, lm_scoring *scoring)
{
    const lm_json *name = lm_json_get(settings, "scoring");
    char shown[80];

    *scoring = LM_SCORING_SOFTMAX;
    if (!name)
        return LM_OK;
    for (int i = 0; i < LM_SCORING_COUNT; i++)
        if (lm_json_is_string(name, scoring_names[i])) {
            *scoring = (lm_scoring)i;
            return LM_OK;
        }
    lm_json_show(name, shown, sizeof shown);
    lm_raise(ctx, LM_BAD_MODEL, "the scoring of the classifier is not supported");
    lm_detail_file(ctx, file);
    lm_detail_key(ctx, "scoring");
    lm_detail_found(ctx, "%s", shown);
    return lm_detail_allowed(ctx, "softmax, sigmoid, raw, cumulative");
}

/* What problem_type says; a single label cannot compete with others. */
static lm_status
read_scoring(const lm_planner *p, int count, lm_scoring *scoring)
{
    static const lm_word types[] = {
        {"single_label_classification", LM_SCORING_SOFTMAX},
        {"multi_label_classification", LM_SCORING_SIGMOID},
        {"regression", LM_SCORING_RAW},
    };
    const lm_json *type = lm_json_get(p->plan->checkpoint.config, "problem_type");
    bool known = !type || type->type == LM_JSON_NULL;

    *scoring = LM_SCORING_SOFTMAX;
    if (p->plan->head->pooling == LM_POOL_NONE) /* on tokens: the reference reads no problem_type */
        return LM_OK;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (lm_json_is_string(type, types[i].word)) {
            *scoring = (lm_scoring)types[i].value;
            known = true;
        }
    if (count == 1 && *scoring == LM_SCORING_SOFTMAX)
        *scoring = LM_SCORING_SIGMOID;
    return known ? LM_OK
                 : refuse(p, "", "problem_type", type,
                          "single_label_classification, multi_label_classification, regression");
}

lm_status
lm_labels_read(lm_planner *p, int count, lm_model_info *info)
{
    const lm_json *labels = lm_json_get(p->plan->checkpoint.config, "id2label");
    const char **names = lm_arena_array(p->arena, (size_t)count, sizeof *names);

    if (!names)
        return LM_NO_MEMORY;
    if (labels && labels->type != LM_JSON_OBJECT)
        return refuse(p, "", "id2label", labels, "an object");
    LM_TRY(labels ? read_names(p, labels, count, names) : make_names(p, count, names));
    info->label_count = count;
    info->labels = names;
    return read_scoring(p, count, &info->scoring);
}
