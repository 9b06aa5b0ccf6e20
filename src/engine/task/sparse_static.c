/*
 * sparse_static.c - each token of a text with its weight, once, whatever its place. Special tokens
 * count where they stand in the text, and none are added.
 */
#include "task/sparse_static.h"

#include "base/sort.h"
#include "task/prompt.h"
#include "task/static_embed.h"

/* Tokens between two polls. */
#define TOKENS_PER_POLL 8192

bool
lm_sparse_is_static(const lm_model *model)
{
    const lm_vectors *vectors = lm_model_view(model, LM_SECTION_VECTORS);

    return vectors && vectors->sparse;
}

int
lm_sparse_static_words(const lm_model *model)
{
    return ((const lm_vectors *)lm_model_view(model, LM_SECTION_VECTORS))->rows;
}

static int
compare_items(const void *a, const void *b)
{
    const int32_t x = ((const lm_sparse_item *)a)->token, y = ((const lm_sparse_item *)b)->token;

    return (x > y) - (x < y);
}

/* The tokens of the session's encoding that weigh something, in its order. */
static lm_status
weigh(const lm_static_run *run, lm_sparse_item *items, size_t *kept)
{
    const lm_encoding *encoding = &run->session->encoding;

    *kept = 0;
    for (size_t i = 0; i < encoding->count; i++) {
        const float weight = run->vectors->table[encoding->ids[i]];

        if (i % TOKENS_PER_POLL == 0)
            LM_TRY(lm_poll(run->ctx));
        if (weight != 0)
            items[(*kept)++] = (lm_sparse_item){encoding->ids[i], weight};
    }
    return LM_OK;
}

/* Each of the sorted items once. */
static lm_status
drop_repeated(lm_context *ctx, lm_sparse_item *items, size_t kept, size_t *count)
{
    *count = kept > 0;
    for (size_t i = 1; i < kept; i++) {
        if (i % TOKENS_PER_POLL == 0)
            LM_TRY(lm_poll(ctx));
        if (items[i].token != items[*count - 1].token)
            items[(*count)++] = items[i];
    }
    return LM_OK;
}

/* The tokens of the session's encoding by id, each once; those of weight 0 are left out. */
static lm_status
collect(const lm_static_run *run, lm_sparse_item **items, size_t *count)
{
    const size_t tokens = run->session->encoding.count;
    size_t kept;

    LM_TRY(lm_session_grow(run->ctx, run->session, &run->session->vectors,
                           &run->session->vector_capacity,
                           (tokens + 1) * (sizeof **items / sizeof(float)), sizeof(float)));
    *items = (lm_sparse_item *)(void *)run->session->vectors;
    LM_TRY(weigh(run, *items, &kept));
    LM_TRY(lm_sort(run->ctx, *items, kept, sizeof **items, compare_items));
    return drop_repeated(run->ctx, *items, kept, count);
}

static lm_status
run_text(const lm_static_run *run, const lm_text *text, size_t index, lm_sparse_sink sink,
         void *opaque)
{
    lm_sparse_item *items;
    size_t count;

    LM_TRY(lm_poll(run->ctx));
    LM_TRY(lm_static_tokenize(run, text));
    LM_TRY(collect(run, &items, &count));
    if (run->counts) {
        run->counts->texts++;
        run->counts->tokens += run->session->encoding.count;
        run->counts->truncated += run->session->encoding.truncated;
    }
    return sink(opaque, index, items, count);
}

lm_status
lm_sparse_static(lm_batcher *b, const lm_text *texts, size_t count, const lm_embed_options *options,
                 lm_sparse_sink sink, void *opaque)
{
    lm_static_call call = {.on_long = options->on_long};
    const lm_static_run run = {
        .ctx = b->ctx,
        .session = b->session,
        .model = b->model,
        .vectors = lm_model_view(b->model, LM_SECTION_VECTORS),
        .call = &call,
        .counts = b->counts,
    };
    lm_status status = lm_prompt_resolve(b, options);

    call.prompt = (lm_text){b->prompt, b->prompt_length};
    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = run_text(&run, &texts[i], i, sink, opaque);
    if (b->counts && status == LM_OK)
        b->counts->forwards++;
    lm_session_trim(b->session);
    return status;
}
