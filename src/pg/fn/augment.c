/*
 * augment.c - lmtext.augment: variants of a text, to train with (features/augment.h).
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "features/augment.h"
#include "pg/fn/args.h"
#include "pg/fn/query.h"
#include "pg/glue/options.h"

#define FUNCTION "lmtext.augment"

PG_FUNCTION_INFO_V1(lmtext_augment);

typedef struct augment_options {
    double share; /* of words that an operation changes, one at least */
    char *synonyms, *with;
} augment_options;

static const lm_option option_table[] = {
    LM_OPTION(augment_options, share, FLOAT, 0, 1, "a number from 0 to 1"),
    LM_OPTION(augment_options, synonyms, TEXT, 0, 0, "a query of word and synonym"),
    LM_OPTION(augment_options, with, TEXT, 0, 0, "a text"),
};

typedef struct augmenter {
    augment_options options;
    lmtext_call call;
    lm_augmenter engine;
    size_t other_count; /* words of the text that is mixed in */
    lm_synonym *synonyms;
    int synonym_count;
} augmenter;

/* ---- Arguments ---- */

static const lm_augment_op *
find_op(const char *name)
{
    const lm_augment_op *op = lm_augment_op_find(name);

    if (op != NULL)
        return op;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unknown operation of %s: \"%s\"", FUNCTION, lmtext_clip(name)),
                    errhint("Available operations: swap, delete, insert, synonyms, keyboard, "
                            "crop, mix.")));
}

static const lm_augment_op **
read_ops(const augmenter *a, ArrayType *array, int *count)
{
    const lm_augment_op **list;
    lm_text *names;
    bool *nulls;

    lmtext_texts_from_array(array, &names, &nulls, count);
    list = palloc((*count + 1) * sizeof *list);
    for (int i = 0; i < *count; i++) {
        if (nulls[i])
            ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                            errmsg("operation %d of %s is null", i + 1, FUNCTION)));
        list[i] = find_op(lmtext_cstring_from_utf8(names[i].bytes, names[i].length));
        if ((list[i]->needs_synonyms && a->options.synonyms == NULL) ||
            (list[i]->needs_other && a->other_count == 0))
            ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                            errmsg("the operation \"%s\" needs the option \"%s\"", list[i]->name,
                                   list[i]->needs_other ? "with" : "synonyms")));
    }
    return list;
}

static lm_text
keep_text(const char *text)
{
    const lm_text utf8 = lmtext_utf8_from_bytes(text, strlen(text));

    return (lm_text){pnstrdup(utf8.bytes, utf8.length), utf8.length};
}

static void
read_synonyms(augmenter *a, const char *query)
{
    static const lmtext_column columns[] = {{"word", LMTEXT_COLUMN_TEXT},
                                            {"synonym", LMTEXT_COLUMN_TEXT}};
    enum { BATCH = 256 };
    lmtext_query_row *rows = palloc(BATCH * sizeof *rows);
    lmtext_query reader;
    int count;

    lmtext_query_open(&reader, FUNCTION, query, columns, lengthof(columns));
    while ((count = lmtext_query_fetch(&reader, BATCH, rows)) > 0) {
        CHECK_FOR_INTERRUPTS();
        a->synonyms = a->synonyms == NULL
                          ? palloc(count * sizeof(lm_synonym))
                          : repalloc_huge(a->synonyms,
                                          mul_size(a->synonym_count + count, sizeof(lm_synonym)));
        for (int i = 0; i < count; i++)
            if (rows[i].fields[0].text != NULL && rows[i].fields[1].text != NULL)
                a->synonyms[a->synonym_count++] = (lm_synonym){keep_text(rows[i].fields[0].text),
                                                               keep_text(rows[i].fields[1].text)};
    }
    lmtext_query_close(&reader);
}

/* ---- Variants ---- */

static void
put_variant(FunctionCallInfo fcinfo, augmenter *a, lm_text source, const lm_augment_op **list,
            int count, uint64 seed, uint64 number)
{
    ReturnSetInfo *result = (ReturnSetInfo *)fcinfo->resultinfo;
    lm_buffer made;
    Datum values[1];
    bool nulls[1] = {false};

    lm_buffer_init(&made, &a->call.ctx);
    lmtext_check(&a->call, lm_augment_run(&a->engine, source, list, count, seed, number, &made),
                 NULL);
    values[0] = PointerGetDatum(lmtext_text_from_utf8(made.size > 0 ? made.data : "", made.size));
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    lm_buffer_free(&made);
}

static void
put_variants(FunctionCallInfo fcinfo, augmenter *a, int n, uint64 seed)
{
    const lm_text source = lmtext_utf8_from_text(PG_GETARG_TEXT_PP(0));
    MemoryContext outer = CurrentMemoryContext;
    MemoryContext memory = AllocSetContextCreate(outer, "lmtext variant", ALLOCSET_DEFAULT_SIZES);
    int count;
    const lm_augment_op **list;

    lmtext_call_init(&a->call, outer);
    lm_augment_open(&a->engine, &a->call.ctx, a->options.share);
    if (a->options.with != NULL)
        lmtext_check(&a->call,
                     lm_augment_other(&a->engine, keep_text(a->options.with), &a->other_count),
                     NULL);
    list = read_ops(a, PG_GETARG_ARRAYTYPE_P(1), &count);
    if (a->options.synonyms != NULL)
        read_synonyms(a, a->options.synonyms);
    a->engine.synonyms = a->synonyms;
    a->engine.synonym_count = (size_t)a->synonym_count;
    MemoryContextSwitchTo(memory);
    for (int i = 0; i < n; i++) {
        put_variant(fcinfo, a, source, list, count, seed, (uint64)i);
        MemoryContextReset(memory);
    }
    MemoryContextSwitchTo(outer);
    lm_augment_close(&a->engine);
}

/* augment(text, ops, n, seed, options) */
Datum
lmtext_augment(PG_FUNCTION_ARGS)
{
    augmenter a = {.options = {.share = 0.1}};
    const int n = lmtext_arg_int(fcinfo, 2, "n", 1, 0, 1000000);

    InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
    for (int i = 0; i < PG_NARGS(); i++)
        if (PG_ARGISNULL(i))
            return (Datum)0;
    lmtext_options_read(PG_GETARG_JSONB_P(4),
                        &(lmtext_option_set){option_table, lengthof(option_table), &a.options}, 1);
    SPI_connect();
    put_variants(fcinfo, &a, n, (uint64)PG_GETARG_INT64(3));
    SPI_finish();
    return (Datum)0;
}
