/*
 * quantize.c - from a model and texts to the file of its matrices in int8, and how near the result
 * is to the model.
 */
#include "quant/quantize.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/calibrate.h"
#include "quant/gptq.h"
#include "quant/texts.h"

/* One in HOLD_OUT of the caller's texts is held out for measuring. */
#define HOLD_OUT 5

/* Of Gram matrices, where the caller does not say. */
#define DEFAULT_MEMORY ((size_t)256 << 20)

/* The texts of one call. */
typedef struct text_sets {
    lm_text *texts, *held_out;
    size_t count, held_count;
} text_sets;

static lm_status
take_shipped(lm_arena *arena, text_sets *sets)
{
    sets->count = lm_calibration_text_count;
    sets->held_count = lm_held_out_text_count;
    sets->texts = lm_arena_array(arena, sets->count, sizeof *sets->texts);
    sets->held_out = lm_arena_array(arena, sets->held_count, sizeof *sets->held_out);
    if (!sets->texts || !sets->held_out)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < sets->count; i++)
        sets->texts[i] = (lm_text){lm_calibration_texts[i], strlen(lm_calibration_texts[i])};
    for (size_t i = 0; i < sets->held_count; i++)
        sets->held_out[i] = (lm_text){lm_held_out_texts[i], strlen(lm_held_out_texts[i])};
    return LM_OK;
}

/* Every fifth of the caller's texts is held out. */
static lm_status
split_texts(lm_context *ctx, lm_arena *arena, const lm_quantize_options *options, text_sets *sets)
{
    if (options->count < HOLD_OUT) {
        lm_raise(ctx, LM_BAD_ARGUMENT, "too few texts to calibrate on");
        lm_detail_found(ctx, "%zu", options->count);
        return lm_detail_allowed(ctx, "at least %d", HOLD_OUT);
    }
    sets->texts = lm_arena_array(arena, options->count, sizeof *sets->texts);
    sets->held_out = lm_arena_array(arena, options->count, sizeof *sets->held_out);
    if (!sets->texts || !sets->held_out)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < options->count; i++)
        if (i % HOLD_OUT == HOLD_OUT - 1)
            sets->held_out[sets->held_count++] = options->texts[i];
        else
            sets->texts[sets->count++] = options->texts[i];
    return LM_OK;
}

/* ---- Matrices ---- */

/* A column whose inputs or weights are far below the greatest is as one at this part of it. */
#define LEAST 1e-4f

static float
greatest(const float *x, size_t count)
{
    float most = 0;

    for (size_t i = 0; i < count; i++)
        most = fmaxf(most, x[i]);
    return most;
}

/*
 * SmoothQuant (Xiao et al. 2022) at ½: inputs and weights of a column get one size. `sizes` has
 * room for a row.
 */
static void
choose_smooth_scales(lm_quant_matrix *matrix, const float *values, float *sizes)
{
    size_t k = matrix->k;
    float input = greatest(matrix->absmax, k) * LEAST, weight;

    memset(sizes, 0, k * sizeof *sizes);
    for (size_t i = 0; i < matrix->n * k; i++)
        sizes[i % k] = fmaxf(sizes[i % k], fabsf(values[i]));
    weight = greatest(sizes, k) * LEAST;
    if (!(input > 0 && input < FLT_MAX && weight > 0))
        return;
    for (size_t j = 0; j < k; j++)
        matrix->smooth_scale[j] = sqrtf(fmaxf(sizes[j], weight) / fmaxf(matrix->absmax[j], input));
}

/* Applies smooth_scale to the weights and to the inputs' Gram matrix. */
static void
apply_smooth_scales(const lm_quant_matrix *matrix, float *values)
{
    size_t k = matrix->k;

    for (size_t i = 0; i < matrix->n; i++)
        for (size_t j = 0; j < k; j++)
            values[i * k + j] /= matrix->smooth_scale[j];
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++)
            matrix->gram[i * k + j] *= matrix->smooth_scale[i] * matrix->smooth_scale[j];
}

/* By the Gram matrix where the texts gave one; a matrix that they do not reach is only rounded. */
static lm_status
quantize_values(lm_quant *quant, lm_quant_matrix *matrix, float *values, float *sizes)
{
    LM_TRY(lm_quant_values(quant, matrix, values));
    if (matrix->gram) {
        choose_smooth_scales(matrix, values, sizes);
        apply_smooth_scales(matrix, values);
        LM_TRY(lm_gptq_round(quant->ctx, matrix->n, matrix->k, values, matrix->gram, matrix->codes,
                             matrix->scales));
    } else
        LM_TRY(lm_quantize_matrix(quant->ctx, values, matrix->n, matrix->k, matrix->codes,
                                  matrix->scales));
    return lm_quant_store(quant, matrix);
}

static lm_status
quantize_matrix(lm_quant *quant, lm_quant_matrix *matrix)
{
    float *values = lm_alloc_array(quant->ctx, matrix->n, matrix->k * sizeof *values);
    float *sizes = lm_alloc_array(quant->ctx, matrix->k, sizeof *sizes);
    lm_status status = LM_NO_MEMORY;

    if (values && sizes)
        status = quantize_values(quant, matrix, values, sizes);
    lm_free(quant->ctx, values);
    lm_free(quant->ctx, sizes);
    return status;
}

/* Zeroed Gram matrices from `first` on, as many as the memory holds, one at least; *end is next. */
static lm_status
open_group(lm_quant *quant, size_t memory, size_t first, size_t *end)
{
    size_t used = 0;

    for (*end = first; *end < quant->count; ++*end) {
        lm_quant_matrix *matrix = &quant->matrices[*end];
        size_t bytes = matrix->k * matrix->k * sizeof(float);

        if (matrix->rows == 0)
            continue;
        if (used > 0 && used + bytes > memory)
            break;
        matrix->gram = lm_alloc_zero(quant->ctx, bytes);
        if (!matrix->gram)
            return LM_NO_MEMORY;
        used += bytes;
    }
    return LM_OK;
}

static void
close_group(lm_quant *quant, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        lm_free(quant->ctx, quant->matrices[i].gram);
        quant->matrices[i].gram = NULL;
    }
}

/* A pass over the texts for as many matrices as their Gram matrices have memory. */
static lm_status
quantize_groups(lm_quant *quant, lm_session *session, const text_sets *sets, size_t memory)
{
    for (size_t first = 0, end; first < quant->count; first = end) {
        lm_status status = open_group(quant, memory, first, &end);

        if (status == LM_OK)
            status =
                lm_calibrate_pass(quant, session, sets->texts, sets->count, LM_COLLECT_GRAMS, NULL);
        for (size_t i = first; i < end && status == LM_OK; i++) {
            status = quantize_matrix(quant, &quant->matrices[i]);
            lm_progress(quant->ctx, i + 1, quant->count);
        }
        close_group(quant, first, quant->count);
        LM_TRY(status);
    }
    return LM_OK;
}

/* Removes the mean of the codes' error from each output (bias correction; Nagel et al. 2019). */
static lm_status
correct_biases(lm_quant *quant, lm_session *session, const text_sets *sets)
{
    LM_TRY(lm_calibrate_pass(quant, session, sets->texts, sets->count, LM_COLLECT_ERRORS, NULL));
    for (size_t i = 0; i < quant->count; i++) {
        lm_quant_matrix *matrix = &quant->matrices[i];

        for (size_t j = 0; j < matrix->n && matrix->rows > 0; j++) {
            double mean = matrix->error[j] / (double)matrix->rows;

            /* Where the codes cannot follow, an input is beyond float: no correction helps. */
            matrix->bias_correction[j] = isfinite(mean) ? (float)mean : 0;
        }
        LM_TRY(lm_quant_store(quant, matrix));
    }
    return LM_OK;
}

static lm_status
run(lm_quant *quant, lm_session *session, const lm_source *source,
    const lm_quantize_options *options, lm_quantize_report *report)
{
    text_sets sets = {.count = 0};

    LM_TRY(lm_quant_open(quant, source));
    if (options && options->texts)
        LM_TRY(split_texts(quant->ctx, &quant->arena, options, &sets));
    else
        LM_TRY(take_shipped(&quant->arena, &sets));
    LM_TRY(lm_calibrate_pass(quant, session, sets.texts, sets.count, LM_COLLECT_INPUTS,
                             &report->tokens));
    LM_TRY(quantize_groups(quant, session, &sets,
                           options && options->memory ? options->memory : DEFAULT_MEMORY));
    LM_TRY(correct_biases(quant, session, &sets));
    report->texts = sets.count;
    report->matrices = quant->count;
    return lm_fidelity_measure(quant->ctx, session, quant->model, &quant->reduced, sets.held_out,
                               sets.held_count, &report->fidelity);
}

lm_status
lm_quantize(lm_context *ctx, lm_session *session, const lm_model *model, const lm_source *source,
            const lm_quantize_options *options, lm_buffer *file, lm_quantize_report *report)
{
    lm_quant quant = {.ctx = ctx, .model = model, .file = file};
    lm_status status;

    if (lm_model_needs_base(model) || model->routes || !lm_model_weights(model) ||
        lm_model_weights(model)->precision != LM_PRECISION_F32)
        return lm_raise(ctx, LM_BAD_ARGUMENT, "only an encoder in fp32 can be quantized");
    *report = (lm_quantize_report){.texts = 0};
    lm_arena_init(&quant.arena, ctx);
    status = run(&quant, session, source, options, report);
    lm_quant_close(&quant);
    return status;
}
