/*
 * test_dual.c - linear classifiers by dual coordinate descent: dense rows teach what the same
 * numbers teach as sparse ones, at the optimum; steps and polls; failing allocations.
 */
#include "base/rng.h"
#include "fake.h"
#include "train/dual.h"
#include "unit.h"

/* Wider than what a body takes at a time, twice and a rest. */
enum { ROWS = 60, WIDTH = 37, LABELS = 3 };

typedef struct design_rows {
    lm_sparse_rows sparse;
    float x[ROWS * WIDTH];
    int32_t y[ROWS];
    size_t rows[ROWS];
} design_rows;

/* As sparse rows, or as dense ones beside sparse rows that are empty. */
static lm_status
make_rows(lm_context *ctx, bool dense, int labels, design_rows *d)
{
    uint32_t index[WIDTH];
    lm_rng rng;

    lm_rng_seed(&rng, 11);
    lm_sparse_rows_init(&d->sparse, ctx);
    for (uint32_t i = 0; i < WIDTH; i++)
        index[i] = i;
    for (size_t row = 0; row < ROWS; row++) {
        float *x = d->x + row * WIDTH;

        d->rows[row] = row;
        d->y[row] = (int32_t)(row % (size_t)labels);
        for (int i = 0; i < WIDTH; i++)
            x[i] = (float)lm_rng_below(&rng, 1000) / 1000 - 0.5f +
                   (i % labels == d->y[row] ? 0.2f : 0);
        LM_TRY(lm_sparse_rows_add(&d->sparse, index, x, dense ? 0 : WIDTH));
    }
    return LM_OK;
}

static lm_status
train(lm_context *ctx, bool dense, int labels, const lm_dual_options *options, float *weights,
      double *objective)
{
    static design_rows rows;
    lm_linear_model model = {.weight = NULL};
    lm_design design = {.sparse = &rows.sparse,
                        .features = dense ? 0 : WIDTH,
                        .dense = dense ? rows.x : NULL,
                        .width = dense ? WIDTH : 0,
                        .scale = 1};
    lm_status status = make_rows(ctx, dense, labels, &rows);

    if (status == LM_OK)
        status = lm_linear_model_open(ctx, &design, (size_t)labels, &model);
    if (status == LM_OK)
        status = lm_dual_train(ctx, &design, rows.rows, ROWS, rows.y, options, NULL, NULL, &model,
                               objective);
    for (int label = 0; status == LM_OK && weights && label < labels; label++)
        for (int i = 0; i < WIDTH; i++)
            weights[label * WIDTH + i] =
                dense ? model.dense[label * WIDTH + i] : model.weight[i * labels + label];
    lm_linear_model_free(ctx, &model);
    lm_sparse_rows_free(&rows.sparse);
    return status;
}

static void
dense_as_sparse(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (int loss = 0; loss < 2; loss++)
        for (int labels = 2; labels <= LABELS; labels++) {
            const lm_dual_options options = {(lm_dual_loss)loss, 1, 1e-7, 10000, 5};
            float sparse[LABELS * WIDTH], dense[LABELS * WIDTH];
            double one = 0, other = 0;

            CHECK_OK(&ctx, train(&ctx, false, labels, &options, sparse, &one));
            CHECK_OK(&ctx, train(&ctx, true, labels, &options, dense, &other));
            CHECK_NEAR(one, other, 1e-5 * one);
            for (int i = 0; i < labels * WIDTH; i++)
                CHECK_NEAR((double)sparse[i], (double)dense[i], 1e-4);
            for (int i = 0; labels == 2 && i < WIDTH; i++)
                CHECK(dense[i] == -dense[WIDTH + i]);
        }
}

/* What one pass leaves is no better than many, and ends without an error. */
static void
few_steps(void)
{
    lm_context ctx;

    lm_context_init(&ctx);
    for (int loss = 0; loss < 2; loss++) {
        lm_dual_options options = {(lm_dual_loss)loss, 1, 0, 1, 5};
        double one = 0, many = 0;

        CHECK_OK(&ctx, train(&ctx, true, LABELS, &options, NULL, &one));
        options.max_steps = 300;
        CHECK_OK(&ctx, train(&ctx, true, LABELS, &options, NULL, &many));
        CHECK(many > 0 && many < one);
    }
}

/* Passes that read many entries ask in between; a cancel ends them there. */
static void
faults(void)
{
    for (int loss = 0; loss < 2; loss++)
        for (int polls = 0; polls < 2; polls++) {
            const lm_dual_options options = {(lm_dual_loss)loss, 1, -1, 500,
                                             5}; /* never near enough */
            const lm_status wanted = polls ? LM_CANCELLED : LM_NO_MEMORY;
            lm_status status = wanted;
            int at = 1;

            for (; status == wanted && at < 1000; at++) {
                fake_memory memory = {.fail_at = polls ? 0 : at, .stop_at = polls ? at : 0};
                double objective;
                lm_context ctx;

                fake_context(&ctx, &memory);
                status = train(&ctx, true, LABELS, &options, NULL, &objective);
                CHECK_EQ_INT(memory.live, 0);
            }
            CHECK_EQ_INT(status, LM_OK);
            CHECK(at > 2);
        }
}

static const unit_case cases[] = {
    {"dense rows teach as sparse ones", dense_as_sparse},
    {"few steps", few_steps},
    {"allocations and polls may fail", faults},
};

UNIT_MAIN(cases)
