/*
 * fill.c - fills the weights section of an image.
 *
 * Each tensor is read once, in file order, never backwards, because a source may be a stream that
 * hashes what passes. A matrix is packed when the last tensor that it is made of has come; until
 * then its rows wait in memory taken for it alone.
 */
#include <stdio.h>
#include <string.h>

#include "family/quantized.h"
#include "family/section.h"

/* Values (K, N) on their way into rows of width K. */
typedef struct scatter {
    float *rows;
    size_t n, k;
} scatter;

static void
take_transposed(void *opaque, uint64_t first, const float *values, size_t count)
{
    const scatter *to = opaque;

    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)first + i;

        to->rows[at % to->n * to->k + at / to->n] = values[i];
    }
}

/* Changes the places of the two halves of count numbers. */
static void
swap_halves(float *x, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        float first = x[i];

        x[i] = x[count / 2 + i];
        x[count / 2 + i] = first;
    }
}

lm_status
lm_placement_read(lm_context *ctx, const lm_source *source, const lm_placement *placement,
                  float *rows)
{
    const lm_tensor *tensor = placement->tensor;
    scatter to = {rows, (size_t)tensor->shape[1], (size_t)tensor->shape[0]};

    if (placement->transposed)
        return lm_tensor_read_pieces(ctx, source, tensor, take_transposed, &to);
    LM_TRY(lm_tensor_read(ctx, source, tensor, rows));
    if (placement->swapped)
        swap_halves(rows, (size_t)tensor->count);
    for (size_t i = 0; placement->plus_one && i < (size_t)tensor->count; i++)
        rows[i] += 1;
    return LM_OK;
}

/* Rows of a matrix that wait for the rest of it. */
typedef struct staging {
    float *rows; /* NULL: none yet */
    int parts;   /* read so far */
} staging;

/* Values on their way into a table of bfloat16. */
static void
take_bf16(void *opaque, uint64_t first, const float *values, size_t count)
{
    lm_round_bf16(count, values, (uint16_t *)opaque + first);
}

/* A tensor that goes straight into the image. */
static lm_status
fill_rows(lm_context *ctx, const lm_weights_plan *plan, const lm_placement *placement,
          const lm_source *source, char *image)
{
    const lm_weight_target *target = &plan->targets[placement->target];
    size_t first = placement->row * target->width;
    char *start = image + target->offset;

    if (lm_element_size(plan, target) == sizeof(uint16_t))
        return lm_tensor_read_pieces(ctx, source, placement->tensor, take_bf16,
                                     (uint16_t *)start + first);
    return lm_placement_read(ctx, source, placement, (float *)start + first);
}

/* Packs a matrix that has all its rows; int8 rounds them to codes first. */
static lm_status
pack_matrix(lm_context *ctx, const lm_weights_plan *plan, const lm_weight_target *target,
            const float *rows, void *packed)
{
    lm_matrix matrix = {.n = target->rows, .k = target->width, .values = rows};
    int8_t *codes = NULL;
    float *scales = NULL;
    lm_status status = LM_OK;

    if (plan->precision == LM_PRECISION_INT8) {
        codes = lm_alloc_array(ctx, target->rows, target->width);
        scales = lm_alloc_array(ctx, target->rows, sizeof *scales);
        if (codes && scales)
            status = lm_quantize_matrix(ctx, rows, target->rows, target->width, codes, scales);
        else
            status = LM_NO_MEMORY;
        matrix.codes = codes;
        matrix.scales = scales;
    }
    if (status == LM_OK)
        status = lm_pack(ctx, &plan->kernels->products[plan->precision], &matrix, packed);
    lm_free(ctx, codes);
    lm_free(ctx, scales);
    return status;
}

/*
 * Reads one tensor of a matrix and, when it is the last part, packs the matrix and gives the
 * staging back: few matrices wait at a time.
 */
static lm_status
fill_matrix(lm_context *ctx, const lm_weights_plan *plan, const lm_placement *placement,
            const lm_source *source, staging *stage, char *image)
{
    const lm_weight_target *target = &plan->targets[placement->target];

    if (!stage->rows)
        stage->rows = lm_alloc_array(ctx, target->rows, target->width * sizeof(float));
    if (!stage->rows)
        return LM_NO_MEMORY;
    LM_TRY(lm_placement_read(ctx, source, placement, stage->rows + placement->row * target->width));
    if (++stage->parts == target->parts) {
        LM_TRY(pack_matrix(ctx, plan, target, stage->rows, image + target->offset));
        lm_free(ctx, stage->rows);
        stage->rows = NULL;
    }
    return LM_OK;
}

/* Its values are for the caller, if it wants them; they are checked either way. */
static void
take_nothing(void *opaque, uint64_t first, const float *values, size_t count)
{
}

static lm_status
fill_spare(lm_context *ctx, const lm_placement *placement, const lm_weight_target *target,
           const lm_source *source)
{
    if (target->values)
        return lm_placement_read(ctx, source, placement,
                                 target->values + placement->row * target->width);
    return lm_tensor_read_pieces(ctx, source, placement->tensor, take_nothing, NULL);
}

static lm_status
fill_one(lm_context *ctx, const lm_weights_plan *plan, const lm_placement *placement,
         const lm_source *source, staging *stages, char *image)
{
    const lm_weight_target *target = &plan->targets[placement->target];

    if (target->spare)
        return fill_spare(ctx, placement, target, source);
    if (target->use == LM_SLOT_PACKED)
        return fill_matrix(ctx, plan, placement, source, &stages[placement->target], image);
    return fill_rows(ctx, plan, placement, source, image);
}

/* Header, config and table: everything but the targets. */
static void
write_header(const lm_weights_plan *plan, char *image)
{
    lm_weights_header header = {
        .magic = LM_SECTION_MAGIC,
        .level = (uint32_t)plan->kernels->level,
        .precision = (uint32_t)plan->precision,
        .pack_format = plan->kernels->products[plan->precision].pack_format,
        .head = plan->head ? (uint32_t)(plan->head - plan->family->heads) + 1 : 0,
        .size = plan->size,
        .config_offset = plan->config_offset,
        .config_size = plan->family->config_size,
        .table_offset = plan->table_offset,
        .table_count = plan->target_count,
    };
    uint64_t *table = (uint64_t *)(image + plan->table_offset);

    snprintf(header.family, sizeof header.family, "%s", plan->family->name);
    memcpy(image, &header, sizeof header);
    memcpy(image + plan->config_offset, plan->config, plan->family->config_size);
    for (size_t i = 0; i < plan->target_count; i++)
        table[i] = plan->targets[i].offset;
}

/* Stagings that are left over after a failure are freed here, whatever they belong to. */
lm_status
lm_weights_fill(lm_context *ctx, const lm_weights_plan *plan, const lm_source *source, void *image)
{
    staging *stages = lm_alloc_zero(ctx, plan->target_count * sizeof *stages);
    lm_status status = LM_OK;

    if (!stages)
        return LM_NO_MEMORY;
    write_header(plan, image);
    for (size_t i = 0; i < plan->placement_count && status == LM_OK; i++) {
        status = fill_one(ctx, plan, &plan->placements[i], source, stages, image);
        lm_progress(ctx, i + 1, plan->placement_count);
    }
    for (size_t i = 0; i < plan->target_count; i++)
        lm_free(ctx, stages[i].rows);
    lm_free(ctx, stages);
    return status == LM_OK ? lm_quantized_fill(ctx, plan, source, image) : status;
}
