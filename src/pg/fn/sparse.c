/*
 * sparse.c - lmtext.sparse, sparse_vector and sparse_similarity: learned sparse vectors of texts,
 * as jsonb, in the form that pgvector's sparsevec reads, and the product of two.
 *
 * What is remembered of a text is its list of words with a weight, whatever it is shown as.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "task/sparse.h"
#include "pg/fn/lists.h"

LMTEXT_ENTRY(lmtext_sparse, .name = "sparse", .task = "sparse", .texts = 1);
LMTEXT_ENTRY(lmtext_sparse_array, .name = "sparse", .task = "sparse", .texts = 1);
LMTEXT_ENTRY(lmtext_sparse_vector, .name = "sparse_vector", .task = "sparse", .texts = 1);
LMTEXT_ENTRY(lmtext_sparse_vector_array, .name = "sparse_vector", .task = "sparse", .texts = 1);
LMTEXT_ENTRY(lmtext_sparse_similarity, .name = "sparse_similarity", .task = "sparse", .texts = 2);
LMTEXT_ENTRY(lmtext_sparse_similarity_array, .name = "sparse_similarity", .task = "sparse",
             .texts = 2);

/* ---- How texts are computed ---- */

static lm_status
keep_items(void *opaque, size_t text, const lm_sparse_item *items, size_t count)
{
    return lmtext_list_keep(items, count, sizeof *items, (lmtext_list **)opaque + text);
}

static lm_status
run_sparse(lmtext_model *model, const lm_text *texts, size_t count, const lm_embed_options *options,
           void *results, lm_embed_counts *counts)
{
    return lm_sparse(&model->call.ctx, model->session, &model->model, texts, count, options,
                     keep_items, results, counts);
}

static size_t
result_size(const lmtext_inference *inference)
{
    return sizeof(lmtext_list *);
}

static const lmtext_infer_kind sparse_vectors = {.run = run_sparse,
                                                 .size = result_size,
                                                 .may_be_null = true,
                                                 .length = lmtext_list_length,
                                                 .kept_as = "sparse"};

/* Argument 3 of all forms is on_long. */
static void
begin(FunctionCallInfo fcinfo, lmtext_model *model, lm_side side, lmtext_inference *inference)
{
    lmtext_embed_defaults(&inference->options, lmtext_arg_on_long(fcinfo, 3));
    inference->options.side = side;
    lmtext_infer_init(inference, &sparse_vectors, model);
}

/* ---- How vectors are shown ---- */

/* What a text's vector becomes; what it takes on the way is the caller's memory. */
typedef Datum (*value_maker)(const lm_model *model, const lmtext_list *list);

static const lm_sparse_item *
items_of(const lmtext_list *list)
{
    return (const lm_sparse_item *)list->items;
}

/* The shortest digits that give the same number again. */
static Numeric
numeric_of(float weight)
{
    char digits[FLOAT_SHORTEST_DECIMAL_LEN];

    float_to_shortest_decimal_buf(weight, digits);
    return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(digits),
                                               ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* A row of the model that is no token of the tokenizer has no name, and stays out. */
static void
push_item(JsonbParseState **state, const lm_model *model, const lm_sparse_item *item)
{
    JsonbValue key = {.type = jbvString}, weight = {.type = jbvNumeric};
    size_t length;
    const char *token = lm_token_text(lm_model_tokenizer(model), item->token, &length);

    CHECK_FOR_INTERRUPTS();
    if (token == NULL)
        return;
    key.val.string.val = lmtext_cstring_from_utf8(token, length);
    key.val.string.len = strlen(key.val.string.val);
    weight.val.numeric = numeric_of(item->weight);
    pushJsonbValue(state, WJB_KEY, &key);
    pushJsonbValue(state, WJB_VALUE, &weight);
}

static Datum
object_of(const lm_model *model, const lmtext_list *list)
{
    JsonbParseState *state = NULL;

    pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
    for (size_t i = 0; i < list->count; i++)
        push_item(&state, model, &items_of(list)[i]);
    return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* "{index:weight,…}/dimensions", indices from 1. */
static Datum
sparsevec_of(const lm_model *model, const lmtext_list *list)
{
    const lm_sparse_item *items = items_of(list);
    char digits[FLOAT_SHORTEST_DECIMAL_LEN];
    StringInfoData text;

    initStringInfo(&text);
    appendStringInfoChar(&text, '{');
    for (size_t i = 0; i < list->count; i++) {
        CHECK_FOR_INTERRUPTS();
        float_to_shortest_decimal_buf(items[i].weight, digits);
        appendStringInfo(&text, "%s%d:%s", i > 0 ? "," : "", items[i].token + 1, digits);
    }
    appendStringInfo(&text, "}/%d", lm_sparse_words(model));
    return PointerGetDatum(cstring_to_text_with_len(text.data, text.len));
}

/* ---- One text, and an array ---- */

/* f(text, model, role, on_long) */
static Datum
value_of_text(FunctionCallInfo fcinfo, value_maker make)
{
    lmtext_inference inference;
    const lmtext_list *list;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    begin(fcinfo, lmtext_arg_model(fcinfo), lmtext_arg_side(fcinfo, 2), &inference);
    list = lmtext_arg_result(fcinfo, 0, &inference);
    if (list == NULL)
        PG_RETURN_NULL();
    return make(&inference.model->model, list);
}

/* Gets the list of one text of an array; NULL where the text is. */
typedef void (*list_sink)(void *opaque, int element, const lmtext_list *list);

/* Some texts of an array, computed as one. */
static void
compute_block(const lmtext_inference *inference, const lm_text *texts, const bool *nulls, int first,
              int stop, list_sink sink, void *opaque)
{
    lm_text present[LMTEXT_LIST_BLOCK] = {{NULL, 0}};
    lmtext_list *lists[LMTEXT_LIST_BLOCK];
    int count = 0;

    for (int i = first; i < stop; i++)
        if (!nulls[i])
            present[count++] = texts[i];
    lmtext_infer(inference, present, count, lists);
    count = 0;
    for (int i = first; i < stop; i++) {
        sink(opaque, i, nulls[i] ? NULL : lists[count]);
        if (!nulls[i])
            pfree(lists[count++]);
    }
}

/* Elements of the result, which are of a length of their own where `make` is given. */
typedef struct element_list {
    const lmtext_inference *inference;
    value_maker make;         /* NULL: products with `query` */
    const lmtext_list *query; /* NULL: it has no token */
    MemoryContext own;        /* what a value takes on the way */
    Datum *values;
    bool *nulls;
} element_list;

static void
keep_value(void *opaque, int element, const lmtext_list *list)
{
    element_list *kept = opaque;
    MemoryContext caller;
    Datum value;

    kept->nulls[element] = list == NULL;
    if (list == NULL)
        return;
    caller = MemoryContextSwitchTo(kept->own);
    value = kept->make(&kept->inference->model->model, list);
    MemoryContextSwitchTo(caller);
    kept->values[element] = datumCopy(value, false, -1);
    MemoryContextReset(kept->own);
}

static void
keep_product(void *opaque, int element, const lmtext_list *list)
{
    element_list *kept = opaque;

    kept->nulls[element] = list == NULL || kept->query == NULL;
    if (!kept->nulls[element])
        kept->values[element] = Float8GetDatum(
            lm_sparse_dot(items_of(kept->query), kept->query->count, items_of(list), list->count));
}

/* One value for each text; a null keeps its place. */
static int
compute_elements(ArrayType *array, list_sink sink, element_list *kept)
{
    lm_text *texts;
    bool *nulls;
    int count;

    lmtext_texts_from_array(array, &texts, &nulls, &count);
    kept->values = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(Datum));
    kept->nulls = MemoryContextAllocHuge(CurrentMemoryContext, (Size)count * sizeof(bool));
    for (int first = 0; first < count; first += LMTEXT_LIST_BLOCK)
        compute_block(kept->inference, texts, nulls, first, Min(count, first + LMTEXT_LIST_BLOCK),
                      sink, kept);
    return count;
}

/* f(texts, model, role, on_long) */
static Datum
values_of_array(FunctionCallInfo fcinfo, Oid type, value_maker make)
{
    lmtext_inference inference;
    element_list kept = {.inference = &inference, .make = make};
    int count, lower = 1;

    if (PG_ARGISNULL(0))
        PG_RETURN_NULL();
    begin(fcinfo, lmtext_arg_model(fcinfo), lmtext_arg_side(fcinfo, 2), &inference);
    kept.own =
        AllocSetContextCreate(CurrentMemoryContext, "lmtext sparse vector", ALLOCSET_DEFAULT_SIZES);
    count = compute_elements(PG_GETARG_ARRAYTYPE_P(0), keep_value, &kept);
    MemoryContextDelete(kept.own);
    if (count == 0)
        PG_RETURN_ARRAYTYPE_P(construct_empty_array(type));
    PG_RETURN_ARRAYTYPE_P(construct_md_array(kept.values, kept.nulls, 1, &count, &lower, type, -1,
                                             false, TYPALIGN_INT));
}

static Datum
lmtext_sparse_call(PG_FUNCTION_ARGS)
{
    return value_of_text(fcinfo, object_of);
}

static Datum
lmtext_sparse_array_call(PG_FUNCTION_ARGS)
{
    return values_of_array(fcinfo, JSONBOID, object_of);
}

static Datum
lmtext_sparse_vector_call(PG_FUNCTION_ARGS)
{
    return value_of_text(fcinfo, sparsevec_of);
}

static Datum
lmtext_sparse_vector_array_call(PG_FUNCTION_ARGS)
{
    return values_of_array(fcinfo, TEXTOID, sparsevec_of);
}

/* ---- A query and documents ---- */

/* sparse_similarity(query, document, model, on_long) */
static Datum
lmtext_sparse_similarity_call(PG_FUNCTION_ARGS)
{
    lmtext_inference queries, documents;
    const lmtext_list *query, *document;
    lmtext_model *model;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    begin(fcinfo, model, LM_SIDE_QUERY, &queries);
    begin(fcinfo, model, LM_SIDE_DOCUMENT, &documents);
    query = lmtext_arg_result(fcinfo, 0, &queries);
    document = lmtext_arg_result(fcinfo, 1, &documents);
    if (query == NULL || document == NULL)
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(
        lm_sparse_dot(items_of(query), query->count, items_of(document), document->count));
}

/* sparse_similarity(query, documents, model, on_long) */
static Datum
lmtext_sparse_similarity_array_call(PG_FUNCTION_ARGS)
{
    lmtext_inference queries, documents;
    element_list kept = {.inference = &documents};
    lmtext_model *model;
    int count, lower = 1;

    if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
        PG_RETURN_NULL();
    model = lmtext_arg_model(fcinfo);
    begin(fcinfo, model, LM_SIDE_QUERY, &queries);
    begin(fcinfo, model, LM_SIDE_DOCUMENT, &documents);
    kept.query = lmtext_arg_result(fcinfo, 0, &queries);
    count = compute_elements(PG_GETARG_ARRAYTYPE_P(1), keep_product, &kept);
    if (count == 0)
        PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT8OID));
    PG_RETURN_ARRAYTYPE_P(construct_md_array(kept.values, kept.nulls, 1, &count, &lower, FLOAT8OID,
                                             sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
