/*
 * name_list.c - lists of the files that make a model.
 */
#include <string.h>

#include "format/container.h"

lm_status
lm_name_missing(const lm_reader *r, const char *name)
{
    lm_raise(r->ctx, LM_NO_FILE, "a file of the model is missing");
    return lm_detail_file(r->ctx, name);
}

static bool
has_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

lm_status
lm_name_list_add(const lm_reader *r, lm_name_list *list, const char *name, bool required)
{
    bool found = false;

    LM_TRY(lm_reader_exists(r, name, &found));
    if (found && !has_name(list->settings, list->setting_count, name))
        list->settings[list->setting_count++] = name;
    return found || !required ? LM_OK : lm_name_missing(r, name);
}

void
lm_name_list_step(lm_name_list *list, const char *name)
{
    if (!has_name(list->steps, list->step_count, name))
        list->steps[list->step_count++] = name;
}

/* The first are taken as they are; more make a longer list. There is one name at least. */
lm_status
lm_name_list_weights(const lm_reader *r, lm_name_list *list, const char *const *names, size_t count)
{
    const char **joined;

    if (list->weight_count == 0) {
        list->weights = names;
        list->weight_count = count;
    }
    if (has_name(list->weights, list->weight_count, names[0]))
        return LM_OK;
    joined = lm_arena_array(r->arena, list->weight_count + count, sizeof *joined);
    if (!joined)
        return LM_NO_MEMORY;
    memcpy(joined, list->weights, list->weight_count * sizeof *joined);
    memcpy(joined + list->weight_count, names, count * sizeof *joined);
    list->weights = joined;
    list->weight_count += count;
    return LM_OK;
}
