/*
 * text_sums.h - counts that are sums over rows: what most measures of text keep.
 */
#ifndef LM_TEXT_SUMS_H
#define LM_TEXT_SUMS_H

#include "metrics/fixed.h"
#include "metrics/metrics.h"

/* Whole numbers are exact up to 2^53; what is not whole goes to `parts`. */
typedef struct lm_sums {
    lm_context *ctx;
    uint64_t rows;
    lm_fixed parts;
    size_t count;
    double value[];
} lm_sums;

lm_status lm_sums_create(lm_context *ctx, size_t count, void **sums);
void lm_sums_free(void *sums);
lm_status lm_sums_merge(void *into, const void *from, const lm_label_map *map);
lm_status lm_sums_write(void *sums, lm_buffer *out);
lm_status lm_sums_read(void *sums, const char *bytes, size_t size);
/* A row whose number is not whole, nor negative. */
static inline void
lm_sums_add_row(lm_sums *sums, double part)
{
    lm_fixed_add(&sums->parts, lm_fixed_of(part));
    sums->rows++;
}

/* lm_metric_counts of `size` sums to which add_row adds. */
#define LM_SUMS_COUNTS(name, size, the_columns, add_row)         \
    static lm_status name##_create(lm_context *ctx, void **sums) \
    {                                                            \
        return lm_sums_create(ctx, size, sums);                  \
    }                                                            \
    const lm_metric_counts name = {.columns = the_columns,       \
                                   .create = name##_create,      \
                                   .free = lm_sums_free,         \
                                   .add = add_row,               \
                                   .merge = lm_sums_merge,       \
                                   .write = lm_sums_write,       \
                                   .read = lm_sums_read}

/* ---- Settings ---- */

/* A setting's place in a list of words that NULL ends; 0 where it was not given, -1: in none. */
int lm_setting_place(const lm_metric_value *setting, const char *const *words);
/* LM_BAD_ARGUMENT where it is in none: "invalid tokenizer for bleu". */
lm_status lm_setting_check(lm_context *ctx, const lm_metric_value *setting,
                           const char *const *words, const char *what);
static inline bool
lm_setting_flag(const lm_metric_value *setting)
{
    return setting->bytes && setting->whole != 0;
}

#endif
