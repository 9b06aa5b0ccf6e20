/*
 * text_sums.c - sums over rows, and settings that are words of a list.
 */
#include "metrics/text_sums.h"

#include <math.h>
#include <string.h>

#include "metrics/text_measures.h"

lm_status
lm_sums_create(lm_context *ctx, size_t count, void **sums)
{
    lm_sums *made = lm_alloc_zero(ctx, sizeof *made + count * sizeof *made->value);

    *sums = made;
    if (!made)
        return LM_NO_MEMORY;
    made->ctx = ctx;
    made->count = count;
    return LM_OK;
}

void
lm_sums_free(void *sums)
{
    if (sums)
        lm_free(((lm_sums *)sums)->ctx, sums);
}

lm_status
lm_sums_merge(void *into, const void *from, const lm_label_map *map)
{
    lm_sums *to = into;
    const lm_sums *more = from;

    to->rows += more->rows;
    lm_fixed_add(&to->parts, more->parts);
    for (size_t i = 0; i < to->count; i++)
        to->value[i] += more->value[i];
    return LM_OK;
}

lm_status
lm_sums_write(void *sums, lm_buffer *out)
{
    const lm_sums *from = sums;

    LM_TRY(lm_buffer_append(out, &from->rows, sizeof from->rows));
    LM_TRY(lm_buffer_append(out, &from->parts, sizeof from->parts));
    return lm_buffer_append(out, from->value, from->count * sizeof *from->value);
}

lm_status
lm_sums_read(void *sums, const char *bytes, size_t size)
{
    lm_sums *to = sums;

    if (size != sizeof to->rows + sizeof to->parts + to->count * sizeof *to->value)
        return lm_raise(to->ctx, LM_CORRUPT, "the sums of a measure are not whole");
    memcpy(&to->rows, bytes, sizeof to->rows);
    memcpy(&to->parts, bytes + sizeof to->rows, sizeof to->parts);
    memcpy(to->value, bytes + sizeof to->rows + sizeof to->parts, to->count * sizeof *to->value);
    return LM_OK;
}

lm_status
lm_mean_result(void *counts, const lm_metric_value *settings, double *value)
{
    const lm_sums *sums = counts;

    *value = sums->rows > 0 ? lm_fixed_value(sums->parts) / (double)sums->rows : NAN;
    return LM_OK;
}

lm_status
lm_percent_result(void *counts, const lm_metric_value *settings, double *value)
{
    LM_TRY(lm_mean_result(counts, settings, value));
    *value *= 100;
    return LM_OK;
}

int
lm_setting_place(const lm_metric_value *setting, const char *const *words)
{
    if (!setting->bytes)
        return 0;
    for (int i = 0; words[i]; i++)
        if (strlen(words[i]) == setting->length &&
            memcmp(words[i], setting->bytes, setting->length) == 0)
            return i;
    return -1;
}

lm_status
lm_setting_check(lm_context *ctx, const lm_metric_value *setting, const char *const *words,
                 const char *what)
{
    char list[200] = "";

    if (lm_setting_place(setting, words) >= 0)
        return LM_OK;
    for (int i = 0; words[i]; i++) {
        strcat(list, i > 0 ? ", " : "");
        strcat(list, words[i]);
    }
    lm_raise(ctx, LM_BAD_ARGUMENT, "invalid %s: \"%.*s\"", what,
             (int)(setting->length < 60 ? setting->length : 60), setting->bytes);
    return lm_detail_hint(ctx, "Allowed values: %s.", list);
}
