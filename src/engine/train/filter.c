/*
 * filter.c - a yes or no that an oracle gives, learnt from a limited number of its answers.
 *
 * The rows of the query are a population, of which a uniform sample of at most MOST_ROWS is kept.
 * Of these, a random sample is set apart before anything is learnt: its texts are never learnt
 * from, and its answers are the certificate (certify.h). The rest of the budget goes to rows to
 * learn from, in rounds: first at random, then those that the head of the rounds before is least
 * sure of. The oracle is asked once about a text, however often it occurs.
 *
 * What is made is an ordinary head of three labels on score z and distance t: "false" gets -z - t,
 * "true" z - t, "unknown" 0. The best one is the filter's answer, so that a filter is loaded,
 * stored and exported like any classifier.
 */
#include "train/filter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/intern.h"
#include "base/rng.h"
#include "base/size.h"
#include "base/sort.h"
#include "model/head.h"
#include "train/bound.h"
#include "train/certify.h"
#include "train/softmax.h"

#define MOST_ROWS 65536
#define MOST_BUDGET 1000000
/* The certificate's part of the budget. */
#define SAMPLE_SHARE 0.4
/* Rounds of asking: the first, at random, takes a quarter of what is there to learn from. */
#define ROUNDS 9
#define FIRST_ROUND 0.25
#define POLL_ROWS 1024

enum { FALSE_ROW, TRUE_ROW, UNKNOWN_ROW, LABELS };

enum { NOT_ASKED = -3, TAKEN = -2, NO_ANSWER = -1 }; /* beside 0 and 1 */

typedef struct filter_options {
    char *oracle;
    double agreement, confidence;
    int64_t budget, seed;
} filter_options;

typedef struct filter {
    lm_context *ctx;
    filter_options options;
    size_t width;
    float *vectors; /* (rows, width) */
    lm_text *texts; /* (rows), copies */
    size_t rows, room, seen;
    lm_rng rng;
    size_t *order;       /* (rows) in random order: the sample, then the others */
    size_t sample, held; /* rows of the sample, and their texts */
    uint32_t *text_of;   /* (rows): the number of the row's text */
    bool *apart;         /* (texts): of the sample */
    signed char *answer; /* (texts) */
    int round;
    size_t *asking; /* rows that the last round asks about */
    lm_text *asked_texts;
    size_t asking_count, asked, unanswered, learnt;
    float *weight; /* (width): of the score */
    double bias;
    double *scores; /* (rows) */
    lm_certificate certificate;
} filter;

static void
filter_defaults(void *options)
{
    *(filter_options *)options =
        (filter_options){.agreement = 0.95, .confidence = 0.95, .budget = 1000, .seed = 42};
}

static const char *
filter_oracle(const void *options, int64_t *budget)
{
    *budget = ((const filter_options *)options)->budget;
    return ((const filter_options *)options)->oracle;
}

/* How many rows prove something at best. */
static size_t
least_sample(const filter_options *options)
{
    return lm_share_rows(options->agreement, 1 - options->confidence);
}

/* Half of a small budget may be needed to prove anything. */
static lm_status
check_budget(lm_context *ctx, const filter_options *options)
{
    const size_t least = least_sample(options);

    if ((size_t)options->budget >= 2 * least)
        return LM_OK;
    lm_raise(ctx, LM_BAD_ARGUMENT, "the budget is too small to prove the agreement");
    lm_detail_key(ctx, "budget");
    lm_detail_found(ctx, "%lld", (long long)options->budget);
    return lm_detail_allowed(ctx,
                             "at least %zu for an agreement of %g with a confidence of %g: half of "
                             "it proves, half of it teaches",
                             2 * least, options->agreement, options->confidence);
}

static lm_status
filter_open(lm_context *ctx, const void *options, size_t width, void **training)
{
    filter *f = lm_alloc_zero(ctx, sizeof *f);

    *training = f;
    if (!f)
        return LM_NO_MEMORY;
    f->ctx = ctx;
    f->options = *(const filter_options *)options;
    f->width = width;
    lm_rng_seed(&f->rng, (uint64_t)f->options.seed);
    return check_budget(ctx, &f->options);
}

static void
filter_close(void *training)
{
    filter *f = training;

    if (!f)
        return;
    for (size_t i = 0; i < f->rows; i++)
        lm_free(f->ctx, (void *)f->texts[i].bytes);
    lm_free(f->ctx, f->texts);
    lm_free(f->ctx, f->vectors);
    lm_free(f->ctx, f->order);
    lm_free(f->ctx, f->text_of);
    lm_free(f->ctx, f->apart);
    lm_free(f->ctx, f->answer);
    lm_free(f->ctx, f->asking);
    lm_free(f->ctx, f->asked_texts);
    lm_free(f->ctx, f->weight);
    lm_free(f->ctx, f->scores);
    lm_free(f->ctx, f);
}

/* ---- Rows ---- */

/* Room for one more. */
static lm_status
make_room(filter *f)
{
    const size_t room = lm_grown_room(f->room, 64);
    size_t numbers, bytes;
    void *grown;

    if (f->rows < f->room)
        return LM_OK;
    if (lm_mul_overflows(room, f->width, &numbers) ||
        lm_mul_overflows(numbers, sizeof(float), &bytes))
        return lm_raise(f->ctx, LM_TOO_LARGE, "too many rows to train on");
    if (!(grown = lm_keep(f->ctx, f->vectors, bytes)))
        return LM_NO_MEMORY;
    f->vectors = grown;
    if (!(grown = lm_realloc(f->ctx, f->texts, room * sizeof *f->texts)))
        return LM_NO_MEMORY;
    f->texts = grown;
    f->room = room;
    return LM_OK;
}

static lm_status
put_row(filter *f, size_t place, lm_text text, const float *vector)
{
    char *copy = lm_alloc(f->ctx, text.length + 1);

    if (!copy)
        return LM_NO_MEMORY;
    if (place < f->rows)
        lm_free(f->ctx, (void *)f->texts[place].bytes);
    else
        f->rows++;
    memcpy(copy, text.bytes, text.length);
    f->texts[place] = (lm_text){copy, text.length};
    memcpy(f->vectors + place * f->width, vector, f->width * sizeof *vector);
    return LM_OK;
}

/* Each row of the query is as likely to be kept as any other (algorithm R, Vitter 1985). */
static lm_status
filter_add_rows(void *training, const lm_train_rows *rows)
{
    filter *f = training;

    for (size_t i = 0; i < rows->count; i++) {
        size_t place = f->rows;

        f->seen++;
        if (f->rows == MOST_ROWS)
            place = (size_t)lm_rng_below(&f->rng, f->seen);
        else
            LM_TRY(make_room(f));
        if (place < MOST_ROWS)
            LM_TRY(put_row(f, place, rows->texts[0][i], rows->vectors + i * f->width));
    }
    return LM_OK;
}

static const char *
filter_lacking(const void *training, const char **hint)
{
    const filter *f = training;

    if (f->rows >= 2 * least_sample(&f->options))
        return NULL;
    *hint = "Half of the rows, or of the budget, proves the agreement: ask for less of it, or give "
            "more rows.";
    return "returned too few rows to prove the agreement";
}

/* ---- Setting the sample apart ---- */

static void
shuffle(filter *f)
{
    for (size_t i = 0; i < f->rows; i++)
        f->order[i] = i;
    for (size_t i = f->rows; i > 1; i--) {
        const size_t other = (size_t)lm_rng_below(&f->rng, i), row = f->order[i - 1];

        f->order[i - 1] = f->order[other];
        f->order[other] = row;
    }
}

/* Rows of one text have one number, and the oracle is asked once for it. */
static lm_status
number_texts(filter *f, lm_intern *numbers)
{
    for (size_t i = 0; i < f->rows; i++) {
        if (i % POLL_ROWS == 0)
            LM_TRY(lm_poll(f->ctx));
        LM_TRY(lm_intern_add(numbers, f->texts[i].bytes, f->texts[i].length, &f->text_of[i]));
    }
    return LM_OK;
}

/* At most half of the rows, at least what can prove anything. */
static size_t
sample_size(const filter *f)
{
    const size_t least = least_sample(&f->options), most = f->rows / 2;
    const size_t wanted = (size_t)(SAMPLE_SHARE * (double)f->options.budget);
    const size_t size = wanted > least ? wanted : least;

    return size < most ? size : most;
}

static lm_status
allocate(filter *f)
{
    const size_t most = f->rows < (size_t)f->options.budget ? f->rows : (size_t)f->options.budget;

    f->order = lm_alloc_array(f->ctx, f->rows, sizeof *f->order);
    f->text_of = lm_alloc_array(f->ctx, f->rows, sizeof *f->text_of);
    f->apart = lm_alloc_zero(f->ctx, f->rows * sizeof *f->apart);
    f->answer = lm_alloc(f->ctx, f->rows * sizeof *f->answer);
    f->asking = lm_alloc_array(f->ctx, most, sizeof *f->asking);
    f->asked_texts = lm_alloc_array(f->ctx, most, sizeof *f->asked_texts);
    f->weight = lm_alloc_array(f->ctx, f->width, sizeof *f->weight);
    f->scores = lm_alloc_array(f->ctx, f->rows, sizeof *f->scores);
    if (!f->order || !f->text_of || !f->apart || !f->answer || !f->asking || !f->asked_texts ||
        !f->weight || !f->scores)
        return LM_NO_MEMORY;
    memset(f->answer, NOT_ASKED, f->rows * sizeof *f->answer);
    return LM_OK;
}

static lm_status
set_apart(filter *f)
{
    lm_intern numbers;
    lm_status status;

    LM_TRY(allocate(f));
    lm_intern_init(&numbers, f->ctx, "texts");
    status = number_texts(f, &numbers);
    lm_intern_free(&numbers);
    LM_TRY(status);
    shuffle(f);
    f->sample = sample_size(f);
    for (size_t i = 0; i < f->sample; i++) {
        bool *apart = &f->apart[f->text_of[f->order[i]]];

        f->held += !*apart;
        *apart = true;
    }
    return LM_OK;
}

/* ---- Learning ---- */

/* Rows to learn from: each text once. */
static size_t
gather(const filter *f, float *x, int32_t *y, bool *seen, size_t *yes)
{
    size_t count = 0;

    *yes = 0;
    for (size_t i = f->sample; i < f->rows; i++) {
        const size_t row = f->order[i];
        const uint32_t text = f->text_of[row];

        if (f->apart[text] || f->answer[text] < 0 || seen[text])
            continue;
        seen[text] = true;
        memcpy(x + count * f->width, f->vectors + row * f->width, f->width * sizeof *x);
        *yes += (size_t)f->answer[text];
        y[count++] = f->answer[text];
    }
    return count;
}

/* The score is how much the label 1 is ahead of 0. */
static void
take_weights(filter *f, const lm_softmax_result *result)
{
    for (size_t i = 0; i < f->width; i++)
        f->weight[i] = result->weight[f->width + i] - result->weight[i];
    f->bias = (double)result->bias[1] - (double)result->bias[0];
}

static lm_status
learn_rows(filter *f, const float *x, const int32_t *y, size_t count)
{
    lm_softmax_options options;
    lm_softmax_result result = {.weight = NULL};
    lm_status status;

    lm_softmax_defaults(&options);
    options.hold_out = 0;
    options.seed = (uint64_t)f->options.seed;
    status = lm_softmax_train(f->ctx, x, y, count, f->width, 2, &options, NULL, NULL, &result);
    if (status == LM_OK)
        take_weights(f, &result);
    lm_free(f->ctx, result.weight);
    lm_free(f->ctx, result.bias);
    return status;
}

static lm_status
score_rows(filter *f)
{
    for (size_t i = 0; i < f->rows; i++) {
        const float *vector = f->vectors + i * f->width;
        double score = f->bias;

        if (i % POLL_ROWS == 0)
            LM_TRY(lm_poll(f->ctx));
        for (size_t k = 0; k < f->width; k++)
            score += (double)f->weight[k] * (double)vector[k];
        f->scores[i] = score;
    }
    return LM_OK;
}

/* *learnt is false where the answers so far are all the same. */
static lm_status
learn(filter *f, bool *learnt)
{
    const size_t most = f->asked > 0 ? f->asked : 1;
    float *x = lm_alloc_array(f->ctx, most * f->width, sizeof *x);
    int32_t *y = lm_alloc_array(f->ctx, most, sizeof *y);
    bool *seen = lm_alloc_zero(f->ctx, f->rows * sizeof *seen);
    lm_status status = x && y && seen ? LM_OK : LM_NO_MEMORY;
    size_t yes = 0;

    *learnt = false;
    if (status == LM_OK) {
        f->learnt = gather(f, x, y, seen, &yes);
        *learnt = yes > 0 && yes < f->learnt;
        if (*learnt)
            status = learn_rows(f, x, y, f->learnt);
    }
    lm_free(f->ctx, x);
    lm_free(f->ctx, y);
    lm_free(f->ctx, seen);
    return status == LM_OK && *learnt ? score_rows(f) : status;
}

/* ---- Asking ---- */

typedef struct ranked_row {
    double distance;
    size_t place; /* in the random order, which parts equals */
} ranked_row;

static int
compare_rows(const void *a, const void *b)
{
    const ranked_row *first = a, *second = b;

    if (first->distance != second->distance)
        return first->distance < second->distance ? -1 : 1;
    return first->place < second->place ? -1 : first->place > second->place;
}

/* Ask about a row's text, if it is to be learnt from and nobody has. */
static void
ask(filter *f, size_t row)
{
    signed char *answer = &f->answer[f->text_of[row]];

    if (*answer != NOT_ASKED)
        return;
    *answer = TAKEN;
    f->asking[f->asking_count] = row;
    f->asked_texts[f->asking_count++] = f->texts[row];
}

static lm_status
ask_nearest(filter *f, size_t count)
{
    const size_t others = f->rows - f->sample;
    ranked_row *ranked = lm_alloc_array(f->ctx, others, sizeof *ranked);
    lm_status status;

    if (!ranked)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < others; i++)
        ranked[i] = (ranked_row){fabs(f->scores[f->order[f->sample + i]]), f->sample + i};
    status = lm_sort(f->ctx, ranked, others, sizeof *ranked, compare_rows);
    for (size_t i = 0; status == LM_OK && i < others && f->asking_count < count; i++)
        if (!f->apart[f->text_of[f->order[ranked[i].place]]])
            ask(f, f->order[ranked[i].place]);
    lm_free(f->ctx, ranked);
    return status;
}

static void
ask_at_random(filter *f, size_t count)
{
    for (size_t i = f->sample; i < f->rows && f->asking_count < count; i++)
        if (!f->apart[f->text_of[f->order[i]]])
            ask(f, f->order[i]);
}

/* How many texts a round asks about: what is left, in equal parts. */
static size_t
round_size(const filter *f)
{
    const size_t left = (size_t)f->options.budget - f->held - f->asked;

    if (f->round == 0)
        return (size_t)ceil(FIRST_ROUND * (double)left);
    return (left + (size_t)(ROUNDS - f->round) - 1) / (size_t)(ROUNDS - f->round);
}

static lm_status
ask_to_learn(filter *f)
{
    const size_t count = round_size(f);
    bool learnt = false;

    if (f->round > 0)
        LM_TRY(learn(f, &learnt));
    if (learnt)
        LM_TRY(ask_nearest(f, count));
    else
        ask_at_random(f, count);
    return LM_OK;
}

static lm_status
refuse_answers(filter *f)
{
    lm_raise(f->ctx, LM_BAD_ARGUMENT, "the oracle's answers do not differ: nothing can be learnt");
    lm_detail_key(f->ctx, "oracle");
    lm_detail_found(f->ctx, "%zu answers, all alike, and NULL for %zu texts", f->learnt,
                    f->unanswered);
    return lm_detail_allowed(f->ctx, "some that are true and some that are false");
}

/* The sample comes last: what is learnt cannot depend on it. */
static lm_status
ask_sample(filter *f)
{
    bool learnt;

    LM_TRY(learn(f, &learnt));
    if (!learnt)
        return refuse_answers(f);
    for (size_t i = 0; i < f->sample; i++)
        ask(f, f->order[i]);
    return LM_OK;
}

/* Rounds in which nothing is left to ask about are passed over. */
static lm_status
filter_wanted(void *training, const lm_text **texts, size_t *count)
{
    filter *f = training;

    if (!f->order)
        LM_TRY(set_apart(f));
    f->asking_count = 0;
    while (f->asking_count == 0 && f->round <= ROUNDS) {
        LM_TRY(f->round < ROUNDS ? ask_to_learn(f) : ask_sample(f));
        f->round++;
    }
    *texts = f->asked_texts;
    *count = f->asking_count;
    return LM_OK;
}

static void
filter_answered(void *training, const signed char *answers)
{
    filter *f = training;

    for (size_t i = 0; i < f->asking_count; i++) {
        f->answer[f->text_of[f->asking[i]]] = answers[i];
        f->unanswered += answers[i] == NO_ANSWER;
    }
    f->asked += f->asking_count;
}

/* ---- The certificate ---- */

static int
compare_numbers(const void *a, const void *b)
{
    const double first = *(const double *)a, second = *(const double *)b;

    return first < second ? -1 : first > second;
}

/* Rows of the sample that the oracle had an answer for. */
static size_t
judge_sample(const filter *f, lm_certify_row *sample)
{
    size_t count = 0;

    for (size_t i = 0; i < f->sample; i++) {
        const size_t row = f->order[i];
        const signed char answer = f->answer[f->text_of[row]];

        if (answer >= 0)
            sample[count++] =
                (lm_certify_row){fabs(f->scores[row]), (f->scores[row] > 0) == (answer == 1)};
    }
    return count;
}

static lm_status
certify(filter *f)
{
    const size_t others = f->rows - f->sample;
    double *distances = lm_alloc_array(f->ctx, others, sizeof *distances);
    lm_certify_row *sample = lm_alloc_array(f->ctx, f->sample, sizeof *sample);
    lm_status status = distances && sample ? LM_OK : LM_NO_MEMORY;

    if (status == LM_OK) {
        for (size_t i = 0; i < others; i++)
            distances[i] = fabs(f->scores[f->order[f->sample + i]]);
        status = lm_sort(f->ctx, distances, others, sizeof *distances, compare_numbers);
    }
    if (status == LM_OK)
        lm_certify(distances, others, sample, judge_sample(f, sample), f->options.agreement,
                   f->options.confidence, &f->certificate);
    lm_free(f->ctx, distances);
    lm_free(f->ctx, sample);
    return status;
}

static lm_status
refuse_certificate(filter *f)
{
    const lm_certificate *c = &f->certificate;

    lm_raise(f->ctx, LM_BAD_ARGUMENT,
             "no filter was made: nothing proves that it agrees with the oracle");
    lm_detail_key(f->ctx, "agreement");
    lm_detail_found(f->ctx, "%zu of the %zu surest rows of a sample agree, which proves %.3f",
                    c->agreed, c->decided, c->bound);
    lm_detail_allowed(f->ctx, "at least %g, with a confidence of %g", f->options.agreement,
                      f->options.confidence);
    return lm_detail_hint(
        f->ctx, "Raise the budget, ask for less agreement, or use a better base; an "
                "oracle that depends on more than what a text is about cannot be learnt.");
}

/* All was learnt on the way to the answers. */
static lm_status
filter_fit(void *training, const lm_train_watch *watch)
{
    filter *f = training;

    (void)watch;
    LM_TRY(certify(f));
    return f->certificate.proven ? LM_OK : refuse_certificate(f);
}

/* ---- Outcome ---- */

static void
add_value(lm_train_outcome *outcome, const char *name, double value)
{
    outcome->values[outcome->value_count++] = (lm_train_value){.name = name, .value = value};
}

/* Of the rows that are kept. */
static double
share_of_true(const filter *f)
{
    size_t count = 0;

    for (size_t i = 0; i < f->rows; i++)
        count += f->scores[i] > 0 && f->scores[i] >= f->certificate.distance;
    return (double)count / (double)f->rows;
}

static void
add_figures(const filter *f, lm_train_outcome *outcome)
{
    const lm_certificate *c = &f->certificate;

    add_value(outcome, "agreement", f->options.agreement);
    add_value(outcome, "confidence", f->options.confidence);
    add_value(outcome, "budget", (double)f->options.budget);
    add_value(outcome, "oracle_calls", (double)f->asked);
    add_value(outcome, "unanswered", (double)f->unanswered);
    add_value(outcome, "learnt", (double)f->learnt);
    add_value(outcome, "sample", (double)f->sample);
    add_value(outcome, "sample_decided", (double)c->decided);
    add_value(outcome, "sample_agreed", (double)c->agreed);
    add_value(outcome, "bound", c->bound);
    add_value(outcome, "lower", -c->distance);
    add_value(outcome, "upper", c->distance);
    add_value(outcome, "decided", c->share);
    add_value(outcome, "decided_true", share_of_true(f));
    add_value(outcome, "seed", (double)f->options.seed);
}

static void
fill_head(const filter *f, float *weight, float *bias)
{
    for (size_t i = 0; i < f->width; i++) {
        weight[FALSE_ROW * f->width + i] = -f->weight[i];
        weight[TRUE_ROW * f->width + i] = f->weight[i];
        weight[UNKNOWN_ROW * f->width + i] = 0;
    }
    bias[FALSE_ROW] = (float)(-f->bias - f->certificate.distance);
    bias[TRUE_ROW] = (float)(f->bias - f->certificate.distance);
    bias[UNKNOWN_ROW] = 0;
}

static lm_status
write_head(const filter *f, lm_train_outcome *outcome)
{
    static const char *const names[LABELS] = {LM_FILTER_FALSE, LM_FILTER_TRUE, LM_FILTER_UNKNOWN};
    float *weight = lm_alloc_array(f->ctx, LABELS * f->width, sizeof *weight);
    float bias[LABELS];
    lm_head head = {
        .labels = LABELS, .width = (int)f->width, .weight = weight, .bias = bias, .names = names};
    lm_status status;

    if (!weight)
        return LM_NO_MEMORY;
    fill_head(f, weight, bias);
    status = lm_head_write(f->ctx, &head, &outcome->files[0].bytes, &outcome->files[1].bytes);
    lm_free(f->ctx, weight);
    return status;
}

static lm_status
filter_write(void *training, lm_train_outcome *outcome)
{
    const filter *f = training;

    memset(outcome, 0, sizeof *outcome);
    outcome->file_count = 2;
    outcome->files[0].name = LM_HEAD_JSON;
    outcome->files[1].name = LM_HEAD_TENSORS;
    for (int i = 0; i < 2; i++)
        lm_buffer_init(&outcome->files[i].bytes, f->ctx);
    add_figures(f, outcome);
    snprintf(
        outcome->summary, sizeof outcome->summary,
        "by %zu answers: decides %.1f %% of them, and agrees with the oracle on at least %.1f %%",
        f->asked, 100 * f->certificate.share, 100 * f->certificate.bound);
    return write_head(f, outcome);
}

static const lm_train_column columns[] = {{"text", LM_TRAIN_BOTH, false},
                                          {"vector", LM_TRAIN_VECTOR, false}};

static const lm_option options[] = {
    LM_OPTION(filter_options, oracle, TEXT, 0, 0, "a string, an SQL expression of the word text"),
    LM_OPTION(filter_options, agreement, FLOAT, 0.5, 0.999, "a number from 0.5 to 0.999"),
    LM_OPTION(filter_options, confidence, FLOAT, 0.5, 0.9999, "a number from 0.5 to 0.9999"),
    LM_OPTION(filter_options, budget, INT, 1, MOST_BUDGET, "a whole number from 1 to 1000000"),
    LM_OPTION(filter_options, seed, INT, 0, LM_SEED_MAX,
              "a whole number from 0 to 9007199254740991"),
};

const lm_method lm_method_filter = {.name = "linear",
                                    .task = "filter",
                                    .needs_base = true,
                                    .columns = columns,
                                    .column_count = sizeof columns / sizeof columns[0],
                                    .options = options,
                                    .option_count = sizeof options / sizeof options[0],
                                    .options_size = sizeof(filter_options),
                                    .defaults = filter_defaults,
                                    .open = filter_open,
                                    .add_rows = filter_add_rows,
                                    .lacking = filter_lacking,
                                    .fit = filter_fit,
                                    .write = filter_write,
                                    .close = filter_close,
                                    .oracle = filter_oracle,
                                    .wanted = filter_wanted,
                                    .answered = filter_answered};
