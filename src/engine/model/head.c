/*
 * head.c - the files of a classification head: written by training, planned, filled and bound as a
 * section of an image.
 */
#include "model/head.h"

#include <string.h>

#include "base/size.h"
#include "format/values.h"
#include "model/labels.h"

#define PLAIN_FORMAT 1 /* softmax of a linear layer */
#define HEAD_FORMAT 2
#define MAX_LABELS (1 << 20)
#define MAX_WIDTH (1 << 20)
#define READ_BYTES ((size_t)1 << 20) /* of one read */

static const char *
weights_name(bool by_distance)
{
    return by_distance ? "distance" : "uniform";
}

/* ---- Write ---- */

/* What a plain head has not: nothing of it may be overlooked by a reader of format 1. */
static lm_status
write_peculiar(const lm_head *head, lm_buffer *out)
{
    const lm_neighbours *n = &head->neighbours;

    if (n->count > 0)
        return lm_buffer_printf(out, "\"neighbours\": {\"k\": %d, \"weights\": \"%s\"}, ", n->k,
                                weights_name(n->by_distance));
    if (head->scoring == LM_SCORING_SOFTMAX)
        return LM_OK;
    return lm_buffer_printf(out, "\"scoring\": \"%s\", ", lm_scoring_name(head->scoring));
}

/*
 * One line, in the order in which a person looks for it; labels are in the order of the rows of
 * weight.
 */
static lm_status
write_json(const lm_head *head, lm_buffer *out)
{
    const bool plain = head->neighbours.count == 0 && head->scoring == LM_SCORING_SOFTMAX;

    LM_TRY(lm_buffer_printf(out, "{\"format\": %d, \"task\": \"classification\", ",
                            plain ? PLAIN_FORMAT : HEAD_FORMAT));
    LM_TRY(write_peculiar(head, out));
    LM_TRY(lm_buffer_printf(out, "\"dimensions\": %d, \"labels\": [", head->width));
    for (int i = 0; i < head->labels; i++) {
        if (i > 0)
            LM_TRY(lm_buffer_append_string(out, ", "));
        LM_TRY(lm_json_write_string(out, head->names[i], strlen(head->names[i])));
    }
    return lm_buffer_append_string(out, "]}\n");
}

static lm_tensor
tensor_of(const char *name, lm_dtype dtype, uint64_t rows, uint64_t columns)
{
    uint64_t count = rows * (columns > 0 ? columns : 1);

    return (lm_tensor){.name = name,
                       .dtype = dtype,
                       .rank = columns > 0 ? 2 : 1,
                       .shape = {rows, columns},
                       .count = count,
                       .bytes = count * lm_dtypes[dtype].bytes};
}

/* Both tensors in one file, the larger first, as they are read. */
lm_status
lm_head_write(lm_context *ctx, const lm_head *head, lm_buffer *json, lm_buffer *tensors)
{
    const lm_neighbours *n = &head->neighbours;
    const bool vote = n->count > 0;
    uint64_t rows = vote ? n->count : (uint64_t)head->labels, width = (uint64_t)head->width;
    const lm_tensor list[] = {
        tensor_of(vote ? "examples" : "weight", LM_F32, rows, width),
        tensor_of(vote ? "classes" : "bias", vote ? LM_U32 : LM_F32, rows, 0),
    };

    LM_TRY(write_json(head, json));
    LM_TRY(lm_tensors_write_header(ctx, NULL, 0, list, 2, tensors));
    LM_TRY(lm_buffer_append(tensors, vote ? n->examples : head->weight, (size_t)list[0].bytes));
    return lm_buffer_append(tensors, vote ? (const void *)n->label : head->bias,
                            (size_t)list[1].bytes);
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

/* How neighbours vote; how many they are is what the tensors say. */
static lm_status
read_neighbours(lm_context *ctx, const lm_json *json, lm_head *shape)
{
    const lm_json *k = lm_json_get(json, "k"), *weights = lm_json_get(json, "weights");
    lm_neighbours *n = &shape->neighbours;

    if (!k || k->type != LM_JSON_NUMBER || !k->is_integer || k->integer < 1 ||
        k->integer > LM_NEIGHBOURS_K_MAX)
        return refuse(ctx, "the number of neighbours is out of range", "k", k,
                      "an integer from 1 to 256");
    n->k = (int)k->integer;
    n->by_distance = lm_json_is_string(weights, weights_name(true));
    if (n->by_distance || lm_json_is_string(weights, weights_name(false)))
        return LM_OK;
    return refuse(ctx, "the weights of neighbours are not supported", "weights", weights,
                  "\"uniform\", \"distance\"");
}

static lm_status
read_peculiar(lm_context *ctx, const lm_json *json, lm_head *shape)
{
    const lm_json *neighbours = lm_json_get(json, "neighbours");

    LM_TRY(lm_scoring_read(ctx, LM_HEAD_JSON, json, &shape->scoring));
    if (!neighbours)
        return LM_OK;
    shape->scoring = LM_SCORING_RAW;
    if (neighbours->type == LM_JSON_OBJECT)
        return read_neighbours(ctx, neighbours, shape);
    return refuse(ctx, "the neighbours of the head are not valid", "neighbours", neighbours,
                  "an object");
}

/* A format of its own number, so that a later one can say more without being misread. */
static lm_status
read_settings(lm_context *ctx, lm_arena *arena, const lm_json *json, lm_head *shape)
{
    const lm_json *format = lm_json_get(json, "format");
    const lm_json *task = lm_json_get(json, "task");
    const lm_json *width = lm_json_get(json, "dimensions");

    if (!format || format->type != LM_JSON_NUMBER ||
        (format->as.number != PLAIN_FORMAT && format->as.number != HEAD_FORMAT))
        return refuse(ctx, "the head's format is not supported", "format", format, "1, 2");
    if (!lm_json_is_string(task, "classification"))
        return refuse(ctx, "the head's task is not supported", "task", task, "\"classification\"");
    if (!width || width->type != LM_JSON_NUMBER || !width->is_integer || width->integer < 1 ||
        width->integer > MAX_WIDTH)
        return refuse(ctx, "the head's width is out of range", "dimensions", width,
                      "an integer from 1 to 1048576");
    shape->width = (int)width->integer;
    if (format->as.number != PLAIN_FORMAT)
        LM_TRY(read_peculiar(ctx, json, shape));
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

/* Examples, and a label for each. */
static lm_status
find_examples(lm_context *ctx, const lm_tensors *tensors, lm_head_plan *plan)
{
    const uint64_t width = (uint64_t)plan->shape.width;
    const lm_tensor *e = lm_tensors_find(tensors, "examples");
    const lm_tensor *c = lm_tensors_find(tensors, "classes");

    plan->examples = e;
    plan->classes = c;
    if (e && c && e->dtype == LM_F32 && c->dtype == LM_U32 && e->rank == 2 && c->rank == 1 &&
        e->count > 0 && e->shape[1] == width && e->shape[0] == c->count &&
        e->count <= LM_NEIGHBOURS_NUMBERS_MAX) {
        plan->shape.neighbours.count = (size_t)c->count;
        return LM_OK;
    }
    lm_raise(ctx, LM_BAD_MODEL, "the examples of the head are missing or have another form");
    lm_detail_file(ctx, LM_HEAD_TENSORS);
    lm_detail_key(ctx, "examples");
    return lm_detail_allowed(ctx, "examples F32 (N, %d), classes U32 (N), at most %zu numbers",
                             plan->shape.width, LM_NEIGHBOURS_NUMBERS_MAX);
}

/* Reads nothing itself: the checkpoint has parsed both files, each once. */
lm_status
lm_head_plan_make(lm_context *ctx, lm_arena *arena, const lm_checkpoint *checkpoint,
                  lm_head_plan *plan)
{
    *plan = (lm_head_plan){.weight = NULL};
    LM_TRY(read_settings(ctx, arena, checkpoint->settings, &plan->shape));
    if (plan->shape.neighbours.k > 0)
        return find_examples(ctx, &checkpoint->tensors, plan);
    LM_TRY(find_tensor(ctx, &checkpoint->tensors, "weight", 2, &plan->shape, &plan->weight));
    return find_tensor(ctx, &checkpoint->tensors, "bias", 1, &plan->shape, &plan->bias);
}

/* ---- Section ---- */

/* It begins with this, aligned; count 0: no neighbours. */
typedef struct section_start {
    uint64_t count;
    uint32_t k, by_distance;
} section_start;

static size_t
rows_of(const lm_head *shape)
{
    return shape->neighbours.count > 0 ? shape->neighbours.count : (size_t)shape->labels;
}

/* Where the bias or the classes begin. Bounds on all numbers keep this far from overflow. */
static size_t
second_place(const lm_head *shape)
{
    return lm_align_up(sizeof(section_start)) +
           lm_align_up(rows_of(shape) * (size_t)shape->width * sizeof(float));
}

/* Weight and bias, each aligned for the kernels; or examples and classes. */
size_t
lm_head_size(const lm_head *shape)
{
    return second_place(shape) + lm_align_up(rows_of(shape) * sizeof(float));
}

static lm_status
read_classes(lm_context *ctx, const lm_head_plan *plan, const lm_source *source, uint32_t *classes)
{
    const lm_tensor *tensor = plan->classes;

    for (uint64_t at = 0; at < tensor->bytes; at += READ_BYTES) {
        size_t left = (size_t)(tensor->bytes - at);

        LM_TRY(lm_poll(ctx));
        LM_TRY(source->read(ctx, source->opaque, tensor->file, tensor->offset + at,
                            (char *)classes + at, left < READ_BYTES ? left : READ_BYTES));
    }
    for (uint64_t i = 0; i < tensor->count; i++)
        if (classes[i] >= (uint32_t)plan->shape.labels) {
            lm_raise(ctx, LM_BAD_MODEL, "an example of the head has no label");
            lm_detail_file(ctx, LM_HEAD_TENSORS);
            lm_detail_key(ctx, "classes");
            return lm_detail_found(ctx, "%u", classes[i]);
        }
    return LM_OK;
}

static lm_status
fill_second(lm_context *ctx, const lm_head_plan *plan, const lm_source *source, void *second)
{
    if (plan->classes)
        return read_classes(ctx, plan, source, second);
    return lm_tensor_read(ctx, source, plan->bias, second);
}

/* In the order of the file, which another writer may have chosen otherwise. */
lm_status
lm_head_fill(lm_context *ctx, const lm_head_plan *plan, const lm_source *source, void *section)
{
    const lm_neighbours *n = &plan->shape.neighbours;
    const section_start start = {n->count, (uint32_t)n->k, n->by_distance};
    float *first = (float *)((char *)section + lm_align_up(sizeof start));
    void *second = (char *)section + second_place(&plan->shape);
    const lm_tensor *one = plan->classes ? plan->examples : plan->weight;
    const lm_tensor *two = plan->classes ? plan->classes : plan->bias;

    memcpy(section, &start, sizeof start);
    if (one->order > two->order) {
        LM_TRY(fill_second(ctx, plan, source, second));
        return lm_tensor_read(ctx, source, one, first);
    }
    LM_TRY(lm_tensor_read(ctx, source, one, first));
    return fill_second(ctx, plan, source, second);
}

/* Labels and width are known by then: from the settings. */
lm_status
lm_head_bind(lm_context *ctx, const void *section, size_t size, lm_head *head)
{
    const char *bytes = section;
    section_start start = {0};

    if (size >= sizeof start)
        memcpy(&start, section, sizeof start);
    head->neighbours = (lm_neighbours){.count = (size_t)start.count,
                                       .width = (size_t)head->width,
                                       .k = (int)start.k,
                                       .by_distance = start.by_distance != 0};
    if (start.count > LM_NEIGHBOURS_NUMBERS_MAX || start.k > LM_NEIGHBOURS_K_MAX ||
        (start.count > 0 && start.k == 0) || size < lm_head_size(head))
        return lm_raise(ctx, LM_INTERNAL, "the head in the image is truncated");
    bytes += lm_align_up(sizeof start);
    if (start.count > 0) {
        head->neighbours.examples = (const float *)bytes;
        head->neighbours.label = (const uint32_t *)((const char *)section + second_place(head));
        return LM_OK;
    }
    head->weight = (const float *)bytes;
    head->bias = (const float *)((const char *)section + second_place(head));
    return LM_OK;
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

static void
view_types(const lm_weights *weights, lm_head *head)
{
    const lm_config_field *separator = lm_head_types_by(weights->head);

    head->own_types = separator != NULL;
    if (separator)
        memcpy(&head->separator, (const char *)weights->config + separator->offset,
               sizeof head->separator);
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
        .back = lm_group_weight(weights, group, 0, LM_HEAD_BACK),
        .back_bias = lm_group_weight(weights, group, 0, LM_HEAD_BACK_BIAS),
        .norm_gain = lm_group_weight(weights, group, 0, LM_HEAD_NORM_GAIN),
        .norm_bias = lm_group_weight(weights, group, 0, LM_HEAD_NORM_BIAS),
        .weight = lm_group_weight(weights, group, 0, LM_HEAD_OUT),
        .bias = lm_group_weight(weights, group, 0, LM_HEAD_OUT_BIAS),
        .start = lm_group_weight(weights, group, 0, LM_HEAD_CRF_START),
        .end = lm_group_weight(weights, group, 0, LM_HEAD_CRF_END),
        .transitions = lm_group_weight(weights, group, 0, LM_HEAD_CRF_TRANSITIONS),
        .late = model->sentence.pooling == LM_POOL_LATE,
    };

    view_types(weights, &head);
    weights->family->describe(weights->config, &encoder);
    if (head.act == LM_ACT_OF_LAYERS)
        head.act = encoder.stack.blocks[0].act;
    if (head.back)
        head.net = (int)encoder.stack.blocks[0].inner;
    head.eps = eps_of(weights, &encoder);
    view_outputs(weights, &encoder, &head);
    return lm_head_view(ctx, &head, model);
}
