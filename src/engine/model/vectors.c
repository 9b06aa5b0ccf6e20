/*
 * vectors.c - the section of a static embedding's vectors: its tensors checked, and one row for
 * each token made of them.
 */
#include "model/vectors.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "model/word_weights.h"

#define MAX_ROWS (1 << 24)
#define MAX_WIDTH (1 << 16)

/* Rows between two polls. */
#define ROWS_PER_POLL 4096

/* Where the table begins in the section. */
#define TABLE_OFFSET LM_ALIGNMENT

_Static_assert(sizeof(lm_vectors) <= TABLE_OFFSET, "the section's header has no room");

/* ---- Plan ---- */

/* As sentence-transformers and as model2vec call it. */
#define TABLE "embedding.weight"
#define OTHER_TABLE "embeddings"
/* Of WordEmbeddings. */
#define WORD_TABLE "emb_layer.weight"
/* Of SparseStaticEmbedding, a weight for each token. */
#define WEIGHT_TABLE "weight"

bool
lm_vectors_are_there(const lm_tensors *tensors)
{
    return lm_tensors_find(tensors, TABLE) || lm_tensors_find(tensors, OTHER_TABLE);
}

bool
lm_vectors_are_of_words(const lm_tensors *tensors)
{
    return lm_tensors_find(tensors, WORD_TABLE) != NULL;
}

bool
lm_vectors_are_weights(const lm_tensors *tensors)
{
    return lm_tensors_find(tensors, WEIGHT_TABLE) != NULL;
}

static lm_status
wrong_shape(lm_context *ctx, const lm_tensor *tensor, const char *allowed)
{
    lm_raise(ctx, LM_BAD_MODEL, "a tensor's shape does not fit a static embedding");
    lm_detail_file(ctx, tensor->file);
    lm_detail_key(ctx, "%s", tensor->name);
    lm_detail_found(ctx, "%d dimensions, %llu values", tensor->rank,
                    (unsigned long long)tensor->count);
    return lm_detail_allowed(ctx, "%s", allowed);
}

/* Codes of a quantised model are vectors of another length, and of nearly the same direction. */
static lm_status
check_table(lm_context *ctx, const lm_tensor *table)
{
    if (table->rank != 2 || table->shape[0] < 1 || table->shape[0] > MAX_ROWS ||
        table->shape[1] < 1 || table->shape[1] > MAX_WIDTH)
        return wrong_shape(ctx, table, "(tokens, dimensions), at most 16777216 and 65536");
    return table->dtype == LM_I8 ? LM_OK : lm_tensor_check_dtype(ctx, table);
}

/* One value for each token. */
static lm_status
check_by_token(lm_context *ctx, const lm_tensor *tensor, int32_t rows)
{
    if (!tensor || (tensor->rank == 1 && tensor->shape[0] == (uint64_t)rows))
        return LM_OK;
    return wrong_shape(ctx, tensor, "one value for each token");
}

/* Integers; which vectors there are is checked when they are read. */
static lm_status
check_mapping(lm_context *ctx, const lm_tensor *mapping)
{
    bool integers = !mapping || (mapping->dtype >= LM_I8 && mapping->dtype <= LM_U64);

    if (!integers) {
        lm_raise(ctx, LM_UNSUPPORTED, "a mapping of tokens has no integers");
        lm_detail_file(ctx, mapping->file);
        lm_detail_key(ctx, "%s", mapping->name);
        return lm_detail_allowed(ctx, "an integer dtype");
    }
    if (mapping && (mapping->rank != 1 || mapping->shape[0] < 1 || mapping->shape[0] > MAX_ROWS))
        return wrong_shape(ctx, mapping, "(tokens), at most 16777216");
    return LM_OK;
}

/* A table of one column. */
static lm_status
find_weights(lm_planner *p, const lm_tensor *weight, lm_vectors_plan *plan)
{
    if (weight->rank != 1 || weight->shape[0] > MAX_ROWS)
        return wrong_shape(p->ctx, weight, "(tokens), at most 16777216");
    plan->table = weight;
    plan->shape = (lm_vectors){.rows = (int32_t)weight->shape[0], .width = 1, .sparse = true};
    return lm_tensor_check_dtype(p->ctx, weight);
}

/* Ids are below the rows of the table, and of the weights. */
static lm_status
find_words(lm_planner *p, lm_vectors_plan *plan)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const lm_word_spec *words = &checkpoint->sentence.words;
    size_t rows, weights;

    plan->table = lm_tensors_find(&checkpoint->tensors, WORD_TABLE);
    LM_TRY(check_table(p->ctx, plan->table));
    rows = weights = (size_t)plan->table->shape[0];
    plan->shape = (lm_vectors){.rows = (int32_t)rows,
                               .width = (int32_t)plan->table->shape[1],
                               .weighted = words->weights != NULL};
    if (words->weights)
        LM_TRY(lm_word_weights(p, words->file, words->weights, rows, &weights, &plan->numbers));
    p->plan->vocabulary = (int32_t)(weights < rows ? weights : rows);
    return LM_OK;
}

/* As many dimensions as words. */
static lm_status
find_bag(lm_planner *p, lm_vectors_plan *plan)
{
    const lm_checkpoint *checkpoint = &p->plan->checkpoint;
    const char *file = checkpoint->config_file;
    const lm_json *sum = lm_json_get(checkpoint->config, "cumulative_term_frequency");
    size_t rows;

    LM_TRY(lm_word_weights(p, file, checkpoint->config, 0, &rows, &plan->numbers));
    if (rows > MAX_WIDTH) {
        lm_raise(p->ctx, LM_UNSUPPORTED, "a bag of words has too many dimensions");
        lm_detail_file(p->ctx, file);
        lm_detail_key(p->ctx, "vocab");
        lm_detail_found(p->ctx, "%zu words", rows);
        return lm_detail_allowed(p->ctx, "at most %d", MAX_WIDTH);
    }
    plan->shape = (lm_vectors){
        .rows = (int32_t)rows,
        .width = 1,
        .bag = sum && sum->type == LM_JSON_BOOL && !sum->boolean ? LM_BAG_ONCE : LM_BAG_SUM};
    p->plan->vocabulary = plan->shape.rows;
    return LM_OK;
}

static lm_status
find_tensors(lm_planner *p, lm_vectors_plan *plan)
{
    const lm_tensors *tensors = &p->plan->checkpoint.tensors;

    if (lm_checkpoint_is_bag(&p->plan->checkpoint))
        return find_bag(p, plan);
    if (lm_checkpoint_has_words(&p->plan->checkpoint))
        return find_words(p, plan);

    if (lm_checkpoint_starts_with(&p->plan->checkpoint, "SparseStaticEmbedding"))
        return find_weights(p, lm_tensors_find(tensors, WEIGHT_TABLE), plan);
    plan->table = lm_tensors_find(tensors, TABLE);
    if (!plan->table) {
        plan->table = lm_tensors_find(tensors, OTHER_TABLE);
        plan->mapping = lm_tensors_find(tensors, "mapping");
        plan->weights = lm_tensors_find(tensors, "weights");
    }
    LM_TRY(check_table(p->ctx, plan->table));
    LM_TRY(check_mapping(p->ctx, plan->mapping));
    plan->shape.rows = (int32_t)(plan->mapping ? plan->mapping : plan->table)->shape[0];
    plan->shape.width = (int32_t)plan->table->shape[1];
    if (plan->weights)
        LM_TRY(lm_tensor_check_dtype(p->ctx, plan->weights));
    return check_by_token(p->ctx, plan->weights, plan->shape.rows);
}

/* Bytes of a row in the section: its vector, and its weight. */
static size_t
row_bytes(const lm_vectors *shape)
{
    return ((size_t)shape->width + shape->weighted) * sizeof(float);
}

static lm_status
plan_vectors(lm_planner *p, lm_planned_section *section)
{
    lm_vectors_plan *plan = lm_arena_zero(p->arena, sizeof *plan);
    size_t bytes;

    if (!plan)
        return LM_NO_MEMORY;
    LM_TRY(find_tensors(p, plan));
    if (lm_mul_overflows((size_t)plan->shape.rows, row_bytes(&plan->shape), &bytes) ||
        lm_add_overflows(bytes, TABLE_OFFSET + LM_ALIGNMENT, &bytes))
        return lm_raise(p->ctx, LM_TOO_LARGE, "the model is too large");
    if (p->plan->vocabulary == 0)
        p->plan->vocabulary = plan->shape.rows;
    *section = (lm_planned_section){plan, lm_align_up(bytes - LM_ALIGNMENT)};
    return LM_OK;
}

/* ---- Fill ---- */

/* What is read beside the table. */
typedef struct extras {
    float *stored;  /* of a mapped model: its table as the file has it */
    float *mapping; /* exact: there are fewer than 2²⁴ vectors */
    float *weights;
} extras;

/* One tensor into memory of its own; none, where there is no such tensor. */
static lm_status
take_memory(lm_context *ctx, const lm_tensor *tensor, float **values)
{
    if (!tensor)
        return LM_OK;
    *values = lm_alloc_array(ctx, (size_t)tensor->count, sizeof **values);
    return *values ? LM_OK : LM_NO_MEMORY;
}

/* In the order of the file, front to back. */
static lm_status
read_tensors(lm_context *ctx, const lm_vectors_plan *plan, const lm_source *source,
             float *const values[3])
{
    const lm_tensor *const tensors[] = {plan->table, plan->mapping, plan->weights};
    int64_t last = -1;

    for (int n = 0; n < 3; n++) {
        int next = -1;

        for (int i = 0; i < 3; i++)
            if (tensors[i] && (int64_t)tensors[i]->order > last &&
                (next < 0 || tensors[i]->order < tensors[next]->order))
                next = i;
        if (next < 0)
            return LM_OK;
        LM_TRY(lm_tensor_read(ctx, source, tensors[next], values[next]));
        last = tensors[next]->order;
    }
    return LM_OK;
}

static lm_status
wrong_mapping(lm_context *ctx, const lm_tensor *mapping, size_t token, float row, uint64_t rows)
{
    lm_raise(ctx, LM_BAD_MODEL, "a token is mapped to a vector that is not there");
    lm_detail_file(ctx, mapping->file);
    lm_detail_key(ctx, "%s[%zu]", mapping->name, token);
    lm_detail_found(ctx, "%.0f", row);
    return lm_detail_allowed(ctx, "0 to %llu", (unsigned long long)rows - 1);
}

/* Each token's own row: the vector that it has, times its weight. */
static lm_status
fold(lm_context *ctx, const lm_vectors_plan *plan, const extras *more, float *table)
{
    const size_t width = (size_t)plan->shape.width;

    for (size_t i = 0; i < (size_t)plan->shape.rows; i++) {
        float *row = table + i * width, at = more->mapping ? more->mapping[i] : 0;

        if (i % ROWS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        if (more->mapping && (at < 0 || at >= (float)plan->table->shape[0]))
            return wrong_mapping(ctx, plan->mapping, i, at, plan->table->shape[0]);
        if (more->mapping)
            memcpy(row, more->stored + (size_t)at * width, width * sizeof *row);
        for (size_t j = 0; more->weights && j < width; j++)
            row[j] *= more->weights[i];
    }
    return LM_OK;
}

/* The table, of files that may have its parts. */
static lm_status
read_table(lm_context *ctx, const lm_vectors_plan *plan, const lm_source *source, float *table)
{
    extras more = {.stored = NULL};
    lm_status status = take_memory(ctx, plan->mapping ? plan->table : NULL, &more.stored);

    if (status == LM_OK)
        status = take_memory(ctx, plan->mapping, &more.mapping);
    if (status == LM_OK)
        status = take_memory(ctx, plan->weights, &more.weights);
    if (status == LM_OK)
        status = read_tensors(
            ctx, plan, source,
            (float *const[]){more.stored ? more.stored : table, more.mapping, more.weights});
    if (status == LM_OK && (more.mapping || more.weights))
        status = fold(ctx, plan, &more, table);
    lm_free(ctx, more.stored);
    lm_free(ctx, more.mapping);
    lm_free(ctx, more.weights);
    return status;
}

/* Header, table, and behind it the weights of words. */
static lm_status
fill_vectors(lm_context *ctx, const lm_model_plan *whole, const lm_planned_section *section,
             void *bytes)
{
    const lm_vectors_plan *plan = section->state;
    const size_t rows = (size_t)plan->shape.rows;
    float *table = (float *)(void *)((char *)bytes + TABLE_OFFSET);

    memset(bytes, 0, TABLE_OFFSET);
    memcpy(bytes, &plan->shape, sizeof plan->shape);
    if (plan->numbers)
        memcpy(plan->table ? table + rows * (size_t)plan->shape.width : table, plan->numbers,
               rows * sizeof *table);
    return plan->table ? read_table(ctx, plan, &whole->source, table) : LM_OK;
}

/* ---- Bind ---- */

static lm_status
bind_vectors(lm_context *ctx, const void *bytes, size_t size, lm_model *model)
{
    lm_vectors head, *view;

    if (size < TABLE_OFFSET)
        return lm_raise(ctx, LM_INTERNAL, "the vectors in the image are truncated");
    memcpy(&head, bytes, sizeof head);
    if (head.rows < 1 || head.rows > MAX_ROWS || head.width < 1 || head.width > MAX_WIDTH ||
        head.token_chars < 0 || head.bag > LM_BAG_ONCE ||
        (size - TABLE_OFFSET) / row_bytes(&head) < (size_t)head.rows)
        return lm_raise(ctx, LM_INTERNAL, "the vectors of the image are not valid");
    view = lm_alloc(ctx, sizeof *view);
    if (!view)
        return LM_NO_MEMORY;
    *view = head;
    view->table = (const float *)(const void *)((const char *)bytes + TABLE_OFFSET);
    if (head.weighted)
        view->weights = view->table + (size_t)head.rows * (size_t)head.width;
    model->views[LM_SECTION_VECTORS] = view;
    return LM_OK;
}

static void
unbind_vectors(lm_context *ctx, lm_model *model)
{
    lm_free(ctx, (void *)(uintptr_t)model->views[LM_SECTION_VECTORS]);
}

const lm_section_kind lm_section_vectors = {
    .name = "vectors",
    .id = LM_SECTION_VECTORS,
    .layout = 3,
    .plan = plan_vectors,
    .fill = fill_vectors,
    .bind = bind_vectors,
    .unbind = unbind_vectors,
};
