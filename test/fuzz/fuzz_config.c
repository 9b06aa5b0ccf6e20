/*
 * fuzz_config.c - a model folder whose settings and tensors are accepted has sane sizes: dimensions
 * in the family's ranges and in agreement with the tensors, targets of the weights that lie in the
 * image one after the other and hold exactly what is placed into them, a window within the
 * positions; each file is read front to back, once, and the list of files names what is read.
 *
 * An input is a folder (fuzz.h); where it has no weights, a header that fits config.json is made.
 */
#include <limits.h>

#include "base/size.h"
#include "family/family.h"
#include "fuzz.h"

void
fuzz_prepare(void)
{
    lm_kernels_active();
}

/* Plans grow with the tensors; names in arenas that double. */
size_t
fuzz_limit(size_t size)
{
    return ((size_t)1 << 22) + 1024 * size;
}

/* Every number field of the config is in the range that its row allows. */
static void
check_fields(const lm_family *family, const void *config)
{
    const lm_dims *dims = config;
    int layers = lm_group_layers(&family->groups[LM_GROUP_LAYERS], config);

    for (size_t i = 0; i < family->field_count; i++) {
        const lm_config_field *field = &family->fields[i];
        int32_t value;

        memcpy(&value, (const char *)config + field->offset, sizeof value);
        REQUIRE(field->type != LM_FIELD_INT || (field->flags & LM_FIELD_MUST_BE) ||
                (value >= field->low && value <= field->high));
    }
    REQUIRE(dims->vocab > 0 && dims->window > 0 && dims->hidden > 0 && layers > 0);
}

/* Targets stand in the image in their order, each with room for its rows. */
static void
check_targets(const lm_weights_plan *plan)
{
    size_t end = plan->table_offset + plan->target_count * sizeof(uint64_t);

    for (size_t i = 0; i < plan->target_count; i++) {
        const lm_weight_target *target = &plan->targets[i];
        size_t bytes;

        if (target->parts == 0 || target->spare)
            continue;
        REQUIRE(!lm_mul_overflows(target->rows, target->width, &bytes));
        REQUIRE(!lm_mul_overflows(bytes, sizeof(float), &bytes));
        REQUIRE(target->offset >= end && target->offset % LM_ALIGNMENT == 0);
        REQUIRE(!lm_add_overflows(target->offset, bytes, &end));
    }
    REQUIRE(end <= plan->size && plan->size % LM_ALIGNMENT == 0);
}

/* What is placed is as large as the place, and read in the order of the files. */
static void
check_placements(const lm_weights_plan *plan)
{
    size_t parameters = 0;

    for (size_t i = 0; i < plan->placement_count; i++) {
        const lm_placement *placement = &plan->placements[i];
        const lm_weight_target *target = &plan->targets[placement->target];
        const lm_tensor *tensor = placement->tensor;

        REQUIRE(placement->target >= 0 && (size_t)placement->target < plan->target_count);
        REQUIRE(placement->row <= target->rows);
        REQUIRE(tensor->count <= (target->rows - placement->row) * target->width);
        REQUIRE(i == 0 || plan->placements[i - 1].tensor->order < tensor->order);
        parameters += tensor->count;
    }
    REQUIRE(parameters == plan->parameters);
}

/* Strings that are handed on are there; numbers are what their types allow. */
static void
check_sentence(const lm_sentence_transformers *spec)
{
    REQUIRE(spec->pooling >= LM_POOL_NONE && spec->pooling <= LM_POOL_LAST);
    REQUIRE(spec->max_seq_length >= 0 && spec->embedding_dimension >= 0);
    REQUIRE(spec->prompt_count >= 0);
    for (int i = 0; i < spec->prompt_count; i++)
        REQUIRE(spec->prompts[i].name && spec->prompts[i].text);
}

/* Every file that was read is listed, and every one that is listed, once, is there. */
static lm_status
check_list(lm_context *ctx, lm_arena *arena, const lm_source *source, fuzz_folder *folder)
{
    fuzz_folder fresh = *folder;
    lm_source again = fuzz_folder_source(&fresh);
    lm_file_list list;

    for (int i = 0; i < fresh.count; i++)
        fresh.files[i].read_to = 0;
    REQUIRE_OK(ctx, lm_checkpoint_list(ctx, arena, &again, &list));
    for (int i = 0; i < folder->count; i++) {
        bool listed = false;

        for (size_t k = 0; k < list.count; k++)
            listed |= strcmp(list.names[k], folder->files[i].name) == 0;
        REQUIRE(listed || folder->files[i].read_to == 0);
    }
    for (size_t k = 0; k < list.count; k++) {
        REQUIRE(fuzz_folder_find(folder, list.names[k]) != NULL);
        for (size_t i = 0; i < k; i++)
            REQUIRE(strcmp(list.names[i], list.names[k]) != 0);
    }
    return LM_OK;
}

static lm_status
run(lm_context *ctx, lm_arena *arena, const lm_source *source, fuzz_folder *folder)
{
    const lm_family *family;
    lm_weights_plan plan;
    lm_checkpoint checkpoint;
    lm_notes notes;
    const lm_dims *dims;
    int window;

    lm_notes_init(&notes, true);
    LM_TRY(lm_checkpoint_open(ctx, arena, source, &notes, &checkpoint));
    REQUIRE((checkpoint.config != NULL) != (checkpoint.settings != NULL));
    check_sentence(&checkpoint.sentence);
    LM_TRY(check_list(ctx, arena, source, folder));
    if (checkpoint.settings)
        return LM_OK;
    LM_TRY(lm_family_find(ctx, checkpoint.config, &family));
    LM_TRY(lm_weights_plan_make(ctx, arena, family, lm_family_head(family, checkpoint.config),
                                &checkpoint, lm_kernels_active(), LM_PRECISION_F32, &plan));
    check_fields(family, plan.config);
    check_targets(&plan);
    check_placements(&plan);
    dims = plan.config;
    window = lm_checkpoint_window(&checkpoint, dims->window);
    REQUIRE(window >= 1 && window <= dims->window);
    return LM_OK;
}

lm_status
fuzz_target(lm_context *ctx, const char *data, size_t size)
{
    return fuzz_folder_run(ctx, data, size, run);
}
