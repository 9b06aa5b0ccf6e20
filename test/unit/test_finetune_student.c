/*
 * test_finetune_student.c - a student and its teacher: the layers that it keeps, and its loss by
 * the formula and by differences.
 */
#include "finetune_case.h"
#include "train/tuned_distill.h"

static void
open_student(trained *t, lm_context *ctx, lm_tuned_settings settings)
{
    const char *body[ROWS] = {"a cat on the mat", "the world", "it is not so", "no hello"};
    lm_text texts[ROWS], labels[ROWS];

    CHECK_OK(ctx, open_base(t, ctx, "bert-sequence", &lm_tuned_distillation, &settings, 1));
    CHECK_OK(ctx, lm_tuned_teacher(t->tuned, &t->loaded.model));
    for (size_t i = 0; i < ROWS; i++) {
        const char *label = t->tuned->names[i % t->tuned->name_count];

        texts[i] = (lm_text){body[i], strlen(body[i])};
        labels[i] = (lm_text){label, strlen(label)};
    }
    CHECK_OK(ctx, lm_tuned_taught(t->tuned, texts, labels, ROWS));
    t->name_count = t->tuned->name_count;
    CHECK_OK(ctx, lm_tuned_start(t->tuned, t->tuned->names, t->tuned->name_count));
    lm_tuned_network(t->tuned, &t->network);
}

/* ln of the softmax of scores / t. */
static double
log_share(const float *scores, size_t classes, size_t label, double t)
{
    double sum = 0;

    for (size_t i = 0; i < classes; i++)
        sum += exp((double)scores[i] / t);
    return (double)scores[label] / t - log(sum);
}

/* Hinton's: hard · CE + (1 − hard) · T² · KL, the mean of the rows. */
static double
wanted_loss(trained *t, double hard, double temperature)
{
    const size_t classes = t->name_count;
    double loss = 0;

    for (size_t row = 0; row < ROWS; row++) {
        const float *scores = t->tuned->head.scores, *teacher = t->tuned->taught + row * classes;
        const lm_pass pass = {.weight = 1};
        double unused = 0;

        CHECK_OK(t->ctx, t->network.pass(t->tuned, &row, 1, &pass, &unused));
        scores = t->tuned->head.scores;
        loss -= hard * log_share(scores, classes, row % classes, 1);
        for (size_t i = 0; i < classes; i++) {
            const double share = log_share(teacher, classes, i, temperature);

            loss += (1 - hard) * temperature * temperature * exp(share) *
                    (share - log_share(scores, classes, i, temperature));
        }
    }
    return loss / ROWS;
}

static const lm_param *
param_of_layer(const trained *t, const char *layer)
{
    for (size_t i = 0; i < t->network.param_count; i++)
        if (strstr(t->network.params[i].name, layer) &&
            strstr(t->network.params[i].name, ".output.dense.weight") &&
            !strstr(t->network.params[i].name, ".attention."))
            return &t->network.params[i];
    return NULL;
}

/* The only layer of a student is the last of its teacher's, in the files too. */
static void
check_cut(trained *whole, trained *cut)
{
    const lm_param *last = param_of_layer(whole, "layer.1."),
                   *own = param_of_layer(cut, "layer.0.");
    lm_train_outcome outcome = {.file_count = 0};
    bool said = false;

    CHECK(last && own && !param_of_layer(cut, "layer.1."));
    if (last && own)
        CHECK(memcmp(last->value, own->value, last->rows * last->columns * sizeof(float)) == 0);
    CHECK_OK(cut->ctx, lm_tuned_write(cut->tuned, &outcome));
    for (int i = 0; i < outcome.file_count; i++)
        if (strcmp(outcome.files[i].name, "config.json") == 0) {
            CHECK_OK(cut->ctx, lm_buffer_append_byte(&outcome.files[i].bytes, '\0'));
            said = strstr(outcome.files[i].bytes.data, "\"num_hidden_layers\":1") != NULL;
        }
    CHECK(said);
    free_files(&outcome);
}

/* One with all layers begins as its teacher is; the loss is the formula's, and its gradient that
 * which differences show. */
static void
test_student(void)
{
    static const double hard[] = {0, 0.3, 1};
    lm_tuned_settings settings = plain_settings();
    lm_context ctx;
    trained whole, cut;
    double loss;

    lm_context_init(&ctx);
    settings.hard = 0;
    settings.layers = 2;
    open_student(&whole, &ctx, settings);
    CHECK_OK(&ctx, run_all(&whole, &loss));
    CHECK_NEAR(loss, 0, 1e-6);
    settings.layers = 1;
    settings.temperature = 3;
    for (int i = 0; i < 3; i++) {
        settings.hard = hard[i];
        open_student(&cut, &ctx, settings);
        CHECK_OK(&ctx, run_all(&cut, &loss));
        CHECK_NEAR(loss, wanted_loss(&cut, hard[i], 3), 1e-5);
        CHECK(loss > 1e-6);
        CHECK_OK(&ctx, lm_clear_gradients(&ctx, cut.network.params, cut.network.param_count));
        if (i == 0)
            check_cut(&whole, &cut);
        check_rise(&cut, "a student");
        close_trained(&cut);
    }
    close_trained(&whole);
}

static const unit_case cases[] = {
    {"a student and its teacher", test_student},
};

UNIT_MAIN(cases)
