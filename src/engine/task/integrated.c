/*
 * integrated.c - integrated gradients along the straight path from the baseline's word embeddings
 * to the text's, by Gauss and Legendre. Points of the path are texts of a batch.
 *
 * A text of several windows has one path, along which all of them go. Their vectors are joined as
 * lm_embed joins them; so at each point every window is computed for its vector first, and once
 * more for the way back. Layers need the memory of one window; of all, words' vectors are kept.
 */
#include "task/integrated.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "base/utf8.h"
#include "kernels/bf16.h"
#include "nn/encoder_grad.h"
#include "nn/grad.h"
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

/* A window of the text. */
typedef struct path_window {
    struct path_window *next;
    size_t tokens, excluded;
    float weight;            /* of its vector, where there are several */
    lm_shared_token *shares; /* (tokens); one that is not the text's own starts at −1 */
    float *sums, *deltas;    /* (tokens, E): of the text; text − baseline */
    float *added;            /* (tokens, D), where others are added behind the projection */
} path_window;

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

    int32_t prompt; /* characters before the text */
    path_window *first, *last;
    size_t tokens;             /* of the longest window */
    size_t kept;               /* tokens of all windows */
    size_t points;             /* of a batch; 1 of several windows */
    size_t *offsets;           /* (points + 1), of the window under way */
    float *inputs, *gradients; /* (points · tokens, E) */
    float *dhidden;            /* (points · tokens, D) */
    float *added;              /* (points · tokens, D) or NULL: of every point the window's */
    float *vector, *joined;    /* of a window, and of all; both gradients too */
    float *dvector;
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
fill_deltas(const path_run *run, const path_window *window)
{
    int32_t id;

    LM_TRY(baseline_token(run, run->baseline, &id));
    memset(window->deltas, 0, window->tokens * run->width * sizeof *window->deltas);
    for (size_t i = 0; i < window->tokens; i++) {
        float *row = window->deltas + i * run->width;

        if (window->shares[i].start < 0)
            continue;
        add_word(run, window->shares[i].token, 1, row);
        if (id >= 0)
            add_word(run, id, -1, row);
    }
    return LM_OK;
}

/* ---- Points of the path ---- */

/* Inputs of a batch: the text's sums less (1 − node) of what differs. */
static void
fill_inputs(const path_run *run, const path_window *window, const double *nodes, size_t points)
{
    size_t count = window->tokens * run->width;

    for (size_t point = 0; point < points; point++)
        for (size_t i = 0; i < count; i++)
            run->inputs[point * count + i] =
                window->sums[i] - (float)(1 - nodes[point]) * window->deltas[i];
}

/* What a point's gradient adds to the tokens' values. */
static void
add_values(const path_run *run, const path_window *window, const float *gradients, double weight)
{
    for (size_t i = 0; i < window->tokens; i++) {
        double sum = 0;

        for (size_t j = i * run->width; j < (i + 1) * run->width; j++)
            sum += (double)window->deltas[j] * (double)gradients[j];
        window->shares[i].value += weight * sum;
    }
}

/* A window at some points, side by side. */
static lm_encoder_grad
batch_of(const path_run *run, const path_window *window, size_t points)
{
    const size_t rows = window->tokens * run->hidden;

    for (size_t i = 0; i <= points; i++)
        run->offsets[i] = i * window->tokens;
    for (size_t i = 0; run->added && i < points; i++)
        memcpy(run->added + i * rows, window->added, rows * sizeof *run->added);
    return (lm_encoder_grad){
        .ctx = run->ctx,
        .encoder = &run->encoder,
        .weights = &run->weights,
        .mix = run->score.steps->mix,
        .added = run->added,
        .tokens = points * window->tokens,
        .texts = points,
        .longest = window->tokens,
        .offsets = run->offsets,
        .workspace = run->workspace,
    };
}

/* Hidden states of a window at some nodes. */
static lm_status
run_forward(path_run *run, const path_window *window, const double *nodes, size_t points,
            const lm_encoder_grad *batch, const float **hidden)
{
    fill_inputs(run, window, nodes, points);
    LM_TRY(lm_encoder_grad_forward(batch, run->inputs, hidden));
    run->score.excluded = window->excluded;
    run->counts->forwards++;
    run->counts->tokens += points * window->tokens;
    return LM_OK;
}

/* Scores of a text of one window at some nodes of the path; where there are weights, gradients are
 * added up by them. */
static lm_status
run_points(path_run *run, const double *nodes, const double *weights, size_t points, float *scores)
{
    const path_window *window = run->first;
    const lm_encoder_grad batch = batch_of(run, window, points);
    const size_t rows = window->tokens * run->hidden, count = window->tokens * run->width;
    const float *hidden;

    LM_TRY(run_forward(run, window, nodes, points, &batch, &hidden));
    for (size_t i = 0; i < points; i++)
        LM_TRY(lm_score_path_run(&run->score, hidden + i * rows, window->tokens, &scores[i],
                                 weights ? run->dhidden + i * rows : NULL));
    if (!weights)
        return LM_OK;
    LM_TRY(lm_encoder_grad_backward(&batch, run->dhidden, run->gradients));
    for (size_t i = 0; i < points; i++)
        add_values(run, window, run->gradients + i * count, weights[i]);
    return LM_OK;
}

/* ---- Several windows ---- */

/* The sum of the windows' vectors at a node, by their weights. */
static lm_status
join_windows(path_run *run, double node)
{
    const size_t width = lm_score_path_width(&run->score);
    const float *hidden;

    memset(run->joined, 0, width * sizeof *run->joined);
    for (const path_window *window = run->first; window; window = window->next) {
        const lm_encoder_grad batch = batch_of(run, window, 1);

        LM_TRY(run_forward(run, window, &node, 1, &batch, &hidden));
        LM_TRY(lm_score_path_embed(&run->score, hidden, window->tokens, run->vector));
        for (size_t i = 0; i < width; i++)
            run->joined[i] += window->weight * run->vector[i];
    }
    return LM_OK;
}

/* From the gradient of the sum to the values of a window's tokens. */
static lm_status
run_back(path_run *run, const path_window *window, double node, double weight)
{
    const lm_encoder_grad batch = batch_of(run, window, 1);
    const float *hidden;

    for (size_t i = 0; i < lm_score_path_width(&run->score); i++)
        run->vector[i] = window->weight * run->dvector[i];
    LM_TRY(run_forward(run, window, &node, 1, &batch, &hidden));
    LM_TRY(lm_score_path_back(&run->score, hidden, window->tokens, run->vector, run->dhidden));
    LM_TRY(lm_encoder_grad_backward(&batch, run->dhidden, run->gradients));
    add_values(run, window, run->gradients, weight);
    return LM_OK;
}

/* The same as run_points at one node. */
static lm_status
run_windows(path_run *run, const double *node, const double *weight, size_t points, float *score)
{
    const size_t width = lm_score_path_width(&run->score);

    LM_TRY(join_windows(run, *node));
    memcpy(run->vector, run->joined, width * sizeof *run->vector);
    if (run->score.normalize)
        run->score.kernels->l2_normalize_f32(width, run->vector, LM_NORM_EPS);
    LM_TRY(lm_score_path_score(&run->score, run->vector, score, weight ? run->dvector : NULL));
    if (!weight)
        return LM_OK;
    if (run->score.normalize)
        lm_normalize_backward(width, LM_NORM_EPS, run->joined, run->dvector, run->dvector);
    for (const path_window *window = run->first; window; window = window->next)
        LM_TRY(run_back(run, window, *node, *weight));
    return LM_OK;
}

/* ---- The path ---- */

/* The same of any number of nodes, batch by batch. */
static lm_status
run_path(path_run *run, const double *nodes, const double *weights, size_t count, float *scores)
{
    lm_status (*run_some)(path_run *, const double *, const double *, size_t, float *) =
        run->first->next ? run_windows : run_points;

    for (size_t first = 0; first < count; first += run->points) {
        size_t left = count - first;

        LM_TRY(run_some(run, nodes + first, weights ? weights + first : NULL,
                        left < run->points ? left : run->points, scores + first));
    }
    return LM_OK;
}

/* How much the text's score differs from the baseline's. */
static lm_status
score_difference(path_run *run, double *difference)
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
integrate(path_run *run, size_t steps)
{
    double nodes[LM_EXPLAIN_MOST_STEPS], weights[LM_EXPLAIN_MOST_STEPS];
    float scores[LM_EXPLAIN_MOST_STEPS];

    lm_gauss_legendre(steps, nodes, weights);
    for (const path_window *window = run->first; window; window = window->next)
        for (size_t i = 0; i < window->tokens; i++)
            window->shares[i].value = 0;
    return run_path(run, nodes, weights, steps, scores);
}

static double
sum_of(const path_run *run)
{
    double sum = 0;

    for (const path_window *window = run->first; window; window = window->next)
        for (size_t i = 0; i < window->tokens; i++)
            sum += window->shares[i].value;
    return sum;
}

/* Twice as many steps until the sum is near; a large raw score is measured by itself. */
static lm_status
integrate_until_close(path_run *run)
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
    lm_weights_describe(weights, &run->encoder, &run->weights);
    if (lm_encoder_grad_check(run->ctx, &run->encoder, &run->weights) == LM_OK)
        return LM_OK;
    return lm_detail_hint(run->ctx, "Use the method 'leave_one_out', which every model has.");
}

/* ---- The windows ---- */

/* What batches need, in one piece. Sums cannot overflow: they are less than a thousand times what
 * the session holds of a window. */
static lm_status
make_room(path_run *run)
{
    const size_t rows = run->points * run->tokens, number = sizeof(float);
    const size_t width = lm_score_path_width(&run->score) * number;
    const bool adds = lm_encoder_adds(&run->encoder);
    size_t size = 0, inputs = lm_lay_bytes(&size, rows * run->width * number);
    size_t gradients = lm_lay_bytes(&size, rows * run->width * number);
    size_t dhidden = lm_lay_bytes(&size, rows * run->hidden * number);
    size_t added = lm_lay_bytes(&size, adds ? rows * run->hidden * number : 0);
    size_t vectors[3];
    size_t space = lm_encoder_grad_size(&run->encoder, rows, run->tokens, 0);
    size_t workspace = lm_lay_bytes(&size, space * number);
    size_t room =
        lm_lay_bytes(&size, lm_score_path_room(run->score.steps, run->score.head) * number);
    size_t offsets = lm_lay_bytes(&size, (run->points + 1) * sizeof *run->offsets);
    char *base;

    for (int i = 0; i < 3; i++)
        vectors[i] = lm_lay_bytes(&size, width);
    base = lm_arena_alloc(run->arena, size);
    if (!base)
        return LM_NO_MEMORY;
    run->inputs = (float *)(base + inputs);
    run->gradients = (float *)(base + gradients);
    run->dhidden = (float *)(base + dhidden);
    run->added = adds ? (float *)(base + added) : NULL;
    run->vector = (float *)(base + vectors[0]);
    run->joined = (float *)(base + vectors[1]);
    run->dvector = (float *)(base + vectors[2]);
    run->workspace = (float *)(base + workspace);
    run->score.room = (float *)(base + room);
    run->offsets = (size_t *)(base + offsets);
    return LM_OK;
}

/* As many points as fit into a batch; of several windows one point, window by window. */
static lm_status
open_batches(path_run *run)
{
    bool fewer = run->batch_tokens > 0 && run->batch_tokens < MOST_BATCH_TOKENS;
    size_t limit = fewer ? run->batch_tokens : MOST_BATCH_TOKENS;

    run->points = !run->first->next && limit > run->tokens ? limit / run->tokens : 1;
    return make_room(run);
}

/* A window that is kept, in one piece. */
static path_window *
make_window(const path_run *run, size_t tokens)
{
    const size_t sums = tokens * run->width * sizeof(float);
    size_t size = 0, start = lm_lay_bytes(&size, sizeof(path_window));
    size_t own = lm_lay_bytes(&size, sums), deltas = lm_lay_bytes(&size, sums);
    size_t added = lm_lay_bytes(
        &size, lm_encoder_adds(&run->encoder) ? tokens * run->hidden * sizeof(float) : 0);
    size_t shares = lm_lay_bytes(&size, tokens * sizeof(lm_shared_token));
    char *base = lm_arena_alloc(run->arena, size);
    path_window *window = (path_window *)(void *)(base + start);

    if (!base)
        return NULL;
    *window = (path_window){
        .tokens = tokens,
        .shares = (lm_shared_token *)(void *)(base + shares),
        .sums = (float *)(void *)(base + own),
        .deltas = (float *)(void *)(base + deltas),
        .added = (float *)(void *)(base + added),
    };
    return window;
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

static lm_status
check_kept(path_run *path, size_t tokens)
{
    path->kept += tokens;
    if (path->kept <= LM_EXPLAIN_MOST_TOKENS)
        return LM_OK;
    lm_raise(path->ctx, LM_TOO_LARGE, "the text has too many tokens for integrated gradients");
    return lm_detail_allowed(path->ctx, "at most %zu", LM_EXPLAIN_MOST_TOKENS);
}

/* The batcher and who gets its windows. */
typedef struct window_run {
    lm_batcher batcher;
    path_run *path;
} window_run;

static void
keep_window(path_run *path, path_window *window)
{
    if (path->last)
        path->last->next = window;
    else
        path->first = window;
    path->last = window;
    path->tokens = window->tokens > path->tokens ? window->tokens : path->tokens;
}

static lm_status
take_window(void *opaque, const lm_window *from, const float *hidden, size_t tokens)
{
    const window_run *run = opaque;
    const lm_session *session = run->batcher.session;
    path_run *path = run->path;
    path_window *window;
    const lm_batch batch = {.tokens = tokens,
                            .texts = 1,
                            .ids = session->ids + from->token,
                            .type_ids = session->types + from->token,
                            .offsets = (const size_t[]){0, tokens}};

    LM_TRY(check_kept(path, tokens));
    if (!(window = make_window(path, tokens)))
        return LM_NO_MEMORY;
    window->excluded = from->excluded;
    window->weight = (float)from->weight;
    keep_window(path, window);
    for (size_t i = 0; i < tokens; i++)
        window->shares[i] = share_of(path, batch.ids[i], &session->ranges[from->token + i]);
    LM_TRY(lm_encoder_sums(path->ctx, &path->encoder, &path->weights, &batch, window->sums));
    if (lm_encoder_adds(&path->encoder))
        LM_TRY(lm_encoder_added(path->ctx, &path->encoder, &path->weights, &batch, window->added));
    return fill_deltas(path, window);
}

/* The text's tokens as classifying has them. No layer runs, so that they cost next to nothing. */
static lm_status
read_windows(path_run *path, lm_session *session, const lm_text *text,
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
    LM_TRY(lm_batch_flush(&run.batcher));
    return open_batches(path);
}

/* The text's own tokens, of all windows. */
static lm_status
gather_shares(const path_run *run, lm_shared_token **shares, size_t *count)
{
    size_t most = 0;

    for (const path_window *window = run->first; window; window = window->next)
        most += window->tokens;
    *count = 0;
    *shares = lm_arena_array(run->arena, most + 1, sizeof **shares);
    if (!*shares)
        return LM_NO_MEMORY;
    for (const path_window *window = run->first; window; window = window->next)
        for (size_t i = 0; i < window->tokens; i++)
            if (window->shares[i].start >= 0)
                (*shares)[(*count)++] = window->shares[i];
    return LM_OK;
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
    LM_TRY(read_windows(&run, session, text, options));
    LM_TRY(explain->steps > 0 ? integrate(&run, (size_t)explain->steps)
                              : integrate_until_close(&run));
    return gather_shares(&run, shares, count);
}
