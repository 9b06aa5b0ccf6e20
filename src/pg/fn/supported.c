/*
 * supported.c - SQL entries that list what the library has: families, kinds of tokenizers, tasks.
 * Rows come straight from the tables that run, so that none can be forgotten here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "family/family.h"
#include "task/tasks.h"
#include "token/kinds.h"
#include "pg/service/entry.h"
#include "pg/service/tasks.h"

PG_FUNCTION_INFO_V1(lmtext_family_list);
PG_FUNCTION_INFO_V1(lmtext_tokenizer_list);
PG_FUNCTION_INFO_V1(lmtext_task_list);

/* text[] of strings that end with NULL. */
static Datum
text_array(const char *const *strings)
{
    Datum *texts;
    int count = 0;

    while (strings[count] != NULL)
        count++;
    texts = palloc(Max(count, 1) * sizeof(Datum));
    for (int i = 0; i < count; i++)
        texts[i] = CStringGetTextDatum(strings[i]);
    return PointerGetDatum(construct_array(texts, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* A row without nulls. */
static void
put_row(ReturnSetInfo *result, Datum *values)
{
    bool nulls[8] = {false};

    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
lmtext_family_list(PG_FUNCTION_ARGS)
{
    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; lm_families[i] != NULL; i++) {
        const lm_family *family = lm_families[i];
        const char *tasks[LM_TASK_COUNT + 1] = {NULL};
        int count = 0;

        for (int t = 0; t < LM_TASK_COUNT; t++)
            if (lm_task_of_family(&lm_tasks[t], family))
                tasks[count++] = lm_tasks[t].name;
        put_row((ReturnSetInfo *)fcinfo->resultinfo,
                (Datum[]){CStringGetTextDatum(family->name), text_array(family->model_types),
                          text_array(tasks)});
    }
    PG_RETURN_VOID();
}

static void
put_kind(void *opaque, const char *stage, const char *name)
{
    put_row(opaque, (Datum[]){CStringGetTextDatum(stage), CStringGetTextDatum(name)});
}

Datum
lmtext_tokenizer_list(PG_FUNCTION_ARGS)
{
    InitMaterializedSRF(fcinfo, 0);
    lm_token_kinds(put_kind, fcinfo->resultinfo);
    PG_RETURN_VOID();
}

Datum
lmtext_task_list(PG_FUNCTION_ARGS)
{
    InitMaterializedSRF(fcinfo, 0);
    for (int i = 0; i < LM_TASK_COUNT; i++) {
        const lm_task *task = &lm_tasks[i];

        put_row((ReturnSetInfo *)fcinfo->resultinfo,
                (Datum[]){CStringGetTextDatum(task->name), CStringGetTextDatum(task->does),
                          text_array(lmtext_entry_names(task->name)),
                          CStringGetTextDatum(lmtext_task_setting_name(task)),
                          BoolGetDatum(task->labelled)});
    }
    PG_RETURN_VOID();
}
