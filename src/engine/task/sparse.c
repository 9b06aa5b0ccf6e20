/*
 * sparse.c - a head on the vocabulary over every token, pooled word by word.
 *
 * The product has a block of the word table on its left, as it lies in the image, and on its right
 * the states of up to CHUNK tokens, packed: tokens are few and words are many, so packing these is
 * next to nothing. What is made of a window depends on its own tokens only, whatever else is in the
 * batch, and outputs are never more than ROWS · CHUNK numbers at a time.
 */
#include "task/sparse.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernels/bf16.h"
#include "task/batch.h"
#include "task/prompt.h"
#include "task/route.h"
#include "task/score.h"
#include "task/sparse_static.h"

#define CHUNK LM_PACK_ROWS /* tokens that are packed at a time */
#define ROWS ((size_t)64)  /* of the word table in one product: some milliseconds at most */
#define LANES ((size_t)8)  /* side by side, which compilers keep in a register */
#define ITEMS_PER_POLL ((size_t)4096)

typedef struct sparse_run {
    lm_batcher batcher;
    const lm_head *head;
    size_t width, words;
    uint32_t splade;
    lm_sparse_sink sink;
    void *opaque;
    /* In the session's vectors. */
    float *weights;        /* (words): pooled up to now */
    lm_sparse_item *items; /* (words) */
    float *states;         /* (CHUNK, width): what the table is multiplied by */
    float *outputs;        /* (ROWS, CHUNK) */
    float *rows;           /* (ROWS, width): a bfloat16 table's, as floats */
    void *packed, *scratch;
} sparse_run;

static const lm_product *
product_of(const sparse_run *run)
{
    return &run->batcher.model->kernels->products[LM_PRECISION_F32];
}

/* ---- Room ---- */

/* Moves *size on by an array; false: it is beyond what memory can be. */
static bool
place(size_t bytes, size_t *size, size_t *offset)
{
    size_t end;

    *offset = *size;
    if (lm_add_overflows(*size, bytes, &end) || end > SIZE_MAX - LM_ALIGNMENT)
        return false;
    *size = lm_align_up(end);
    return true;
}

/* All arrays of the run lie in one, each aligned for the kernels. */
static lm_status
make_room(sparse_run *run)
{
    enum { WEIGHTS, ITEMS, STATES, OUTPUTS, TABLE, PACKED, SCRATCH, PARTS };
    lm_session *session = run->batcher.session;
    const lm_product *product = product_of(run);
    const size_t bytes[PARTS] = {
        [WEIGHTS] = run->words * sizeof(float),
        [ITEMS] = run->words * sizeof(lm_sparse_item),
        [STATES] = CHUNK * run->width * sizeof(float),
        [OUTPUTS] = ROWS * CHUNK * sizeof(float),
        [TABLE] = ROWS * run->width * sizeof(float),
        [PACKED] = product->packed_size(CHUNK, run->width),
        [SCRATCH] = product->scratch_size(ROWS, run->width),
    };
    size_t offsets[PARTS], size = LM_ALIGNMENT;
    char *base;

    for (int i = 0; i < PARTS; i++)
        if (!place(bytes[i], &size, &offsets[i]))
            return lm_raise(run->batcher.ctx, LM_NO_MEMORY, "out of memory");
    LM_TRY(lm_session_grow(run->batcher.ctx, session, &session->vectors, &session->vector_capacity,
                           size / sizeof(float) + 1, sizeof(float)));
    base = (char *)lm_align_up((uintptr_t)session->vectors) - LM_ALIGNMENT;
    run->weights = (float *)(void *)(base + offsets[WEIGHTS]);
    run->items = (lm_sparse_item *)(void *)(base + offsets[ITEMS]);
    run->states = (float *)(void *)(base + offsets[STATES]);
    run->outputs = (float *)(void *)(base + offsets[OUTPUTS]);
    run->rows = (float *)(void *)(base + offsets[TABLE]);
    run->packed = base + offsets[PACKED];
    run->scratch = base + offsets[SCRATCH];
    return LM_OK;
}

/* ---- Outputs ---- */

/* The head's first layer over some tokens, packed. */
static lm_status
pack_states(const sparse_run *run, const float *x, size_t tokens)
{
    const lm_matrix states = {.n = tokens, .k = run->width, .values = run->states};

    for (size_t i = 0; i < tokens; i++) {
        float *room = run->states + i * run->width;
        const float *from =
            lm_head_transform(run->batcher.model->kernels, run->head, x + i * run->width, room);

        LM_TRY(lm_poll(run->batcher.ctx));
        if (from != room)
            memcpy(room, from, run->width * sizeof *room);
    }
    product_of(run)->pack(&states, 0, tokens, run->packed);
    return LM_OK;
}

/* Rows of the word table as floats. */
static const float *
table_rows(const sparse_run *run, size_t first, size_t count)
{
    const size_t from = first * run->width;
    const uint16_t *codes = run->head->table;

    if (!lm_tables_are_bf16(run->batcher.model->info.precision))
        return (const float *)run->head->table + from;
    for (size_t i = 0; i < count * run->width; i++)
        run->rows[i] = lm_bf16_to(codes[from + i]);
    return run->rows;
}

static void
compute_outputs(const sparse_run *run, size_t first, size_t count, size_t tokens)
{
    product_of(run)->gemm(&(lm_gemm){.m = count,
                                     .n = tokens,
                                     .k = run->width,
                                     .a = table_rows(run, first, count),
                                     .lda = run->width,
                                     .packed = run->packed,
                                     .c = run->outputs,
                                     .ldc = CHUNK,
                                     .scratch = run->scratch});
}

/* ---- Pooling ---- */

/* The greatest number; NaN where one is not finite. */
static float
greatest(const float *x, size_t count)
{
    float best[LANES], odd[LANES] = {0}, most = x[0], sum = 0;
    size_t i = 0;

    for (size_t lane = 0; lane < LANES; lane++)
        best[lane] = x[0];
    for (; i + LANES <= count; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++) {
            best[lane] = x[i + lane] > best[lane] ? x[i + lane] : best[lane];
            odd[lane] += x[i + lane] * 0.0f;
        }
    for (; i < count; i++) {
        best[0] = x[i] > best[0] ? x[i] : best[0];
        odd[0] += x[i] * 0.0f;
    }
    for (size_t lane = 0; lane < LANES; lane++) {
        most = best[lane] > most ? best[lane] : most;
        sum += odd[lane];
    }
    return most + sum;
}

static float
weight_of(const sparse_run *run, float x)
{
    const float once = log1pf(x > 0 ? x : x * 0.0f);

    return run->splade & LM_SPLADE_TWICE ? log1pf(once) : once;
}

/* The weights grow with the numbers, so the greatest is found first. */
static float
pool_greatest(const sparse_run *run, const float *x, size_t tokens, float bias, float before)
{
    const float weight = weight_of(run, greatest(x, tokens) + bias);

    return isnan(before) || weight <= before ? before : weight;
}

static float
pool_sum(const sparse_run *run, const float *x, size_t tokens, float bias, float before)
{
    for (size_t i = 0; i < tokens; i++)
        before += weight_of(run, x[i] + bias);
    return before;
}

/* Some tokens of a window, over the whole vocabulary. */
static lm_status
pool_chunk(const sparse_run *run, size_t tokens)
{
    float (*const pool)(const sparse_run *, const float *, size_t, float, float) =
        run->splade & LM_SPLADE_SUM ? pool_sum : pool_greatest;

    for (size_t first = 0; first < run->words; first += ROWS) {
        const size_t count = run->words - first < ROWS ? run->words - first : ROWS;

        LM_TRY(lm_poll(run->batcher.ctx));
        compute_outputs(run, first, count, tokens);
        for (size_t i = 0; i < count; i++) {
            float *weight = &run->weights[first + i];

            *weight =
                pool(run, run->outputs + i * CHUNK, tokens, run->head->bias[first + i], *weight);
        }
    }
    return LM_OK;
}

/* ---- Texts ---- */

/* A NaN that was once pooled stays, or the sum is none: here it shows. */
static lm_status
emit(const sparse_run *run, size_t text)
{
    size_t count = 0;

    for (size_t i = 0; i < run->words; i++) {
        if (i % ITEMS_PER_POLL == 0)
            LM_TRY(lm_poll(run->batcher.ctx));
        if (!isfinite(run->weights[i]))
            return lm_raise(run->batcher.ctx, LM_BAD_MODEL,
                            "the model computed a weight that is not finite");
        if (run->weights[i] > 0)
            run->items[count++] = (lm_sparse_item){(int32_t)i, run->weights[i]};
    }
    return run->sink(run->opaque, text, run->items, count);
}

static lm_status
take_window(void *opaque, const lm_window *window, const float *x, size_t tokens)
{
    const sparse_run *run = opaque;

    if (window->first)
        memset(run->weights, 0, run->words * sizeof *run->weights);
    for (size_t first = 0; first < tokens; first += CHUNK) {
        const size_t count = tokens - first < CHUNK ? tokens - first : CHUNK;

        LM_TRY(pack_states(run, x + first * run->width, count));
        LM_TRY(pool_chunk(run, count));
    }
    return window->last ? emit(run, window->text) : LM_OK;
}

static lm_status
start_run(sparse_run *run, const lm_embed_options *options)
{
    lm_batcher *b = &run->batcher;

    run->head = lm_model_head(b->model);
    run->splade = b->model->sentence.splade;
    if (!run->head || run->head->words == 0 || !run->splade)
        return lm_raise(b->ctx, LM_UNSUPPORTED, "the model computes no sparse vectors");
    run->width = (size_t)run->head->width;
    run->words = (size_t)run->head->words;
    b->layers = lm_weights_layers(lm_model_weights(b->model));
    LM_TRY(lm_prompt_resolve(b, options));
    return make_room(run);
}

lm_status
lm_sparse(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
          size_t count, const lm_embed_options *options, lm_sparse_sink sink, void *opaque,
          lm_embed_counts *counts)
{
    sparse_run run = {.batcher = {.ctx = ctx,
                                  .session = session,
                                  .on_long = options->on_long,
                                  .batch_tokens = options->batch_tokens,
                                  .states = options->states,
                                  .take = take_window,
                                  .opaque = &run,
                                  .counts = counts},
                      .sink = sink,
                      .opaque = opaque};
    lm_status status;

    LM_TRY(lm_route_find(ctx, model, options->side, &run.batcher.model));
    if (lm_sparse_is_static(run.batcher.model))
        return lm_sparse_static(&run.batcher, texts, count, options, sink, opaque);
    status = start_run(&run, options);
    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = lm_batch_add(&run.batcher, &texts[i], i);
    if (status == LM_OK)
        status = lm_batch_flush(&run.batcher);
    lm_session_trim(session);
    return status;
}

int
lm_sparse_words(const lm_model *model)
{
    const lm_model *way = lm_model_main(model);
    const lm_head *head = lm_model_head(way);

    if (lm_sparse_is_static(way))
        return lm_sparse_static_words(way);
    return head ? head->words : 0;
}

double
lm_sparse_dot(const lm_sparse_item *a, size_t a_count, const lm_sparse_item *b, size_t b_count)
{
    double sum = 0;

    for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
        if (a[i].token == b[j].token)
            sum += (double)a[i].weight * b[j].weight;
        if (a[i].token <= b[j].token)
            i++;
        else
            j++;
    }
    return sum;
}

/* ---- Golden values ---- */

typedef struct golden_run {
    float *out; /* (texts, LM_SPARSE_GOLDEN) */
    float share;
} golden_run;

static lm_status
keep_means(void *opaque, size_t text, const lm_sparse_item *items, size_t count)
{
    const golden_run *run = opaque;
    float *out = run->out + text * LM_SPARSE_GOLDEN;

    for (size_t i = 0; i < count; i++)
        out[items[i].token % LM_SPARSE_GOLDEN] += items[i].weight * run->share;
    return LM_OK;
}

/* Of a Router, the sums over its sides. */
lm_status
lm_sparse_golden(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                 size_t count, float *out)
{
    const int words = lm_sparse_words(model);
    golden_run run = {out, words > 0 ? 1 / (float)words : 0};

    memset(out, 0, count * LM_SPARSE_GOLDEN * sizeof *out);
    for (int side = 0; side < LM_SIDE_COUNT; side++) {
        const lm_embed_options options = {.on_long = LM_LONG_TRUNCATE, .side = (lm_side)side};

        if (model->routes ? model->info.routes[side] > 0 : side == LM_SIDE_NONE)
            LM_TRY(lm_sparse(ctx, session, model, texts, count, &options, keep_means, &run, NULL));
    }
    return LM_OK;
}
