/*
 * fill_mask.c - a head on the vocabulary over the hidden states of mask tokens, and of no others:
 * the product with the word table is the most expensive one of all.
 */
#include "task/fill_mask.h"

#include <math.h>
#include <string.h>

#include "kernels/bf16.h"
#include "task/batch.h"
#include "task/score.h"

/* Rows of the word table between two polls: some hundred microseconds. */
#define ROWS_PER_POLL 1024

/* One call. */
typedef struct fill_run {
    lm_batcher batcher;
    const lm_head *head;
    int k;
    lm_buffer fills; /* of the text under way; its last ones are a heap while a mask is read */
    lm_fill_sink sink;
    void *opaque;
    float *golden; /* (texts, LM_FILL_GOLDEN) */
} fill_run;

/* ---- Outputs ---- */

/* Room in the session's vectors: what lies between two layers, a row of the table, the outputs. */
static float *
row_room(const fill_run *run)
{
    return run->batcher.session->vectors + run->head->inner;
}

static float *
outputs(const fill_run *run)
{
    return row_room(run) + run->head->inner;
}

/* A row of the word table as floats. */
static const float *
table_row(const fill_run *run, size_t row)
{
    const size_t width = (size_t)run->head->inner;
    float *room = row_room(run);

    if (!lm_tables_are_bf16(run->batcher.model->info.precision))
        return (const float *)run->head->table + row * width;
    for (size_t i = 0; i < width; i++)
        room[i] = lm_bf16_to(((const uint16_t *)run->head->table)[row * width + i]);
    return room;
}

/* One output for each word, of a token's hidden state. */
static lm_status
compute_outputs(const fill_run *run, const float *x)
{
    const lm_kernels *kernels = run->batcher.model->kernels;
    const lm_head *head = run->head;
    float *out = outputs(run);

    x = lm_head_transform(kernels, head, x, run->batcher.session->vectors);
    for (size_t i = 0; i < (size_t)head->words; i++) {
        if (i % ROWS_PER_POLL == 0)
            LM_TRY(lm_poll(run->batcher.ctx));
        out[i] = kernels->dot_f32((size_t)head->inner, table_row(run, i), x) +
                 (head->bias ? head->bias[i] : 0);
    }
    return LM_OK;
}

/* ---- The most probable ---- */

/* Whether a is to stand behind b; of equals the one with the greater id. */
static bool
is_behind(const lm_fill *a, const lm_fill *b)
{
    return a->score < b->score || (a->score == b->score && a->token > b->token);
}

/* Move the root of a heap, whose root is behind all others, down to its place. */
static void
sift_down(lm_fill *heap, size_t count)
{
    const lm_fill moving = heap[0];
    size_t at = 0;

    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_behind(&heap[child + 1], &heap[child]))
            child++;
        if (!is_behind(&heap[child], &moving))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

/* Move the last of a heap up to its place. */
static void
sift_up(lm_fill *heap, size_t count)
{
    const lm_fill moving = heap[count - 1];
    size_t at = count - 1;

    for (; at > 0 && is_behind(&moving, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = moving;
}

/* From a heap to the most probable first. */
static void
sort_heap(lm_fill *heap, size_t count)
{
    for (; count > 1; count--) {
        const lm_fill last = heap[0];

        heap[0] = heap[count - 1];
        sift_down(heap, count - 1);
        heap[count - 1] = last;
    }
}

/* Appends the k best of the outputs, which are probabilities by then, behind `first`. */
static lm_status
select_best(fill_run *run, lm_fill shape)
{
    const size_t first = run->fills.size;
    const float *scores = outputs(run);
    size_t count = 0;

    for (int i = 0; i < run->head->words; i++) {
        lm_fill *heap = (lm_fill *)(void *)(run->fills.data + first);

        if (i % (16 * ROWS_PER_POLL) == 0)
            LM_TRY(lm_poll(run->batcher.ctx));
        shape.token = i;
        shape.score = scores[i];
        if (count < (size_t)run->k) {
            LM_TRY(lm_buffer_append(&run->fills, &shape, sizeof shape));
            sift_up((lm_fill *)(void *)(run->fills.data + first), ++count);
        } else if (is_behind(&heap[0], &shape)) {
            heap[0] = shape;
            sift_down(heap, count);
        }
    }
    sort_heap((lm_fill *)(void *)(run->fills.data + first), count);
    return LM_OK;
}

static lm_status
fill_mask(fill_run *run, int32_t mask, size_t position, const float *x)
{
    float *scores = outputs(run);

    LM_TRY(compute_outputs(run, x));
    run->batcher.model->kernels->softmax_f32((size_t)run->head->words, scores);
    if (!isfinite(scores[0]))
        return lm_raise(run->batcher.ctx, LM_BAD_MODEL,
                        "the model computed a score that is not finite");
    return select_best(run, (lm_fill){.mask = mask, .position = (int32_t)position});
}

/* ---- Texts ---- */

static lm_status
no_mask(const fill_run *run)
{
    const lm_model *model = run->batcher.model;
    size_t length;
    const char *mask = lm_token_text(lm_model_tokenizer(model), model->info.mask_token, &length);

    lm_raise(run->batcher.ctx, LM_BAD_ARGUMENT, "the text has no mask to fill");
    return lm_detail_hint(run->batcher.ctx, "Write %.*s where a word is asked for.", (int)length,
                          mask);
}

static lm_status
take_window(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    fill_run *run = opaque;
    const int32_t *ids = run->batcher.session->ids + window->token;
    lm_fills fills = {.ids = ids, .tokens = tokens};

    run->fills.size = 0;
    for (size_t i = 0; i < tokens; i++)
        if (ids[i] == run->batcher.model->info.mask_token)
            LM_TRY(fill_mask(run, (int32_t)fills.masks++, i, x + i * (size_t)run->head->width));
    if (fills.masks == 0)
        return no_mask(run);
    fills.items = (const lm_fill *)(void *)run->fills.data;
    fills.count = run->fills.size / sizeof(lm_fill);
    return run->sink(run->opaque, window->text, &fills);
}

static lm_status
start_run(fill_run *run, const lm_model *model)
{
    lm_batcher *b = &run->batcher;

    run->head = lm_model_head(model);
    if (!run->head || run->head->words == 0)
        return lm_raise(b->ctx, LM_UNSUPPORTED, "the model has no head on its vocabulary");
    b->model = model;
    b->layers = lm_weights_layers(lm_model_weights(model));
    b->opaque = run;
    return lm_session_grow(b->ctx, b->session, &b->session->vectors, &b->session->vector_capacity,
                           (size_t)run->head->words + 2 * (size_t)run->head->inner, sizeof(float));
}

static lm_status
run_texts(fill_run *run, const lm_model *model, const lm_text *texts, size_t count)
{
    lm_batcher *b = &run->batcher;
    lm_status status = start_run(run, model);

    lm_buffer_init(&run->fills, b->ctx);
    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = lm_batch_add(b, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(b);
    lm_buffer_free(&run->fills);
    lm_session_trim(b->session);
    return status;
}

lm_status
lm_fill_mask(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t count, const lm_embed_options *options, lm_fill_sink sink, void *opaque,
             lm_embed_counts *counts)
{
    fill_run run = {.batcher = {.ctx = ctx,
                                .session = session,
                                .on_long = LM_LONG_ERROR,
                                .batch_tokens = options->batch_tokens,
                                .states = options->states,
                                .take = take_window,
                                .counts = counts},
                    .k = options->choice,
                    .sink = sink,
                    .opaque = opaque};

    return run_texts(&run, model, texts, count);
}

/* ---- What is shown ---- */

lm_status
lm_fill_word(lm_context *ctx, const lm_model *model, int32_t token, lm_buffer *out)
{
    const lm_tokenizer *tokenizer = lm_model_tokenizer(model);
    size_t length;

    if (!lm_token_text(tokenizer, token, &length))
        return LM_OK;
    return lm_detokenize(ctx, tokenizer, &token, 1, false, out);
}

/* The reference takes padding out, wherever it stands, and knows no id without a token. */
static bool
is_shown(const lm_model *model, int32_t id)
{
    size_t length;

    return id != model->info.pad_token &&
           lm_token_text(lm_model_tokenizer(model), id, &length) != NULL;
}

lm_status
lm_fill_sequence(lm_context *ctx, const lm_model *model, const lm_fills *fills, const lm_fill *fill,
                 lm_buffer *out)
{
    int32_t *ids = lm_alloc_array(ctx, fills->tokens, sizeof *ids);
    size_t count = 0;
    lm_status status;

    if (!ids)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < fills->tokens; i++) {
        int32_t id = i == (size_t)fill->position ? fill->token : fills->ids[i];

        if (is_shown(model, id))
            ids[count++] = id;
    }
    status = lm_detokenize(ctx, lm_model_tokenizer(model), ids, count, fills->masks == 1, out);
    lm_free(ctx, ids);
    return status;
}

/* ---- Golden values ---- */

static lm_status
take_first(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    const fill_run *run = opaque;
    float *out = run->golden + window->text * LM_FILL_GOLDEN;
    const int words = run->head->words;

    LM_TRY(compute_outputs(run, x));
    memset(out, 0, LM_FILL_GOLDEN * sizeof *out);
    for (int i = 0; i < words; i++)
        out[i % LM_FILL_GOLDEN] += outputs(run)[i] / (float)words;
    return LM_OK;
}

lm_status
lm_fill_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
               size_t count, float *out)
{
    fill_run run = {.batcher = {.ctx = ctx,
                                .session = session,
                                .on_long = LM_LONG_TRUNCATE,
                                .take = take_first},
                    .golden = out};

    return run_texts(&run, model, texts, count);
}
