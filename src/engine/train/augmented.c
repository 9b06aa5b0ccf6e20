/*
 * augmented.c - texts kept for their variants.
 */
#include "train/augmented.h"

void
lm_augmented_open(lm_augmented *a, lm_context *ctx, const lm_augmented_options *options)
{
    *a = (lm_augmented){.ctx = ctx, .options = *options};
    lm_augment_open(&a->augmenter, ctx, options->share);
    lm_buffer_init(&a->bytes, ctx);
    lm_buffer_init(&a->ends, ctx);
}

void
lm_augmented_close(lm_augmented *a)
{
    if (!a->ctx)
        return;
    lm_augment_close(&a->augmenter);
    lm_buffer_free(&a->bytes);
    lm_buffer_free(&a->ends);
}

lm_status
lm_augmented_add(lm_augmented *a, lm_text text)
{
    if (a->options.count == 0)
        return LM_OK;
    LM_TRY(lm_buffer_append(&a->bytes, text.bytes, text.length));
    return lm_buffer_append(&a->ends, &a->bytes.size, sizeof a->bytes.size);
}

lm_text
lm_augmented_text(const lm_augmented *a, size_t number)
{
    const size_t *ends = (const size_t *)(const void *)a->ends.data;
    const size_t start = number > 0 ? ends[number - 1] : 0;

    return (lm_text){a->bytes.data + start, ends[number] - start};
}

lm_status
lm_augmented_variant(lm_augmented *a, size_t number, uint64_t epoch, lm_buffer *variant)
{
    const lm_text text = lm_augmented_text(a, number);

    variant->size = 0;
    LM_TRY(lm_augment_run(&a->augmenter, text, a->options.ops, a->options.count, a->options.seed,
                          (epoch << 32) + number, variant));
    return variant->size > 0 ? LM_OK : lm_buffer_append(variant, text.bytes, text.length);
}

unsigned char *
lm_augmented_mark(lm_context *ctx, size_t rows, const size_t *list, size_t count)
{
    unsigned char *marks = lm_alloc_zero(ctx, rows + 1);

    for (size_t i = 0; marks && i < count; i++)
        marks[list[i]] = 1;
    return marks;
}
