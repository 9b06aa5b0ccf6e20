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

/* Of Gram matrices and samples, where the caller does not say. */
#define DEFAULT_MEMORY ((size_t)320 << 20)

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
 * The size of each column: of inputs the eighth root of the mean of x⁸, which a rare great one
 * moves less than it would their greatest.
 */
static void
measure_inputs(const lm_quant_matrix *matrix, float *sizes)
{
    for (size_t j = 0; j < matrix->k; j++)
        sizes[j] = (float)sqrt(sqrt(sqrt(matrix->eighths[j] / (double)matrix->rows)));
}

/* Of weights the greatest; where that stands out of the root of the mean square, less. */
static void
measure_weights(const lm_quant_matrix *matrix, const float *values, float *sizes, float *squares)
{
    size_t k = matrix->k;

    memset(sizes, 0, k * sizeof *sizes);
    memset(squares, 0, k * sizeof *squares);
    for (size_t i = 0; i < matrix->n; i++, values += k)
        for (size_t j = 0; j < k; j++) {
            sizes[j] = fabsf(values[j]) > sizes[j] ? fabsf(values[j]) : sizes[j];
            squares[j] += values[j] * values[j];
        }
    for (size_t j = 0; j < k; j++)
        sizes[j] = sqrtf(sizes[j] * sqrtf(sizes[j] * sqrtf(squares[j] / (float)matrix->n)));
}

/*
 * SmoothQuant (Xiao et al. 2022) at ½, with other sizes: inputs and weights of a column get one.
 * `sizes` has room for two rows.
 */
static void
choose_smooth_scales(lm_quant_matrix *matrix, const float *values, float *sizes)
{
    size_t k = matrix->k;
    float *inputs = sizes + k, input, weight;

    measure_weights(matrix, values, sizes, inputs);
    measure_inputs(matrix, inputs);
    weight = greatest(sizes, k) * LEAST;
    input = greatest(inputs, k) * LEAST;
    if (!(input > 0 && input < FLT_MAX && weight > 0))
        return;
    for (size_t j = 0; j < k; j++)
        matrix->smooth_scale[j] = sqrtf(fmaxf(sizes[j], weight) / fmaxf(inputs[j], input));
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

/*
 * The mean of what coding takes off the sample's inputs, by column; `row` has room for two. It is
 * drawn to 0 by the part of its square that chance alone gives a sample: a mean of errors is the
 * same in all rows, so chance in it would not average out where rows are pooled.
 */
static lm_status
measure_coding(lm_context *ctx, const lm_quant_matrix *matrix, float *row, double *lost,
               double *squares)
{
    const size_t k = matrix->k;
    const double rows = (double)matrix->sample_rows;

    for (size_t i = 0; i < matrix->sample_rows; i++) {
        LM_TRY(lm_poll(ctx));
        for (size_t j = 0; j < k; j++)
            row[j] = matrix->sample[i * k + j] * matrix->smooth_scale[j];
        lm_int8_read(row, k, row + k);
        for (size_t j = 0; j < k; j++) {
            double error = row[j] - row[k + j];

            lost[j] += error / rows;
            squares[j] += error * error / rows;
        }
    }
    for (size_t j = 0; j < k; j++) {
        double square = lost[j] * lost[j], chance = (squares[j] - square) / rows;

        lost[j] *= square > chance ? 1 - chance / square : 0;
    }
    return LM_OK;
}

/* The mean error of an output, whose weights are `w`. */
static double
output_error(const lm_quant_matrix *matrix, const float *w, size_t row, const double *lost)
{
    const int8_t *codes = matrix->codes + row * matrix->k;
    double sum = 0;

    for (size_t j = 0; j < matrix->k; j++) {
        double code = (double)codes[j] * matrix->scales[row];
        double mean = matrix->sum[j] / (double)matrix->rows * matrix->smooth_scale[j];

        sum += (w[j] - code) * mean + code * lost[j];
    }
    return sum;
}

/*
 * Removes the mean of the codes' error from each output (bias correction; Nagel et al. 2019). Sums
 * are linear, so means of the inputs are enough, and no product is made twice: that of the weights'
 * error with all inputs, and that of the codes with what the coding of inputs takes off. For this
 * a sample does: it lacks the part 1 / rows of what differs from row to row.
 */
static lm_status
correct_biases(lm_context *ctx, lm_quant_matrix *matrix, const float *values)
{
    const size_t k = matrix->k;
    double *lost = lm_alloc_zero(ctx, 2 * k * sizeof *lost);
    float *row = lm_alloc_array(ctx, k, 2 * sizeof *row);
    lm_status status = LM_NO_MEMORY;

    if (lost && row)
        status = measure_coding(ctx, matrix, row, lost, lost + k);
    for (size_t i = 0; i < matrix->n && status == LM_OK; i++) {
        double sum = output_error(matrix, values + i * k, i, lost);

        /* Where the codes cannot follow, an input is beyond float: no correction helps. */
        matrix->bias_correction[i] = isfinite((float)sum) ? (float)sum : 0;
    }
    lm_free(ctx, lost);
    lm_free(ctx, row);
    return status;
}

/* By what the texts showed; a matrix that they do not reach is only rounded. */
static lm_status
quantize_values(lm_quant *quant, lm_quant_matrix *matrix, float *values, float *sizes)
{
    LM_TRY(lm_quant_values(quant, matrix, values));
    if (matrix->rows > 0) {
        LM_TRY(lm_calibrate_finish(quant->ctx, matrix));
        choose_smooth_scales(matrix, values, sizes);
        apply_smooth_scales(matrix, values);
        LM_TRY(lm_gptq_round(quant->ctx, matrix->n, matrix->k, values, matrix->gram, matrix->codes,
                             matrix->scales));
        LM_TRY(correct_biases(quant->ctx, matrix, values));
    } else
        LM_TRY(lm_quantize_matrix(quant->ctx, values, matrix->n, matrix->k, matrix->codes,
                                  matrix->scales));
    return lm_quant_store(quant, matrix);
}

static lm_status
quantize_matrix(lm_quant *quant, lm_quant_matrix *matrix)
{
    float *values = lm_alloc_array(quant->ctx, matrix->n, matrix->k * sizeof *values);
    float *sizes = lm_alloc_array(quant->ctx, matrix->k, 2 * sizeof *sizes);
    lm_status status = LM_NO_MEMORY;

    if (values && sizes)
        status = quantize_values(quant, matrix, values, sizes);
    lm_free(quant->ctx, values);
    lm_free(quant->ctx, sizes);
    return status;
}

/* Room for what is gathered of the inputs of a matrix; without any, and with a packed form. */
static lm_status
open_matrix(lm_context *ctx, lm_quant_matrix *matrix)
{
    matrix->gram = lm_alloc_zero(ctx, matrix->k * matrix->k * sizeof *matrix->gram);
    matrix->sample = lm_alloc_array(ctx, LM_QUANT_SAMPLE, matrix->k * sizeof *matrix->sample);
    return matrix->gram && matrix->sample ? LM_OK : LM_NO_MEMORY;
}

/* That room from `first` on, for as many as the memory holds, one at least; *end is next. */
static lm_status
open_group(lm_quant *quant, size_t memory, size_t first, size_t *end)
{
    size_t used = 0;

    for (*end = first; *end < quant->count; ++*end) {
        lm_quant_matrix *matrix = &quant->matrices[*end];
        size_t bytes = matrix->k * (matrix->k + LM_QUANT_SAMPLE) * sizeof(float);

        if (matrix->spare)
            continue;
        if (used > 0 && used + bytes > memory)
            break;
        LM_TRY(open_matrix(quant->ctx, matrix));
        used += bytes;
    }
    return LM_OK;
}

static void
close_group(lm_quant *quant, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        lm_quant_matrix *matrix = &quant->matrices[i];

        lm_free(quant->ctx, matrix->gram);
        lm_free(quant->ctx, matrix->sample);
        matrix->gram = matrix->sample = NULL;
    }
}

/* A pass over the texts for as many matrices as what it gathers of them has memory. */
static lm_status
quantize_groups(lm_quant *quant, lm_session *session, const text_sets *sets, size_t memory,
                uint64_t *tokens)
{
    for (size_t first = 0, end; first < quant->count; first = end) {
        lm_status status = open_group(quant, memory, first, &end);

        if (status == LM_OK)
            status = lm_calibrate_pass(quant, session, sets->texts, sets->count, tokens);
        for (size_t i = first; i < end && status == LM_OK; i++) {
            status = quantize_matrix(quant, &quant->matrices[i]);
            lm_progress(quant->ctx, i + 1, quant->count);
        }
        close_group(quant, first, quant->count);
        LM_TRY(status);
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
    LM_TRY(quantize_groups(quant, session, &sets,
                           options && options->memory ? options->memory : DEFAULT_MEMORY,
                           &report->tokens));
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
