/*
 * tuned_distill.c - the teacher's scores, the student's layers, and the loss between them:
 * (1 − hard) · T² KL(teacher / T ‖ student / T) + hard · cross-entropy of labels that are given.
 */
#include "train/tuned_distill.h"

#include <stdio.h>
#include <string.h>

#include "base/sort.h"
#include "task/classify.h"
#include "train/calibrate.h"
#include "train/tuned_tasks.h"

/* ---- The teacher ---- */

lm_status
lm_tuned_teacher(lm_tuned *tuned, const lm_model *model)
{
    const lm_head *head = lm_model_head(model);

    if (!head || !head->names || head->labels < 2 || head->scoring != LM_SCORING_SOFTMAX)
        return lm_raise(tuned->ctx, LM_UNSUPPORTED,
                        "only a classifier of one label a text can be a teacher");
    tuned->teacher = model;
    LM_TRY(lm_tuned_names(tuned, head->names, (size_t)head->labels));
    return lm_session_create(tuned->ctx, &tuned->session);
}

static lm_status
find_label(lm_tuned *tuned, lm_text label, int32_t *number)
{
    for (size_t i = 0; i < tuned->name_count; i++)
        if (strlen(tuned->names[i]) == label.length &&
            memcmp(tuned->names[i], label.bytes, label.length) == 0) {
            *number = (int32_t)i;
            return LM_OK;
        }
    return lm_raise(tuned->ctx, LM_BAD_ARGUMENT,
                    "a row has a label that the teacher does not know");
}

lm_status
lm_tuned_taught(lm_tuned *tuned, const lm_text *texts, const lm_text *labels, size_t count)
{
    const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE};
    const size_t classes = tuned->name_count, before = tuned->label_count;

    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->taught, &tuned->taught_room,
                         (before + count) * classes + 1, sizeof *tuned->taught));
    if (count > 0)
        LM_TRY(lm_classify_as(tuned->ctx, tuned->session, tuned->teacher, texts, count, &options,
                              LM_SCORING_RAW, tuned->taught + before * classes, NULL));
    for (size_t i = 0; i < count; i++) {
        int32_t label = LM_IGNORED;

        LM_TRY(lm_tuned_add_text(tuned, texts[i]));
        if (labels)
            LM_TRY(find_label(tuned, labels[i], &label));
        LM_TRY(lm_tuned_add_label(tuned, label));
    }
    return LM_OK;
}

/* ---- The student ---- */

/* The field of config.json that counts the layers, and its value; NULL: there is none. */
static const lm_config_field *
find_layers(lm_tuned *tuned, const lm_family *family, size_t *layers)
{
    for (size_t i = 0; i < family->field_count; i++) {
        const lm_config_field *field = &family->fields[i];
        const lm_json *value = NULL;

        if (family->groups[LM_GROUP_LAYERS].count == 0 ||
            field->offset != family->groups[LM_GROUP_LAYERS].count)
            continue;
        if (!lm_config_key(field, 0, tuned->layers_key))
            return NULL;
        value = lm_json_get(tuned->checkpoint.config, tuned->layers_key);
        *layers = value && value->type == LM_JSON_NUMBER ? (size_t)value->integer
                                                         : (size_t)field->fallback;
        return field;
    }
    return NULL;
}

/* The number between points of a tensor's name, and what stands around it; false: it has none. */
static bool
find_number(const char *name, size_t *before, size_t *number, const char **behind)
{
    for (const char *at = strchr(name, '.'); at; at = strchr(at + 1, '.')) {
        const size_t digits = strspn(at + 1, "0123456789");

        if (digits == 0 || digits > 4 || at[1 + digits] != '.')
            continue;
        *before = (size_t)(at + 1 - name);
        *number = 0;
        for (size_t i = 0; i < digits; i++)
            *number = *number * 10 + (size_t)(at[1 + i] - '0');
        *behind = at + 1 + digits;
        return true;
    }
    return false;
}

/* The student's layer that begins as the teacher's; `layers`: none does. */
static size_t
student_of(size_t teacher, size_t all, size_t layers)
{
    for (size_t i = 0; i < layers; i++)
        if ((i + 1) * all / layers - 1 == teacher)
            return i;
    return layers;
}

/* A tensor by its new name; *kept is false for one of a layer that is left out. */
static lm_status
rename_tensor(lm_tuned *tuned, lm_tensor *tensor, size_t all, size_t layers, bool *kept)
{
    size_t before, number, student;
    const char *behind;
    char name[LM_WEIGHT_NAME_SIZE];
    int length;

    *kept = true;
    if (!find_number(tensor->name, &before, &number, &behind) || number >= all)
        return LM_OK;
    student = student_of(number, all, layers);
    *kept = student < layers;
    length = snprintf(name, sizeof name, "%.*s%zu%s", (int)before, tensor->name, student, behind);
    if (length < 0 || (size_t)length >= sizeof name)
        return lm_raise(tuned->ctx, LM_UNSUPPORTED, "the name of a tensor is too long");
    tensor->name = lm_arena_copy(&tuned->arena, name, (size_t)length);
    return tensor->name ? LM_OK : LM_NO_MEMORY;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(((const lm_tensor *)a)->name, ((const lm_tensor *)b)->name);
}

static lm_status
keep_layers(lm_tuned *tuned, size_t all, size_t layers)
{
    lm_tensors *tensors = &tuned->checkpoint.tensors;
    lm_tensor *items = lm_arena_array(&tuned->arena, tensors->count + 1, sizeof *items);
    size_t count = 0;
    bool kept;

    if (!items)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < tensors->count; i++) {
        items[count] = tensors->items[i];
        LM_TRY(rename_tensor(tuned, &items[count], all, layers, &kept));
        count += kept;
    }
    LM_TRY(lm_sort(tuned->ctx, items, count, sizeof *items, compare_names));
    tensors->items = items;
    tensors->count = count;
    return LM_OK;
}

lm_status
lm_tuned_cut(lm_tuned *tuned, const lm_family *family)
{
    size_t all = 0, layers = (size_t)tuned->settings.layers;

    if (!find_layers(tuned, family, &all) || family->layers > 0 || all == 0)
        return lm_raise(tuned->ctx, LM_UNSUPPORTED,
                        "of a model of this family no layers can be left out");
    if (layers == 0)
        layers = all > 1 ? all / 2 : 1;
    if (layers > all) {
        lm_raise(tuned->ctx, LM_BAD_ARGUMENT, "the student has more layers than its teacher");
        lm_detail_key(tuned->ctx, "layers");
        lm_detail_found(tuned->ctx, "%zu", layers);
        return lm_detail_allowed(tuned->ctx, "1 to %zu", all);
    }
    tuned->settings.layers = (int64_t)layers;
    return keep_layers(tuned, all, layers);
}

/* ---- The loss ---- */

static double
weight_by_rows(const lm_tuned *tuned, const size_t *rows, size_t count)
{
    return (double)count;
}

/* Teacher's scores and labels of a batch; the gradient of one loss beside that of the other. */
static lm_status
gather(lm_tuned *tuned, const size_t *rows, size_t count, float **teacher, float **other)
{
    const size_t classes = tuned->name_count;

    LM_TRY(lm_tuned_room(tuned, 2 * count * classes));
    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->targets, &tuned->target_room, count,
                         sizeof *tuned->targets));
    *teacher = tuned->room;
    *other = tuned->room + count * classes;
    for (size_t i = 0; i < count; i++) {
        tuned->targets[i] = tuned->labels[rows[i]];
        memcpy(*teacher + i * classes, tuned->taught + rows[i] * classes,
               classes * sizeof **teacher);
    }
    return LM_OK;
}

static lm_status
distillation_loss(lm_tuned *tuned, const size_t *rows, size_t count, const lm_pass *pass,
                  const float *states, double *loss)
{
    const lm_kernels *kernels = tuned->encoder.weights.kernels;
    const lm_cross_entropy_options options = {NULL, tuned->settings.label_smoothing};
    const double hard = tuned->settings.hard;
    const size_t numbers = count * tuned->name_count;
    float *teacher, *other, *scores;
    double soft_loss = 0, hard_loss = 0;

    LM_TRY(gather(tuned, rows, count, &teacher, &other));
    LM_TRY(lm_tuned_pooled_forward(tuned, pass, states));
    scores = tuned->head.scores;
    LM_TRY(lm_cross_entropy_loss(tuned->ctx, kernels, &options, count, tuned->name_count, scores,
                                 tuned->targets, pass->weight, &hard_loss,
                                 pass->training ? other : NULL));
    LM_TRY(lm_distillation_loss(tuned->ctx, kernels, count, tuned->name_count,
                                tuned->settings.temperature, scores, teacher, pass->weight,
                                &soft_loss, pass->training ? scores : NULL));
    *loss += (1 - hard) * soft_loss + hard * hard_loss;
    for (size_t i = 0; pass->training && i < numbers; i++)
        scores[i] = (float)((1 - hard) * scores[i] + hard * other[i]);
    return lm_tuned_pooled_backward(tuned, pass, states);
}

/* ---- What is measured ---- */

/* Rows, those where student and teacher agree, those with a label, right ones of these. */
enum { SUM_ROWS, SUM_AGREED, SUM_LABELLED, SUM_RIGHT, SUM_TEACHER_RIGHT };

static lm_status
distillation_add(lm_tuned *tuned, const size_t *rows, size_t count)
{
    const size_t classes = tuned->name_count;

    for (size_t i = 0; i < count; i++) {
        const size_t ours = lm_best_number(tuned->head.scores + i * classes, classes);
        const size_t theirs = lm_best_number(tuned->taught + rows[i] * classes, classes);
        const int32_t label = tuned->labels[rows[i]];

        tuned->sums[SUM_ROWS]++;
        tuned->sums[SUM_AGREED] += ours == theirs;
        tuned->sums[SUM_LABELLED] += label != LM_IGNORED;
        tuned->sums[SUM_RIGHT] += label != LM_IGNORED && ours == (size_t)label;
        tuned->sums[SUM_TEACHER_RIGHT] += label != LM_IGNORED && theirs == (size_t)label;
    }
    return LM_OK;
}

static lm_status
distillation_finish(lm_tuned *tuned, lm_measures *measures)
{
    const double *sums = tuned->sums;

    lm_measures_add(measures, "agreement", sums[SUM_AGREED] / sums[SUM_ROWS]);
    if (sums[SUM_LABELLED] > 0) {
        lm_measures_add(measures, "accuracy", sums[SUM_RIGHT] / sums[SUM_LABELLED]);
        lm_measures_add(measures, "teacher_accuracy", sums[SUM_TEACHER_RIGHT] / sums[SUM_LABELLED]);
    }
    return LM_OK;
}

const lm_tuned_task lm_tuned_distillation = {
    .name = "classification",
    .head_task = "classification",
    .weight = weight_by_rows,
    .loss = distillation_loss,
    .add = distillation_add,
    .finish = distillation_finish,
};
