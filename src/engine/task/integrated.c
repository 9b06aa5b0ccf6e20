/*
 * integrated.c - integrated gradients along the straight path from the baseline's word embeddings
 * to the text's, by Gauss and Legendre. Points of the path are texts of a batch.
 */
#include "task/integrated.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "base/utf8.h"
#include "kernels/bf16.h"
#include "nn/encoder_grad.h"
#include "task/prompt.h"
#include "task/score_grad.h"

/* Tokens of a batch, at most: each has the inputs of all layers. */
#define MOST_BATCH_TOKENS ((size_t)512)

/* How many steps are tried first, and how near the sum must come to the score's difference. */
#define FIRST_STEPS 16
#define CLOSE 2e-3

const char *const lm_explain_baselines[LM_BASELINES] = {
    [LM_BASELINE_DEFAULT] = "",
    [LM_BASELINE_PAD] = "pad",
    [LM_BASELINE_MASK] = "mask",
    [LM_BASELINE_ZERO] = "zero",
};

/* One text on its way. */
typedef struct path_run {
    lm_context *ctx;
    lm_arena *arena;
    const lm_model *model;
    const lm_tokenizer *tokenizer;
    lm_encoder encoder;
    lm_nn_weights weights;
    lm_score_path score;
    size_t width, hidden; /* E, D */
    lm_embed_counts *counts;
    int32_t baseline;
    size_t batch_tokens;

    size_t tokens;
    int32_t prompt;            /* characters before the text */
    lm_shared_token *shares;   /* (tokens); one that is not the text's own starts at −1 */
    float *sums, *deltas;      /* (tokens, E): of the text; text − baseline */
    size_t points;             /* of a batch */
    size_t *offsets;           /* (points + 1) */
    float *inputs, *gradients; /* (points · tokens, E) */
    float *dhidden;            /* (points · tokens, D) */
    float *workspace;
} path_run;

/* ---- The baseline ---- */

/* How vocabularies write the tokens. */
static const char *const baseline_tokens[LM_BASELINES][2] = {
    [LM_BASELINE_DEFAULT] = {"[PAD]", "<pad>"},
    [LM_BASELINE_PAD] = {"[PAD]", "<pad>"},
    [LM_BASELINE_MASK] = {"[MASK]", "<mask>"},
};

/* The token whose embedding is the baseline's; −1: zeros are. */
static lm_status
baseline_token(const path_run *run, int32_t baseline, int32_t *id)
{
    *id = -1;
    for (int i = 0; i < 2 && *id < 0; i++)
        if (baseline_tokens[baseline][i])
            *id = lm_token_id(run->tokenizer, baseline_tokens[baseline][i],
                              strlen(baseline_tokens[baseline][i]));
    if (*id >= 0 || baseline == LM_BASELINE_DEFAULT || baseline == LM_BASELINE_ZERO)
        return LM_OK;
    lm_raise(run->ctx, LM_BAD_ARGUMENT, "the vocabulary has no token for the baseline");
    lm_detail_key(run->ctx, "baseline");
    lm_detail_found(run->ctx, "%s", lm_explain_baselines[baseline]);
    return lm_detail_allowed(run->ctx, "zero");
}

/* row += sign · the word embedding of a token. */
static void
add_word(const path_run *run, int32_t id, float sign, float *row)
{
    const void *table = lm_model_weight(&run->weights, run->encoder.embedding.words);
    size_t at = (size_t)id * run->width;

    for (size_t i = 0; i < run->width; i++)
        row[i] += sign * (lm_precisions[run->weights.precision].bf16_tables
                              ? lm_bf16_to(((const uint16_t *)table)[at + i])
                              : ((const float *)table)[at + i]);
}

/* What the text's words differ from the baseline by. */
static lm_status
fill_deltas(const path_run *run)
{
    int32_t id;

    LM_TRY(baseline_token(run, run->baseline, &id));
    memset(run->deltas, 0, run->tokens * run->width * sizeof *run->deltas);
    for (size_t i = 0; i < run->tokens; i++) {
        float *row = run->deltas + i * run->width;

        if (run->shares[i].start < 0)
            continue;
        add_word(run, run->shares[i].token, 1, row);
        if (id >= 0)
            add_word(run, id, -1, row);
    }
    return LM_OK;
}

/* ---- Points of the path ---- */

/* Inputs of a batch: the text's sums less (1 − node) of what differs. */
static void
fill_inputs(const path_run *run, const double *nodes, size_t points)
{
    size_t count = run->tokens * run->width;

    for (size_t point = 0; point < points; point++)
        for (size_t i = 0; i < count; i++)
            run->inputs[point * count + i] =
                run->sums[i] - (float)(1 - nodes[point]) * run->deltas[i];
}

/* What a point's gradient adds to the tokens' values. */
static void
add_values(const path_run *run, const float *gradients, double weight)
{
    for (size_t i = 0; i < run->tokens; i++) {
        double sum = 0;

        for (size_t j = i * run->width; j < (i + 1) * run->width; j++)
            sum += (double)run->deltas[j] * (double)gradients[j];
        run->shares[i].value += weight * sum;
    }
}

static lm_encoder_grad
batch_of(const path_run *run, size_t points)
{
    return (lm_encoder_grad){
        .ctx = run->ctx,
        .encoder = &run->encoder,
        .weights = &run->weights,
        .tokens = points * run->tokens,
        .texts = points,
        .longest = run->tokens,
        .offsets = run->offsets,
        .workspace = run->workspace,
    };
}

/* Scores at some nodes of the path; where there are weights, gradients are added up by them. */
static lm_status
run_points(const path_run *run, const double *nodes, const double *weights, size_t points,
           float *scores)
{
    const lm_encoder_grad batch = batch_of(run, points);
    const size_t rows = run->tokens * run->hidden, count = run->tokens * run->width;
    const float *hidden;

    fill_inputs(run, nodes, points);
    LM_TRY(lm_encoder_grad_forward(&batch, run->inputs, &hidden));
    run->counts->forwards++;
    run->counts->tokens += points * run->tokens;
    for (size_t i = 0; i < points; i++)
        LM_TRY(lm_score_path_run(&run->score, hidden + i * rows, run->tokens, &scores[i],
                                 weights ? run->dhidden + i * rows : NULL));
    if (!weights)
        return LM_OK;
    LM_TRY(lm_encoder_grad_backward(&batch, run->dhidden, run->gradients));
    for (size_t i = 0; i < points; i++)
        add_values(run, run->gradients + i * count, weights[i]);
    return LM_OK;
}

/* The same of any number of nodes, batch by batch. */
static lm_status
run_path(const path_run *run, const double *nodes, const double *weights, size_t count,
         float *scores)
{
    for (size_t first = 0; first < count; first += run->points) {
        size_t left = count - first;

        LM_TRY(run_points(run, nodes + first, weights ? weights + first : NULL,
                          left < run->points ? left : run->points, scores + first));
    }
    return LM_OK;
}

/* How much the text's score differs from the baseline's. */
static lm_status
score_difference(const path_run *run, double *difference)
{
    const double ends[] = {0, 1};
    float scores[2];

    LM_TRY(run_path(run, ends, NULL, 2, scores));
    *difference = (double)scores[1] - (double)scores[0];
    if (isfinite(*difference))
        return LM_OK;
    return lm_raise(run->ctx, LM_BAD_MODEL, "the model computed a score that is not finite");
}

/* ---- The integral ---- */

static lm_status
integrate(const path_run *run, size_t steps)
{
    double nodes[LM_EXPLAIN_MOST_STEPS], weights[LM_EXPLAIN_MOST_STEPS];
    float scores[LM_EXPLAIN_MOST_STEPS];

    lm_gauss_legendre(steps, nodes, weights);
    for (size_t i = 0; i < run->tokens; i++)
        run->shares[i].value = 0;
    return run_path(run, nodes, weights, steps, scores);
}

static double
sum_of(const path_run *run)
{
    double sum = 0;

    for (size_t i = 0; i < run->tokens; i++)
        sum += run->shares[i].value;
    return sum;
}

/* Twice as many steps until the sum is near; a large raw score is measured by itself. */
static lm_status
integrate_until_close(const path_run *run)
{
    double wanted, error;

    LM_TRY(score_difference(run, &wanted));
    for (size_t steps = FIRST_STEPS; steps <= LM_EXPLAIN_MOST_STEPS; steps *= 2) {
        LM_TRY(integrate(run, steps));
        error = fabs(sum_of(run) - wanted);
        if (error <= CLOSE * fmax(1, fabs(wanted)))
            return LM_OK;
    }
    lm_raise(run->ctx, LM_UNSUPPORTED, "integrated gradients do not add up to the score");
    lm_detail_found(run->ctx, "an error of %g after %d steps", error, LM_EXPLAIN_MOST_STEPS);
    return lm_detail_hint(run->ctx, "Give a number of steps to have them nevertheless, or leave "
                                    "words out: method 'leave_one_out'.");
}

/* ---- The model ---- */

static lm_status
check_model(path_run *run)
{
    const lm_weights *weights = lm_model_weights(run->model);

    if (!weights)
        return lm_raise(run->ctx, LM_UNSUPPORTED,
                        "integrated gradients need a model with layers; leave_one_out does not");
    if (run->score.steps->mix || run->score.head->late) {
        lm_raise(run->ctx, LM_UNSUPPORTED, "there are no gradients of the model's pooling");
    } else {
        lm_weights_describe(weights, &run->encoder, &run->weights);
        if (lm_encoder_grad_check(run->ctx, &run->encoder, &run->weights) == LM_OK)
            return LM_OK;
    }
    return lm_detail_hint(run->ctx, "Use the method 'leave_one_out', which every model has.");
}

/* ---- The window ---- */

/* All that a path needs, in one piece. Sums cannot overflow: they are less than a thousand times
 * what the session holds of the window. */
static lm_status
make_room(path_run *run)
{
    const size_t rows = run->points * run->tokens, number = sizeof(float);
    size_t size = 0, sums = lm_lay_bytes(&size, run->tokens * run->width * number);
    size_t deltas = lm_lay_bytes(&size, run->tokens * run->width * number);
    size_t inputs = lm_lay_bytes(&size, rows * run->width * number);
    size_t gradients = lm_lay_bytes(&size, rows * run->width * number);
    size_t dhidden = lm_lay_bytes(&size, rows * run->hidden * number);
    size_t space = lm_encoder_grad_size(&run->encoder, rows, run->tokens, 0);
    size_t workspace = lm_lay_bytes(&size, space * number);
    size_t room =
        lm_lay_bytes(&size, lm_score_path_room(run->score.steps, run->score.head) * number);
    size_t offsets = lm_lay_bytes(&size, (run->points + 1) * sizeof *run->offsets);
    size_t shares = lm_lay_bytes(&size, run->tokens * sizeof *run->shares);
    char *base = lm_arena_alloc(run->arena, size);

    if (!base)
        return LM_NO_MEMORY;
    run->sums = (float *)(base + sums);
    run->deltas = (float *)(base + deltas);
    run->inputs = (float *)(base + inputs);
    run->gradients = (float *)(base + gradients);
    run->dhidden = (float *)(base + dhidden);
    run->workspace = (float *)(base + workspace);
    run->score.room = (float *)(base + room);
    run->offsets = (size_t *)(base + offsets);
    run->shares = (lm_shared_token *)(base + shares);
    return LM_OK;
}

/* As many points as fit into a batch; and what is the same for all batches. */
static lm_status
open_batches(path_run *run)
{
    bool fewer = run->batch_tokens > 0 && run->batch_tokens < MOST_BATCH_TOKENS;
    size_t limit = fewer ? run->batch_tokens : MOST_BATCH_TOKENS;

    run->points = limit > run->tokens ? limit / run->tokens : 1;
    LM_TRY(make_room(run));
    for (size_t i = 0; i <= run->points; i++)
        run->offsets[i] = i * run->tokens;
    return LM_OK;
}

/* A token of the text with its place in it; one of a prompt or a special one is none. */
static lm_shared_token
share_of(const path_run *run, int32_t token, const lm_token_range *range)
{
    int32_t start = range->start - run->prompt;

    if (range->start < 0 || range->stop <= run->prompt)
        return (lm_shared_token){token, -1, -1, 0};
    return (lm_shared_token){token, start > 0 ? start : 0, range->stop - run->prompt, 0};
}

/* The batcher and who gets its only window. */
typedef struct window_run {
    lm_batcher batcher;
    path_run *path;
} window_run;

static lm_status
take_window(void *opaque, const lm_window *window, const float *hidden, size_t tokens)
{
    const window_run *run = opaque;
    const lm_session *session = run->batcher.session;
    path_run *path = run->path;
    const lm_batch batch = {.tokens = tokens,
                            .texts = 1,
                            .ids = session->ids + window->token,
                            .type_ids = session->types + window->token,
                            .offsets = (const size_t[]){0, tokens}};

    if (!window->last) { /* the first of several comes first */
        lm_raise(path->ctx, LM_UNSUPPORTED,
                 "integrated gradients cannot explain a text of several windows");
        return lm_detail_hint(path->ctx, "Truncate it (on_long), or leave words out: method "
                                         "'leave_one_out'.");
    }
    path->tokens = tokens;
    path->score.excluded = window->excluded;
    LM_TRY(open_batches(path));
    for (size_t i = 0; i < tokens; i++)
        path->shares[i] = share_of(path, batch.ids[i], &session->ranges[window->token + i]);
    LM_TRY(lm_encoder_sums(path->ctx, &path->encoder, &path->weights, &batch, path->sums));
    return fill_deltas(path);
}

/* The text's tokens as classifying has them. No layer runs, so that they cost next to nothing. */
static lm_status
read_window(path_run *path, lm_session *session, const lm_text *text,
            const lm_embed_options *options)
{
    window_run run = {.batcher = {.ctx = path->ctx,
                                  .session = session,
                                  .model = path->model,
                                  .ranges = true,
                                  .on_long = options->on_long,
                                  .take = take_window,
                                  .opaque = &run},
                      .path = path};

    LM_TRY(lm_prompt_resolve(&run.batcher, options));
    LM_TRY(lm_prompt_measure(&run.batcher));
    path->prompt = (int32_t)lm_utf8_count(run.batcher.prompt, run.batcher.prompt_length);
    LM_TRY(lm_batch_add(&run.batcher, text, 0));
    return lm_batch_flush(&run.batcher);
}

/* The text's own tokens move to the front. */
static size_t
gather_shares(const path_run *run)
{
    size_t count = 0;

    for (size_t i = 0; i < run->tokens; i++)
        if (run->shares[i].start >= 0)
            run->shares[count++] = run->shares[i];
    return count;
}

static path_run
make_run(lm_context *ctx, lm_arena *arena, const lm_model *model, const lm_explain_options *explain)
{
    const lm_model *encoder = lm_model_main(lm_model_encoder(model));

    return (path_run){
        .ctx = ctx,
        .arena = arena,
        .model = encoder,
        .tokenizer = lm_model_tokenizer(encoder),
        .score = {.ctx = ctx,
                  .kernels = encoder->kernels,
                  .steps = lm_model_steps(encoder),
                  .normalize = encoder->sentence.normalize,
                  .head = lm_model_head(model),
                  .label = explain->label},
        .baseline = explain->baseline,
    };
}

lm_status
lm_integrated_gradients(lm_context *ctx, lm_arena *arena, lm_session *session,
                        const lm_model *model, const lm_text *text, const lm_embed_options *options,
                        const lm_explain_options *explain, lm_shared_token **shares, size_t *count,
                        lm_embed_counts *counts)
{
    path_run run = make_run(ctx, arena, model, explain);

    run.counts = counts;
    run.batch_tokens = options->batch_tokens;
    LM_TRY(check_model(&run));
    run.width = lm_encoder_sum_width(&run.encoder);
    run.hidden = run.score.hidden = run.encoder.stack.width;
    LM_TRY(read_window(&run, session, text, options));
    LM_TRY(explain->steps > 0 ? integrate(&run, (size_t)explain->steps)
                              : integrate_until_close(&run));
    *shares = run.shares;
    *count = gather_shares(&run);
    return LM_OK;
}
