/*
 * calibrate.c - texts through the model while its linear layers are watched. A matrix is known by
 * where it lies packed.
 */
#include "quant/calibrate.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "nn/nn.h"

/* Texts embedded in one call, between two looks at how many tokens they were. */
#define BLOCK ((size_t)16)

/* Rows that are looked at together. */
#define LOOK_ROWS ((size_t)256)

typedef struct watch {
    lm_quant *quant;
    lm_status (*look)(struct watch *w, lm_quant_matrix *matrix, const lm_gemm *args);
    void *memory;  /* of what follows */
    float *rows;   /* (LOOK_ROWS, K) of the widest matrix */
    float *out;    /* (2, LOOK_ROWS, N) of the matrix with most rows */
    void *scratch; /* of both products */
} watch;

/* ---- Looks: at all rows of a call, or at LOOK_ROWS of them at most ---- */

static lm_status
look_at_inputs(watch *w, lm_quant_matrix *matrix, const lm_gemm *args)
{
    for (size_t i = 0; i < args->m; i++) {
        const float *x = args->a + i * args->lda;

        for (size_t j = 0; j < matrix->k; j++) {
            matrix->sum[j] += x[j];
            matrix->most[j] = fmaxf(matrix->most[j], fabsf(x[j]));
        }
    }
    matrix->rows += args->m;
    return LM_OK;
}

/*
 * About the mean, since offsets take the mean of an error off: what counts is how it varies. Means
 * are taken off first, for the difference of two large sums would be wrong in float.
 */
static lm_status
look_at_grams(watch *w, lm_quant_matrix *matrix, const lm_gemm *args)
{
    const lm_sgemm product = {
        .transpose_a = true,
        .m = matrix->k,
        .n = matrix->k,
        .k = args->m,
        .alpha = 1,
        .a = w->rows,
        .lda = matrix->k,
        .b = w->rows,
        .ldb = matrix->k,
        .beta = 1,
        .c = matrix->gram,
        .ldc = matrix->k,
        .ctx = w->quant->ctx,
    };

    if (!matrix->gram)
        return LM_OK;
    for (size_t i = 0; i < args->m; i++)
        for (size_t j = 0; j < matrix->k; j++)
            w->rows[i * matrix->k + j] =
                args->a[i * args->lda + j] - (float)(matrix->sum[j] / (double)matrix->rows);
    return lm_blas_sgemm(&product);
}

/* Both products, without what follows them. */
static lm_status
look_at_errors(watch *w, lm_quant_matrix *matrix, const lm_gemm *args)
{
    const lm_quant *quant = w->quant;
    lm_gemm full = {
        .m = args->m,
        .n = matrix->n,
        .k = matrix->k,
        .a = args->a,
        .lda = args->lda,
        .packed = matrix->packed,
        .c = w->out,
        .ldc = matrix->n,
        .scratch = w->scratch,
    };
    lm_gemm reduced = full;

    reduced.packed = quant->reduced.weights.table[matrix->index];
    reduced.c = w->out + LOOK_ROWS * matrix->n;
    LM_TRY(lm_nn_linear(quant->ctx, quant->model->weights.product, &full));
    LM_TRY(lm_nn_linear(quant->ctx, quant->reduced.weights.product, &reduced));
    for (size_t i = 0; i < args->m; i++)
        for (size_t j = 0; j < matrix->n; j++)
            matrix->error[j] += (double)full.c[i * matrix->n + j] - reduced.c[i * matrix->n + j];
    return LM_OK;
}

static lm_status (*const looks[])(watch *w, lm_quant_matrix *matrix, const lm_gemm *args) = {
    [LM_LOOK_INPUTS] = look_at_inputs,
    [LM_LOOK_GRAMS] = look_at_grams,
    [LM_LOOK_ERRORS] = look_at_errors,
};

/* ---- The observer ---- */

static lm_status
look_at_rows(watch *w, lm_quant_matrix *matrix, const lm_gemm *args)
{
    lm_gemm part = *args;

    for (size_t row = 0; row < args->m; row += LOOK_ROWS) {
        LM_TRY(lm_poll(w->quant->ctx));
        part.m = args->m - row < LOOK_ROWS ? args->m - row : LOOK_ROWS;
        part.a = args->a + row * args->lda;
        LM_TRY(w->look(w, matrix, &part));
    }
    return LM_OK;
}

/* Finds the matrix of a call. */
static lm_status
see(void *opaque, lm_context *ctx, const lm_gemm *args)
{
    watch *w = opaque;

    for (size_t i = 0; i < w->quant->count; i++)
        if (w->quant->matrices[i].packed == args->packed)
            return look_at_rows(w, &w->quant->matrices[i], args);
    return LM_OK;
}

/* Buffers for the matrix that needs the most of each, in one piece of memory. */
static lm_status
make_room(watch *w)
{
    const lm_quant *quant = w->quant;
    size_t rows = 0, out = 0, scratch = 0;
    char *base;

    for (size_t i = 0; i < quant->count; i++) {
        const lm_quant_matrix *matrix = &quant->matrices[i];
        const lm_product *products[] = {quant->model->weights.product,
                                        quant->reduced.weights.product};

        rows = matrix->k > rows ? matrix->k : rows;
        out = matrix->n > out ? matrix->n : out;
        for (int p = 0; p < 2; p++) {
            size_t needed = products[p]->scratch_size(LOOK_ROWS, matrix->k);

            scratch = needed > scratch ? needed : scratch;
        }
    }
    rows = lm_align_up(rows * LOOK_ROWS * sizeof(float));
    out = lm_align_up(2 * out * LOOK_ROWS * sizeof(float));
    w->memory = lm_alloc(quant->ctx, rows + out + scratch + LM_ALIGNMENT);
    if (!w->memory)
        return LM_NO_MEMORY;
    base = (char *)lm_align_up((uintptr_t)w->memory);
    w->rows = (float *)base;
    w->out = (float *)(base + rows);
    w->scratch = base + rows + out;
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

/* The model with other products, which have an observer. */
lm_status
lm_quant_look_at(lm_quant *quant, lm_session *session, const lm_text *texts, size_t count,
                 lm_quant_look look, uint64_t *tokens)
{
    const lm_model *model = quant->model;
    watch w = {.quant = quant, .look = looks[look]};
    const lm_observer observer = {see, &w};
    lm_product product = *model->weights.product;
    lm_model watched = *model;
    float *out = lm_alloc_array(quant->ctx, BLOCK, (size_t)model->info.dimensions * sizeof *out);
    lm_status status = out ? make_room(&w) : LM_NO_MEMORY;

    product.observer = &observer;
    watched.weights.product = &product;
    if (status == LM_OK)
        status = embed_blocks(quant->ctx, session, &watched, texts, count, out, tokens);
    lm_free(quant->ctx, w.memory);
    lm_free(quant->ctx, out);
    return status;
}
