/*
 * containers.c - the containers, and what is done with whichever a source is.
 */
#include "format/coded.h"
#include "format/container.h"

/* In the order in which they are tried; the last takes any source. */
static const lm_container *const containers[] = {
    &lm_own_folder,
    &lm_other_folder,
    &lm_hf_folder,
};

static lm_status
find_container(lm_reader *r, const lm_container **container)
{
    bool found = false;

    for (size_t i = 0; !found; i++) {
        *container = containers[i];
        if (!(*container)->probe)
            return LM_OK;
        LM_TRY((*container)->probe(r, &found));
    }
    return LM_OK;
}

/* Settings first, in the order of the list, then the tensors' headers. */
lm_status
lm_checkpoint_open(lm_context *ctx, lm_arena *arena, const lm_source *source, lm_notes *notes,
                   lm_checkpoint *checkpoint)
{
    lm_reader r = {ctx, arena, source, notes, "", NULL};

    *checkpoint = (lm_checkpoint){.folder = "", .sentence = {.include_prompt = true}};
    LM_TRY(find_container(&r, &checkpoint->container));
    return checkpoint->container->open(&r, checkpoint);
}

/* Settings, weights and quantised matrices, where there are such, in one array of the arena. */
static lm_status
join_names(const lm_reader *r, const lm_name_list *names, lm_file_list *list)
{
    size_t count = names->setting_count + names->step_count + names->weight_count, end = 0;
    const char **joined = lm_arena_array(r->arena, count + 1, sizeof *joined);

    if (!joined)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < names->setting_count; i++)
        joined[end++] = names->settings[i];
    for (size_t i = 0; i < names->step_count; i++)
        joined[end++] = names->steps[i];
    for (size_t i = 0; i < names->weight_count; i++)
        joined[end++] = names->weights[i];
    joined[end] = LM_QUANTIZED_FILE;
    list->names = joined;
    list->count = count + names->quantized;
    return LM_OK;
}

/* Coded files by the names that they have, not by those that they are seen under. */
static lm_status
name_holders(lm_context *ctx, lm_arena *arena, const lm_source *source, const lm_file_list *list)
{
    const char **names = (const char **)(uintptr_t)list->names;

    for (size_t i = 0; i < list->count; i++)
        LM_TRY(lm_coded_name(ctx, arena, source, names[i], &names[i]));
    return LM_OK;
}

lm_status
lm_checkpoint_list(lm_context *ctx, lm_arena *arena, const lm_source *source, lm_file_list *list)
{
    lm_coded_files files;
    const lm_source shown = lm_coded_source(&files, arena, source);
    lm_reader r = {ctx, arena, &shown, NULL, "", NULL};
    const lm_container *container;
    lm_name_list names = {.setting_count = 0};

    LM_TRY(find_container(&r, &container));
    LM_TRY(container->list(&r, &names));
    LM_TRY(join_names(&r, &names, list));
    return name_holders(ctx, arena, source, list);
}
