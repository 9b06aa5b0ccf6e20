/*
 * fill_mask.c - lmtext.fill_mask: words for the masks of a text, or of each text of an array.
 */
#include "postgres.h"

#include <limits.h>

#include "task/fill_mask.h"
#include "pg/fn/lists.h"
#include "pg/service/tasks.h"

LMTEXT_ENTRY(lmtext_fill_mask, .name = "fill_mask", .task = "fill_mask", .texts = 1);
LMTEXT_ENTRY(lmtext_fill_mask_array, .name = "fill_mask", .task = "fill_mask", .texts = 1);

/* How many tokens a mask gets where the call does not say. */
#define DEFAULT_K 5

/* What is kept of a text: fills, as many as the list counts, and then the ids of its tokens. */
typedef struct kept_fills {
    size_t masks, tokens;
    lm_fill items[FLEXIBLE_ARRAY_MEMBER];
} kept_fills;

static lm_status
keep_fills(void *opaque, size_t text, const lm_fills *fills)
{
    const size_t items = fills->count * sizeof(lm_fill), ids = fills->tokens * sizeof(int32_t);
    lmtext_list *list = lmtext_list_new(offsetof(kept_fills, items) + items + ids);
    kept_fills *kept;

    if (list == NULL)
        return LM_NO_MEMORY;
    list->count = fills->count;
    kept = (kept_fills *)list->items;
    kept->masks = fills->masks;
    kept->tokens = fills->tokens;
    memcpy(kept->items, fills->items, items);
    memcpy(kept->items + fills->count, fills->ids, ids);
    ((lmtext_list **)opaque)[text] = list;
    return LM_OK;
}

static lm_status
run_fill_mask(lmtext_model *model, const lm_text *texts, size_t count,
              const lm_embed_options *options, void *results, lm_embed_counts *counts)
{
    return lm_fill_mask(&model->call.ctx, model->session, &model->model, texts, count, options,
                        keep_fills, results, counts);
}

static size_t
result_size(const lmtext_inference *inference)
{
    lmtext_task_check(inference->model, "fill_mask");
    return sizeof(lmtext_list *);
}

static const lmtext_infer_kind masks_of_texts = {.run = run_fill_mask,
                                                 .size = result_size,
                                                 .length = lmtext_list_length,
                                                 .kept_as = "fill_mask"};

/* fill_mask(text, model, k) */
static void
begin(FunctionCallInfo fcinfo, lmtext_inference *inference)
{
    lmtext_model *model = lmtext_arg_model(fcinfo);

    lmtext_embed_defaults(&inference->options, LM_LONG_ERROR);
    inference->options.choice = lmtext_arg_int(fcinfo, 2, "k", DEFAULT_K, 1, INT_MAX);
    lmtext_infer_init(inference, &masks_of_texts, model);
}

/* Of the buffer, which is empty then. */
static struct varlena *
take_text(lm_buffer *buffer)
{
    struct varlena *text = lmtext_text_from_utf8(buffer->data, buffer->size);

    buffer->size = 0;
    return text;
}

/* Memory of its own, so that text that cannot be converted leaves nothing behind. */
static void
put_fills(const lmtext_row_sink *sink, lm_text text, const lmtext_list *list)
{
    const lmtext_model *model = sink->inference->model;
    const kept_fills *kept = (const kept_fills *)list->items;
    const lm_fills fills = {kept->items, list->count, kept->masks,
                            (const int32_t *)(kept->items + list->count), kept->tokens};
    lmtext_call own;
    lm_buffer word, sequence;

    lmtext_call_init(&own, CurrentMemoryContext);
    lm_buffer_init(&word, &own.ctx);
    lm_buffer_init(&sequence, &own.ctx);
    for (size_t i = 0; i < fills.count; i++) {
        const lm_fill *fill = &fills.items[i];
        Datum values[] = {Int32GetDatum(fill->mask + 1), 0, Float4GetDatum(fill->score), 0};

        lmtext_check(&own, lm_fill_word(&own.ctx, &model->model, fill->token, &word), model->name);
        lmtext_check(&own, lm_fill_sequence(&own.ctx, &model->model, &fills, fill, &sequence),
                     model->name);
        values[1] = PointerGetDatum(take_text(&word));
        values[3] = PointerGetDatum(take_text(&sequence));
        lmtext_list_put(sink, values, lengthof(values));
        pfree(DatumGetPointer(values[1]));
        pfree(DatumGetPointer(values[3]));
    }
    lm_buffer_free(&word);
    lm_buffer_free(&sequence);
}

static Datum
lmtext_fill_mask_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_text(fcinfo, begin, put_fills);
}

static Datum
lmtext_fill_mask_array_call(PG_FUNCTION_ARGS)
{
    return lmtext_list_of_array(fcinfo, begin, put_fills, LMTEXT_LIST_BLOCK);
}
