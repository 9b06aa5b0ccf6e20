/*
 * error.c - the only place where an engine's status becomes an ereport.
 *
 * Primary message: `model "m@1": …` in lower case; detail: one sentence made of file, key, byte,
 * found and allowed; hint: the record's, else the status' own. Text of the record may hold bytes of
 * a hostile file: it is shown as far as the database's encoding can.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "pg/glue/glue.h"

/* One row per status. */
static const struct {
    int sqlstate;
    const char *hint; /* where the record has none */
} statuses[LM_STATUS_COUNT] = {
    [LM_OK] = {ERRCODE_SUCCESSFUL_COMPLETION, NULL},
    [LM_NO_MEMORY] = {ERRCODE_OUT_OF_MEMORY, NULL},
    [LM_CANCELLED] = {ERRCODE_QUERY_CANCELED, NULL},
    [LM_BAD_MODEL] = {ERRCODE_INVALID_BINARY_REPRESENTATION, NULL},
    [LM_BAD_JSON] = {ERRCODE_INVALID_TEXT_REPRESENTATION, NULL},
    [LM_TOO_DEEP] = {ERRCODE_STATEMENT_TOO_COMPLEX, NULL},
    [LM_UNSUPPORTED] = {ERRCODE_FEATURE_NOT_SUPPORTED, NULL},
    [LM_UNKNOWN] = {ERRCODE_UNDEFINED_OBJECT, NULL},
    [LM_DUPLICATE] = {ERRCODE_DUPLICATE_OBJECT, NULL},
    [LM_NO_FILE] = {ERRCODE_UNDEFINED_FILE, NULL},
    [LM_IO_ERROR] = {ERRCODE_IO_ERROR, NULL},
    [LM_DENIED] = {ERRCODE_INSUFFICIENT_PRIVILEGE, NULL},
    [LM_TOO_LARGE] = {ERRCODE_PROGRAM_LIMIT_EXCEEDED, NULL},
    [LM_BAD_ARGUMENT] = {ERRCODE_INVALID_PARAMETER_VALUE, NULL},
    [LM_BAD_TEXT] = {ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, NULL},
    [LM_NO_TOKEN] =
        {ERRCODE_INVALID_PARAMETER_VALUE,
         "Leave such texts out, or SET lmtext.on_empty = 'null', which does not apply to calls "
         "that are pinned to a version."},
    [LM_CORRUPT] = {ERRCODE_DATA_CORRUPTED,
                    "The rows of the version's table were changed: drop the version and import the "
                    "model again."},
    [LM_NOT_FINITE] = {ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, NULL},
    [LM_INTERNAL] = {ERRCODE_INTERNAL_ERROR, NULL},
};

static char *error_message(const lm_error *error, const char *model);
static char *error_detail(const lm_error *error);
static const char *error_hint(const lm_error *error);

/*
 * Does not return unless all is well. An error that was kept comes first, whatever the engine made
 * of it: it may have passed several layers, each with a status of its own.
 */
void
lmtext_check(lmtext_call *call, lm_status status, const char *model)
{
    ErrorData *kept = call->interrupt;
    const lm_error *error = &call->ctx.error;
    char *detail;
    const char *hint;

    if (kept != NULL) {
        call->interrupt = NULL;
        ReThrowError(kept);
    }
    if (status == LM_OK)
        return;
    if (status < 0 || status >= LM_STATUS_COUNT)
        elog(ERROR, "the engine returned status %d", (int)status);
    detail = error_detail(error);
    hint = error_hint(error);
    ereport(ERROR,
            (errcode(statuses[status].sqlstate), errmsg_internal("%s", error_message(error, model)),
             detail ? errdetail_internal("%s", detail) : 0, hint ? errhint("%s", hint) : 0));
}

/* A field as the client can be sent it. */
static char *
shown(const char *field)
{
    return lmtext_cstring_lossy(field, strlen(field));
}

/* Every message names the model where there is one: a statement may use several. */
static char *
error_message(const lm_error *error, const char *model)
{
    const char *message = error->message[0] != '\0' ? shown(error->message) : "unknown failure";

    return model ? psprintf("model \"%s\": %s", model, message) : pstrdup(message);
}

/* Add a part to a list, nothing for an empty field. */
static void
append_part(StringInfo out, const char *separator, const char *format, const char *field)
{
    if (field[0] == '\0')
        return;
    if (out->len > 0)
        appendStringInfoString(out, separator);
    appendStringInfo(out, format, shown(field));
}

/* File "config.json", key "hidden_size", byte 17: found -1, allowed 1 to 65536. */
static char *
error_detail(const lm_error *error)
{
    StringInfoData out;
    StringInfoData values;

    initStringInfo(&out);
    initStringInfo(&values);
    append_part(&out, ", ", "file \"%s\"", error->file);
    append_part(&out, ", ", "key \"%s\"", error->key);
    if (error->has_offset)
        appendStringInfo(&out, "%sbyte " UINT64_FORMAT, out.len > 0 ? ", " : "", error->offset);
    append_part(&values, ", ", "found %s", error->found);
    append_part(&values, ", ", "allowed %s", error->allowed);
    append_part(&out, ": ", "%s", values.data);
    if (out.len == 0)
        return NULL;
    out.data[0] = pg_toupper((unsigned char)out.data[0]);
    appendStringInfoChar(&out, '.');
    return out.data;
}

/* The record knows better than its status. */
static const char *
error_hint(const lm_error *error)
{
    if (error->hint[0] != '\0')
        return shown(error->hint);
    return statuses[error->status].hint;
}
