/*
 * global.c - attention of Longformer (Beltagy et al. 2020): most tokens see a window and the first
 * few of their text, and these see all, by matrices of their own.
 *
 * A kernel call takes a run of queries. Their keys are the first few and those of all their
 * windows, copied side by side; a bias of −∞ takes away what a query does not see. The run that a
 * query belongs to is the same whether it is asked for alone or not, and so are its bits.
 */
#include "nn/global.h"

#include <math.h>
#include <string.h>

#include "base/size.h"

/* Queries of one call. */
#define RUN_QUERIES 96

typedef struct global_space {
    float *seen; /* (longest, 3 heads·head_dim): queries, keys and values for those that see all */
    float *keys; /* (longest, 2 heads·head_dim): keys and values of a run */
    float *bias; /* (RUN_QUERIES, longest) */
    size_t size;
} global_space;

/* A text of the pass. */
typedef struct global_text {
    const stack_layer *l;
    global_space space;
    size_t text, tokens, globals;
    const float *x, *qkv; /* (tokens, D), (tokens, 3 heads·head_dim) */
    float *out;           /* of its first row that is asked for */
    size_t query, end;    /* the rows that are asked for */
} global_text;

static size_t
mixed_width(const stack_layer *l)
{
    return lm_block_mixed_width(l->block);
}

static global_space
lay_space(const lm_stack *stack, size_t longest, float *base)
{
    const size_t width = lm_block_mixed_width(&stack->blocks[0]);
    global_space space = {.size = 0};

    space.seen = lm_lay_floats(base, &space.size, longest * 3 * width);
    space.keys = lm_lay_floats(base, &space.size, longest * 2 * width);
    space.bias = lm_lay_floats(base, &space.size, longest * RUN_QUERIES);
    return space;
}

size_t
lm_global_room(const lm_stack *stack, size_t longest)
{
    return stack->global.any ? lay_space(stack, longest, NULL).size : 0;
}

/* How many of a text's tokens see all. */
static size_t
count_globals(const stack_pass *pass, const int32_t *ids, size_t tokens)
{
    const int32_t until = pass->stack->global.until;
    size_t count = 0;

    if (until == LM_FIRST_ALONE)
        return 1;
    while (count < tokens && ids[count] != until)
        count++;
    return count;
}

static global_text
text_of(const stack_layer *l, size_t first, size_t text)
{
    const stack_pass *pass = l->pass;
    const lm_batch *batch = pass->batch;
    const size_t row = batch->offsets[text], tokens = batch->offsets[text + 1] - row;
    const size_t query = l->outputs ? l->outputs[text] - row : 0;

    return (global_text){
        .l = l,
        .space = lay_space(pass->stack, pass->tables.longest, pass->global),
        .text = text,
        .tokens = tokens,
        .globals = count_globals(pass, batch->ids + row, tokens),
        .x = pass->hidden + row * pass->stack->width,
        .qkv = pass->wide + (row - batch->offsets[first]) * 3 * mixed_width(l),
        .out = pass->attention + (l->outputs ? text : row) * mixed_width(l),
        .query = query,
        .end = l->outputs ? query + 1 : tokens,
    };
}

/* What all calls have; q, k and v point at the first head's. */
static lm_attention
call_of(const global_text *t, size_t query, size_t queries)
{
    const lm_block *block = t->l->block;

    return (lm_attention){
        .queries = queries,
        .heads = 1,
        .kv_heads = 1,
        .head_dim = block->head_dim,
        .ldq = 3 * mixed_width(t->l),
        .mask = LM_MASK_FULL,
        .scale = block->scale,
        .out = t->out + (query - t->query) * mixed_width(t->l),
        .ldo = mixed_width(t->l),
        .scratch = t->l->pass->scratch,
    };
}

/* Head by head: a poll comes between any two. */
static lm_status
run_heads(const global_text *t, lm_attention call)
{
    const lm_block *block = t->l->block;

    for (size_t head = 0; head < block->heads; head++) {
        LM_TRY(lm_poll(t->l->pass->ctx));
        t->l->pass->weights->attention->run(&call);
        call.q += block->head_dim;
        call.k += block->head_dim;
        call.v += block->head_dim;
        call.out += block->head_dim;
    }
    return LM_OK;
}

/* ---- Those that see all ---- */

/* Their queries, and keys and values of all, by the matrix of their own. */
static lm_status
project_seen(const global_text *t)
{
    const stack_pass *pass = t->l->pass;
    const size_t width = 3 * mixed_width(t->l);
    const lm_gemm args = {
        .m = t->tokens,
        .n = width,
        .k = pass->stack->width,
        .a = t->x,
        .lda = pass->stack->width,
        .packed = lm_weight_of(t->l, pass->stack->global.qkv),
        .bias = lm_weight_of(t->l, pass->stack->global.qkv_bias),
        .c = t->space.seen,
        .ldc = width,
        .scratch = pass->scratch,
    };

    return lm_nn_linear(pass->ctx, pass->weights->product, &args);
}

/* Rows query … end − 1, all of them such. */
static lm_status
attend_all(const global_text *t, size_t query, size_t end)
{
    const size_t width = mixed_width(t->l), ld = 3 * width;

    LM_TRY(project_seen(t));
    for (size_t count; query < end; query += count) {
        lm_attention call;

        count = end - query < RUN_QUERIES ? end - query : RUN_QUERIES;
        call = call_of(t, query, count);
        call.keys = t->tokens;
        call.q = t->space.seen + query * ld;
        call.k = t->space.seen + width;
        call.v = call.k + width;
        call.ldkv = ld;
        LM_TRY(run_heads(t, call));
    }
    return LM_OK;
}

/* ---- The others ---- */

/* The first few keys and those of rows from … to − 1, side by side; returns how many. */
static size_t
gather_keys(const global_text *t, size_t from, size_t to)
{
    const size_t width = mixed_width(t->l);
    float *row = t->space.keys;

    for (size_t i = 0; i < to; i++) {
        if (i == t->globals && i < from)
            i = from;
        memcpy(row, t->qkv + i * 3 * width + width, 2 * width * sizeof *row);
        row += 2 * width;
    }
    return t->globals + to - from;
}

/* What queries from `query` on see of these keys. */
static void
fill_bias(const global_text *t, size_t query, size_t count, size_t from, size_t keys)
{
    const size_t window = t->l->block->window;

    for (size_t i = query; i < query + count; i++)
        for (size_t key = 0; key < keys; key++) {
            size_t j = from + key - t->globals;
            bool sees = key < t->globals || (j + window >= i && j <= i + window);

            t->space.bias[(i - query) * keys + key] = sees ? 0 : -INFINITY;
        }
}

/* Rows query … end − 1 of the run that begins at `start`. */
static lm_status
attend_run(const global_text *t, size_t start, size_t query, size_t end)
{
    const size_t width = mixed_width(t->l), window = t->l->block->window;
    const size_t last = start + RUN_QUERIES - 1 + window;
    const size_t from = start > t->globals + window ? start - window : t->globals;
    const size_t to = last < t->tokens ? last + 1 : t->tokens;
    const size_t keys = gather_keys(t, from, to);
    lm_attention call = call_of(t, query, end - query);

    fill_bias(t, query, end - query, from, keys);
    call.keys = keys;
    call.q = t->qkv + query * 3 * width;
    call.k = t->space.keys;
    call.v = call.k + width;
    call.ldkv = 2 * width;
    call.bias = t->space.bias;
    call.bias_ld = (ptrdiff_t)keys;
    return run_heads(t, call);
}

static lm_status
attend_near(const global_text *t, size_t query, size_t end)
{
    while (query < end) {
        size_t start = query - (query - t->globals) % RUN_QUERIES, stop = start + RUN_QUERIES;

        stop = stop < end ? stop : end;
        LM_TRY(attend_run(t, start, query, stop));
        query = stop;
    }
    return LM_OK;
}

lm_status
lm_global_attend(const stack_layer *l, size_t first, size_t end)
{
    for (size_t text = first; text < end; text++) {
        const global_text t = text_of(l, first, text);
        size_t near = t.query > t.globals ? t.query : t.globals;

        if (t.query < t.globals)
            LM_TRY(attend_all(&t, t.query, t.end < t.globals ? t.end : t.globals));
        LM_TRY(attend_near(&t, near, t.end));
    }
    return LM_OK;
}
