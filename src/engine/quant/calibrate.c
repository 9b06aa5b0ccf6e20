/*
 * calibrate.c - texts through the model while an observer sees the calls of its linear layers. A
 * matrix is known by where it lies packed.
 */
#include "quant/calibrate.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "nn/nn.h"

/* Texts embedded in one call; after each the tokens are counted. */
#define BLOCK ((size_t)16)

/* Rows that are collected from at a time. */
#define PASS_ROWS ((size_t)512)

/* What stands beside the diagonal counts by rows / (rows + SHRINKAGE · columns). */
#define SHRINKAGE 0.75

typedef struct collector {
    lm_quant *quant;
    float *rows; /* (PASS_ROWS, K) of the widest matrix */
} collector;

/* ---- What is gathered from the rows of a call, at most PASS_ROWS of them ---- */

/*
 * The mean of the first rows stands in for that of all, which is not known yet. Near it, sums of
 * squares stay small, so that little is lost when lm_calibrate_finish moves them to the mean.
 */
static void
choose_centre(lm_quant_matrix *matrix, const lm_gemm *args)
{
    for (size_t j = 0; j < matrix->k; j++) {
        double sum = 0;

        for (size_t i = 0; i < args->m; i++)
            sum += args->a[i * args->lda + j];
        matrix->centre[j] = (float)(sum / (double)args->m);
    }
}

static void
collect_inputs(lm_quant_matrix *matrix, const lm_gemm *args)
{
    for (size_t i = 0; i < args->m; i++) {
        const float *x = args->a + i * args->lda;

        for (size_t j = 0; j < matrix->k; j++) {
            double square = (double)x[j] * x[j], fourth = square * square;

            matrix->sum[j] += x[j];
            matrix->eighths[j] += fourth * fourth;
        }
    }
}

/* Every second row of a full sample goes, and from then on every second one of the others. */
static void
thin_sample(lm_quant_matrix *matrix)
{
    const size_t k = matrix->k;

    matrix->sample_step *= 2;
    matrix->sample_rows /= 2;
    for (size_t i = 1; i < matrix->sample_rows; i++)
        memcpy(matrix->sample + i * k, matrix->sample + 2 * i * k, k * sizeof *matrix->sample);
}

/* Rows at even distances, so that all texts have a part in them; by their order alone. */
static void
collect_sample(lm_quant_matrix *matrix, const lm_gemm *args)
{
    for (size_t i = 0; i < args->m; i++) {
        if ((matrix->rows + i) % matrix->sample_step != 0)
            continue;
        if (matrix->sample_rows == LM_QUANT_SAMPLE)
            thin_sample(matrix);
        if ((matrix->rows + i) % matrix->sample_step == 0)
            memcpy(matrix->sample + matrix->sample_rows++ * matrix->k, args->a + i * args->lda,
                   matrix->k * sizeof *matrix->sample);
    }
}

static lm_status
collect_gram(const collector *c, lm_quant_matrix *matrix, const lm_gemm *args)
{
    const lm_sgemm product = {
        .transpose_a = true,
        .m = matrix->k,
        .n = matrix->k,
        .k = args->m,
        .alpha = 1,
        .a = c->rows,
        .lda = matrix->k,
        .b = c->rows,
        .ldb = matrix->k,
        .beta = 1,
        .c = matrix->gram,
        .ldc = matrix->k,
        .ctx = c->quant->ctx,
    };

    for (size_t i = 0; i < args->m; i++)
        for (size_t j = 0; j < matrix->k; j++)
            c->rows[i * matrix->k + j] = args->a[i * args->lda + j] - matrix->centre[j];
    return lm_blas_lower(&product);
}

/*
 * Of the matrix' rows the mean is subtracted: a correction of the bias removes the mean of an
 * error, so what counts is how it varies. How columns go together is known the less the fewer rows
 * there are for each (Ledoit and Wolf 2004), so what stands beside the diagonal is drawn to 0.
 */
lm_status
lm_calibrate_finish(lm_context *ctx, lm_quant_matrix *matrix)
{
    const size_t k = matrix->k;
    const double rows = (double)matrix->rows, known = rows / (rows + SHRINKAGE * (double)k);

    for (size_t j = 0; j < k; j++)
        matrix->centre[j] = (float)(matrix->sum[j] / rows - matrix->centre[j]);
    for (size_t i = 0; i < k; i++) {
        LM_TRY(lm_poll(ctx));
        for (size_t j = 0; j <= i; j++) {
            double moved = rows * matrix->centre[i] * matrix->centre[j];

            moved = (matrix->gram[i * k + j] - moved) * (i == j ? 1 : known);
            matrix->gram[i * k + j] = matrix->gram[j * k + i] = (float)moved;
        }
    }
    return LM_OK;
}

/* ---- The observer ---- */

static lm_status
collect_rows(const collector *c, lm_quant_matrix *matrix, const lm_gemm *args)
{
    lm_gemm part = *args;

    for (size_t row = 0; row < args->m; row += PASS_ROWS) {
        LM_TRY(lm_poll(c->quant->ctx));
        part.m = args->m - row < PASS_ROWS ? args->m - row : PASS_ROWS;
        part.a = args->a + row * args->lda;
        if (matrix->rows == 0)
            choose_centre(matrix, &part);
        collect_inputs(matrix, &part);
        collect_sample(matrix, &part);
        LM_TRY(collect_gram(c, matrix, &part));
        matrix->rows += part.m;
    }
    return LM_OK;
}

/* Finds the matrix of a call. */
static lm_status
on_gemm(void *opaque, lm_context *ctx, const lm_gemm *args)
{
    const collector *c = opaque;

    for (size_t i = 0; i < c->quant->count; i++)
        if (c->quant->matrices[i].packed == args->packed)
            return c->quant->matrices[i].gram ? collect_rows(c, &c->quant->matrices[i], args)
                                              : LM_OK;
    return LM_OK;
}

/* Blocks of texts until they are many tokens; `out` has room for the vectors of one. */
static lm_status
embed_blocks(lm_context *ctx, lm_session *session, const lm_model *model, const lm_text *texts,
             size_t count, float *out, uint64_t *tokens)
{
    const lm_embed_options options = {.dimensions = 0};
    lm_embed_counts counts = {.texts = 0};

    for (size_t i = 0; i < count && counts.tokens < LM_QUANTIZE_MAX_TOKENS; i += BLOCK)
        LM_TRY(lm_embed(ctx, session, model, texts + i, count - i < BLOCK ? count - i : BLOCK,
                        &options, out, &counts));
    *tokens = counts.tokens;
    return LM_OK;
}

/* The model with a product of its own, which has the observer. */
static lm_status
observe(lm_quant *quant, collector *c, lm_session *session, const lm_text *texts, size_t count,
        float *out, uint64_t *tokens)
{
    const lm_observer observer = {on_gemm, c};
    lm_weights weights = *lm_model_weights(quant->model);
    lm_product product = *weights.product;
    lm_model observed = *quant->model;

    product.observer = &observer;
    weights.product = &product;
    observed.views[LM_SECTION_WEIGHTS] = &weights;
    return embed_blocks(quant->ctx, session, &observed, texts, count, out, tokens);
}

lm_status
lm_calibrate_pass(lm_quant *quant, lm_session *session, const lm_text *texts, size_t count,
                  uint64_t *tokens)
{
    collector c = {.quant = quant};
    float *out =
        lm_alloc_array(quant->ctx, BLOCK, (size_t)quant->model->info.dimensions * sizeof *out);
    size_t widest = 0;
    lm_status status = LM_NO_MEMORY;

    for (size_t i = 0; i < quant->count; i++)
        widest = quant->matrices[i].k > widest ? quant->matrices[i].k : widest;
    c.rows = lm_alloc_array(quant->ctx, PASS_ROWS, widest * sizeof *c.rows);
    if (out && c.rows)
        status = observe(quant, &c, session, texts, count, out, tokens);
    lm_free(quant->ctx, c.rows);
    lm_free(quant->ctx, out);
    return status;
}
