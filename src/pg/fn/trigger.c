/*
 * trigger.c - lmtext.embed_trigger('body', 'embedding', 'minilm@1' [, 'prompt name']): a BEFORE row
 * trigger that keeps a column of vectors.
 *
 * The model is a version, never a bare name: vectors of two versions must not meet in one column.
 * A row whose text an UPDATE leaves as it was keeps its vector, unless it has none yet. The vector
 * column is real[], a type that real[] is assignable to (pgvector's vector and halfvec), or a
 * domain over one of them: nothing behind a trigger checks a domain, so it is checked here.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/fn/args.h"

enum { ARG_TEXT, ARG_VECTOR, ARG_MODEL, ARG_PROMPT };

/* The columns, looked up once per statement; checked is set last. */
typedef struct trigger_plan {
    bool checked;
    int text, vector; /* attribute numbers */
    int text_length;  /* attlen and attbyval of the text column */
    bool text_by_value;
    bool converts; /* the vector column is no real[]: convert assigns to it */
    FmgrInfo convert;
    int32 typmod;
    Oid domain;  /* of the vector column, or InvalidOid */
    void *rules; /* domain_check's */
} trigger_plan;

LMTEXT_COUNTED(lmtext_embed_trigger, LMTEXT_FUNCTION_EMBED_TRIGGER);

static void
check_call(FunctionCallInfo fcinfo)
{
    TriggerData *data = (TriggerData *)fcinfo->context;

    if (!CALLED_AS_TRIGGER(fcinfo))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("lmtext.embed_trigger is called by a trigger only")));
    if (!TRIGGER_FIRED_BEFORE(data->tg_event) || !TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
        TRIGGER_FIRED_BY_DELETE(data->tg_event))
        ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
                        errmsg("trigger \"%s\" does not fire as lmtext.embed_trigger must",
                               data->tg_trigger->tgname),
                        errhint("Create it BEFORE INSERT OR UPDATE ... FOR EACH ROW.")));
    if (data->tg_trigger->tgnargs < 3 || data->tg_trigger->tgnargs > 4)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("trigger \"%s\" has %d arguments", data->tg_trigger->tgname,
                               data->tg_trigger->tgnargs),
                        errhint("Give lmtext.embed_trigger('text column', 'vector column', "
                                "'model@version' [, 'prompt name']).")));
}

/* A generated column would read as NULL, and lose what is written. */
static int
find_column(Relation relation, const char *name)
{
    int number = SPI_fnumber(RelationGetDescr(relation), name);

    if (number <= 0)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN),
                        errmsg("column \"%s\" of relation \"%s\" does not exist", name,
                               RelationGetRelationName(relation))));
    if (TupleDescAttr(RelationGetDescr(relation), number - 1)->attgenerated != '\0')
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("column \"%s\" is a generated column", name),
                        errdetail("It is computed after BEFORE triggers have run.")));
    return number;
}

static void
find_text_column(Relation relation, const char *name, trigger_plan *plan)
{
    int number = find_column(relation, name);
    Form_pg_attribute column = TupleDescAttr(RelationGetDescr(relation), number - 1);
    Oid type = getBaseType(column->atttypid);

    if (type != TEXTOID && type != VARCHAROID && type != BPCHAROID)
        ereport(ERROR,
                (errcode(ERRCODE_DATATYPE_MISMATCH),
                 errmsg("column \"%s\" is of type %s", name, format_type_be(column->atttypid)),
                 errdetail("lmtext.embed_trigger reads text, varchar or char.")));
    plan->text = number;
    plan->text_length = column->attlen;
    plan->text_by_value = column->attbyval;
}

static void
find_vector_column(FunctionCallInfo fcinfo, Relation relation, const char *name, trigger_plan *plan)
{
    int number = find_column(relation, name);
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
                        errmsg("model \"%s\" names no version", model),
                        errdetail("Vectors of two versions cannot be compared, so that a column "
                                  "is kept by one."),
                        errhint("Give a version, as in '%s@1'.", model)));
}

static trigger_plan *
plan_for(FunctionCallInfo fcinfo, TriggerData *data)
{
    trigger_plan *plan = lmtext_arg_space(fcinfo, sizeof(*plan));

    if (!plan->checked) {
        char **args = data->tg_trigger->tgargs;

        check_pinned(args[ARG_MODEL]);
        find_text_column(data->tg_relation, args[ARG_TEXT], plan);
        find_vector_column(fcinfo, data->tg_relation, args[ARG_VECTOR], plan);
        LMTEXT_FAULT_POINT("trigger_planned");
        plan->checked = true;
    }
    return plan;
}

/* An UPDATE that left the text as it was, of a row that has its vector. */
static bool
is_unchanged(const TriggerData *data, const trigger_plan *plan, Datum value, HeapTuple row)
{
    TupleDesc columns = RelationGetDescr(data->tg_relation);
    bool old_null, vector_null;
    Datum old;

    if (!TRIGGER_FIRED_BY_UPDATE(data->tg_event))
        return false;
    heap_getattr(row, plan->vector, columns, &vector_null);
    if (vector_null)
        return false;
    old = heap_getattr(data->tg_trigtuple, plan->text, columns, &old_null);
    return !old_null && datum_image_eq(old, value, plan->text_by_value, plan->text_length);
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

static Datum
lmtext_embed_trigger_call(PG_FUNCTION_ARGS)
{
    TriggerData *data = (TriggerData *)fcinfo->context;
    trigger_plan *plan;
    HeapTuple row;
    TupleDesc columns;
    Datum text, vector = (Datum)0;
    bool is_null;

    check_call(fcinfo);
    plan = plan_for(fcinfo, data);
    row = TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple;
    columns = RelationGetDescr(data->tg_relation);
    text = heap_getattr(row, plan->text, columns, &is_null);
    if (!is_null) {
        if (is_unchanged(data, plan, text, row))
            return PointerGetDatum(row);
        vector = embed_value(fcinfo, data, text);
        LMTEXT_FAULT_POINT("trigger_embedded");
    }
    vector = assigned(fcinfo, plan, vector, is_null);
    row = heap_modify_tuple_by_cols(row, columns, 1, &plan->vector, &vector, &is_null);
    return PointerGetDatum(row);
}
