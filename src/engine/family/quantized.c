/*
 * quantized.c - the matrices of a calibrated int8 version: planned against the targets of the
 * model, then read in file order and packed. The file says nothing that the model does not demand:
 * which matrices there are, and their shapes, is the plan's.
 */
#include "family/quantized.h"

#include <stdio.h>
#include <string.h>

const lm_quantized_form lm_quantized_forms[LM_QUANTIZED_PARTS] = {
    [LM_QUANTIZED_CODES] = {".codes", LM_I8, true, true},
    [LM_QUANTIZED_SCALES] = {".scales", LM_F32, true, false},
    [LM_QUANTIZED_SMOOTH_SCALE] = {".gain", LM_F32, false, true},
    [LM_QUANTIZED_BIAS_CORRECTION] = {".offset", LM_F32, true, false},
};

/* ---- Plan ---- */

/* Something is wrong with a tensor of the file. */
static lm_status
refuse(lm_context *ctx, const char *name, const char *message)
{
    lm_raise(ctx, LM_BAD_MODEL, "%s", message);
    lm_detail_file(ctx, LM_QUANTIZED_FILE);
    return lm_detail_key(ctx, "%s", name);
}

/* Dtype and every dimension. */
static lm_status
check_form(lm_context *ctx, const lm_quantized_form *form, const lm_weight_target *target,
           const lm_tensor *tensor)
{
    size_t wanted[2];
    int rank = 0;
    bool same;

    if (form->rows)
        wanted[rank++] = target->rows;
    if (form->width)
        wanted[rank++] = target->width;
    same = tensor->dtype == form->dtype && tensor->rank == rank;
    for (int i = 0; same && i < rank; i++)
        same = tensor->shape[i] == wanted[i];
    if (same)
        return LM_OK;
    refuse(ctx, tensor->name, "a tensor of the quantised matrices has the wrong dtype or shape");
    lm_detail_found(ctx, "%s of rank %d, %llu values", lm_dtypes[tensor->dtype].name, tensor->rank,
                    (unsigned long long)tensor->count);
    return rank == 2 ? lm_detail_allowed(ctx, "%s (%zu, %zu)", lm_dtypes[form->dtype].name,
                                         wanted[0], wanted[1])
                     : lm_detail_allowed(ctx, "%s (%zu)", lm_dtypes[form->dtype].name, wanted[0]);
}

/* The tensors of one matrix; they must come next in the file, so that it is read front to back. */
static lm_status
find_matrix(lm_context *ctx, const lm_tensors *tensors, const lm_weights_plan *plan, size_t index,
            uint32_t *order, const lm_tensor **found)
{
    char name[LM_WEIGHT_NAME_SIZE], full[LM_WEIGHT_NAME_SIZE + 16];

    lm_weight_name(plan->family, plan->config, index, name);
    for (int part = 0; part < LM_QUANTIZED_PARTS; part++) {
        const lm_quantized_form *form = &lm_quantized_forms[part];

        snprintf(full, sizeof full, "%s%s", name, form->suffix);
        found[part] = lm_tensors_find(tensors, full);
        if (!found[part])
            return refuse(ctx, full, "a tensor of the quantised matrices is missing");
        LM_TRY(check_form(ctx, form, &plan->targets[index], found[part]));
        if (found[part]->order != (*order)++)
            return refuse(ctx, full, "a tensor of the quantised matrices is out of order");
    }
    return LM_OK;
}

/* Without the parts of matrices that the file of quantised matrices has. */
static void
drop_placements(lm_weights_plan *plan)
{
    size_t kept = 0;

    for (size_t i = 0; i < plan->placement_count; i++)
        if (!plan->targets[plan->placements[i].target].quantized)
            plan->placements[kept++] = plan->placements[i];
    plan->placement_count = kept;
}

/* Tensors are counted by their order, so what is left over stands behind the last one. */
static lm_status
refuse_rest(lm_context *ctx, const lm_tensors *tensors, uint32_t order)
{
    for (size_t i = 0; i < tensors->count; i++)
        if (tensors->items[i].order >= order)
            return refuse(ctx, tensors->items[i].name,
                          "a tensor belongs to no matrix of the model");
    return LM_OK;
}

lm_status
lm_quantized_plan(lm_context *ctx, lm_arena *arena, const lm_tensors *tensors,
                  lm_weights_plan *plan)
{
    uint32_t order = 0;

    for (size_t i = 0; i < plan->target_count; i++) {
        lm_weight_target *target = &plan->targets[i];
        const lm_tensor **found;

        if (target->use != LM_SLOT_PACKED)
            continue;
        LM_TRY(lm_poll(ctx));
        found = lm_arena_array(arena, LM_QUANTIZED_PARTS, sizeof *found);
        if (!found)
            return LM_NO_MEMORY;
        LM_TRY(find_matrix(ctx, tensors, plan, i, &order, found));
        target->quantized = found;
    }
    drop_placements(plan);
    return refuse_rest(ctx, tensors, order);
}

/* ---- Fill ---- */

/* Where one matrix is read to. */
typedef struct matrix_room {
    int8_t *codes;
    float *vectors[LM_QUANTIZED_PARTS]; /* but of the codes */
} matrix_room;

/* Row by row. −128 is outside the codes: sums of it might not fit. */
static lm_status
read_codes(lm_context *ctx, const lm_source *source, const lm_weight_target *target, int8_t *codes)
{
    const lm_tensor *tensor = target->quantized[LM_QUANTIZED_CODES];

    for (size_t row = 0; row < target->rows; row++, codes += target->width) {
        int lowest = 0;

        LM_TRY(lm_poll(ctx));
        LM_TRY(source->read(ctx, source->opaque, tensor->file,
                            tensor->offset + (uint64_t)row * target->width, codes, target->width));
        for (size_t i = 0; i < target->width; i++)
            lowest = codes[i] < lowest ? codes[i] : lowest;
        if (lowest < -127)
            return refuse(ctx, tensor->name, "a code of the quantised matrices is -128");
    }
    return LM_OK;
}

/* All parts, in file order. */
static lm_status
read_matrix(lm_context *ctx, const lm_source *source, const lm_weight_target *target,
            const matrix_room *room)
{
    LM_TRY(read_codes(ctx, source, target, room->codes));
    for (int part = LM_QUANTIZED_SCALES; part < LM_QUANTIZED_PARTS; part++)
        LM_TRY(lm_tensor_read(ctx, source, target->quantized[part], room->vectors[part]));
    for (size_t i = 0; i < target->rows; i++)
        if (room->vectors[LM_QUANTIZED_SCALES][i] < 0)
            return refuse(ctx, target->quantized[LM_QUANTIZED_SCALES]->name,
                          "a scale of the quantised matrices is negative");
    return LM_OK;
}

/* One matrix, through memory taken for it alone. */
static lm_status
fill_matrix(lm_context *ctx, const lm_weights_plan *plan, const lm_weight_target *target,
            const lm_source *source, char *image)
{
    matrix_room room = {.codes = lm_alloc_array(ctx, target->rows, target->width)};
    lm_status status = room.codes ? LM_OK : LM_NO_MEMORY;

    for (int part = LM_QUANTIZED_SCALES; part < LM_QUANTIZED_PARTS && status == LM_OK; part++) {
        size_t count = lm_quantized_forms[part].rows ? target->rows : target->width;

        room.vectors[part] = lm_alloc_array(ctx, count, sizeof(float));
        status = room.vectors[part] ? LM_OK : LM_NO_MEMORY;
    }
    if (status == LM_OK)
        status = read_matrix(ctx, source, target, &room);
    if (status == LM_OK && !target->spare) {
        const lm_matrix matrix = {.n = target->rows,
                                  .k = target->width,
                                  .codes = room.codes,
                                  .scales = room.vectors[LM_QUANTIZED_SCALES],
                                  .smooth_scale = room.vectors[LM_QUANTIZED_SMOOTH_SCALE],
                                  .bias_correction = room.vectors[LM_QUANTIZED_BIAS_CORRECTION]};

        status = lm_pack(ctx, &plan->kernels->products[LM_PRECISION_INT8], &matrix,
                         image + target->offset);
    }
    for (int part = LM_QUANTIZED_SCALES; part < LM_QUANTIZED_PARTS; part++)
        lm_free(ctx, room.vectors[part]);
    lm_free(ctx, room.codes);
    return status;
}

lm_status
lm_quantized_fill(lm_context *ctx, const lm_weights_plan *plan, const lm_source *source,
                  char *image)
{
    for (size_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i].quantized)
            LM_TRY(fill_matrix(ctx, plan, &plan->targets[i], source, image));
    return LM_OK;
}
