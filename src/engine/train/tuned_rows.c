/*
 * tuned_rows.c - texts and targets of the rows of a model in training, and the names of labels.
 */
#include <string.h>

#include "train/tuned.h"

lm_status
lm_tuned_add_text(lm_tuned *tuned, lm_text text)
{
    LM_TRY(lm_tuned_texts_add(&tuned->texts, text));
    return lm_augmented_add(&tuned->augmented, text);
}

lm_status
lm_tuned_add_text_pair(lm_tuned *tuned, lm_text first, lm_text second)
{
    LM_TRY(lm_tuned_texts_add_pair(&tuned->texts, first, second));
    LM_TRY(lm_augmented_add(&tuned->augmented, first));
    return lm_augmented_add(&tuned->augmented, second);
}

lm_status
lm_tuned_add_label(lm_tuned *tuned, int32_t label)
{
    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->labels, &tuned->label_room, tuned->label_count + 1,
                         sizeof *tuned->labels));
    tuned->labels[tuned->label_count++] = label;
    return LM_OK;
}

lm_status
lm_tuned_add_number(lm_tuned *tuned, float number)
{
    LM_TRY(lm_tuned_grow(tuned->ctx, &tuned->numbers, &tuned->number_room, tuned->number_count + 1,
                         sizeof *tuned->numbers));
    tuned->numbers[tuned->number_count++] = number;
    return LM_OK;
}

lm_status
lm_tuned_names(lm_tuned *tuned, const char *const *names, size_t count)
{
    const char **copies = lm_arena_array(&tuned->arena, count + 1, sizeof *copies);

    if (!copies)
        return LM_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!(copies[i] = lm_arena_copy(&tuned->arena, names[i], strlen(names[i]))))
            return LM_NO_MEMORY;
    tuned->names = copies;
    tuned->name_count = count;
    return LM_OK;
}
