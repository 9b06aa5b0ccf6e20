/*
 * quantize.c - from a model and texts to the file of its matrices in int8, and how near the result
 * is to the model.
 */
#include "quant/quantize.h"

#include <math.h>
#include <string.h>

#include "quant/matrices.h"
#include "quant/texts.h"

/* One of so many texts that the caller gave is measured on. */
#define HOLD_OUT 5

/* Texts embedded in one call, between two looks at what they took. */
#define BLOCK ((size_t)32)

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

static lm_status
quantize_matrices(lm_quant *quant)
{
    for (size_t i = 0; i < quant->count; i++) {
        lm_quant_matrix *matrix = &quant->matrices[i];
        float *values = lm_alloc_array(quant->ctx, matrix->n, matrix->k * sizeof *values);
        lm_status status = values ? lm_quant_values(quant, matrix, values) : LM_NO_MEMORY;

        if (status == LM_OK) {
            lm_quantize_rows(values, matrix->n, matrix->k, matrix->codes, matrix->scales);
            lm_quant_store(quant, matrix);
        }
        lm_free(quant->ctx, values);
        LM_TRY(status);
    }
    return LM_OK;
}

/* ---- Fidelity ---- */

static double
cosine(const float *a, const float *b, size_t width)
{
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < width; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

/* Both models on a block of texts; `vectors` has room for two blocks. */
static lm_status
compare_block(const lm_quant *quant, lm_session *session, const lm_text *texts, size_t count,
              float *vectors, lm_quantize_report *report)
{
    size_t width = (size_t)quant->model->info.dimensions;
    const lm_embed_options options = {.dimensions = 0};
    float *reduced = vectors + BLOCK * width;

    LM_TRY(lm_embed(quant->ctx, session, quant->model, texts, count, &options, vectors, NULL));
    LM_TRY(lm_embed(quant->ctx, session, &quant->reduced, texts, count, &options, reduced, NULL));
    for (size_t i = 0; i < count; i++) {
        double value = cosine(vectors + i * width, reduced + i * width, width);

        report->cosine_min = fmin(report->cosine_min, value);
        report->cosine_mean += value;
    }
    return LM_OK;
}

static lm_status
measure(const lm_quant *quant, lm_session *session, const text_sets *sets,
        lm_quantize_report *report)
{
    size_t width = (size_t)quant->model->info.dimensions;
    float *vectors = lm_alloc_array(quant->ctx, 2 * BLOCK, width * sizeof *vectors);
    lm_status status = vectors ? LM_OK : LM_NO_MEMORY;

    report->cosine_min = 1;
    for (size_t i = 0; i < sets->held_count && status == LM_OK; i += BLOCK) {
        size_t left = sets->held_count - i;

        status = compare_block(quant, session, sets->held_out + i, left < BLOCK ? left : BLOCK,
                               vectors, report);
    }
    report->cosine_mean /= (double)sets->held_count;
    lm_free(quant->ctx, vectors);
    return status;
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
    LM_TRY(quantize_matrices(quant));
    report->texts = sets.count;
    report->held_out = sets.held_count;
    report->matrices = quant->count;
    return measure(quant, session, &sets, report);
}

lm_status
lm_quantize(lm_context *ctx, lm_session *session, const lm_model *model, const lm_source *source,
            const lm_quantize_options *options, lm_buffer *file, lm_quantize_report *report)
{
    lm_quant quant = {.ctx = ctx, .model = model, .file = file};
    lm_status status;

    if (model->has_head || model->weights.precision != LM_PRECISION_F32)
        return lm_raise(ctx, LM_BAD_ARGUMENT, "only an encoder in fp32 can be quantised");
    *report = (lm_quantize_report){.texts = 0};
    lm_arena_init(&quant.arena, ctx);
    status = run(&quant, session, source, options, report);
    lm_quant_close(&quant);
    return status;
}
