/*
 * head.c - the files of a classification head: written by training, planned, filled and bound as a
 * section of an image.
 */
#include "task/head.h"

#include <string.h>

#include "base/hash.h"
#include "base/size.h"

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

/* Names must be distinct: a score could not be told from another's. Open addressing by hash. */
static lm_status
check_distinct(lm_context *ctx, lm_arena *arena, const lm_head *shape)
{
    size_t slots = 2;
    const char **table;

    while (slots < 2 * (size_t)shape->labels)
        slots *= 2;
    table = lm_arena_zero(arena, slots * sizeof *table);
    if (!table)
        return LM_NO_MEMORY;
    for (int i = 0; i < shape->labels; i++) {
        const char *name = shape->names[i];
        size_t slot = (size_t)lm_hash_bytes(name, strlen(name), 0) & (slots - 1);

        LM_TRY(lm_poll(ctx));
        for (; table[slot]; slot = (slot + 1) & (slots - 1))
            if (strcmp(table[slot], name) == 0) {
                lm_raise(ctx, LM_BAD_MODEL, "a label of the head occurs twice");
                lm_detail_file(ctx, LM_HEAD_JSON);
                lm_detail_key(ctx, "labels");
                return lm_detail_found(ctx, "\"%s\"", name);
            }
        table[slot] = name;
    }
    return LM_OK;
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
    return check_distinct(ctx, arena, shape);
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

/* Reads nothing itself: the bundle has parsed both files, each once. */
lm_status
lm_head_plan_make(lm_context *ctx, lm_arena *arena, const lm_bundle *bundle, lm_head_plan *plan)
{
    *plan = (lm_head_plan){.weight = NULL};
    LM_TRY(read_settings(ctx, arena, bundle->head, &plan->shape));
    LM_TRY(find_tensor(ctx, &bundle->tensors, "weight", 2, &plan->shape, &plan->weight));
    return find_tensor(ctx, &bundle->tensors, "bias", 1, &plan->shape, &plan->bias);
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
