/*
 * linear_options.c - reading the options in JSON.
 */
#include "train/linear_options.h"

#include <math.h>
#include <string.h>

#include "format/json.h"

static lm_status
refuse(lm_context *ctx, const char *key, const char *allowed)
{
    lm_raise(ctx, LM_BAD_ARGUMENT, "a value of an option is not valid");
    lm_detail_key(ctx, "%s", key);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* The number of a label; −1: no row has it. */
static int
find_label(const lm_train_labels *labels, const char *name, size_t length)
{
    for (uint32_t i = 0; i < labels->names.count; i++) {
        size_t found;
        const char *bytes = lm_intern_bytes(&labels->names, labels->order[i], &found);

        if (found == length && memcmp(bytes, name, length) == 0)
            return (int)i;
    }
    return -1;
}

static void
balance(const lm_train_labels *labels, double *weights)
{
    const uint32_t count = labels->names.count;

    memset(weights, 0, count * sizeof *weights);
    for (size_t i = 0; i < labels->rows; i++)
        weights[labels->y[i]]++;
    for (uint32_t i = 0; i < count; i++)
        weights[i] = (double)labels->rows / (count * weights[i]);
}

static lm_status
read_weights(lm_context *ctx, const lm_json *json, const lm_train_labels *labels, double *weights)
{
    for (uint32_t i = 0; i < labels->names.count; i++)
        weights[i] = 1;
    for (const lm_json *one = json->as.items.first; one; one = one->next) {
        int label = find_label(labels, one->key, one->key_length);

        if (label < 0)
            return refuse(ctx, "class_weights", "labels of the query");
        if (one->type != LM_JSON_NUMBER || !(one->as.number > 0 && one->as.number <= 1e6))
            return refuse(ctx, "class_weights", "numbers above 0, up to 1000000");
        weights[label] = one->as.number;
    }
    return LM_OK;
}

lm_status
lm_class_weights_read(lm_context *ctx, const char *json, const lm_train_labels *labels,
                      double *weights)
{
    const lm_json *root;
    lm_arena arena;
    lm_status status;

    lm_arena_init(&arena, ctx);
    status = lm_json_parse(ctx, &arena, json, strlen(json), "class_weights", &root);
    if (status == LM_OK && lm_json_is_string(root, "balanced"))
        balance(labels, weights);
    else if (status == LM_OK && root->type == LM_JSON_OBJECT)
        status = read_weights(ctx, root, labels, weights);
    else if (status == LM_OK)
        status = refuse(ctx, "class_weights", "\"balanced\", or an object of labels and numbers");
    lm_arena_free(&arena);
    return status;
}

lm_status
lm_out_of_scope_read(lm_context *ctx, lm_arena *arena, const char *json,
                     const lm_train_labels *labels, lm_out_of_scope *options)
{
    const lm_json *root, *label, *coverage;

    LM_TRY(lm_json_parse(ctx, arena, json, strlen(json), "out_of_scope", &root));
    label = lm_json_get(root, "label");
    coverage = lm_json_get(root, "coverage");
    *options = (lm_out_of_scope){NULL, 0.95};
    if (!label || label->type != LM_JSON_STRING ||
        strlen(label->as.string.bytes) != label->as.string.length)
        return refuse(ctx, "out_of_scope", "an object with a label, a string");
    if (find_label(labels, label->as.string.bytes, label->as.string.length) >= 0)
        return refuse(ctx, "out_of_scope", "a label that no row of the query has");
    options->label = label->as.string.bytes;
    if (!coverage)
        return LM_OK;
    options->coverage = coverage->as.number;
    if (coverage->type == LM_JSON_NUMBER && coverage->as.number > 0 && coverage->as.number < 1)
        return LM_OK;
    return refuse(ctx, "out_of_scope", "a coverage above 0 and below 1");
}
