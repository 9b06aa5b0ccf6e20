/*
 * options.c - reading a jsonb argument of options by tables; the contract is in options.h.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "pg/glue/options.h"

static void read_option(const char *key, const JsonbValue *value, const lmtext_option_set *sets,
                        int count);
static void refuse_key(const char *key, const lmtext_option_set *sets, int count)
    __attribute__((noreturn));
static void set_option(const lm_option *option, const JsonbValue *value, void *fields);
static double number_in_range(const lm_option *option, const JsonbValue *value);
static void refuse_value(const lm_option *option) __attribute__((noreturn));

void
lmtext_options_read(Jsonb *json, const lmtext_option_set *sets, int count)
{
    JsonbIterator *iterator;
    JsonbIteratorToken token;
    JsonbValue value;
    char *key = NULL;

    if (!JB_ROOT_IS_OBJECT(json))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("options must be a JSON object")));
    iterator = JsonbIteratorInit(&json->root);
    while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
        if (token == WJB_KEY)
            key = pnstrdup(value.val.string.val, value.val.string.len);
        else if (token == WJB_VALUE)
            read_option(key, &value, sets, count);
    }
}

char *
lmtext_options_word(Jsonb *json, const char *key)
{
    JsonbValue *value = NULL;

    if (JB_ROOT_IS_OBJECT(json))
        value = getKeyJsonValueFromContainer(&json->root, key, strlen(key), NULL);
    return value != NULL && value->type == jbvString
               ? pnstrdup(value->val.string.val, value->val.string.len)
               : NULL;
}

static void
read_option(const char *key, const JsonbValue *value, const lmtext_option_set *sets, int count)
{
    for (int set = 0; set < count; set++)
        for (int i = 0; i < sets[set].count; i++)
            if (strcmp(sets[set].table[i].key, key) == 0) {
                set_option(&sets[set].table[i], value, sets[set].fields);
                return;
            }
    refuse_key(key, sets, count);
}

/* The hint lists what there is: a slip of the pen is seen at once. */
static void
refuse_key(const char *key, const lmtext_option_set *sets, int count)
{
    StringInfoData known;

    initStringInfo(&known);
    for (int set = 0; set < count; set++)
        for (int i = 0; i < sets[set].count; i++)
            appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", sets[set].table[i].key);
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown option \"%s\"", lmtext_clip(key)),
                    errhint("Available options: %s.", known.data)));
}

/* Of any value, in UTF-8. */
static char *
json_text(const JsonbValue *value)
{
    Jsonb *json = JsonbValueToJsonb(unconstify(JsonbValue *, value));
    const char *written = JsonbToCString(NULL, &json->root, VARSIZE(json));
    lm_text text = lmtext_utf8_from_bytes(written, strlen(written));

    return pnstrdup(text.bytes, text.length);
}

/* JSON null leaves the default, so that callers can pass on what they do not know. */
static void
set_option(const lm_option *option, const JsonbValue *value, void *fields)
{
    void *field = (char *)fields + option->offset;

    if (value->type == jbvNull)
        return;
    switch (option->type) {
    case LM_OPTION_BOOL:
        if (value->type != jbvBool)
            refuse_value(option);
        *(bool *)field = value->val.boolean;
        break;
    case LM_OPTION_INT:
        *(int64 *)field = (int64)number_in_range(option, value);
        break;
    case LM_OPTION_FLOAT:
        *(double *)field = number_in_range(option, value);
        break;
    case LM_OPTION_TEXT:
        if (value->type != jbvString)
            refuse_value(option);
        *(char **)field = pnstrdup(value->val.string.val, value->val.string.len);
        break;
    case LM_OPTION_JSON:
        *(char **)field = json_text(value);
        break;
    }
}

/* A number beyond double is beyond every range: its conversion must not be what fails. */
static double
number_in_range(const lm_option *option, const JsonbValue *value)
{
    double number;

    if (value->type != jbvNumeric)
        refuse_value(option);
    number = DatumGetFloat8(
        DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
    if (!(number >= option->low && number <= option->high) ||
        (option->type == LM_OPTION_INT && number != (double)(int64)number))
        refuse_value(option);
    return number;
}

/* One sentence for every kind of wrong value; the table says what is wanted. */
static void
refuse_value(const lm_option *option)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("option \"%s\" must be %s", option->key, option->wanted)));
}
