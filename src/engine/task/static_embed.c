/*
 * static_embed.c - the mean of the vectors of a text's tokens, special ones not among them. A sum
 * in the order of the text, so that its bits do not depend on other texts.
 */
#include "task/static_embed.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "model/vectors.h"
#include "task/steps.h"
#include "task/word_pooling.h"

/* torch.nn.functional.normalize's lower bound of a norm. */
#define NORM_EPS 1e-12f

/* Tokens between two polls. */
#define TOKENS_PER_POLL 8192

/* So many tokens ahead their rows are asked for. */
#define FETCHED 6

static lm_status
refuse_long(const lm_static_run *run)
{
    lm_raise(run->ctx, LM_TOO_LARGE, "a text is longer than the model's window");
    lm_detail_found(run->ctx, "more than %d tokens", run->model->info.max_tokens);
    lm_detail_allowed(run->ctx, "at most %d", run->model->info.max_tokens);
    return lm_detail_hint(run->ctx, "Truncate long texts or average all of them (on_long), or "
                                    "split them with lmtext.chunk.");
}

/* The prompt before it. */
static lm_status
join_prompt(const lm_static_run *run, const lm_text *text, lm_text *joined)
{
    lm_buffer *buffer = &run->session->text;

    *joined = *text;
    if (run->call->prompt.length == 0)
        return LM_OK;
    buffer->size = 0;
    if (lm_buffer_append(buffer, run->call->prompt.bytes, run->call->prompt.length) != LM_OK ||
        lm_buffer_append(buffer, text->bytes, text->length) != LM_OK)
        return lm_raise(run->ctx, LM_NO_MEMORY, "out of memory");
    *joined = (lm_text){buffer->data, buffer->size};
    return LM_OK;
}

/* As many bytes as the characters that model2vec reads of a text. */
static size_t
bytes_read(const lm_static_run *run, lm_text text)
{
    const size_t most = (size_t)run->vectors->token_chars * (size_t)run->model->info.max_tokens;
    size_t bytes = 0;

    if (most == 0 || text.length <= most || run->call->on_long == LM_LONG_MEAN)
        return text.length;
    for (size_t chars = 0; bytes < text.length; bytes++)
        if (((unsigned char)text.bytes[bytes] & 0xc0) != 0x80 && chars++ == most)
            break;
    return bytes;
}

/* Tokens into the session's encoding. All of a long text is one mean with LM_LONG_MEAN. */
lm_status
lm_static_tokenize(const lm_static_run *run, const lm_text *text)
{
    const lm_token_options options = {
        .parse_special = true,
        .max_tokens = run->call->on_long == LM_LONG_MEAN ? 0 : run->model->info.max_tokens,
    };
    lm_encoding *encoding = &run->session->encoding;
    lm_text joined;
    size_t bytes;

    LM_TRY(join_prompt(run, text, &joined));
    bytes = bytes_read(run, joined);
    LM_TRY(lm_tokenize(run->ctx, lm_model_tokenizer(run->model), run->session->scratch,
                       joined.bytes, bytes, &options, encoding));
    encoding->truncated |= bytes < joined.length;
    if (encoding->truncated && run->call->on_long == LM_LONG_ERROR)
        return refuse_long(run);
    return LM_OK;
}

/* Takes tokens without a vector out of the encoding; returns how many are left. */
static size_t
drop_unknown(const lm_static_run *run)
{
    const int32_t unknown = lm_token_unknown(lm_model_tokenizer(run->model));
    const lm_encoding *encoding = &run->session->encoding;
    size_t count = 0;

    for (size_t i = 0; i < encoding->count; i++)
        if (encoding->ids[i] != unknown)
            encoding->ids[count++] = encoding->ids[i];
    return count;
}

/* Asks for a row that will be added soon: rows lie anywhere in a table larger than the caches. */
static void
fetch(const float *row, size_t width)
{
    for (size_t i = 0; i < width; i += LM_ALIGNMENT / sizeof *row)
        __builtin_prefetch(row + i);
}

/* Rows of `count` tokens into the session's vectors, in their order, two at a time. */
static lm_status
add_up(const lm_static_run *run, size_t count)
{
    const size_t width = (size_t)run->vectors->width;
    const float *table = run->vectors->table;
    const int32_t *ids = run->session->encoding.ids;
    float *sum = run->session->vectors;

    memset(sum, 0, width * sizeof *sum);
    for (size_t i = 0; i < count; i += 2) {
        if (i % TOKENS_PER_POLL == 0)
            LM_TRY(lm_poll(run->ctx));
        for (size_t next = i + FETCHED; next < i + FETCHED + 2 && next < count; next++)
            fetch(table + (size_t)ids[next] * width, width);
        run->model->kernels->add_f32(width, sum, table + (size_t)ids[i] * width,
                                     i + 1 < count ? table + (size_t)ids[i + 1] * width : NULL,
                                     sum);
    }
    return LM_OK;
}

/* Vectors are finite, but sums of large ones may not be. */
static lm_status
check_finite(const lm_static_run *run, const float *vector)
{
    for (size_t i = 0; i < run->steps->width; i++)
        if (!isfinite(vector[i]))
            return lm_raise(run->ctx, LM_BAD_MODEL,
                            "the model computed a vector that is not finite");
    return LM_OK;
}

/* One vector of the text's tokens into the session's vectors. */
static lm_status
pool(const lm_static_run *run, size_t tokens)
{
    const size_t width = (size_t)run->vectors->width;
    float *mean = run->session->vectors;

    if (run->vectors->bag)
        return lm_word_count(run, tokens, mean);
    if (run->steps->pooling_count > 0)
        return lm_word_pool(run, tokens, mean);
    LM_TRY(add_up(run, tokens));
    for (size_t i = 0; i < width; i++)
        mean[i] /= (float)tokens;
    return LM_OK;
}

/* From there to what the modules behind it make of that. */
static lm_status
run_modules(const lm_static_run *run, float **vector)
{
    float *pooled = run->session->vectors, *room = pooled + run->steps->pooled;

    *vector = pooled;
    return run->steps->count == 0
               ? LM_OK
               : lm_steps_of_row(run->ctx, run->model->kernels, run->steps, pooled, room,
                                 room + run->steps->widest, vector);
}

/* To the result: as embed.c's, cut and then normalised again. */
static void
finish(const lm_static_run *run, float *vector, float *out)
{
    const size_t full = run->steps->width, width = run->call->width;
    const bool normalize = run->model->sentence.normalize;

    if (normalize)
        run->model->kernels->l2_normalize_f32(full, vector, NORM_EPS);
    memcpy(out, vector, width * sizeof *out);
    if (normalize && width < (size_t)run->model->info.dimensions)
        run->model->kernels->l2_normalize_f32(width, out, NORM_EPS);
}

static lm_status
embed_text(const lm_static_run *run, const lm_text *text, float *out)
{
    float *vector;
    size_t tokens;

    LM_TRY(lm_static_tokenize(run, text));
    tokens = run->vectors->drops_unknown ? drop_unknown(run) : run->session->encoding.count;
    if (tokens == 0)
        return lm_raise(run->ctx, LM_NO_TOKEN,
                        "the text has no token that the model has a vector "
                        "for");
    LM_TRY(pool(run, tokens));
    LM_TRY(run_modules(run, &vector));
    LM_TRY(check_finite(run, vector));
    finish(run, vector, out);
    if (run->counts) {
        run->counts->texts++;
        run->counts->tokens += tokens;
        run->counts->truncated += run->session->encoding.truncated;
    }
    return LM_OK;
}

lm_status
lm_static_embed(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
                size_t count, const lm_static_call *call, float *out, lm_embed_counts *counts)
{
    const lm_static_run run = {
        ctx,  session, model, lm_model_view(model, LM_SECTION_VECTORS), lm_model_steps(model),
        call, counts,
    };
    lm_status status = lm_session_grow(ctx, session, &session->vectors, &session->vector_capacity,
                                       run.steps->pooled + 2 * run.steps->widest, sizeof(float));

    for (size_t i = 0; i < count && status == LM_OK; i++)
        status = embed_text(&run, &texts[i], out + i * call->width);
    if (counts && status == LM_OK)
        counts->forwards++;
    lm_session_trim(session);
    return status;
}
