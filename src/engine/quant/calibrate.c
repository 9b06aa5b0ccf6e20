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
#define PASS_ROWS ((size_t)256)

typedef struct collector {
    lm_quant *quant;
    lm_status (*collect)(struct collector *c, lm_quant_matrix *matrix, const lm_gemm *args);
    void *memory;  /* of what follows */
    float *rows;   /* (PASS_ROWS, K) of the widest matrix */
    float *out;    /* (2, PASS_ROWS, N) of the matrix with most rows */
    void *scratch; /* of both products */
} collector;

/* ---- What a collector gathers from the rows of a call, at most PASS_ROWS of them ---- */

static lm_status
collect_inputs(collector *c, lm_quant_matrix *matrix, const lm_gemm *args)
{
    for (size_t i = 0; i < args->m; i++) {
        const float *x = args->a + i * args->lda;

        for (size_t j = 0; j < matrix->k; j++) {
            matrix->sum[j] += x[j];
            matrix->absmax[j] = fmaxf(matrix->absmax[j], fabsf(x[j]));
        }
    }
    matrix->rows += args->m;
    return LM_OK;
}

/*
 * About the mean: bias_correction removes the mean of an error, so what counts is how it varies.
 * Means are taken off first, for the difference of two large sums would be wrong in float.
 */
static lm_status
collect_grams(collector *c, lm_quant_matrix *matrix, const lm_gemm *args)
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

    if (!matrix->gram)
        return LM_OK;
    for (size_t i = 0; i < args->m; i++)
        for (size_t j = 0; j < matrix->k; j++)
            c->rows[i * matrix->k + j] =
                args->a[i * args->lda + j] - (float)(matrix->sum[j] / (double)matrix->rows);
    return lm_blas_sgemm(&product);
}

/* Both products, without what follows them. */
static lm_status
collect_errors(collector *c, lm_quant_matrix *matrix, const lm_gemm *args)
{
    const lm_quant *quant = c->quant;
    lm_gemm full = {
        .m = args->m,
        .n = matrix->n,
        .k = matrix->k,
        .a = args->a,
        .lda = args->lda,
        .packed = matrix->packed,
        .c = c->out,
        .ldc = matrix->n,
        .scratch = c->scratch,
    };
    lm_gemm reduced = full;

    reduced.packed = quant->weights.table[matrix->index];
    reduced.c = c->out + PASS_ROWS * matrix->n;
    LM_TRY(lm_nn_linear(quant->ctx, lm_model_weights(quant->model)->product, &full));
    LM_TRY(lm_nn_linear(quant->ctx, quant->weights.product, &reduced));
    for (size_t i = 0; i < args->m; i++)
        for (size_t j = 0; j < matrix->n; j++)
            matrix->error[j] += (double)full.c[i * matrix->n + j] - reduced.c[i * matrix->n + j];
    return LM_OK;
}

static lm_status (*const collects[])(collector *c, lm_quant_matrix *matrix, const lm_gemm *args) = {
    [LM_COLLECT_INPUTS] = collect_inputs,
    [LM_COLLECT_GRAMS] = collect_grams,
    [LM_COLLECT_ERRORS] = collect_errors,
};

/* ---- The observer ---- */

static lm_status
collect_rows(collector *c, lm_quant_matrix *matrix, const lm_gemm *args)
{
    lm_gemm part = *args;

    for (size_t row = 0; row < args->m; row += PASS_ROWS) {
        LM_TRY(lm_poll(c->quant->ctx));
        part.m = args->m - row < PASS_ROWS ? args->m - row : PASS_ROWS;
        part.a = args->a + row * args->lda;
        LM_TRY(c->collect(c, matrix, &part));
    }
    return LM_OK;
}

/* Finds the matrix of a call. */
static lm_status
on_gemm(void *opaque, lm_context *ctx, const lm_gemm *args)
{
    collector *c = opaque;

    for (size_t i = 0; i < c->quant->count; i++)
        if (c->quant->matrices[i].packed == args->packed)
            return collect_rows(c, &c->quant->matrices[i], args);
    return LM_OK;
}

/* Buffers for the matrix that needs most of each, in one piece of memory. */
static lm_status
make_room(collector *c)
{
    const lm_quant *quant = c->quant;
    size_t rows = 0, out = 0, scratch = 0;
    char *base;

    for (size_t i = 0; i < quant->count; i++) {
        const lm_quant_matrix *matrix = &quant->matrices[i];
        const lm_product *products[] = {lm_model_weights(quant->model)->product,
                                        quant->weights.product};

        rows = matrix->k > rows ? matrix->k : rows;
        out = matrix->n > out ? matrix->n : out;
        for (int p = 0; p < 2; p++) {
            size_t needed = products[p]->scratch_size(PASS_ROWS, matrix->k);

            scratch = needed > scratch ? needed : scratch;
        }
    }
    rows = lm_align_up(rows * PASS_ROWS * sizeof(float));
    out = lm_align_up(2 * out * PASS_ROWS * sizeof(float));
    c->memory = lm_alloc(quant->ctx, rows + out + scratch + LM_ALIGNMENT);
    if (!c->memory)
        return LM_NO_MEMORY;
    base = (char *)lm_align_up((uintptr_t)c->memory);
    c->rows = (float *)base;
    c->out = (float *)(base + rows);
    c->scratch = base + rows + out;
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
    if (tokens)
        *tokens = counts.tokens;
    return LM_OK;
}

/* The model with a product of its own, which has the observer. */
lm_status
lm_calibrate_pass(lm_quant *quant, lm_session *session, const lm_text *texts, size_t count,
                  lm_calibrate_what what, uint64_t *tokens)
{
    const lm_model *model = quant->model;
    collector c = {.quant = quant, .collect = collects[what]};
    const lm_observer observer = {on_gemm, &c};
    lm_weights weights = *lm_model_weights(model);
    lm_product product = *weights.product;
    lm_model observed = *model;
    float *out = lm_alloc_array(quant->ctx, BLOCK, (size_t)model->info.dimensions * sizeof *out);
    lm_status status = out ? make_room(&c) : LM_NO_MEMORY;

    product.observer = &observer;
    weights.product = &product;
    observed.views[LM_SECTION_WEIGHTS] = &weights;
    if (status == LM_OK)
        status = embed_blocks(quant->ctx, session, &observed, texts, count, out, tokens);
    lm_free(quant->ctx, c.memory);
    lm_free(quant->ctx, out);
    return status;
}
