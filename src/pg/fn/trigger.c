/*
 * trigger.c - lmtext.embed_trigger('body', 'embedding', 'minilm@1' [, 'prompt name']): a BEFORE row
 * trigger that keeps a column of vectors. The text is a column or an expression (rowtext.h).
 *
 * The model is a version, never a bare name: vectors of two versions must not meet in one column.
 * A row whose text an UPDATE leaves as it was keeps its vector, unless it has none yet. An error
 * names the row by its primary key, and never shows what the text is made of. The vector
 * column is real[], a type that real[] is assignable to (pgvector's vector and halfvec), or a
 * domain over one of them: nothing behind a trigger checks a domain, so it is checked here.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "pg/fn/args.h"
#include "pg/fn/rowtext.h"

enum { ARG_TEXT, ARG_VECTOR, ARG_MODEL, ARG_PROMPT };

/* A column of the primary key, to name a row by. */
typedef struct key_column {
    int number;
    char *name;
    bool hidden; /* the text is made of it, or it may not be read */
    FmgrInfo output;
} key_column;

/* The columns, looked up once per statement; checked is set last. */
typedef struct trigger_plan {
    bool checked;
    lmtext_row_text *text;
    int vector;       /* attribute number */
    key_column *keys; /* empty: rows are not named */
    int key_count;
    bool converts; /* the vector column is no real[]: convert assigns to it */
    FmgrInfo convert;
    int32 typmod;
    Oid domain;  /* of the vector column, or InvalidOid */
    void *rules; /* domain_check's */
} trigger_plan;

LMTEXT_ENTRY(lmtext_embed_trigger, .name = "embed_trigger");

static void
check_call(FunctionCallInfo fcinfo)
{
    TriggerData *data = (TriggerData *)fcinfo->context;

    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("lmtext.embed_trigger can be called only by a trigger")));
    if (!TRIGGER_FIRED_BEFORE(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
        TRIGGER_FIRED_BY_DELETE(data->tg_event))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("trigger \"%s\" must fire before each row for lmtext.embed_trigger",
                               data->tg_trigger->tgname),
                        errhint("Create it BEFORE INSERT OR UPDATE ... FOR EACH ROW.")));
    if (data->tg_trigger->tgnargs < 3 || data->tg_trigger->tgnargs > 4)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("trigger \"%s\" has %d arguments", data->tg_trigger->tgname,
                               data->tg_trigger->tgnargs),
                        errhint("Give lmtext.embed_trigger('text column', 'vector column', "
                                "'model@version' [, 'prompt name']).")));
}

static void
find_vector_column(FunctionCallInfo fcinfo, Relation relation, const char *name, trigger_plan *plan)
{
    int number = lmtext_row_column(relation, name);
    Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), number - 1);
    int32 typmod = column->atttypmod;
    Oid type = getBaseTypeAndTypmod(column->atttypid, &typmod), function = InvalidOid;
    CoercionPathType path = COERCION_PATH_RELABELTYPE;

    if (type != FLOAT4ARRAYOID)
        path = find_coercion_pathway(type, FLOAT4ARRAYOID, COERCION_ASSIGNMENT, &function);
    if (path != COERCION_PATH_RELABELTYPE && path != COERCION_PATH_FUNC)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH),
                 errmsg("column \"%s\" is of type %s", name, format_type_be(column->atttypid)),
                 errdetail("lmtext.embed_trigger writes real[], or a type that real[] can be "
                           "assigned to.")));
    plan->vector = number;
    plan->typmod = typmod;
    plan->domain = type == column->atttypid ? InvalidOid : column->atttypid;
    plan->converts = path == COERCION_PATH_FUNC;
    if (plan->converts)
        fmgr_info_cxt(function, &plan->convert, fcinfo->flinfo->fn_mcxt);
}

/* A bare name would mean another version after the next deployment. */
static void
check_pinned(const char *model)
{
    const char *at = strrchr(model, '@');

    if (at == NULL || at[1] == '\0')
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model name \"%s\" has no version", model),
                        errdetail("Vectors of two versions cannot be compared, so one column must "
                                  "come from one version."),
                        errhint("Write a version, as in '%s@1'.", model)));
}

/* As an index' errors have it: who may not read the key is not told it. */
static bool
shows_key(Oid relid, int number)
{
    return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
           pg_attribute_aclcheck(relid, number, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static void
find_key(FunctionCallInfo fcinfo, Relation relation, trigger_plan *plan)
{
    Bitmapset *columns = RelationGetIndexAttrBitmap(relation, INDEX_ATTR_BITMAP_PRIMARY_KEY);
    MemoryContext memory = fcinfo->flinfo->fn_mcxt;
    Oid relid = RelationGetRelid(relation);
    int member = -1;

    if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
        return;
    plan->keys =
        MemoryContextAllocZero(memory, (bms_num_members(columns) + 1) * sizeof(*plan->keys));
    while ((member = bms_next_member(columns, member)) >= 0) {
        int number = member + FirstLowInvalidHeapAttributeNumber;
        Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), number - 1);
        key_column *key = &plan->keys[plan->key_count++];
        bool varlena;
        Oid output;

        key->number = number;
        key->name = MemoryContextStrdup(memory, NameStr(column->attname));
        /* A number or a date is no text of anybody, whatever the expression makes of it. */
        key->hidden = !shows_key(relid, number) ||
                      (column->attlen < 0 && lmtext_row_text_reads(plan->text, number));
        getTypeOutputInfo(column->atttypid, &output, &varlena);
        fmgr_info_cxt(output, &key->output, memory);
    }
}

static trigger_plan *
plan_for(FunctionCallInfo fcinfo, TriggerData *data)
{
    trigger_plan *plan = lmtext_arg_space(fcinfo, sizeof(*plan));

    if (!plan->checked) {
        char **args = data->tg_trigger->tgargs;

        check_pinned(args[ARG_MODEL]);
        plan->text = lmtext_row_text_make(data->tg_relation, data->tg_trigger->tgname,
                                          args[ARG_TEXT], fcinfo->flinfo->fn_mcxt);
        find_key(fcinfo, data->tg_relation, plan);
        find_vector_column(fcinfo, data->tg_relation, args[ARG_VECTOR], plan);
        LMTEXT_FAULT_POINT("trigger_planned");
        plan->checked = true;
    }
    return plan;
}

/* ---- Rows ---- */

/* "id=7, lang=de" for messages; NULL: nothing can be said. */
static char *
row_name(trigger_plan *plan, Relation relation, HeapTuple row)
{
    StringInfoData name;

    if (plan->key_count == 0)
        return NULL;
    initStringInfo(&name);
    for (int i = 0; i < plan->key_count; i++) {
        key_column *key = &plan->keys[i];
        bool null;
        Datum value = heap_getattr(row, key->number, RelationGetDescr(relation), &null);
        const char *shown = "...";

        if (null)
            shown = "null";
        else if (!key->hidden)
            shown = lmtext_clip(OutputFunctionCall(&key->output, value));
        appendStringInfo(&name, "%s%s=%s", i > 0 ? ", " : "", key->name, shown);
    }
    return name.data;
}

/* What the context of an error needs. */
typedef struct row_context {
    const TriggerData *data;
    char *name;
} row_context;

static void
say_row(void *opaque)
{
    const row_context *row = opaque;
    const char *table = RelationGetRelationName(row->data->tg_relation);
    const char *trigger = row->data->tg_trigger->tgname;

    if (row->name != NULL)
        errcontext("row %s of table \"%s\", trigger \"%s\"", row->name, table, trigger);
    else
        errcontext("row of table \"%s\", trigger \"%s\"", table, trigger);
}

/* An UPDATE that left the text as it was, of a row that has its vector. */
static bool
is_unchanged(const TriggerData *data, trigger_plan *plan, Datum value, HeapTuple row)
{
    bool vector_null;
    Datum old;

    if (!TRIGGER_FIRED_BY_UPDATE(data->tg_event))
        return false;
    heap_getattr(row, plan->vector, RelationGetDescr(data->tg_relation), &vector_null);
    if (vector_null)
        return false;
    return lmtext_row_text_get(plan->text, data->tg_relation, data->tg_trigtuple, &old) &&
           lmtext_row_text_equal(plan->text, old, value);
}

static Datum
embed_value(FunctionCallInfo fcinfo, const TriggerData *data, Datum value)
{
    const Trigger *trigger = data->tg_trigger;
    lmtext_model *model = lmtext_trigger_model(fcinfo, trigger->tgargs[ARG_MODEL],
                                               RelationGetRelid(data->tg_relation));
    lm_text body = lmtext_utf8_from_text(DatumGetTextPP(value));
    lm_embed_options options;
    float *out;
    ArrayType *vector;

    lmtext_embed_defaults(&options, LM_LONG_TRUNCATE);
    if (trigger->tgnargs > ARG_PROMPT)
        options.prompt_name = trigger->tgargs[ARG_PROMPT];
    vector = lmtext_vector_new(lmtext_embed_width(model, &options), &out);
    lmtext_embed_texts(model, &body, 1, &options, out);
    return PointerGetDatum(vector);
}

/* A cast's function has one, two or three arguments; those in SQL look at their number. */
static Datum
converted(trigger_plan *plan, Datum vector)
{
    LOCAL_FCINFO(call, 3);

    InitFunctionCallInfoData(*call, &plan->convert, plan->convert.fn_nargs, InvalidOid, NULL, NULL);
    call->args[0] = (NullableDatum){vector, false};
    call->args[1] = (NullableDatum){Int32GetDatum(plan->typmod), false};
    call->args[2] = (NullableDatum){BoolGetDatum(false), false};
    vector = FunctionCallInvoke(call);
    if (call->isnull)
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("the cast of a vector to the column's type returned null")));
    return vector;
}

/* A vector, or null, as the column takes it. */
static Datum
assigned(FunctionCallInfo fcinfo, trigger_plan *plan, Datum vector, bool is_null)
{
    if (plan->converts && !is_null)
        vector = converted(plan, vector);
    if (OidIsValid(plan->domain))
        domain_check(vector, is_null, plan->domain, &plan->rules, fcinfo->flinfo->fn_mcxt);
    return vector;
}

/* The row with its vector, or as it is. */
static HeapTuple
embedded_row(FunctionCallInfo fcinfo, TriggerData *data, trigger_plan *plan, HeapTuple row)
{
    Datum text, vector = (Datum)0;
    bool is_null = !lmtext_row_text_get(plan->text, data->tg_relation, row, &text);

    if (!is_null) {
        if (is_unchanged(data, plan, text, row))
            return row;
        vector = embed_value(fcinfo, data, text);
        LMTEXT_FAULT_POINT("trigger_embedded");
    }
    vector = assigned(fcinfo, plan, vector, is_null);
    return heap_modify_tuple_by_cols(row, RelationGetDescr(data->tg_relation), 1, &plan->vector,
                                     &vector, &is_null);
}

static Datum
lmtext_embed_trigger_call(PG_FUNCTION_ARGS)
{
    TriggerData *data = (TriggerData *)fcinfo->context;
    row_context context = {data, NULL};
    ErrorContextCallback callback = {error_context_stack, say_row, &context};
    trigger_plan *plan;
    HeapTuple row;

    check_call(fcinfo);
    plan = plan_for(fcinfo, data);
    row = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
    context.name = row_name(plan, data->tg_relation, row);
    error_context_stack = &callback;
    row = embedded_row(fcinfo, data, plan, row);
    error_context_stack = callback.previous;
    return PointerGetDatum(row);
}
