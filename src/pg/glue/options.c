/*
 * options.c - reading a jsonb argument of options by a table; the contract is in options.h.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "pg/glue/options.h"

static const lmtext_option *find_option(const char *key, const lmtext_option *table, int count);
static void set_option(const lmtext_option *option, const JsonbValue *value, void *fields);
static double number_in_range(const lmtext_option *option, const JsonbValue *value);
static void refuse_value(const lmtext_option *option) __attribute__((noreturn));

void
lmtext_options_read(Jsonb *json, const lmtext_option *table, int count, void *fields)
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
            set_option(find_option(key, table, count), &value, fields);
    }
}

/* The hint lists what there is: a slip of the pen is seen at once. */
static const lmtext_option *
find_option(const char *key, const lmtext_option *table, int count)
{
    StringInfoData known;

    for (int i = 0; i < count; i++)
        if (strcmp(table[i].key, key) == 0)
            return &table[i];
    initStringInfo(&known);
    for (int i = 0; i < count; i++)
        appendStringInfo(&known, "%s%s", i > 0 ? ", " : "", table[i].key);
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown option \"%s\"", lmtext_clip(key)),
                    errhint("Available options: %s.", known.data)));
}

/* JSON null leaves the default, so that callers can pass on what they do not know. */
static void
set_option(const lmtext_option *option, const JsonbValue *value, void *fields)
{
    void *field = (char *)fields + option->offset;

    if (value->type == jbvNull)
        return;
    switch (option->type) {
    case LMTEXT_OPTION_BOOL:
        if (value->type != jbvBool)
            refuse_value(option);
        *(bool *)field = value->val.boolean;
        break;
    case LMTEXT_OPTION_INT:
        *(int64 *)field = (int64)number_in_range(option, value);
        break;
    case LMTEXT_OPTION_FLOAT:
        *(double *)field = number_in_range(option, value);
        break;
    case LMTEXT_OPTION_TEXT:
        if (value->type != jbvString)
            refuse_value(option);
        *(char **)field = pnstrdup(value->val.string.val, value->val.string.len);
        break;
    }
}

/* A number beyond double is beyond every range: its conversion must not be what fails. */
static double
number_in_range(const lmtext_option *option, const JsonbValue *value)
{
    double number;

    if (value->type != jbvNumeric)
        refuse_value(option);
    number = DatumGetFloat8(
        DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
    if (!(number >= option->low && number <= option->high) ||
        (option->type == LMTEXT_OPTION_INT && number != (double)(int64)number))
        refuse_value(option);
    return number;
}

/* One sentence for every kind of wrong value; the table says what is wanted. */
static void
refuse_value(const lmtext_option *option)
{
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("option \"%s\" must be %s", option->key, option->wanted)));
}
