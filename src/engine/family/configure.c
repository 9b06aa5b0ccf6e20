/*
 * configure.c - from config.json to a family's config struct, by the family's table of fields. A
 * value that is not there takes the reference library's default; a value of the wrong type or out
 * of range is LM_BAD_MODEL with key, found and allowed.
 */
#include <stdio.h>
#include <string.h>

#include "family/family.h"

/* Names of activations in config.json. The tanh form has been written in many ways. */
static const struct activation_name {
    const char *name;
    lm_activation activation;
} activation_names[] = {
    {"gelu", LM_ACT_GELU},
    {"gelu_python", LM_ACT_GELU},
    {"gelu_new", LM_ACT_GELU_TANH},
    {"gelu_pytorch_tanh", LM_ACT_GELU_TANH},
    {"gelu_python_tanh", LM_ACT_GELU_TANH},
    {"gelu_fast", LM_ACT_GELU_TANH},
    {"gelu_accurate", LM_ACT_GELU_TANH},
    {"relu", LM_ACT_RELU},
    {"silu", LM_ACT_SILU},
    {"swish", LM_ACT_SILU},
    {"tanh", LM_ACT_TANH},
    {"linear", LM_ACT_NONE},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What a value is, for messages. */
static void
found_value(lm_context *ctx, const lm_json *value)
{
    switch ((lm_json_type)value->type) {
    case LM_JSON_NUMBER:
        lm_detail_found(ctx, "%.17g", value->as.number);
        break;
    case LM_JSON_STRING:
        lm_detail_found(ctx, "\"%s\"", value->as.string.bytes);
        break;
    default:
        lm_detail_found(ctx, "%s", lm_json_type_name(value));
    }
}

/* Raises with file, key and found; the caller adds what is allowed. */
static lm_status
refuse(lm_context *ctx, lm_status status, const char *message, const lm_config_field *field,
       const lm_json *value)
{
    lm_raise(ctx, status, "%s", message);
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "%s", field->key);
    if (value)
        found_value(ctx, value);
    else
        lm_detail_found(ctx, "nothing");
    return status;
}

/* Whole numbers only, written as such: 12.0 is refused. */
static lm_status
read_int(lm_context *ctx, const lm_config_field *field, const lm_json *value, void *dest)
{
    int32_t *out = dest;

    if (!value) {
        *out = (int32_t)field->fallback;
        return LM_OK;
    }
    if (value->type != LM_JSON_NUMBER || !value->is_integer ||
        (double)value->integer < field->low || (double)value->integer > field->high) {
        refuse(ctx, LM_BAD_MODEL, "a setting of the model is out of range", field, value);
        return lm_detail_allowed(ctx, "an integer from %.0f to %.0f", field->low, field->high);
    }
    *out = (int32_t)value->integer;
    return LM_OK;
}

/* NaN and infinity do not get past the JSON reader. */
static lm_status
read_float(lm_context *ctx, const lm_config_field *field, const lm_json *value, void *dest)
{
    float *out = dest;

    if (!value) {
        *out = (float)field->fallback;
        return LM_OK;
    }
    if (value->type != LM_JSON_NUMBER || value->as.number < field->low ||
        value->as.number > field->high) {
        refuse(ctx, LM_BAD_MODEL, "a setting of the model is out of range", field, value);
        return lm_detail_allowed(ctx, "a number from %g to %g", field->low, field->high);
    }
    *out = (float)value->as.number;
    return LM_OK;
}

/* true or false; 0 and 1 are numbers and refused. */
static lm_status
read_bool(lm_context *ctx, const lm_config_field *field, const lm_json *value, void *dest)
{
    int32_t *out = dest;

    if (!value) {
        *out = field->fallback != 0;
        return LM_OK;
    }
    if (value->type != LM_JSON_BOOL) {
        refuse(ctx, LM_BAD_MODEL, "a setting of the model has the wrong type", field, value);
        return lm_detail_allowed(ctx, "true or false");
    }
    *out = value->boolean;
    return LM_OK;
}

/*
 * A name that is not in the table is LM_UNSUPPORTED, not an error of the file: the reference has
 * more activations than the kernels.
 */
static lm_status
read_activation(lm_context *ctx, const lm_config_field *field, const lm_json *value, void *dest)
{
    int32_t *out = dest;
    char known[160] = "";
    size_t used = 0;

    if (!value) {
        *out = (int32_t)field->fallback;
        return LM_OK;
    }
    for (size_t i = 0; i < COUNT(activation_names); i++) {
        if (lm_json_is_string(value, activation_names[i].name)) {
            *out = activation_names[i].activation;
            return LM_OK;
        }
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                     activation_names[i].name);
    }
    refuse(ctx, value->type == LM_JSON_STRING ? LM_UNSUPPORTED : LM_BAD_MODEL,
           "the activation is not supported", field, value);
    return lm_detail_allowed(ctx, "%s", known);
}

static lm_status (*const readers[])(lm_context *ctx, const lm_config_field *field,
                                    const lm_json *value, void *dest) = {
    [LM_FIELD_INT] = read_int,
    [LM_FIELD_FLOAT] = read_float,
    [LM_FIELD_ACTIVATION] = read_activation,
    [LM_FIELD_BOOL] = read_bool,
};

/*
 * Fields are read in the table's order, so the first one that is wrong is the one that is
 * reported.
 */
lm_status
lm_family_configure(lm_context *ctx, const lm_family *family, const lm_json *config, void *fields)
{
    memset(fields, 0, family->config_size);
    for (size_t i = 0; i < family->field_count; i++) {
        const lm_config_field *field = &family->fields[i];
        const lm_json *value = lm_json_get(config, field->key);

        if (!value && field->required)
            return refuse(ctx, LM_BAD_MODEL, "a setting of the model is missing", field, NULL);
        LM_TRY(readers[field->type](ctx, field, value, (char *)fields + field->offset));
    }
    return family->check ? family->check(ctx, config, fields) : LM_OK;
}
