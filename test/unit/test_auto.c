/*
 * test_auto.c - the time budget of the method "auto": which rows get vectors, on how many rows each
 * way is tried, what is left out and why. Seconds of vectors are told, never measured; budgets are
 * 0 or far beyond what a trial takes.
 */
#include "train/auto.h"

#include "method.h"
#include "train/sample.h"

#define WIDTH 4
#define LABELS 3
#define MOST 9000

/* As the options of auto.c. */
typedef struct auto_options {
    double time_budget, hold_out;
    int64_t seed;
} auto_options;

/* Rows whose texts and vectors both tell the label, texts now and then another one. */
typedef struct rows_made {
    size_t count;
    char words[MOST][24];
    lm_text texts[MOST], labels[MOST];
    float vectors[MOST][WIDTH];
} rows_made;

static rows_made made;

static void
make_rows(size_t count, const char *instead)
{
    static const char *const labels[LABELS] = {"a", "b", "c"};

    made.count = count;
    for (size_t i = 0; i < count; i++) {
        const size_t label = i * i % 7 % LABELS, said = i % 50 == 0 ? 0 : label;

        if (!instead)
            snprintf(made.words[i], sizeof made.words[i], "%s%zu of %zu", labels[said], said,
                     i % 9);
        else
            snprintf(made.words[i], sizeof made.words[i], "%s", instead);
        made.texts[i] = (lm_text){made.words[i], strlen(made.words[i])};
        made.labels[i] = (lm_text){labels[label], 1};
        for (size_t j = 0; j < WIDTH; j++)
            made.vectors[i][j] = (float)(j == label) + 0.01f * (float)(i * (j + 3) % 31);
    }
}

/* What was asked for. */
typedef struct asked {
    size_t count, rounds, of_label[LABELS];
    bool seen[MOST];
} asked;

static void
count_asked(asked *so_far, const size_t *rows, size_t count)
{
    so_far->rounds++;
    so_far->count += count;
    for (size_t i = 0; i < count; i++) {
        CHECK(rows[i] < made.count && (i == 0 || rows[i] > rows[i - 1]));
        CHECK(!so_far->seen[rows[i]]);
        so_far->seen[rows[i]] = true;
        so_far->of_label[made.labels[rows[i]].bytes[0] - 'a']++;
    }
}

/* All rounds, of which each row takes so long; vectors come in parts of 100. */
static lm_status
give_vectors(void *training, double seconds_each, asked *so_far)
{
    float part[100][WIDTH];

    for (;;) {
        const size_t *rows;
        size_t count;

        LM_TRY(lm_method_auto.wanted_rows(training, seconds_each * (double)so_far->count, &rows,
                                          &count));
        if (count == 0)
            return LM_OK;
        count_asked(so_far, rows, count);
        for (size_t done = 0; done < count; done += 100) {
            const size_t size = count - done < 100 ? count - done : 100;

            for (size_t i = 0; i < size; i++)
                memcpy(part[i], made.vectors[rows[done + i]], sizeof part[i]);
            LM_TRY(lm_method_auto.add_vectors(training, part[0], size));
        }
    }
}

/* Where `so_far` is NULL, vectors come with the rows. */
static lm_status
choose(lm_context *ctx, double budget, double seconds_each, asked *so_far,
       lm_train_outcome *outcome)
{
    const auto_options options = {budget, 0.2, 1};
    const lm_method *method = &lm_method_auto;
    const lm_train_rows rows = {.count = made.count,
                                .vectors = so_far ? NULL : made.vectors[0],
                                .texts = {made.texts, made.labels}};
    void *training = NULL;
    lm_status status = method->open(ctx, &options, WIDTH, &training);

    CHECK_EQ_INT(method->options_size, sizeof options);
    memset(outcome, 0, sizeof *outcome);
    if (status == LM_OK)
        status = method->add_rows(training, &rows);
    if (status == LM_OK && so_far) {
        memset(so_far, 0, sizeof *so_far);
        status = give_vectors(training, seconds_each, so_far);
    }
    if (status == LM_OK)
        status = method->fit(training, &(lm_train_watch){.report = method_report});
    if (status == LM_OK)
        status = method->write(training, outcome);
    method->close(training);
    return status;
}

static int
left_out_as(const lm_train_outcome *outcome, const char *name, const char *reason)
{
    int count = 0;

    for (int i = 0; i < outcome->left_out_count; i++)
        count += strcmp(outcome->left_out[i].name, name) == 0 &&
                 strcmp(outcome->left_out[i].reason, reason) == 0;
    return count;
}

/* Rows that a way of the name was tried on, each alike; 0: none was. */
static size_t
rows_of(const lm_train_outcome *outcome, const char *name)
{
    size_t rows = 0;

    for (int i = 0; i < outcome->trial_count; i++)
        if (strcmp(outcome->trials[i].name, name) == 0) {
            CHECK(rows == 0 || rows == outcome->trials[i].rows);
            rows = outcome->trials[i].rows;
        }
    return rows;
}

static void
no_time(void)
{
    lm_train_outcome outcome;
    asked so_far;
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(600, NULL);
    CHECK_OK(&ctx, choose(&ctx, 0, 1, &so_far, &outcome));
    CHECK_EQ_INT(so_far.count, 0);
    CHECK_EQ_INT(outcome.trial_count, 1);
    CHECK_STR(outcome.trials[0].name, "ngram");
    CHECK_EQ_INT(outcome.trials[0].rows, 600);
    CHECK(outcome.without_base && outcome.trials[0].chosen);
    CHECK_EQ_INT(left_out_as(&outcome, "linear", "time_budget"), 1);
    CHECK_EQ_INT(left_out_as(&outcome, "combined", "time_budget"), 1);
    CHECK(left_out_as(&outcome, "ngram", "time_budget") >= 4);
    CHECK_EQ_INT(method_value(&outcome, "embedded_rows"), 0);
    method_free(&outcome);
}

/* With all vectors the model is that of vectors that came with the rows. */
static void
all_time(void)
{
    lm_train_outcome one, other;
    asked so_far;
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(600, NULL);
    CHECK_OK(&ctx, choose(&ctx, 1e6, 1e-6, &so_far, &one));
    CHECK_EQ_INT(so_far.count, 600);
    CHECK_EQ_INT(so_far.rounds, 2);
    CHECK_EQ_INT(method_value(&one, "embedded_rows"), 600);
    CHECK_OK(&ctx, choose(&ctx, 1e6, 0, NULL, &other));
    CHECK(isnan(method_value(&other, "embedded_rows")));
    CHECK_EQ_INT(one.left_out_count + other.left_out_count, 0);
    CHECK_EQ_INT(one.trial_count, other.trial_count);
    for (int i = 0; i < one.trial_count; i++) {
        CHECK_EQ_INT(one.trials[i].rows, 600);
        CHECK_NEAR(one.trials[i].accuracy, other.trials[i].accuracy, 0);
    }
    for (int i = 0; i < one.file_count; i++)
        CHECK(one.files[i].bytes.size == other.files[i].bytes.size &&
              memcmp(one.files[i].bytes.data, other.files[i].bytes.data, one.files[i].bytes.size) ==
                  0);
    method_free(&one);
    method_free(&other);
}

/* Blocks of 400 vectors that the context was asked to keep. */
static int kept_blocks;

static void *
count_kept(void *opaque, void *pointer, size_t size)
{
    kept_blocks += size == 400 * WIDTH * sizeof(float);
    return realloc(pointer, size);
}

/* Vectors that were asked for count as kept, and so do those of a sample's rows. */
static void
vectors_are_kept(void)
{
    lm_train_outcome outcome;
    asked so_far;
    lm_context ctx;

    lm_context_init(&ctx);
    ctx.keep = count_kept;
    make_rows(600, NULL);
    kept_blocks = 0;
    CHECK_OK(&ctx, choose(&ctx, 2000, 2.5, &so_far, &outcome));
    CHECK(kept_blocks > 1);
    method_free(&outcome);
}

/* 2.5 seconds a vector, and 1,000 for them: 400, of each label its share. */
static void
some_time(void)
{
    size_t all[LABELS] = {0};
    lm_train_outcome outcome;
    asked so_far;
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(600, NULL);
    for (size_t i = 0; i < 600; i++)
        all[made.labels[i].bytes[0] - 'a']++;
    CHECK_OK(&ctx, choose(&ctx, 2000, 2.5, &so_far, &outcome));
    CHECK_EQ_INT(so_far.count, 400);
    for (int label = 0; label < LABELS; label++)
        CHECK_NEAR((double)so_far.of_label[label], (double)all[label] * 400 / 600, 1.01);
    CHECK_EQ_INT(rows_of(&outcome, "linear"), 400);
    CHECK_EQ_INT(rows_of(&outcome, "combined"), 400);
    CHECK_EQ_INT(rows_of(&outcome, "ngram"), 600);
    CHECK_EQ_INT(outcome.left_out_count, 0);
    CHECK_EQ_INT(method_value(&outcome, "held_out"), 80);
    CHECK(method_value(&outcome, "held_out_accuracy") > 0.9);
    method_free(&outcome);
}

/* Of many rows only as many as there is time for; without time, 2,000. */
static void
many_rows(void)
{
    lm_train_outcome outcome;
    asked so_far;
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(9000, NULL);
    CHECK_OK(&ctx, choose(&ctx, 0, 0, NULL, &outcome));
    CHECK_EQ_INT(outcome.trial_count, 1);
    CHECK_EQ_INT(rows_of(&outcome, "linear"), 2000);
    method_free(&outcome);
    CHECK_OK(&ctx, choose(&ctx, 0, 1, &so_far, &outcome));
    CHECK_EQ_INT(rows_of(&outcome, "ngram"), 2000);
    CHECK(outcome.without_base);
    method_free(&outcome);
    CHECK_OK(&ctx, choose(&ctx, 1e6, 100, &so_far, &outcome));
    CHECK_EQ_INT(so_far.count, 5000);
    CHECK_EQ_INT(so_far.rounds, 4);
    CHECK_EQ_INT(rows_of(&outcome, "ngram"), 9000);
    CHECK_EQ_INT(rows_of(&outcome, "linear"), 5000);
    CHECK_EQ_INT(outcome.left_out_count, 0);
    method_free(&outcome);
}

/* Then vectors are all there is, and some are wanted without time, too. */
static void
no_words(void)
{
    lm_train_outcome outcome;
    asked so_far;
    lm_context ctx;

    lm_context_init(&ctx);
    make_rows(600, "");
    CHECK_OK(&ctx, choose(&ctx, 0, 1, &so_far, &outcome));
    CHECK_EQ_INT(so_far.count, 256);
    CHECK_EQ_INT(rows_of(&outcome, "linear"), 256);
    CHECK_EQ_INT(left_out_as(&outcome, "ngram", "ngrams"), 2);
    CHECK(!outcome.without_base);
    method_free(&outcome);
    make_rows(600, "?"); /* n-grams of characters are left */
    CHECK_OK(&ctx, choose(&ctx, 0, 1, &so_far, &outcome));
    CHECK_EQ_INT(so_far.count, 0);
    CHECK_STR(outcome.trials[0].name, "ngram");
    CHECK_EQ_INT(left_out_as(&outcome, "ngram", "ngrams"), 1);
    method_free(&outcome);
    make_rows(9000, "");
    CHECK_OK(&ctx, choose(&ctx, 1e6, 1e-6, &so_far, &outcome));
    CHECK_EQ_INT(rows_of(&outcome, "linear"), 9000);
    method_free(&outcome);
}

static void
survives_faults(void)
{
    make_rows(300, NULL);
    for (int polls = 0; polls < 2; polls++) {
        const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
        lm_status status = wanted;

        for (int i = 1; status == wanted && i < 20000; i += 1 + i / 15) {
            fake_memory memory = {.fail_at = polls ? 0 : i, .stop_at = polls ? i : 0};
            lm_train_outcome outcome;
            asked so_far;
            lm_context ctx;

            fake_context(&ctx, &memory);
            status = choose(&ctx, 2000, 3.9, &so_far, &outcome);
            method_free(&outcome);
            CHECK_EQ_INT(memory.live, 0);
        }
        CHECK_EQ_INT(status, LM_OK);
    }
}

/* ---- The draw ---- */

static void
check_draw(size_t rows)
{
    lm_row_sample sample;
    lm_context ctx;
    int32_t *y = malloc(rows * sizeof *y);
    float *vectors = malloc(rows * 2 * sizeof *vectors);
    size_t *list = malloc(rows * sizeof *list);
    size_t first[LABELS] = {0};

    for (size_t i = 0; i < rows; i++)
        y[i] = i % 10 == 9 ? 2 : (int32_t)(i % 2);
    lm_context_init(&ctx);
    CHECK_OK(&ctx, lm_row_sample_draw(&ctx, y, rows, LABELS, 7, &sample));
    lm_row_sample_list(&sample, 0, LABELS, list);
    for (size_t i = 0; i < LABELS; i++)
        first[y[list[i]]]++;
    CHECK(first[0] == 1 && first[1] == 1 && first[2] == 1);
    lm_row_sample_list(&sample, 0, rows, list);
    for (size_t i = 0; i < rows; i++) {
        CHECK_EQ_INT(list[i], i);
        vectors[2 * sample.rank[i]] = vectors[2 * sample.rank[i] + 1] = (float)i;
    }
    CHECK_OK(&ctx, lm_row_sample_put_back(&sample, vectors, 2));
    for (size_t i = 0; i < rows; i++)
        CHECK(vectors[2 * i] == (float)i && vectors[2 * i + 1] == (float)i);
    lm_row_sample_free(&sample);
    free(y);
    free(vectors);
    free(list);
}

static void
draws(void)
{
    check_draw(20);
    check_draw(10000);
}

static const unit_case cases[] = {
    {"no time", no_time},
    {"all the time", all_time},
    {"time for some vectors", some_time},
    {"many rows", many_rows},
    {"no words", no_words},
    {"auto survives faults", survives_faults},
    {"draws of rows", draws},
    {"vectors are kept", vectors_are_kept},
};

UNIT_MAIN(cases)
