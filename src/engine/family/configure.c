/*
 * configure.c - from config.json to a family's config struct, by the family's table of fields. A
 * value that is not there takes the reference library's default; a value of the wrong type or out
 * of range is LM_BAD_MODEL with key, found and allowed.
 */
#include <stdio.h>
#include <string.h>

#include "family/family.h"

/* The tanh form has been written in many ways. */
const lm_word lm_activation_words[] = {
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
    {NULL, 0},
};

/* ---- Keys ---- */

/* The index-th of the choices that "|" divides, or NULL. */
static const char *
choice(const char *key, int index)
{
    for (; key && index > 0; index--) {
        key = strchr(key, '|');
        key = key ? key + 1 : NULL;
    }
    return key;
}

/* The first part of a path, cut at the size of keys, which no table's is longer than. */
static void
copy_part(const char *path, char key[LM_CONFIG_KEY_SIZE])
{
    snprintf(key, LM_CONFIG_KEY_SIZE, "%.*s", (int)strcspn(path, ".|"), path);
}

bool
lm_config_key(const lm_config_field *field, int index, char key[LM_CONFIG_KEY_SIZE])
{
    const char *path = choice(field->key, index);

    if (path)
        copy_part(path, key);
    return path != NULL;
}

/* Whether a field of the family reads the key. */
static bool
is_read(const void *opaque, const char *wanted)
{
    const lm_family *family = opaque;
    char key[LM_CONFIG_KEY_SIZE];

    for (size_t i = 0; i < family->field_count; i++)
        for (int each = 0; lm_config_key(&family->fields[i], each, key); each++)
            if (strcmp(key, wanted) == 0)
                return true;
    return false;
}

lm_status
lm_family_check_keys(lm_context *ctx, lm_notes *notes, const lm_family *family, const char *file,
                     const lm_json *config)
{
    const lm_key_rule *const tables[] = {family->config_keys, lm_config_keys, NULL};

    return lm_keys_check_all(ctx, notes, file, "", config, is_read, family, tables);
}

/* The value at the end of a path, or NULL. */
static const lm_json *
follow(const lm_json *config, const char *path)
{
    char key[LM_CONFIG_KEY_SIZE];

    for (;;) {
        copy_part(path, key);
        config = lm_json_get(config, key);
        path += strcspn(path, ".|");
        if (*path != '.' || !config)
            return config;
        path++;
    }
}

/* The field's value, and the path that it was found at, for messages; NULL: there is none. */
static const lm_json *
find_value(const lm_json *config, const lm_config_field *field, const char **path)
{
    const lm_json *value = NULL;

    *path = field->key;
    for (int each = 0; !value && choice(field->key, each); each++) {
        *path = choice(field->key, each);
        value = follow(config, *path);
    }
    return value;
}

/* ---- Values ---- */

/* One field while it is read. */
typedef struct reading {
    lm_context *ctx;
    const lm_config_field *field;
    const char *path;     /* where the value was found, or where it was looked for last */
    const lm_json *value; /* NULL: there is none */
} reading;

/* What a value is, for messages. */
static void
found_value(lm_context *ctx, const lm_json *value)
{
    char shown[80];

    switch ((lm_json_type)value->type) {
    case LM_JSON_NUMBER:
        lm_detail_found(ctx, "%.17g", value->as.number);
        break;
    case LM_JSON_STRING:
        lm_detail_found(ctx, "\"%s\"", value->as.string.bytes);
        break;
    case LM_JSON_BOOL:
        lm_json_show(value, shown, sizeof shown);
        lm_detail_found(ctx, "%s", shown);
        break;
    default:
        lm_detail_found(ctx, "%s", lm_json_type_name(value));
    }
}

/* Raises with file, key and found; the caller adds what is allowed. */
static lm_status
refuse(const reading *r, lm_status status, const char *message)
{
    lm_raise(r->ctx, status, "%s", message);
    lm_detail_file(r->ctx, "config.json");
    lm_detail_key(r->ctx, "%.*s", (int)strcspn(r->path, "|"), r->path);
    if (r->value)
        found_value(r->ctx, r->value);
    else
        lm_detail_found(r->ctx, "nothing");
    return status;
}

/* Whole numbers only, written as such: 12.0 is refused. */
static lm_status
take_int(const reading *r, int64_t found, bool whole, void *dest)
{
    const lm_config_field *field = r->field;

    if (!whole || (double)found < field->low || (double)found > field->high) {
        refuse(r, LM_BAD_MODEL, "a setting of the model is out of range");
        return lm_detail_allowed(r->ctx, "an integer from %.0f to %.0f", field->low, field->high);
    }
    memcpy(dest, &(int32_t){(int32_t)found}, sizeof(int32_t));
    return LM_OK;
}

static lm_status
read_int(const reading *r, void *dest)
{
    bool whole = r->value->type == LM_JSON_NUMBER && r->value->is_integer;

    return take_int(r, whole ? r->value->integer : 0, whole, dest);
}

/* Labels: id2label is an object, num_labels a number. */
static lm_status
read_count(const reading *r, void *dest)
{
    if (r->value->type == LM_JSON_OBJECT)
        return take_int(r, (int64_t)r->value->as.items.count, true, dest);
    return read_int(r, dest);
}

/* NaN and infinity do not get past the JSON reader. */
static lm_status
read_float(const reading *r, void *dest)
{
    const lm_config_field *field = r->field;

    if (r->value->type != LM_JSON_NUMBER || r->value->as.number < field->low ||
        r->value->as.number > field->high) {
        refuse(r, LM_BAD_MODEL, "a setting of the model is out of range");
        return lm_detail_allowed(r->ctx, "a number from %g to %g", field->low, field->high);
    }
    memcpy(dest, &(float){(float)r->value->as.number}, sizeof(float));
    return LM_OK;
}

/* true or false; 0 and 1 are numbers and refused. */
static lm_status
read_bool(const reading *r, void *dest)
{
    if (r->value->type != LM_JSON_BOOL) {
        refuse(r, LM_BAD_MODEL, "a setting of the model has the wrong type");
        return lm_detail_allowed(r->ctx, "true or false");
    }
    memcpy(dest, &(int32_t){r->value->boolean}, sizeof(int32_t));
    return LM_OK;
}

/*
 * A word that is not in the table is LM_UNSUPPORTED, not an error of the file: the reference has
 * more of them. So is anything else where only one value is supported.
 */
static lm_status
read_word(const reading *r, void *dest)
{
    bool other = r->value->type == LM_JSON_STRING || (r->field->flags & LM_FIELD_MUST_BE);
    char known[160] = "";
    size_t used = 0;

    for (const lm_word *each = r->field->words; each->word; each++) {
        if (lm_json_is_string(r->value, each->word)) {
            memcpy(dest, &each->value, sizeof each->value);
            return LM_OK;
        }
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                     each->word);
    }
    refuse(r, other ? LM_UNSUPPORTED : LM_BAD_MODEL, r->field->refusal);
    return lm_detail_allowed(r->ctx, "%s", known);
}

/* A list stands for its only number; the reference has a number for each layer. */
static lm_status
read_uniform(const reading *r, void *dest)
{
    const lm_json *first = r->value;
    reading item = *r;

    if (r->value->type == LM_JSON_ARRAY && r->value->as.items.count > 0)
        first = r->value->as.items.first;
    for (item.value = first; item.value; item.value = item.value->next) {
        LM_TRY(read_int(&item, dest));
        if (first == r->value)
            return LM_OK;
        if (item.value->integer != first->integer) {
            refuse(&item, LM_UNSUPPORTED, r->field->refusal);
            return lm_detail_allowed(r->ctx, "a list of equal numbers");
        }
    }
    return LM_OK;
}

static lm_status (*const readers[])(const reading *r, void *dest) = {
    [LM_FIELD_INT] = read_int,   [LM_FIELD_FLOAT] = read_float, [LM_FIELD_BOOL] = read_bool,
    [LM_FIELD_WORD] = read_word, [LM_FIELD_COUNT] = read_count, [LM_FIELD_UNIFORM] = read_uniform,
};

/* What the config has where the file lacks the key. */
static void
take_fallback(const lm_config_field *field, void *dest)
{
    if (field->type == LM_FIELD_FLOAT)
        memcpy(dest, &(float){(float)field->fallback}, sizeof(float));
    else
        memcpy(dest, &(int32_t){(int32_t)field->fallback}, sizeof(int32_t));
}

/* A value that the weights would load with, and give wrong vectors. */
static lm_status
check_fixed(const reading *r)
{
    int32_t found, wanted;

    take_fallback(r->field, &wanted);
    LM_TRY(readers[r->field->type](r, &found));
    if (found == wanted)
        return LM_OK;
    refuse(r, LM_UNSUPPORTED, r->field->refusal);
    return r->field->type == LM_FIELD_BOOL
               ? lm_detail_allowed(r->ctx, "%s", wanted ? "true" : "false")
               : lm_detail_allowed(r->ctx, "%g", r->field->fallback);
}

static lm_status
read_field(const reading *r, void *dest)
{
    bool null = r->value && r->value->type == LM_JSON_NULL && (r->field->flags & LM_FIELD_OR_NULL);

    if (!r->value && (r->field->flags & LM_FIELD_REQUIRED))
        return refuse(r, LM_BAD_MODEL, "a setting of the model is missing");
    if (r->field->flags & LM_FIELD_MUST_BE)
        return r->value && !null ? check_fixed(r) : LM_OK;
    if (null) {
        memset(dest, 0, sizeof(int32_t));
        return LM_OK;
    }
    if (r->value)
        return readers[r->field->type](r, dest);
    take_fallback(r->field, dest);
    return LM_OK;
}

/*
 * Fields are read in the table's order, so the first one that is wrong is the one that is
 * reported.
 */
lm_status
lm_config_read(lm_context *ctx, const lm_config_field *fields, size_t count, const lm_json *config,
               void *out)
{
    for (size_t i = 0; i < count; i++) {
        reading r = {.ctx = ctx, .field = &fields[i]};

        if (r.field->type != LM_FIELD_MARK)
            r.value = find_value(config, r.field, &r.path);
        LM_TRY(read_field(&r, (char *)out + r.field->offset));
    }
    return LM_OK;
}

/* All fields are of 32 bits. */
const char *
lm_family_difference(const lm_family *family, const void *a, const void *b)
{
    for (size_t i = 0; i < family->field_count; i++) {
        const lm_config_field *field = &family->fields[i];

        if (!(field->flags & LM_FIELD_MUST_BE) &&
            memcmp((const char *)a + field->offset, (const char *)b + field->offset,
                   sizeof(int32_t)) != 0)
            return field->key;
    }
    return NULL;
}

lm_status
lm_family_configure(lm_context *ctx, const lm_family *family, const lm_head_kind *head,
                    const lm_json *config, void *fields)
{
    memset(fields, 0, family->config_size);
    LM_TRY(lm_config_read(ctx, family->fields, family->field_count, config, fields));
    if (head)
        LM_TRY(lm_config_read(ctx, head->fields, head->field_count, config, fields));
    return family->check ? family->check(ctx, config, fields) : LM_OK;
}

lm_status
lm_family_check_heads(lm_context *ctx, const char *heads_key, int heads, const char *width_key,
                      int width)
{
    if (width % heads == 0)
        return LM_OK;
    lm_raise(ctx, LM_BAD_MODEL, "the hidden size is not a multiple of the attention heads");
    lm_detail_file(ctx, "config.json");
    lm_detail_key(ctx, "%s", heads_key);
    lm_detail_found(ctx, "%d", heads);
    return lm_detail_allowed(ctx, "a divisor of %s, which is %d", width_key, width);
}
