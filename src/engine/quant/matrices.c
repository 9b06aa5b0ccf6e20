/*
 * matrices.c - what is quantised and where it goes. The fp32 weights are read out of their packed
 * form, so files are read once only, for the int8 model.
 */
#include "quant/matrices.h"

#include <stdio.h>
#include <string.h>

#include "base/size.h"

/* An int8 model by plain rounding, in memory of its own. */
static lm_status
fill_reduced(lm_quant *quant, const lm_weights_plan *plan, const lm_source *source)
{
    char *image;

    quant->image = lm_alloc(quant->ctx, plan->size + LM_ALIGNMENT);
    if (!quant->image)
        return LM_NO_MEMORY;
    image = (char *)lm_align_up((uintptr_t)quant->image);
    LM_TRY(lm_weights_fill(quant->ctx, plan, source, image));
    LM_TRY(lm_weights_bind(quant->ctx, image, plan->size, &quant->weights));
    quant->reduced = *quant->model;
    quant->reduced.views[LM_SECTION_WEIGHTS] = &quant->weights;
    quant->reduced.info.precision = LM_PRECISION_INT8;
    return LM_OK;
}

/* Vectors of one matrix: no change of inputs or outputs yet. */
static lm_status
make_matrix(lm_quant *quant, const lm_weight_target *target, size_t index, lm_quant_matrix *matrix)
{
    *matrix = (lm_quant_matrix){
        .index = index,
        .n = target->rows,
        .k = target->width,
        .packed = lm_model_weights(quant->model)->table[index],
        .spare = target->values,
        .scales = lm_arena_array(&quant->arena, target->rows, sizeof(float)),
        .smooth_scale = lm_arena_array(&quant->arena, target->width, sizeof(float)),
        .bias_correction = lm_arena_zero(&quant->arena, target->rows * sizeof(float)),
        .sum = lm_arena_zero(&quant->arena, target->width * sizeof(double)),
        .eighths = lm_arena_zero(&quant->arena, target->width * sizeof(double)),
        .centre = lm_arena_array(&quant->arena, target->width, sizeof(float)),
        .sample_step = 1,
    };
    if (!matrix->scales || !matrix->smooth_scale || !matrix->bias_correction || !matrix->sum ||
        !matrix->eighths || !matrix->centre)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < matrix->k; i++)
        matrix->smooth_scale[i] = 1;
    return LM_OK;
}

/* In the order of the targets, which is the file's. */
static lm_status
list_matrices(lm_quant *quant, const lm_weights_plan *plan)
{
    quant->matrices = lm_arena_array(&quant->arena, plan->target_count, sizeof *quant->matrices);
    if (!quant->matrices)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i].use == LM_SLOT_PACKED)
            LM_TRY(make_matrix(quant, &plan->targets[i], i, &quant->matrices[quant->count++]));
    return LM_OK;
}

/* ---- The file ---- */

/* The directory's entries of one matrix. */
static lm_status
describe(lm_quant *quant, const lm_quant_matrix *matrix, lm_tensor *tensors)
{
    const lm_weights *weights = lm_model_weights(quant->model);
    char name[LM_WEIGHT_NAME_SIZE], full[LM_WEIGHT_NAME_SIZE + 16];

    lm_weight_name(weights->family, weights->config, matrix->index, name);
    for (int part = 0; part < LM_QUANTIZED_PARTS; part++) {
        const lm_quantized_form *form = &lm_quantized_forms[part];
        lm_tensor *tensor = &tensors[part];

        snprintf(full, sizeof full, "%s%s", name, form->suffix);
        *tensor = (lm_tensor){.name = lm_arena_copy(&quant->arena, full, strlen(full)),
                              .dtype = form->dtype};
        if (!tensor->name)
            return LM_NO_MEMORY;
        if (form->rows)
            tensor->shape[tensor->rank++] = matrix->n;
        if (form->width)
            tensor->shape[tensor->rank++] = matrix->k;
    }
    return LM_OK;
}

/* Bytes of a matrix in the file. Cannot overflow: its floats are in memory. */
static size_t
file_size(const lm_quant_matrix *matrix)
{
    return matrix->n * matrix->k + (2 * matrix->n + matrix->k) * sizeof(float);
}

/* The header, and room behind it. */
static lm_status
begin_file(lm_quant *quant)
{
    static const lm_metadata metadata[] = {{"format", LM_QUANTIZED_FORMAT},
                                           {"version", LM_QUANTIZED_VERSION}};
    lm_tensor *tensors =
        lm_arena_array(&quant->arena, quant->count * LM_QUANTIZED_PARTS, sizeof *tensors);
    size_t size = 0;
    char *codes;

    if (!tensors)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < quant->count; i++) {
        LM_TRY(describe(quant, &quant->matrices[i], tensors + i * LM_QUANTIZED_PARTS));
        size += file_size(&quant->matrices[i]);
    }
    LM_TRY(lm_tensors_write_header(quant->ctx, metadata, 2, tensors,
                                   quant->count * LM_QUANTIZED_PARTS, quant->file));
    LM_TRY(lm_buffer_reserve(quant->file, size));
    codes = quant->file->data + quant->file->size;
    quant->file->size += size;
    for (size_t i = 0; i < quant->count; i++) {
        quant->matrices[i].codes = (int8_t *)codes;
        codes += file_size(&quant->matrices[i]);
    }
    return LM_OK;
}

/* The floats follow the codes, at any address. */
static void
write_vectors(const lm_quant_matrix *matrix)
{
    char *to = (char *)matrix->codes + matrix->n * matrix->k;
    const float *vectors[] = {matrix->scales, matrix->smooth_scale, matrix->bias_correction};
    const size_t counts[] = {matrix->n, matrix->k, matrix->n};

    for (int i = 0; i < 3; i++) {
        memcpy(to, vectors[i], counts[i] * sizeof(float));
        to += counts[i] * sizeof(float);
    }
}

lm_status
lm_quant_store(lm_quant *quant, const lm_quant_matrix *matrix)
{
    const lm_weights *weights = &quant->weights;
    const lm_matrix packing = {.n = matrix->n,
                               .k = matrix->k,
                               .codes = matrix->codes,
                               .scales = matrix->scales,
                               .smooth_scale = matrix->smooth_scale,
                               .bias_correction = matrix->bias_correction};

    write_vectors(matrix);
    if (matrix->spare)
        return LM_OK;
    return lm_pack(quant->ctx, weights->product, &packing,
                   (void *)(uintptr_t)weights->table[matrix->index]);
}

/* ---- Values ---- */

/* A matrix that no image has was kept when the int8 model was filled. */
lm_status
lm_quant_values(const lm_quant *quant, const lm_quant_matrix *matrix, float *values)
{
    if (matrix->spare) {
        memcpy(values, matrix->spare, matrix->n * matrix->k * sizeof *values);
        return LM_OK;
    }
    return lm_unpack(quant->ctx, lm_model_weights(quant->model)->kernels, LM_PRECISION_F32,
                     matrix->packed, matrix->n, matrix->k, values);
}

/* ---- Life ---- */

/* The file has every matrix of the model, also those that nothing reads. */
static lm_status
keep_spares(lm_quant *quant, const lm_weights_plan *plan)
{
    for (size_t i = 0; i < plan->target_count; i++) {
        lm_weight_target *target = &plan->targets[i];

        if (!target->spare || target->use != LM_SLOT_PACKED)
            continue;
        target->values =
            lm_arena_array(&quant->arena, target->rows, target->width * sizeof *target->values);
        if (!target->values)
            return LM_NO_MEMORY;
    }
    return LM_OK;
}

lm_status
lm_quant_open(lm_quant *quant, const lm_source *source)
{
    const lm_weights *weights = lm_model_weights(quant->model);
    lm_weights_plan plan;
    lm_checkpoint checkpoint;

    LM_TRY(lm_checkpoint_open(quant->ctx, &quant->arena, source, NULL, &checkpoint));
    LM_TRY(lm_weights_plan_make(quant->ctx, &quant->arena, weights->family, NULL, &checkpoint,
                                weights->kernels, LM_PRECISION_INT8, &plan));
    LM_TRY(keep_spares(quant, &plan));
    LM_TRY(fill_reduced(quant, &plan, source));
    LM_TRY(list_matrices(quant, &plan));
    return begin_file(quant);
}

void
lm_quant_close(lm_quant *quant)
{
    if (quant->weights.table)
        lm_weights_unbind(quant->ctx, &quant->weights);
    lm_free(quant->ctx, quant->image);
    lm_arena_free(&quant->arena);
}
