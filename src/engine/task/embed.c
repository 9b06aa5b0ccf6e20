/*
 * embed.c - texts to vectors. Each text becomes one window of tokens, or several when long texts
 * are averaged; windows are laid end to end until the batch is full, the encoder runs, and each
 * window is pooled. Windows go in the order of the texts, so those of one text are neighbours and
 * a single running sum serves their mean.
 *
 * The meaning of prompts, pooling and normalising is that of sentence-transformers.
 */
#include "task/embed.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "task/session.h"

/* Tokens of a batch when the caller does not say. */
#define DEFAULT_BATCH_TOKENS 512

/* torch.nn.functional.normalize's lower bound of a norm. */
#define NORM_EPS 1e-12f

/* One call of lm_embed. */
typedef struct embed_run {
    lm_context *ctx;
    lm_session *session;
    const lm_model *model; /* whose encoder runs */
    lm_on_long on_long;
    size_t batch_tokens;
    const char *prompt; /* NULL: none */
    size_t prompt_length;
    size_t excluded; /* first tokens of a text that pooling leaves out */
    size_t full;     /* D */
    size_t width;    /* of the result */
    float *out;      /* (texts, width) */
    lm_embed_counts *counts;
    size_t tokens, windows; /* in the batch */
    size_t longest;         /* tokens of its longest window */
} embed_run;

/* ---- Pooling: rows first … rows − 1 of x (rows, width) ---- */

/* The mean over the tokens that count. There is at least one: close_window sees to it. */
static void
pool_mean(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
          float *out)
{
    kernels->mean_rows_f32(rows - first, width, x + first * width, out);
}

/* The sum divided by the root of the number of tokens. */
static void
pool_mean_sqrt(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
               float *out)
{
    float scale = sqrtf((float)(rows - first));

    kernels->mean_rows_f32(rows - first, width, x + first * width, out);
    for (size_t i = 0; i < width; i++)
        out[i] *= scale;
}

/* The only row that was computed. */
static void
pool_one(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
         float *out)
{
    memcpy(out, x, width * sizeof *out);
}

/* The largest value of each dimension. */
static void
pool_max(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
         float *out)
{
    memcpy(out, x + first * width, width * sizeof *out);
    for (size_t row = first + 1; row < rows; row++)
        for (size_t i = 0; i < width; i++)
            out[i] = x[row * width + i] > out[i] ? x[row * width + i] : out[i];
}

/* The weight of a token is its place in the text, from 1; tokens left out keep theirs. */
static void
pool_weighted_mean(const lm_kernels *kernels, const float *x, size_t first, size_t rows,
                   size_t width, float *out)
{
    float total = 0;

    memset(out, 0, width * sizeof *out);
    for (size_t row = first; row < rows; row++) {
        float weight = (float)(row + 1);

        total += weight;
        for (size_t i = 0; i < width; i++)
            out[i] += weight * x[row * width + i];
    }
    for (size_t i = 0; i < width; i++)
        out[i] /= total;
}

/*
 * How a window is pooled, and of which rows. The first is that of the first token that counts:
 * [CLS], or the one behind a prompt that is left out, as the reference has it. The last may be a
 * special token's.
 */
static const struct {
    void (*pool)(const lm_kernels *kernels, const float *x, size_t first, size_t rows, size_t width,
                 float *out);
    enum { EVERY_ROW, FIRST_ROW, LAST_ROW } of;
} poolers[] = {
    [LM_POOL_NONE] = {pool_mean, EVERY_ROW},
    [LM_POOL_MEAN] = {pool_mean, EVERY_ROW},
    [LM_POOL_CLS] = {pool_one, FIRST_ROW},
    [LM_POOL_MAX] = {pool_max, EVERY_ROW},
    [LM_POOL_MEAN_SQRT] = {pool_mean_sqrt, EVERY_ROW},
    [LM_POOL_WEIGHTED_MEAN] = {pool_weighted_mean, EVERY_ROW},
    [LM_POOL_LAST] = {pool_one, LAST_ROW},
};

/* Whether one row of each window is all that is needed of the hidden states. */
static bool
pools_one_row(const embed_run *run)
{
    return poolers[run->model->sentence.pooling].of != EVERY_ROW;
}

/* ---- From hidden states to results ---- */

/* To length 1, if the model's own files ask for it; else vectors stay as they are. */
static void
normalize(const embed_run *run, size_t width, float *x)
{
    if (run->model->sentence.normalize)
        run->model->kernels->l2_normalize_f32(width, x, NORM_EPS);
}

/* Weights are finite, but sums of large ones may not be: such a vector must not get out. */
static lm_status
check_vector(const embed_run *run, const float *x)
{
    for (size_t i = 0; i < run->full; i++)
        if (!isfinite(x[i]))
            return lm_raise(run->ctx, LM_BAD_MODEL,
                            "the model computed a vector that is not finite");
    return LM_OK;
}

/* Add a window to the sum of its text; after the last one, sum becomes the text's vector. */
static void
add_to_mean(const embed_run *run, const lm_window *window, const float *vector, float *sum)
{
    if (window->first)
        memset(sum, 0, run->full * sizeof *sum);
    for (size_t i = 0; i < run->full; i++)
        sum[i] += (float)window->weight * vector[i];
    if (window->last)
        normalize(run, run->full, sum);
}

/*
 * Cuts to the width asked for. The whole vector was normalised already, so only one that is cut
 * further than the model itself cuts it is again.
 */
static void
write_result(const embed_run *run, size_t text, const float *vector)
{
    float *out = run->out + text * run->width;

    memcpy(out, vector, run->width * sizeof *out);
    if (run->width < (size_t)run->model->info.dimensions)
        normalize(run, run->width, out);
}

/* From the hidden states of a window to the result, or to its share of one. */
static lm_status
pool_window(const embed_run *run, const lm_window *window, const float *x, size_t rows)
{
    float *vector = run->session->vectors, *sum = vector + run->full;

    poolers[run->model->sentence.pooling].pool(run->model->kernels, x, window->excluded, rows,
                                               run->full, vector);
    LM_TRY(check_vector(run, vector));
    normalize(run, run->full, vector);
    if (window->first && window->last) {
        write_result(run, window->text, vector);
        return LM_OK;
    }
    add_to_mean(run, window, vector, sum);
    if (window->last)
        write_result(run, window->text, sum);
    return LM_OK;
}

/* ---- The packed batch ---- */

/* Run `layers` layers over the batch in the session's arrays; wanted is as in lm_batch. */
static lm_status
run_encoder(const embed_run *run, int layers, const size_t *wanted, const float **hidden)
{
    lm_context *ctx = run->ctx;
    lm_session *session = run->session;
    const lm_weights *weights = &run->model->weights;
    const lm_batch batch = {
        .tokens = run->tokens,
        .texts = run->windows,
        .ids = session->ids,
        .type_ids = session->types,
        .offsets = session->offsets,
        .wanted = wanted,
    };
    size_t bytes = weights->family->workspace(weights, run->tokens, run->longest) + LM_ALIGNMENT;

    if (bytes > session->workspace_capacity) { /* its content need not be kept */
        lm_free(session->ctx, session->workspace);
        session->workspace = NULL;
        session->workspace_capacity = 0;
    }
    LM_TRY(
        lm_session_grow(ctx, session, &session->workspace, &session->workspace_capacity, bytes, 1));
    return weights->family->forward(ctx, weights, &batch, layers,
                                    (void *)lm_align_up((uintptr_t)session->workspace), hidden);
}

/* Only what was computed counts, so that a call that fails later has counted what it did. */
static void
count_batch(const embed_run *run)
{
    lm_embed_counts *counts = run->counts;

    counts->forwards++;
    counts->tokens += run->tokens;
    for (size_t i = 0; i < run->windows; i++) {
        counts->texts += run->session->windows[i].last;
        counts->truncated += run->session->windows[i].truncated;
    }
}

/* Run the batch, pool its windows, and empty it. */
static lm_status
flush(embed_run *run)
{
    lm_session *session = run->session;
    const bool one = pools_one_row(run);
    const float *hidden;

    if (run->windows == 0)
        return LM_OK;
    LM_TRY(run_encoder(run, lm_weights_dims(&run->model->weights)->layers,
                       one ? session->wanted : NULL, &hidden));
    for (size_t i = 0; i < run->windows; i++) {
        size_t row = one ? i : session->offsets[i];

        LM_TRY(pool_window(run, &session->windows[i], hidden + row * run->full,
                           session->offsets[i + 1] - session->offsets[i]));
    }
    if (run->counts)
        count_batch(run);
    run->tokens = run->windows = run->longest = 0;
    return LM_OK;
}

/* Room for a window of up to `tokens` tokens behind those in the batch, which runs first if full.
 */
static lm_status
open_window(embed_run *run, size_t tokens)
{
    lm_session *session = run->session;
    size_t need, type_capacity = session->token_capacity;

    if (tokens == 0)
        return lm_raise(run->ctx, LM_NO_TOKEN,
                        "the text has no token, and the model's tokenizer adds none");
    if (run->windows > 0 && run->tokens + tokens > run->batch_tokens)
        LM_TRY(flush(run));
    if (lm_add_overflows(run->tokens, tokens, &need))
        return lm_raise(run->ctx, LM_NO_MEMORY, "out of memory");
    LM_TRY(lm_session_grow(run->ctx, session, &session->types, &type_capacity, need,
                           sizeof *session->types));
    LM_TRY(lm_session_grow(run->ctx, session, &session->ids, &session->token_capacity, need,
                           sizeof *session->ids));
    LM_TRY(lm_session_grow(run->ctx, session, &session->windows, &session->window_capacity,
                           run->windows + 1, sizeof *session->windows));
    LM_TRY(lm_session_grow(run->ctx, session, &session->wanted, &session->wanted_capacity,
                           run->windows + 1, sizeof *session->wanted));
    return lm_session_grow(run->ctx, session, &session->offsets, &session->offset_capacity,
                           run->windows + 2, sizeof *session->offsets);
}

/* Take in the window whose `tokens` tokens stand behind the batch. */
static lm_status
close_window(embed_run *run, size_t tokens, const lm_window *window)
{
    lm_session *session = run->session;

    if (window->excluded >= tokens) {
        lm_raise(run->ctx, LM_BAD_ARGUMENT,
                 "no token of the text is left to pool after the prompt");
        return lm_detail_key(run->ctx, "prompt");
    }
    session->windows[run->windows] = *window;
    session->wanted[run->windows] =
        run->tokens +
        (poolers[run->model->sentence.pooling].of == LAST_ROW ? tokens - 1 : window->excluded);
    session->offsets[run->windows++] = run->tokens;
    run->tokens += tokens;
    session->offsets[run->windows] = run->tokens;
    if (tokens > run->longest)
        run->longest = tokens;
    return LM_OK;
}

/* ---- From text to windows ---- */

/* One window: the encoding as it is, special tokens included. */
static lm_status
add_encoding(embed_run *run, size_t text)
{
    const lm_encoding *encoding = &run->session->encoding;
    const lm_window window = {.text = text,
                              .excluded = run->excluded,
                              .first = true,
                              .last = true,
                              .truncated = encoding->truncated};

    LM_TRY(open_window(run, encoding->count));
    memcpy(run->session->ids + run->tokens, encoding->ids, encoding->count * sizeof(int32_t));
    memcpy(run->session->types + run->tokens, encoding->type_ids,
           encoding->count * sizeof(int32_t));
    return close_window(run, encoding->count, &window);
}

/* Windows without overlap over all tokens of a text; only the first can hold prompt tokens. */
static lm_status
add_long_encoding(embed_run *run, size_t text)
{
    lm_session *session = run->session;
    const lm_tokenizer *tokenizer = &run->model->tokenizer;
    size_t special = (size_t)lm_tokenizer_special_count(tokenizer, false);
    size_t room = (size_t)run->model->info.max_tokens - special;
    size_t total = session->encoding.count;

    for (size_t start = 0; start == 0 || start < total; start += room) {
        size_t count = total - start < room ? total - start : room;
        const lm_window window = {
            .text = text,
            .excluded = start == 0 ? run->excluded : 0,
            .weight = (double)count / (double)(total > 0 ? total : 1),
            .first = start == 0,
            .last = start + count == total,
            .truncated = total > room && start + count == total,
        };
        size_t tokens;

        LM_TRY(open_window(run, count + special));
        tokens = lm_tokenizer_surround(tokenizer, session->encoding.ids + start, count,
                                       session->ids + run->tokens, session->types + run->tokens);
        LM_TRY(close_window(run, tokens, &window));
    }
    return LM_OK;
}

/* The text with the prompt before it. */
static lm_status
join_prompt(embed_run *run, const lm_text *text, lm_text *joined)
{
    lm_buffer *buffer = &run->session->text;

    *joined = *text;
    if (run->prompt_length == 0)
        return LM_OK;
    buffer->size = 0;
    if (lm_buffer_append(buffer, run->prompt, run->prompt_length) != LM_OK ||
        lm_buffer_append(buffer, text->bytes, text->length) != LM_OK)
        return lm_raise(run->ctx, LM_NO_MEMORY, "out of memory");
    *joined = (lm_text){buffer->data, buffer->size};
    return LM_OK;
}

/* Says by how much only roughly: the tokenizer stops once the window is full. */
static lm_status
refuse_long(const embed_run *run)
{
    lm_raise(run->ctx, LM_TOO_LARGE, "a text is longer than the model's window");
    lm_detail_found(run->ctx, "more than %d tokens", run->model->info.max_tokens);
    lm_detail_allowed(run->ctx, "at most %d", run->model->info.max_tokens);
    return lm_detail_hint(run->ctx,
                          "Truncate long texts or average their windows (on_long), or split "
                          "them with lmtext.chunk.");
}

/*
 * Tokenizes a text, and its prompt before it, into windows of the batch. Special tokens come with
 * the tokens of a single window, and later around each of several.
 */
static lm_status
add_text(embed_run *run, const lm_text *text, size_t index)
{
    lm_session *session = run->session;
    const lm_token_options options = {
        .add_special = run->on_long != LM_LONG_MEAN,
        .parse_special = true,
        .max_tokens = run->on_long == LM_LONG_MEAN ? 0 : run->model->info.max_tokens,
    };
    lm_text joined;

    LM_TRY(join_prompt(run, text, &joined));
    LM_TRY(lm_tokenize(run->ctx, &run->model->tokenizer, session->scratch, joined.bytes,
                       joined.length, &options, &session->encoding));
    if (run->on_long == LM_LONG_MEAN)
        return add_long_encoding(run, index);
    if (session->encoding.truncated && run->on_long == LM_LONG_ERROR)
        return refuse_long(run);
    return add_encoding(run, index);
}

/* ---- Options ---- */

/* Lists the model's prompts, as far as they fit. */
static lm_status
unknown_prompt(lm_context *ctx, const lm_sentence_spec *sentence, const char *name)
{
    char known[sizeof ctx->error.allowed] = "";
    size_t used = 0;

    for (int i = 0; i < sentence->prompt_count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 sentence->prompts[i].name);
    lm_raise(ctx, LM_UNKNOWN, "the model has no such prompt");
    lm_detail_key(ctx, "prompt_name");
    lm_detail_found(ctx, "\"%s\"", name);
    return lm_detail_allowed(ctx, "%s", used ? known : "none: the model has no prompts");
}

/* The prompt that the options ask for: a literal one, one by name, or the model's default. */
static lm_status
resolve_prompt(embed_run *run, const lm_embed_options *options)
{
    const lm_sentence_spec *sentence = &run->model->sentence;
    const char *name = options->prompt_name ? options->prompt_name : sentence->default_prompt;

    if (options->prompt) {
        run->prompt = options->prompt;
        run->prompt_length = options->prompt_length;
        return LM_OK;
    }
    if (!name)
        return LM_OK;
    for (int i = 0; i < sentence->prompt_count; i++)
        if (strcmp(sentence->prompts[i].name, name) == 0) {
            run->prompt = sentence->prompts[i].text;
            run->prompt_length = strlen(run->prompt);
            return LM_OK;
        }
    return unknown_prompt(run->ctx, sentence, name);
}

/*
 * How many tokens pooling leaves out: those of the prompt alone, special tokens before it included
 * and one after it not.
 */
static lm_status
measure_prompt(embed_run *run)
{
    lm_encoding *encoding = &run->session->prompt_encoding;
    const lm_tokenizer *tokenizer = &run->model->tokenizer;
    const lm_token_options options = {
        .add_special = true,
        .parse_special = true,
        .max_tokens = run->model->info.max_tokens,
    };

    if (run->prompt_length == 0 || run->model->sentence.include_prompt)
        return LM_OK;
    LM_TRY(lm_tokenize(run->ctx, tokenizer, run->session->scratch, run->prompt, run->prompt_length,
                       &options, encoding));
    if (encoding->truncated) {
        lm_raise(run->ctx, LM_BAD_ARGUMENT, "the prompt is longer than the model's window");
        lm_detail_key(run->ctx, "prompt");
        return lm_detail_allowed(run->ctx, "fewer than %d tokens", options.max_tokens);
    }
    run->excluded = encoding->count;
    if (run->excluded > 0 && lm_token_is_special(tokenizer, encoding->ids[run->excluded - 1]))
        run->excluded--;
    return LM_OK;
}

/* A head's image has no encoder of its own. */
static lm_status
check_encoder(lm_context *ctx, const lm_model *model)
{
    if (model->weights.family)
        return LM_OK;
    lm_raise(ctx, LM_UNSUPPORTED, "the model has no encoder");
    return lm_detail_hint(ctx, "A head runs on the model that it was trained on.");
}

/* Callers ask before they allocate the result. */
lm_status
lm_embed_width(lm_context *ctx, const lm_model *model, const lm_embed_options *options, int *width)
{
    const lm_model *encoder = lm_model_encoder(model);
    int full = encoder->info.dimensions;

    LM_TRY(check_encoder(ctx, encoder));
    if (options->dimensions < 0 || options->dimensions > full) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "the number of dimensions is out of range");
        lm_detail_key(ctx, "dimensions");
        lm_detail_found(ctx, "%d", options->dimensions);
        return lm_detail_allowed(ctx, "1 to %d", full);
    }
    *width = options->dimensions > 0 ? options->dimensions : full;
    return LM_OK;
}

/* All options are checked here, before the first text is read. */
static lm_status
start_run(embed_run *run, const lm_embed_options *options)
{
    int width;

    LM_TRY(lm_embed_width(run->ctx, run->model, options, &width));
    run->full = (size_t)lm_weights_dims(&run->model->weights)->hidden;
    run->width = (size_t)width;
    run->on_long = options->on_long;
    run->batch_tokens = options->batch_tokens > 0 ? options->batch_tokens : DEFAULT_BATCH_TOKENS;
    LM_TRY(lm_session_grow(run->ctx, run->session, &run->session->vectors,
                           &run->session->vector_capacity, 2 * run->full, sizeof(float)));
    LM_TRY(resolve_prompt(run, options));
    return measure_prompt(run);
}

/*
 * Texts are taken in order and the batch runs whenever it is full, so memory does not grow with
 * their number.
 */
lm_status
lm_embed(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
         size_t count, const lm_embed_options *options, float *out, lm_embed_counts *counts)
{
    embed_run run = {
        .ctx = ctx,
        .session = session,
        .model = lm_model_encoder(model),
        .out = out,
        .counts = counts,
    };

    LM_TRY(start_run(&run, options));
    for (size_t i = 0; i < count; i++)
        LM_TRY(add_text(&run, &texts[i], i));
    return flush(&run);
}

/* One text as a batch of its own, cut at the window, with no prompt. */
lm_status
lm_hidden_states(lm_context *ctx, lm_session *session, const lm_model *model, lm_text text,
                 int layer, const float **hidden, size_t *tokens)
{
    const lm_model *encoder = lm_model_encoder(model);
    embed_run run = {.ctx = ctx, .session = session, .model = encoder};
    int layers;

    LM_TRY(check_encoder(ctx, encoder));
    layers = lm_weights_dims(&encoder->weights)->layers;
    if (layer < -1 || layer > layers) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "the model has no such layer");
        lm_detail_key(ctx, "layer");
        lm_detail_found(ctx, "%d", layer);
        return lm_detail_allowed(ctx, "-1 to %d", layers);
    }
    LM_TRY(add_text(&run, &text, 0));
    *tokens = run.tokens;
    return run_encoder(&run, layer < 0 ? layers : layer, NULL, hidden);
}
