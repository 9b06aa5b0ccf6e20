/*
 * head.c - the files of a classification head: written by training, planned, filled and bound as a
 * section of an image.
 */
#include "model/head.h"

#include <string.h>

#include "base/size.h"
#include "model/labels.h"

#define HEAD_FORMAT 1
#define MAX_LABELS (1 << 20)
#define MAX_WIDTH (1 << 20)

/* ---- Write ---- */

/*
 * One line, in the order in which a person looks for it; labels are in the order of the rows of
 * weight.
 */
static lm_status
write_json(const lm_head *head, lm_buffer *out)
{
    LM_TRY(lm_buffer_printf(
        out, "{\"format\": %d, \"task\": \"classification\", \"dimensions\": %d, \"labels\": [",
        HEAD_FORMAT, head->width));
    for (int i = 0; i < head->labels; i++) {
        if (i > 0)
            LM_TRY(lm_buffer_append_string(out, ", "));
        LM_TRY(lm_json_write_string(out, head->names[i], strlen(head->names[i])));
    }
    return lm_buffer_append_string(out, "]}\n");
}

/* Both tensors in one file, weight first, as read_settings and find_tensor expect them. */
lm_status
lm_head_write(lm_context *ctx, const lm_head *head, lm_buffer *json, lm_buffer *tensors)
{
    uint64_t labels = (uint64_t)head->labels, width = (uint64_t)head->width;
    const lm_tensor list[] = {
        {.name = "weight",
         .dtype = LM_F32,
         .rank = 2,
         .shape = {labels, width},
         .count = labels * width,
         .bytes = labels * width * sizeof(float)},
        {.name = "bias",
         .dtype = LM_F32,
         .rank = 1,
         .shape = {labels},
         .count = labels,
         .bytes = labels * sizeof(float)},
    };

    LM_TRY(write_json(head, json));
    LM_TRY(lm_tensors_write_header(ctx, NULL, 0, list, 2, tensors));
    LM_TRY(lm_buffer_append(tensors, head->weight, (size_t)list[0].bytes));
    return lm_buffer_append(tensors, head->bias, (size_t)list[1].bytes);
}

/* ---- Plan ---- */

/* Raises LM_BAD_MODEL for a member of head.json, with what was found in its place. */
static lm_status
refuse(lm_context *ctx, const char *message, const char *key, const lm_json *found,
       const char *allowed)
{
    lm_raise(ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(ctx, LM_HEAD_JSON);
    lm_detail_key(ctx, "%s", key);
    if (!found)
        lm_detail_found(ctx, "nothing");
    else if (found->type == LM_JSON_NUMBER)
        lm_detail_found(ctx, "%.17g", found->as.number);
    else
        lm_detail_found(ctx, "%s", lm_json_type_name(found));
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* Labels go to SQL as text, which cannot hold U+0000. */
static lm_status
read_labels(lm_context *ctx, lm_arena *arena, const lm_json *labels, lm_head *shape)
{
    const char **names;
    int count = 0;

    if (!labels || labels->type != LM_JSON_ARRAY || labels->as.items.count == 0 ||
        labels->as.items.count > MAX_LABELS)
        return refuse(ctx, "the labels of the head are not valid", "labels", labels,
                      "an array of 1 to 1048576 strings");
    names = lm_arena_array(arena, labels->as.items.count, sizeof *names);
    if (!names)
        return LM_NO_MEMORY;
    for (const lm_json *label = labels->as.items.first; label; label = label->next) {
        if (label->type != LM_JSON_STRING ||
            strlen(label->as.string.bytes) != label->as.string.length)
            return refuse(ctx, "a label of the head is not valid", "labels", label,
                          "strings without U+0000");
        names[count++] = label->as.string.bytes;
    }
    shape->labels = count;
    shape->names = names;
    return lm_labels_check_distinct(ctx, LM_HEAD_JSON, "labels", names, count);
}

/* A format of its own number, so that a later one can say more without being misread. */
static lm_status
read_settings(lm_context *ctx, lm_arena *arena, const lm_json *json, lm_head *shape)
{
    const lm_json *format = lm_json_get(json, "format");
    const lm_json *task = lm_json_get(json, "task");
    const lm_json *width = lm_json_get(json, "dimensions");

    if (!format || format->type != LM_JSON_NUMBER || format->as.number != HEAD_FORMAT)
        return refuse(ctx, "the head's format is not supported", "format", format, "1");
    if (!lm_json_is_string(task, "classification"))
        return refuse(ctx, "the head's task is not supported", "task", task, "\"classification\"");
    if (!width || width->type != LM_JSON_NUMBER || !width->is_integer || width->integer < 1 ||
        width->integer > MAX_WIDTH)
        return refuse(ctx, "the head's width is out of range", "dimensions", width,
                      "an integer from 1 to 1048576");
    shape->width = (int)width->integer;
    return read_labels(ctx, arena, lm_json_get(json, "labels"), shape);
}

/* A tensor of head.safetensors, checked against head.json. */
static lm_status
find_tensor(lm_context *ctx, const lm_tensors *tensors, const char *name, int rank,
            const lm_head *shape, const lm_tensor **found)
{
    const lm_tensor *tensor = lm_tensors_find(tensors, name);

    *found = tensor;
    if (!tensor)
        lm_raise(ctx, LM_BAD_MODEL, "a tensor that the head needs is missing");
    else if (tensor->rank != rank || tensor->shape[0] != (uint64_t)shape->labels ||
             (rank == 2 && tensor->shape[1] != (uint64_t)shape->width)) {
        lm_raise(ctx, LM_BAD_MODEL, "a tensor's shape does not match head.json");
        if (rank == 2)
            lm_detail_allowed(ctx, "(%d, %d)", shape->labels, shape->width);
        else
            lm_detail_allowed(ctx, "(%d)", shape->labels);
    } else
        return lm_tensor_check_dtype(ctx, tensor);
    lm_detail_file(ctx, LM_HEAD_TENSORS);
    return lm_detail_key(ctx, "%s", name);
}

/* Reads nothing itself: the checkpoint has parsed both files, each once. */
lm_status
lm_head_plan_make(lm_context *ctx, lm_arena *arena, const lm_checkpoint *checkpoint,
                  lm_head_plan *plan)
{
    *plan = (lm_head_plan){.weight = NULL};
    LM_TRY(read_settings(ctx, arena, checkpoint->settings, &plan->shape));
    LM_TRY(find_tensor(ctx, &checkpoint->tensors, "weight", 2, &plan->shape, &plan->weight));
    return find_tensor(ctx, &checkpoint->tensors, "bias", 1, &plan->shape, &plan->bias);
}

/* ---- Section ---- */

/* Where the bias begins. Bounds on labels and width keep this far from overflow. */
static size_t
weight_bytes(const lm_head *shape)
{
    return lm_align_up((size_t)shape->labels * (size_t)shape->width * sizeof(float));
}

/* Weight and bias, each aligned for the kernels. */
size_t
lm_head_size(const lm_head *shape)
{
    return weight_bytes(shape) + lm_align_up((size_t)shape->labels * sizeof(float));
}

/* In the order of the file, which another writer may have chosen otherwise. */
lm_status
lm_head_fill(lm_context *ctx, const lm_head_plan *plan, const lm_source *source, void *section)
{
    float *weight = section, *bias = (float *)((char *)section + weight_bytes(&plan->shape));

    if (plan->weight->order > plan->bias->order) {
        LM_TRY(lm_tensor_read(ctx, source, plan->bias, bias));
        return lm_tensor_read(ctx, source, plan->weight, weight);
    }
    LM_TRY(lm_tensor_read(ctx, source, plan->weight, weight));
    return lm_tensor_read(ctx, source, plan->bias, bias);
}

/* Labels and width are known by then: from the settings. */
void
lm_head_bind(const void *section, lm_head *head)
{
    head->weight = section;
    head->bias = (const float *)((const char *)section + weight_bytes(head));
}

/* ---- View ---- */

lm_status
lm_head_view(lm_context *ctx, const lm_head *head, lm_model *model)
{
    lm_head *view = lm_alloc(ctx, sizeof *view);

    if (!view)
        return LM_NO_MEMORY;
    *view = *head;
    if (!view->inner)
        view->inner = view->width;
    if (!view->labels)
        view->labels = model->info.label_count;
    view->scoring = model->info.scoring;
    view->names = model->info.labels;
    model->views[LM_SECTION_HEAD] = view;
    return LM_OK;
}

/* The table of a head on the vocabulary: its own, or that of the embeddings. */
static const void *
word_table(const lm_weights *weights, const lm_encoder *encoder)
{
    const void *own = lm_group_weight(weights, weights->family->group_count, 0, LM_HEAD_OUT);

    return own ? own : lm_group_weight(weights, LM_GROUP_MODEL, 0, encoder->embedding.words);
}

/* The width of the rows of that table. */
static int
word_width(const lm_encoder *encoder)
{
    const lm_embedding *embedding = &encoder->embedding;

    return (int)(embedding->more ? embedding->width : encoder->stack.width);
}

/* The eps of its norm: the embeddings', unless the family says which. */
static float
eps_of(const lm_weights *weights, const lm_encoder *encoder)
{
    float eps = encoder->embedding.eps;

    if (weights->family->head_eps)
        memcpy(&eps, (const char *)weights->config + weights->family->head_eps, sizeof eps);
    return eps;
}

/* What a head gives: labels, two numbers without names, or the words of the vocabulary. */
static void
view_outputs(const lm_weights *weights, const lm_encoder *encoder, lm_head *head)
{
    if (lm_head_has_labels(weights->head))
        return;
    if (!lm_head_is_on_words(weights->head)) {
        head->labels = LM_HEAD_UNNAMED;
        return;
    }
    head->words = lm_weights_dims(weights)->vocab;
    head->inner = word_width(encoder);
    head->table = word_table(weights, encoder);
}

lm_status
lm_head_of_weights(lm_context *ctx, const lm_weights *weights, lm_model *model)
{
    const int group = weights->family->group_count;
    lm_encoder encoder;
    lm_head head = {
        .width = lm_weights_dims(weights)->hidden,
        .dense = lm_group_weight(weights, group, 0, LM_HEAD_DENSE),
        .dense_bias = lm_group_weight(weights, group, 0, LM_HEAD_DENSE_BIAS),
        .act = weights->head->act,
        .norm_gain = lm_group_weight(weights, group, 0, LM_HEAD_NORM_GAIN),
        .norm_bias = lm_group_weight(weights, group, 0, LM_HEAD_NORM_BIAS),
        .weight = lm_group_weight(weights, group, 0, LM_HEAD_OUT),
        .bias = lm_group_weight(weights, group, 0, LM_HEAD_OUT_BIAS),
        .late = model->sentence.pooling == LM_POOL_LATE,
    };

    weights->family->describe(weights->config, &encoder);
    if (head.act == LM_ACT_OF_LAYERS)
        head.act = encoder.stack.blocks[0].act;
    head.eps = eps_of(weights, &encoder);
    view_outputs(weights, &encoder, &head);
    return lm_head_view(ctx, &head, model);
}
